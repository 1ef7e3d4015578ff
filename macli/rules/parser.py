"""From text to a rule's tree, by the grammar in rule.lark; and from Lark's errors to a person's."""

import re
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from macli.errors import did_you_mean
from macli.rules.asked import Name
from macli.rules.errors import Misread, RuleError
from macli.rules.readers import READERS, SAID, reads
from macli.rules.sql import DEEPEST
from macli.rules.tree import And, Or, Rule, depth, negate
from macli.rules.values import Literal, unquote

if TYPE_CHECKING:
    from lark import Lark, UnexpectedInput

    from macli.rules.predicates.events import Property

MOST_CHARACTERS = 100_000
LONGEST_LITERAL = 4_000

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CURLY = "“”„«»‘’‚"
_SIGNS = {
    "ORDER": "< <= > or >=",
    "EQUAL": "=",
    "__ANON_0": "!=",
    "AMOUNT": "a number",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "$END": "the end of the rule",
}
_TERMINALS = ("NAME", "WORD", "STRING", "DATETIME", "AMOUNT", "ORDER", "EQUAL", "LPAR", "RPAR", "COMMA")
_STARTS = (
    "tagged",
    "opened",
    "clicked",
    "replied",
    "visited",
    "received",
    "everyone",
    "opted",
    "never",
    "finished",
    "suppressed",
    "owned",
    "score",
)


@lru_cache(maxsize=512)
def parse(text: str) -> Rule:
    """The tree of a rule. Raises RuleError."""
    rule: Rule = _read(text, "start")
    if depth(rule) > DEEPEST:
        raise RuleError(
            f"and, or and not nested more than {DEEPEST} deep",
            text,
            0,
            hint="make a part of it a segment, and ask: in segment NAME",
        )
    return rule


def parse_conditions(text: str) -> "tuple[Property, ...]":
    """The tests of an event's properties. Raises RuleError."""
    tests: tuple[Property, ...] = _read(text, "conditions")
    return tests


def _read(text: str, start: str) -> Any:
    if len(text) > MOST_CHARACTERS:
        raise RuleError(f"more than {MOST_CHARACTERS:,} characters in one rule", text, 0)
    if found := _UNPRINTABLE.search(text):
        raise RuleError(f"a rule cannot hold the character U+{ord(found[0]):04X}", text, found.start())
    from lark import UnexpectedInput

    try:
        return _lark().parse(text, start=start)
    except UnexpectedInput as error:
        raise _explained(error, text, start) from None
    except Misread as error:
        raise RuleError(error.what, text, error.at, hint=error.hint) from None


@lru_cache(maxsize=1)
def _lark() -> "Lark":
    from lark import Lark

    from macli.rules import predicates  # noqa: F401  (its modules register what reads the grammar)

    grammar = files("macli.rules").joinpath("rule.lark").read_text("utf-8")
    return Lark(
        grammar,
        parser="lalr",
        start=["start", "conditions"],
        transformer=SimpleNamespace(**READERS),
        edit_terminals=_whole_words,
    )


def _whole_words(terminal: Any) -> None:
    """Make a keyword match only as a whole word: ``on`` is not the beginning of ``once``."""
    from lark.lexer import PatternRE, PatternStr

    if isinstance(terminal.pattern, PatternStr) and terminal.pattern.value.isalpha():
        terminal.pattern = PatternRE(rf"{terminal.pattern.value}\b", terminal.pattern.flags)
        terminal.priority = 1


@reads("start")
def start(rule: Rule) -> Rule:
    return rule


@reads("either")
def either(*rules: Rule) -> Rule:
    return rules[0] if len(rules) == 1 else Or(rules)


@reads("both")
def both(*rules: Rule) -> Rule:
    return rules[0] if len(rules) == 1 else And(rules)


@reads("negation")
def negation(rule: Rule) -> Rule:
    return negate(rule)


@reads("list")
def values(*literals: Literal) -> tuple[Literal, ...]:
    return tuple(literal for literal in literals if literal is not None)


@reads("value", "text")
def one(literal: Literal) -> Literal:
    return literal


@reads("name")
def name(word: Any) -> Name:
    if isinstance(word, Literal):
        return Name(text=word.text, at=word.at, quoted=True)
    return word if isinstance(word, Name) else Name(text=str(word), at=word.start_pos)


def _bare(token: Any) -> Literal:
    return _literal(str(token), False, token.start_pos)


def _quoted(token: Any) -> Literal:
    return _literal(unquote(token), True, token.start_pos)


