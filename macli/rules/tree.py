"""A rule as a tree: and, or, not, and the predicates at its leaves; and how each is written."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from macli.rules.sql import Build, Condition
    from macli.rules.values import Literal


@dataclass(frozen=True, kw_only=True)
class Mention:
    """A name within a rule: of what, and where it is written. A funnel's stage is named FUNNEL/STAGE."""

    kind: str
    name: "Literal"

    @property
    def key(self) -> tuple[str, str]:
        """What it names: the kind, and the name as names are told apart."""
        return self.kind, " ".join(self.name.text.split()).casefold()


class Leaf(ABC):
    """A predicate: true or false of every contact, never unknown."""

    looks_elsewhere: ClassVar[bool] = False
    """Whether it reads other tables than contacts, so that the shape of its SQL matters."""

    share: ClassVar[float] = 0.5
    """A guess at how many of all contacts it selects; decides only how fast the SQL is."""

    @abstractmethod
    def __str__(self) -> str:
        """The predicate as a rule writes it."""

    def opposite(self) -> str:
        """``not`` of it as a rule writes it."""
        return f"not {self}"

    def meant(self, build: "Build") -> "Leaf":
        """The predicate this is in the store at hand, where an attribute may have its name."""
        return self

    def own(self, build: "Build") -> bool:
        """Whether it is asked of the task, deal, call, mail or note itself, and not of its contact."""
        return False

    def names(self) -> "Iterator[Mention]":
        """What it names that somebody could take away: segments, stages, funnels, staff, reports."""
        return iter(())

    def leads(self, build: "Build") -> bool:
        """Whether an index on contacts leads to those it selects."""
        return False

    @abstractmethod
    def condition(self, build: "Build", reach: float) -> "Condition":
        """Its SQL; ``reach`` is the share of all contacts it is likely to be asked about."""


@dataclass(frozen=True)
class Not:
    child: "Rule"

    def __str__(self) -> str:
        return self.child.opposite() if isinstance(self.child, Leaf) else f"not ({self.child})"


@dataclass(frozen=True)
class And:
    children: tuple["Rule", ...]

    def __str__(self) -> str:
        return " and ".join(f"({child})" if isinstance(child, And | Or) else str(child) for child in self.children)


@dataclass(frozen=True)
class Or:
    children: tuple["Rule", ...]

    def __str__(self) -> str:
        return " or ".join(f"({child})" if isinstance(child, Or) else str(child) for child in self.children)


Rule = And | Or | Not | Leaf


def negate(rule: Rule) -> Rule:
    """The rule's opposite; twice not is nothing."""
    return rule.child if isinstance(rule, Not) else Not(rule)


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every predicate of the rule, from left to right."""
    if isinstance(rule, Leaf):
        yield rule
    elif isinstance(rule, Not):
        yield from leaves(rule.child)
    else:
        for child in rule.children:
            yield from leaves(child)


def each_leaf(rule: Rule, change: Callable[[Leaf], Leaf]) -> Rule:
    """The rule with each predicate changed."""
    if isinstance(rule, Leaf):
        return change(rule)
    if isinstance(rule, Not):
        return Not(each_leaf(rule.child, change))
    return type(rule)(tuple(each_leaf(child, change) for child in rule.children))


def depth(rule: Rule) -> int:
    """How deep and, or and not are nested in one another."""
    deepest, stack = 0, [(rule, 0)]
    while stack:
        node, level = stack.pop()
        deepest = max(deepest, level)
        if isinstance(node, Not):
            stack.append((node.child, level))
        elif isinstance(node, And | Or):
            stack.extend((child, level + 1) for child in node.children)
    return deepest


def outline(rule: Rule, indent: str = "") -> Iterator[str]:
    """The rule as an indented tree, a line each."""
    if isinstance(rule, Leaf) or (isinstance(rule, Not) and isinstance(rule.child, Leaf)):
        yield f"{indent}{rule}"
        return
    group = rule.child if isinstance(rule, Not) else rule
    assert isinstance(group, And | Or)
    if isinstance(rule, Not):
        word = "none of" if isinstance(group, Or) else "not all of"
    else:
        word = "any of" if isinstance(group, Or) else "all of"
    yield f"{indent}{word}"
    for child in group.children:
        yield from outline(child, f"{indent}  ")
