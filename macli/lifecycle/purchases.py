"""How often each contact bought, from the events: repeat purchases, the time of the last and of the first.

The purchases of a day (in UTC) are one, as in the published models, and what was taken back is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from macli.store import Row, Store, settings

DAY = 86_400_000
_CHUNK = 50_000


@dataclass(frozen=True, kw_only=True)
class Window:
    """Purchases from ``since`` to before ``until`` (UTC ms); ``split`` is the first day of those held out.

    A day is a number of days since 1970.
    """

    event: str
    since: int
    until: int
    split: int

    @property
    def last_day(self) -> int:
        return (self.until - 1) // DAY


def first_at(store: Store, event: str, since: int, until: int) -> int | None:
    """When the first of these purchases was made; None where there is none."""
    found: int | None = store.value(_FIRST, {"event": event, "since": since, "until": until})
    return found


_FIRST = """
SELECT min(at)
FROM events
WHERE name = :event
  AND contact_id IS NOT NULL
  AND at >= :since
  AND at < :until
"""


def gather(store: Store, window: Window) -> int:
    """Fill the temp table ``buyers`` with those contacts that bought in the window; how many they are.

    ``x`` counts the days of purchase behind the first, ``t_x`` the days between the first and the last, ``age``
    those since the first. ``valued`` and ``spent`` are of the repeat purchases with a value. What ends with
    ``_before`` is of the time before the split, NULL for who had bought nothing then; ``x_after`` is behind it.
    """
    for table in (_DAYS, _BUYERS):
        store.execute(table)
    for name in ("purchase_days", "buyers"):
        store.execute(f"DELETE FROM {name}")
    value = store.dialect.json_number("events.properties", settings.get(store, "purchases.value"))
    known = {
        "event": window.event,
        "since": window.since,
        "until": window.until,
        "day": DAY,
        "end": window.last_day,
        "split": window.split,
    }
    bought = _BOUGHT_LESS_REFUNDS if _gather_refunds(store, window) else _BOUGHT
    store.execute(_FILL_DAYS.format(bought=bought.format(value=value)), known)
    gathered = store.execute(_FILL_BUYERS, known)
    store.execute("DELETE FROM purchase_days")
    return gathered


# In the order of contact and day everything else is found without sorting again, as window functions would: they
# take a third longer.
_DAYS = """
CREATE TEMP TABLE IF NOT EXISTS purchase_days (
  contact_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  value REAL,
  PRIMARY KEY (contact_id, day)
) WITHOUT ROWID
"""

_BUYERS = """
CREATE TEMP TABLE IF NOT EXISTS buyers (
  contact_id INTEGER PRIMARY KEY,
  x INTEGER NOT NULL,
  t_x INTEGER NOT NULL,
  age INTEGER NOT NULL,
  valued INTEGER NOT NULL,
  spent REAL NOT NULL,
  x_before INTEGER,
  t_x_before INTEGER,
  age_before INTEGER,
  x_after INTEGER NOT NULL
)
"""

_FILL_DAYS = """
INSERT INTO purchase_days (contact_id, day, value)
SELECT contact_id, day, sum(value)
FROM ({bought}) AS bought
GROUP BY contact_id, day
"""

# Rounded, so that nothing spent is nothing and not a trace of how sums of money are kept.
_FILL_BUYERS = """
INSERT INTO buyers (contact_id, x, t_x, age, valued, spent, x_before, t_x_before, age_before, x_after)
SELECT found.contact_id, found.days - 1, found.last - found.first, :end - found.first,
  found.valued - CASE WHEN earliest.value IS NULL THEN 0 ELSE 1 END,
  round(CAST(coalesce(found.spent, 0.0) - coalesce(earliest.value, 0.0) AS NUMERIC), 6),
  CASE WHEN found.first < :split THEN found.days_before - 1 END,
  found.last_before - found.first,
  CASE WHEN found.first < :split THEN :split - 1 - found.first END,
  found.days - found.days_before
FROM (
  SELECT contact_id, count(*) AS days, min(day) AS first, max(day) AS last, count(value) AS valued,
    sum(value) AS spent, count(CASE WHEN day < :split THEN 1 END) AS days_before,
    max(CASE WHEN day < :split THEN day END) AS last_before
  FROM purchase_days
  GROUP BY contact_id
) AS found
JOIN purchase_days AS earliest
  ON earliest.contact_id = found.contact_id
  AND earliest.day = found.first
