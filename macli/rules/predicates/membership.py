"""Segments and campaigns a contact is in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from macli.rules.readers import reads
from macli.rules.sql import WIDE, Build, Condition
from macli.rules.tree import Leaf, Mention, Rule
from macli.rules.values import Literal

TITLE = "Segments and campaigns"


@dataclass(frozen=True, kw_only=True)
class InSegment(Leaf):
    """The contact is in the segment: of a dynamic one it fits the rule now, of a static one it is a
    member. Segments that ask for each other in a circle are refused.

    - `in segment "vip"`
    - `not in segment churned`
    """

    segment: Literal
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.3

    def __str__(self) -> str:
        return f"in segment {self.segment}"

    def names(self) -> Iterator[Mention]:
        yield Mention(kind="segment", name=self.segment)

    def condition(self, build: Build, reach: float) -> Condition:
        from macli.rules.parser import parse

        segment = build.segment(self.segment)
        if segment.rule is not None:
            return Condition(sql=build.inline(segment, segment.rule, parse(segment.rule), reach))
        build.reads.add("segment_members")
        return Condition(sql=member(build.bind(segment.id), reach))


def member(segment_id: str, reach: float) -> str:
    """The condition that the contact is written down as a member; ``segment_id`` is a placeholder."""
    if reach > WIDE:
        return (
            "contacts.id IN (SELECT segment_members.contact_id FROM segment_members"
            f" WHERE segment_members.segment_id = {segment_id})"
        )
    return (
        f"EXISTS (SELECT 1 FROM segment_members WHERE segment_members.segment_id = {segment_id}"
        " AND segment_members.contact_id = contacts.id)"
    )


@dataclass(frozen=True, kw_only=True)
class InCampaign(Leaf):
    """The contact is on its way through the campaign now.

    - `in campaign "welcome"`
    """

    campaign: Literal
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2

    def __str__(self) -> str:
        return f"in campaign {self.campaign}"

    def condition(self, build: Build, reach: float) -> Condition:
        return _enrolled(self.campaign, "enrollments.ended_at IS NULL", build, reach)


@dataclass(frozen=True, kw_only=True)
class FinishedCampaign(Leaf):
    """The contact came to an end of the campaign at least once, whatever end that was.

    - `finished campaign "welcome"`
    """

    campaign: Literal
    looks_elsewhere: ClassVar[bool] = True
    share: ClassVar[float] = 0.2

    def __str__(self) -> str:
        return f"finished campaign {self.campaign}"

    def condition(self, build: Build, reach: float) -> Condition:
        return _enrolled(self.campaign, "enrollments.ended_at IS NOT NULL AND enrollments.round > 0", build, reach)


def _enrolled(name: Literal, state: str, build: Build, reach: float) -> Condition:
    build.reads.add("enrollments")
    campaign = build.campaign(name)
    asked = f"enrollments.campaign_id = {build.bind(campaign.id)} AND {state}"
    if reach > WIDE:
        return Condition(sql=f"contacts.id IN (SELECT enrollments.contact_id FROM enrollments WHERE {asked})")
    return Condition(sql=(f"EXISTS (SELECT 1 FROM enrollments WHERE enrollments.contact_id = contacts.id AND {asked})"))


@reads("in_segment")
def in_segment(segment: Literal) -> Rule:
    return InSegment(segment=segment)


@reads("in_campaign")
def in_campaign(campaign: Literal) -> Rule:
    return InCampaign(campaign=campaign)


@reads("finished_campaign")
def finished_campaign(campaign: Literal) -> Rule:
    return FinishedCampaign(campaign=campaign)
