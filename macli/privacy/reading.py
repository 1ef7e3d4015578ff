"""A person's record as it is handed over: JSON for a program, Markdown or a page for the person."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

HEADINGS: Mapping[str, tuple[str, str]] = {
    "tags": ("Tags", "Words we sort contacts by."),
    "consents": ("What you agreed to", "Your yes or no, as it stands."),
    "consent_log": ("When you said so", "Each yes and no, with what we noted of it."),
    "preferences": ("Your preferences", "How often you want to hear from us."),
    "segments": ("Groups", "Lists of contacts you are on now."),
    "campaigns": ("Series of messages", "What you were let into, and how it ended."),
    "messages": ("Messages to you", "Each message, sent or still to be; its subject as it is written for everybody."),
    "opens_and_clicks": ("Opens and clicks", "When a message was opened or a link followed, from which address."),
    "events": ("What happened", "Everything else we noted."),
    "browsers": ("Browsers", "Numbers your visits to our pages were kept under."),
    "devices": ("Devices", "Where notifications can be sent."),
    "scores": ("Scores", "Numbers we keep of how interested you seem, as they stand."),
    "points": ("Points", "What each score is made of: points given for what happened, and taken back as time passed."),
    "stages": ("Stages", "How far you seemed to be on the way from hearing of us to coming back."),
    "funnels": ("Funnels", "Where you stood in what we do with people one after another, selling for example."),
    "rfm": ("Purchases in figures", "How recently, how often and for how much you bought, and what group that makes."),
    "predictions": ("Predictions", "What a computation expects of you, from what you bought."),
    "owners": ("Who answers for you", "Who here looks after you."),
    "notes": ("Notes", "What people here wrote down about you."),
    "tasks": ("Tasks", "What people here had to do about you."),
    "deals": ("Deals", "What we hoped to sell you, and what became of it."),
    "calls": ("Telephone calls", "When we talked, or tried to, and what was written down of it."),
    "letters": ("Your letters", "Mails you wrote to us, as we keep them."),
    "suppressions": ("Addresses we never write to", "And why."),
}
"""For people: a list's heading, and what it is."""


@dataclass(frozen=True, kw_only=True)
class _Section:
    heading: str
    meaning: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def json(found: Mapping[str, Any]) -> str:
    """The record, as export.record gives it, as JSON."""
    import json as written

    return written.dumps(found, ensure_ascii=False, indent=2) + "\n"


def markdown(found: Mapping[str, Any]) -> str:
    """The record, as export.record gives it, in Markdown."""
    lines = [f"# {_plain(_title(found))}", "", f"Written on {_text(found['made_at'])} UTC."]
    for section in _sections(found):
        lines += ["", f"## {section.heading}", "", section.meaning]
        if section.rows:
            lines += ["", f"| {' | '.join(section.heads)} |", f"|{' --- |' * len(section.heads)}"]
        lines += (f"| {' | '.join(map(_plain, row))} |" for row in section.rows)
        if not section.rows:
            lines += ["", "Nothing."]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def html(found: Mapping[str, Any]) -> str:
    """The record as one HTML page."""
    parts = [_PAGE.format(title=escape(_title(found)), when=_text(found["made_at"]))]
    for section in _sections(found):
        parts.append(f"<h2>{escape(section.heading)}</h2>\n<p>{escape(section.meaning)}</p>")
        if not section.rows:
            parts.append("<p>Nothing.</p>")
            continue
        heads = "".join(f"<th>{escape(head)}</th>" for head in section.heads)
        parts.append(f"<div><table>\n<tr>{heads}</tr>" if any(section.heads) else "<div><table>")
        parts += ("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in section.rows)
        parts.append("</table></div>")
    return "\n".join(parts) + "\n</body>\n</html>\n"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 1000px; margin: 0 auto; padding: 24px 16px; font: 16px/1.5 system-ui, sans-serif; color: #18181b; }}
h2 {{ margin: 32px 0 4px; font-size: 19px; }}
p {{ margin: 0 0 10px; color: #52525b; }}
div {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 14px; }}
th, td {{ padding: 6px 12px 6px 0; border-bottom: 1px solid #d4d4d8; text-align: left; vertical-align: top; }}
td {{ max-width: 420px; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>Written on {when} UTC.</p>"""


def _title(found: Mapping[str, Any]) -> str:
    about = found["contact"]
    return f"What we know of {about['email'] or about['phone'] or about['external_id']}"


def _sections(found: Mapping[str, Any]) -> Iterator[_Section]:
    about = found["contact"]
    facts = {**{name: value for name, value in about.items() if name != "attributes"}, **about["attributes"]}
    yield _Section(
        heading="You",
        meaning="What we know you by, and what we noted about you.",
        heads=("", ""),
        rows=[(_words(name), _text(value)) for name, value in facts.items() if value not in (None, "")],
    )
    for name, (heading, meaning) in HEADINGS.items():
        rows = found[name]
        told = [column for column in rows[0] if any(row[column] not in (None, "", {}) for row in rows)] if rows else []
        yield _Section(
            heading=heading,
            meaning=meaning,
            heads=[_words(column) for column in told],
            rows=[[_text(row[column]) for column in told] for row in rows],
        )


def _words(name: str) -> str:
    return name.removesuffix("_at").replace("_", " ")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(name)}: {_text(inner)}" for name, inner in value.items())
    text = str(value)
    return f"{text[:10]} {text[11:19]}" if _is_a_time(text) else text


_is_a_time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").fullmatch
