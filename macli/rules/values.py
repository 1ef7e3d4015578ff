"""The literals of a rule: texts, numbers, yes or no, and how each is written back."""

import re
from dataclasses import dataclass, field

_BARE_NAME = re.compile(r"[^\W\d]\w*").fullmatch
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?").fullmatch
_MOST_INTEGER = 2**63 - 1

KEYWORDS = frozenset(
    (
        "and",
        "or",
        "not",
        "in",
        "is",
        "on",
        "with",
        "within",
        "before",
        "after",
        "between",
        "contains",
        "starts",
        "ends",
        "matches",
        "everyone",
        "tagged",
        "opted",
        "suppressed",
        "has",
        "opened",
        "clicked",
        "replied",
        "visited",
        "never",
        "no",
        "more",
        "less",
        "exactly",
        "once",
        "twice",
        "anniversary",
        "event",
        "finished",
        "received",
        "from",
        "link",
    )
)
"""Words that, bare, may mean something else than a name where a name can stand."""

TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, kw_only=True)
class Literal:
    """A value as it was written. Quoted, it is text (or a date where one is asked for); bare, it is
    what the attribute it is compared with holds."""

    text: str
    quoted: bool = True
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return quote(self.text) if self.quoted else self.text

    def number(self) -> int | float | None:
        """The number this is, None where it is none."""
        if self.quoted or not _NUMBER(self.text) or len(self.text) > 300:
            return None
        if "." in self.text:
            return float(self.text)
        whole = int(self.text)
        return whole if abs(whole) <= _MOST_INTEGER else float(whole)

    def truth(self) -> bool | None:
        """The yes or no this is, None where it is neither."""
        return None if self.quoted else TRUTHS.get(self.text.casefold())


def quote(text: str) -> str:
    """The text as a rule writes it, in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(token: str) -> str:
    """What a quoted text means: a backslash before a quote or a backslash is left out."""
    return re.sub(r"\\([\\\"'])", r"\1", token[1:-1])


def name_text(name: str) -> str:
    """A name of an attribute or a property as a rule writes it."""
    return name if _BARE_NAME(name) and name.casefold() not in KEYWORDS else quote(name)
