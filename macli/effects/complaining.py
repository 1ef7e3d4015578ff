"""What follows when somebody calls a mail spam, besides that it stops: the campaigns' share of it is looked at."""

from macli.effects.base import NEW, Caused
from macli.store import Store

UNSEEN = "complaints_from"
"""The key in ``meta`` of the first complaint whose campaign's share nobody has looked at."""


def note_unseen(store: Store, now_ms: int, first: int, last: int) -> list[Caused]:
    """Let the next tick look at the campaigns of the new complaints."""
    store.execute(
        f"""
        INSERT INTO meta (key, value)
        SELECT :key, CAST(min(events.id) AS TEXT)
        FROM events
        WHERE {NEW}
        HAVING min(events.id) IS NOT NULL
        ON CONFLICT (key) DO NOTHING
        """,
        {"key": UNSEEN, "event": "email.complained", "first": first, "last": last},
    )
    return []
