"""Late words on messages: each finds its send, moves it on by rank, and becomes an event once.

| a send is | rank | a report moves it where its rank is higher |
|---|---|---|
| planned, claimed, sending | 0 | a report on it proves that it left: it is not sent again |
| unknown, or decided by a person | 1 | any report resolves it |
| accepted | 2 | |
| delivered | 3 | for good, where it is a text message |
| bounced, rejected, failed | 4 for mail, 3 else | a DSN may come days after a server took the mail |
| skipped | – | it never left; nothing moves it |
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from macli.clock import to_ms
from macli.events import record
from macli.model import NewEvent, Report
from macli.store import Row, Store, ledger

ONCE: frozenset[str] = frozenset(
    {
        "email.delivered",
        "email.bounced",
        "email.complained",
        "sms.delivered",
        "sms.failed",
        "sms.opted_out",
        "address.invalid",
        "push.expired",
    }
)
"""Events that are true of a message once, whoever reports them: a webhook and a DSN are one bounce."""

_LONGEST_WORDS = 300


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What a batch of reports came to.

    ``new`` recorded an event or moved a send, ``known`` said what was known, ``unknown`` were about
    messages that are not of this store.
    """

    new: int
    known: int
    unknown: int


def hear(store: Store, now: datetime, reports: Sequence[Report]) -> int:
    """Take reports on messages in; how many said something new."""
    return hear_all(store, now, reports).new


def hear_all(store: Store, now: datetime, reports: Sequence[Report]) -> Heard:
    """Take reports on messages in, in one pass for all of them."""
    if not reports:
        return Heard(new=0, known=0, unknown=0)
    with store.write(), store.whole():
        _note(store, now, reports)
        store.execute(_FIND_BY_REFERENCE)
        # An event is new once; what reports without one say is new where the send moves.
        silent = int(store.value(_MOVING))
        moved = store.execute(_MOVE, {"now": to_ms(now)})
        if moved:
            ledger.wake(store, _SETTLED, to_ms(now))
        new = silent + record(store, now, _events(store.rows(_NEWS), reports))
        unknown = int(store.value("SELECT count(*) FROM heard WHERE send_id IS NULL"))
    return Heard(new=new, known=len(reports) - new - unknown, unknown=unknown)


def _note(store: Store, now: datetime, reports: Sequence[Report]) -> None:
    """Put the reports into the temp table ``heard``, those that name their send with its id."""
    token = str(store.value("SELECT value FROM meta WHERE key = 'store'") or "local")[:8]
    store.execute(_HEARD)
    store.execute("CREATE INDEX IF NOT EXISTS temp.heard_send ON heard (send_id)")
    store.execute("DELETE FROM heard")
    store.executemany(
        _NOTE,
        (
            {
                "place": place,
                "send_id": report.send_id if report.send_id is not None else send_of(report.key, token),
                "reference": report.reference,
                "address": report.address,
                "state": report.state,
                "event": report.event,
                "once": report.event in ONCE,
                "at": min(report.at, to_ms(now)),
                "words": report.words[:_LONGEST_WORDS] or None,
            }
            for place, report in enumerate(reports)
        ),
    )


def send_of(key: str | None, token: str) -> int | None:
    """The send a message's key ``ID.TOKEN`` names, where it is one of the store with that token."""
    number, dot, own = (key or "").strip().partition(".")
    fits = dot and own == token and number.isascii() and number.isdigit() and len(number) < 19
    return int(number) if fits else None


def _events(rows: Iterable[Row], reports: Sequence[Report]) -> Iterable[NewEvent]:
    for row in rows:
        report = reports[row["place"]]
        assert report.event is not None
        yield NewEvent(
            contact_id=row["contact_id"],
            name=report.event,
            at=row["at"],
            source=report.source,
            source_id=report.source_id,
            properties={**report.properties, **({"words": row["words"]} if row["words"] else {})},
            send_id=row["send_id"],
            campaign_id=row["campaign_id"],
        )


_HEARD = """
CREATE TEMP TABLE IF NOT EXISTS heard (
  place INTEGER PRIMARY KEY,
  send_id INTEGER,
  reference TEXT,
  address TEXT,
  state TEXT,
  event TEXT,
  once INTEGER NOT NULL,
  at INTEGER NOT NULL,
  words TEXT
)
"""

_NOTE = """
INSERT INTO heard (place, send_id, reference, address, state, event, once, at, words)
VALUES (
  :place, (SELECT id FROM sends WHERE id = :send_id), :reference, :address, :state, :event, :once, :at, :words
)
"""

# A provider may give one id to a message to several recipients: the address tells them apart.
_FIND_BY_REFERENCE = """
UPDATE heard
SET send_id = (
  SELECT max(sends.id)
  FROM sends
  WHERE sends.reference = heard.reference
    AND (heard.address IS NULL OR sends.address IS NULL OR lower(sends.address) = lower(heard.address))
)
WHERE send_id IS NULL
  AND reference IS NOT NULL
"""


# Whatever is said of a message, of an open or a delay, says that its provider took it.
_STATE = "coalesce(heard.state, 'accepted')"
_RANK = ledger.rank(_STATE, "sends.channel")

# Of several reports on one send in a batch the one of the highest rank counts, the earliest of these.
_BEST = f"""
SELECT *
FROM (
  SELECT heard.*, {_STATE} AS shown,
         row_number() OVER (
           PARTITION BY heard.send_id
           ORDER BY {_RANK} DESC, heard.at, heard.place
         ) AS turn
  FROM heard
  JOIN sends ON sends.id = heard.send_id
  WHERE {_RANK} > {ledger.STANDING}
) AS ranked
WHERE turn = 1
"""

_MOVING = f"SELECT count(*) FROM ({_BEST}) AS best WHERE event IS NULL"

_MOVE = f"""
UPDATE sends
SET state = best.shown, reason = NULL, code = coalesce(best.words, code), settled_at = :now,
    left_at = coalesce(left_at, best.at), reference = coalesce(sends.reference, best.reference)
FROM ({_BEST}) AS best
WHERE sends.id = best.send_id
"""

_SETTLED = """
SELECT sends.id
FROM heard
JOIN sends ON sends.id = heard.send_id
WHERE sends.state NOT IN ('planned', 'claimed', 'sending')
"""

_NEWS = """
SELECT heard.place, heard.at, heard.words, sends.id AS send_id, sends.contact_id, sends.campaign_id
FROM heard
JOIN sends ON sends.id = heard.send_id
WHERE heard.event IS NOT NULL
  -- A text message is settled by the first final word on it: one that says the contrary later did not happen.
  AND (heard.state IS NULL OR sends.channel = 'email' OR (heard.state = 'delivered') = (sends.state = 'delivered'))
  AND NOT (
    heard.once
    AND (
      EXISTS (SELECT 1 FROM events WHERE events.send_id = heard.send_id AND events.name = heard.event)
      OR EXISTS (
        SELECT 1
        FROM heard AS first
        WHERE first.send_id = heard.send_id
          AND first.event = heard.event
          AND first.place < heard.place
      )
    )
  )
ORDER BY heard.place
"""
