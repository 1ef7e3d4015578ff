"""Addresses, tags and names: the fast ways give the libraries' own answers."""

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from macli import address
from macli.address import (
    BadAddress,
    attribute_name,
    fold_json,
    normalise_email,
    normalise_phone,
    normalise_tag,
    split_tags,
)
from macli.errors import UsageError

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FORMATS = (
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
)
EXAMPLES = [
    phonenumbers.format_number(example, shape)
    for region in REGIONS
    for kind in range(11)
    if (example := phonenumbers.example_number_for_type(region, kind)) is not None
    for shape in FORMATS
]


def by_the_library(text: str) -> str | None:
    try:
        checked = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.normalized.lower()


def ours(text: str) -> str | None:
    try:
        return normalise_email(text)
    except BadAddress:
        return None


LOCAL = st.text("abcXYZ0189.-_+!#$%&'*/=?^`{|}~\"@ (),:;<>[]\\żß", min_size=0, max_size=12)
DOMAIN = st.lists(st.text("abcXYZ09-_żß", max_size=8), min_size=1, max_size=4).map(".".join)
ENDING = st.sampled_from(("com", "test", "local", "invalid", "localhost", "onion", "arpa", "123", "c0m", "PL", ""))


@given(st.tuples(LOCAL, DOMAIN, ENDING).map(lambda parts: f"{parts[0]}@{parts[1]}.{parts[2]}"))
@settings(max_examples=600, deadline=None)
def test_the_fast_way_of_an_email_address_gives_the_librarys_answer(text: str) -> None:
    assert ours(text) == by_the_library(text)


@given(st.integers(50, 70), st.integers(55, 70), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_long_addresses_are_as_long_as_the_library_allows(local: int, label: int, labels: int) -> None:
    text = "a" * local + "@" + ".".join(["b" * label] * labels) + ".com"
    assert ours(text) == by_the_library(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("ann@a.test", "ann@a.test"),
        ("zoë@example.com", "zoë@example.com"),
        ("ann@ÜBUNG.de", "ann@übung.de"),
        ("ann@xn--bung-zra.de", "ann@übung.de"),
        ("o'neil+news@mail.example.org", "o'neil+news@mail.example.org"),
    ],
)
def test_an_email_address_is_lower_case_with_a_readable_domain(text: str, address: str) -> None:
    assert normalise_email(text) == address
    assert normalise_email(address) == address


@pytest.mark.parametrize("text", ["", "ann", "ann@", "@example.com", "a b@example.com", "a\nb@example.com", "a@b..c"])
def test_what_is_no_email_address_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(BadAddress, match="is no e-mail address"):
        normalise_email(text)


@given(
    st.sampled_from(EXAMPLES),
    st.sampled_from([*REGIONS, None]),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("0123456789 -+x()")), max_size=2),
)
@settings(max_examples=1500, deadline=None)
def test_the_fast_way_of_a_phone_number_gives_the_librarys_answer(
    text: str, region: str | None, edits: list[tuple[int, str]]
) -> None:
    for place, character in edits:
        text = text[:place] + character + text[place + 1 :]
    try:
        expected = address._careful_phone(text, region)
    except BadAddress:
        expected = None
    try:
        found = normalise_phone(text, region)
    except BadAddress:
        found = None
    assert found == expected


@pytest.mark.parametrize("region", REGIONS)
def test_every_countrys_own_mobile_example_is_read_at_home_and_abroad(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        pytest.skip("no mobile numbers there")
    expected = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    national = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    assert normalise_phone(expected, None) == expected
    assert normalise_phone(national, region) == expected


def test_a_number_without_a_country_says_how_to_set_one() -> None:
    with pytest.raises(BadAddress) as refused:
        normalise_phone("600 123 456", None)
    assert "settings set country" in (refused.value.hint or "")


def test_a_number_with_an_extension_is_refused() -> None:
    with pytest.raises(BadAddress, match="extension"):
        normalise_phone("+1 416 555 0123 ext. 12", None)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (" vip ", "VIP"),
        ("łódź & co", "LODZ _ CO"),
        ("Straße", "STRASSE"),
        ("50%-off!", "50%-OFF_"),
        ('it\'s "new" #1 $ *', "IT_S _NEW_ _1 _ _"),
        ("йод", "ЙОД"),
        ("हिन्दी", "हिन्दी"),
        ("café", "CAFE"),
    ],
)
def test_a_tag_is_upper_case_with_plain_letters(text: str, tag: str) -> None:
    assert normalise_tag(text) == tag
    assert normalise_tag(tag) == tag


def test_an_unfaithful_tag_is_only_stripped() -> None:
    assert normalise_tag(" Łódź & co! ", faithful=False) == "Łódź & co!"


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\0b"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no tag"):
        normalise_tag(text)


def test_commas_separate_tags() -> None:
    assert split_tags("new, VIP,, vip ") == ("NEW", "VIP")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("First Name", "first_name"),
        ("  E-Mail (privat) ", "e_mail_privat"),
        ("2nd phone", "_2nd_phone"),
        ("Größe", "grösse"),
        ("Имя", "имя"),
        ("名前", "名前"),
    ],
)
def test_a_header_becomes_an_identifier(header: str, name: str) -> None:
    assert attribute_name(header) == name
    assert name.isidentifier()


def test_only_what_ascii_lower_case_does_not_fold_is_folded() -> None:
    assert fold_json({"a": "CANADA", "b": "é", "n": 3}) is None
    assert fold_json({"a": "Straße", "b": "É", "c": "x"}) == '{"a":"strasse","b":"é"}'
