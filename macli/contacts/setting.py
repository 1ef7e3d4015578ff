"""Attributes, set and taken away."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from macli import events
from macli.address import attribute_name, fold_json
from macli.clock import to_ms
from macli.contacts.chosen import choose
from macli.store import Store, attributes
from macli.store.attributes import Value


def set_attribute_where(
    store: Store,
    now: datetime,
    ids: str,
    params: Mapping[str, Any],
    name: str,
    value: Value | None,
    source: str,
    *,
    zone: ZoneInfo | None = None,
) -> int:
    """Set an attribute of the contacts ``ids`` selects, or take it away; how many really changed.

    Raises BadValue where the value does not fit the attribute's type.
    """
    name, says = attribute_name(name), store.dialect
    with store.write():
        if value is not None:
            value = attributes.fit(store, to_ms(now), name, value, zone or ZoneInfo("UTC"))
        text = "null" if value is None else attributes.json_text(value)
        member = f'{{"{name}":{text}}}'
        present = says.json_present("attributes", name)
        differs = (
            present if value is None else f"(NOT {present} OR CAST(attributes -> '{name}' AS TEXT) <> :door_value)"
        )
        chosen = choose(
            store,
            f"""
            SELECT id, CASE WHEN {present} THEN CAST(attributes -> '{name}' AS TEXT) END
            FROM contacts
            WHERE id IN ({ids})
              AND {differs}
            """,
            {**params, "door_value": text},
        )
        if not chosen:
            return 0
        fold = fold_json({name: value}) if isinstance(value, str) else None
        merged = says.json_without("attributes", name) if value is None else says.json_merge("attributes", ":member")
        folded = says.json_merge("coalesce(folded, '{}')", ":fold") if fold else says.json_without("folded", name)
        store.execute(
            f"""
            UPDATE contacts
            SET attributes = {merged}, folded = {folded}, updated_at = :now
            WHERE id IN (SELECT contact_id FROM chosen)
            """,
            {"member": member, "fold": fold, "now": to_ms(now)},
        )
        said = {"first": f'{{"name":"{name}","value":{text}}}', "now": to_ms(now)}
        told = fold_json({"name": name, "value": value})
        events.record_select(store, now, name="attribute.set", source=source, select=_SET, params=said, folded=told)
        said = {"start": f'{{"name":"{name}","old":', "end": f',"value":{text}}}', "now": to_ms(now)}
        events.record_select(store, now, name="attribute.changed", source=source, select=_WAS, params=said, folded=told)
    return chosen


_SET = """
SELECT contact_id, :now AS at, NULL AS source_id, :first AS properties, NULL AS send_id, NULL AS campaign_id
FROM chosen
WHERE old IS NULL
"""

_WAS = """
SELECT contact_id, :now AS at, NULL AS source_id, :start || old || :end AS properties, NULL AS send_id,
  NULL AS campaign_id
FROM chosen
WHERE old IS NOT NULL
"""
