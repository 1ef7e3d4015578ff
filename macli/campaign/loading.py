"""A stored version of a campaign, parsed once per process."""

import json
from dataclasses import dataclass
from functools import lru_cache

from macli.campaign.definition import Campaign, Parsed, parse
from macli.campaign.program import Program, flatten
from macli.store import Store, campaigns


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A version as it was defined, and as a program of steps."""

    parsed: Parsed
    program: Program

    @property
    def campaign(self) -> Campaign:
        return self.parsed.campaign


def load(store: Store, campaign_id: int, version: int) -> Loaded:
    """A version of a campaign. Raises UnknownName where there is none."""
    return _loaded(campaigns.text_of(store, campaign_id, version))


# By the text itself: it never changes, while an id may come to mean another campaign.
@lru_cache(maxsize=256)
def _loaded(text: str) -> Loaded:
    parsed = parse(json.loads(text))
    return Loaded(parsed=parsed, program=flatten(parsed.campaign))
