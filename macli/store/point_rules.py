"""Point rules: which events are worth how many points, and to which scopes they are counted."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from macli.errors import UnknownName, UsageError
from macli.store import scopes, settings
from macli.store.connection import Row, Store
from macli.store.scopes import Scope

MOST = 1000
"""Rules a workspace can have: each event is held against those for its name."""

_FEEDING_THEMSELVES = ("score", "points")


@dataclass(frozen=True, kw_only=True)
class PointRule:
    """``points`` for each event of a name whose properties meet ``condition``, of contacts that meet ``who``.

    At most ``most`` events of a contact count within ``most_span`` (ms), in each scope; without a span ever.
    What it gave loses ``decay_share`` percent every ``decay_span`` (ms). A scope of kind stage may name a
    stage (``Funnel/Stage``), a funnel (wherever the contact stands in it) or nothing (wherever in any).
    ``id`` 0 is a rule that is not kept yet.
    """

    name: str
    event: str
    points: int
    scopes: tuple[Scope, ...]
    condition: str | None = None
    who: str | None = None
    most: int | None = None
    most_span: int | None = None
    decay_share: int | None = None
    decay_span: int | None = None
    preset: str | None = None
    active: bool = True
    id: int = 0


def add(store: Store, now_ms: int, rule: PointRule) -> int:
    """Keep a new rule; its id, which no rule had before. Raises UsageError, UnknownName."""
    with store.write():
        if int(store.value("SELECT count(*) FROM point_rules")) >= MOST:
            raise UsageError(f"there are {MOST:,} point rules already", hint="macli points rule list")
        _check(store, rule)
        made = int(store.value(_ADD, _values(rule, now_ms)))
        _set_scopes(store, made, rule.scopes)
    return made


# A ledger says which rule gave points also when the rule is gone: its number is not given again.
_ADD = """
INSERT INTO point_rules (
  id, name, name_key, event, condition, who, points, most, most_span, decay_share, decay_span, preset, active,
  created_at, updated_at
)
SELECT 1 + coalesce(
    (
      SELECT max(last)
      FROM (
        SELECT max(id) AS last FROM point_rules
        UNION ALL
        SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'point_rules_last'
      ) AS given
    ),
    0
  ), :name, :key, :event, :condition, :who, :points, :most, :most_span, :decay_share, :decay_span, :preset, :active,
  :now, :now
RETURNING id
"""


def edit(store: Store, now_ms: int, rule: PointRule) -> None:
    """Write the rule of this id as it is to be, for events from now on. Raises UsageError, UnknownName."""
    with store.write():
        _check(store, rule)
        store.execute(_EDIT, {**_values(rule, now_ms), "id": rule.id})
        _set_scopes(store, rule.id, rule.scopes)


def _check(store: Store, rule: PointRule) -> None:
    if store.value(_NAMESAKE, {"key": clean_name(rule.name).casefold(), "id": rule.id}) is not None:
        raise UsageError(
            f"there is a point rule {rule.name!r} already", hint=f"macli points rule edit {rule.name!r} changes it"
        )
    if rule.active and rule.event == "stage.entered" and settings.get(store, "stages.demote"):
        raise UsageError(
            "a stage that can be left again comes of points: a rule for 'stage.entered' would feed itself",
            hint="macli settings set stages.demote false",
        )


_NAMESAKE = """
SELECT id
FROM point_rules
WHERE name_key = :key
  AND id <> :id
"""

_EDIT = """
UPDATE point_rules
SET name = :name, name_key = :key, event = :event, condition = :condition, who = :who, points = :points,
  most = :most, most_span = :most_span, decay_share = :decay_share, decay_span = :decay_span, preset = :preset,
  active = :active, updated_at = :now
