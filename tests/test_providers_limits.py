"""Limits as people write them."""

import pytest

from macli.errors import UsageError
from macli.providers.limits import parse_limits


def test_limits_read_back_as_they_were_written() -> None:
    texts = ["14 per second", "5000 per day", "gmail.com=20 per minute", "warm-up 500 x1.5 until 50000"]
    limits = parse_limits(texts)
    assert limits.texts() == texts
    assert parse_limits(limits.texts()) == limits


@pytest.mark.parametrize("text", ["14/second", "14 per seconds", " 14  a  SECOND "])
def test_other_ways_to_write_a_rate(text) -> None:
    assert parse_limits([text]).texts() == ["14 per second"]


@pytest.mark.parametrize(
    "text", ["fast", "0 per day", "-1 per day", "14 per fortnight", "warm-up 500 x0.5 until 9", "", "=5 per day"]
)
def test_what_is_no_limit_is_refused(text) -> None:
    with pytest.raises(UsageError):
        parse_limits([text])


def test_a_warm_up_grows_by_the_day_and_ends() -> None:
    ramp = parse_limits(["warm-up 500 x1.5 until 2000"]).warm_up
    assert ramp is not None
    assert [ramp.on_day(day) for day in range(6)] == [500, 750, 1125, 1687, None, None]
    assert ramp.on_day(100_000) is None


def test_the_last_rate_of_a_span_counts() -> None:
    assert parse_limits(["5 per day", "7 per day"]).texts() == ["7 per day"]
