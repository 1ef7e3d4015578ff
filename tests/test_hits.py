"""Opens and clicks: stored before they are answered, told apart by rules, once a minute as an event."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli.hits import digest, reclassifying, rules
from macli.store import settings
from macli.tick.tick import run_tick
from macli.web import digest as web_digest
from macli.web.site import Site
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, new_world

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three contacts, each with one sent mail (sends 1 to 3), and four links of that step."""
    made = new_world(tmp_path / "shop")
    settings.put(made.store, NOW, "public_url", "https://news.example")
    add_contacts(made.store, 3)
    add_campaign(made.store)
    run_tick(made.engine())
    with made.store.write():
        for number in range(1, 5):
            made.store.execute(
                "INSERT INTO links (id, step_id, url, created_at) SELECT :id, id, :url, 0 FROM steps",
                {"id": 100 + number, "url": f"https://shop.example/{number}"},
            )
    return made


def ask(
    world: World, *paths: str, agent: str = BROWSER, after: timedelta = timedelta(minutes=5), **headers: str
) -> list[int]:
    with serving(world, lambda: NOW + after) as client:
        return [client.get(path, headers={"User-Agent": agent, **headers}).status_code for path in paths]


def digested(world: World, after: timedelta = timedelta(hours=1)) -> list[tuple[int | None, str]]:
    digest.chore(world.engine(NOW + after), lambda name, why: None)
    return [
        (row["contact_id"], row["name"])
        for row in world.store.rows("SELECT contact_id, name FROM events WHERE source = 'macli:hits' ORDER BY id")
    ]


def token(world: World, send: int) -> str:
    return keys(world).message(send).follow


def test_an_open_and_a_click_of_a_person_become_events_of_the_contact_and_the_campaign(world: World) -> None:
    follow = token(world, 2)
    assert ask(world, f"/o/{follow}.gif", f"/c/{follow}/101") == [200, 302]
    assert digested(world) == [(2, "email.opened"), (2, "email.clicked")]
    row = world.store.row("SELECT * FROM events WHERE name = 'email.clicked'")
    assert row is not None
    assert row["send_id"] == 2
    assert row["campaign_id"] == 1
    assert '"url":"https://shop.example/1"' in row["properties"]


def test_a_click_leads_to_the_stored_address_and_nowhere_else(world: World) -> None:
    follow = token(world, 1)
    with serving(world, lambda: LATER) as client:
        assert client.get(f"/c/{follow}/102").headers["location"] == "https://shop.example/2"
        personal = keys(world).personal(follow, "https://shop.example/for?you=1")
        assert client.get(f"/r/{follow}/{personal}").headers["location"] == "https://shop.example/for?you=1"
        for path in (
            f"/c/{follow}/999",
            f"/c/{follow}/https://evil.example",
            f"/c/{follow}x/102",
            f"/r/{follow}/aHR0cHM6Ly9ldmlsLmV4YW1wbGU.AAAAAAAAAAAAAAAA",
            f"/r/{token(world, 2)}/{personal}",
            "/c/1.AAAAAAAAAAAAAAAA/102",
            "/c//",
        ):
            answer = client.get(path)
            assert (answer.status_code, "location" in answer.headers) == (404, False), path
    assert world.store.value("SELECT count(*) FROM hits") == 2


def test_what_nobody_signed_gets_a_pixel_and_is_not_stored(world: World) -> None:
    assert ask(world, "/o/nonsense.gif", "/o/1.AAAAAAAAAAAAAAAA.gif") == [200, 200]
    assert world.store.value("SELECT count(*) FROM hits") == 0


def test_a_post_to_a_link_is_refused(world: World) -> None:
    with serving(world) as client:
        assert client.post(f"/c/{token(world, 1)}/101").status_code == 405


@pytest.mark.parametrize(
    ("agent", "of_class"),
    [
        (BROWSER, ""),
        ("Mozilla/5.0 (Windows NT 5.1) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", ""),
        ("Mozilla/5.0", ".machine"),
        ("Barracuda Sentinel (EE)", ".machine"),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", ".machine"),
        ("curl/8.5", ".machine"),
        ("", ".suspected"),
    ],
)
def test_a_program_is_known_by_its_name(world: World, agent: str, of_class: str) -> None:
    ask(world, f"/o/{token(world, 1)}.gif", agent=agent)
    assert digested(world) == [(1, f"email.opened{of_class}")]


