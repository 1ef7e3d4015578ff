"""Funnels: their stages in order, each with the scope its points are counted in, and who stood where."""

from collections.abc import Iterator, Sequence

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


def listed(store: Store) -> list[Row]:
    """Every funnel by name, and how many contacts that are not removed stand in it."""
    return store.rows(_LISTED)


_LISTED = """
SELECT funnels.id, funnels.name, funnels.description,
  (
    SELECT count(*)
    FROM funnel_stays
    JOIN contacts ON contacts.id = funnel_stays.contact_id
    WHERE funnel_stays.funnel_id = funnels.id
      AND funnel_stays.left_at IS NULL
      AND contacts.removed_at IS NULL
  ) AS contacts
FROM funnels
ORDER BY funnels.name_key
"""


def standing(store: Store, funnel_id: int) -> list[Row]:
    """The stages of a funnel in their order, and how many contacts that are not removed stand on each."""
    return store.rows(_COUNTED, {"funnel": funnel_id})


_COUNTED = """
SELECT funnel_stages.position, funnel_stages.name AS stage,
  (
    SELECT count(*)
    FROM funnel_stays
    JOIN contacts ON contacts.id = funnel_stays.contact_id
    WHERE funnel_stays.stage_id = funnel_stages.id
      AND funnel_stays.left_at IS NULL
      AND contacts.removed_at IS NULL
  ) AS contacts
FROM funnel_stages
WHERE funnel_stages.funnel_id = :funnel
  AND funnel_stages.removed_at IS NULL
ORDER BY funnel_stages.position, funnel_stages.id
"""


def contacts(store: Store, funnel_id: int, stage_id: int | None = None) -> Iterator[Row]:
    """Who stands in a funnel, or on one stage of it, in the order of the stages: contact, stage, since."""
    return store.stream(_CONTACTS, {"funnel": funnel_id, "stage": stage_id})


_CONTACTS = """
SELECT contacts.id, contacts.email, contacts.phone, funnel_stages.name AS stage, stay.entered_at,
  coalesce(scores.points, 0) AS score
FROM funnel_stays AS stay
JOIN funnel_stages ON funnel_stages.id = stay.stage_id
JOIN contacts ON contacts.id = stay.contact_id
LEFT JOIN scopes ON scopes.stage_id = stay.stage_id
LEFT JOIN scores ON scores.contact_id = stay.contact_id AND scores.scope_id = scopes.id
WHERE stay.funnel_id = :funnel
  AND stay.left_at IS NULL
  AND (CAST(:stage AS INTEGER) IS NULL OR stay.stage_id = :stage)
  AND contacts.removed_at IS NULL
ORDER BY funnel_stages.position, stay.entered_at, contacts.id
"""


def history(store: Store, contact_id: int) -> list[Row]:
    """Where a contact stood in all funnels, the latest first: funnel, stage, entered_at, left_at, score, source."""
    return store.rows(_HISTORY.format(source=store.source("stay.source")), {"contact": contact_id})


_HISTORY = """
SELECT funnels.name AS funnel, funnel_stages.name AS stage, stay.entered_at, stay.left_at,
  coalesce(scores.points, 0) AS score, {source} AS source
FROM funnel_stays AS stay
JOIN funnels ON funnels.id = stay.funnel_id
JOIN funnel_stages ON funnel_stages.id = stay.stage_id
LEFT JOIN scopes ON scopes.stage_id = stay.stage_id
LEFT JOIN scores ON scores.contact_id = stay.contact_id AND scores.scope_id = scopes.id
WHERE stay.contact_id = :contact
ORDER BY stay.entered_at DESC, stay.id DESC
"""

# Changing a funnel


def describe(store: Store, now_ms: int, funnel_id: int, description: str) -> None:
    """Say of a funnel what it is for. Inside a write."""
    said = {"id": funnel_id, "description": line(description), "now": now_ms}
    store.execute("UPDATE funnels SET description = :description, updated_at = :now WHERE id = :id", said)


def rename(store: Store, now_ms: int, funnel: Row, name: str) -> None:
    """Rename a funnel, and the scopes of its stages where points are counted. Raises UsageError. Inside a write."""
    name = clean_name(name, "funnel")
    said = {"id": funnel["id"], "name": name, "key": name.casefold(), "now": now_ms}
    if store.row("SELECT 1 FROM funnels WHERE name_key = :key AND id <> :id", said):
        raise UsageError(f"there is a funnel {name!r} already")
    store.execute("UPDATE funnels SET name = :name, name_key = :key, updated_at = :now WHERE id = :id", said)
    _rename_feeds(store, funnel["name"], name)
    for row in store.rows("SELECT id, name FROM funnel_stages WHERE funnel_id = :id", {"id": funnel["id"]}):
        _rename_feeds(store, f"{funnel['name']}/{row['name']}", f"{name}/{row['name']}")
        _name_scope(store, row["id"], name, row["name"])


