"""Links that tell when they are followed, put into a template's parts once a step; and the pixel.

A link that is the same for all is kept in the store and written ``{{ macli_click }}NUMBER``, so that a
message costs nothing more. One whose path or query holds a contact's values is signed as it is
rendered. One whose host does is left alone: our own address would vouch for wherever it leads.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from macli.content.headers import ascii_domain, header_url
from macli.content.markup import outline, unescaped
from macli.content.shield import MARK, mark, unmark
from macli.errors import UsageError
from macli.signing import Keyring

CLICK, PIXEL, SIGN = "macli_click", "macli_pixel", "macli_sign"
"""What a tracked template asks for besides the author's names: see ``Trail.values``."""
SIGNED = "macli_signed"
"""The filter that makes a link of one contact's own (language.py)."""

Number = Callable[[str], int]
"""The number of an address in the store."""

_URL = re.compile(r"(?P<scheme>https?://)(?P<host>[\w-]+(?:\.[\w-]+)*\.?)(?P<rest>(?::[0-9]{1,5})?(?:[/?#].*)?)", re.I)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_TAGGED = re.compile(r"[?&;#]utm_", re.IGNORECASE)
_WORD = re.compile(r"\{%[-+]?\s*(\w+)")
_IN_TEXT = re.compile(r"(?<![\w/=@.:+-])https?://(?:[^\s<>\"'`{}|\\^\x02\x03]|\x02\d+\x03)+", re.IGNORECASE)
_TRAILING = ".,;:!?*_~'\"’”»…"
_OVER = re.compile(r"[.,;:!?*_~)\]’”»…]*(?:[\s<>\"'`{}|\\^\x02]|\Z)")
_IMAGE = re.compile(r"<img\b", re.IGNORECASE)
_PIXEL = f'<img src="{{{{ {PIXEL} }}}}" width="1" height="1" alt="" border="0" style="width:1px;height:1px;border:0">'
_LONE_PIXEL = (
    f"<div style=\"width:1px;height:1px;background-image:url('{{{{ {PIXEL} }}}}')\"></div>"
    f"<!--[if mso]>{_PIXEL}<![endif]-->"
)
"""Outlook shows no backgrounds, and it alone reads what stands in such a comment."""


class Trail:
    """What leads from a step's messages back to macli serve: made once, with the workspace's keys.

    ``base`` is where links point; ``query`` the UTM tags they get, or nothing.
    """

    def __init__(self, keys: Keyring, base: str, query: str) -> None:
        self._keys, self._query = keys, query
        base = header_url(base).replace("&", "%26").replace("'", "%27")  # in HTML it needs no escaping
        self._click, self._open, self._signed = f"{base}/c/", f"{base}/o/", f"{base}/r/"

    def values(self, follow: str) -> dict[str, Any]:
        """What the tracked parts of one message ask for, by its ``follow`` token."""
        return {
            CLICK: f"{self._click}{follow}/",
            PIXEL: f"{self._open}{follow}.gif",
            SIGN: partial(self._sign, follow, {}),
        }

    def _sign(self, follow: str, made: dict[str, str], url: str) -> str:
        """The link to ``url`` for one message; both of its parts mostly have the same ones."""
        link = made.get(url)
        if link is None:
            # Half a character, which a value may hold, is none that could be signed.
            whole = url if url.isascii() else url.encode("utf-8", "replace").decode()
            token = self._keys.personal(follow, tagged(whole.strip(), self._query))
            link = made[url] = f"{self._signed}{follow}/{token}"
        return link


def utm(*, source: str, medium: str, campaign: str) -> str:
    """The tags as a query string."""
    from urllib.parse import urlencode

    words = {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign}
    return urlencode({name: value for name, value in words.items() if value})


def tagged(url: str, query: str) -> str:
    """``url`` with the tags of ``query`` where it has none of its own; what it has stays as it is."""
    if not query or _TAGGED.search(url):
        return url
    before, hash_, fragment = url.partition("#")
    _, asked, questions = before.partition("?")
    join = "?" if not asked else "" if not questions or questions.endswith("&") else "&"
    return f"{before}{join}{query}{hash_}{fragment}"


def addresses(parts: Mapping[str, str | None], *, query: str) -> list[str]:
    """The addresses that want a number, each once: of the parts ``html`` and ``text``."""
    found: dict[str, None] = {}

    def note(url: str) -> int:
        found[url] = None
        return 0

    followed(parts, note, query=query)
    return list(found)


def followed(
    parts: Mapping[str, str | None], number: Number, *, query: str, signed: bool = True
) -> dict[str, str | None]:
    """The parts with their links leading through macli serve; ``signed``: also those of one contact's own."""
    html, text = parts["html"], parts["text"]
    return {
        "html": html and _followed_html(html, number, query),
        "text": text and _followed_text(text, number, query, signed),
    }


def with_pixel(html: str) -> str:
    """An HTML part with the picture that tells it was opened, at the end of its body.

    Where it would be the only one it is a background: SpamAssassin counts up to 2.8 points for a short
    mail with an ``<img>``.
    """
    return before_end(html, _PIXEL if _IMAGE.search(html) else _LONE_PIXEL)


def before_end(html: str, more: str) -> str:
    """An HTML part with ``more`` at the end of its body."""
    tags: list[str] = []
    marked = mark(html, tags)
    end = outline(marked).end
    return unmark(marked[:end], tags) + more + unmark(marked[end:], tags)


def _followed_html(html: str, number: Number, query: str) -> str:
    tags: list[str] = []
    marked = mark(html, tags)
    pieces: list[str] = []
    position = 0
    for link in outline(marked).links:
        value = marked[link.start : link.end]
        told = _told(value, tags, number, query, quoted=link.quoted)
        if told is not None:
            pieces += (marked[position : link.start], told)
            position = link.end
    return unmark("".join((*pieces, marked[position:])), tags)