def test_r31_a_head_a_prefetch_a_scanners_network_and_a_hit_at_once_are_kept_apart(world: World) -> None:
    with serving(world, lambda: LATER) as client:
        client.head(f"/c/{token(world, 1)}/101", headers={"User-Agent": BROWSER})
    ask(world, f"/c/{token(world, 1)}/102", **{"Sec-Purpose": "prefetch;prerender"})
    ask(world, f"/c/{token(world, 2)}/101", **{"X-Forwarded-For": "40.107.3.4"})
    ask(world, f"/c/{token(world, 3)}/101", after=timedelta(seconds=1))
    assert [name for _, name in digested(world)] == [
        "email.clicked.machine",
        "email.clicked.machine",
        "email.clicked.machine",
        "email.clicked.suspected",
    ]


def test_all_links_at_once_are_a_scanner_and_one_link_is_a_person(world: World) -> None:
    follow = token(world, 1)
    ask(world, *(f"/c/{follow}/{100 + number}" for number in range(1, 5)))
    ask(world, f"/c/{token(world, 2)}/103")
    assert digested(world) == [*[(1, "email.clicked.machine")] * 4, (2, "email.clicked")]


def test_a_link_put_beside_another_messages_token_is_no_click_of_a_person(world: World) -> None:
    other = add_campaign(world.store, "other")
    with world.store.write():
        world.store.execute(
            "INSERT INTO links (id, step_id, url, created_at)"
            " SELECT 900, id, 'https://b.example', 0 FROM steps WHERE campaign_id = ?",
            (other,),
        )
    ask(world, f"/c/{token(world, 1)}/900")
    assert digested(world) == [(1, "email.clicked.machine")]


def test_the_same_hit_within_a_minute_is_one_event_and_a_later_one_is_another(world: World) -> None:
    path = f"/o/{token(world, 1)}.gif"
    ask(world, path, path)
    ask(world, path, after=timedelta(minutes=30))
    assert digested(world) == [(1, "email.opened")] * 2


def test_a_hit_waits_until_a_burst_could_be_seen(world: World) -> None:
    ask(world, f"/c/{token(world, 1)}/101")
    assert digested(world, timedelta(minutes=5, seconds=5)) == []
    assert digested(world, timedelta(minutes=5, seconds=11)) == [(1, "email.clicked")]