WHERE id = :id
"""


def remove(store: Store, rule_id: int) -> None:
    """Forget a rule; the points it gave stay."""
    with store.write():
        store.execute(_REMEMBER, {"id": rule_id})
        store.execute("DELETE FROM point_rules WHERE id = :id", {"id": rule_id})


_REMEMBER = """
INSERT INTO meta (key, value)
SELECT 'point_rules_last', CAST(max(id) AS TEXT)
FROM point_rules
WHERE id >= :id
ON CONFLICT (key) DO UPDATE
SET value = excluded.value
WHERE CAST(excluded.value AS INTEGER) > CAST(meta.value AS INTEGER)
"""


def get(store: Store, name: str) -> PointRule:
    """The rule of that name. Raises UnknownName."""
    found = next(_read(store, "WHERE name_key = :key", {"key": clean_name(name).casefold()}), None)
    if found is None:
        names = (row["name"] for row in store.rows("SELECT name FROM point_rules"))
        raise UnknownName("point rule", name, names, hint="macli points rule list shows them")
    return found


def listed(store: Store) -> list[PointRule]:
    """Every rule, by event and name."""
    return list(_read(store, "ORDER BY event, name_key"))


def active(store: Store, names: Iterable[str] | None = None) -> list[PointRule]:
    """The rules in force in the order of their ids, those for events of these names where any are given."""
    if names is None:
        return list(_read(store, "WHERE active = 1 ORDER BY id"))
    among = "WHERE active = 1 AND event IN (SELECT value FROM json_each(:names)) ORDER BY id"
    return list(_read(store, among, {"names": json.dumps(list(names))}))


def _read(store: Store, which: str, params: dict[str, Any] | None = None) -> Iterator[PointRule]:
    rows = store.rows(f"{_ALL} {which}", params or {})
    if not rows:
        return
    feeds: dict[int, list[Scope]] = {}
    for scope in store.rows(_SCOPES):
        feeds.setdefault(scope["rule_id"], []).append(Scope(kind=scope["kind"], name=scope["name"]))
    for row in rows:
        yield _rule(row, feeds.get(row["id"], []))


_ALL = """
SELECT id, name, event, condition, who, points, most, most_span, decay_share, decay_span, preset, active
FROM point_rules
"""

_SCOPES = "SELECT rule_id, kind, name FROM point_rule_scopes ORDER BY rule_id, kind, name_key"


def _rule(row: Row, feeds: list[Scope]) -> PointRule:
    return PointRule(**{**dict(row), "active": bool(row["active"]), "scopes": tuple(feeds)})


def _values(rule: PointRule, now_ms: int) -> dict[str, Any]:
    if rule.event.split(".")[0] in _FEEDING_THEMSELVES or rule.event == "tag.scored":
        raise UsageError(
            f"{rule.event!r} comes of points: a rule for it would feed itself",
            hint="score the events that the points come from",
        )
    if not rule.scopes:
        raise UsageError("a point rule counts to at least one scope", hint="global, group:NAME, tag:TAG, stage")
    name = clean_name(rule.name)
    return {
        **{key: getattr(rule, key) for key in ("event", "condition", "who", "points", "most", "most_span", "preset")},
        "decay_share": rule.decay_share,
        "decay_span": rule.decay_span,
        "active": int(rule.active),
        "name": name,
        "key": name.casefold(),
        "now": now_ms,
    }


def _set_scopes(store: Store, rule_id: int, feeds: tuple[Scope, ...]) -> None:
    for scope in feeds:
        if scope.kind != "stage" or "/" in scope.name:
            scopes.id_of(store, scope)
        elif scope.name:
            _check_funnel(store, scope.name)
    store.execute("DELETE FROM point_rule_scopes WHERE rule_id = :id", {"id": rule_id})
    store.executemany(
        "INSERT INTO point_rule_scopes (rule_id, kind, name, name_key) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(rule_id, scope.kind, scope.name, scope.key) for scope in feeds],
    )


def _check_funnel(store: Store, name: str) -> None:
    if store.row("SELECT id FROM funnels WHERE name_key = :key", {"key": name.casefold()}) is None:
        names = (row["name"] for row in store.rows("SELECT name FROM funnels"))
        raise UnknownName("funnel", name, names, hint="macli funnel list")


def clean_name(name: str) -> str:
    """The name without doubled blanks. Raises UsageError where nothing or something unprintable is left."""
    name = " ".join(name.split())
    if not name or not name.isprintable() or len(name) > 200:
        raise UsageError("a point rule needs a name")
    return name
