"""The forms that pop up for visitors nobody knows, and when."""

from collections.abc import Mapping
from typing import Any

from macli.forms import definition
from macli.store import Store, templates


def active(store: Store) -> list[Mapping[str, Any]]:
    """The forms whose definition says that they pop up, by slug, with their settings in seconds."""
    shown: list[Mapping[str, Any]] = []
    for row in templates.list_all(store, kind="form"):
        form = definition.stored(templates.version(store, row["name"], kind="form")["source"])
        if form.popup is not None:
            shown.append({"form": templates.slug_of(row["name"]), **when(form.popup)})
    return shown


def when(popup: definition.Popup) -> dict[str, Any]:
    """When a form pops up: after so many visits and seconds, on leaving the page, again after so many seconds."""
    return {
        "after_visits": popup.after_visits,
        "after": int(popup.after.total_seconds()),
        "on_exit": popup.on_exit,
        "every": int(popup.every.total_seconds()),
    }
