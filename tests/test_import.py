"""Importing contacts: who is added, who is changed, who is refused and why, and what is never undone."""

import csv
import io
import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macli import contacts
from macli.contacts import ONE
from macli.importer import Options, Report, conversion, prepare, run
from macli.importer.plan import Column
from macli.importer.source import opened
from macli.store import Store
from macli.store import contacts as kept
from macli.store.attributes import BadValue, json_text, read_value
from tests.conftest import Run


def load(
    store: Store, now: datetime, path: Path, *, batch_size: int = 5000, dry_run: bool = False, **options
) -> Report:
    with opened(str(path)) as source:
        plan = prepare(store, source, Options(**options))
        return run(store, plan, lambda: now, dry_run=dry_run, batch_size=batch_size)


def write(tmp_path: Path, text: str, name: str = "people.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.counts.added, report.counts.updated, report.counts.unchanged, report.counts.refused


def attributes_of(store: Store, email: str) -> dict:
    return json.loads(kept.find(store, email)["attributes"])


def emails(store: Store) -> list[str]:
    return [row["email"] for row in store.rows("SELECT email FROM contacts ORDER BY id")]


def event_names(store: Store) -> list[str]:
    return [row["name"] for row in store.rows("SELECT name FROM events ORDER BY id")]


PEOPLE = """\
email,phone,first_name,orders,vip,born,tags
Ann@Example.com,+1 416 555 0123,Ann,3,true,1990-05-01,"new, vip"
bob@example.com,,Łukasz,,false,,
"""


def test_a_second_import_of_the_same_file_adds_nobody(store: Store, now: datetime, tmp_path: Path) -> None:
    path = write(tmp_path, PEOPLE)
    assert counts(load(store, now, path)) == (2, 0, 0, 0)
    ann = kept.find(store, "ann@example.com")
    assert (ann["phone"], ann["source"], ann["state"]) == ("+14165550123", "import", "lead")
    assert attributes_of(store, "ann@example.com") == {
        "first_name": "Ann",
        "orders": 3,
        "vip": True,
        "born": "1990-05-01",
    }
    assert json.loads(kept.find(store, "bob@example.com")["folded"]) == {"first_name": "łukasz"}
    assert counts(load(store, now, path)) == (0, 0, 2, 0)
    assert event_names(store) == []


def test_only_what_really_changed_is_updated(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, PEOPLE))
    changed = PEOPLE.replace("Łukasz", "Łucja").replace(",3,", ",3.0,")
    assert counts(load(store, now, write(tmp_path, changed))) == (0, 1, 1, 0)
    assert json.loads(kept.find(store, "bob@example.com")["folded"]) == {"first_name": "łucja"}


def test_an_empty_cell_says_nothing(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, PEOPLE))
    load(store, now, write(tmp_path, "email,first_name,phone,city\nann@example.com,,,Ottawa\n"))
    assert attributes_of(store, "ann@example.com")["first_name"] == "Ann"
    assert attributes_of(store, "ann@example.com")["city"] == "Ottawa"
    assert kept.find(store, "ann@example.com")["phone"] == "+14165550123"


def test_fill_writes_only_what_is_missing(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "email,city,street\nann@example.com,Ottawa,ŻABIA\n"))
    path = write(tmp_path, "email,city,street,phone\nann@example.com,Toronto,ŁAN,+14165550123\n")
    assert counts(load(store, now, path, on_conflict="fill")) == (0, 1, 0, 0)
    assert attributes_of(store, "ann@example.com") == {"city": "Ottawa", "street": "ŻABIA"}
    assert json.loads(kept.find(store, "ann@example.com")["folded"]) == {"street": "żabia"}
    assert kept.find(store, "ann@example.com")["phone"] == "+14165550123"
    assert counts(load(store, now, path, on_conflict="fill")) == (0, 0, 1, 0)


