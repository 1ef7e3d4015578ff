"""What campaigns make of opens and clicks, and what a refusal of the sender's own making does."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller

from macli.hits import digest
from macli.store import settings
from macli.tick.tick import run_tick
from tests.mail_server import free_ports
from tests.site import keys, serving
from tests.world import NOW, World, add_campaign, add_contacts, add_template, new_world, use_smtp

LIBRARY = Path(__file__).parent.parent / "campaigns"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}
MINUTE = timedelta(minutes=1)
HTML = """<p>Dear {{ first_name }}</p>
<p><a href="https://shop.example/pricing">Prices</a> <a href="https://shop.example/about">About us</a></p>"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two contacts with a mail of two links each."""
    made = new_world(tmp_path / "shop")
    settings.put(made.store, NOW, "public_url", "https://news.example")
    settings.put(made.store, NOW, "tracking.utm", "no")
    add_contacts(made.store, 2)
    add_template(made.store, html=HTML)
    add_campaign(made.store)
    run_tick(made.engine())
    return made


def visit(world: World, send: int, what: str, *, times: int = 1, **headers: str) -> None:
    """Open a mail, or follow its link whose address ends with ``what``."""
    follow = keys(world).message(send).follow
    path = f"/o/{follow}.gif"
    if what != "open":
        link = world.store.value("SELECT id FROM links WHERE url LIKE '%' || ?", (what,))
        path = f"/c/{follow}/{link}"
    with serving(world, lambda: NOW + 5 * MINUTE) as client:
        for _ in range(times):
            client.get(path, headers={**BROWSER, **headers})


def tagged(world: World) -> list[int]:
    run_tick(world.engine(NOW + timedelta(hours=1)))
    return [row["contact_id"] for row in world.store.rows("SELECT contact_id FROM contact_tags ORDER BY contact_id")]


def listening(world: World, event: dict[str, Any]) -> None:
    add_campaign(world.store, "follow up", entry={"event": event}, steps=[{"tag": "INTERESTED"}])


def test_e02_a_click_lets_in_where_the_address_fits_and_not_elsewhere(world: World) -> None:
    listening(world, {"name": "email.clicked", "where": 'url contains "/pricing"'})
    visit(world, 1, "/pricing")
    visit(world, 2, "/about")
    assert tagged(world) == [1]


def test_e02_a_program_that_follows_a_link_lets_nobody_in(world: World) -> None:
    listening(world, {"name": "email.clicked"})
    visit(world, 1, "/pricing", **{"User-Agent": "Barracuda Sentinel (EE)"})
    assert tagged(world) == []


def test_e04_an_open_reported_twice_at_once_is_one(world: World) -> None:
    visit(world, 1, "open", times=3)
    digest.chore(world.engine(NOW + timedelta(hours=1)), lambda name, why: None)
    assert world.store.value("SELECT count(*) FROM events WHERE name = 'email.opened'") == 1


def test_e04_an_open_can_let_in_where_one_says_so(world: World) -> None:
    listening(world, {"name": "email.opened"})
    visit(world, 2, "open")
    assert tagged(world) == [2]


def test_r30_no_campaign_that_comes_with_macli_starts_from_an_open() -> None:
    for file in LIBRARY.glob("*/campaign.yaml"):
        entry = yaml.safe_load(file.read_text("utf-8"))["entry"]
        named = entry.get("event", [])
        named = named if isinstance(named, list) else [named]
        names = [one["name"] if isinstance(one, dict) else one for one in named]
        assert not any(name.startswith("email.opened") for name in names), file
        assert "opened" not in str(entry.get("whenever", "")), file


def test_r30_whoever_starts_a_campaign_from_opens_is_told_what_an_open_is_worth(tmp_path: Path, macli: Any) -> None:
    macli("init", str(tmp_path / "shop"))
    at = ("--workspace", str(tmp_path / "shop"))
    (tmp_path / "a.yaml").write_text("name: a\nentry: {event: email.opened}\nsteps:\n - tag: X\n", "utf-8")
    macli(*at, "apply", str(tmp_path / "a.yaml"))
    ran = macli(*at, "campaign", "activate", "a")
    assert ran.code == 0
    assert "starts from an open, which is a weak sign" in ran.err + ran.out


class Refusing:
    """A receiver that lets nobody's content in."""

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return self._refusal


@pytest.mark.parametrize(
    "refusal",
    [
        "550 5.7.26 This mail is unauthenticated, which poses a security risk",
        "550 5.7.515 Access denied, sending domain does not meet the required authentication level",
        "550 5.7.1 Message rejected: SPF check failed",
    ],
)
def test_r9_a_refusal_for_want_of_authentication_stops_the_campaign_and_blames_no_contact(
    tmp_path: Path, refusal: str
) -> None:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 20)
    (port,) = free_ports(1)
    controller = Controller(Refusing(refusal), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        use_smtp(world.store, port, connections=1)
        add_campaign(world.store)
        report = run_tick(world.engine())
    finally:
        controller.stop()
    assert list(report.paused) == ["spring"]
    assert world.states() == {"planned": 20}
    assert world.store.value("SELECT count(*) FROM suppressions") == 0
    assert world.store.value("SELECT count(*) FROM events WHERE name LIKE 'email.%'") == 0
