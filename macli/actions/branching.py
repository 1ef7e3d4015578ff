"""Go one of several ways, or end."""

from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from macli.actions.batch import STOP, Batch
from macli.campaign.words import Rule
from macli.errors import UsageError

MOST_BRANCHES = 5
PRIME = 2**31 - 1

# x^5 is a permutation modulo the prime and mixes what a line a*id + b alone would leave in a
# lattice; every product stays below 2^62, so each engine's integers hold it.
_SPLIT = """
UPDATE batch
SET way = (
  SELECT CASE {ways} END
  FROM (
    SELECT (x * x % :prime) * (x * x % :prime) % :prime * x % :prime % :total AS place
    FROM (SELECT (batch.contact_id % :prime * :a + :b) % :prime AS x) AS line
  ) AS mixed
)
"""


@dataclass(frozen=True, kw_only=True)
class If:
    """Go the way `then` where the rule holds for the contact now, else the way `else`.

    Example: `if: opened email within 7 days` with `then:` and `else:` beside it
    """

    word: ClassVar[str] = "if"
    scalar: ClassVar[str] = "rule"
    nested: ClassVar[tuple[str, ...]] = ("then", "else")

    rule: Rule

    def ways(self) -> tuple[str, ...]:
        return ("then", "else")

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        batch.set_where(self.rule, "way = 'then'")
        batch.set("way = 'else'", "way IS NULL")


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Steps for the contacts a rule selects."""

    nested: ClassVar[tuple[str, ...]] = ("steps",)

    when: Rule


@dataclass(frozen=True, kw_only=True)
class Branches:
    """Up to five branches, checked in their order: the first whose `when` holds is taken, else `otherwise`.

    Example: `branches: [{when: score >= 50, steps: [...]}, {when: tagged "new", steps: [...]}]`
    with `otherwise:` beside it
    """

    word: ClassVar[str] = "branches"
    scalar: ClassVar[str] = "branches"
    nested: ClassVar[tuple[str, ...]] = ("otherwise",)

    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.branches) <= MOST_BRANCHES:
            raise UsageError(
                f"{len(self.branches)} branches; one to {MOST_BRANCHES} are checked",
                hint="put the rest into `otherwise`, as branches of its own",
            )

    def ways(self) -> tuple[str, ...]:
        return (*(str(number) for number in range(1, len(self.branches) + 1)), "otherwise")

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        for number, branch in enumerate(self.branches, start=1):
            batch.set_where(branch.when, f"way = '{number}'", "way IS NULL")
        batch.set("way = 'otherwise'", "way IS NULL")


@dataclass(frozen=True, kw_only=True)
class Share:
    """Steps for a share of the contacts."""

    nested: ClassVar[tuple[str, ...]] = ("steps",)

    weight: int = 1


@dataclass(frozen=True, kw_only=True)
class Split:
    """Part the contacts by weight; a contact always goes the same way.

    Example: `split: [{weight: 90, steps: [...]}, {weight: 10, steps: [...]}]`
    """

    word: ClassVar[str] = "split"
    scalar: ClassVar[str] = "split"
    nested: ClassVar[tuple[str, ...]] = ()

    split: tuple[Share, ...]

    def __post_init__(self) -> None:
        if any(share.weight < 0 for share in self.split) or not self.total():
            raise UsageError("the weights of a split are whole numbers, not all of them 0")

    def total(self) -> int:
        return sum(share.weight for share in self.split)

    def ways(self) -> tuple[str, ...]:
        return tuple(str(number) for number in range(1, len(self.split) + 1))

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        a, b = line(batch.campaign_id, batch.key)
        ways, upto = [], 0
        for number, share in enumerate(self.split, start=1):
            upto += share.weight
            ways.append(f"WHEN place < {upto} THEN '{number}'")
        batch.store.execute(_SPLIT.format(ways=" ".join(ways)), {"prime": PRIME, "total": self.total(), "a": a, "b": b})


def line(campaign_id: int, key: str) -> tuple[int, int]:
    """The two numbers that make the split at a step its own, and the same in every version."""
    digest = sha256(f"{campaign_id}:{key}".encode()).digest()
    return int.from_bytes(digest[:8]) % (PRIME - 1) + 1, int.from_bytes(digest[8:16]) % PRIME


@dataclass(frozen=True, kw_only=True)
class End:
    """End the contact's way here.

    Example: `end: true`
    """

    word: ClassVar[str] = "end"
    scalar: ClassVar[str] = "end"
    nested: ClassVar[tuple[str, ...]] = ()

    end: bool = True

    def ways(self) -> tuple[str, ...]:
        return ()

    def events(self) -> tuple[str, ...]:
        return ()

    def apply(self, batch: Batch) -> None:
        batch.set("way = :stop", stop=STOP)
