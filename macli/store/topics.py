"""Topics: what messages are about, which contacts say yes or no to."""

from datetime import datetime

from macli.clock import to_ms
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store.connection import Row, Store
from macli.store.consents import check_channel, topic_key

COLUMNS = ("position", "name", "title", "channel", "description", "yes", "no", "asked")
_LONGEST = 100


def create(
    store: Store,
    now: datetime,
    name: str,
    *,
    title: str | None = None,
    description: str = "",
    channel: str = "email",
    position: int | None = None,
) -> None:
    """Make a topic, behind the others where no position is given. Raises UsageError where the name is taken."""
    facts = {
        "name": _line(name, "name"),
        "key": topic_key(name),
        "title": _line(name if title is None else title, "title"),
        "description": _text(description),
        "channel": check_channel(channel),
        "position": position,
        "now": to_ms(now),
    }
    with store.write():
        if store.execute(_CREATE, facts) == 0:
            raise UsageError(f"there is a topic {name!r} already", hint=f"macli topic edit {name!r} changes it")


_CREATE = """
INSERT INTO topics (name, name_key, title, description, channel, position, created_at)
SELECT :name, :key, :title, :description, :channel,
  coalesce(:position, (SELECT coalesce(max(position), 0) + 1 FROM topics)), :now
WHERE true
ON CONFLICT (name_key) DO NOTHING
"""


def edit(
    store: Store, name: str, *, title: str | None = None, description: str | None = None, position: int | None = None
) -> None:
    """Change what people read of a topic, and where it stands. Its name stays: consents and campaigns name it."""
    if title is None and description is None and position is None:
        raise UsageError("nothing to change", hint="for example --title 'Our newsletter'")
    with store.write():
        facts = {
            "id": get(store, name)["id"],
            "title": None if title is None else _line(title, "title"),
            "description": None if description is None else _text(description),
            "position": position,
        }
        store.execute(_EDIT, facts)


_EDIT = """
UPDATE topics
SET title = coalesce(:title, title), description = coalesce(:description, description),
  position = coalesce(:position, position)
WHERE id = :id
"""


def remove(store: Store, name: str) -> None:
    """Remove a topic that no campaign is about; what contacts said of it stays.

    Raises OperationFailed where a campaign is.
    """
    with store.write():
        topic = get(store, name)
        with store.whole():
            found = [row["name"] for row in store.rows(_ABOUT) if topic_key(row["topic"]) == topic["name_key"]]
        using = store.told("campaigns", found)
        if using:
            raise OperationFailed(
                f"the topic {topic['name']!r} is that of {', '.join(map(repr, using))}",
                hint=f"macli campaign edit {using[0]!r} --topic OTHER",
            )
        store.execute("DELETE FROM topics WHERE id = :id", {"id": topic["id"]})


_ABOUT = """
SELECT campaigns.name, campaign_versions.definition ->> 'topic' AS topic
FROM campaigns
JOIN campaign_versions ON campaign_versions.campaign_id = campaigns.id
  AND campaign_versions.number = campaigns.current_version
WHERE campaign_versions.definition ->> 'topic' IS NOT NULL
  AND campaigns.state NOT IN ('finished', 'cancelled')
ORDER BY campaigns.name_key
"""


def get(store: Store, name: str) -> Row:
    """The topic of that name. Raises UnknownName."""
    found = store.row("SELECT * FROM topics WHERE name_key = :key", {"key": topic_key(name)})
    if found is None:
        known = (row["name"] for row in store.rows("SELECT name FROM topics"))
        raise UnknownName("topic", name, known, hint="macli topic list shows them")
    return found


def list_all(store: Store) -> list[Row]:
    """The topics in their order, with how many said yes, said no and were asked."""
    return store.rows(_LIST)


_LIST = """
SELECT topics.position, topics.name, topics.name_key, topics.title, topics.channel, topics.description,
  count(consents.id) FILTER (WHERE consents.status = 'granted') AS yes,
  count(consents.id) FILTER (WHERE consents.status = 'withdrawn') AS no,
  count(consents.id) FILTER (WHERE consents.status = 'pending') AS asked
FROM topics
LEFT JOIN consents ON consents.channel = topics.channel
  AND consents.topic = topics.name_key
GROUP BY topics.id
ORDER BY topics.position, topics.id
"""


def _line(text: str, what: str) -> str:
    line = " ".join(text.split())
    if not line or not line.isprintable() or len(line) > _LONGEST:
        raise UsageError(f"a topic's {what} is one line of at most {_LONGEST} characters")
    return line


def _text(text: str) -> str:
    line = " ".join(text.split())
    if not (line.isprintable() and len(line) <= 5 * _LONGEST):
        raise UsageError(f"a topic's description is one line of at most {5 * _LONGEST} characters")
    return line


def shown(store: Store, channel: str) -> list[Row]:
    """The topics of a channel in their order, as people read them."""
    return store.rows(_SHOWN, {"channel": channel})


_SHOWN = """
SELECT name_key, title, description
FROM topics
WHERE channel = :channel
ORDER BY position, id
"""
