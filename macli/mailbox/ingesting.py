"""From letters to reports: what each means for the message it is about, and taking it in once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from macli.clock import to_ms
from macli.mailbox import blame
from macli.mailbox.finding import Finder, Sent
from macli.mailbox.letter import Failure, Letter
from macli.mailbox.policy import Class, judge
from macli.mailbox.wishes import honour
from macli.model import Report, SendState
from macli.responses import hear
from macli.store import Store

SOURCE = "mailbox"


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What one letter amounts to: ``said`` in one word, the messages it is about, and the reports."""

    letter: Letter
    said: str
    about: tuple[Sent, ...] = ()
    reports: tuple[Report, ...] = ()


def understand(finder: Finder, letter: Letter) -> Understood:
    """What a letter means here; without a report where it is about none of our messages, or nothing follows."""
    match letter.kind:
        case "bounce":
            return _bounce(finder, letter)
        case "complaint":
            return _one(finder, letter, "complaint", _complained(finder, letter), "email.complained")
        case "unsubscribe":
            return _one(finder, letter, "unsubscribe", _leaver(finder, letter), "email.unsubscribed")
        case "letter":
            return _one(finder, letter, "reply", _answerer(finder, letter), "email.replied")
        case "automatic" | "unreadable":
            return Understood(letter=letter, said=letter.kind)


def take_in(store: Store, now: datetime, understood: Sequence[Understood]) -> int:
    """Let the reports take effect; how many said something new. Inside ``write`` it joins the transaction."""
    reports = [report for one in understood for report in one.reports]
    wishes = [one.letter for one in understood if one.letter.kind == "unsubscribe" and not one.reports]
    with store.write():
        new = hear(store, now, reports) + honour(store, now, wishes, SOURCE)
        refused = {
            sent.campaign_id
            for one in understood
            for sent in one.about
            if sent.campaign_id is not None and any(report.state == "rejected" for report in one.reports)
        }
        for campaign_id in sorted(refused):
            blame.pause_if_refused(store, now, campaign_id)
    return new


def _bounce(finder: Finder, letter: Letter) -> Understood:
    failures = [failure for failure in letter.failures if failure.action == "failed"]
    if not failures:
        return Understood(letter=letter, said="delayed")
    judged = [(failure, sent) for failure, sent in _blamed(finder, letter, failures)]
    reports = tuple(_failed(finder, letter, failure, sent) for failure, sent in judged)
    said = judge(failures[0].status, failures[0].said)
    return Understood(
        letter=letter, said=f"{said} bounce", about=tuple(dict.fromkeys(sent for _, sent in judged)), reports=reports
    )


def _blamed(finder: Finder, letter: Letter, failures: Sequence[Failure]) -> Iterator[tuple[Failure, Sent]]:
    """Each failure that counts with the message it is about."""
    sent = finder.signed(letter) or finder.named(letter.marks.keys, _addresses(failures))
    if sent is not None:
        own = [failure for failure in failures if sent.address in (failure.address, failure.original)]
        # Of others only a signed mark tells that they are about this message: it was forwarded.
        yield (own or failures)[0], sent
    elif not finder.marked:
        for failure in failures:
            found = next(filter(None, map(finder.addressed, filter(None, _addresses([failure])))), None)
            if found is not None:
                yield failure, found


def _addresses(failures: Iterable[Failure]) -> list[str]:
    return [address for failure in failures for address in (failure.address, failure.original)]


def _failed(finder: Finder, letter: Letter, failure: Failure, sent: Sent) -> Report:
    what = judge(failure.status, failure.said)
    if what == "hard" and not _is_own(failure, sent):
        # Where our recipient has its mail forwarded to, the address is dead; ours may be well.
        what = "soft"
    return Report(
        source=SOURCE,
        source_id=f"{letter.id}:{sent.id}:{what}",
        at=_at(finder, letter, sent),
        event=_EVENTS[what],
        state=_STATES[what],
        send_id=sent.id,
        words=f"{failure.status} {failure.said}".strip(),
        properties={"code": failure.status, **({} if _is_own(failure, sent) else {"forwarded": True})},
    )


_EVENTS: dict[Class, str | None] = {
    "hard": "email.bounced",
    "soft": "email.soft_bounced",
    "refused": None,
    "sender": None,
}
_STATES: dict[Class, SendState] = {"hard": "bounced", "soft": "failed", "refused": "rejected", "sender": "rejected"}


def _is_own(failure: Failure, sent: Sent) -> bool:
    """Whether it is our recipient's address that failed: named, not named at all, or an alias at its host."""
    if not failure.address or sent.address == failure.address:
        return True
    return failure.address.rpartition("@")[2] == sent.address.rpartition("@")[2]


def _complained(finder: Finder, letter: Letter) -> Sent | None:
    found = finder.signed(letter) or finder.named(letter.marks.keys, letter.concerns)
    if found is None and not finder.marked:
        found = next(filter(None, map(finder.addressed, letter.concerns)), None)
    return found


def _leaver(finder: Finder, letter: Letter) -> Sent | None:
    """A signed mark may come from another address than the one it was sent to; a bare key may not."""
    return finder.signed(letter) or finder.named(letter.marks.keys, [letter.sender]) or _answerer(finder, letter)


def _answerer(finder: Finder, letter: Letter) -> Sent | None:
    """The message that is answered: by a colleague too, or the last one to who writes."""
    return (
        finder.signed(letter)
        or finder.named(letter.answers, [letter.sender], domain_will_do=True)
        or finder.addressed(letter.sender)
    )


def _one(finder: Finder, letter: Letter, said: str, sent: Sent | None, event: str) -> Understood:
    if sent is None:
        return Understood(letter=letter, said=said)
    report = Report(
        source=SOURCE,
        source_id=f"{letter.id}:{event}",
        at=_at(finder, letter, sent),
        event=event,
        state="delivered",  # nobody answers or complains about what did not arrive
        send_id=sent.id,
        properties=_properties(letter, event),
    )
    return Understood(letter=letter, said=said, about=(sent,), reports=(report,))


def _properties(letter: Letter, event: str) -> dict[str, str]:
    if event == "email.replied":
        return {"subject": letter.subject}
    return {"feedback": letter.feedback} if event == "email.complained" else {"way": "mail"}


def _at(finder: Finder, letter: Letter, sent: Sent) -> int:
    """When it was written, by its own word where that can be: after our message and before now."""
    now = to_ms(finder.now)
    return now if letter.at is None or not sent.left_at <= letter.at <= now else letter.at
