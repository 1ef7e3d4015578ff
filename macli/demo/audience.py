"""The demo's audience: who reads, who clicks, who has enough, and the programs before them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from macli.demo import recipients
from macli.demo.recipients import APPLE, BROWSERS, SCANNER, Browser, Mail
from macli.demo.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Done:
    """What the audience did with the mails of a campaign."""

    people: int
    clicks: int
    noes: int
    machines: int


@dataclass(kw_only=True)
class Audience:
    """Reads mails at moments of its own; the story's clock stands where it left it afterwards."""

    stage: Stage
    base: str
    browser: Browser

    @classmethod
    @contextmanager
    def of(cls, stage: Stage, base: str) -> "Iterator[Audience]":
        with recipients.browsing(base) as browser:
            yield cls(stage=stage, base=base, browser=browser)

    def mails(self, files: Iterable[Path]) -> list[Mail]:
        return list(recipients.mails(files, self.base))

    def read(self, mails: Sequence[Mail]) -> Done:
        """Of eight mails: three are read, one of these twice and one with a click; scanners and proxies do theirs."""
        started = self.stage.now
        people = clicks = noes = machines = 0
        for place, mail in enumerate(mails):
            self.stage.now = started + timedelta(seconds=3)
            turn, browser = place % 8, BROWSERS[place % len(BROWSERS)]
            if turn in (1, 6):
                self._scan(mail, SCANNER if turn == 1 else APPLE)
                machines += 1
            self.stage.now = started + timedelta(minutes=20 + 7 * place % 200)
            if turn in (0, 3, 6):
                self.browser.get(mail.pixel, browser)
                people += 1
            if turn == 3:
                self.stage.now += timedelta(minutes=1)
                self.browser.get(mail.links[0], browser)
                clicks += 1
            if place % 24 == 8:
                self.refuse(mail)
                noes += 1
        self.stage.now = started
        return Done(people=people, clicks=clicks, noes=noes, machines=machines)

    def open_each(self, mails: Sequence[Mail], start: datetime) -> None:
        """Each mail is opened, some minutes apart."""
        now = self.stage.now
        for place, mail in enumerate(mails):
            self.stage.now = start + timedelta(minutes=7 * place)
            self.browser.get(mail.pixel, BROWSERS[place % len(BROWSERS)])
        self.stage.now = now

    def refuse(self, mail: Mail) -> None:
        """What a mail program does for who presses its unsubscribe button (RFC 8058)."""
        self.browser.post(mail.unsubscribe, "List-Unsubscribe=One-Click", BROWSERS[0])

    def _scan(self, mail: Mail, agent: str) -> None:
        self.browser.get(mail.pixel, agent)
        if agent == SCANNER:
            for link in mail.links:
                self.browser.get(link, agent, method="HEAD")
                self.browser.get(link, agent)