@pytest.mark.parametrize("wrong", ["rules", "store"])
def test_a_server_digests_again_once_what_kept_it_from_it_is_mended(
    world: World, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from macli.web import digest as digesting

    monkeypatch.setattr(digesting, "EVERY", 0.05)
    monkeypatch.setattr(digesting, "AFTER_A_FAULT", 0.05)
    own, clock = world.path / rules.OWN, [NOW + timedelta(minutes=5)]

    def broken(whether: bool) -> None:
        if wrong == "rules":
            own.write_text("version =") if whether else own.unlink()
        else:
            names = ("agents", "agents_gone")
            before, after = names if whether else reversed(names)
            with world.store.write():
                world.store.execute(f"ALTER TABLE {before} RENAME TO {after}")

    def told() -> int:
        return int(world.store.value("SELECT count(*) FROM events WHERE name LIKE 'email.opened%'"))

    if wrong == "rules":
        broken(True)
    with serving(world, lambda: clock[0]) as client:
        assert client.get(f"/o/{token(world, 1)}.gif", headers={"User-Agent": BROWSER}).status_code == 200
        if wrong == "store":
            broken(True)
        clock[0] += timedelta(hours=1)
        time.sleep(0.4)
        meanwhile = told()
        broken(False)
        until = time.monotonic() + 10
        while not told() and time.monotonic() < until:
            time.sleep(0.05)
    assert (meanwhile, told()) == (0, 1)


@pytest.mark.parametrize(
    ("state", "address", "agent", "then"),
    [
        ("unknown", "c0@example.com", BROWSER, "delivered"),
        ("planned", "c0@example.com", BROWSER, "delivered"),
        ("unknown", "c0@example.com", "curl/8", "unknown"),
        ("planned", None, BROWSER, "planned"),
    ],
)
def test_a_message_in_doubt_that_a_person_opened_has_arrived_and_is_not_sent_again(
    world: World, state: str, address: str | None, agent: str, then: str
) -> None:
    with world.store.write():
        world.store.execute("UPDATE sends SET state = ?, address = ? WHERE id = 1", (state, address))
    assert ask(world, f"/o/{token(world, 1)}.gif", agent=agent) == [200]
    digested(world)
    assert world.store.value("SELECT state FROM sends WHERE id = 1") == then


def test_r32_what_a_contact_asked_not_to_be_recorded_is_not_and_the_link_still_leads_on(world: World) -> None:
    with world.store.write():
        world.store.execute("INSERT INTO preferences (contact_id, untracked, changed_at) VALUES (1, 1, 0)")
    assert ask(world, f"/c/{token(world, 1)}/101") == [302]
    assert digested(world) == []
    assert world.store.value("SELECT count(*) FROM hits") == 0


def test_a_hit_of_a_deleted_contact_counts_for_the_campaign_without_an_address(world: World) -> None:
    with world.store.write():
        world.store.execute("DELETE FROM contacts WHERE id = 1")
    ask(world, f"/o/{token(world, 1)}.gif")
    assert digested(world) == [(None, "email.opened")]
    assert world.store.value("SELECT ip FROM hits") is None


def test_newer_rules_say_what_would_change_and_change_it(world: World) -> None:
    ask(world, f"/o/{token(world, 1)}.gif", agent="NewScan/1")
    ask(world, f"/o/{token(world, 1)}.gif", agent=BROWSER, after=timedelta(minutes=20))
    assert digested(world) == [(1, "email.opened")] * 2
    (world.path / rules.OWN).write_text(
        'version = 7\nsettle_seconds = 10\n[[rule]]\nname = "new"\nclass = "machine"\nagent = ["^newscan"]\n'
    )
    would = reclassifying.compare(world.store, world.path)
    assert [tuple(row) for row in would.rows] == [("open", "human", "machine", "new", 1, 1)]
    assert digested(world) == [(1, "email.opened")] * 2
    reclassifying.apply(world.store, LATER, world.path)
    assert digested(world) == [(1, "email.opened.machine"), (1, "email.opened")]
    assert reclassifying.compare(world.store, world.path).changed == 0
    (world.path / rules.OWN).unlink()
    reclassifying.apply(world.store, LATER, world.path)
    assert digested(world) == [(1, "email.opened")] * 2


def test_two_hits_of_one_minute_that_newer_rules_tell_apart_keep_the_persons_event(world: World) -> None:
    ask(world, f"/o/{token(world, 1)}.gif", agent="NewScan/1")
    ask(world, f"/o/{token(world, 1)}.gif", agent=BROWSER)
    assert digested(world) == [(1, "email.opened")]
    (world.path / rules.OWN).write_text(
        'version = 2\nsettle_seconds = 10\n[[rule]]\nname = "new"\nclass = "machine"\nagent = ["^newscan"]\n'
    )
    reclassifying.apply(world.store, LATER, world.path)
    assert digested(world) == [(1, "email.opened")]


def test_a_rules_file_that_does_not_read_says_where(tmp_path: Path) -> None:
    (tmp_path / rules.OWN).write_text(
        'version = 1\nsettle_seconds = 1\n[[rule]]\nname = "x"\nclass = "machine"\nagnet = []\n'
    )
    with pytest.raises(Exception, match="rule 1: no key named 'agnet'; did you mean 'agent'"):
        rules.read(tmp_path)


def test_a_busy_server_answers_first_and_digests_in_a_quieter_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(world, f"/o/{token(world, 1)}.gif")
    monkeypatch.setattr(web_digest, "EVERY", 0.05)
    monkeypatch.setattr(web_digest, "BUSY", 100)
    site = Site(
        workspace=world.path,
        store=world.path / "macli.db",
        clock=lambda: NOW + timedelta(hours=1),
        zone=ZoneInfo("UTC"),
    )

    def left() -> int:
        return int(world.store.value("SELECT count(*) FROM hits WHERE class IS NULL AND send = 1"))

    async def busy_then_quiet() -> tuple[int, int]:
        await site.start()
        digesting = asyncio.create_task(web_digest.keep_digesting(site))
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            await asyncio.gather(*(site.writer.hit(("open", 0, 2, None, None, "GET", None, None)) for _ in range(50)))
        while_busy = left()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not left():
                break
        digesting.cancel()
        await asyncio.gather(digesting, return_exceptions=True)
        await site.close()
        return while_busy, left()

    assert asyncio.run(busy_then_quiet()) == (1, 0)