def _told(value: str, tags: list[str], number: Number, query: str, *, quoted: bool) -> str | None:
    """What an href becomes; None where it stays."""
    if not MARK.search(value):
        url = _address(unescaped(value)) if quoted or not set("\"'<`") & set(value) else None
        return None if url is None else f"{{{{ {CLICK} }}}}{number(tagged(url, query))}"
    bare = value.strip()
    if not quoted:
        return None
    if _one_hosts(bare) and _whole(bare, tags):
        return value.replace(bare, _signing(bare))
    return _either(value, tags, number, query)


def _either(value: str, tags: list[str], number: Number, query: str) -> str | None:
    """An href that is one address or another, as ``{% if %}`` and ``{% else %}`` choose."""
    controls = [found for found in MARK.finditer(value) if _word(tags[int(found[1])])]
    words = [_word(tags[int(found[1])]) for found in controls]
    if words[:1] != ["if"] or words[-1] != "endif" or not set(words[1:-1]) <= {"elif", "else"}:
        return None
    if value[: controls[0].start()].strip() or value[controls[-1].end() :].strip():
        return None
    pieces = [value[: controls[0].end()]]
    for before, after in pairwise(controls):
        choice = value[before.end() : after.start()]
        pieces += (_told(choice, tags, number, query, quoted=True) or choice, after[0])
    return "".join((*pieces, value[controls[-1].end() :]))


def _signing(url: str) -> str:
    # The + keeps what stands before the tag; Jinja would take spaces away.
    return f"{{%+ filter {SIGNED} %}}{url}{{% endfilter %}}"


def _address(value: str) -> str | None:
    """A web address as it goes into the store: its host in ASCII. None for what is none, or an odd one."""
    # Browsers drop line ends and tabs inside an address and spaces around it.
    text = value.strip(" \t\r\n\f").replace("\n", "").replace("\r", "").replace("\t", "")
    found = _URL.fullmatch(text)
    if found is None or "\\" in text or _CONTROL.search(text):
        return None
    try:
        host = found["host"] if found["host"].isascii() else ascii_domain(found["host"])
    except UsageError:
        return None
    return f"{found['scheme']}{host}{found['rest']}"


def _one_hosts(value: str) -> bool:
    """Whether a marked address is at a host that is written out."""
    found = _URL.match(value)
    rest = found and found["rest"].lstrip(":0123456789")
    return bool(rest) and found is not None and found["host"].isascii() and not _CONTROL.search(MARK.sub("", value))


def _whole(value: str, tags: list[str]) -> bool:
    """Whether every tag inside an address that opens something closes it there, and none sets a name."""
    open_: list[str] = []
    for number in MARK.findall(value):
        word = _word(tags[int(number)])
        if word in ("if", "for"):
            open_.append(word)
        elif word in ("endif", "endfor"):
            if not open_ or open_.pop() != word.removeprefix("end"):
                return False
        elif (word in ("elif", "else") and not open_) or word not in ("", "elif", "else"):
            return False
    return not open_


def _word(tag: str) -> str:
    """The word of a ``{% word … %}`` tag; nothing for ``{{ … }}`` and ``{# … #}``."""
    found = _WORD.match(tag)
    return found[1] if found else ""


def _followed_text(text: str, number: Number, query: str, signed: bool) -> str:
    tags: list[str] = []
    marked = mark(text, tags)
    pieces: list[str] = []
    position = 0
    while (found := _IN_TEXT.search(marked, position)) is not None:
        url = _trimmed(_run(found, tags))
        end = found.start() + len(url)
        told = _told_in_text(url, tags, number, query, signed=signed) if _over(marked, end, tags) else None
        pieces += (marked[position : found.start()], url if told is None else told)
        position = end
    return unmark("".join((*pieces, marked[position:])), tags)


def _run(found: re.Match[str], tags: list[str]) -> str:
    """An address in running text up to the first tag that is no value."""
    for inner in MARK.finditer(found[0]):
        if not tags[int(inner[1])].startswith("{{"):
            return found[0][: inner.start()]
    return found[0]


def _told_in_text(url: str, tags: list[str], number: Number, query: str, *, signed: bool) -> str | None:
    values = MARK.findall(url)
    if values:
        # What -}} takes away behind it would stand behind another tag then.
        good = signed and _one_hosts(url) and not tags[int(values[-1])].endswith("-}}")
        return _signing(url) if good else None
    address = _address(url)
    return None if address is None else f"{{{{ {CLICK} }}}}{number(tagged(address, query))}"


def _trimmed(run: str) -> str:
    """An address in running text without the punctuation behind it; a bracket stays where it was opened inside."""
    while run:
        last = run[-1]
        unopened = last in ")]" and run.count(last) > run.count("(" if last == ")" else "[")
        if last not in _TRAILING and not unopened:
            break
        run = run[:-1]
    return run


def _over(marked: str, position: int, tags: list[str]) -> bool:
    """Whether an address ends at ``position`` whichever way the template's tags go from there."""
    while (at := MARK.match(marked, position)) is not None:
        word = _word(tags[int(at[1])])
        if word not in ("elif", "else", "endif", "endfor"):
            return False
        depth = 0
        for inner in MARK.finditer(marked, position):
            word = _word(tags[int(inner[1])])
            depth += word in ("if", "for")
            depth -= word in ("endif", "endfor")
            if depth < 0:
                position = inner.end()
                break
        else:
            return False
    return _OVER.match(marked, position) is not None
