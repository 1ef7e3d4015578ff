"""Events told and imported by command: each once, and listed by what one asks for."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run


@pytest.fixture
def people(workspace: Path, macli: Run) -> Path:
    macli("contact", "add", "ann@example.com", "--phone", "+14165550123", "--external-id", "K7")
    macli("contact", "add", "bob@example.com")
    return workspace


def listed(macli: Run, *args: str) -> list[dict]:
    return json.loads(macli("event", "list", "--json", *args).out)


def test_an_event_is_told_once_for_its_id(people: Path, macli: Run) -> None:
    line = ("event", "add", "ann@example.com", "order.paid", "--set", "Total=99.50", "--set", "item=book", "--id", "o1")
    assert macli(*line).out == "recorded order.paid\n"
    assert "was recorded already" in macli(*line).out
    found = listed(macli, "--name", "order.paid")
    assert [event["properties"] for event in found] == [{"total": 99.5, "item": "book"}]


def test_a_name_that_is_none_is_refused(people: Path, macli: Run) -> None:
    ran = macli("event", "add", "ann@example.com", "Order Paid")
    assert ran.code == 2
    assert "is no event name" in ran.err


def test_events_are_listed_by_contact_name_and_time(people: Path, macli: Run) -> None:
    for who, name, at in (
        ("ann@example.com", "order.paid", "2026-01-01 10:00"),
        ("ann@example.com", "order.sent", "2026-01-02 10:00"),
        ("bob@example.com", "order.paid", "2026-01-03 10:00"),
    ):
        macli("event", "add", who, name, "--at", at)
    assert len(listed(macli, "--name", "order.*")) == 3
    assert [event["contact"] for event in listed(macli, "--name", "order.paid")] == [
        "bob@example.com",
        "ann@example.com",
    ]
    assert len(listed(macli, "--contact", "K7", "--name", "order.*")) == 2
    between = listed(macli, "--name", "order.*", "--since", "2026-01-02", "--until", "2026-01-03")
    assert [event["name"] for event in between] == ["order.sent"]
    assert len(listed(macli, "--limit", "1")) == 1
    assert macli("event", "list", "--contact", "nobody@example.com").code == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "orders.csv",
            (
                "Email,Event,Time,Id,Total,Paid\n"
                "ANN@example.com,order.paid,2026-01-01 10:00,o1,12.50,true\n"
                "+1 416 555 0123,order.paid,1767261600,o2,3,true\n"
                "K7,order.paid,2026-01-01T11:00:00Z,o3,4,false\n"
                "nobody@example.com,order.paid,,o4,1,true\n"
                "bob@example.com,Order,,o5,1,true\n"
                "bob@example.com,order.paid,soon,o6,1,true\n"
            ),
        ),
        (
            "orders.ndjson",
            (
                '{"email": "ann@example.com", "event": "order.paid", "at": "2026-01-01", "id": "o1", "total": 12.5}\n'
                '{"email": "ann@example.com", "event": "order.paid", "at": "2026-01-01", "id": "o2", "total": 3}\n'
                '{"email": "ann@example.com", "event": "order.paid", "at": "2026-01-01", "id": "o3", "total": 4}\n'
                '{"email": "nobody@example.com", "event": "order.paid"}\n'
                '{"event": "order.paid"}\n'
                "{\n"
            ),
        ),
    ],
)
def test_a_file_of_events_is_recorded_once_however_often_it_is_imported(
    people: Path, macli: Run, name: str, text: str
) -> None:
    (people / name).write_text(text)
    report = json.loads(macli("event", "import", name, "--json").out)
    assert (report["recorded"], report["known"]) == (3, 0)
    assert report["refused"] == 3, report
    again = json.loads(macli("event", "import", name, "--json").out)
    assert (again["recorded"], again["known"], again["refused"]) == (0, 3, 3)
    totals = sorted(event["properties"]["total"] for event in listed(macli, "--name", "order.paid"))
    assert totals == [3, 4, 12.5]


def test_events_without_ids_are_known_again_by_what_they_say(people: Path, macli: Run) -> None:
    text = "email,event,at,total\nann@example.com,order.paid,2026-01-01,1\nann@example.com,order.paid,2026-01-01,2\n"
    assert json.loads(macli("event", "import", "-", "--json", stdin=text).out)["recorded"] == 2
    assert json.loads(macli("event", "import", "-", "--json", stdin=text).out)["recorded"] == 0


def test_a_file_that_says_no_event_is_refused(people: Path, macli: Run) -> None:
    ran = macli("event", "import", "-", stdin="email,total\nann@example.com,1\n")
    assert ran.code == 2
    assert "no column of stdin says the event" in ran.err