def rename_stage(store: Store, funnel: Row, stage_id: int, name: str) -> None:
    """Rename a stage, and its scope where points are counted. Raises UsageError. Inside a write."""
    name = clean_name(name, "stage")
    said = {"funnel": funnel["id"], "id": stage_id, "name": name, "key": name.casefold()}
    taken = store.row(_TAKEN, said)
    if taken is not None:
        if taken["removed_at"] is None:
            raise UsageError(f"the funnel {funnel['name']!r} has a stage {name!r} already")
        raise UsageError(f"the funnel {funnel['name']!r} had another stage {name!r}, and histories name it")
    old = store.value("SELECT name FROM funnel_stages WHERE id = :id", {"id": stage_id})
    store.execute("UPDATE funnel_stages SET name = :name, name_key = :key WHERE id = :id", said)
    _rename_feeds(store, f"{funnel['name']}/{old}", f"{funnel['name']}/{name}")
    _name_scope(store, stage_id, funnel["name"], name)


_TAKEN = """
SELECT removed_at
FROM funnel_stages
WHERE funnel_id = :funnel
  AND name_key = :key
  AND id <> :id
"""


def _rename_feeds(store: Store, old: str, new: str) -> None:
    """Let the point rules that count to a stage by its name follow it."""
    said = {"old": old.casefold(), "name": new, "key": new.casefold()}
    store.execute(_FEEDS, said)


_FEEDS = """
UPDATE point_rule_scopes
SET name = :name, name_key = :key
WHERE kind = 'stage'
  AND name_key = :old
"""


def arrange(store: Store, stage_ids: Sequence[int]) -> None:
    """Put the stages of a funnel in this order. Inside a write."""
    store.executemany(
        "UPDATE funnel_stages SET position = ? WHERE id = ?",
        [(position, stage_id) for position, stage_id in enumerate(stage_ids, 1)],
    )


def remove_stage(store: Store, now_ms: int, stage_id: int) -> None:
    """Take a stage nobody stands on out of its funnel; histories and points keep it. Inside a write."""
    store.execute("UPDATE funnel_stages SET removed_at = :now WHERE id = :id", {"id": stage_id, "now": now_ms})


def counts(store: Store, funnel_id: int) -> Row:
    """What hangs on a funnel: contacts, stays, scores, deals."""
    found = store.row(_COUNTS, {"funnel": funnel_id})
    assert found is not None
    return found


_COUNTS = """
SELECT
  (SELECT count(*) FROM funnel_stays WHERE funnel_id = :funnel AND left_at IS NULL) AS contacts,
  (SELECT count(*) FROM funnel_stays WHERE funnel_id = :funnel) AS stays,
  (
    SELECT count(*)
    FROM scores
    JOIN scopes ON scopes.id = scores.scope_id
    JOIN funnel_stages ON funnel_stages.id = scopes.stage_id
    WHERE funnel_stages.funnel_id = :funnel
  ) AS scores,
  (SELECT count(*) FROM deals WHERE funnel_id = :funnel) AS deals
"""


def deals_on(store: Store, stage_id: int) -> int:
    """How many deals that are still open stand on a stage."""
    return int(
        store.value("SELECT count(*) FROM deals WHERE stage_id = :stage AND state = 'open'", {"stage": stage_id})
    )


def count_on(store: Store, stage_id: int) -> int:
    """How many contacts stand on a stage, those that are removed too."""
    return int(
        store.value(
            "SELECT count(*) FROM funnel_stays WHERE stage_id = :stage AND left_at IS NULL", {"stage": stage_id}
        )
    )


def feeding(store: Store, funnel: str) -> list[str]:
    """The point rules that count to a funnel or a stage of it by name."""
    rows = store.rows(_FEEDING, {"key": funnel.casefold(), "within": f"{funnel.casefold()}/"})
    return [row["name"] for row in rows]


_FEEDING = """
SELECT DISTINCT point_rules.name
FROM point_rules
JOIN point_rule_scopes ON point_rule_scopes.rule_id = point_rules.id
WHERE point_rule_scopes.kind = 'stage'
  AND (
    point_rule_scopes.name_key = :key
    OR substr(point_rule_scopes.name_key, 1, length(:within)) = :within
  )
ORDER BY point_rules.name
"""


def remove(store: Store, funnel_id: int) -> None:
    """Delete a funnel that no deal is in, with its history and the points counted on its stages. Inside a write."""
    said = {"funnel": funnel_id}
    for table in ("point_ledger", "scores"):
        store.execute(f"DELETE FROM {table} WHERE scope_id IN ({_SCOPES})", said)
    store.execute("DELETE FROM funnel_stays WHERE funnel_id = :funnel", said)
    store.execute("DELETE FROM funnels WHERE id = :funnel", said)


_SCOPES = """
SELECT scopes.id
FROM scopes
JOIN funnel_stages ON funnel_stages.id = scopes.stage_id
WHERE funnel_stages.funnel_id = :funnel
"""


def clean_name(name: str, what: str) -> str:
    """The name without doubled blanks. Raises UsageError where it could not be told from its neighbours."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 100 or "/" in name or "," in name:
        raise UsageError(f"a {what}'s name is one line of at most 100 characters without a comma or a slash")
    return name
