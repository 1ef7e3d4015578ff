"""Settings: text in, typed values out, and nothing wrong is kept."""

from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from conftest import Run

from macli import config
from macli.config import Cap, QuietHours
from macli.errors import UnknownName, UsageError
from macli.store import Store, settings


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("timezone", "Europe/Warsaw", "Europe/Warsaw"),
        ("sender.email", "News@EXAMPLE.com", "news@example.com"),
        ("country", "pl", "PL"),
        ("locale", "pt_BR", "pt-BR"),
        ("public_url", "https://news.example.com/", "https://news.example.com"),
        ("caps.email", "3 per 7 days", Cap(count=3, span=timedelta(days=7))),
        ("caps.sms", "1/day", Cap(count=1, span=timedelta(days=1))),
        ("caps.sms", "none", None),
        ("quiet_hours.sms", "21:00-08:00", QuietHours(start=time(21), end=time(8))),
        ("quiet_hours.email", "9:30 to 10:00", QuietHours(start=time(9, 30), end=time(10))),
        ("quiet_hours.sms", "none", None),
        ("max_lateness", "2 days", timedelta(days=2)),
        ("retry.attempts", "3", 3),
        ("tags.normalise", "off", False),
        ("postal_address", "  1 Main St, Ottawa ", "1 Main St, Ottawa"),
    ],
)
def test_a_value_is_read_as_its_type_when_set_and_when_read(
    store: Store, now: datetime, key: str, text: str, value: object
) -> None:
    assert settings.put(store, now, key, text) == value
    assert settings.get(store, key) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("timezone", "Warsaw/Europe"),
        ("sender.email", "nobody"),
        ("sender.name", "News\r\nBcc: all@example.com"),
        ("sender.name", " "),
        ("country", "Poland"),
        ("public_url", "news.example.com"),
        ("public_url", "javascript:alert(1)"),
        ("caps.email", "three a week"),
        ("caps.email", "3 per 0 days"),
        ("quiet_hours.sms", "21-8"),
        ("quiet_hours.sms", "25:00-08:00"),
        ("quiet_hours.sms", "08:00-08:00"),
        ("max_lateness", "soon"),
        ("max_lateness", "0 s"),
        ("retention.mails", "9999999 days"),
        ("retry.attempts", "0"),
        ("retry.attempts", "many"),
        ("tags.normalise", "perhaps"),
    ],
)
def test_a_wrong_value_is_refused_and_the_old_one_stays(store: Store, now: datetime, key: str, text: str) -> None:
    before = settings.get(store, key)
    with pytest.raises(UsageError) as caught:
        settings.put(store, now, key, text)
    assert caught.value.message.startswith(f"{key}: ")
    assert settings.get(store, key) == before


def test_an_unknown_setting_is_answered_with_the_nearest(store: Store) -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'quiet_hours.sms'"):
        settings.get(store, "quiet_hour.sms")


def test_unset_brings_the_default_back(store: Store, now: datetime) -> None:
    settings.put(store, now, "retry.attempts", "3")
    assert settings.unset(store, "retry.attempts")
    assert settings.get(store, "retry.attempts") == 8
    assert not settings.unset(store, "retry.attempts")


@pytest.mark.parametrize("key", config.REGISTRY)
def test_every_default_reads_and_every_setting_is_explained(key: str) -> None:
    known = config.setting(key)
    if known.default is not None:
        known.read(known.default)
    assert known.doc.endswith(".")


def test_the_commands_set_show_list_and_unset(macli: Run, workspace: Path) -> None:
    assert macli("settings", "set", "postal_address", "1 Main St, Ottawa").code == 0
    assert macli("settings", "get", "postal_address").out == "1 Main St, Ottawa\n"
    assert 'postal_address,"1 Main St, Ottawa",set' in macli("settings", "list", "--format", "csv").out
    assert macli("settings", "unset", "postal_address").out == "postal_address is unset\n"
    refused = macli("settings", "set", "timezone", "Mars/Olympus")
    assert refused.code == 2
    assert "timezone: no time zone named" in refused.err


def test_times_are_shown_in_the_zone_set(macli: Run, workspace: Path, now: datetime) -> None:
    macli("settings", "set", "timezone", "Asia/Kathmandu")
    macli("category", "create", "Spring", at=now)
    assert "2026-03-04 17:45:00" in macli("category", "show", "Spring").out
    assert '"2026-03-04T12:00:00Z"' in macli("category", "show", "Spring", "--json").out


def test_a_band_that_a_rule_names_is_not_taken_away(workspace: Path, macli: Run) -> None:
    macli("segment", "create", "ready", "--rule", "not Readiness is HOT and has email")
    ran = macli("settings", "set", "points.bands", "new 0, ready 90")
    assert ran.code == 1
    assert "the band 'hot' is in use by the segment 'ready'" in ran.err
    assert macli("settings", "get", "points.bands").out.strip() == "cold 0, warm 20, hot 50"
    assert macli("settings", "set", "points.bands", "new 0, Hot 90").code == 0
    assert macli("settings", "unset", "points.bands").code == 0
    macli("settings", "set", "points.bands", "new 0, hot 90")
    macli("segment", "create", "fresh", "--rule", "readiness is new")
    assert "the band 'new' is in use" in macli("settings", "unset", "points.bands").err
    macli("segment", "rm", "fresh")
    assert macli("settings", "unset", "points.bands").code == 0
