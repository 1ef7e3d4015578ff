"""The names a rule may use: attributes and their types, segments, campaigns."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from macli.model import AttributeType

CORE_TEXTS = ("email", "phone", "external_id", "timezone", "locale", "state", "source")
CORE_DATES = {"added": "added_at", "updated": "updated_at"}
CORE: Mapping[str, AttributeType] = {**dict.fromkeys(CORE_TEXTS, "text"), **dict.fromkeys(CORE_DATES, "date")}
"""What every contact has besides its attributes, and how a rule may compare it."""


@dataclass(frozen=True, kw_only=True)
class KnownSegment:
    """A segment as a rule sees it: a dynamic one has a rule, a static one is its members."""

    id: int
    name: str
    rule: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownCampaign:
    """A campaign as a rule sees it."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Everything a rule can name. Segments and campaigns stand under their casefolded names.

    ``normalise_tags`` says whether tags are kept in upper case and plain letters; ``indexed``, which
    attributes have an index.
    """

    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
    indexed: frozenset[str] = frozenset()
    segments: Mapping[str, KnownSegment] = field(default_factory=dict)
    campaigns: Mapping[str, KnownCampaign] = field(default_factory=dict)
    normalise_tags: bool = True