def test_skip_leaves_known_contacts_alone_in_everything(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, PEOPLE))
    path = write(tmp_path, "email,city,tags,opt out\nann@example.com,X,T,yes\nnew@example.com,Y,T,yes\n")
    assert counts(load(store, now, path, on_conflict="skip", tags=("ALL",))) == (1, 0, 1, 0)
    assert "city" not in attributes_of(store, "ann@example.com")
    assert store.value("SELECT count(*) FROM contact_tags WHERE contact_id = 1") == 2
    assert [row[0] for row in store.rows("SELECT contact_id FROM consents")] == [3]


def test_refuse_refuses_known_contacts(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, PEOPLE))
    path = write(tmp_path, "email\nann@example.com\nnew@example.com\n")
    report = load(store, now, path, on_conflict="refuse")
    assert counts(report) == (1, 0, 0, 1)
    assert (report.reasons[0].line, report.reasons[0].reason) == (2, "there is such a contact already")


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5000])
def test_of_rows_about_the_same_contact_the_last_wins(
    store: Store, now: datetime, tmp_path: Path, batch_size: int
) -> None:
    path = write(
        tmp_path,
        "email,city,street\nann@example.com,A,one\nbob@example.com,B,\nANN@example.com,C,\nann@example.com,,two\n",
    )
    report = load(store, now, path, batch_size=batch_size)
    assert counts(report) == (2, 2, 0, 0)
    assert report.counts.repeated == 2
    assert attributes_of(store, "ann@example.com") == {"city": "C", "street": "two"}


def test_a_file_about_nobody_but_one_contact_is_imported_row_by_row(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    rows = "".join(f"ann@example.com,{number}\n" for number in range(1000))
    report = load(store, now, write(tmp_path, "email,orders\n" + rows))
    assert counts(report) == (1, 999, 0, 0)
    assert attributes_of(store, "ann@example.com") == {"orders": 999}


@given(
    st.one_of(
        st.integers(-(10**12), 10**12).map(str),
        st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
        st.from_regex(r"\A[0-9]{1,6}(\.[0-9]{1,6})?\Z"),
        st.from_regex(r"\A-?0{0,2}[0-9]{0,3},?\.?0{0,3}[0-9]?\Z"),
    )
)
@settings(max_examples=500, deadline=None)
def test_the_fast_way_of_a_number_writes_what_the_slow_way_does(text: str) -> None:
    column = Column(place=0, header="n", target="attribute", name="n", kind="number")
    _, read = conversion._attribute(column, Options().zone)
    try:
        expected = '"n":' + json_text(read_value("number", text, Options().zone)) if text.strip() else ""
    except BadValue:
        with pytest.raises(conversion.Refused):
            read(text)
        return
    assert read(text) == expected


def test_texts_are_stored_composed(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "email,name\nann@example.com,Zoe\u0308\nbob@example.com,ZOE\u0308\n"))
    assert attributes_of(store, "ann@example.com") == {"name": "Zoë"}
    assert json.loads(kept.find(store, "bob@example.com")["folded"]) == {"name": "zoë"}


# Refusals


