"""The names a rule may use: attributes and their types, segments, campaigns, stages, funnels, staff, reports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from macli.model import AttributeType

CORE_TEXTS = ("email", "phone", "external_id", "timezone", "locale", "state", "source")
CORE_DATES = {"added": "added_at", "updated": "updated_at"}
CORE: Mapping[str, AttributeType] = {**dict.fromkeys(CORE_TEXTS, "text"), **dict.fromkeys(CORE_DATES, "date")}
"""What every contact has besides its attributes, and how a rule may compare it."""


@dataclass(frozen=True, kw_only=True)
class KnownSegment:
    """A segment as a rule sees it: a dynamic one has a rule, a static one is its members.

    Of one that is ``hidden`` from who asks, the contacts count, and nothing else of it is told.
    """

    id: int
    name: str
    rule: str | None = None
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class KnownCampaign:
    """A campaign as a rule sees it."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class KnownName:
    """A member of staff, or an RFM report, as a rule sees it."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class KnownStage:
    """A stage, of the lifecycle or of a funnel; one that was taken away is ``removed``."""

    id: int
    name: str
    position: int
    removed: bool = False


@dataclass(frozen=True, kw_only=True)
class KnownFunnel:
    """A funnel and its stages, under their casefolded names."""

    id: int
    name: str
    stages: Mapping[str, KnownStage] = field(default_factory=dict)


def by_default(key: str) -> Any:
    """What a setting is where nobody set it."""
    from macli.config import setting

    known = setting(key)
    return None if known.default is None else known.read(known.default)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Everything a rule can name. What has a name stands under it casefolded; scopes of points, under kind
    and name.

    ``normalise_tags`` says whether tags are kept in upper case and plain letters; ``indexed``, which
    attributes have an index; ``setting`` gives a setting's value.
    """

    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
    indexed: frozenset[str] = frozenset()
    segments: Mapping[str, KnownSegment] = field(default_factory=dict)
    campaigns: Mapping[str, KnownCampaign] = field(default_factory=dict)
    stages: Mapping[str, KnownStage] = field(default_factory=dict)
    funnels: Mapping[str, KnownFunnel] = field(default_factory=dict)
    staff: Mapping[str, KnownName] = field(default_factory=dict)
    staff_groups: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, KnownName] = field(default_factory=dict)
    scopes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    setting: Callable[[str], Any] = by_default
    normalise_tags: bool = True
    within: "Vocabulary | None" = None
    """What the rules of those segments may name, where that is more."""
