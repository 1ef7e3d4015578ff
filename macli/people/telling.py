"""What is told of the work of people: the events of notes, tasks, deals and calls, and who looks again."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli import events
from macli.address import fold_json
from macli.clock import to_ms
from macli.model import NewEvent
from macli.store import Store


def tell(
    store: Store,
    now: datetime,
    contact_id: int | None,
    name: str,
    said: Mapping[str, Any],
    source: str,
    *,
    at: datetime | None = None,
) -> None:
    """Record one event of a contact's, without those properties that are None; of nobody there is nothing to tell."""
    if contact_id is None:
        return
    event = NewEvent(
        contact_id=contact_id,
        name=name,
        at=to_ms(now if at is None else at),
        source=source,
        properties={word: value for word, value in said.items() if value is not None},
    )
    events.record(store, now, [event])


def tell_of_many(
    store: Store,
    now: datetime,
    name: str,
    rows: str,
    params: Mapping[str, Any],
    said: Mapping[str, Any],
    own: Mapping[str, str],
    source: str,
) -> None:
    """Record an event for each row of ``rows`` (FROM and WHERE of a table with contact_id and created_at).

    ``said`` is the same for all of them, ``own`` are expressions of what each says besides.
    """
    known = {word: value for word, value in said.items() if value is not None}
    properties = store.dialect.json_merge(":said", store.dialect.json_of(**own))
    events.record_select(
        store,
        now,
        name=name,
        source=source,
        select=_ROWS.format(properties=properties, rows=rows),
        params={**params, "said": json.dumps(known, ensure_ascii=False)},
        folded=fold_json(known),
    )


_ROWS = """
SELECT contact_id, created_at AS at, NULL AS source_id, {properties} AS properties, NULL AS send_id,
  NULL AS campaign_id
{rows}
"""


def touch(store: Store, now: datetime, contact_id: int | None) -> None:
    """Note that what rules ask of a contact changed though nothing happened to it."""
    store.execute(_TOUCH, {"id": contact_id, "now": to_ms(now)})


_TOUCH = """
UPDATE contacts
SET updated_at = :now
WHERE id = :id
"""


def staff_name(store: Store, staff_id: int | None) -> str | None:
    """The name of a member of staff; None of nobody."""
    name: str | None = store.value("SELECT name FROM staff WHERE id = :id", {"id": staff_id})
    return name
