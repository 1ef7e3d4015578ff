"""The demo's story: a tea and wool shop in Reykjavík, told act by act by macli's own commands."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from macli.clock import system_clock
from macli.demo import lists, selling
from macli.demo.audience import Audience
from macli.demo.people import FILES, Person, population
from macli.demo.stage import Stage, quoted

NEWCOMERS = 40
VIPS = (
    "orders >= 4 and revenue >= 300 and "
    "(opened email within 30 days or event order.paid with total > 100 within 90 days)"
)
SMS = "{{ first_name }}, the late ferry brought first-flush Darjeeling: 48 tins, yours first. nordurljos.example/d"
SEASONS = ("Winter", "Spring", "Summer", "Autumn")


class Story:
    """One telling, in ``home``: every command runs in the workspace ``home/shop``."""

    def __init__(self, stage: Stage, home: Path, contacts: int) -> None:
        self.stage = stage
        self.home = home
        self.shop = home / "shop"
        self.first_day = stage.now
        self.customers, self.newcomers = population(contacts, NEWCOMERS, stage.now)
        self.sale = f"{SEASONS[stage.now.month % 12 // 3]} Sale"
        self.over = False

    def tell(self) -> None:
        started = time.monotonic()
        with _inside(self.home):
            self.open_the_shop()
            with _inside(self.shop), ExitStack() as open_doors:
                self.url = open_doors.enter_context(self.served())
                self.audience = open_doors.enter_context(Audience.of(self.stage, self.url))
                self.say_who_writes()
                self.import_the_list()
                self.remember()
                self.find_the_best()
                self.write_the_campaign()
                self.send_it_once()
                self.hear_the_answers()
                self.text_by_day()
                self.apply_a_workflow()
                self.let_days_pass()
                self.look_back()
                selling.see_who_is_ready(self.stage)
                selling.hand_over(self.stage)
                self.open_a_page()
                self.look_inside()
                self.say_goodbye(time.monotonic() - started)
                self.stay_open()

    @contextmanager
    def served(self) -> Iterator[str]:
        """The shop's macli serve, by the story's clock and, when that is over, by the real one; its address."""
        from macli.web.server import Place, free_port, in_background

        port = free_port("127.0.0.1", 0)
        place = Place(
            workspace=self.shop, store=self.shop / "macli.db", zone=ZoneInfo("UTC"), host="127.0.0.1", port=port
        )
        with in_background(place, self.clock):
            yield f"http://127.0.0.1:{port}"

    def clock(self) -> datetime:
        return system_clock() if self.over else self.stage.now

    def open_the_shop(self) -> None:
        self.stage.act(
            "A workspace",
            "Norðurljós sells tea and wool from Reykjavík to the world. Its marketing is one directory: a store, "
            "files, and an outbox instead of a provider, so nothing in this demo leaves the machine.",
        )
        self.day(0)
        self.stage.macli("init", "shop", first=1)
        self.stage.typed("cd", "shop")

    def say_who_writes(self) -> None:
        for key, value in (
            ("timezone", "Atlantic/Reykjavik"),
            ("sender.name", "Norðurljós"),
            ("sender.email", "hello@nordurljos.example"),
            ("postal_address", "Laugavegur 1, 101 Reykjavík"),
            ("public_url", self.url),
        ):
            self.stage.macli("settings", "set", key, value, first=0)

    def import_the_list(self) -> None:
        self.stage.act(
            "People",
            "A list as shops have them: names in a dozen scripts, the same customer twice in other letters, and "
            "rows that cannot be right. Those are refused, each with its line and the reason, and nothing else is.",
        )
        lists.write_customers(self.shop / "people.csv", self.customers)
        self.stage.macli("contact", "import", "people.csv")

    def remember(self) -> None:
        self.stage.act(
            "What they did",
            "Contacts have attributes and a past. Orders and opened mails come from the web shop; importing the "
            "same file again would add nothing.",
        )
        lists.write_history(self.shop / "history.ndjson", self.customers)
        self.stage.macli("event", "import", "history.ndjson")

    def find_the_best(self) -> None:
        self.stage.act(
            "A segment",
            "One rule, in words, over what people are and what they did. It is evaluated when it is used, so the "
            "segment is never out of date.",
        )
        self.stage.macli("segment", "create", "VIP Clients", "--rule", VIPS)
        self.stage.macli("segment", "preview", "VIP Clients", "--sample", "5")
        canadians = "country = Canada and opened email within 30 days"
        self.stage.macli("segment", "preview", "--sample", "0", "--rule", canadians)

    def write_the_campaign(self) -> None:
        self.stage.act(
            "A seasonal campaign, looked at before it leaves",
            'Under the category "Email Promotions", to the segment "VIP Clients". Without --yes, send only says\n'
            "what it would do, and whom it would leave out for what reason.",
        )
        shutil.copy(FILES / "offer.html", self.shop)
        self.stage.macli("category", "create", "Email Promotions", "--color", "teal")
        self.stage.macli(
            *("template", "create", "offer", "--category", "Email Promotions"),
            *("--subject", "{{ first_name }}, a fifth less until Sunday", "--html", "offer.html"),
        )
        self.stage.macli(
            *("campaign", "create", self.sale, "--channel", "email", "--segment", "VIP Clients"),
            *("--template", "offer", "--category", "Email Promotions"),
        )
        self.stage.macli("campaign", "send", self.sale, code=2)

    def send_it_once(self) -> None:
        self.stage.act(
            "Sent, once",
            "Each message is a row in a ledger, unique by campaign, step and contact. Sending again, a second "
            "tick, a crash in between: nobody gets it twice.",
        )
        self.stage.macli("campaign", "send", self.sale, "--yes")
        self.stage.macli("campaign", "send", self.sale, "--yes", code=2)
        self.stage.macli("tick")
        sent = self.stage.ask("message", "list", "--campaign", self.sale, "--state", "accepted")
        addresses = {message["address"] for message in sent}
        if not len(sent) == len(addresses) == len(self.messages("eml")):
            self.stage.fail(f"{len(sent)} messages to {len(addresses)} addresses, {len(self.messages('eml'))} files")
        self.stage.write()
        self.stage.tell(f"{len(sent)} mails have left, to {len(addresses)} different addresses.")

    def hear_the_answers(self) -> None:
        self.stage.act(
            "What comes back",
            "Every mail has a pixel and links of its own, and macli serve is listening. In the next hours people "
            "read, and programs do as programs do: a scanner at a company's door follows every link, Apple's proxy "
            "loads every picture. All of it is kept, and told apart.",
        )
        self.stage.write(f"\n$ macli serve --port {self.url.rpartition(':')[2]} &", style="bold cyan")
        mails = self.audience.mails(self.messages("eml"))
        done = self.audience.read(mails)
        self.stage.write()
        self.stage.tell(
            f"{done.people} people opened their mail and {done.clicks} of them followed the link; programs fetched "
            f"{done.machines} mails; {done.noes} pressed the unsubscribe button of their mail program."
        )
        self.tick_at("18:00")
        self.stage.macli("report", "campaign", self.sale)

    def text_by_day(self) -> None:
        self.stage.act(
            "Text messages, by daylight",
            "A text needs a yes, and it needs the day: it is 10:00 in Reykjavík, and night in Vancouver and in "
            "Auckland. Those messages wait; the tick of each morning lets them go.",
        )
        self.stage.macli(
            *("campaign", "create", "Darjeeling", "--channel", "sms", "--segment", "VIP Clients"),
            *("--sms", SMS, "--category", "Email Promotions"),
        )
        self.stage.macli("campaign", "send", "Darjeeling", code=2)
        self.stage.macli("campaign", "send", "Darjeeling", "--yes")
        for clock in ("13:00", "16:00", "23:00"):
            self.tick_at(clock)

    def apply_a_workflow(self) -> None:
        self.stage.act(
            "A workflow from a file",
            "Several steps are a file beside its mails, kept in git if you like. It lets in everybody who is new.",
        )
        shutil.copytree(FILES / "welcome", self.shop / "campaigns" / "welcome")
        self.stage.typed("cat", "campaigns/welcome/campaign.yaml")
        definition = (self.shop / "campaigns/welcome/campaign.yaml").read_text("utf-8")
        self.stage.yaml(definition[: definition.index("templates:")].rstrip())
        self.day(1)
        self.stage.macli("apply", "campaigns/")
        self.stage.macli("campaign", "activate", "Welcome")

    def let_days_pass(self) -> None:
        self.stage.act(
            "Six days in a minute",
            f"{NEWCOMERS} people leave their address at a fair, with three who are customers already. Cron would "
            "run the tick; here --at moves the clock.",
        )
        known = [person for person in self.customers if person.kind == "reader"][:3]
        lists.write_guests(self.shop / "fair.csv", self.newcomers, known)
        self.stage.macli("contact", "import", "fair.csv", "--fire-events", first=1, last=1)
        standing = [self.after_tick("10:00")]

        self.day(2)
        readers = [person for place, person in enumerate(self.newcomers) if place % 5 < 3]
        mails = {mail.to: mail for mail in self.audience.mails(self.messages("eml"))}
        self.audience.open_each([mails[person.email] for person in readers], self.stage.now - timedelta(hours=8))
        self.stage.tell(f"{len(readers)} of them read their first mail in the night. One had enough of it:")
        no = mails[self.leaver.email].unsubscribe
        self.stage.typed("curl", "--data", "List-Unsubscribe=One-Click", f"{self.url}{no}")
        self.audience.refuse(mails[self.leaver.email])

        self.day(3)
        standing.append(self.after_tick("11:00"))

        self.day(6)
        standing.append(self.after_tick("12:00"))
        standing.append(self.after_tick("23:00"))
        self.stage.write()
        self.stage.rows(_turned(standing), title="who stands where")
        name = f"{self.leaver.first_name} {self.leaver.last_name}"
        self.stage.tell(f"{name} unsubscribed on the second day: one mail less on the third, and no mail since.")

    def look_back(self) -> None:
        self.stage.act("What came of it", "Reports are counted from the ledger and from what came back.")
        self.stage.macli("report", "campaign", "Welcome")
        self.stage.macli("message", "list", "--contact", self.leaver.email)

    def open_a_page(self) -> None:
        self.stage.act(
            "A page and a form",
            "Landing pages and forms are components like templates, with versions. Who signs up is asked by mail to "
            "confirm; a stranger who types a customer's address changes nothing about her.",
        )
        shutil.copytree(FILES / "web", self.shop / "web")
        self.stage.typed("cat", "web/letter.yaml")
        self.stage.yaml((self.shop / "web/letter.yaml").read_text("utf-8").rstrip())
        shutil.copytree(_library() / "confirm-subscription", self.shop / "campaigns" / "confirm-subscription")
        self.stage.macli("topic", "create", "letter", "--title", "The letter from the north", first=0)
        self.stage.macli("apply", "campaigns/confirm-subscription", first=1)
        self.stage.macli("campaign", "activate", "confirm-subscription", first=0)
        self.stage.macli("form", "create", "letter", "--file", "web/letter.yaml", "--category", "Onboarding")
        self.stage.macli("page", "create", "tea", "--html", "web/tea.html", "--category", "Onboarding")

    def stay_open(self) -> None:
        """On a terminal the shop stays open, and its tick goes on, until Ctrl-C; a script goes on."""
        self.over = True
        if not self.stage.watched:
            return
        self.stage.write()
        self.stage.tell("The pages are open now, and a tick runs every few seconds. Ctrl-C closes the shop.")
        with suppress(KeyboardInterrupt):
            while True:
                self.stage.now = system_clock()
                self.stage.quietly("tick")
                time.sleep(5)

    def look_inside(self) -> None:
        self.stage.act(
            "Nothing is hidden",
            "Every message is a file in the outbox, as a mail server would have got it.",
        )
        for file, lines in ((self._plain_mail(), 22), (next(iter(self.messages("sms"))), 4)):
            self.stage.typed("head", f"-n{lines}", str(file.relative_to(self.shop)))
            self.stage.write("\n".join(file.read_text("utf-8").splitlines()[:lines]))

    def say_goodbye(self, seconds: float) -> None:
        mails, texts = len(self.messages("eml")), len(self.messages("sms"))
        self.stage.write()
        self.stage.tell(f"Six days, {mails} mails and {texts} texts, in {seconds:.1f} seconds.")
        someone = next(mail for mail in self.audience.mails(self.messages("eml")) if mail.to != self.leaver.email)
        self.stage.end(
            "In a browser",
            (
                (f"macli serve --port {self.url.rpartition(':')[2]}", "in the workspace, opens these pages"),
                (f"{self.url}/p/tea", "the landing page, with its form"),
                (f"{self.url}{someone.links[0]}", "a link of a mail: it is counted, and leads on"),
                (f"{self.url}{someone.unsubscribe.replace('/u/', '/prefs/')}", "what that reader may choose"),
            ),
        )
        self.stage.end(
            "Look around",
            (
                (f"cd {quoted(str(self.shop))}", "the workspace; it is yours, and every command works in it"),
                ("ls out/*/", "every message, one file each"),
                ("sqlite-utils tables macli.db --counts", "the store; or: datasette macli.db"),
                (
                    f"macli contact show {selling.hottest(self.stage)}",
                    "everything known of one person, and why its score",
                ),
                ("macli segment explain 'birthday is today or tagged \"no texts\"'", "a rule, its SQL and its plan"),
                (f"macli campaign recipients {quoted(self.sale)} --skipped", "who got nothing, and why"),
                ("macli contact add you@example.com --set first_name=You", "the workflow is alive, and its next"),
                ("macli tick", "welcomes you"),
                ("macli provider add smtp mine --host …", "when real mail is to leave"),
            ),
        )

    def messages(self, ending: str) -> list[Path]:
        return sorted(self.shop.glob(f"out/*/*.{ending}"))

    def _plain_mail(self) -> Path:
        """A mail to somebody whose name needs no encoding: the headers of the others are read by programs."""
        mails = self.messages("eml")
        return next((mail for mail in mails if "\nSubject: =?" not in mail.read_text("utf-8")), mails[0])

    @property
    def leaver(self) -> Person:
        """The newcomer who has enough of it on the second day: one who never opened a mail."""
        return self.newcomers[3]

    def day(self, number: int) -> None:
        """Let it be ten o'clock, so many days after the first."""
        self.stage.now = self.first_day + timedelta(days=number)
        title = f"{self.stage.now:%A, %-d %B}, ten o'clock in Reykjavík"
        self.stage.day(f"day {number}: {title}" if number else f"a week ago: {title}")

    def tick_at(self, clock: str) -> None:
        self.stage.macli("tick", "--at", f"{self.stage.now:%Y-%m-%d} {clock}")

    def after_tick(self, clock: str) -> dict[str, object]:
        """Where everybody stands after a tick at that time: messages by step, contacts that wait."""
        self.tick_at(clock)
        report = self.stage.ask("report", "campaign", "Welcome")
        steps = {step["step"]: step for step in report["steps"]}
        inside = {step["step"]: step["contacts"] for step in report["inside"]}

        def of(step: str, what: str = "sent") -> int | None:
            return steps[step][what] or None if step in steps else None

        return {
            "when": f"{self.stage.now:%a} {clock}",
            "welcome mails": of("welcome"),
            "  waiting 2 days": inside.get("first-wait"),
            "thank-yous": of("thank-you"),
            "reminders": of("reminder"),
            "  waiting 3 days": inside.get("second-wait"),
            "texts": of("text"),
            "  waiting for the morning": of("text", "waiting"),
            "at the end": sum(report["ended"].values()) or None,
        }


def _library() -> Path:
    """The campaigns that come with macli: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return package / "library" if (package / "library").exists() else package.parent / "campaigns"


def _turned(columns: list[dict[str, object]]) -> list[dict[str, object]]:
    """Records side by side: a row for each of their members."""
    return [
        {"": name, **{str(column["when"]): column[name] for column in columns}} for name in columns[0] if name != "when"
    ]


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """A block in which commands run in ``folder``, whatever workspace the surroundings name."""
    before, named = Path.cwd(), os.environ.pop("MACLI_WORKSPACE", None)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if named is not None:
            os.environ["MACLI_WORKSPACE"] = named
