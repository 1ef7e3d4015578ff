"""What a condition selects: how many contacts, some of them, all of them; and how the store finds them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from macli.model import Where
from macli.store import Row, Store


def count(store: Store, where: Where) -> int:
    """How many contacts the condition selects."""
    return int(store.value(f"SELECT count(*) FROM contacts WHERE {where.sql}", where.params))


def total(store: Store) -> int:
    """How many contacts there are, removed ones left out."""
    # Two counts that indexes answer; one with a condition would read every row.
    return int(
        store.value(
            """
            SELECT (SELECT count(*) FROM contacts)
              - (SELECT count(*) FROM contacts WHERE removed_at IS NOT NULL)
            """
        )
    )


def member_ids(store: Store, where: Where) -> Iterator[int]:
    """The ids of the contacts the condition selects, one after another."""
    for row in store.stream(f"SELECT contacts.id FROM contacts WHERE {where.sql}", where.params):
        yield row[0]


LONGEST_ID = 24


@dataclass(frozen=True, kw_only=True)
class Preview:
    """How many contacts a condition selects, and some of them.

    ``ids`` is all of their ids, commas between them (seven bytes a contact), where asking the
    condition again would cost as much again.
    """

    count: int
    sample: list[int]
    ids: str | None = field(default=None, repr=False)


def preview(store: Store, where: Where, sample: int = 10) -> Preview:
    """Count the contacts the condition selects and take a few of them, in one pass over them.

    Joining the ids while counting costs a tenth more than counting; reading them into Python costs
    as much again, and a second query for the sample can cost as much as the first, unless an index
    leads to the contacts.
    """
    if where.direct:
        few = f"SELECT contacts.id FROM contacts WHERE {where.sql} LIMIT :sample"
        ids = [row[0] for row in store.rows(few, {**where.params, "sample": sample})]
        return Preview(count=count(store, where), sample=ids)
    found = store.row(
        f"SELECT count(*), {store.dialect.joined('contacts.id')} FROM contacts WHERE {where.sql}",
        where.params,
    )
    assert found is not None
    joined = found[1] or ""
    return Preview(count=found[0], sample=_spread(joined, found[0], sample), ids=joined)


def _spread(ids: str, count: int, size: int) -> list[int]:
    """Some ids at equal distances, without taking the text apart where it is long."""
    if not ids or not size:
        return []
    if count <= 10 * size:
        every = ids.split(",")
        return [int(every[place * count // size]) for place in range(size)] if count > size else [*map(int, every)]
    found = []
    for number in range(size):
        start = ids.rfind(",", 0, number * len(ids) // size) + 1
        found.append(int(ids[start : start + LONGEST_ID].split(",", 1)[0]))
    return found


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How many of some contacts have an address, by channel."""

    email: int
    sms: int


def reach(store: Store, where: Where, found: Preview) -> Reach:
    """How many of the contacts that were previewed have an e-mail address, and how many a phone number."""
    counted = "SELECT count(contacts.email) AS email, count(contacts.phone) AS sms FROM contacts"
    if found.ids is None:
        row = store.row(f"{counted} WHERE {where.sql}", where.params)
    else:
        row = store.row(f"{counted} WHERE contacts.id IN ({store.dialect.numbers(':ids')})", {"ids": found.ids})
    assert row is not None
    return Reach(email=row["email"], sms=row["sms"])


def rows_of(store: Store, ids: list[int]) -> list[Row]:
    """What people want to see of a few contacts."""
    return store.rows(
        f"""
        SELECT id, email, phone, state, added_at
        FROM contacts
        WHERE id IN ({store.dialect.numbers(":ids")})
        ORDER BY id
        """,
        {"ids": ",".join(map(str, ids))},
    )
