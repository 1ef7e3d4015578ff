"""What a text message from a recipient means: Twilio's keywords, and a no in the recipient's own words.

A message is read without case, accents and punctuation, sentence by sentence. A negated no ("don't
stop") is taken out before a no is looked for. In doubt a no counts: one message too few is no harm.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Meaning = Literal["stop", "start", "help", "other"]

KEYWORDS: Mapping[str, Meaning] = {
    "STOP": "stop",
    "STOPALL": "stop",
    "UNSUBSCRIBE": "stop",
    "CANCEL": "stop",
    "END": "stop",
    "QUIT": "stop",
    "REVOKE": "stop",
    "OPTOUT": "stop",
    "START": "start",
    "YES": "start",
    "UNSTOP": "start",
    "HELP": "help",
    "INFO": "help",
}
"""The whole of a message, as Twilio knows it by default: it blocks, unblocks and answers by itself."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """How one language says no: ``keywords.toml`` says what each part is."""

    words: frozenset[str]
    phrases: re.Pattern[str]
    not_so: re.Pattern[str]
    confirmed: str


_POLITE = re.compile(
    r"\b(please|pls|plz|thanks|thank you|now|all|bitte|danke|sofort|prosze|dziekuje|merci|svp|por favor|gracias|grazie"
    r"|per favore|obrigad[oa]|alsjeblieft|aub|graag)\b"
)
_LONGEST = 1600
_DATA = Path(__file__).with_name("keywords.toml")
_LETTERS = str.maketrans({"ł": "l", "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d"})


def keyword(text: str) -> Meaning:
    """What Twilio takes the whole message for."""
    return KEYWORDS.get(text.strip().upper(), "other")


def refusing(text: str) -> str | None:
    """The language in which ``text`` says that no more messages are wanted; None where it does not."""
    sentences = [found for part in re.split(r"[.!?,;\n\r]+", _plain(text[:_LONGEST])) if (found := _words(part))]
    whole = _words(_POLITE.sub(" ", " ".join(sentences)))
    for name, language in languages().items():
        if whole in language.words:
            return name
        if any(language.phrases.search(language.not_so.sub(" ~ ", sentence)) for sentence in sentences):
            return name
    return None


def confirmation(language: str, sender: str | None) -> str:
    """What is answered to a no in that language."""
    confirmed = languages()[language].confirmed
    return f"{sender}: {confirmed}" if sender else confirmed


@cache
def languages() -> Mapping[str, Language]:
    """The languages a no is understood in, in the order in which they are tried."""
    import tomllib

    said = tomllib.loads(_DATA.read_text("utf-8"))
    return {
        name: Language(
            words=frozenset(parts["words"]),
            phrases=_any_of(parts["phrases"]),
            not_so=_any_of(parts["not_so"]),
            confirmed=parts["confirmed"],
        )
        for name, parts in said.items()
    }


def _plain(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(character for character in parts if not unicodedata.combining(character))


def _words(sentence: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", sentence))


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    spaced = (re.sub(r"(?<![\\\w])_", r"(?:\\w+ ){0,4}?", phrase) for phrase in phrases)
    return re.compile("|".join(rf"\b(?:{phrase})(?!\w)" for phrase in spaced))
