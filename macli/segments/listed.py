"""The members of a static segment, put in and taken out by hand."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from macli.address import BadAddress, normalise_email
from macli.segments.moving import enter, leave
from macli.store import Store
from macli.store import segments as kept

_NAMED = "SELECT contact_id FROM named"


def add_people(
    store: Store, now: datetime, name: str, people: Iterable[str], *, silently: bool = False
) -> tuple[int, list[str]]:
    """Put contacts into a static segment, by address; how many came in, and the addresses nobody has."""
    with store.write():
        segment = kept.get(store, name)
        kept.require_static(segment)
        unknown = kept.name_people(store, _addresses(people))
        return enter(store, now, segment, _NAMED, {}, silently=silently), unknown


def remove_people(store: Store, now: datetime, name: str, people: Iterable[str]) -> tuple[int, list[str]]:
    """Take contacts out of a static segment, by address; how many left, and the addresses nobody has."""
    with store.write():
        segment = kept.get(store, name)
        kept.require_static(segment)
        unknown = kept.name_people(store, _addresses(people))
        select = f"""
        SELECT contact_id
        FROM segment_members
        WHERE segment_id = :segment_id
          AND contact_id IN ({_NAMED})
        """
        return leave(store, now, segment, select, {}), unknown


def _addresses(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        text = line.strip()
        if "@" in text:
            with suppress(BadAddress):  # nobody has such an address, and the answer says so
                text = normalise_email(text)
        elif text[:1] == "+":
            text = "".join(character for character in text if character not in " .()-\u00a0")
        if text and not text.startswith("#"):
            yield text
