"""``macli contact erase``: a person goes, and is never written to again."""

from collections.abc import Mapping

import typer

from macli.commands import options
from macli.commands.contact_changes import Contact
from macli.context import Macli


def command(
    ctx: typer.Context,
    contact: Contact,
    yes: options.Yes = False,
    format: options.Format = None,
    json: options.Json = False,
) -> None:
    """Erase a person: nothing personal is left in the store, and they are never written to again.

    Reports count as they did. What is left elsewhere, at a provider or in a file, is named.

    Example: macli contact erase ann@example.com
    """
    from macli.privacy import erase, remaining, sweeping

    macli, shape = Macli.of(ctx), options.shape(format, json)
    sweeping.finish(macli.store)
    person = erase.find(macli.store, contact, macli.setting("country"))
    if person.gone:
        _say(macli, shape, f"{contact} is erased already: nothing mentions it, and it is not written to", {}, 0, [])
        return
    left = remaining.elsewhere(macli.store, person)
    what = ", ".join(f"{name}: {count:,}" for name, count in person.counts.items())
    macli.out.confirm(f"erase {contact} for good ({what or 'what still mentions it'})?", yes=yes)
    others = erase.erase(macli.store, macli.now(), person)
    if trouble := sweeping.follow(macli.store):
        left.append(f"the store's file, where it was, until the next tick rewrites it: {trouble}")
    left += remaining.here(macli.store, person, macli.workspace.log)
    _say(macli, shape, f"erased {contact}: {what or f'{others} mentions'}", person.counts, others, left)


def _say(
    macli: Macli, shape: str | None, line: str, counts: Mapping[str, int], others: int, remains: list[str]
) -> None:
    if shape is not None:
        report = {"erased": dict(counts), "mentions_elsewhere": others, "remains": remains}
        macli.out.record(report, shape=shape)
        return
    macli.out.say(line)
    if remains:
        macli.out.say("what remains:")
    for one in remains:
        macli.out.say(f"  - {one}")
