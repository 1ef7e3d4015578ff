"""Telephone calls with contacts: logged, mended, deleted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from macli import texts
from macli.clock import to_ms
from macli.errors import UsageError
from macli.people.telling import staff_name, tell, touch
from macli.store import Store, calls, contacts

Direction = Literal["in", "out"]
_LONGEST_SECONDS = 24 * 3600


def log(
    store: Store,
    now: datetime,
    contact_id: int,
    source: str,
    *,
    direction: Direction = "out",
    at: datetime | None = None,
    outcome: str = "",
    seconds: int | None = None,
    text: str = "",
    staff_id: int | None = None,
) -> int:
    """Write down a call with a contact, which ended before now; its number. Recorded as call.logged.

    Raises UsageError where it lies in the future or lasted longer than a day.
    """
    moment = now if at is None else at
    if moment > now:
        raise UsageError("this call is still to come", hint="macli task add 'Call …' --contact C --due TIME")
    with store.write():
        facts = {
            "contact": contact_id,
            "staff": staff_id,
            "direction": direction,
            "outcome": texts.line(outcome, "outcome", empty=True),
            "phone": contacts.by_id(store, contact_id)["phone"],
            "seconds": _seconds(seconds),
            "text": texts.body(text, "text", empty=True),
            "at": to_ms(moment),
            "source": source,
            "now": to_ms(now),
        }
        number = int(store.value(_LOG, facts))
        said = {name: facts[name] for name in ("direction", "outcome", "seconds")}
        said |= {"call": number, "staff": staff_name(store, staff_id)}
        tell(store, now, contact_id, "call.logged", said, source, at=moment)
    return number


_LOG = """
INSERT INTO calls (contact_id, staff_id, direction, outcome, phone, seconds, text, at, source, created_at)
VALUES (:contact, :staff, :direction, :outcome, :phone, :seconds, :text, :at, :source, :now)
RETURNING id
"""


def _seconds(given: int | None) -> int | None:
    if given is not None and not 0 <= given <= _LONGEST_SECONDS:
        raise UsageError("a call lasts between no time and a day")
    return given


def edit(store: Store, now: datetime, number: int, changes: Mapping[str, Any]) -> None:
    """Mend a call's outcome, seconds or text; what call.logged said stays. Raises UsageError."""
    if not changes:
        raise UsageError("nothing to change", hint="for example --outcome 'wants an offer'")
    values = dict(changes)
    if "outcome" in values:
        values["outcome"] = texts.line(values["outcome"], "outcome", empty=True)
    if "text" in values:
        values["text"] = texts.body(values["text"], "text", empty=True)
    if "seconds" in values:
        values["seconds"] = _seconds(values["seconds"])
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    with store.write():
        call = calls.get(store, number)
        store.execute(f"UPDATE calls SET {assignments} WHERE id = :id", {**values, "id": call["id"]})
        touch(store, now, call["contact_id"])


def remove(store: Store, now: datetime, number: int) -> None:
    """Delete a call. Raises UsageError."""
    with store.write():
        call = calls.get(store, number)
        store.execute("DELETE FROM calls WHERE id = :id", {"id": call["id"]})
        touch(store, now, call["contact_id"])
