"""A campaign's steps as a program: each step once, and where every way out of it leads."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from macli.actions import Action
from macli.campaign.definition import Campaign
from macli.campaign.steps import NO_WAYS, Node, Steps

NOT_MET = "not_met"
"""What an enrollment ended as when a condition had no way for it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. ``ways`` leads each way to the key of the next step, None where the contact's way ends.

    ``ends`` says as what it ends there, where that is not simply the end.
    """

    key: str
    action: Action
    ways: Mapping[str, str | None]
    ends: Mapping[str, str] = field(default_factory=dict)

    def ended_as(self, way: str) -> str:
        return self.ends.get(way, "end")


@dataclass(frozen=True, kw_only=True)
class Program:
    """All steps by key, in the order of the file; ``first`` is where contacts come in."""

    first: str | None
    steps: Mapping[str, Step]


def flatten(campaign: Campaign) -> Program:
    """The program of a campaign."""
    steps: dict[str, Step] = {}
    first = _lay(campaign.steps, None, steps)
    return Program(first=first, steps=steps)


def _lay(nodes: Steps, after: str | None, steps: dict[str, Step]) -> str | None:
    """Lay out a list of steps whose end leads to ``after``; the key of its first step."""
    for index, node in enumerate(nodes):
        following = nodes[index + 1].key if index + 1 < len(nodes) else after
        steps[node.key] = _step(node, following, {})
        inside: dict[str, str | None] = {}
        for way, list_ in node.ways.items():
            if list_ is not None:
                inside[way] = _lay(list_, following, steps)
        steps[node.key] = _step(node, following, inside)
    return nodes[0].key if nodes else after


def _step(node: Node, following: str | None, inside: Mapping[str, str | None]) -> Step:
    ways: dict[str, str | None] = {}
    ends: dict[str, str] = {}
    for way in node.action.ways():
        if way in inside:
            ways[way] = inside[way]
        elif way in NO_WAYS:
            ways[way], ends[way] = None, NOT_MET
        else:
            ways[way] = following
    return Step(key=node.key, action=node.action, ways=ways, ends=ends)
