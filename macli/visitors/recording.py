"""One message of a tracker, recorded: who it is first, then what happened, each once."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from macli import events
from macli.clock import to_ms
from macli.errors import UsageError
from macli.model import NewEvent
from macli.signing import Keyring
from macli.store import Store, visitors
from macli.visitors.identifying import SOURCE, identify, proves
from macli.visitors.joining import join
from macli.visitors.reading import Told


@dataclass(frozen=True, kw_only=True)
class Teller:
    """Who tells: ``key`` is the tracker's key where there is one, ``trusted`` that it was shown.

    ``admit`` is asked before a stranger's word is taken for whose visitor it is.
    """

    trusted: bool
    key: str | None
    keys: Keyring
    region: str | None
    zone: ZoneInfo
    admit: Callable[[], bool] = lambda: True


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What a message came to. ``visitor`` is the token to use from now on, where it is another one."""

    recorded: int = 0
    visitor: str | None = None
    refused: tuple[tuple[str, str], ...] = ()


def record(store: Store, now: datetime, told: Told, teller: Teller, *, send_id: int | None = None) -> Recorded:
    """Record a message; ``send_id`` is the message whose link led the visitor here. Inside a write.

    Raises UsageError where the visitor's token is none.
    """
    token = told.visitor
    if token is not None and not visitors.is_token(token):
        raise UsageError('"v" is no visitor: 16 to 64 letters, digits, - and _')
    refused = list(told.refused)
    contact_id = moved = None
    proven = teller.trusted
    if told.identity is not None:
        proven = proven or proves(teller.key, told.identity)
        found = identify(
            store,
            now,
            told.identity,
            trusted=teller.trusted,
            proven=proven,
            region=teller.region,
            zone=teller.zone,
            admit=teller.admit,
            whose=_whose(store, token),
        )
        refused += found.refused
        contact_id = found.contact_id
    if token is not None and contact_id is not None and not join(store, now, token, contact_id, proven=proven):
        token = moved = successor(teller.keys, token, contact_id)
        join(store, now, token, contact_id, proven=proven)
    if token is not None and send_id is not None:
        recipient = _recipient(store, now, token, send_id)
        contact_id = contact_id or recipient
    recorded = 0
    if told.events:
        recorded = _record_events(store, now, told, token, contact_id, refused)
    return Recorded(recorded=recorded, visitor=moved, refused=tuple(refused))


def _whose(store: Store, token: str | None) -> int | None:
    found = None if token is None else visitors.by_token(store, token)
    return None if found is None else found["contact_id"]


def successor(keys: Keyring, token: str, contact_id: int) -> str:
    """The token of the next person at a browser that is somebody's already; the same however often it is asked.

    It says nothing of the contact: whoever could read its number from it would learn whether it is a new one.
    """
    digest = keys.digest("successor", f"{token} {contact_id}")
    return urlsafe_b64encode(digest[:16]).decode("ascii").rstrip("=")


def _recipient(store: Store, now: datetime, token: str, send_id: int) -> int | None:
    """Whose mail it was, where the visitor was nobody until now or its reader."""
    contact_id: int | None = store.value(
        """
        SELECT contacts.id
        FROM sends
        JOIN contacts ON contacts.id = sends.contact_id
        WHERE sends.id = :send_id
          AND contacts.removed_at IS NULL
        """,
        {"send_id": send_id},
    )
    return contact_id if contact_id is not None and join(store, now, token, contact_id, proven=True) else None


def _record_events(
    store: Store,
    now: datetime,
    told: Told,
    token: str | None,
    contact_id: int | None,
    refused: list[tuple[str, str]],
) -> int:
    visitor_id = None
    if token is not None:
        visitor = visitors.seen(store, to_ms(now), token)
        visitor_id, contact_id = visitor["id"], contact_id or visitor["contact_id"]
    elif contact_id is None:
        refused.append(("events", 'nobody is named: "v" or "identify"'))
        return 0
    whose = token or f"#{contact_id}"
    return events.record(
        store,
        now,
        [
            NewEvent(
                contact_id=contact_id,
                visitor_id=visitor_id,
                name=seen.name,
                at=seen.at,
                source=SOURCE,
                source_id=seen.id and f"{whose}:{seen.id}",
                properties=seen.properties,
            )
            for seen in told.events
        ],
    )
