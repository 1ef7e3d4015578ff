"""What a person does in a real browser with a real server: says no, chooses, signs up, confirms; and what a scanner
does, which is nothing."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from macli.store import open_store
from tests.browser import chromium, pages, wait_for

pytestmark = pytest.mark.system("chromium")

SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}

LETTER = """\
<html lang="en"><body>
<h1>Hello {{ first_name }}</h1>
<p><a href="https://shop.example/teas">Our teas</a> and <a href="https://shop.example/wool?x=1&amp;y=2">our wool</a></p>
<p><a href="{{ preferences_url }}">What you get</a> <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
</body></html>
"""

FORM = """\
fields:
  - {name: first_name, label: Your first name, required: yes}
  - {name: email, label: Your e-mail address, required: yes}
consents:
  - channel: email
    topic: letter
    text: Yes, send me the letter once a month. I can stop it at any time.
    required: yes
double_opt_in: yes
submit: Send it to me
thanks: Thank you! Please look into your mailbox and confirm your address.
"""

PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tea and wool</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { margin: 0 auto; max-width: 600px; padding: 32px 20px; font: 18px/1.5 Georgia, serif; }</style></head>
<body><h1>A letter from the north</h1><p>Once a month: what came in, and what is worth knitting.</p>
{{ form("letter") }}</body></html>
"""


class Shop:
    """A workspace made by commands, served by a process of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = ""

    def macli(self, *args: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "macli", "--workspace", str(self.path), *args],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
        return done.stdout

    def mails(self) -> list[EmailMessage]:
        parser: BytesParser[EmailMessage] = BytesParser(EmailMessage, policy=policy.default)
        return [parser.parsebytes(file.read_bytes()) for file in sorted((self.path / "out").rglob("*.eml"))]

    def mail_to(self, address: str, subject: str) -> EmailMessage:
        [found] = [
            mail for mail in self.mails() if mail["To"].addresses[0].addr_spec == address and mail["Subject"] == subject
        ]
        return found

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_store(self.path / "macli.db") as store:
            return [tuple(row) for row in store.rows(sql)]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the store knows of people, but for raw hits."""
        return {
            table: self.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("contacts", "consents", "consent_log", "suppressions", "preferences", "contact_tags", "sends")
        }


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if named.get("href"):
            self.found.append((str(named["href"]), ""))

    def handle_data(self, text: str) -> None:
        if self.found and text.strip() and not self.found[-1][1]:
            self.found[-1] = (self.found[-1][0], text.strip())


def links(mail: EmailMessage) -> list[tuple[str, str]]:
    """(address, words) of each link of the HTML part."""
    part = mail.get_body(("html",))
    assert part is not None
    parser = _Links()
    parser.feed(part.get_content())
    return parser.found


def link(mail: EmailMessage, words: str) -> str:
    return next(url for url, said in links(mail) if said == words)


def addresses(mail: EmailMessage, site: str) -> set[str]:
    """Every address of the site in a mail, wherever it stands: links, pictures, styles, headers, the text part."""
    parts = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    texts = [*parts, str(mail["List-Unsubscribe"] or "")]
    return {unescape(url) for text in texts for url in re.findall(rf"{re.escape(site)}[^\s\"'<>)]*", text)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made, port = Shop(tmp_path / "shop"), free_port()
    made.url = f"http://127.0.0.1:{port}"
    subprocess.run([sys.executable, "-m", "macli", "init", str(made.path)], check=True, capture_output=True)
    for key, value in (
        ("public_url", made.url),
        ("sender.email", "news@shop.example"),
        ("sender.name", "North Light"),
        ("postal_address", "Laugavegur 1, Reykjavik"),
    ):
        made.macli("settings", "set", key, value)
    made.macli("topic", "create", "letter", "--title", "Letter from the north", "--description", "Once a month.")
    made.macli("topic", "create", "offers", "--title", "Offers", "--description", "Now and then, before holidays.")
    made.macli("template", "create", "hello", "--subject", "Spring is here", "--html", "-", stdin=LETTER)
    confirm = '<p>Hello {{ first_name }}, <a href="{{ confirm_url }}">yes, send it to me</a>.</p>'
    made.macli("template", "create", "confirm", "--subject", "Please confirm", "--html", "-", stdin=confirm)
    made.macli("form", "create", "letter", "--file", "-", stdin=FORM)
    made.macli("page", "create", "north", "--html", "-", stdin=PAGE)
    for name in ("ann", "bob", "eve"):
        made.macli("contact", "add", f"{name}@example.com", "--set", f"first_name={name.title()}")
    made.macli(
        "campaign", "create", "ask", "--on", "consent.requested", "--template", "confirm", "--purpose", "transactional"
    )
    made.macli("campaign", "activate", "ask")
    made.macli("campaign", "create", "spring", "--template", "hello", "--rule", "has email", "--topic", "letter")
    made.macli("campaign", "send", "spring", "--yes")
    command = [sys.executable, "-m", "macli", "--workspace", str(made.path), "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as served:
        try:
            wait_for(lambda: _answers(f"{made.url}/health"))
            yield made
        finally:
            served.send_signal(signal.SIGTERM)
            _, said = served.communicate(timeout=30)
        assert said == b"", "nothing went wrong inside the server"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


def seen(page: Any, name: str) -> None:
    """The page fits a phone and a desktop: nothing is cut off, nothing scrolls sideways, buttons can be hit.

    With MACLI_SCREENSHOTS=DIR there is a picture of each.
    """
    folder = os.environ.get("MACLI_SCREENSHOTS")
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name} scrolls sideways on a {size}"
        )
        for box in [button.bounding_box() for button in page.locator("button:visible").all()]:
            assert box["height"] >= 40, f"{name} has a button too small for a finger"
        if folder:
            page.screenshot(path=Path(folder) / f"{name}-{size}.png", full_page=True)


