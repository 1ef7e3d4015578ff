"""The pulse: a value that changes when anything changes that decides who may be written to.

While it stays what it was at a claim, a claimed message needs no second look before the wire. Opens,
clicks and visits change nothing of that kind and come by the thousand while a campaign leaves, so
they do not count.
"""

from macli.event_names import NAMES
from macli.store import Store

Pulse = tuple[int | str | None, ...]

_ABOUT_PEOPLE = frozenset(
    ("points", "score", "stage", "funnel", "rfm", "owner", "note", "task", "deal", "call", "mail")
)

HARMLESS = frozenset(
    name
    for name in NAMES
    if name.startswith(("email.opened", "email.clicked", "sms.clicked", "push.clicked"))
    or name in ("page.visited", "banner.clicked", "asset.downloaded", "hits.reclassified", "form.submitted")
    or name in ("tag.scored", "contact.converted")
    or name.split(".")[0] in _ABOUT_PEOPLE
    or name.endswith(".delivered")
)
"""Events of macli's own that never change who may be written to; a company's own never do either."""

# What must not have changed between a claim and the wire: anyone's no, a suppression, a contact, a
# campaign's state. An import says no without an event, so contacts and consents are looked at too,
# and the consent log, since what held before changes in its place. The number of a suppression that
# was taken back is given again, so the newest one's address counts as well.
_PULSE = """
SELECT (SELECT id || ' ' || channel || ' ' || address FROM suppressions ORDER BY id DESC LIMIT 1),
       coalesce((SELECT max(id) FROM consents), 0),
       coalesce((SELECT max(id) FROM consent_log), 0),
       coalesce((SELECT max(updated_at) FROM contacts), 0),
       (SELECT coalesce(sum(updated_at), 0) FROM campaigns),
       (SELECT coalesce(sum(id), 0) FROM campaigns WHERE state = 'active')
"""

_NEWEST = "SELECT coalesce(max(id), 0) FROM events"

_TELLING = f"""
SELECT max(id)
FROM events
WHERE id > :seen
  AND name || '' IN ({", ".join(f"'{name}'" for name in sorted(set(NAMES) - HARMLESS))})
"""


class Heart:
    """Reads the pulse; each event is looked at once, however many messages ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = self._telling = int(store.value(_NEWEST))

    def read(self) -> Pulse:
        """The pulse now; read in the transaction of a claim, so that nothing falls between the two."""
        newest = int(self._store.value(_NEWEST))
        if newest < self._seen:
            self._telling = newest  # events were deleted: what came after them cannot be told
        elif newest > self._seen:
            self._telling = self._store.value(_TELLING, {"seen": self._seen}) or self._telling
        self._seen = newest
        row = self._store.row(_PULSE)
        assert row is not None
        return (self._telling, *row)
