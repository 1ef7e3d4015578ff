"""What comes back: mailboxes that cannot be read, campaigns called spam, how much goes to Gmail."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

from macli.clock import to_ms
from macli.context import Macli
from macli.doctor.domains import organisation
from macli.doctor.finding import Finding, ok, warn

GMAIL_BULK = 5000
"""From so many mails a day to Gmail on, a domain is a bulk sender to it, and stays one for good."""

NEAR = 0.8


def mailboxes(macli: Macli) -> Iterator[Finding]:
    """Each mailbox that is read, and whether bounces have a way back at all."""
    from macli.store import mailboxes

    rows = mailboxes.list_all(macli.store)
    for row in rows:
        name = f"mailbox {row['name']}"
        if row["trouble"]:
            yield warn(name, row["trouble"], f"macli mail test {row['name']}")
        elif row["read_at"] is None:
            yield warn(name, "never read", "macli tick")
        else:
            yield ok(name, f"read {macli.out.when(row['read_at'])}")
    if not rows and macli.setting("bounces.address"):
        yield warn("bounces", "no mailbox is read: a pipe has to take them in", "macli mail add imap --help")


def complaints(macli: Macli) -> Iterator[Finding]:
    """The campaigns of whose mails too many are called spam."""
    from macli.tick.complaints import too_many

    stop = macli.setting("complaints.stop")
    for found in too_many(macli.store, macli.now(), macli.setting("complaints.warn")):
        hint = "paused at such a share" if found.share >= stop else f"paused at {100 * stop:g} %"
        yield warn(f"campaign {found.campaign}", str(found), hint)


def gmail(macli: Macli) -> Iterator[Finding]:
    """How many mails went to Gmail in a day, by the domain they came from."""
    rows = macli.store.rows(_TO_GMAIL, {"since": to_ms(macli.now() - timedelta(hours=24))})
    counted: Counter[str] = Counter()
    for row in rows:
        counted[organisation(_sender_domain(macli, row["campaign_id"], row["version"]))] += row["sends"]
    for domain, count in counted.most_common():
        words = f"{count} mails within 24 hours from {domain}"
        if count >= NEAR * GMAIL_BULK:
            yield warn("gmail", f"{words}; from {GMAIL_BULK} on it counts as a bulk sender", "macli doctor domain")
        else:
            yield ok("gmail", words)


def _sender_domain(macli: Macli, campaign_id: int | None, version: int | None) -> str:
    """The domain of a campaign's From; the settings' where it names none."""
    from macli.campaign import loading

    sender = None
    if campaign_id is not None and version is not None:
        sender = loading.load(macli.store, campaign_id, version).campaign.sender
    address = (sender and sender.email) or macli.setting("sender.email") or ""
    return str(address).rpartition("@")[2].lower() or "an unknown domain"


_TO_GMAIL = """
SELECT campaign_id, version, count(*) AS sends
FROM sends
WHERE left_at >= :since
  AND channel = 'email'
  AND (address LIKE '%@gmail.com' OR address LIKE '%@googlemail.com')
GROUP BY campaign_id, version
"""

QUESTIONS: tuple[Callable[[Macli], Iterator[Finding]], ...] = (mailboxes, complaints, gmail)
