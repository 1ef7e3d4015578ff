"""What makes a contact nobody: everything personal goes, and what reports count stays, as a number without a name.

The row itself stays, empty and in the state ``erased``, because messages, events and ways through
campaigns are counted by it. Nothing finds it any more.
"""

from collections.abc import Iterable
from datetime import datetime

from macli.clock import to_ms
from macli.contacts import remove_where
from macli.store import Store

ERASING = "SELECT contact_id FROM erasing"
_SENDS = f"SELECT id FROM sends WHERE contact_id IN ({ERASING})"
_VISITORS = f"SELECT id FROM visitors WHERE contact_id IN ({ERASING})"


def choose(store: Store, contact_ids: Iterable[int]) -> None:
    """Put these contacts into the temp table ``erasing``."""
    store.execute("CREATE TEMP TABLE IF NOT EXISTS erasing (contact_id INTEGER PRIMARY KEY)")
    store.execute("DELETE FROM erasing")
    store.executemany("INSERT INTO erasing (contact_id) VALUES (?)", ((one,) for one in contact_ids))


def anonymise(store: Store, now: datetime, source: str) -> None:
    """Make the contacts in ``erasing`` nobody, inside ``write``.

    Their addresses are no business of this: who must not be written to has to be known by then.
    """
    remove_where(store, now, ERASING, {}, source)
    events = _EVENTS.format(counted=_counted(store))
    with store.whole():
        for statement in (
            _CONSENT_LOG,
            _TASKS,
            *_GONE,
            _DEALS,
            events,
            _VISITED,
            _LEFT,
            _VISITORS_GONE,
            _LEDGER,
            _HITS,
        ):
            store.execute(statement)
        store.execute(_CONTACTS, {"now": to_ms(now)})


def _counted(store: Store) -> str:
    """SQL: the properties of an event that a report counts by: a form's name, an amount some campaign sums."""
    says = store.dialect
    amounts = {row["name"]: says.json_number("properties", row["name"]) for row in store.rows(_AMOUNTS)}
    form = "CASE WHEN name = 'form.submitted' THEN properties ->> 'form' END"
    return says.json_merge("'{}'", says.json_of(**{**amounts, "form": form}))


_AMOUNTS = """
SELECT DISTINCT definition -> 'conversion' ->> 'value' AS name
FROM campaign_versions
WHERE definition -> 'conversion' ->> 'value' IS NOT NULL
"""

# A source is what a person typed, too ("by phone from Ann"): one that others have as well tells nobody.
_COMMON = f"""
(
  source LIKE 'macli:%'
  OR source IN ('cli', 'import', 'erasure', 'retention')
  OR EXISTS (
    SELECT 1
    FROM {{table}} AS others
    WHERE others.source = {{table}}.source
      AND others.contact_id NOT IN ({ERASING})
  )
)
"""

# What was said stays as proof, without the words that told who and how.
_CONSENT_LOG = f"""
UPDATE consent_log
SET contact_id = NULL, evidence = '{{}}',
    source = CASE WHEN {_COMMON.format(table="consent_log")} THEN source ELSE 'erased' END
WHERE contact_id IN ({ERASING})
"""

COMPUTED = ("point_ledger", "scores", "stage_stays", "rfm_bands", "rfm_looked_at", "predictions")
"""Tables of what is computed of a contact from its events."""

# Before the deals are gone: a task may be about no more than one of them.
_TASKS = f"""
DELETE FROM tasks
WHERE contact_id IN ({ERASING})
   OR deal_id IN (SELECT id FROM deals WHERE contact_id IN ({ERASING}))
"""

_GONE = (
    *(
        f"DELETE FROM {table} WHERE contact_id IN ({ERASING})"
        for table in (
            *("contact_tags", "segment_members", "consents", "preferences", "devices"),
            *COMPUTED,
            *("funnel_stays", "owners", "notes", "calls", "mails"),
        )
    ),
    f"DELETE FROM deals WHERE contact_id IN ({ERASING}) AND state = 'open'",
)

# What was won and lost counts in reports, whoever it was with.
_DEALS = f"""
UPDATE deals
SET title = '(erased)', source = CASE WHEN {_COMMON.format(table="deals")} THEN source ELSE 'erased' END
WHERE contact_id IN ({ERASING})
"""

# A click's link is the same for all recipients, unless it is one's own: then it has no number.
_EVENTS = f"""
UPDATE events
SET properties = CASE
      WHEN EXISTS (
        SELECT 1
        FROM links
        WHERE links.id = events.properties ->> 'link'
          AND links.url = events.properties ->> 'url'
      ) THEN properties
      ELSE {{counted}}
    END,
    folded = NULL,
    visitor_id = NULL,
    source = CASE WHEN {_COMMON.format(table="events")} THEN source ELSE 'erased' END,
    source_id = CASE
      WHEN source_id NOT LIKE '%@%' AND source_id NOT LIKE '%://%' AND {_COMMON.format(table="events")} THEN source_id
    END
WHERE contact_id IN ({ERASING})
"""

_VISITED = f"""
UPDATE events
SET properties = '{{}}', folded = NULL, source_id = NULL
WHERE visitor_id IN ({_VISITORS})
"""

_LEFT = f"""
UPDATE devices
SET visitor_id = NULL
WHERE visitor_id IN ({_VISITORS})
"""

_VISITORS_GONE = f"DELETE FROM visitors WHERE contact_id IN ({ERASING})"

_LEDGER = f"""
UPDATE sends
SET address = NULL, reference = NULL
WHERE contact_id IN ({ERASING})
"""

_HITS = f"DELETE FROM hits WHERE send IN ({_SENDS})"

_CONTACTS = f"""
UPDATE contacts
SET email = NULL, phone = NULL, external_id = NULL, timezone = NULL, locale = NULL, source = NULL,
    attributes = '{{}}', folded = NULL, state = 'erased', updated_at = :now
WHERE id IN ({ERASING})
"""
