"""What an erasure leaves behind, because it is not in the store or is not only about the person."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from macli.privacy import mentions
from macli.privacy.erase import Person
from macli.store import Store

_MOST_FILES = 5
_MOST_OCTETS = 64 << 20
"""Larger files are not searched; they are named."""


def elsewhere(store: Store, person: Person) -> list[str]:
    """Who else has something of the person, asked before they are erased: providers, and files in an outbox."""
    if person.contact is None:
        return []
    said = []
    for row in store.rows(_CARRIED, {"id": person.contact["id"]}):
        count = f"{row['messages']} {'message' if row['messages'] == 1 else 'messages'}"
        if row["kind"] == "outbox":
            names = [
                name["reference"] for name in store.rows(_FILES, {"id": person.contact["id"], "name": row["name"]})
            ]
            more = f" and {len(names) - _MOST_FILES} more" if len(names) > _MOST_FILES else ""
            said.append(f"{count} in the outbox {row['name']}, as files: {', '.join(names[:_MOST_FILES])}{more}")
        else:
            said.append(f"{count} carried by {row['name']} ({row['kind']}), which keeps records of its own")
    return said


_CARRIED = """
SELECT providers.name, providers.kind, count(*) AS messages
FROM sends
JOIN providers ON providers.id = sends.provider_id
WHERE sends.contact_id = :id
  AND sends.left_at IS NOT NULL
GROUP BY providers.name, providers.kind
ORDER BY providers.name
"""

_FILES = """
SELECT sends.reference
FROM sends
JOIN providers ON providers.id = sends.provider_id
WHERE sends.contact_id = :id
  AND providers.name = :name
  AND sends.reference IS NOT NULL
ORDER BY sends.id
"""


def here(store: Store, person: Person, log: Path | None) -> Iterator[str]:
    """What still mentions the person's addresses, asked after they are erased: texts people wrote, and files."""
    for channel, address in person.addresses:
        if (channel, address) in person.shared:
            yield f"{address} is another contact's too: it stays there"
    for mention in mentions.everywhere(store, person.own):
        rows = f"{mention.rows} {'row' if mention.rows == 1 else 'rows'}"
        yield f"{mention.table}.{mention.column} mentions an address in {rows}, written by somebody here"
    for file in _files(store, log):
        if found := _mentions(file, person.own):
            yield f"{file} {found}"
    yield "backups and exports made until now; after restoring one, erase again"


def _files(store: Store, log: Path | None) -> Iterator[Path]:
    """Files macli wrote beside the store: the log, and what imports refused."""
    if log is not None:
        yield log
    for row in store.rows("SELECT DISTINCT refusals_file FROM imports WHERE refused > 0 ORDER BY refusals_file"):
        yield Path(row["refusals_file"])


def _mentions(file: Path, addresses: Sequence[str]) -> str | None:
    if not file.is_file():
        return None
    if file.stat().st_size > _MOST_OCTETS:
        return "is too large to be searched"
    text = file.read_bytes().lower()
    return "mentions an address" if any(one.encode() in text for one in addresses) else None
