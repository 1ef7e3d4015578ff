"""The SQL that sorts contacts into the bands of an RFM report, for all of them or for a few."""

from macli.store import Store

EVER = -(2**62)
"""A time before all others."""
NO_END = 2**62
"""An id behind all others."""

_TABLES = (
    "CREATE TEMP TABLE IF NOT EXISTS rfm_who (contact_id INTEGER PRIMARY KEY)",
    """
    CREATE TEMP TABLE IF NOT EXISTS rfm_refunds (
      contact_id INTEGER NOT NULL,
      order_key TEXT,
      at INTEGER NOT NULL,
      value REAL,
      fits INTEGER NOT NULL
    )
    """,
    """
    CREATE TEMP TABLE IF NOT EXISTS rfm_found (
      contact_id INTEGER PRIMARY KEY,
      last_at INTEGER NOT NULL,
      purchases INTEGER NOT NULL,
      value REAL NOT NULL,
      recency TEXT NOT NULL,
      frequency TEXT NOT NULL,
      monetary TEXT NOT NULL,
      moves_at INTEGER,
      unvalued INTEGER NOT NULL
    )
    """,
    """
    CREATE TEMP TABLE IF NOT EXISTS rfm_moved (
      report_id INTEGER NOT NULL,
      contact_id INTEGER NOT NULL,
      old_recency TEXT,
      old_frequency TEXT,
      old_monetary TEXT,
      recency TEXT,
      frequency TEXT,
      monetary TEXT,
      PRIMARY KEY (report_id, contact_id)
    )
    """,
)


def clear(store: Store, report_id: int) -> None:
    """Make the temp tables that one look at a report fills, and make them empty."""
    for table in _TABLES:
        store.execute(table)
    for name in ("rfm_who", "rfm_refunds", "rfm_found"):
        store.execute(f"DELETE FROM {name}")
    # What is to be told of other reports stays until it was.
    store.execute("DELETE FROM rfm_moved WHERE report_id = :report", {"report": report_id})


NEW = """
SELECT DISTINCT contact_id
FROM events
WHERE id > :first
  AND id <= :last
  AND name || '' IN ({names})
  AND contact_id IS NOT NULL
"""

WHO = """
INSERT INTO rfm_who (contact_id)
SELECT id
FROM contacts
WHERE id IN ({ids})
  AND state <> 'erased'
"""

EVERYBODY = "events WHERE events.contact_id IS NOT NULL"
SOME = "rfm_who CROSS JOIN events WHERE events.contact_id = rfm_who.contact_id"
"""Whose events are looked at; for few contacts an index leads to them."""

OF_SOME = "old.contact_id IN (SELECT contact_id FROM rfm_who)"

# The limit, which nothing reaches, has the value read before the lines are sorted by contact. Without it the
# properties are sorted too, and everything takes 1.7 times as long.
PURCHASES = """
SELECT events.contact_id, events.at, {value} AS value, 1 AS bought
FROM {among}
  AND events.name = :purchase
  AND {fits}
LIMIT 9223372036854775807
"""
"""What counts for a contact, line by line: ``bought`` is 1 where it is a purchase that was not taken back."""

REFUNDS = """
INSERT INTO rfm_refunds (contact_id, order_key, at, value, fits)
SELECT events.contact_id, nullif((events.properties ->> 'order') || '', ''), events.at, abs({value}),
  CASE WHEN {fits} THEN 1 ELSE 0 END
FROM {among}
  AND events.name IN ({names})
"""

UNSURE = """
DELETE FROM rfm_found
WHERE contact_id IN (SELECT contact_id FROM rfm_refunds)
"""

