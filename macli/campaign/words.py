"""The kinds of words a campaign file holds: the types of the fields of definitions and actions.

The reader of campaign files is driven by the types of dataclass fields alone. It knows ``str``,
``int``, ``float``, ``bool``, ``timedelta`` (written ``3 days``), ``Literal``, ``Mapping[str, X]``,
``tuple[X, ...]`` (written as a list, or as one X), ``X | None``, nested dataclasses (a dataclass with
``scalar: ClassVar[str]`` may be written as that field's bare value) and the words below, each of which
is text that is looked up in the store or compiled before a definition is accepted. A key is the
field's name. ``__post_init__`` may raise UsageError: it is reported with the file and line like
every other mistake.

Of actions: ``nested`` names the keys beside the action word that hold step lists (``then``, ``else``).
Where the field of the bare value is a tuple of dataclasses that have a ``nested`` of their own
(``steps``), each of these parts holds a list of steps, reached by the ways "1", "2", …
"""

from typing import NewType

Rule = NewType("Rule", str)
"""A rule on contacts."""
EventRule = NewType("EventRule", str)
"""A condition on an event's properties: ``total > 100``."""
TemplateName = NewType("TemplateName", str)
ChannelName = NewType("ChannelName", str)
SegmentName = NewType("SegmentName", str)
CategoryName = NewType("CategoryName", str)
TopicName = NewType("TopicName", str)
AttributeName = NewType("AttributeName", str)
TagName = NewType("TagName", str)
FunnelName = NewType("FunnelName", str)
StaffName = NewType("StaffName", str)
StageName = NewType("StageName", str)
"""A stage of the lifecycle, or a funnel's: ``Sales/Won``."""

ScopeName = NewType("ScopeName", str)
"""``global``, ``group:fit``, ``tag:VIP``, ``stage:Sales/Offer``; macli.store.scopes reads it."""

EventName = NewType("EventName", str)
EmailAddress = NewType("EmailAddress", str)
Every = NewType("Every", str)
"""``1 hour``, ``2 weeks``, ``1 month``; macli.campaign.recurrence reads it."""

Start = NewType("Start", str)
"""``2026-12-01 09:00 Europe/Warsaw``, or ``2026-12-01 09:00 local``."""
Hours = NewType("Hours", str)
"""``21:00-08:00``."""
