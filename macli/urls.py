"""Addresses of pages: the normal form in which two are the same page, and the patterns that select some."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Literal, assert_never
from urllib.parse import quote, unquote, urlsplit

from macli.errors import UsageError

Kind = Literal["exact", "words", "contains", "path", "regex"]
KINDS: tuple[Kind, ...] = ("exact", "words", "contains", "path", "regex")
Matcher = Callable[[str], bool]

LONGEST = 2000
"""Characters of an address, of a pattern too."""
_LONGEST_SEARCHED = 500
"""Characters of an address that a regular expression looks at."""
FOLLOW = "_mc"
"""The parameter in which a click on a link of ours brings the message's token to the page."""

_PORTS = {"http": 80, "https": 443}
_STAYS = "/%:@!$&'()*+,;=~-._?[]"
_FOLLOW = re.compile(rf"(?<=[?&]){FOLLOW}=[^&#]*&?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def without_follow(url: str) -> str:
    """The address as it was before a click added the message's token to it."""
    if f"{FOLLOW}=" not in url:
        return url
    before, sign, fragment = url.partition("#")
    return _FOLLOW.sub("", before).rstrip("?&") + sign + fragment


def normal(url: str) -> str:
    """The normal form of a page's address. Raises UsageError for what is none.

    http and https are one page and so are upper and lower case of the host; a slash at the end, the
    fragment, the scheme's own port and a user's name count for nothing; the query is kept as it is.
    """
    text = url.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        if len(text) > LONGEST or _CONTROL.search(text):
            raise ValueError
        parts = urlsplit(text)
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:
        raise UsageError(
            f"{url[:80]!r} is no address of a page", hint="write for example shop.example/prices"
        ) from None
    scheme = parts.scheme
    if scheme not in _PORTS:
        raise UsageError(f"{url[:80]!r} is no address of a page", hint="it begins with https:// or http://")
    if port is not None and port != _PORTS[scheme]:
        host += f":{port}"
    path = _octets(parts.path).rstrip("/") or "/"
    query = f"?{_octets(parts.query)}" if parts.query else ""
    return f"https://{host}{path}{query}"


def _host(name: str) -> str:
    name = name.lower().rstrip(".")
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    if not name or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", name):
        raise ValueError
    return f"[{name}]" if ":" in name else name


def _octets(text: str) -> str:
    return re.sub(r"%[0-9a-fA-F]{2}", lambda found: found[0].upper(), quote(text, safe=_STAYS))


# The patterns


@lru_cache(maxsize=4096)
def matcher(kind: Kind, pattern: str) -> Matcher:
    """What says whether an address fits the pattern. Raises UsageError where the pattern is none.

    Only ``exact`` pays regard to case, behind the host. What is not exact is looked for in the address
    as it was written and in the one its percent signs stand for.
    """
    text = pattern.strip() if kind != "contains" else pattern
    if not text:
        raise UsageError("an empty pattern selects nothing")
    if len(text) > LONGEST:
        raise UsageError(f"a pattern has at most {LONGEST:,} characters")
    match kind:
        case "exact":
            wanted = normal(text)
            return lambda url: url == wanted or _is(url, wanted)
        case "words":
            return _words(text)
        case "contains":
            part = text.casefold()
            return lambda url: any(part in form.casefold() for form in _forms(url))
        case "path":
            return _path(text)
        case "regex":
            return _regex(text)
    assert_never(kind)


def _is(url: str, wanted: str) -> bool:
    try:
        return normal(url) == wanted
    except UsageError:
        return False


def _forms(url: str) -> Iterable[str]:
    yield url
    if "%" in url:
        yield unquote(url)


def _words(text: str) -> Matcher:
    how, colon, rest = text.partition(":")
    if colon and how.strip().lower() in ("any", "all"):
        words, enough = rest, any if how.strip().lower() == "any" else all
    else:
        words, enough = text, all
    patterns = [re.compile(word_pattern(word), re.IGNORECASE) for word in re.split(r"[\s,]+", words) if word]
    if not patterns:
        raise UsageError("no words to look for", hint="write for example 'any: shoes, boots' or 'red shoes'")
    return lambda url: enough(pattern.search(url) is not None for pattern in patterns)


def word_pattern(word: str) -> str:
    """The regular expression of a word in an address: whole, between signs or at an end, written as it
    is or with percent signs."""
    parts = [part for part in re.split(r"[\W_]+", word) if part]
    if not parts:
        raise UsageError(f"{word!r} is no word")
    forms = {part: sorted({part, quote(part)}) for part in parts}
    between = r"(?:[^0-9A-Za-z%]|%[0-9A-Fa-f]{2})+"
    inner = between.join(f"(?:{'|'.join(map(re.escape, forms[part]))})" for part in parts)
    # A word may begin behind an encoded sign (%20shoes), whose last digit is no part of it.
    return rf"(?:^|[\W_]|%[0-9A-Fa-f]{{2}})(?:{inner})(?=$|[\W_])"


def _path(text: str) -> Matcher:
    """An Ant pattern: ``?`` is one character, ``*`` any but slashes, ``**`` any number of folders.

    No regular expression: what visitors send must not be able to make one walk for ever.
    """
    text = text.split("://", 1)[-1].casefold()
    whole = not text.startswith("/")
    if whole and not re.match(r"[^/]*[.*:]|localhost\b", text):
        raise UsageError(f"{text!r} begins with no host", hint=f"a path begins with a slash: /{text}")
    wanted = text.strip("/").split("/") if text.strip("/") else []

    def matches(url: str) -> bool:
        return any(_folders(_place(form, whole), wanted) for form in _forms(url))

    return matches


def _place(url: str, whole: bool) -> list[str]:
    """The folders of an address's path, its host first where ``whole``."""
    rest = re.split(r"[?#]", url.split("://", 1)[-1], maxsplit=1)[0].casefold()
    host, _, path = rest.partition("/")
    folders = path.strip("/").split("/") if path.strip("/") else []
    return [host, *folders] if whole else folders


def _folders(given: list[str], wanted: list[str]) -> bool:
    return _glob(given, wanted, "**", lambda folder, pattern: _glob(folder, pattern, "*", _same))


def _same(one: str, pattern: str) -> bool:
    return pattern in ("?", one)


def _glob(given: Sequence[str], wanted: Sequence[str], star: str, fits: Callable[[str, str], bool]) -> bool:
    """Whether a row fits another in which ``star`` is any number; steps: one length times the other at most."""
    at = place = 0
    back: tuple[int, int] | None = None
    while at < len(given):
        if place < len(wanted) and wanted[place] == star:
            back = (at, place + 1)
            place += 1
        elif place < len(wanted) and fits(given[at], wanted[place]):
            at, place = at + 1, place + 1
        elif back is not None:
            back = (back[0] + 1, back[1])
            at, place = back
        else:
            return False
    return all(one == star for one in wanted[place:])


def _regex(text: str) -> Matcher:
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{text!r} is no regular expression: {error}") from None
    if explodes(text):
        raise UsageError(
            f"{text!r} repeats a group that repeats or chooses itself, or has more than two repetitions",
            hint="with what a stranger can send, that can take for ever; several rules can give one tag",
        )
    return lambda url: pattern.search(url[:_LONGEST_SEARCHED]) is not None


def explodes(text: str) -> bool:
    """Whether a repeated group holds a repetition or a choice, ``(a+)+``, ``(a|ab)*``, ``(a?){9}``, or many repeat."""
    plain = re.sub(r"\[(?:\\.|[^\]\\])+\]", "c", re.sub(r"\\.", "e", text))
    if len(re.findall(r"[*+]|\{\d*,\}", plain)) > 2:
        return True
    while group := re.search(r"\(\??[:=!<P]*([^()]*)\)([*+{]?)", plain):
        moves = re.search(r"[*+?{|~]", group[1]) is not None
        if moves and group[2]:
            return True
        plain = plain[: group.start()] + ("~" if moves or group[2] else "g") + plain[group.end(1) + 1 :]
    return False
