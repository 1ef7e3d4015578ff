"""What follows when a contact is removed."""

from macli.effects.base import NEW, Caused
from macli.store import Store


def stop_everything(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """A removed contact leaves every campaign and is sent nothing more."""
    params = {"now": now_ms, "event": "contact.removed", "first": first, "last": last}
    removed = f"SELECT events.contact_id FROM events WHERE {NEW}"
    store.execute(
        f"""
        UPDATE sends
        SET state = 'skipped', reason = 'removed', settled_at = :now, address = NULL
        WHERE state = 'planned'
          AND contact_id IN ({removed})
        """,
        params,
    )
    store.execute(
        f"""
        UPDATE enrollments
        SET ended_at = :now, ended_as = 'removed', due_at = NULL
        WHERE ended_at IS NULL
          AND contact_id IN ({removed})
        """,
        params,
    )
    return []