# Only contacts with a refund are looked at so closely. An order that a refund without a value names is as if
# it had never been; one that refunds with values name is worth what they left of it, at the purchase's time.
REFUNDED = """
WITH bought AS MATERIALIZED (
  SELECT events.contact_id, events.at, {value} AS value, (events.properties ->> 'order') || '' AS order_key
  FROM (SELECT DISTINCT contact_id FROM rfm_refunds) AS refunded
  CROSS JOIN events
  WHERE events.contact_id = refunded.contact_id
    AND events.name = :purchase
    AND {fits}
), named AS MATERIALIZED (
  SELECT contact_id, order_key, CASE WHEN count(value) = count(*) THEN sum(value) END AS value
  FROM rfm_refunds
  WHERE order_key IS NOT NULL
  GROUP BY contact_id, order_key
)
SELECT kept.contact_id, kept.at, kept.value, 1 AS bought
FROM bought AS kept
WHERE NOT EXISTS (
    SELECT 1
    FROM named
    WHERE named.contact_id = kept.contact_id
      AND named.order_key = kept.order_key
  )
UNION ALL
SELECT named.contact_id, min(bought.at),
  CASE WHEN sum(bought.value) > named.value THEN sum(bought.value) - named.value ELSE 0 END, 0
FROM named
JOIN bought ON bought.contact_id = named.contact_id
  AND bought.order_key = named.order_key
WHERE named.value IS NOT NULL
GROUP BY named.contact_id, named.order_key, named.value
UNION ALL
SELECT lone.contact_id, lone.at, -lone.value, 0
FROM rfm_refunds AS lone
WHERE lone.fits = 1
  AND NOT EXISTS (
    SELECT 1
    FROM bought
    WHERE bought.contact_id = lone.contact_id
      AND bought.order_key = lone.order_key
  )
"""

# Money is rounded, so that the order in which it is added up makes no difference at a threshold.
FOUND = """
INSERT INTO rfm_found (contact_id, last_at, purchases, value, recency, frequency, monetary, moves_at, unvalued)
SELECT contact_id, last_at, purchases, value,
  CASE
    WHEN :now - last_at <= :short THEN 'short'
    WHEN :now - last_at <= :medium THEN 'medium'
    ELSE 'long'
  END,
  CASE
    WHEN purchases >= :common THEN 'common'
    WHEN purchases >= :regular THEN 'regular'
    ELSE 'casual'
  END,
  CASE
    WHEN value >= :spender THEN 'spender'
    WHEN value >= :middle THEN 'medium'
    ELSE 'saver'
  END,
  CASE
    WHEN passes_at <= leaves_at OR leaves_at IS NULL THEN passes_at
    ELSE leaves_at
  END,
  unvalued
FROM (
  SELECT contact_id, last_at, purchases, value, unvalued,
    CASE
      WHEN :now - last_at <= :short THEN last_at + :short + 1
      WHEN :now - last_at <= :medium THEN last_at + :medium + 1
    END AS passes_at,
    first_at + :window + 1 AS leaves_at
  FROM (
    SELECT contact_id,
      max(CASE WHEN bought = 1 THEN at END) AS last_at,
      sum(CASE WHEN bought = 1 AND at >= :since THEN 1 ELSE 0 END) AS purchases,
      coalesce(round(CAST(sum(CASE WHEN at >= :since THEN value END) AS NUMERIC), 6), 0) AS value,
      min(CASE WHEN at >= :since THEN at END) AS first_at,
      count(*) - count(value) AS unvalued
    FROM ({lines}) AS lines
    GROUP BY contact_id
  ) AS summed
  WHERE last_at IS NOT NULL
) AS placed
"""

# Few are erased and an index leads to them, so they are left out at the end and not at each event.
ERASED = """
DELETE FROM rfm_found
WHERE contact_id IN (SELECT id FROM contacts WHERE removed_at IS NOT NULL AND state = 'erased')
"""

# Of few contacts anything is ever different, so what is written goes by what is.
MOVED = """
INSERT INTO rfm_moved (
  report_id, contact_id, old_recency, old_frequency, old_monetary, recency, frequency, monetary
)
SELECT :report, found.contact_id, old.recency, old.frequency, old.monetary, found.recency, found.frequency,
  found.monetary
FROM rfm_found AS found
LEFT JOIN rfm_bands AS old ON old.report_id = :report
  AND old.contact_id = found.contact_id
WHERE old.contact_id IS NULL
  OR old.last_at <> found.last_at
  OR old.purchases <> found.purchases
  OR old.value <> found.value
  OR old.recency <> found.recency
  OR old.frequency <> found.frequency
  OR old.monetary <> found.monetary
  OR old.moves_at IS DISTINCT FROM found.moves_at
UNION ALL
SELECT :report, old.contact_id, old.recency, old.frequency, old.monetary, NULL, NULL, NULL
FROM rfm_bands AS old
WHERE old.report_id = :report
  AND {old}
  AND NOT EXISTS (SELECT 1 FROM rfm_found WHERE rfm_found.contact_id = old.contact_id)
"""

