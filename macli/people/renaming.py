"""Changing what is known of the staff: whom rules or campaigns name keeps the name."""

from datetime import datetime
from typing import Any

from macli.errors import OperationFailed
from macli.lifecycle import uses
from macli.store import Store, staff


def edit(store: Store, now: datetime, name: str, *, rename: str | None = None, **changes: Any) -> None:
    """Change what is known of somebody, as staff.edit does.

    Raises UnknownName, UsageError, and OperationFailed for another name where something says the present one.
    """
    with store.write():
        member = staff.get(store, name)
        same = rename is None or " ".join(rename.split()).casefold() == member["name_key"]
        if not same and (named := uses.uses(store, uses.of_staff(member))):
            raise OperationFailed(
                f"{member['name']} is named by {named[0]}, under this name",
                hint="change it there first, or add somebody of the new name and hand over",
            )
        staff.edit(store, now, name, rename=rename, **changes)
