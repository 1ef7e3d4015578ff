"""The demo runs to its end, and what it says is so."""

import email
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli.demo.people import population
from macli.demo.stage import Stage, quoted, shortened
from macli.errors import OperationFailed
from macli.store import open_store
from tests.site import serving
from tests.world import World

CONTACTS = 300
NOW = datetime(2026, 7, 15, 10, tzinfo=UTC)
SALE = "Summer Sale"


@dataclass(frozen=True, kw_only=True)
class Told:
    """A whole demo: what it wrote, what it left behind and how long it took."""

    code: int
    out: str
    err: str
    shop: Path
    seconds: float

    def rows(self, sql: str, **params: object) -> list[sqlite3.Row]:
        with closing(sqlite3.connect(self.shop / "macli.db")) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, params).fetchall()

    def number(self, sql: str, **params: object) -> int:
        return int(self.rows(sql, **params)[0][0])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    home = tmp_path_factory.mktemp("demo") / "here"
    surroundings = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "macli", "demo", "--contacts", str(CONTACTS), "--keep", str(home)],
        # A workspace the person has is none of the demo's business.
        env={**surroundings, "MACLI_NOW": "2026-07-15T06:30:00Z", "MACLI_WORKSPACE": "/nowhere", "TZ": "Asia/Tokyo"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    seconds = time.monotonic() - started
    return Told(code=done.returncode, out=done.stdout, err=done.stderr, shop=home / "shop", seconds=seconds)


def test_the_demo_tells_all_its_acts_in_plain_text_and_in_time(told: Told) -> None:
    assert told.code == 0, told.err
    assert told.err == ""
    assert "\x1b" not in told.out
    assert re.findall(r"^━━ (\d+) ", told.out, re.M) == [str(number) for number in range(1, 16)]
    assert told.seconds < 20


def test_the_seasonal_campaign_of_the_requirement_is_there_by_name(told: Told) -> None:
    assert '$ macli segment create "VIP Clients" --rule "orders >= 4' in told.out
    assert '$ macli segment preview "VIP Clients" --sample 5' in told.out
    assert '$ macli category create "Email Promotions" --color teal' in told.out
    assert f'campaign create "{SALE}" --channel email --segment "VIP Clients"' in told.out
    (found,) = told.rows(
        """
        SELECT categories.name AS category, segments.name AS segment, campaigns.state
        FROM campaigns
        JOIN categories ON categories.id = campaigns.category_id
        JOIN campaign_segments ON campaign_segments.campaign_id = campaigns.id
        JOIN segments ON segments.id = campaign_segments.segment_id
        WHERE campaigns.name = :name
        """,
        name=SALE,
    )
    assert tuple(found) == ("Email Promotions", "VIP Clients", "finished")


def test_the_import_takes_everybody_once_and_refuses_three_rows_with_their_reasons(told: Told) -> None:
    assert f"{CONTACTS} added, 0 updated, 3 unchanged, 3 refused" in told.out
    for reason in ("'grace.hall@' is no e-mail address", "'+48 12' is no phone number"):
        assert reason in told.out
    assert told.number("SELECT count(*) FROM contacts") == CONTACTS + 40


def test_every_vip_is_accounted_for_and_no_address_got_the_campaign_twice(told: Told) -> None:
    for campaign, ending in ((SALE, "eml"), ("Darjeeling", "sms")):
        states = {
            (row["state"], row["reason"]): row["number"]
            for row in told.rows(
                """
                SELECT sends.state, sends.reason, count(*) AS number
                FROM sends
                JOIN campaigns ON campaigns.id = sends.campaign_id
                WHERE campaigns.name = :campaign
                GROUP BY sends.state, sends.reason
                """,
                campaign=campaign,
            )
        }
        accepted = states.pop(("accepted", None))
        assert {state for state, _ in states} == {"skipped"}
        assert {"opted_out", "no_consent"} <= {reason for _, reason in states}
        enrolled = told.number(
            "SELECT count(*) FROM enrollments JOIN campaigns ON campaigns.id = campaign_id WHERE name = :campaign",
            campaign=campaign,
        )
        assert accepted + sum(states.values()) == enrolled
        files = outbox(told, campaign, ending)
        assert len(files) == accepted
        assert len(set(files)) == accepted


def outbox(told: Told, campaign: str, ending: str) -> list[str]:
    """The recipients of a campaign, by the files in the outbox."""
    ids = {
        row["id"]
        for row in told.rows(
            "SELECT sends.id FROM sends JOIN campaigns ON campaigns.id = campaign_id WHERE name = :campaign",
            campaign=campaign,
        )
    }
    found = []
    for file in told.shop.glob(f"out/*/*.{ending}"):
        if int(file.name.split("-")[0]) in ids:
            message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
            found.append(str(message["To"]))
    return found


def test_sending_again_does_nothing_and_says_so(told: Told) -> None:
    again = told.out.split(f'$ macli campaign send "{SALE}" --yes')[2]
    assert f"the campaign '{SALE}' is finished" in again
    assert "$ macli tick\nnothing due" in again
    mails = len(outbox(told, SALE, "eml"))
    assert f"{mails} mails have left, to {mails} different addresses." in told.out


def test_texts_went_to_those_who_agreed_and_by_day_where_they_live(told: Told) -> None:
    rows = told.rows(
        """
        SELECT contacts.timezone, sends.left_at, consents.status
        FROM sends
        JOIN contacts ON contacts.id = sends.contact_id
        LEFT JOIN consents ON consents.contact_id = contacts.id AND consents.channel = 'sms' AND consents.topic = ''
        WHERE sends.channel = 'sms'
          AND sends.state = 'accepted'
        """
    )
    assert {row["status"] for row in rows} == {"granted"}
    hours = [
        datetime.fromtimestamp(row["left_at"] / 1000, UTC).astimezone(ZoneInfo(row["timezone"])).hour for row in rows
    ]
    assert hours
    assert all(8 <= hour < 21 for hour in hours)
    assert " held" in told.out


def test_everybody_came_to_the_end_of_the_workflow_by_the_right_way(told: Told) -> None:
    ended = told.rows(
        "SELECT ended_as, count(*) AS n FROM enrollments JOIN campaigns ON campaigns.id = campaign_id"
        " WHERE name = 'Welcome' GROUP BY ended_as"
    )
    assert [tuple(row) for row in ended] == [("end", 40)]
    ways = told.rows(
        """
        SELECT steps.key,
               EXISTS (
                 SELECT 1
                 FROM events
                 WHERE events.contact_id = sends.contact_id
                   AND events.name = 'email.opened'
               ) AS opened,
               count(*) AS n
        FROM sends
        JOIN steps ON steps.id = sends.step_id
        WHERE steps.key IN ('thank-you', 'reminder')
        GROUP BY 1, 2
        """
    )
    assert {tuple(row) for row in ways} == {("thank-you", 1, 24), ("reminder", 0, 16)}


def test_who_unsubscribed_on_the_way_got_no_mail_after_it(told: Told) -> None:
    assert "$ curl --data List-Unsubscribe=One-Click http://127.0.0.1:" in told.out
    (found,) = told.rows(
        """
        SELECT contacts.email
        FROM events
        JOIN contacts ON contacts.id = events.contact_id
        JOIN campaigns ON campaigns.id = events.campaign_id
        WHERE events.name = 'email.unsubscribed'
          AND campaigns.name = 'Welcome'
        """
    )
    leaver = found["email"]
    rows = told.rows(
        """
        SELECT steps.key, sends.state, sends.reason
        FROM sends
        JOIN steps ON steps.id = sends.step_id
        JOIN contacts ON contacts.id = sends.contact_id
        WHERE contacts.email = :leaver
          AND sends.channel = 'email'
        ORDER BY sends.id
        """,
        leaver=leaver,
    )
    assert [tuple(row) for row in rows] == [("welcome", "accepted", None), ("reminder", "skipped", "opted_out")]


def test_what_recipients_did_is_in_the_report_people_apart_from_programs(told: Told) -> None:
    words = " ".join(told.out.split())
    said = re.search(
        r"(\d+) people opened their mail and (\d+) of them followed the link;"
        r" programs fetched (\d+) mails; (\d+) pressed",
        words,
    )
    assert said is not None
    counted = dict(
        tuple(row)
        for row in told.rows(
            """
            SELECT events.name, count(*)
            FROM events
            JOIN campaigns ON campaigns.id = events.campaign_id
            WHERE campaigns.name = :sale
            GROUP BY events.name
            """,
            sale=SALE,
        )
    )
    names = ("email.opened", "email.clicked", "email.opened.machine", "email.unsubscribed")
    assert [counted[name] for name in names] == [int(number) for number in said.groups()]
    assert min(int(number) for number in said.groups()) > 0
    assert told.number("SELECT count(*) FROM hits WHERE class IS NULL") == 0


def test_hot_leads_are_shown_with_what_made_them_hot(told: Told) -> None:
    act = told.out[told.out.index("Who is ready to buy") : told.out.index("Whose they are")]
    (shown,) = re.findall(r"\$ macli contact show (\S+)", act)
    assert re.search(r"^score +\d+ \(hot\)$", act, re.M)
    assert re.search(r"^next stage +\d+ points? more: Loyalty; for example ", act, re.M)
    assert re.search(r"^a purchase +\d+ +\d+ ", act, re.M)
    score = told.number(
        """
        SELECT sum(point_ledger.points)
        FROM point_ledger
        JOIN contacts ON contacts.id = point_ledger.contact_id
        WHERE contacts.email = :shown
          AND point_ledger.scope_id = 1
        """,
        shown=shown,
    )
    assert f"score       {score} (hot)" in act


def test_the_hot_ones_have_an_owner_and_the_hottest_a_task(told: Told) -> None:
    hot = told.number("SELECT count(*) FROM scores WHERE scope_id = 1 AND points >= 50")
    assert f"sigrun is now main owner of {hot} more contacts" in told.out
    assert told.number("SELECT count(*) FROM owners WHERE kind = 'main'") == hot > 0
    (task,) = told.rows(
        """
        SELECT staff.name, scores.points
        FROM tasks
        JOIN staff ON staff.id = tasks.assignee_id
        JOIN scores ON scores.contact_id = tasks.contact_id AND scores.scope_id = 1
        """
    )
    assert tuple(task) == ("sigrun", told.number("SELECT max(points) FROM scores WHERE scope_id = 1"))


@pytest.mark.system("spamassassin")
def test_a_mail_of_each_step_scores_under_one_with_spamassassin(told: Told) -> None:
    firsts = told.rows(
        "SELECT min(id) AS id FROM sends WHERE channel = 'email' AND state = 'accepted' GROUP BY step_id"
    )
    assert len(firsts) == 4
    scores = {}
    for row in firsts:
        (mail,) = told.shop.glob(f"out/*/{row['id']:08}-*.eml")
        octets = mail.read_bytes()
        date = str(email.message_from_bytes(octets)["Date"])
        received = f"Received: from nordurljos.example by mx.example with ESMTPS; {date}\n".encode()
        judged = subprocess.run(
            ["spamassassin", "-L", "-t"], input=received + octets, capture_output=True, timeout=120, check=True
        )
        found = re.search(rb"score=(-?[\d.]+)", judged.stdout)
        assert found is not None
        scores[mail.name] = float(found[1])
    assert {name: score for name, score in scores.items() if score >= 1} == {}


def test_the_addresses_it_ends_with_answer(told: Told) -> None:
    urls = re.findall(r"^(http://127\.0\.0\.1:\d+(/\S+))  +# ", told.out, re.M)
    assert [path[:3] for _, path in urls] == ["/p/", "/c/", "/pr"]
    world = World(path=told.shop, store=open_store(told.shop / "macli.db"))
    with serving(world) as client:
        statuses = [client.get(path).status_code for _, path in urls]
    assert statuses == [200, 302, 200]


def test_what_it_says_to_type_next_works(told: Told) -> None:
    lines = told.out.split("━━ Look around\n")[1].splitlines()
    commands = [line.split("  # ")[0].rstrip() for line in lines]
    typed = [command for command in commands if command.startswith("macli ") and "…" not in command]
    assert "macli tick" in typed
    for command in typed:
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {sys.executable} -m {command}"],
            cwd=told.shop,
            env={**os.environ, "MACLI_NOW": "2026-07-15T06:31:00Z"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert "1 enrolled" in done.stdout


def test_the_people_are_the_same_every_time() -> None:
    assert population(200, 5, NOW) == population(200, 5, NOW)


def test_every_person_has_an_address_of_their_own_and_what_they_bought_adds_up() -> None:
    customers, newcomers = population(2000, 40, NOW)
    assert len({person.email for person in (*customers, *newcomers)}) == 2040
    assert all(person.revenue == round(sum(order.total for order in person.orders), 2) for person in customers)
    assert all(order.at < NOW for person in customers for order in person.orders)
    assert len({person.country for person in customers}) >= 12
    assert {"el", "hi", "ja", "uk"} <= {person.language for person in customers}


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path, macli) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ran = macli("demo", "--keep", str(tmp_path))
    assert ran.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_act_that_fails_ends_the_demo_and_says_what_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(args, *, macli) -> int:
        print("macli: no such thing", file=sys.stderr)
        return 1

    stage = Stage(refuse, now=NOW)
    stage.act("Nothing works", "To see what happens.")
    with pytest.raises(OperationFailed) as failed:
        stage.macli("segment", "preview", "VIP Clients")
    assert failed.value.message == (
        "the act 'Nothing works' failed: macli segment preview \"VIP Clients\" ended with 1, not 0"
    )
    assert failed.value.hint == "macli: no such thing"


def test_words_are_quoted_as_people_quote_them() -> None:
    assert quoted("VIP Clients") == '"VIP Clients"'
    assert quoted("it's a $5 deal") == "'it'\"'\"'s a $5 deal'"
    assert quoted("Norðurljós") == "Norðurljós"
    assert quoted("") == '""'


def test_long_output_is_shortened_in_the_middle() -> None:
    text = "".join(f"line {number}\n" for number in range(9))
    assert shortened(text, 2, 1) == "line 0\nline 1\n… 6 lines more …\nline 8\n"
    assert shortened(text, 8) == text
    assert shortened(text, None) == text
