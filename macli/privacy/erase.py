"""Erasing a person: nothing personal is left in the store, and their no outlives them as a keyed hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from macli import events
from macli.address import BadAddress, normalise_email, normalise_phone
from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName
from macli.model import NewEvent
from macli.privacy import mentions, sweeping
from macli.privacy.anonymising import anonymise, choose
from macli.store import Row, Store, address_hash, contacts, suppressions

Address = tuple[str, str]
"""(channel, normalised address)."""

CHANNELS = ("email", "sms")


@dataclass(frozen=True, kw_only=True)
class Person:
    """Whom an erasure is about.

    ``contact`` is None where only traces of an address are left. ``addresses`` are all they were ever
    written to by; those in ``shared`` are another contact's as well, and stay with that one.
    ``gone``: they were erased before, and nothing mentions them.
    """

    named: str
    contact: Row | None
    addresses: tuple[Address, ...]
    shared: frozenset[Address] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    gone: bool = False

    @property
    def own(self) -> list[str]:
        """The addresses that are nobody else's."""
        return [address for channel, address in self.addresses if (channel, address) not in self.shared]


def find(store: Store, reference: str, region: str | None) -> Person:
    """Whom ``reference`` means: a contact by any of its names, else an address something still mentions.

    Raises UnknownName where the store knows nothing of either, NotPermitted for who may not see all of it.
    """
    store.refuse_partly("erasing a person")
    gone = False
    try:
        contact: Row | None = contacts.find(store, reference, region=region)
    except UnknownName:
        contact, address = None, _address(reference, region)
        if address is None:
            raise
        gone = _is_gone(store, reference, address)
        addresses: tuple[Address, ...] = (address,)
    else:
        assert contact is not None
        addresses = tuple((row["channel"], row["address"]) for row in store.rows(_ADDRESSES, {"id": contact["id"]}))
    contact_id = None if contact is None else contact["id"]
    shared = frozenset(one for one in addresses if _is_shared(store, one, contact_id))
    return Person(
        named=reference,
        contact=contact,
        addresses=addresses,
        shared=shared,
        counts={} if contact is None else _counts(store, contact["id"]),
        gone=gone,
    )


def _address(reference: str, region: str | None) -> Address | None:
    try:
        if "@" in reference:
            return "email", normalise_email(reference)
        return "sms", normalise_phone(reference, region)
    except BadAddress:
        return None


def _is_gone(store: Store, reference: str, address: Address) -> bool:
    if any(mentions.everywhere(store, [address[1]])):
        return False
    if suppressions.on(store, *address) is not None:
        return True
    raise UnknownName("contact", reference, hint="nothing in the store mentions it either")


_ADDRESSES = """
SELECT 'email' AS channel, email AS address
FROM contacts
WHERE id = :id AND email IS NOT NULL
UNION
SELECT 'sms', phone
FROM contacts
WHERE id = :id AND phone IS NOT NULL
UNION
SELECT channel, address
FROM sends
WHERE contact_id = :id AND address IS NOT NULL AND channel IN ('email', 'sms')
UNION
SELECT CASE properties ->> 'name' WHEN 'email' THEN 'email' ELSE 'sms' END, properties ->> 'old'
FROM events
WHERE contact_id = :id
  AND name = 'attribute.changed'
  AND properties ->> 'name' IN ('email', 'phone')
  AND properties ->> 'old' IS NOT NULL
"""


def _is_shared(store: Store, address: Address, contact_id: int | None) -> bool:
    column = "email" if address[0] == "email" else "phone"
    sql = f"SELECT count(*) FROM contacts WHERE {column} = :address AND id <> coalesce(:id, 0)"
    return bool(store.value(sql, {"address": address[1], "id": contact_id}))


def _counts(store: Store, contact_id: int) -> dict[str, int]:
    """How many rows of each kind are about the contact."""
    counts = {
        name: int(store.value(f"SELECT count(*) FROM {table} WHERE {where}", {"id": contact_id}))
        for name, table, where in _COUNTED
    }
    return {name: count for name, count in counts.items() if count}