def send(page: Any) -> None:
    """Send the form, as late as a person does: what is sent within two seconds no person typed."""
    page.wait_for_timeout(2100)
    page.get_by_role("button").click()


def test_r2_a_person_unsubscribes_by_the_page_and_looking_at_it_was_not_enough(shop: Shop, browser: Any) -> None:
    page = browser.new_page()
    page.goto(link(shop.mail_to("ann@example.com", "Spring is here"), "Unsubscribe"))
    seen(page, "unsubscribe")
    assert shop.rows("SELECT * FROM consents") == []
    page.get_by_role("button").click()
    page.get_by_role("status").wait_for()
    seen(page, "unsubscribed")
    assert "ann@example.com" not in page.content(), "the page may be seen by others"
    said = shop.rows("SELECT email, channel, topic, status FROM consents JOIN contacts ON contacts.id = contact_id")
    assert said == [("ann@example.com", "email", "", "withdrawn")]
    shop.macli("campaign", "create", "again", "--template", "hello", "--rule", "has email")
    shop.macli("campaign", "send", "again", "--yes")
    again = [mail["To"].addresses[0].addr_spec for mail in shop.mails() if mail["Subject"] == "Spring is here"]
    assert sorted(again) == [
        "ann@example.com",
        "bob@example.com",
        "bob@example.com",
        "eve@example.com",
        "eve@example.com",
    ]


def test_p48_a_person_changes_what_they_get_without_javascript(shop: Shop, browser: Any) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(link(shop.mail_to("bob@example.com", "Spring is here"), "What you get"))
    page.get_by_label("Offers").uncheck()
    page.locator("select[name=often]").select_option("week")
    page.locator("select[name=pause]").select_option("30")
    page.get_by_role("button").first.click()
    assert page.get_by_role("status").is_visible()
    assert not page.get_by_label("Offers").is_checked()
    assert page.locator("select[name=often]").input_value() == "week"
    said = shop.rows("SELECT channel, topic, status FROM consents")
    assert ("email", "offers", "withdrawn") in said
    assert ("email", "", "withdrawn") not in said
    [(most, paused)] = shop.rows("SELECT most, paused_until_at FROM preferences")
    assert most == 1
    assert paused is not None
    scripted = browser.new_page()
    scripted.goto(page.url)
    seen(scripted, "preferences")
    assert shop.rows("SELECT count(*) FROM preferences") == [(1,)]


def test_p48_all_off_is_one_button(shop: Shop, browser: Any) -> None:
    page = browser.new_page()
    page.goto(link(shop.mail_to("eve@example.com", "Spring is here"), "What you get"))
    page.locator("button[name=off]").click()
    page.get_by_role("status").wait_for()
    seen(page, "all-off")
    said = shop.rows("SELECT channel, topic, status FROM consents WHERE topic = ''")
    assert ("email", "", "withdrawn") in said


