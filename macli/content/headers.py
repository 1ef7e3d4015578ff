"""Header values: one line whatever they are made of, ASCII on the wire, folded where RFC 5322 asks."""

import re
from base64 import b64encode
from functools import lru_cache
from urllib.parse import quote

from macli.errors import UsageError

LINE = 76
_CHARSET = "utf-8''"

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PLAIN = re.compile(r"[!-<>-~](?:[ !-<>-~]{0,63}[!-<>-~])?")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/?^_`{|}~-]+)*")
_ASCII = re.compile(r"[ -~]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+")
_LOCAL_UTF8 = re.compile("[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-.\u00a1-\u2027\u202a-\ud7ff\ue000-\U0010ffff]+")


def one_line(text: str) -> str:
    """``text`` without line ends and control characters: each run of them becomes one space.

    No header value is made from anything that has not passed here, so none can begin another header.
    """
    return _UNSAFE.sub(" ", text).strip() if _UNSAFE.search(text) else text.strip()


def unstructured(text: str, *, name: str) -> bytes:
    """The value of a Subject or another free header, ready to stand after ``name: ``."""
    if _PLAIN.fullmatch(text):
        return text.encode("ascii")
    text = one_line(text)
    if _ASCII.fullmatch(text) and "=?" not in text:
        chunks = re.findall(r" *[^ ]+", text)
        if all(len(chunk) < LINE for chunk in chunks):
            return _folded(chunks, len(name) + 2)
    return _encoded(text, len(name) + 2)


def mailbox(address: str, display_name: str | None, *, name: str) -> bytes:
    """``Ann Lee <ann@example.com>`` for a From, To or Reply-To header; ``address`` is a wire address."""
    spec = address.encode()
    # Readers take a run of spaces in a name for one.
    shown = " ".join(one_line(display_name).split()) if display_name else ""
    if not shown:
        return spec
    if len(shown) <= 40 and _PLAIN_NAME.fullmatch(shown):
        phrase = shown.encode("ascii")
    elif len(shown) <= 40 and _ASCII.fullmatch(shown) and "=?" not in shown:
        phrase = b'"' + shown.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'
    else:
        phrase = _encoded(shown, len(name) + 2)
    last = len(phrase) - (phrase.rfind(b"\n") + 1) + (0 if b"\n" in phrase else len(name) + 2)
    return phrase + (b" <" if last + len(spec) + 3 <= 78 else b"\r\n <") + spec + b">"


def _folded(chunks: list[str], used: int) -> bytes:
    lines, line = [], ""
    for chunk in chunks:
        if line and used + len(line) + len(chunk) > LINE:
            lines.append(line)
            line, used = "", 0
        line += chunk
    lines.append(line)
    return "\r\n".join(lines).encode("ascii")


def _encoded(text: str, used: int) -> bytes:
    """RFC 2047 encoded words, none over 75 octets, none splitting a character."""
    words, piece, room = [], b"", (LINE - used - 12) // 4 * 3
    for character in text:
        octets = character.encode()
        if len(piece) + len(octets) > room:
            words.append(piece)
            piece, room = b"", 45
        piece += octets
    words.append(piece)
    return b"\r\n ".join(b"=?utf-8?b?" + b64encode(word) + b"?=" for word in words)


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """A domain in A-labels. Raises UsageError for what is none."""
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise UsageError(f"{domain!r} is no domain: {error}") from None


def wire_address(address: str) -> str:
    """The address as it stands in an envelope and in headers: the domain in A-labels.

    The local part may remain non-ASCII; such an address needs a server with SMTPUTF8. Raises UsageError
    for what cannot be an address, so nothing else ever reaches a header.
    """
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        domain = ascii_domain(domain)
    if not (_ATOMS.fullmatch(local) or (not local.isascii() and _LOCAL_UTF8.fullmatch(local))) or not (
        _ATOMS.fullmatch(domain) or (domain.startswith("[") and re.fullmatch(r"\[[0-9A-Za-z.:]+\]", domain))
    ):
        raise UsageError(f"{address!r} is no e-mail address")
    return f"{local}@{domain}"


def needs_smtputf8(address: str) -> bool:
    """Whether only a server with SMTPUTF8 can carry mail to this wire address."""
    return not address.isascii()


def header_url(url: str) -> str:
    """A URL fit to stand between angle brackets: ASCII, without spaces, brackets and control characters."""
    return url if _URL.fullmatch(url) else quote(url, safe="!#$%&'()*+,-./:;=?@[]_~", errors="replace")


def parameter(name: str, value: str) -> str:
    """A MIME parameter such as a file name, with the ``;`` and the fold before it (RFC 2231 where needed)."""
    if len(value) <= 60 and _ASCII.fullmatch(value):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{quoted}"'
    pieces, piece = [], ""
    for character in value:
        octets = quote(character, safe="")
        if len(piece) + len(octets) > 50:
            pieces.append(piece)
            piece = ""
        piece += octets
    pieces.append(piece)
    if len(pieces) == 1:
        return f";\r\n {name}*=utf-8''{pieces[0]}"
    return "".join(
        f";\r\n {name}*{number}*={_CHARSET if number == 0 else ''}{piece}" for number, piece in enumerate(pieces)
    )
