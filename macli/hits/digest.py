"""The digest: new hits are judged and become events, once a message, kind, link and minute."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from macli import events
from macli.clock import to_ms
from macli.hits import rules as written
from macli.hits.judging import judge
from macli.hits.rules import CLASSES, Rules
from macli.model import Report
from macli.responses import hear
from macli.store import Store, ledger

if TYPE_CHECKING:
    from macli.tick.chores import Trouble
    from macli.tick.engine import Engine

SOURCE = "macli:hits"
CHUNK = 2000
"""Hits in a transaction: a sender beside it waits for some tens of milliseconds."""

NAMES: Mapping[tuple[str, str], str] = {
    ("open", "email"): "email.opened",
    ("click", "email"): "email.clicked",
    ("click", "sms"): "sms.clicked",
    ("click", "push"): "push.clicked",
}
"""What a hit of a kind on a message of a channel is called, when a person did it."""

_NEW = """
WHERE class IS NULL
  AND id > :after
  AND at <= :upto
ORDER BY id
LIMIT :limit
"""

# A second report of the same within the same minute is the same: a program that asks twice, a proxy
# beside its reader.
KEY = """
judged.kind || ':' || judged.send || ':' || coalesce(CAST(judged.link AS TEXT), judged.url, '')
  || ':' || (judged.at / 60000) || ':' || judged.class
"""

_HAPPENED = """
SELECT sends.contact_id, judged.at, {key} AS source_id, {properties} AS properties, sends.id AS send_id,
  sends.campaign_id
FROM judged
JOIN sends ON sends.id = judged.send
LEFT JOIN links ON links.id = judged.link
WHERE judged.kind = :kind
  AND judged.class = :class
  AND sends.channel = :channel
ORDER BY judged.at
"""

_UNWANTED = """
DELETE FROM hits
WHERE id IN (
  SELECT judged.id
  FROM judged
  JOIN sends ON sends.id = judged.send
  JOIN preferences ON preferences.contact_id = sends.contact_id
  WHERE preferences.untracked = 1
)
"""

_KEEP = f"""
UPDATE hits
SET class = judged.class, rule = judged.rule, rules_version = :version,
    ip = CASE WHEN EXISTS (SELECT 1 FROM sends WHERE sends.id = hits.send AND {ledger.RECIPIENT} IS NOT NULL)
         THEN hits.ip END
FROM judged
WHERE judged.id = hits.id
"""


def chore(engine: "Engine", trouble: "Trouble") -> int:
    """Digest every hit that has settled; how many."""
    rules = written.read(engine.workspace)
    digested, after = 0, 0
    while True:
        found, after = digest_some(engine.store, engine.now, rules, after=after)
        digested += found
        if found < CHUNK:
            return digested


def digest_some(store: Store, now: datetime, rules: Rules, *, after: int = 0, limit: int = CHUNK) -> tuple[int, int]:
    """Digest the next settled hits behind the id ``after``: how many, and the id of the last.

    What a person asked not to be recorded is deleted; the address of a request is kept only while the
    contact is.
    """
    params = {"after": after, "upto": to_ms(now) - rules.settle, "limit": limit}
    with store.write():
        found = judge(store, rules, _NEW, params)
        if not found:
            return 0, after
        last = int(store.value("SELECT max(id) FROM judged"))
        store.execute(_UNWANTED)
        store.execute("DELETE FROM judged WHERE id NOT IN (SELECT id FROM hits)")
        record(store, now)
        _arrived(store, now)
        store.execute(_KEEP, {"version": rules.version})
    return found, last


def _arrived(store: Store, now: datetime) -> None:
    """A message in doubt that a person opened or clicked has arrived; where it was to be sent again, it is not."""
    reports = [
        Report(source=SOURCE, source_id=f"arrived:{row['send']}", at=row["at"], state="delivered", send_id=row["send"])
        for row in store.rows(_IN_DOUBT)
    ]
    hear(store, now, reports)


# One that a server surely did not take is planned again without an address; a scanner there may have
# followed its links all the same.
_IN_DOUBT = """
SELECT judged.send, min(judged.at) AS at
FROM judged
JOIN sends ON sends.id = judged.send
WHERE judged.class = 'human'
  AND (sends.state = 'unknown' OR (sends.state = 'planned' AND sends.address IS NOT NULL))
GROUP BY judged.send
"""


def record(store: Store, now: datetime) -> None:
    """Record what the table ``judged`` says as events."""
    for kind, channel, of_class in store.rows(
        """
        SELECT DISTINCT judged.kind, sends.channel, judged.class
        FROM judged
        JOIN sends ON sends.id = judged.send
        """
    ):
        base = NAMES.get((kind, channel))
        if base is not None:
            events.record_select(
                store,
                now,
                name=event_name(base, of_class),
                source=SOURCE,
                select=_HAPPENED.format(key=KEY, properties=_properties(store, kind)),
                params={"kind": kind, "class": of_class, "channel": channel},
            )


def event_name(base: str, of_class: str) -> str:
    """``email.opened`` of a person, ``email.opened.machine`` of a program."""
    assert of_class in CLASSES
    return base if of_class == "human" else f"{base}.{of_class}"


def _properties(store: Store, kind: str) -> str:
    members = {"rule": "judged.rule"} if kind == "open" else _CLICKED
    return store.dialect.json_of(**members)


_CLICKED: Mapping[str, Any] = {
    "url": "coalesce(links.url, judged.url)",
    "link": "judged.link",
    "rule": "judged.rule",
}
