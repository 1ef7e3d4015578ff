"""Output: each shape reads back as what went in, and nothing in it runs."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli.errors import UnknownName, UsageError
from macli.output import Output, Share
from macli.shapes import csv_rows, printable

ROWS = [
    {"name": "Ann", "orders": 3, "vip": True, "added_at": 1_772_625_600_000, "note": None},
    {"name": "Żółw | x", "orders": 12, "vip": False, "added_at": None, "note": "two\nlines"},
]


@pytest.fixture
def out() -> Output:
    return Output(zone=lambda: ZoneInfo("Europe/Warsaw"))


def test_plain_is_for_people_who_pipe(out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    out.rows(ROWS, columns=("name", "orders", "vip", "added_at"))
    assert capsys.readouterr().out.splitlines() == [
        "name        orders  vip    added_at",
        "Ann              3  yes    2026-03-04 13:00:00",
        "Żółw | x        12  no",
    ]


def test_people_read_a_share_in_percent_and_programs_the_number(
    out: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"band": "hot", "share": Share(0.0845)}, {"band": "cold", "share": Share(1)}, {"band": "-", "share": None}]
    out.rows(rows)
    assert capsys.readouterr().out.splitlines() == ["band      share", "hot       8.5 %", "cold      100 %", "-"]
    out.rows(rows, shape="ndjson")
    assert [json.loads(line)["share"] for line in capsys.readouterr().out.splitlines()] == [0.0845, 1, None]
    out.rows(rows, shape="csv")
    assert capsys.readouterr().out.split()[1] == "hot,0.0845"


def test_markdown_keeps_its_columns_apart(out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    out.rows(ROWS, columns=("name", "note"), shape="markdown", title="People")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### People"
    assert lines[2].replace(" ", "") == "|name|note|"
    assert "Żółw \\| x" in lines[5]
    assert "two lines" in lines[5]


def test_json_and_ndjson_have_times_in_utc_and_types(out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    out.rows(ROWS, columns=("name", "orders", "vip", "added_at", "note"), shape="json")
    whole = json.loads(capsys.readouterr().out)
    assert whole[0] == {
        "name": "Ann",
        "orders": 3,
        "vip": True,
        "added_at": "2026-03-04T12:00:00Z",
        "note": None,
    }
    out.rows(ROWS, columns=("name", "orders", "vip", "added_at", "note"), shape="ndjson")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == whole
    out.rows([], columns=("name",), shape="json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("+14165550123", "+14165550123"),
        ("-5", "-5"),
        ("-5.25", "-5.25"),
        (-5, "-5"),
        (1.5, "1.5"),
        (True, "true"),
        (None, ""),
        ("a=b", "a=b"),
    ],
)
def test_a_spreadsheet_runs_nothing_and_numbers_stay_numbers(value: object, cell: str) -> None:
    text = "".join(csv_rows([{"x": value}], ["x"]))
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] in ([[cell]], [[]] if cell == "" else None)


@given(st.lists(st.tuples(st.text(), st.one_of(st.none(), st.text(), st.integers()))))
def test_csv_reads_back_as_what_went_in(rows: list[tuple[str, object]]) -> None:
    text = "".join(csv_rows(({"a": a, "b": b} for a, b in rows), ["a", "b"]))
    assert text.startswith("a,b\r\n")
    for (a, b), (read_a, read_b) in zip(rows, list(csv.reader(io.StringIO(text, newline="")))[1:], strict=True):
        for went, came in ((a, read_a), (str(b) if b is not None else "", read_b)):
            assert came in (went, f"'{went}")
            assert came[:1] not in ("=", "@", "\t", "\r")


@pytest.mark.parametrize("shape", ["json", "ndjson", "csv"])
def test_machine_shapes_stream_in_flat_memory(out: Output, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sink(io.TextIOBase):
        def write(self, text: str) -> int:
            return len(text)

    def many() -> Iterator[dict[str, object]]:
        for number in range(50_000):
            yield {"name": f"contact {number}", "at": number}

    monkeypatch.setattr("sys.stdout", Sink())
    tracemalloc.start()
    out.rows(many(), columns=("name", "at"), shape=shape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_table_ends_somewhere_and_says_so(
    out: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("macli.output.TABLE_ROWS", 5)
    out.rows(({"n": number} for number in range(9)), columns=("n",))
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 6
    assert "the first 5 rows are shown" in captured.err


def test_a_table_on_a_terminal_shows_a_categorys_colour(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    rows = [{"name": "hello", "category": "Email Promotions"}]
    colors = {"email promotions": "#008080"}
    Output(zone=lambda: ZoneInfo("UTC"), colors=lambda: colors).rows(rows, shape="table")
    assert "\x1b[38;2;0;128;128mEmail Promotions" in capsys.readouterr().out
    Output(zone=lambda: ZoneInfo("UTC"), colors=lambda: colors, color=False).rows(rows, shape="table")
    assert "38;2" not in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 46, 50, 56, 80])
def test_in_a_narrow_terminal_no_head_and_no_address_is_folded(
    out: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    row = {"id": 1, "email": "ann.lee@example.com", "last_at": 1_772_625_600_000, "frequency": "often", "value": 9.5}
    out.rows([row], shape="table")
    printed = capsys.readouterr().out
    assert "ann.lee@example.com" in printed
    assert "frequency" in printed
    assert max(map(len, printed.splitlines())) <= width


def test_no_color_in_the_environment_is_respected(
    out: Output, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out.rows([{"color": "teal"}], shape="table")
    assert "38;2" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[31mred", "␛[31mred"), ("bell\x07", "bell␇"), ("\x9b2J", "\ufffd2J"), ("a\u202eb", "a\ufffdb"), ("ż", "ż")],
)
def test_a_contacts_name_does_not_command_the_terminal(
    out: Output, capsys: pytest.CaptureFixture[str], text: str, shown: str
) -> None:
    assert printable(text) == shown
    out.say(f"mailbox: {text}\n  wait")
    out.warn(text)
    assert tuple(capsys.readouterr()) == (f"mailbox: {shown}\n  wait\n", f"macli: {shown}\n")


def test_talk_is_silent_where_a_program_reads(out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    out.say("hello", shape="json")
    out.say("there")
    assert capsys.readouterr().out == "there\n"


def test_an_unknown_shape_is_answered_with_the_nearest(out: Output) -> None:
    with pytest.raises(UnknownName, match="did you mean 'json'"):
        out.rows([], shape="jsom")


def test_without_a_terminal_a_question_needs_yes(out: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError, match="needs a yes") as caught:
        out.confirm("Really?", yes=False)
    assert caught.value.hint == "add --yes to the same command"
    out.confirm("Really?", yes=True)


def test_a_record_is_shown_member_by_member(out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    out.record({"name": "Ann", "tags": ["A", "B"], "added_at": 1_772_625_600_000})
    assert capsys.readouterr().out.splitlines() == [
        "name      Ann",
        "tags      A, B",
        "added_at  2026-03-04 13:00:00",
    ]
    out.record({"name": "Ann", "tags": ["A"]}, shape="json")
    assert json.loads(capsys.readouterr().out) == {"name": "Ann", "tags": ["A"]}


def test_progress_is_silent_without_a_terminal(out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    with out.progress("importing", 3) as progress:
        progress.advance(3)
    assert capsys.readouterr() == ("", "")
