"""Campaign folders made real: all of a folder or nothing, and nothing twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path as File
from typing import Any
from zoneinfo import ZoneInfo

from macli.campaign import checks, drafts, edit, folder
from macli.campaign.problems import BadDefinition, Problem
from macli.clock import to_ms
from macli.errors import MacliError, NotPermitted, UsageError
from macli.model import AttributeType
from macli.store import Store, assets, attributes, campaigns, categories


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What applying one folder did, or would do. ``error`` says why it did nothing."""

    file: str
    campaign: str | None = None
    change: str = "refused"
    """``created``, ``changed``, ``unchanged`` or ``refused``."""
    version: int | None = None
    state: str | None = None
    also: tuple[str, ...] = ()
    """Segments, templates and categories that were made or changed."""
    moved: Mapping[str, int] = field(default_factory=dict)
    error: MacliError | None = None

    def lines(self, *, dry_run: bool) -> list[str]:
        """What was done, in lines for people."""
        if self.campaign is None:
            return [f"{self.file}: refused"]
        verb = f"would be {self.change}" if dry_run and self.change != "unchanged" else self.change
        words = f"{self.file}: {self.campaign!r} {verb}, version {self.version}, {self.state}"
        return [
            words,
            *(f"  {one}" for one in self.also),
            *([f"  of those inside: {self._moved}"] if self._moved else []),
        ]

    @property
    def _moved(self) -> str | None:
        return ", ".join(f"{count} {what}" for what, count in self.moved.items() if count) or None

    def record(self) -> dict[str, Any]:
        """What was done, as a row to be shown."""
        facts = {name: getattr(self, name) for name in ("file", "campaign", "change", "version", "state")}
        error = {"error": self.error.message} if self.error is not None else {}
        return {**facts, "also": ", ".join(self.also) or None, "moved": self._moved, **error}


PutSegment = Callable[[Store, datetime, ZoneInfo, str, str], str | None]
"""Make the segment of that name select what the rule says: ``created``, ``changed``, None where it does."""


class _Undone(Exception):
    """Takes back what a dry run did."""


def apply_all(
    store: Store,
    now: datetime,
    paths: Sequence[File],
    *,
    zone: ZoneInfo,
    put_segment: PutSegment,
    dry_run: bool = False,
) -> list[Applied]:
    """Apply each folder found under ``paths``; one that is refused does not keep the others back."""
    found = []
    for file in folder.find(paths):
        try:
            given = folder.open_folder(file)
            found.append(apply(store, now, given, zone=zone, put_segment=put_segment, dry_run=dry_run))
        except MacliError as error:
            found.append(Applied(file=str(file), error=error))
    return found


def refusals(applied: Sequence[Applied]) -> MacliError | None:
    """The error of those folders that were refused, as one; None where all were applied."""
    errors = [one.error for one in applied if one.error is not None]
    if len(errors) < 2:
        return errors[0] if errors else None
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    return UsageError("\n".join(error.message for error in errors), hint="\n  ".join(hints) or None)


def apply(
    store: Store,
    now: datetime,
    given: folder.Folder,
    *,
    zone: ZoneInfo,
    put_segment: PutSegment,
    dry_run: bool = False,
) -> Applied:
    """Make the store say what a folder says. Raises BadDefinition naming everything that is wrong."""
    done: list[Applied] = []
    try:
        with store.write():
            done.append(_apply(store, now, given, zone, put_segment))
            if dry_run:
                raise _Undone
    except _Undone:
        pass
    return done[0]


def _apply(store: Store, now: datetime, given: folder.Folder, zone: ZoneInfo, put_segment: PutSegment) -> Applied:
    problems = list(given.problems)
    also = list(_categories(store, now, given))
    for name, kind in given.attributes.items():
        also += _tried(problems, ("attributes", name), partial(_attribute, store, now, name, kind))
    for name, rule in given.segments.items():
        also += _tried(problems, ("segments", name), partial(put_segment, store, now, zone, name, rule))
    for name, draft in given.templates.items():
        also += _tried(problems, ("templates", name), partial(drafts.put, store, now, name, draft))
    _files(store, now, given)
    known = _with_own(checks.known(store, now, zone), given)
    # A rule under ``segments`` has been looked at when it was stored.
    mentions = [one for one in given.mentions if one.path[0] != "segments"]
    problems += checks.problems_of(known, mentions, given.campaign)
    if problems:
        raise BadDefinition(given.places, problems)
    assert given.campaign is not None
    campaign = campaigns.find(store, given.campaign.name)
    saved = edit.save(
        store,
        now,
        given.definition,
        zone=zone,
        origin=given.origin,
        places=given.places,
        campaign=campaign,
    )
    return Applied(
        file=given.origin,
        campaign=saved.name,
        change="changed" if saved.change == "unchanged" and also else saved.change,
        version=saved.version,
        state=campaign["state"] if campaign is not None else "draft",
        also=tuple(also),
        moved=saved.moved,
    )


def _tried(problems: list[Problem], path: tuple[str, str], work: Callable[[], str | None]) -> list[str]:
    try:
        change = work()
    except NotPermitted:
        raise
    except MacliError as error:
        problems.append(Problem(path=path, message=error.message, hint=error.hint))
        return []
    return [f"{path[0].removesuffix('s')} {path[1]!r} {change}"] if change else []


def _categories(store: Store, now: datetime, given: folder.Folder) -> list[str]:
    """A category a file names is made where there is none: nothing else in a folder could."""
    made = []
    for mention in given.mentions:
        if mention.kind == "CategoryName" and mention.text.casefold() not in _names(store, "categories"):
            categories.create(store, now, mention.text)
            made.append(f"category {mention.text!r} created")
    return made


def _attribute(store: Store, now: datetime, name: str, kind: AttributeType) -> str | None:
    return "created" if attributes.declare(store, to_ms(now), name, kind) else None


def _files(store: Store, now: datetime, given: folder.Folder) -> None:
    """Keep the files that steps attach and that lie in the folder."""
    from macli.actions.sending import Send

    for node in given.campaign.each_step() if given.campaign is not None else ():
        for name in node.action.attach if isinstance(node.action, Send) else ():
            if (given.path / name).is_file():
                assets.add(store, now, File(name).name, drafts.octets_in(given.path, name))


def _names(store: Store, table: str) -> set[str]:
    return {row["name"].casefold() for row in store.rows(f"SELECT name FROM {table}")}


def _with_own(known: checks.Known, given: folder.Folder) -> checks.Known:
    """What the folder itself brings is there, even where it could not be read: one mistake is told once."""
    own_templates = {name.casefold(): draft.kind for name, draft in given.templates.items()}
    broken = {
        str(one.path[1]).casefold(): "" for one in given.problems if one.path[:1] == ("templates",) and one.path[1:]
    }
    own_segments = {name.casefold(): "dynamic" for name in given.segments}
    return replace(
        known,
        templates={**known.templates, **broken, **own_templates},
        segments={**known.segments, **own_segments},
    )