def test_a_refused_row_leaves_nothing_half_written_and_can_be_mended(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    people = "".join(f"p{n}@example.com,{n},2020-01-01,c\n" for n in range(20))
    bad = (
        "not an address,1,2020-01-01,c\n"
        "q1@example.com,many,2020-01-01,c\n"
        "q2@example.com,1,soon,c\n"
        "q3@example.com,1,2020-01-01\n"
        "q4@example.com,1,2020-01-01,c,extra\n"
        "q5@example.com,1,2020-01-01,c,,\n"
        '"q6@example.com",1,2020-01-01,"a\nBcc: x@example.com"\n'
        ",1,2020-01-01,c\n"
        "q7@example.com,1,2020-01-01,a\0b\n"
    )
    path = write(tmp_path, "email,orders,since,code\n" + people + bad)
    report = load(store, now, path, map=("orders=orders:number,since=since:date",))
    assert counts(report) == (21, 0, 0, 8)
    assert [(one.line, one.reason.split(":")[0]) for one in report.reasons] == [
        (22, "email"),
        (23, "orders"),
        (24, "since"),
        (25, "3 cells where the header has 4"),
        (26, "5 cells where the header has 4"),
        (28, "code"),
        (30, "email"),
        (31, "code"),
    ]
    assert store.value("SELECT count(*) FROM contacts WHERE email LIKE 'q%'") == 1
    assert report.refusals_file == str(tmp_path / "people.csv.refused.csv")
    refused = list(csv.reader(io.StringIO(Path(report.refusals_file).read_text("utf-8"))))
    assert refused[0] == ["refused_line", "refused_because", "email", "orders", "since", "code"]
    assert refused[2][:4] == ["23", "orders: 'many' is no number", "q1@example.com", "many"]
    mended = Path(report.refusals_file).read_text("utf-8").replace("many", "5").replace("soon", "2020-02-02")
    again = load(store, now, write(tmp_path, mended, "mended.csv"))
    assert again.counts.added == 2
    assert attributes_of(store, "q1@example.com") == {"orders": 5, "since": "2020-01-01", "code": "c"}


def test_an_existing_refusals_file_is_not_written_over(store: Store, now: datetime, tmp_path: Path) -> None:
    path = write(tmp_path, "email\nx\nann@example.com\n")
    first, second = load(store, now, path), load(store, now, path)
    assert first.refusals_file == str(tmp_path / "people.csv.refused.csv")
    assert second.refusals_file == str(tmp_path / "people.csv.refused-2.csv")


def test_a_file_with_a_million_character_field_is_refused_line_by_line(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    big = "x" * 10_000_000
    path = write(tmp_path, f'email,note\nann@example.com,{big}\nbob@example.com,"{big}\n"\ncleo@example.com,ok\n')
    report = load(store, now, path)
    assert counts(report) == (1, 0, 0, 2)
    assert "characters are too many" in report.reasons[0].reason
    assert Path(report.refusals_file or "").stat().st_size < 10_000


def test_a_big_column_that_is_dropped_does_no_harm(store: Store, now: datetime, tmp_path: Path) -> None:
    path = write(tmp_path, f'email,note\nann@example.com,"{"x" * 1_000_000}\n\0"\n')
    assert counts(load(store, now, path, map=("note=-",))) == (1, 0, 0, 0)


def test_formulas_are_kept_as_text_and_written_so_that_no_spreadsheet_runs_them(workspace: Path, macli: Run) -> None:
    formula = '=HYPERLINK("http://example.com","x")'
    table = io.StringIO()
    csv.writer(table).writerows((("email", "note"), ("ann@example.com", formula), ("bob@example.com", "'=x")))
    (workspace / "people.csv").write_text(table.getvalue())
    macli("contact", "import", "people.csv")
    exported = macli("contact", "export").out
    cells = [row["note"] for row in csv.DictReader(io.StringIO(exported))]
    assert cells == ["'" + formula, "'=x"]
    macli("contact", "edit", "bob@example.com", "--set", "note='=x")
    exported = macli("contact", "export").out
    assert [row["note"] for row in csv.DictReader(io.StringIO(exported))] == ["'" + formula, "''=x"]
    macli("contact", "purge", "--where", "has email", "--yes")
    ran = macli("contact", "import", "-", stdin=exported)
    assert ran.code == 0, ran.err
    listed = json.loads(macli("contact", "list", "--json").out)
    assert [row["note"] for row in listed] == [formula, "'=x"]


# Keys


def test_the_key_may_be_an_external_id_or_a_phone_number(store: Store, now: datetime, tmp_path: Path) -> None:
    path = write(tmp_path, "external_id,email,city\n1,ann@example.com,A\n2,bob@example.com,B\n3,,C\n")
    assert counts(load(store, now, path, key="external_id")) == (3, 0, 0, 0)
    path = write(tmp_path, "external_id,email,city\n1,anna@example.com,A\n2,cleo@example.com,B\n")
    assert counts(load(store, now, path, key="external_id")) == (0, 2, 0, 0)
    assert emails(store) == ["anna@example.com", "cleo@example.com", None]
    path = write(tmp_path, "phone,name\n+14165550123,Ann\n+14165550123,Anna\n")
    assert counts(load(store, now, path, key="phone")) == (1, 1, 0, 0)


def test_an_address_of_another_contact_is_refused_saying_so(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "external_id,email\n1,ann@example.com\n2,bob@example.com\n"), key="external_id")
    path = write(tmp_path, "external_id,email\n2,ann@example.com\n3,new@example.com\n4,new@example.com\n")
    report = load(store, now, path, key="external_id")
    assert counts(report) == (1, 0, 0, 2)
    assert [one.reason for one in report.reasons] == [
        "the e-mail address ann@example.com belongs to another contact",
        "the e-mail address new@example.com belongs to another contact",
    ]
    path = write(tmp_path, "external_id,email\n1,bob@example.com\n")
    assert counts(load(store, now, path, key="email")) == (0, 0, 0, 1)


def test_a_phone_number_of_several_contacts_is_no_key(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "email,phone\nann@example.com,+14165550123\nbob@example.com,+14165550123\n"))
    report = load(store, now, write(tmp_path, "phone,city\n+14165550123,X\n"), key="phone")
    assert counts(report) == (0, 0, 0, 1)
    assert "that of several contacts" in report.reasons[0].reason


