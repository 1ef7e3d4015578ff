"""A campaign's folder: ``campaign.yaml``, the templates beside it, the segments and attributes it brings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from macli.campaign import yaml_source
from macli.campaign.definition import FILE_KEYS, Campaign, new_reader, read
from macli.campaign.drafts import Draft, Template, from_files
from macli.campaign.problems import BadDefinition, Places, Problem
from macli.campaign.reader import UNREAD, Mention, Reader
from macli.campaign.words import Rule
from macli.errors import MacliError, UsageError
from macli.model import AttributeType

NAME = "campaign.yaml"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What a folder says. ``campaign`` is None, and ``problems`` say why, where it cannot be read."""

    path: File
    places: Places
    definition: Mapping[str, Any]
    """The campaign in plain values, without what else the file holds."""
    campaign: Campaign | None
    mentions: tuple[Mention, ...]
    attributes: Mapping[str, AttributeType]
    segments: Mapping[str, str]
    templates: Mapping[str, Draft]
    problems: tuple[Problem, ...]

    @property
    def origin(self) -> str:
        return self.places.file or str(self.path)


def find(paths: Sequence[File]) -> list[File]:
    """The campaign files meant: each path is one, a folder with one, or a folder of such folders.

    Raises UsageError where a path leads to none.
    """
    found: list[File] = []
    for path in paths:
        if path.is_file():
            below = [path]
        elif (path / NAME).is_file():
            below = [path / NAME]
        else:
            below = sorted(path.glob(f"**/{NAME}"))
        if not below:
            raise UsageError(f"no {NAME} in {path}", hint=f"a campaign is a folder with a {NAME}")
        found += below
    return list(dict.fromkeys(found))


def open_folder(file: File, *, name: str | None = None) -> Folder:
    """Everything a campaign file and the files beside it say; ``name`` instead of the campaign's own.

    Raises BadDefinition where it is no YAML.
    """
    source = yaml_source.read(file)
    reader = new_reader()
    value = source.value
    if name is not None and isinstance(value, Mapping):
        value = {**value, "name": name}
    beside = value if isinstance(value, Mapping) else {}
    attributes = dict(_named(reader, "attributes", beside.get("attributes"), AttributeType))
    segments = dict(_named(reader, "segments", beside.get("segments"), Rule))
    templates = dict(_templates(reader, beside.get("templates"), file.parent))
    campaign = read(reader, value)
    return Folder(
        path=file.parent,
        places=source.places,
        definition={name: member for name, member in beside.items() if name not in FILE_KEYS},
        campaign=campaign if isinstance(campaign, Campaign) else None,
        mentions=tuple(reader.mentions),
        attributes=attributes,
        segments=segments,
        templates=templates,
        problems=tuple(reader.problems),
    )


def _named(reader: Reader, key: str, value: Any, kind: Any) -> Iterator[tuple[str, Any]]:
    if value is None:
        return
    if not isinstance(value, Mapping):
        reader.wrong((key,), f"{key} are names and what each is")
        return
    for name, member in value.items():
        read_member = reader.value(kind, member, (key, name))
        if read_member is not UNREAD:
            yield name, read_member


def _templates(reader: Reader, value: Any, folder: File) -> Iterator[tuple[str, Draft]]:
    for name, files in _named(reader, "templates", value, Template):
        try:
            yield name, from_files(files, folder)
        except MacliError as error:
            reader.wrong(("templates", name), error.message, error.hint)


def refuse_problems(given: Folder) -> None:
    """Raises BadDefinition where the folder could not be read."""
    if given.problems:
        raise BadDefinition(given.places, given.problems)