def test_p16_r16_a_person_signs_up_on_a_landing_page_and_confirms(shop: Shop, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{shop.url}/p/north")
    seen(page, "landing")
    people = shop.rows("SELECT count(*) FROM contacts")

    # As a browser without checks of its own sends it: what is wrong is said beside the field, what was typed stays.
    page.evaluate("document.forms[0].noValidate = true")
    page.locator("[name=first_name]").fill("Gerða")
    page.locator("[name=email]").fill("gerda at example.com")
    send(page)
    page.locator("[aria-invalid=true]").first.wait_for()
    seen(page, "form-errors")
    assert page.locator("[name=first_name]").input_value() == "Gerða"
    assert shop.rows("SELECT count(*) FROM contacts") == people
    assert shop.rows("SELECT count(*) FROM events WHERE name = 'form.submitted'") == [(0,)]

    page.locator("[name=email]").fill("gerda@example.com")
    page.get_by_role("checkbox").check()
    send(page)
    page.get_by_text("Please look into your mailbox").wait_for()
    seen(page, "thank-you")
    of_gerda = "SELECT status, confirmed_at IS NOT NULL FROM consents JOIN contacts ON contacts.id = contact_id"
    of_gerda += " WHERE email = 'gerda@example.com' AND topic = 'letter'"
    assert shop.rows(of_gerda) == [("pending", 0)]

    shop.macli("tick")
    page.goto(link(shop.mail_to("gerda@example.com", "Please confirm"), "yes, send it to me"))
    seen(page, "confirm")
    assert shop.rows(of_gerda) == [("pending", 0)], "looking is not confirming"
    page.get_by_role("button").click()
    wait_for(lambda: shop.rows(of_gerda) == [("granted", 1)])
    seen(page, "confirmed")
    [(evidence,)] = shop.rows("SELECT evidence FROM consent_log WHERE status = 'granted' AND confirmed_at IS NOT NULL")
    assert "127.0.0.1" in evidence
    shop.macli("campaign", "create", "second", "--template", "hello", "--rule", "has email", "--topic", "letter")
    shop.macli("campaign", "send", "second", "--yes")
    assert shop.mail_to("gerda@example.com", "Spring is here")


def test_t5_the_tracker_s_page_is_a_visit_of_who_clicked(shop: Shop, browser: Any) -> None:
    html = f'<html><head><title>Teas</title></head><body><script src="{shop.url}/m.js" async></script></body></html>'
    with pages({"/teas": html}) as site:
        shop.macli("settings", "set", "tracker.domains", site.removeprefix("http://"))
        shop.macli("tick")
        page = browser.new_page()
        wait_for(lambda: _visited(shop, page, f"{site}/teas"))
    [(url,)] = shop.rows("SELECT DISTINCT properties ->> 'title' FROM events WHERE name = 'page.visited'")
    assert url == "Teas"


def _visited(shop: Shop, page: Any, url: str) -> bool:
    """Whether a visit to the page is recorded; a setting takes seconds to reach the server."""
    page.goto(url)
    page.wait_for_timeout(700)
    return shop.rows("SELECT count(*) FROM events WHERE name = 'page.visited'") != [(0,)]


def test_r2_a_scanner_that_follows_every_link_of_every_mail_changes_nothing(shop: Shop, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{shop.url}/p/north")
    page.locator("[name=first_name]").fill("Gerða")
    page.locator("[name=email]").fill("gerda@example.com")
    page.get_by_role("checkbox").check()
    send(page)
    page.get_by_text("Please look into your mailbox").wait_for()
    shop.macli("tick")
    mails = shop.mails()
    assert len(mails) == 4
    before = shop.everything()
    asked = []
    for mail in mails:
        for url in addresses(mail, shop.url):
            asked += [(method, _ask(method, url)) for method in ("GET", "HEAD")]
    assert len(asked) >= 2 * (3 * 5 + 1)
    assert {status for _, status in asked} <= {200, 302}
    shop.macli("tick")
    assert shop.everything() == before
    names = {name for (name,) in shop.rows("SELECT DISTINCT name FROM events")}
    assert not names & {"email.unsubscribed", "consent.withdrawn", "consent.granted", "preferences.changed"}
    clicks = json.loads(shop.macli("event", "list", "--name", "email.clicked", "--json"))
    assert clicks == [], "a scanner's burst is no person's click"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def _ask(method: str, url: str) -> int:
    opener = urllib.request.build_opener(_Stay)
    agent = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}
    try:
        with opener.open(urllib.request.Request(url, method=method, headers=agent), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_p49_a_person_is_erased_beside_a_running_server(shop: Shop, browser: Any) -> None:
    page = browser.new_page()
    page.goto(link(shop.mail_to("ann@example.com", "Spring is here"), "What you get"))
    page.get_by_label("Offers").uncheck()
    page.get_by_role("button").first.click()
    page.get_by_role("status").wait_for()
    remains = json.loads(shop.macli("contact", "erase", "ann@example.com", "--yes", "--json"))["remains"]
    assert any("outbox" in line for line in remains)
    assert not any("the store's file" in line for line in remains)
    for file in shop.path.glob("macli.db*"):
        assert file.is_dir() or b"ann@example.com" not in file.read_bytes().lower()
    page.reload()
    assert page.get_by_role("button").count() == 1, "nobody is left whose choices could be shown"
    assert _answers(f"{shop.url}/health")
