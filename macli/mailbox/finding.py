"""Which of our messages a letter is about: by its signed marks, by its key, or by the address it names.

| a letter names a message by | anybody could make it up | so it counts where |
|---|---|---|
| a signed mark: the return path it came to, a link of the returned message | no | always |
| a key: Message-ID, X-Macli-Message-Id | yes | the address it speaks of is the message's |
| an address alone | yes | no return path is set (``bounces.address``) and we wrote there lately |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from macli.clock import to_ms
from macli.mailbox.letter import Letter
from macli.responses.hearing import send_of
from macli.signing import Keyring
from macli.store import Row, Store

LATELY = timedelta(days=30)
"""How long after a message something that names its address alone may be about it."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message of ours: ``address`` lower-case, ``left_at`` in UTC milliseconds; ``sure`` by a signed mark."""

    id: int
    campaign_id: int | None
    address: str
    left_at: int
    sure: bool


@dataclass(frozen=True, kw_only=True)
class Finder:
    """Finds messages in a store at one now. ``marked``: mail leaves with a signed return path."""

    store: Store
    keys: Keyring
    now: datetime
    token: str
    marked: bool

    def signed(self, letter: Letter) -> Sent | None:
        """The message whose signed mark a letter carries."""
        for mark in letter.marks.bounce:
            if (found := self._send(self.keys.bounce(mark), sure=True)) is not None:
                return found
        for mark in letter.marks.act:
            if (found := self._send(self.keys.act(mark), sure=True)) is not None:
                return found
        return None

    def named(self, keys: Iterable[str], addresses: Iterable[str], *, domain_will_do: bool = False) -> Sent | None:
        """The message with one of these keys, to one of these addresses (or to one of their domains)."""
        known = {address.lower() for address in addresses if address}
        domains = {address.rpartition("@")[2] for address in known} if domain_will_do else set()
        for key in keys:
            found = self._send(send_of(key, self.token), sure=False)
            if found is not None and (found.address in known or found.address.rpartition("@")[2] in domains):
                return found
        return None

    def addressed(self, address: str) -> Sent | None:
        """The last mail that left to a contact's address lately."""
        row = self.store.row(_TO, {"address": address.lower(), "since": to_ms(self.now - LATELY)})
        return None if row is None else _sent(row, sure=False)

    def _send(self, send_id: int | None, *, sure: bool) -> Sent | None:
        row = None if send_id is None else self.store.row(_BY_ID, {"id": send_id, "sure": sure})
        return None if row is None else _sent(row, sure=sure)


def finder(store: Store, keys: Keyring, now: datetime, *, marked: bool) -> Finder:
    token = str(store.value("SELECT value FROM meta WHERE key = 'store'") or "local")[:8]
    return Finder(store=store, keys=keys, now=now, token=token, marked=marked)


def _sent(row: Row, *, sure: bool) -> Sent:
    return Sent(
        id=row["id"],
        campaign_id=row["campaign_id"],
        address=str(row["address"]).lower(),
        left_at=row["left_at"],
        sure=sure,
    )


# What never left (planned, skipped) is nothing anybody can have answered; but its mark proves that it did,
# before it was planned again.
_BY_ID = """
SELECT id, campaign_id, coalesce(address, '') AS address, coalesce(left_at, due_at) AS left_at
FROM sends
WHERE id = :id
  AND channel = 'email'
  AND (:sure OR state NOT IN ('planned', 'skipped'))
"""

_TO = """
SELECT sends.id, sends.campaign_id, sends.address, sends.left_at
FROM contacts
JOIN sends ON sends.contact_id = contacts.id
WHERE contacts.email = :address
  AND sends.channel = 'email'
  AND sends.left_at >= :since
  AND lower(sends.address) = :address
  AND sends.state NOT IN ('planned', 'skipped')
ORDER BY sends.left_at DESC, sends.id DESC
LIMIT 1
"""
