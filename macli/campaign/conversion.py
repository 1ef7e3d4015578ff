"""What a campaign is to bring about, and how long after a message it counts as its doing."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from macli.campaign.words import EventName, EventRule, StageName
from macli.errors import UsageError

AFTER_CLICK = timedelta(days=7)
AFTER_OPEN = timedelta(days=1)
_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What the campaign is to bring about: an `event` (`order.paid`; `where` is a condition on its
    properties), a `form` that is sent, a visit to a page whose address begins with `url`, or a `stage` that is
    reached: of the lifecycle (`Purchase`; who passes it by reaches it too) or of a funnel (`Sales/Won`).

    Each counts once, for the campaign whose message the contact clicked last, within `after_click`
    (7 days) before it, or else opened last, within `after_open` (1 day). `value` is the property of the
    event that is summed up.
    """

    scalar: ClassVar[str] = "event"

    event: EventName | None = None
    where: EventRule | None = None
    form: str | None = None
    url: str | None = None
    stage: StageName | None = None
    value: str | None = None
    after_click: timedelta = AFTER_CLICK
    after_open: timedelta = AFTER_OPEN

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.event, self.form, self.url, self.stage)) != 1:
            raise UsageError("a conversion is one of 'event', 'form', 'url' and 'stage'")
        if self.event is None and (self.where or self.value):
            raise UsageError("'where' and 'value' belong to a conversion with 'event'")
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            raise UsageError(f"{self.url!r} begins no page's address", hint="for example https://shop.example/thanks")
        if self.value is not None and not _PROPERTY.fullmatch(self.value):
            raise UsageError(f"{self.value!r} is no name of a property", hint="for example total")
        for name in ("after_click", "after_open"):
            if getattr(self, name) < timedelta(0):
                raise UsageError(f"{name!r} is less than nothing")