AHEAD = """
SELECT max(contact_id) AS upto, count(*) AS contacts
FROM (
  SELECT contact_id
  FROM rfm_moved
  WHERE report_id = :report
    AND contact_id > :after
  ORDER BY contact_id
  LIMIT :most
) AS ahead
"""
"""The next contacts to be written."""

_RANGE = """report_id = :report
  AND contact_id > :after
  AND contact_id <= :upto"""

# What was read of them may be out of date: whoever looked at them since wrote what is true.
LEFT_ALONE = f"""
DELETE FROM rfm_moved
WHERE {_RANGE}
  AND (
    contact_id IN (SELECT contact_id FROM rfm_looked_at WHERE report_id = :report)
    OR NOT EXISTS (SELECT 1 FROM contacts WHERE contacts.id = rfm_moved.contact_id AND contacts.state <> 'erased')
  )
"""

_SAME_BANDS = """moved.old_recency = moved.recency
  AND moved.old_frequency = moved.frequency
  AND moved.old_monetary = moved.monetary"""

# Most stay in their bands. Written like the others, they would be taken out of the indexes of bands and put in again.
NUMBERS = f"""
UPDATE rfm_bands
SET last_at = found.last_at, purchases = found.purchases, value = found.value, moves_at = found.moves_at
FROM rfm_moved AS moved
JOIN rfm_found AS found ON found.contact_id = moved.contact_id
WHERE rfm_bands.report_id = :report
  AND rfm_bands.contact_id = moved.contact_id
  AND moved.report_id = :report
  AND moved.contact_id > :after
  AND moved.contact_id <= :upto
  AND {_SAME_BANDS}
"""

# Numbers alone are nobody's business.
STAYED = f"""
DELETE FROM rfm_moved AS moved
WHERE {_RANGE}
  AND {_SAME_BANDS}
"""

WRITE = f"""
INSERT INTO rfm_bands (report_id, contact_id, last_at, purchases, value, recency, frequency, monetary, moves_at)
SELECT :report, contact_id, last_at, purchases, value, recency, frequency, monetary, moves_at
FROM rfm_found
WHERE contact_id IN (SELECT contact_id FROM rfm_moved WHERE {_RANGE})
ON CONFLICT (report_id, contact_id) DO UPDATE
SET last_at = excluded.last_at, purchases = excluded.purchases, value = excluded.value,
  recency = excluded.recency, frequency = excluded.frequency, monetary = excluded.monetary,
  moves_at = excluded.moves_at
"""

GONE = f"""
DELETE FROM rfm_bands
WHERE report_id = :report
  AND contact_id IN (SELECT contact_id FROM rfm_moved WHERE {_RANGE} AND recency IS NULL)
"""

# Rules that ask for bands look at these contacts again.
TOUCH = f"""
UPDATE contacts
SET updated_at = :now
WHERE id IN (SELECT contact_id FROM rfm_moved WHERE {_RANGE})
"""

# While a changed report is being computed, a contact's bands may be those of the definition before.
SILENT = """
DELETE FROM rfm_moved
WHERE report_id = :report
  AND contact_id > :settled_to
  AND contact_id NOT IN (SELECT contact_id FROM rfm_looked_at WHERE report_id = :report)
"""

LOOKED_AT = """
INSERT INTO rfm_looked_at (report_id, contact_id)
SELECT :report, contact_id
FROM rfm_who
WHERE true
ON CONFLICT DO NOTHING
"""

TOLD = """
SELECT moved.contact_id, :now AS at, NULL AS source_id, {properties} AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM (
  SELECT contact_id, 'recency' AS dimension, old_recency AS old, recency AS new
  FROM rfm_moved
  WHERE report_id = :report
  UNION ALL
  SELECT contact_id, 'frequency', old_frequency, frequency
  FROM rfm_moved
  WHERE report_id = :report
  UNION ALL
  SELECT contact_id, 'monetary', old_monetary, monetary
  FROM rfm_moved
  WHERE report_id = :report
) AS moved
JOIN contacts ON contacts.id = moved.contact_id
WHERE contacts.removed_at IS NULL
  AND moved.old IS DISTINCT FROM moved.new
"""
