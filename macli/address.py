"""Addresses, tags and attribute names in the one form the store keeps them in."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from macli.errors import UsageError


class BadAddress(UsageError):
    """Text that is no e-mail address, or no phone number, and why."""


# What the library accepts unchanged but for case: ASCII only, no quotes, no Punycode or other label
# with "--", a last label that ends with a letter. Everything else is asked of the library itself.
_is_plain_email = re.compile(
    r"[a-z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-z0-9_!#$%&'*+\-/=?^`{|}~]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?)(?<=[a-z])"
).fullmatch
_RESERVED = (".arpa", ".invalid", ".local", ".localhost", ".onion")
_LABEL_LIMIT = 63


def normalise_email(text: str) -> str:
    """The address in lower case, its domain as people read it. Raises BadAddress."""
    address = text.strip().lower()
    if (
        len(address) <= _LABEL_LIMIT
        and _is_plain_email(address)
        and "--" not in address
        and not address.endswith(_RESERVED)
    ):
        return address
    return _careful_email(text)


def _careful_email(text: str) -> str:
    from email_validator import EmailNotValidError, validate_email

    try:
        # test_environment allows the .test domains, as example.com is allowed anyway.
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise BadAddress(f"{shorten(text)!r} is no e-mail address: {error}") from None
    return str(checked.normalized).lower()


def normalise_phone(text: str, region: str | None) -> str:
    """The number in E.164; one without a country code is read as the region's. Raises BadAddress."""
    digits = text if text[1:].isdigit() else _SEPARATORS.sub("", text)
    international = digits[:1] == "+"
    if international:
        digits = digits[1:]
    if digits.isdigit() and digits.isascii() and len(text) < _LONGEST_PHONE:
        if international:
            for size in (1, 2, 3):
                plan = _plan(digits[:size])
                if plan is not None:
                    national = plan(digits[size:], True)
                    return f"+{digits[:size]}{national}" if national else _careful_phone(text, region)
        elif region:
            code, home = _home(region.upper())
            national = home(digits, False) if home is not None else None
            if national:
                return f"+{code}{national}"
    return _careful_phone(text, region)


_SEPARATORS = re.compile(r"[ .()\-]+")
_LONGEST_PHONE = 200

Plan = Callable[[str, bool], str | None]
"""Takes digits, and whether a country code went before them; the national number where that is sure."""


def _careful_phone(text: str, region: str | None) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region.upper() if region else None)
    except phonenumbers.NumberParseException as error:
        hint = None
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
            hint = "write it with its country code (+48 …), or: macli settings set country PL"
        raise BadAddress(f"{shorten(text)!r} is no phone number: {error}", hint=hint) from None
    if number.extension:
        raise BadAddress(f"{shorten(text)!r} has an extension, which no message can reach")
    if not phonenumbers.is_valid_number(number):
        raise BadAddress(f"{shorten(text)!r} is no phone number that is in use in its country")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=512)