# Consent, removal, tags, events


def test_an_import_never_turns_a_no_into_a_yes(store: Store, now: datetime, tmp_path: Path) -> None:
    path = write(tmp_path, "email,unsubscribed\nann@example.com,yes\nbob@example.com,no\ncleo@example.com,\n")
    load(store, now, path)
    said = {row["email"]: row["status"] for row in store.rows(_SAID)}
    assert said == {"ann@example.com": "withdrawn"}
    for text in (
        "email,email_consent\nann@example.com,granted\nbob@example.com,granted\n",
        "email,email_consent,email_consent:news\nann@example.com,yes,granted\n",
        "email,unsubscribed\nann@example.com,no\n",
    ):
        load(store, now, write(tmp_path, text), opt_in=("email",), consent_source="form")
        assert {row["email"]: row["status"] for row in store.rows(_SAID)}["ann@example.com"] == "withdrawn"
    assert {row["email"]: row["status"] for row in store.rows(_SAID)}["bob@example.com"] == "granted"
    assert store.value("SELECT count(*) FROM consents WHERE topic = 'news'") == 0


_SAID = """
SELECT contacts.email, consents.status
FROM consents
JOIN contacts ON contacts.id = consents.contact_id
WHERE consents.channel = 'email'
"""


def test_an_opt_in_is_written_down_with_its_source_only_where_nothing_was_said(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    load(store, now, write(tmp_path, "email,opt_out\nann@example.com,yes\nbob@example.com,\n"))
    path = write(tmp_path, "email,opt_out\nann@example.com,\nbob@example.com,\ncleo@example.com,yes\n")
    report = load(store, now, path, opt_in=("email", "sms"), consent_source="fair, May 2026")
    rows = store.rows(
        "SELECT email, channel, status, consents.source, evidence FROM consents"
        " JOIN contacts ON contacts.id = contact_id ORDER BY email, channel"
    )
    assert [(row["email"], row["channel"], row["status"]) for row in rows] == [
        ("ann@example.com", "email", "withdrawn"),
        ("ann@example.com", "sms", "granted"),
        ("bob@example.com", "email", "granted"),
        ("bob@example.com", "sms", "granted"),
        ("cleo@example.com", "email", "withdrawn"),
        ("cleo@example.com", "sms", "granted"),
    ]
    assert rows[2]["source"] == "fair, May 2026"
    assert json.loads(rows[2]["evidence"]) == {"import": "people.csv"}
    assert counts(report) == (1, 2, 0, 0)


def test_an_opt_in_without_a_source_is_refused(workspace: Path, macli: Run) -> None:
    ran = macli("contact", "import", "-", "--opt-in", "email", stdin="ann@example.com\n")
    assert ran.code == 2
    assert "how the contacts agreed" in ran.err


def test_a_removed_contact_comes_back_only_where_that_is_asked(store: Store, now: datetime, tmp_path: Path) -> None:
    path = write(tmp_path, "email,city\nann@example.com,Ottawa\n")
    load(store, now, path)
    one = {"one_contact": 1}
    contacts.withdraw_where(store, now, ONE, one, "email", "test")
    contacts.remove_where(store, now, ONE, one, "test")
    report = load(store, now, path)
    assert counts(report) == (0, 0, 0, 1)
    assert "--restore" in report.reasons[0].reason
    assert counts(load(store, now, path, restore=True, fire_events=True)) == (0, 1, 0, 0)
    assert kept.find(store, "ann@example.com")["removed_at"] is None
    assert event_names(store)[-1] == "contact.readded"
    assert store.value("SELECT status FROM consents") == "withdrawn"


def test_everybody_in_the_file_is_tagged(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "email\nann@example.com\n"))
    path = write(tmp_path, 'email,tags\nann@example.com,"vip, new"\nbob@example.com,\n')
    assert counts(load(store, now, path, tags=("SPRING",))) == (1, 1, 0, 0)
    assert counts(load(store, now, path, tags=("SPRING",))) == (0, 0, 2, 0)
    rows = store.rows("SELECT contact_id, name FROM contact_tags JOIN tags ON tags.id = tag_id ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [(1, "NEW"), (1, "SPRING"), (1, "VIP"), (2, "SPRING")]


def test_events_are_recorded_only_where_that_is_asked(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "email,city\nann@example.com,Ottawa\n"))
    assert event_names(store) == []
    text = "email,city,orders,tags,opt out\nann@example.com,Köln,3,vip,yes\nbob@example.com,B,4,vip,\n"
    load(store, now, write(tmp_path, text), fire_events=True)
    rows = store.rows("SELECT contact_id, name, properties FROM events ORDER BY contact_id, name")
    assert [(row[0], row[1], json.loads(row[2])) for row in rows] == [
        (1, "attribute.changed", {"name": "city", "value": "Köln", "old": "Ottawa"}),
        (1, "attribute.set", {"name": "orders", "value": 3}),
        (1, "consent.withdrawn", {"channel": "email", "topic": ""}),
        (1, "tag.added", {"tag": "VIP"}),
        (2, "contact.added", {}),
        (2, "tag.added", {"tag": "VIP"}),
    ]
    load(store, now, write(tmp_path, text), fire_events=True)
    assert store.value("SELECT count(*) FROM events") == 6


