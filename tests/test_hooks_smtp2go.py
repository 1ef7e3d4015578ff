"""SMTP2GO's posts: known by a secret, in either format, any number of times; and the hook command."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from macli.clock import to_ms
from macli.responses import hooks
from macli.store import providers
from tests.site import serving
from tests.world import NOW, World, add_contacts, new_world, opt_in

RCPT = "c0@example.com"
TIME = "2026-12-01T08:59:00Z"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("PASSWORD", "x")
    world = new_world(tmp_path)
    add_contacts(world.store, 2)
    add_provider(world)
    yield world
    world.store.close()


def add_provider(world: World, name: str = "go", **more: str) -> str:
    given = {"username": "news", "password": "env:PASSWORD", **more}
    providers.add(world.store, NOW, name, "smtp2go", given, workspace=world.path)
    hooks.make(world.store, world.path, name)
    return secret(world, name)


def secret(world: World, name: str = "go") -> str:
    return hooks.secret(world.path, name, "smtp2go").reveal()


def add_send(world: World, *, reference: str | None = None, contact_id: int = 1, address: str = RCPT) -> int:
    with world.store.write():
        return int(
            world.store.value(
                """
                INSERT INTO sends (contact_id, channel, state, address, due_at, left_at, reference)
                VALUES (?, 'email', 'accepted', ?, 0, 0, ?)
                RETURNING id
                """,
                (contact_id, address, reference),
            )
        )


def key(world: World, send_id: int = 1) -> str:
    token = world.store.value("SELECT value FROM meta WHERE key = 'store'")[:8]
    return f"{send_id}.{token}"


def payload(world: World, event: str, **more: Any) -> dict[str, Any]:
    """An event as SMTP2GO posts it."""
    return {
        "event": event,
        "time": TIME,
        "sendtime": "2026-12-01T08:58:00Z",
        "sender": "news@shop.example",
        "rcpt": RCPT,
        "email_id": "1abcde-FghIjk",
        "message-id": f"<{key(world)}@shop.example>",
        "X-Macli-Message-Id": key(world),
        **more,
    }


def report(client: TestClient, world: World, event: str, *, as_json: bool = False, **more: Any) -> Any:
    path = f"/hooks/smtp2go/go/{secret(world)}"
    said = payload(world, event, **more)
    return client.post(path, json=said) if as_json else client.post(path, data=said)


def state(world: World) -> str:
    return str(world.store.value("SELECT state FROM sends WHERE id = 1"))


def names(world: World) -> list[str]:
    rows = world.store.rows("SELECT name FROM events WHERE name LIKE 'email.%' ORDER BY id")
    return [row["name"] for row in rows]


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "form"])
@pytest.mark.parametrize(
    ("event", "more", "end", "name"),
    [
        ("processed", {}, "accepted", []),
        ("delivered", {"message": "250 2.0.0 OK"}, "delivered", ["email.delivered"]),
        ("bounce", {"bounce": "hard", "message": "550 5.1.1 no such user"}, "bounced", ["email.bounced"]),
        ("bounce", {"bounce": "soft", "message": "452 4.2.2 full"}, "accepted", ["email.soft_bounced"]),
        ("spam", {}, "accepted", ["email.complained"]),
        ("unsubscribe", {}, "accepted", ["email.unsubscribed"]),
        ("reject", {"message": "suppressed"}, "rejected", []),
        ("something-new", {}, "accepted", []),
    ],
)
def test_p29_each_event_has_its_effect_once_in_35_repetitions(
    world: World, event: str, more: dict[str, str], end: str, name: list[str], as_json: bool
) -> None:
    add_send(world)
    with serving(world) as client:
        for _ in range(35):
            assert report(client, world, event, as_json=as_json, **more).status_code == 200
    assert state(world) == end
    assert names(world) == name


def test_a_hard_bounce_suppresses_a_complaint_withdraws_and_each_says_why(world: World) -> None:
    add_send(world)
    opt_in(world, 1, "email")
    with serving(world) as client:
        report(client, world, "spam")
        report(client, world, "bounce", bounce="hard", message="550 5.1.1 no such user")
    assert world.store.value("SELECT reason FROM suppressions WHERE address = ?", (RCPT,)) == "complained"
    assert world.store.value("SELECT status FROM consents WHERE contact_id = 1 AND channel = 'email'") == "withdrawn"
    assert world.store.value("SELECT code FROM sends") == "550 5.1.1 no such user"
    assert world.store.value("SELECT properties ->> 'code' FROM events WHERE name = 'email.bounced'") == "550 5.1.1"


def test_e18_an_unsubscribe_at_the_provider_withdraws_the_consent_to_mail(world: World) -> None:
    add_send(world)
    opt_in(world, 1, "email")
    with serving(world) as client:
        report(client, world, "unsubscribe")
    assert world.store.value("SELECT status FROM consents WHERE contact_id = 1 AND channel = 'email'") == "withdrawn"
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'consent.withdrawn'") == 1


@pytest.mark.parametrize(
    "names_of_it",
    [
        {"x_macli_message_id": "{key}"},
        {"x-macli-message-id": "{key}"},
        {"headers": {"X-Macli-Message-Id": "{key}"}},
        {"message-id": "<{key}@shop.example>"},
        {"message_id": "{key}@shop.example"},
        {"email_id": "the-api-said"},
    ],
    ids=["underscores", "lower case", "in headers", "Message-ID", "message_id", "email_id"],
)
def test_a_message_is_known_by_whatever_is_echoed_of_it(world: World, names_of_it: dict[str, Any]) -> None:
    add_send(world, reference="the-api-said")
    add_send(world, reference="the-api-said", contact_id=2, address="c1@example.com")
    filled = json.loads(json.dumps(names_of_it).replace("{key}", key(world)))
    with serving(world) as client:
        said = {"event": "delivered", "time": TIME, "rcpt": RCPT.upper(), **filled}
        assert client.post(f"/hooks/smtp2go/go/{secret(world)}", json=said).status_code == 200
    states = [row["state"] for row in world.store.rows("SELECT state FROM sends ORDER BY id")]
    assert states == ["delivered", "accepted"]


def test_tracking_duplicates_an_own_open_and_the_providers_are_one(world: World) -> None:
    add_send(world)
    with serving(world) as client:
        report(client, world, "open")
        report(client, world, "click", url="https://shop.example/")
    assert names(world) == []


def test_tracking_duplicates_the_providers_opens_count_once_a_minute_where_it_tracks(world: World) -> None:
    providers.edit(world.store, NOW, "go", {"track": "provider"}, workspace=world.path)
    add_send(world)
    with serving(world) as client:
        for second in (0, 10, 59):
            report(client, world, "open", time=f"2026-12-01T08:58:{second:02}Z")
        report(client, world, "open", time="2026-12-01T08:59:00Z")
        for url in ("https://shop.example/a", "https://shop.example/b", "https://shop.example/a"):
            report(client, world, "click", url=url, time="2026-12-01T08:59:30Z")
        report(client, world, "click", time="2026-12-01T08:59:30Z")
    assert names(world) == ["email.opened"] * 2 + ["email.clicked"] * 3
    rows = world.store.rows("SELECT properties ->> 'url' AS url FROM events WHERE name = 'email.clicked' ORDER BY id")
    assert [row["url"] for row in rows] == ["https://shop.example/a", "https://shop.example/b", None]


def test_resubscribe_frees_what_this_provider_suppressed_and_no_dead_address_or_no(world: World) -> None:
    with world.store.write():
        world.store.executemany(
            """
            INSERT INTO suppressions (channel, address, reason, source, suppressed_at)
            VALUES ('email', ?, ?, ?, ?)
            """,
            [
                ("a@example.com", "complained", "smtp2go", 0),
                ("b@example.com", "complained", "mailbox", 0),
                ("c@example.com", "bounced", "smtp2go", 0),
                ("d@example.com", "complained", "smtp2go", to_ms(NOW)),
                ("e@example.com", "opted_out", "smtp2go", 0),
            ],
        )
    with serving(world) as client:
        for letter in "abcde":
            report(client, world, "resubscribe", rcpt=f"{letter.upper()}@example.com")
    left = [row["address"] for row in world.store.rows("SELECT address FROM suppressions ORDER BY address")]
    assert left == ["b@example.com", "c@example.com", "d@example.com", "e@example.com"]


def test_several_events_come_in_one_post(world: World) -> None:
    add_send(world)
    add_send(world, contact_id=2, address="c1@example.com")
    said = [payload(world, "delivered"), payload(world, "delivered", **{"X-Macli-Message-Id": key(world, 2)})]
    with serving(world) as client:
        assert client.post(f"/hooks/smtp2go/go/{secret(world)}", json=said).status_code == 200
    assert world.states() == {"delivered": 2}


def test_the_secret_may_stand_in_the_address_or_in_authorization(world: World) -> None:
    add_send(world)
    known = secret(world)
    with serving(world) as client:
        said = payload(world, "delivered")
        for answer in (
            client.post("/hooks/smtp2go/go", json=said, headers={"Authorization": f"Bearer {known}"}),
            client.post("/hooks/smtp2go/go", json=said, auth=("anybody", known)),
            client.post(f"/hooks/smtp2go/GO/{known}", json=said),
        ):
            assert answer.status_code == 200


def test_a_wrong_secret_is_refused_and_nothing_is_stored(world: World) -> None:
    add_send(world)
    other = add_provider(world, "other")
    with serving(world) as client:
        said = payload(world, "bounce", bounce="hard")
        for path, headers in (
            ("/hooks/smtp2go/go", {}),
            ("/hooks/smtp2go/go/wrong", {}),
            (f"/hooks/smtp2go/go/{other}", {}),
            ("/hooks/smtp2go/go", {"Authorization": "Bearer "}),
            ("/hooks/smtp2go/go", {"Authorization": "Basic !!!"}),
            ("/hooks/smtp2go/go", {"Authorization": "Basic eDo="}),
        ):
            assert client.post(path, json=said, headers=headers).status_code == 403
        assert client.post(f"/hooks/smtp2go/nobody/{other}", json=said).status_code == 404
        assert client.post(f"/hooks/smtp2go/outbox/{other}", json=said).status_code == 404
    assert state(world) == "accepted"
    assert names(world) == []


def test_a_hook_without_a_secret_takes_nothing(world: World) -> None:
    hooks.secret(world.path, "go", "smtp2go").path.unlink()
    with serving(world) as client:
        answer = client.post("/hooks/smtp2go/go/", json=payload(world, "delivered"))
        assert answer.status_code in (307, 403, 404)
        answer = client.post("/hooks/smtp2go/go", json=payload(world, "delivered"))
        assert answer.status_code == 403
        assert "macli hook secret go" in answer.text


def test_a_report_of_an_hour_ago_happened_an_hour_ago(world: World) -> None:
    add_send(world)
    with serving(world) as client:
        report(client, world, "delivered", time="2026-12-01 08:00:00")
    assert world.store.value("SELECT at FROM events") == to_ms(NOW - timedelta(hours=1))


@pytest.mark.parametrize("body", [b"[]", b"[1]", b"{", b"\xff", b"[" * 5000, b'{"event": NaN}', b"null", b'"x"'])
def test_a_body_that_says_nothing_is_told_so(world: World, body: bytes) -> None:
    with serving(world) as client:
        answer = client.post(
            f"/hooks/smtp2go/go/{secret(world)}", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (200, 400)
        assert client.post(f"/hooks/smtp2go/go/{secret(world)}", content=b"x" * 600_000).status_code == 413
    assert world.store.value("SELECT count(*) FROM events") == 0


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(["event", "time", "rcpt", "bounce", "message", "email_id", "message-id", "url", "headers"])
WORDS = st.sampled_from(
    ["delivered", "bounce", "hard", "open", "click", "spam", "resubscribe", TIME, RCPT, "0001-01-01"]
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.dictionaries(FIELDS, WORDS | ANY) | ANY)
def test_whatever_is_posted_is_answered_and_stores_nothing_about_nobody(world: World, said: Any) -> None:
    with serving(world) as client:
        answer = client.post(
            f"/hooks/smtp2go/go/{secret(world)}",
            content=json.dumps(said).encode(),
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code in (200, 400)
    assert world.store.value("SELECT count(*) FROM events") == 0


def test_one_posts_bad_report_does_not_take_those_of_others_along(world: World) -> None:
    from macli.model import Report
    from macli.web.hooks_reports import Reports
    from macli.web.site import Site

    for contact_id in (1, 2):
        add_send(world, contact_id=contact_id, address=f"c{contact_id}@example.com")

    def said(send_id: int, **properties: Any) -> Report:
        return Report(
            source="test", source_id=str(send_id), at=0, send_id=send_id, event="email.delivered", properties=properties
        )

    async def post_together() -> list[BaseException | None]:
        site = Site(workspace=world.path, store=world.path / "macli.db", clock=lambda: NOW, zone=ZoneInfo("UTC"))
        await site.start()
        reports = Reports(site)
        bad = reports.take([said(2, value=object())])
        found = await asyncio.gather(reports.take([said(1)]), bad, return_exceptions=True)
        await site.close()
        return found

    good, bad = asyncio.run(post_together())
    assert good is None
    assert isinstance(bad, TypeError)
    assert [row["send_id"] for row in world.store.rows("SELECT send_id FROM events")] == [1]


# The command


def test_the_hook_command_shows_addresses_and_makes_secrets(workspace: Path, macli: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PASSWORD", "x")
    macli("provider", "add", "smtp2go", "go", "--username", "news", "--password", "env:PASSWORD")
    assert "none yet" in macli("hook", "list").out
    assert macli("hook", "url", "go").code == 1
    macli("settings", "set", "public_url", "https://news.example")
    assert "macli hook secret go" in macli("hook", "url", "go").err
    made = json.loads(macli("hook", "secret", "go", "--json").out)
    assert made == {"name": "go", "secret": "file:secrets/hook-smtp2go-go.key", "made": True}
    kept = workspace / "secrets" / "hook-smtp2go-go.key"
    assert kept.stat().st_mode & 0o077 == 0
    assert macli("hook", "url", "go").out == f"https://news.example/hooks/smtp2go/go/{kept.read_text()}\n"
    assert kept.read_text() not in macli("hook", "list", "--json").out
    before = kept.read_text()
    assert json.loads(macli("hook", "secret", "go", "--json").out)["made"] is False
    assert kept.read_text() == before
    macli("hook", "secret", "go", "--new")
    assert kept.read_text() != before


def test_the_hook_command_says_what_has_no_secret_or_no_hook(workspace: Path, macli: Any) -> None:
    macli("settings", "set", "public_url", "https://news.example")
    assert macli("hook", "url", "events").out == "https://news.example/hooks/events\n"
    assert macli("hook", "url", "outbox").code == 2
    assert macli("hook", "secret", "outbox").code == 2
    assert macli("hook", "secret", "evens").code == 2
