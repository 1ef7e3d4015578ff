"""Which eight-bit encoding a file of names is in, where nothing in it says so.

A list of people holds a few accented letters in names, too little for a detector made for prose
(charset-normalizer takes French and Spanish names for Polish, and Czech ones for French). So the
Latin encodings are told apart by how common the letters they would make are in names. Text in other
scripts comes in runs of such bytes, of which a detector can tell more.
"""

from functools import lru_cache
from math import log

_WESTERN = """
é 30 ü 12 ö 10 ä 10 á 8 ó 7 í 6 ñ 5 è 8 ç 4 ã 3 å 3 ø 3 ú 3 ß 2 ê 2 ë 2 ï 1.5 ô 1 à 1 æ 1 î 2 â 1 õ 0.4 û 0.4
ò 0.2 ù 0.2 š 0.2 ì 0.1 ý 0.1 ž 0.1 ð 0.1 þ 0.1 œ 0.1 ’ 1 ´ 0.2 º 0.2 ª 0.1 © 0.1 ® 0.1 ° 0.1 € 0.1 – 0.3
"""
_CENTRAL = """
á 12 í 10 ó 9 é 8 š 8 ł 8 ž 7 č 6 ř 5 ý 5 ö 5 ě 4 ż 4 ą 3 ę 3 ś 3 ć 3 ń 3 ü 3 ů 2 ő 3 ú 2 ä 1 ă 1 ň 1 ź 1 ľ 0.5
ű 1 đ 0.5 ş 0.5 ţ 0.5 ď 0.3 ť 0.3 ß 0.3 ô 0.3 ë 0.2 ĺ 0.1 ŕ 0.1 â 0.3 î 0.3 ’ 1 € 0.1 – 0.3
"""
_TURKISH = "ı 15 ş 10 ü 12 ö 8 ç 8 ğ 8 İ 6 â 0.5 é 0.5 ’ 1"
_BALTIC = "š 12 ė 6 ž 8 ū 5 ā 7 ī 3 ē 5 ą 3 ų 2 ņ 3 ļ 3 č 3 ķ 2 ģ 2 ę 2 į 2 õ 2 ä 2 ö 2 ü 2 ó 0.2 é 0.2"

_CANDIDATES = (
    ("cp1252", _WESTERN, 0.0),
    ("cp1250", _CENTRAL, -0.7),
    ("iso8859_2", _CENTRAL, -1.5),
    ("cp1254", _TURKISH, -1.5),
    ("cp1257", _BALTIC, -7.0),
    ("mac_roman", _WESTERN, -2.0),
)
"""Each with its letters, and how much rarer such files are (as a logarithm)."""
_OTHER_SCRIPTS = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256"]
_OTHER_SCRIPTS += ["shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]

_RARE, _WRONG = 0.02, 0.0005
"""The weight of a letter not in the table, and of what is no letter, or a capital, inside a word."""


def guess(telling: bytes) -> str:
    """The likeliest encoding of lines that hold more than ASCII and are no UTF-8."""
    if _in_runs(telling) >= 0.7:
        from charset_normalizer import from_bytes

        best = from_bytes(telling, cp_isolation=_OTHER_SCRIPTS).best()
        if best is not None:
            return best.encoding
    scores = [(rarity + _likelihood(telling, name, table), name) for name, table, rarity in _CANDIDATES]
    # max takes the first of equals, which is the commonest.
    return max(scores, key=lambda one: one[0])[1]


def _in_runs(telling: bytes) -> float:
    """How many of the bytes beyond ASCII stand beside another."""
    high = [byte > 127 for byte in telling]
    beside = sum(
        one and (before or behind)
        for before, one, behind in zip([False, *high], high, [*high[1:], False], strict=False)
    )
    return beside / max(1, sum(high))


def _likelihood(telling: bytes, encoding: str, table: str) -> float:
    weights = _weights(table)
    text = telling.decode(encoding, "replace")
    total, before = 0.0, " "
    for character in text:
        if not character.isascii():
            inside = before.isalpha()
            broken = inside and not character.isalpha() and character != "’"
            if broken or character == "\ufffd" or (before.islower() and character.isupper()):
                weight = _WRONG
            else:
                weight = weights.get(character, weights.get(character.lower(), _RARE))
            total += log(weight)
        before = character
    return total


@lru_cache(maxsize=8)
def _weights(table: str) -> dict[str, float]:
    words = table.split()
    known = dict(zip(words[::2], map(float, words[1::2]), strict=True))
    whole = sum(known.values())
    return {letter: 100 * weight / whole for letter, weight in known.items()}