WHERE found.contact_id IN (SELECT id FROM contacts WHERE removed_at IS NULL)
"""

# The limit, which nothing reaches, has the value read before the rows are sorted by contact: without it the
# properties are sorted too.
_BOUGHT = """
    SELECT contact_id, at / :day AS day, {value} AS value
    FROM events
    WHERE name = :event
      AND contact_id IS NOT NULL
      AND at >= :since
      AND at < :until
    LIMIT 9223372036854775807
"""

# Less than its value taken back leaves a purchase of less value; all of it, or a value not said, leaves none.
_BOUGHT_LESS_REFUNDS = """
    SELECT events.contact_id, events.at / :day AS day, {value} - coalesce(refunded.value, 0) AS value
    FROM events
    LEFT JOIN refunded
      ON refunded.contact_id = events.contact_id
      AND refunded.purchase = events.properties ->> 'order'
    WHERE events.name = :event
      AND events.contact_id IS NOT NULL
      AND events.at >= :since
      AND events.at < :until
      AND (refunded.contact_id IS NULL OR refunded.value < {value})
    LIMIT 9223372036854775807
"""


def _gather_refunds(store: Store, window: Window) -> int:
    """Fill the temp table ``refunded`` with what was taken back of which order; how many orders that is."""
    names = {f"refund{place}": name for place, name in enumerate(settings.get(store, "purchases.refunds"))}
    store.execute(_REFUNDED)
    store.execute("DELETE FROM refunded")
    if not names:
        return 0
    value = store.dialect.json_number("properties", settings.get(store, "purchases.value"))
    marks = ", ".join(f":{name}" for name in names)
    return store.execute(_REFUNDS.format(value=value, names=marks), {**names, "until": window.until})


_REFUNDED = """
CREATE TEMP TABLE IF NOT EXISTS refunded (
  contact_id INTEGER NOT NULL,
  purchase TEXT NOT NULL,
  value REAL,
  PRIMARY KEY (contact_id, purchase)
)
"""

_REFUNDS = """
INSERT INTO refunded (contact_id, purchase, value)
SELECT contact_id, (properties ->> 'order') || '' AS order_key,
  CASE count(*) WHEN count({value}) THEN sum(abs({value})) END
FROM events
WHERE name IN ({names})
  AND contact_id IS NOT NULL
  AND at < :until
  AND properties ->> 'order' <> ''
GROUP BY contact_id, order_key
"""


def repeat_buyers(store: Store) -> int:
    """How many of the gathered bought again."""
    return int(store.value("SELECT count(*) FROM buyers WHERE x > 0"))


def histories(store: Store) -> Iterator[Row]:
    """(x, t_x, age, how many contacts have just these), in days."""
    return store.stream(_HISTORIES)


_HISTORIES = """
SELECT x, t_x, age, count(*) AS contacts
FROM buyers
GROUP BY x, t_x, age
"""


def histories_before(store: Store) -> Iterator[Row]:
    """The same as of the split, with how often all of them bought behind it and how many of them did."""
    return store.stream(_HISTORIES_BEFORE)


_HISTORIES_BEFORE = """
SELECT x_before, t_x_before, age_before, count(*) AS contacts, sum(x_after) AS bought,
  count(CASE WHEN x_after > 0 THEN 1 END) AS buyers
FROM buyers
WHERE x_before IS NOT NULL
GROUP BY x_before, t_x_before, age_before
"""


def values(store: Store) -> Iterator[Row]:
    """(purchases, their mean value) of each contact with repeat purchases of some value."""
    return store.stream(_VALUES)


_VALUES = """
SELECT valued, spent / valued AS mean
FROM buyers
WHERE valued > 0
  AND spent > 0
"""


def chunks(store: Store) -> Iterator[list[Any]]:
    """The gathered in the order of their ids, some ten thousand at a time: (id, x, t_x, age, valued, spent)."""
    last = -1
    while rows := store.rows(_CHUNKS, {"after": last, "most": _CHUNK}):
        yield rows
        last = rows[-1]["contact_id"]


_CHUNKS = """
SELECT contact_id, x, t_x, age, valued, spent
FROM buyers
WHERE contact_id > :after
ORDER BY contact_id
LIMIT :most
"""
