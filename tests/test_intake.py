"""What became of text messages is asked of their provider, each a few times at most."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from running import DAY, HOUR, NOW, Running, Stores

from macli.clock import to_ms
from macli.model import Outcome
from macli.providers.base import Enquiry
from macli.tick import compose, intake

MINUTE = timedelta(minutes=1)


class Carrier:
    """A provider that answers from a list."""

    looks_up = True

    def __init__(self, *answers: Outcome | None) -> None:
        self.answers: Iterator[Outcome | None] = iter(answers)
        self.asked: list[str | None] = []

    def lookup(self, enquiry: Enquiry) -> Outcome | None:
        self.asked.append(enquiry.reference)
        return next(self.answers, None)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    running = Stores(tmp_path).new()
    running.contact()
    return running


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Carrier:
    found = Carrier()
    monkeypatch.setattr(compose, "load_provider", lambda engine, row: found)
    return found


def accepted(running: Running, at: datetime, *, number: int = 1, channel: str = "sms") -> None:
    with running.store.write():
        for place in range(number):
            running.store.execute(
                """
                INSERT INTO sends (contact_id, channel, state, address, due_at, left_at, provider_id, reference)
                VALUES (1, ?, 'accepted', '+14165550100', 0, ?, 1, ?)
                """,
                (channel, to_ms(at) + place, f"SM{place}"),
            )


def test_a_delivered_message_is_settled_and_told_to_the_log(running: Running, carrier: Carrier) -> None:
    accepted(running, NOW)
    carrier.answers = iter([Outcome(verdict="delivered", event="sms.delivered")])
    assert intake.intake(running.engine(NOW + 2 * MINUTE)) == 0
    assert carrier.asked == []
    assert intake.intake(running.engine(NOW + 4 * MINUTE)) == 1
    assert running.store.value("SELECT state FROM sends") == "delivered"
    assert running.store.value("SELECT name FROM events") == "sms.delivered"


def test_a_message_still_on_its_way_is_asked_after_four_times_and_then_forgotten(
    running: Running, carrier: Carrier
) -> None:
    accepted(running, NOW)
    carrier.answers = iter([Outcome(verdict="accepted")] * 20)
    for hour in range(80):
        for minute in (0, 5, 20):
            intake.intake(running.engine(NOW + hour * HOUR + minute * MINUTE))
    assert carrier.asked == ["SM0"] * 4


def test_mail_is_not_asked_after(running: Running, carrier: Carrier) -> None:
    accepted(running, NOW, channel="email")
    intake.intake(running.engine(NOW + DAY))
    assert carrier.asked == []


def test_only_so_many_are_asked_after_in_one_tick_and_the_rest_in_the_next(
    running: Running, carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST", 4)
    accepted(running, NOW, number=6)
    carrier.answers = iter([Outcome(verdict="accepted")] * 20)
    intake.intake(running.engine(NOW + 5 * MINUTE))
    assert len(carrier.asked) == 4
    intake.intake(running.engine(NOW + 6 * MINUTE))
    assert carrier.asked == [f"SM{place}" for place in range(6)]


def test_a_provider_that_does_not_answer_is_not_asked_again_in_this_tick(running: Running, carrier: Carrier) -> None:
    accepted(running, NOW, number=5)
    carrier.answers = iter([Outcome(verdict="unknown", text="no answer")] * 20)
    intake.intake(running.engine(NOW + 5 * MINUTE))
    assert carrier.asked == ["SM0"]
