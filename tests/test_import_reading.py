"""Reading files of contacts: every usual encoding and shape, and the awkward ones."""

import json
from pathlib import Path

import pytest

from macli.errors import UsageError
from macli.importer import Options, Plan, prepare
from macli.importer.encodings import guess
from macli.importer.reading import Unreadable, records
from macli.importer.source import opened
from macli.store import Store


def plan_of(store: Store, path: Path, **options) -> Plan:
    with opened(str(path)) as source:
        return prepare(store, source, Options(**options))


def rows_of(store: Store, path: Path, **options) -> list[list[str]]:
    plan = plan_of(store, path, **options)
    return [cells for _, cells in records(plan.source, plan.shape, plan.content) if not isinstance(cells, Unreadable)]


def write(tmp_path: Path, text: str | bytes, name: str = "people.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


TEXT = "email,city\nann@example.com,Kraków\nbob@example.com,Łódź\nzoe@example.com,Gdańsk\n" * 3
WESTERN = "email,city\nann@example.com,Köln\nbob@example.com,Orléans\nzoe@example.com,São João\n" * 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_whatever_its_form(store: Store, tmp_path: Path, encoding: str) -> None:
    found = rows_of(store, write(tmp_path, TEXT.encode(encoding)))
    assert found[0] == ["ann@example.com", "Kraków"]
    assert found[1] == ["bob@example.com", "Łódź"]


@pytest.mark.parametrize(("encoding", "text"), [("cp1252", WESTERN), ("iso-8859-1", WESTERN), ("cp1250", TEXT)])
def test_an_eight_bit_encoding_is_guessed_and_said_to_be(
    store: Store, tmp_path: Path, encoding: str, text: str
) -> None:
    path = write(tmp_path, text.encode(encoding))
    plan = plan_of(store, path)
    assert plan.shape.guessed
    assert "by guess" in plan.shape.description
    assert rows_of(store, path)[0][1] == text.splitlines()[1].partition(",")[2]


NAMES = {
    "cp1252": "José Müller São Zoë François Björn Renée Núñez Peña Jürgen Åsa Hélène Orléans Köln Málaga Coruña",
    "iso8859_1": "Agnès Jérôme Noël Benoît Loïc Nîmes Besançon Søren Jørgen Håkon Kåre Tromsø",
    "mac_roman": "José Müller São Zoë François Björn Renée Núñez Peña Jürgen Åsa Hélène Orléans Köln Málaga Coruña",
    "cp1250": "Dvořák Plzeň Škoda Jiří Šárka Novák Růžena Zdeněk Ondřej Łukasz Gdańsk Łódź Wałęsa Michał Győr",
    "iso8859_2": "Dvořák Plzeň Škoda Jiří Šárka Novák Růžena Zdeněk Ondřej Łukasz Gdańsk Łódź Wałęsa Michał Győr",
    "cp1254": "Şahin Çelik Öztürk Yıldız Güneş İbrahim Doğan Ayşe Gülşen Kılıç Aydın İzmir",
    "cp1251": "Иванова Москва Пётр Екатерина Новосибирск Смирнов",
    "cp1253": "Αθήνα Γιώργος Παπαδόπουλος Θεσσαλονίκη Ελένη",
    "shift_jis": "東京 田中 大阪 鈴木太郎 佐藤花子 名古屋",
    "gb18030": "北京 王伟 上海 李娜 张三丰 广州 深圳",
}


@pytest.mark.parametrize("encoding", NAMES)
def test_a_list_of_names_in_an_old_encoding_is_read_rightly(encoding: str) -> None:
    names = NAMES[encoding].split()
    for start in range(len(names)):
        several = [*names[start:], *names[:start]][:6]
        raw = "".join(f"p@example.com;{name};x\n" for name in several).encode(encoding)
        assert raw.decode(guess(raw), "replace") == raw.decode(encoding), several


def test_a_named_encoding_is_taken_at_its_word(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, WESTERN.encode("mac_roman"))
    assert rows_of(store, path, encoding="mac-roman")[0] == ["ann@example.com", "Köln"]
    with pytest.raises(UsageError, match="no encoding named"):
        plan_of(store, path, encoding="nonsense")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(store: Store, tmp_path: Path, delimiter: str) -> None:
    lines = ["email{0}name{0}note", 'ann@example.com{0}"Smith, Ann; Dr|x\ty"{0}1.5', "bob@example.com{0}Bob{0}2"]
    path = write(tmp_path, "\n".join(line.format(delimiter) for line in lines), "people.txt")
    assert rows_of(store, path)[0] == ["ann@example.com", "Smith, Ann; Dr|x\ty", "1.5"]


def test_excels_own_word_for_the_delimiter_is_no_header(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, "sep=;\r\nemail;name\r\nann@example.com;Ann\r\n")
    plan = plan_of(store, path)
    assert list(records(plan.source, plan.shape, plan.content)) == [(3, ["ann@example.com", "Ann"])]


def test_quotes_hold_delimiters_quotes_and_line_breaks(store: Store, tmp_path: Path) -> None:
    text = 'email,a,b\r\nann@example.com,"1, ""2""\r\n3",""\r\n\r\nbob@example.com,"ʤ",x\r\n'
    path = write(tmp_path, text)
    plan = plan_of(store, path)
    assert list(records(plan.source, plan.shape, plan.content)) == [
        (2, ["ann@example.com", '1, "2"\r\n3', ""]),
        (5, ["bob@example.com", "ʤ", "x"]),
    ]


def test_a_file_of_nothing_but_addresses_needs_no_header(store: Store, tmp_path: Path) -> None:
    plan = plan_of(store, write(tmp_path, "ann@example.com\nbob@example.com\n"))
    assert plan.content.headless
    assert [cells for _, cells in records(plan.source, plan.shape, plan.content)] == [
        ["ann@example.com"],
        ["bob@example.com"],
    ]


def test_a_file_without_a_header_is_refused_with_what_to_do(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no header") as refused:
        plan_of(store, write(tmp_path, "ann@example.com,Ann\nbob@example.com,Bob\n"))
    assert "email,first_name,country" in (refused.value.hint or "")


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_refused(store: Store, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="is empty"):
        plan_of(store, write(tmp_path, content))


def test_no_file_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file"):
        plan_of(store, tmp_path / "nowhere.csv")


# What the columns become


def meanings(plan: Plan) -> dict[str, str]:
    return {column.header: column.meaning for column in plan.columns}


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("E-Mail-Adresse", "email"),
        ("Adres e-mail", "email"),
        ("Correo electrónico", "email"),
        ("メールアドレス", "email"),
        ("EMAIL_ADDRESS", "email"),
    ],
)
def test_an_email_column_is_known_in_many_languages(store: Store, tmp_path: Path, header: str, target: str) -> None:
    plan = plan_of(store, write(tmp_path, f"{header};x\nann@example.com;1\n"))
    assert meanings(plan)[header] == target