def test_a_dry_run_counts_and_changes_nothing(store: Store, now: datetime, tmp_path: Path) -> None:
    load(store, now, write(tmp_path, "email,city\nann@example.com,Ottawa\n"))
    path = write(tmp_path, "email,city,new\nann@example.com,X,1\nbob@example.com,Y,2\nbob@example.com,Z,3\nbad,,\n")
    report = load(store, now, path, dry_run=True, batch_size=1)
    assert counts(report) == (1, 2, 0, 1)
    assert emails(store) == ["ann@example.com"]
    assert store.value("SELECT count(*) FROM attributes") == 1
    assert report.refusals_file is None
    assert not list(tmp_path.glob("*.refused*"))


def test_a_file_can_have_any_words_in_its_values(store: Store, now: datetime, tmp_path: Path) -> None:
    text = 'email,na"me,note\nann@example.com,"O\'Neil ""x"" \\ {a}",日本語\nbob@example.com,%s,NULL\n'
    load(store, now, write(tmp_path, text))
    assert attributes_of(store, "ann@example.com") == {"na_me": 'O\'Neil "x" \\ {a}', "note": "日本語"}
    assert attributes_of(store, "bob@example.com") == {"na_me": "%s", "note": "NULL"}


# Round trip and command line


@pytest.mark.parametrize("shape", ["csv", "ndjson", "json"])
def test_an_export_is_read_back_as_it_was(workspace: Path, macli: Run, tmp_path: Path, shape: str) -> None:
    macli("contact", "add", "ann@example.com", "--set", "city=Łódź", "--set", "orders=3", "--set", "vip=true")
    macli("contact", "add", "--phone", "+14165550123", "--external-id", "K 1", "--set", "zip=01234")
    macli("contact", "edit", "ann@example.com", "--external-id", "K 2", "--timezone", "europe/warsaw")
    macli("contact", "edit", "K 1", "--email", "bob@example.com", "--set", "born=1990-05-01", "--state", "customer")
    macli("contact", "tag", "ann@example.com", "vip", "new")
    macli("contact", "opt-out", "ann@example.com", "--channel", "email")
    macli("contact", "opt-in", "ann@example.com", "--channel", "sms", "--topic", "News")
    macli("contact", "opt-out", "K 1")
    first = macli("contact", "export", "--format", shape).out
    suffix = tmp_path / f"people.{shape}"
    suffix.write_text(first, "utf-8")
    assert macli("init", str(tmp_path / "other")).code == 0
    ran = macli("--workspace", str(tmp_path / "other"), "contact", "import", str(suffix), "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["added"] == 2
    again = macli("--workspace", str(tmp_path / "other"), "contact", "export", "--format", "json").out
    same = [{name: value for name, value in row.items() if value is not None} for row in json.loads(again)]
    was = json.loads(macli("contact", "export", "--format", "json").out)
    assert same == [{name: value for name, value in row.items() if value is not None} for row in was]


def test_the_plan_is_shown_and_the_report_tells_all(workspace: Path, macli: Run) -> None:
    (workspace / "people.csv").write_text("E-Mail;Name\nann@example.com;Ann\nbad;B\n")
    ran = macli("contact", "import", "people.csv", "--tag", "spring fair")
    assert ran.code == 0
    assert "attribute name (text)" in ran.out
    assert "2 rows of people.csv: 1 added, 0 updated, 0 unchanged, 1 refused" in ran.out
    assert "line 3: E-Mail: 'bad' is no e-mail address" in ran.out
    assert "people.csv.refused.csv" in ran.out
    report = json.loads(macli("contact", "import", "people.csv", "--json").out)
    assert (report["unchanged"], report["refused"], report["reasons"][0]["line"]) == (1, 1, 3)


def test_contacts_come_out_of_one_pipe_and_into_another(workspace: Path, macli: Run, tmp_path: Path) -> None:
    macli("contact", "import", "-", stdin="email,city\nann@example.com,Ottawa\nbob@example.com,Lyon\n")
    out = macli("contact", "list", "--where", 'city = "ottawa"', "--format", "csv").out
    macli("init", str(tmp_path / "other"))
    macli("--workspace", str(tmp_path / "other"), "contact", "import", "-", stdin=out)
    listed = macli("--workspace", str(tmp_path / "other"), "contact", "list", "--format", "json").out
    assert [row["email"] for row in json.loads(listed)] == ["ann@example.com"]


def test_a_file_of_which_every_row_is_refused_fails(workspace: Path, macli: Run) -> None:
    (workspace / "people.csv").write_text("email\nbad\nworse\n")
    assert macli("contact", "import", "people.csv").code == 1


def test_a_wrong_option_names_the_right_ones(workspace: Path, macli: Run) -> None:
    ran = macli("contact", "import", "-", "--on-conflict", "fil", stdin="ann@example.com\n")
    assert ran.code == 2
    assert "did you mean 'fill'" in ran.err
