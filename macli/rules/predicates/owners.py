"""Owners."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar
from typing import Literal as OneOf

from macli.rules.asked import ONCE, Asked, Name
from macli.rules.comparisons import Equals, IsSet
from macli.rules.errors import Misread
from macli.rules.moments import Duration
from macli.rules.predicates.attributes import Attribute, declared
from macli.rules.predicates.events import counted
from macli.rules.readers import called, reads, said
from macli.rules.sql import Build, Condition
from macli.rules.tree import Leaf, Mention, Not, Rule
from macli.rules.values import Literal

TITLE = "Owners"


@dataclass(frozen=True, kw_only=True)
class Owner(Leaf):
    """The member of staff who is responsible for the contact: its main `owner`, a `co-owner`, or either
    (`owned by`). `owner in group` asks whether the main owner is in a group of staff; that a co-owner is
    does not count.

    Where an attribute is called `owner`, `owner is set` means that.

    - `owner is anna`
    - `co-owner is anna`
    - `owned by anna`
    - `owner in group "sales"`
    - `owner is set`
    - `co-owner is not set`
    """

    kind: OneOf["main", "co", "any"] = "main"
    who: Literal | None = None
    group: Literal | None = None
    at: int = field(default=0, compare=False)
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2

    def __str__(self) -> str:
        if self.kind == "any":
            return f"owned by {self.who}"
        if self.group is not None:
            return f"owner in group {self.group}"
        return f"{self._word()} is {'set' if self.who is None else self.who}"

    def opposite(self) -> str:
        return f"{self._word()} is not set" if self.who is None and self.group is None else f"not {self}"

    def _word(self) -> str:
        return "owner" if self.kind == "main" else "co-owner"

    def meant(self, build: Build) -> Leaf:
        of_row = build.entity is not None and "owner" in build.entity.fields
        if self.kind != "main" or self.group is not None:
            return self
        if self.who is None:
            return Attribute(name="owner", test=IsSet(), at=self.at) if declared("owner", build) else self
        return Attribute(name="owner", test=Equals(value=self.who), at=self.at) if of_row else self

    def names(self) -> Iterator[Mention]:
        if self.who is not None:
            yield Mention(kind="staff", name=self.who)
        if self.group is not None:
            yield Mention(kind="staff group", name=self.group)

    def condition(self, build: Build, reach: float) -> Condition:
        asked = [] if self.kind == "any" else [f"owners.kind = '{self.kind}'"]
        if self.who is not None:
            asked.append(f"owners.staff_id = {build.bind(build.member(self.who)[0])}")
        if self.group is not None:
            build.reads.add("staff_groups")
            asked.append(
                "owners.staff_id IN (SELECT staff_groups.staff_id FROM staff_groups"
                f" WHERE staff_groups.name_key = {build.bind(_group(self.group, build))})"
            )
        return Condition(sql=counted("owners", asked, ONCE, build, reach))


def _group(name: Literal, build: Build) -> str:
    """The key of a group of staff. Raises RuleError.

    A group is there while somebody is in it, so a rule that was accepted goes on asking for it.
    """
    if build.stored:
        return " ".join(name.text.split()).casefold()
    return build.named("group of staff", build.vocabulary.staff_groups, name, "macli staff groups").casefold()


@called("owner")
def any_owner(name: Name, asked: Asked) -> Rule | None:
    if not isinstance(asked.test, IsSet):
        return None
    return Not(Owner(at=name.at)) if asked.negated else Owner(at=name.at)


@said("owner")
def owner_is(name: Name, who: Literal, stay: Duration | None) -> Rule:
    if stay is not None:
        raise Misread("since when is not asked of owners", stay.at)
    return Owner(who=who, at=name.at)


@reads("co_owner")
def co_owner(word: str, who: Literal) -> Rule:
    return Owner(kind="co", who=who)


@reads("co_owner_set")
def co_owner_set(word: str) -> Rule:
    return Owner(kind="co")


@reads("co_owner_not_set")
def co_owner_not_set(word: str) -> Rule:
    return Not(Owner(kind="co"))


@reads("owned_by")
def owned_by(who: Literal) -> Rule:
    return Owner(kind="any", who=who)


@reads("in_group")
def in_group(name: Name, group: Literal) -> Rule:
    if name.quoted or name.text.casefold() != "owner":
        raise Misread("only an owner is in a group of staff", name.at, hint="write: owner in group NAME")
    return Owner(group=group, at=name.at)