_COUNTED = (
    ("events", "events", "contact_id = :id"),
    ("messages", "sends", "contact_id = :id"),
    ("opens and clicks", "hits", "send IN (SELECT id FROM sends WHERE contact_id = :id)"),
    ("ways through campaigns", "enrollments", "contact_id = :id"),
    ("consents", "consents", "contact_id = :id"),
    ("entries of the consent log", "consent_log", "contact_id = :id"),
    ("tags", "contact_tags", "contact_id = :id"),
    ("segments", "segment_members", "contact_id = :id"),
    ("browsers", "visitors", "contact_id = :id"),
    ("devices", "devices", "contact_id = :id"),
    ("points given and taken", "point_ledger", "contact_id = :id"),
    ("stages of the lifecycle", "stage_stays", "contact_id = :id"),
    ("stages of funnels", "funnel_stays", "contact_id = :id"),
    ("RFM bands", "rfm_bands", "contact_id = :id"),
    ("predictions", "predictions", "contact_id = :id"),
    ("owners", "owners", "contact_id = :id"),
    ("notes", "notes", "contact_id = :id"),
    ("tasks", "tasks", "contact_id = :id"),
    ("deals", "deals", "contact_id = :id"),
    ("calls", "calls", "contact_id = :id"),
    ("letters", "mails", "contact_id = :id"),
)


def erase(store: Store, now: datetime, person: Person) -> int:
    """Erase the person, in one transaction; how many rows that were not the contact's mentioned them.

    The file still holds what is no longer in any table until ``sweeping.sweep``. Raises OperationFailed
    where a message to them is on its way, or the key of the hashes is missing.
    """
    # Looked for before: it takes a look at every event, and a sender should not wait for that.
    words = mentions.words(store, person.own)
    store.connection.execute("PRAGMA secure_delete=ON")
    with store.write(), store.whole():
        if person.contact is not None:
            _refuse_in_flight(store, person)
        _remember(store, now, person)
        if person.contact is not None:
            choose(store, [person.contact["id"]])
            anonymise(store, now, "erasure")
        letters = 0
        for address in person.own:
            store.execute(_HITS_OF, {"address": address})
            store.execute(_SENT_TO, {"address": address})
            letters += store.execute("DELETE FROM mails WHERE sender = :address", {"address": address})
        struck = letters + mentions.strike(store, words, person.own)
        # Senders that hold a claim look again when they see a new event.
        said = NewEvent(contact_id=None, name="contact.erased", at=to_ms(now), source="erasure")
        events.record(store, now, [said])
        sweeping.want(store)
    return struck


# What was sent to the address while somebody else had it, or somebody deleted since.
_HITS_OF = "DELETE FROM hits WHERE send IN (SELECT id FROM sends WHERE address = :address)"

_SENT_TO = """
UPDATE sends
SET address = NULL, reference = NULL
WHERE address = :address
"""


def _refuse_in_flight(store: Store, person: Person) -> None:
    assert person.contact is not None
    if store.value(_IN_FLIGHT, {"id": person.contact["id"]}):
        raise OperationFailed(
            f"a message to {person.named} is on its way",
            hint="run the same command again in a minute; macli tick frees what a dead process held",
        )


_IN_FLIGHT = """
SELECT count(*)
FROM sends
WHERE contact_id = :id
  AND state IN ('claimed', 'sending')
"""


def _remember(store: Store, now: datetime, person: Person) -> None:
    """Keep hashes of the addresses, and put them on what the consent log keeps."""
    hashes = suppressions.keep_as_hashes(store, to_ms(now), _outliving(store, person), source="erasure")
    if person.contact is None:
        return
    for channel, column in (("email", "email"), ("sms", "phone")):
        address = person.contact[column]
        if address is not None:
            known = hashes.get((channel, address)) or address_hash.hashed(address_hash.key_of(store), channel, address)
            store.execute(_PROOF, {"id": person.contact["id"], "channel": channel, "hash": known})


def _outliving(store: Store, person: Person) -> Sequence[Address]:
    """The addresses never to be written to again.

    One that is another contact's too is among them only where the person said no on it: the other
    did not ask to be erased.
    """
    said_no = set()
    if person.contact is not None:
        said_no = {row["channel"] for row in store.rows(_SAID_NO, {"id": person.contact["id"]})}
    return [one for one in person.addresses if one not in person.shared or one[0] in said_no]


_SAID_NO = """
SELECT channel
FROM consents
WHERE contact_id = :id
  AND topic = ''
  AND status = 'withdrawn'
"""

_PROOF = """
UPDATE consent_log
SET hash = :hash
WHERE contact_id = :id
  AND channel = :channel
"""
