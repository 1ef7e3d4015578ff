"""Deals: what may be sold to whom, as it is read, and what they come to."""

from macli.model import Where
from macli.store.connection import Row, Store
from macli.store.records import Records

COLUMNS = ("id", "title", "contact", "state", "funnel", "stage", "value", "currency", "owner", "created_at")
OPEN = ("funnel", "stage", "currency", "deals", "value")
CLOSED = ("currency", "won", "lost", "rate", "won_value", "lost_value")


_SELECT = """
SELECT deals.id, deals.title, coalesce(contacts.email, contacts.phone, contacts.external_id) AS contact, deals.state,
  funnels.name AS funnel, funnel_stages.name AS stage, deals.value, deals.currency, staff.name AS owner, deals.source,
  deals.created_at, deals.updated_at, deals.moved_at, deals.closed_at, deals.contact_id, deals.funnel_id,
  deals.stage_id, deals.owner_id
FROM deals
LEFT JOIN contacts ON contacts.id = deals.contact_id
LEFT JOIN funnels ON funnels.id = deals.funnel_id
LEFT JOIN funnel_stages ON funnel_stages.id = deals.stage_id
LEFT JOIN staff ON staff.id = deals.owner_id
WHERE {tests}
ORDER BY deals.created_at DESC, deals.id DESC
LIMIT :limit
"""

_RECORDS = Records(table="deals", noun="deal", command="macli deal list", select=_SELECT)
listed, get = _RECORDS.listed, _RECORDS.get
"""Deals, the latest first; one by its number."""


# What they come to: sums of floats, rounded to the decimal places a value can have.


def sums(store: Store, *wheres: Where) -> list[Row]:
    """What the deals come to, by state and currency."""
    params = {name: value for where in wheres for name, value in where.params.items()}
    tests = " AND ".join(("TRUE", *(where.sql for where in wheres)))
    return store.rows(_SUMS.format(tests=tests), params)


_SUMS = """
SELECT deals.state, deals.currency, count(*) AS deals, round(CAST(coalesce(sum(deals.value), 0) AS NUMERIC), 3) AS value
FROM deals
WHERE {tests}
GROUP BY deals.state, deals.currency
ORDER BY CASE deals.state WHEN 'open' THEN 1 WHEN 'won' THEN 2 ELSE 3 END, deals.currency
"""


def pipeline(store: Store) -> list[Row]:
    """What is open, by funnel, stage and currency."""
    return store.rows(_PIPELINE)


_PIPELINE = """
SELECT funnels.name AS funnel, funnel_stages.name AS stage, deals.currency, count(*) AS deals,
  round(CAST(coalesce(sum(deals.value), 0) AS NUMERIC), 3) AS value
FROM deals
LEFT JOIN funnels ON funnels.id = deals.funnel_id
LEFT JOIN funnel_stages ON funnel_stages.id = deals.stage_id
WHERE deals.state = 'open'
GROUP BY funnels.name, funnels.name_key, funnel_stages.name, funnel_stages.position, deals.currency
ORDER BY funnels.name_key IS NULL, funnels.name_key, funnel_stages.position, deals.currency
"""


def outcomes(store: Store, since_ms: int | None = None) -> list[Row]:
    """Won and lost deals by currency, those closed since a time; ``rate`` is won of both, 0 to 1."""
    return store.rows(_OUTCOMES, {"since": since_ms})


def outcomes_by_owner(store: Store, since_ms: int | None = None) -> list[Row]:
    """Won and lost deals by owner and currency; what is nobody's comes last."""
    return store.rows(_OUTCOMES_BY_OWNER, {"since": since_ms})


_CLOSED = """
count(*) FILTER (WHERE deals.state = 'won') AS won,
  count(*) FILTER (WHERE deals.state = 'lost') AS lost,
  round(CAST(1.0 * count(*) FILTER (WHERE deals.state = 'won') / count(*) AS NUMERIC), 3) AS rate,
  round(CAST(coalesce(sum(deals.value) FILTER (WHERE deals.state = 'won'), 0) AS NUMERIC), 3) AS won_value,
  round(CAST(coalesce(sum(deals.value) FILTER (WHERE deals.state = 'lost'), 0) AS NUMERIC), 3) AS lost_value
"""

_OUTCOMES = f"""
SELECT deals.currency, {_CLOSED}
FROM deals
WHERE deals.state <> 'open'
  AND (:since IS NULL OR deals.closed_at >= :since)
GROUP BY deals.currency
ORDER BY deals.currency
"""

_OUTCOMES_BY_OWNER = f"""
SELECT staff.name AS owner, deals.currency, {_CLOSED}
FROM deals
LEFT JOIN staff ON staff.id = deals.owner_id
WHERE deals.state <> 'open'
  AND (:since IS NULL OR deals.closed_at >= :since)
GROUP BY deals.owner_id, staff.name, staff.name_key, deals.currency
ORDER BY staff.name_key IS NULL, staff.name_key, deals.currency
"""
