"""How often a contact wants to hear from us, from when on, and whether it may be watched."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from macli.clock import format_duration, iso, to_ms
from macli.contacts.chosen import ONE, changed, choose
from macli.store import Store, preferences
from macli.store.preferences import Preferences


def prefer(store: Store, now: datetime, contact_id: int, wanted: Preferences, source: str) -> bool:
    """Keep what a contact prefers; whether that is anything new. Told as preferences.changed."""
    with store.write():
        if preferences.of(store, contact_id) == wanted:
            return False
        choose(store, f"SELECT id, NULL FROM contacts WHERE id IN ({ONE})", {"one_contact": contact_id})
        preferences.put(store, now, contact_id, wanted)
        changed(store, now, "preferences.changed", told(wanted), source)
    return True


def told(wanted: Preferences) -> Mapping[str, Any]:
    """Preferences as people and events say them."""
    return {
        "most": wanted.most,
        "per": None if wanted.span is None else format_duration(wanted.span),
        "paused_until": None if wanted.paused_until is None else iso(to_ms(wanted.paused_until)),
        "untracked": wanted.untracked,
    }
