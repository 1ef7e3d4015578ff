"""A campaign made or changed by a command's options: its texts and files are kept with it."""

from datetime import datetime
from pathlib import Path as File
from zoneinfo import ZoneInfo

from macli.campaign import brief as briefs
from macli.campaign import drafts, edit, folder
from macli.campaign.apply import Applied, PutSegment, apply
from macli.campaign.brief import Brief
from macli.store import Store, assets, campaigns
from macli.store.connection import Row


def create(store: Store, now: datetime, name: str, brief: Brief, *, zone: ZoneInfo) -> edit.Saved:
    """Make a campaign of what a brief says. Raises BadDefinition, UsageError."""
    return _save(store, now, briefs.blank(" ".join(name.split())), brief, zone=zone, campaign=None)


def change(store: Store, now: datetime, campaign: Row, brief: Brief, *, zone: ZoneInfo) -> edit.Saved:
    """Make the next version of a campaign with what a brief says."""
    return _save(store, now, campaigns.document(store, campaign), brief, zone=zone, campaign=campaign)


def _save(
    store: Store,
    now: datetime,
    definition: dict[str, object],
    brief: Brief,
    *,
    zone: ZoneInfo,
    campaign: Row | None,
) -> edit.Saved:
    plain = briefs.written(definition, brief, now=now, zone=zone)
    with store.write():
        if brief.sms is not None:
            text = drafts.Template(sms=brief.sms)
            drafts.put(store, now, briefs.template_for(str(plain["name"])), drafts.from_files(text, File()))
        for file in brief.attach:
            assets.add(store, now, file.name, drafts.octets_in(file.parent, file.name))
        return edit.save(store, now, plain, zone=zone, origin="command", campaign=campaign)


def from_file(
    store: Store, now: datetime, name: str, file: File, *, zone: ZoneInfo, put_segment: PutSegment
) -> Applied:
    """Make or change a campaign as a file says, under the name given. Raises BadDefinition."""
    found = folder.find([file])[0]
    return apply(store, now, folder.open_folder(found, name=name), zone=zone, put_segment=put_segment)
