"""The values a store keeps for the settings."""

from datetime import datetime
from typing import Any

from macli import config
from macli.clock import to_ms
from macli.errors import UsageError
from macli.store import sweeps
from macli.store.connection import Store


def get(store: Store, key: str) -> Any:
    """The typed value of ``key``: what was set, else the default, else None."""
    known = config.setting(key)
    text = store.value(_VALUE, {"key": key})
    text = known.default if text is None else text
    return None if text is None else known.read(text)


_VALUE = """
SELECT value
FROM settings
WHERE key = :key
"""


def put(store: Store, now: datetime, key: str, text: str) -> Any:
    """Set ``key``; its typed value. Raises UsageError where the text does not read as its type."""
    known = config.setting(key)
    try:
        value = (known.clean or known.read)(text)
    except UsageError as error:
        raise UsageError(f"{key}: {error.message}", hint=error.hint) from None
    # Kept as a person wrote it, but for the kinds that have one way of writing.
    kept = str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else text.strip()
    with store.write():
        store.execute(_PUT, {"key": key, "value": kept, "now": to_ms(now)})
        if known.asked:
            sweeps.look_at_all(store)
    return value


_PUT = """
INSERT INTO settings (key, value, updated_at)
VALUES (:key, :value, :now)
ON CONFLICT (key) DO UPDATE
SET value = excluded.value, updated_at = excluded.updated_at
"""


def unset(store: Store, key: str) -> bool:
    """Take a value away, so that the default holds again; False where none was set."""
    known = config.setting(key)
    with store.write():
        was_set = store.execute(_UNSET, {"key": key}) > 0
        if known.asked:
            sweeps.look_at_all(store)
    return was_set


_UNSET = """
DELETE FROM settings
WHERE key = :key
"""


def in_force(store: Store, key: str) -> dict[str, str | None]:
    """The value in force as text, and whether it was set or is the default."""
    known = config.setting(key)
    text = store.value(_VALUE, {"key": key})
    return {
        "key": key,
        "value": known.default if text is None else text,
        "from": "set" if text is not None else "default" if known.default is not None else "",
        "type": known.kind,
        "meaning": known.doc,
    }
