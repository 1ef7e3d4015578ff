"""The names a rule may use, as the store has them; those few rules ask for are read when one does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import Any, TypeVar

from macli.rules import KnownCampaign, KnownFunnel, KnownName, KnownSegment, KnownStage, Vocabulary
from macli.store import Row, Store, settings
from macli.store import vocabulary as words

Key = TypeVar("Key")
Value = TypeVar("Value")


class Lazily(Mapping[Key, Value]):
    """A mapping that is read from the store when it is first asked."""

    def __init__(self, read: Callable[[], dict[Key, Value]]) -> None:
        self._read = read

    @cached_property
    def _known(self) -> dict[Key, Value]:
        return self._read()

    def __getitem__(self, key: Key) -> Value:
        return self._known[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @property
    def is_read(self) -> bool:
        return "_known" in vars(self)


class Shown(Mapping[str, Value]):
    """What the acting person may see, by name; asking for another that is there is not permitted."""

    def __init__(self, store: Store, table: str, known: dict[str, Value]) -> None:
        self._store, self._table, self._known = store, table, known

    def __getitem__(self, key: str) -> Value:
        if key not in self._known:
            self._store.refuse_hidden(self._table, key)
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def vocabulary(store: Store, *, stored: bool = False) -> Vocabulary:
    """Every name a rule may use now; one that was ``stored`` also those the acting person may not see."""
    if not store.restricted:
        return _vocabulary(store)
    with store.whole():
        every = _vocabulary(store)
    return every if stored else replace(_vocabulary(store), within=every)


def _vocabulary(store: Store) -> Vocabulary:
    found = words.load(store)

    def setting(key: str) -> Any:
        return settings.get(store, key)

    return Vocabulary(
        attributes=found.attributes,
        indexed=found.indexed,
        segments=Shown(
            store,
            "segments",
            {
                row["name_key"]: KnownSegment(
                    id=row["id"], name=row["name"], rule=row["rule"], hidden=store.hides(row["category_id"])
                )
                for row in found.segments
            },
        ),
        campaigns=Shown(
            store,
            "campaigns",
            {row["name_key"]: KnownCampaign(id=row["id"], name=row["name"]) for row in found.campaigns},
        ),
        stages=Lazily(lambda: {row["name_key"]: _stage(row) for row in words.stages(store)}),
        funnels=Lazily(lambda: _funnels(store)),
        staff=Lazily(
            lambda: {row["name_key"]: KnownName(id=row["id"], name=row["name"]) for row in words.staff(store)}
        ),
        staff_groups=Lazily(lambda: {row["name_key"]: row["name"] for row in words.staff_groups(store)}),
        reports=Lazily(
            lambda: {row["name_key"]: KnownName(id=row["id"], name=row["name"]) for row in words.reports(store)}
        ),
        scopes=Lazily(
            lambda: {
                (row["kind"], row["name"].casefold()): f"{row['kind']}:{row['name']}" for row in words.scopes(store)
            }
        ),
        setting=setting,
        normalise_tags=found.normalise_tags,
    )


def _stage(row: Row) -> KnownStage:
    return KnownStage(id=row["id"], name=row["name"], position=row["position"], removed=bool(row["removed"]))


def _funnels(store: Store) -> dict[str, KnownFunnel]:
    found = {}
    for key, rows in groupby(words.funnel_stages(store), key=lambda row: row["funnel_key"]):
        stages = list(rows)
        found[key] = KnownFunnel(
            id=stages[0]["funnel_id"],
            name=stages[0]["funnel"],
            stages={row["name_key"]: _stage(row) for row in stages if row["id"] is not None},
        )
    return found


def asked_more(known: Vocabulary) -> bool:
    """Whether a rule asked for names that are only read when one does."""
    few = (known.stages, known.funnels, known.staff, known.staff_groups, known.reports, known.scopes)
    return any(isinstance(names, Lazily) and names.is_read for names in few)
