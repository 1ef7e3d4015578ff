"""Text messages: which alphabet a text needs and how many segments it is billed as."""

from dataclasses import dataclass

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, kw_only=True)
class Segments:
    """``units`` are what the segments are filled with; ``odd`` the characters that made it UCS-2."""

    encoding: str
    units: int
    segments: int
    odd: str = ""


def segments_of(text: str) -> Segments:
    """How ``text`` travels: GSM-7 (160, or 153 a segment) or UCS-2 (70, or 67), by GSM 03.38."""
    odd = "".join(dict.fromkeys(character for character in text if character not in GSM | EXTENDED))
    if odd:
        sizes, single, joined = [2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67
    else:
        sizes, single, joined = [2 if character in EXTENDED else 1 for character in text], 160, 153
    units = sum(sizes)
    encoding = "UCS-2" if odd else "GSM-7"
    return Segments(
        encoding=encoding,
        units=units,
        segments=1 if units <= single else _joined(sizes, joined),
        odd=odd,
    )


def _joined(sizes: list[int], room: int) -> int:
    """The segments of a long text: a character of two units is not split between two of them."""
    count, used = 1, 0
    for size in sizes:
        if used + size > room:
            count, used = count + 1, 0
        used += size
    return count