def _plan(code: str) -> Plan | None:
    """The numbering plan behind a country code, as one pattern made of the library's own metadata."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code)) if code.isdigit() and code[0] != "0" else None
    return None if regions is None else _compile_plan(int(code), regions[0])


@lru_cache(maxsize=512)
def _home(region: str) -> tuple[int, Plan | None]:
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.country_code is None:
        return 0, None
    return metadata.country_code, _compile_plan(metadata.country_code, region)


def _compile_plan(code: int, region: str) -> Plan:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    own: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    valid = r"(?!)"
    for name in reversed(COUNTRY_CODE_TO_REGION_CODE[code]):
        other: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, name)
        types = f"(?:{_of_any_type(other)})"
        if len(COUNTRY_CODE_TO_REGION_CODE[code]) == 1 or other.leading_digits is None:
            valid = f"{types}|{valid}"
        else:
            valid = f"(?={other.leading_digits}){types}|(?!{other.leading_digits})(?:{valid})"
    general = own.general_desc.national_number_pattern
    matches_own = re.compile(general).fullmatch
    is_sure = re.compile(rf"(?!0)(?=(?:{general})\Z)(?:{valid})").fullmatch
    strips = re.compile(own.national_prefix_for_parsing).match if own.national_prefix_for_parsing else None
    dials_out = re.compile(own.international_prefix).match if own.international_prefix else None
    trunk = own.national_prefix

    def plan(digits: str, international: bool) -> str | None:
        if not international and dials_out is not None and dials_out(digits):
            return None
        prefix = strips(digits) if strips is not None else None
        if prefix is not None and (prefix.end() or any(prefix.groups())):
            if international or prefix.group() != trunk or any(prefix.groups()) or matches_own(digits):
                return None
            digits = digits[prefix.end() :]
        return digits if is_sure(digits) else None

    return plan


_KINDS_OF_NUMBER = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


def _of_any_type(metadata: Any) -> str:
    patterns = []
    for kind in _KINDS_OF_NUMBER:
        described = getattr(metadata, kind)
        if described is None or described.national_number_pattern is None:
            continue
        lengths = [size for size in described.possible_length if size > 0]
        lengths = lengths or [size for size in metadata.general_desc.possible_length if size > 0]
        right_size = "|".join(rf"\d{{{size}}}\Z" for size in lengths)
        patterns.append(f"(?={right_size})(?:{described.national_number_pattern})")
    general = metadata.general_desc
    sizes = "|".join(rf"\d{{{size}}}\Z" for size in general.possible_length if size > 0)
    in_general = rf"(?={sizes})(?=(?:{general.national_number_pattern})\Z)"
    return f"{in_general}(?:{'|'.join(patterns)})" if patterns else r"(?!)"


_TAG_MARKS = str.maketrans(dict.fromkeys("!#$&*\"'", "_"))
_LETTERS = str.maketrans(
    {"Ł": "L", "Ø": "O", "Đ": "D", "Ð": "D", "Ħ": "H", "Ŧ": "T", "Æ": "AE", "Œ": "OE", "Þ": "TH", "ẞ": "SS"}
)


def normalise_tag(text: str, faithful: bool = True) -> str:
    """A tag as it is kept: upper case, plain letters, marks as underscores; or only stripped.

    Letters of other scripts keep their marks: without them they are other letters.
    Raises UsageError where nothing is left, or where the text holds control characters.
    """
    tag = text.strip()
    if not tag or not tag.isprintable():
        raise UsageError(f"{shorten(text)!r} is no tag", hint="a tag is a word or a few, on one line")
    if not faithful:
        return tag
    tag = tag.upper().translate(_TAG_MARKS)
    return tag if tag.isascii() else plain_letters(tag)


def plain_letters(text: str) -> str:
    """Upper-case text with the marks taken off its Latin letters."""
    kept, latin = [], False
    for character in unicodedata.normalize("NFD", text.translate(_LETTERS)):
        if not unicodedata.combining(character):
            latin = character.isascii()
        elif latin:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def split_tags(text: str, faithful: bool = True) -> tuple[str, ...]:
    """The tags of a comma-separated text, each normalised, each once, in order."""
    found = (normalise_tag(part, faithful) for part in text.split(",") if part.strip())
    return tuple(dict.fromkeys(found))


def attribute_name(header: str) -> str:
    """A column's header as an attribute's name: ``First Name`` becomes ``first_name``. Raises UsageError."""
    words = unicodedata.normalize("NFC", header).strip().casefold()
    name = re.sub(r"\W+", "_", words).strip("_")
    if not name:
        raise UsageError(f"{shorten(header)!r} cannot be the name of an attribute", hint="use letters")
    return f"_{name}" if not re.match(r"[^\W\d]", name) else name


def fold_json(attributes: Mapping[str, Any]) -> str | None:
    """The casefolded text of those members that lower-casing ASCII letters does not fold, as JSON.

    None where there are none, which is the common case.
    """
    folded = {}
    for name, value in attributes.items():
        if isinstance(value, str) and not value.isascii():
            text = value.casefold()
            if text != value.encode().lower().decode():
                folded[name] = text
    return json.dumps(folded, ensure_ascii=False, separators=(",", ":")) if folded else None


def shorten(text: str, width: int = 60) -> str:
    """A value short enough to be shown in a message."""
    return text if len(text) <= width else f"{text[: width - 1]}…"