def _literal(text: str, quoted: bool, at: int) -> Literal:
    if len(text) > LONGEST_LITERAL:
        raise Misread(f"a value of more than {LONGEST_LITERAL:,} characters", at)
    return Literal(text=text, quoted=quoted, at=at)


def _named(token: Any) -> Name:
    return Name(text=str(token), at=token.start_pos)


# What the terminals mean; Lark looks for these beside the rules' readers.
READERS.update(STRING=_quoted, WORD=_bare, DATETIME=_bare, NAME=_named, AMOUNT=_named, ONCE=_named, TWICE=_named)


def _explained(error: "UnexpectedInput", text: str, start: str) -> RuleError:
    """Lark's error in the words of the language."""
    at = error.pos_in_stream
    if at is None or at < 0 or getattr(getattr(error, "token", None), "type", "") == "$END":
        at = len(text.rstrip())
    expected = _accepted(text, start)
    word = _word_at(text, at)
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        return RuleError("an empty rule", text, 0, hint="everyone selects every contact")
    if word and word in _CURLY:
        return RuleError(f"{word} is not a quote here", text, at, hint="use straight quotes: \" or '")
    if word in ("'", '"') and "STRING" in expected:
        return RuleError("this quote is never closed", text, at)
    keywords = [name.lower() for name in expected if name.isalpha() and name not in _TERMINALS]
    near = did_you_mean(word, (name for name in keywords if abs(len(name) - len(word)) < 3)) if word else ""
    if not near and "EQUAL" in expected and (before := _BEFORE(text[:at])):
        # A misspelt keyword was taken for an attribute.
        near = did_you_mean(before[1], _STARTS)
        if near and before[1].casefold() not in _STARTS:
            return RuleError(f"{before[1]!r} is no word of a rule{near}", text, before.start())
        near = ""
    found = f", not {word!r}" if word else "; the rule ends here"
    hint = _hint(text, at, expected)
    if hint is None and start == "conditions":
        hint = "only properties of the event are asked for here: total > 100 and currency = EUR"
    return RuleError(f"expected {_list(expected, keywords)}{found}{near}", text, at, hint=hint)


def _accepted(text: str, start: str) -> set[str]:
    """The terminals that could stand where the rule cannot be read on."""
    from lark import UnexpectedInput

    reading = _lark().parse_interactive(text, start=start)
    with suppress(UnexpectedInput):
        reading.exhaust_lexer()
    return set(reading.accepts())  # type: ignore[no-untyped-call]


def _list(expected: set[str], keywords: list[str]) -> str:
    values = {"STRING", "WORD", "DATETIME", "NAME"} & expected
    words = []
    if "DATETIME" in values:
        words.append("a value")
    elif "WORD" in values:
        words.append('a word or a text in "quotes"')
    elif "STRING" in values:
        words.append("an attribute")
    elif values:
        words.append("a word")
    words += [_SIGNS[name] for name in _SIGNS if name in expected]
    words += [repr(name) for name in sorted(dict.fromkeys(keywords))]
    if len(words) > 12:
        words = [*words[:11], "…"]
    if len(words) < 2:
        return "".join(words) or "the end of the rule"
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _hint(text: str, at: int, expected: set[str]) -> str | None:
    if at < len(text) and text[at] in "&|":
        return "write and" if text[at] == "&" else "write or"
    if text[at : at + 1] == "%":
        return "write the sign at the number: 60%"
    if text[at : at + 1] == "=" and text[:at].endswith("="):
        return "one = is enough"
    if "SET" in expected and (asked := _IS_NOT(text[:at])):
        return (
            f"write: not {asked[1]} is …" if asked[1].casefold() in (*SAID, "co-owner") else f"write: {asked[1]} != …"
        )
    if "ORDER" in expected and _word_at(text, at).casefold() == "at":
        return "write >= or <="
    if "AT" in expected and text[at : at + 1].isdigit():
        return f"say at least {_word_at(text, at)}, at most {_word_at(text, at)} or exactly {_word_at(text, at)}"
    if "AND" in expected and _word_at(text, at)[:1].isalnum() and "DATETIME" not in expected:
        return 'a text of several words stands in quotes: "New Zealand"'
    return None


_IS_NOT = re.compile(r"([\w-]+)\s+is\s+not\s+$", re.IGNORECASE).search
_BEFORE = re.compile(r"(\w+)\s*$").search


def _word_at(text: str, at: int) -> str:
    found = re.compile(r"\w+|\S").match(text, at)
    return found[0] if found else ""
