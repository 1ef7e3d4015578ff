"""Predictions kept up to date: the tick fits them anew where they grew older than the setting says."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from macli.clock import to_ms
from macli.errors import MacliError
from macli.lifecycle import predictions
from macli.store import predictions as kept

if TYPE_CHECKING:
    from macli.tick.chores import Trouble
    from macli.tick.engine import Engine

WHO = "predictions"


def chore(engine: "Engine", trouble: "Trouble") -> int:
    """Fit anew where the last fit, or the last try, is so old; of how many contacts something is predicted then.

    It asks for what the last fit asked for. A fit that fails is told, and tried again after the same time.
    """
    store, now = engine.store, engine.now
    every: timedelta = engine.setting("predictions.refit")
    last = kept.last_fit(store)
    tried = store.value("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'predictions_tried'") or 0
    with store.write():
        _note(engine, "predictions_looked_at")
    fitted = last["fitted_at"] if last is not None else 0
    if any(to_ms(now - every) < at <= to_ms(now) for at in (tried, fitted)):
        return 0
    with store.write():
        _note(engine, "predictions_tried")
    said = json.loads(last["params"]) if last is not None else {}
    asked = predictions.Options(
        event=said.get("event") or engine.setting("purchases.event"),
        horizon=timedelta(days=last["horizon_days"]) if last is not None else predictions.HORIZON,
    )
    try:
        return predictions.fit(store, now, asked).contacts
    except MacliError as error:
        trouble(WHO, f"not fitted anew: {error.message}")
        return 0


def _note(engine: "Engine", key: str) -> None:
    engine.store.execute(_NOTE, {"key": key, "now": str(to_ms(engine.now))})


_NOTE = """
INSERT INTO meta (key, value)
VALUES (:key, :now)
ON CONFLICT (key) DO UPDATE
SET value = excluded.value
"""
