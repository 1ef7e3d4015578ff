"""The contacts an entry selects, as one rule."""

from macli.campaign.definition import Entry
from macli.rules import quote


def audience_rule(entry: Entry) -> str | None:
    """The rule of an entry's segments and its narrowing rule; None where it names neither."""
    parts = []
    if entry.segments:
        parts.append("(" + " or ".join(f"in segment {quote(name)}" for name in entry.segments) + ")")
    if entry.rule is not None:
        parts.append(_closed(entry.rule))
    return " and ".join(parts) or None


def condition_rule(entry: Entry) -> str | None:
    """The rule of contacts whom an automatic entry lets in; None for the other kinds."""
    if entry.whenever is None:
        return None
    narrowed = audience_rule(entry)
    return f"{_closed(entry.whenever)} and {narrowed}" if narrowed else entry.whenever


def existing_rule(entry: Entry) -> str | None:
    """The rule of contacts who come in because of what was before the activation; None where nobody does."""
    if not entry.includes_existing:
        return None
    if entry.whenever is not None:
        return condition_rule(entry)
    happened = " or ".join(
        f"event {quote(event.name)}" + (f" with ({event.where}\n)" if event.where else "") for event in entry.event
    )
    narrowed = audience_rule(entry)
    return f"({happened}) and {narrowed}" if narrowed else happened


def _closed(rule: str) -> str:
    # The line break ends a comment the rule may end with.
    return f"({rule}\n)" if "#" in rule else f"({rule})"