def test_columns_are_named_typed_and_shown(store: Store, tmp_path: Path) -> None:
    text = (
        "Email,Mobile,Phone,First Name,Zip,Orders,VIP,Birthday,Language,State,id,Abgemeldet,Tags\n"
        "ann@example.com,+14165550123,416,Ann,01234,3,yes,1990-05-01,en,Ontario,9,nein,a\n"
        "bob@example.com,,417,Bob,31000,4,no,1991-05-01,pl,Quebec,8,ja,b\n"
    )
    assert meanings(plan_of(store, write(tmp_path, text))) == {
        "Email": "email",
        "Mobile": "phone",
        "Phone": "attribute phone_text (number)",
        "First Name": "attribute first_name (text)",
        "Zip": "attribute zip (text)",
        "Orders": "attribute orders (number)",
        "VIP": "attribute vip (bool)",
        "Birthday": "attribute birthday (date)",
        "Language": "locale",
        "State": "attribute state_text (text)",
        "id": "dropped; macli's own; --map keeps it",
        "Abgemeldet": "email_opt_out",
        "Tags": "tags",
    }


def test_an_address_column_is_found_by_its_values(store: Store, tmp_path: Path) -> None:
    plan = plan_of(store, write(tmp_path, "login,name\nann@example.com,Ann\nbob@example.com,Bob\n"))
    assert meanings(plan)["login"] == "email; by its values"


