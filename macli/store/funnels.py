"""Funnels: their stages in order, each with the scope its points are counted in, and who stood where."""

from collections.abc import Sequence

from macli.errors import UnknownName, UsageError
from macli.store.connection import Row, Store
from macli.store.stages import line

MOST = 100
"""Stages a funnel can have."""


def create(store: Store, now_ms: int, name: str, stages: Sequence[str], description: str = "") -> int:
    """Make a funnel with these stages; its id. Raises UsageError."""
    name = clean_name(name, "funnel")
    names = [clean_name(stage, "stage") for stage in stages]
    if not names:
        raise UsageError("a funnel needs stages", hint=f"macli funnel create {name!r} --stages 'Lead, Offer, Won'")
    with store.write():
        said = {"name": name, "key": name.casefold(), "description": line(description), "now": now_ms}
        made: int | None = store.value(_CREATE, said)
        if made is None:
            raise UsageError(f"there is a funnel {name!r} already", hint=f"macli funnel edit {name!r} changes it")
        for position, stage in enumerate(names, 1):
            put_stage(store, made, name, stage, position)
    return made


_CREATE = """
INSERT INTO funnels (name, name_key, description, created_at, updated_at)
VALUES (:name, :key, :description, :now, :now)
ON CONFLICT (name_key) DO NOTHING
RETURNING id
"""


def put_stage(store: Store, funnel_id: int, funnel: str, name: str, position: int) -> int:
    """Add a stage with its scope, or one again that was removed; its id. Raises UsageError. Inside a write."""
    if int(store.value("SELECT count(*) FROM funnel_stages WHERE funnel_id = :id", {"id": funnel_id})) >= MOST:
        raise UsageError(f"a funnel has at most {MOST} stages")
    said = {"funnel": funnel_id, "name": name, "key": name.casefold(), "position": position}
    made: int | None = store.value(_PUT_STAGE, said)
    if made is None:
        raise UsageError(f"the funnel {funnel!r} has a stage {name!r} already")
    _name_scope(store, made, funnel, name)
    return made


_PUT_STAGE = """
INSERT INTO funnel_stages (funnel_id, name, name_key, position)
VALUES (:funnel, :name, :key, :position)
ON CONFLICT (funnel_id, name_key) DO UPDATE
SET name = excluded.name, position = excluded.position, removed_at = NULL
WHERE funnel_stages.removed_at IS NOT NULL
RETURNING id
"""


def _name_scope(store: Store, stage_id: int, funnel: str, stage: str) -> None:
    name = f"{funnel}/{stage}"
    store.execute(_SCOPE, {"name": name, "key": name.casefold(), "stage": stage_id})


_SCOPE = """
INSERT INTO scopes (kind, name, name_key, stage_id)
VALUES ('stage', :name, :key, :stage)
ON CONFLICT (stage_id) DO UPDATE
SET name = excluded.name, name_key = excluded.name_key
"""


def get(store: Store, name: str) -> Row:
    """The funnel of that name. Raises UnknownName."""
    found = store.row("SELECT * FROM funnels WHERE name_key = :key", {"key": " ".join(name.split()).casefold()})
    if found is None:
        names = (row["name"] for row in store.rows("SELECT name FROM funnels"))
        raise UnknownName("funnel", name, names, hint="macli funnel list shows them")
    return found


def stages(store: Store, funnel_id: int) -> list[Row]:
    """The stages of a funnel in their order: id, name, name_key, position."""
    return store.rows(_STAGES, {"funnel": funnel_id})


_STAGES = """
SELECT id, name, name_key, position
FROM funnel_stages
WHERE funnel_id = :funnel
  AND removed_at IS NULL
ORDER BY position, id
"""


def stage(store: Store, funnel: Row, name: str) -> Row:
    """The stage of that name in a funnel. Raises UnknownName."""
    key = " ".join(name.split()).casefold()
    known = stages(store, funnel["id"])
    found = next((row for row in known if row["name_key"] == key), None)
    if found is None:
        names = [row["name"] for row in known]
        raise UnknownName(f"stage of the funnel {funnel['name']!r}", name, names, hint=f"one of {', '.join(names)}")
    return found


def clean_name(name: str, what: str) -> str:
    """The name without doubled blanks. Raises UsageError where it could not be told from its neighbours."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 100 or "/" in name or "," in name:
        raise UsageError(f"a {what}'s name is one line of at most 100 characters without a comma or a slash")
    return name