def test_a_header_that_is_there_twice_is_two_attributes(store: Store, tmp_path: Path) -> None:
    plan = plan_of(store, write(tmp_path, "email,note,note,\nann@example.com,1,x,y\n"))
    assert [column.name for column in plan.attributes] == ["note", "note_2", "column_4"]


def test_the_map_says_what_a_column_becomes(store: Store, tmp_path: Path) -> None:
    text = 'mail,Kundennr,"Name, full",Geb,Notes,id\nann@example.com,K7,Ann S,31.12.1990,x,5\n'
    plan = plan_of(
        store,
        write(tmp_path, text),
        map=("Kundennr=external_id,Name, full=name", "geb=birthday:date", "Notes=-,id=customer_number:text"),
    )
    assert meanings(plan) == {
        "mail": "email",
        "Kundennr": "external_id",
        "Name, full": "attribute name (text)",
        "Geb": "attribute birthday (date)",
        "Notes": "dropped",
        "id": "attribute customer_number (text)",
    }


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("Nme=name", "no column named 'Nme'; did you mean 'Name'"),
        ("Name=birthday:day", "no type named 'day'"),
        ("Name=x,Other=x", "gives two columns to x"),
        ("Name", "says no target"),
        ("Name=updated_at", "part of every contact"),
        ("Name=a,Name=b", "twice"),
    ],
)
def test_a_map_that_cannot_be_is_refused(store: Store, tmp_path: Path, asked: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_of(store, write(tmp_path, "email,Name,Other\nann@example.com,1,2\n"), map=(asked,))


def test_a_file_without_any_address_says_which_columns_it_has(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is an e-mail address") as refused:
        plan_of(store, write(tmp_path, "name,city\nAnn,Ottawa\n"))
    assert "name, city" in (refused.value.hint or "")


# JSON


def test_an_array_of_objects_is_read_in_pieces(store: Store, tmp_path: Path) -> None:
    people = [{"email": f"p{n}@example.com", "name": "ż" * 300, "orders": n} for n in range(1000)]
    path = write(tmp_path, json.dumps(people, indent=1, ensure_ascii=False), "people.json")
    plan = plan_of(store, path)
    found = list(records(plan.source, plan.shape, plan.content))
    assert [cells[2] for _, cells in found] == [str(n) for n in range(1000)]
    assert found[999][0] == 2 + 999 * 5
    assert meanings(plan)["orders"] == "attribute orders (number)"


def test_json_types_are_its_own(store: Store, tmp_path: Path) -> None:
    text = (
        '{"email": "a@example.com", "zip": "31000", "n": 1, "vip": true, "born": "1990-05-01"}\n'
        '{"email": "b@example.com", "n": null, "late": "x", "tags": ["a", "b"]}\n'
    )
    plan = plan_of(store, write(tmp_path, text, "people.ndjson"))
    assert meanings(plan) == {
        "email": "email",
        "zip": "attribute zip (text)",
        "n": "attribute n (number)",
        "vip": "attribute vip (bool)",
        "born": "attribute born (date)",
        "late": "attribute late (text)",
        "tags": "tags",
    }


def test_a_line_that_is_no_json_is_refused_and_the_next_one_read(store: Store, tmp_path: Path) -> None:
    text = '{"email": "a@example.com"}\n{"email":\n[1]\n{"email": "b@example.com", "x": {"y": 1}}\n'
    plan = plan_of(store, write(tmp_path, text, "people.jsonl"))
    found = list(records(plan.source, plan.shape, plan.content))
    assert found[0] == (1, ["a@example.com", ""])
    assert [(line, str(why).split(":")[0]) for line, why in found[1:]] == [
        (2, "it is no JSON"),
        (3, "it is no JSON object"),
        (4, "its x is a JSON object, no single value"),
    ]


@pytest.mark.parametrize("text", ['[{"email": "a@example.com"}', '[{"email": "a@example.com"}, {"em', "[1, x]"])
def test_a_json_file_that_is_cut_off_is_refused_before_anything_is_written(
    store: Store, tmp_path: Path, text: str
) -> None:
    with pytest.raises(UsageError, match=r"people\.json"):
        plan_of(store, write(tmp_path, text, "people.json"))
