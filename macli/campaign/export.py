"""A campaign written as a folder that applies back to the same thing; and how two such folders differ."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path as File
from typing import Any

from macli.actions.sending import Send
from macli.campaign import drafts, folder, yaml_source
from macli.campaign.definition import Campaign
from macli.campaign.loading import load
from macli.errors import OperationFailed
from macli.store import Store, attributes, campaigns
from macli.store.connection import Row

Files = Mapping[str, bytes]
"""The files of a folder by name."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How a folder and the store differ, as a unified diff; empty where they say the same."""

    file: str
    campaign: str
    lines: tuple[str, ...]


def export(store: Store, name: str) -> Files:
    """The files of a campaign's folder. Raises UnknownName."""
    campaign = campaigns.get(store, name)
    parsed = load(store, campaign["id"], campaign["current_version"]).parsed
    named = [mention.text for mention in parsed.mentions if mention.kind == "AttributeName"]
    return _files(
        campaigns.document(store, campaign),
        attributes=_types_of(store, named),
        segments=dict(_rules_of(store, parsed.campaign.entry.segments)),
        templates={name: drafts.from_store(store, name) for name in templates_of(parsed.campaign)},
    )


def write(files: Files, target: File, *, overwrite: bool) -> list[File]:
    """Write the files of a folder. Raises OperationFailed where one is there that would be lost."""
    there = [name for name in files if (target / name).exists() and (target / name).read_bytes() != files[name]]
    if there and not overwrite:
        raise OperationFailed(
            f"{target} has other files of these names: {', '.join(there)}", hint="add --yes to write over them"
        )
    target.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (target / name).write_bytes(content)
    return [target / name for name in files]


def templates_of(campaign: Campaign) -> list[str]:
    """The names of the templates a campaign sends, in the order of its steps."""
    named = (name for node in campaign.each_step() if isinstance(node.action, Send) for name in node.action.templates())
    return list(dict.fromkeys(named))


def _rules_of(store: Store, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The rules of segments; a static one has none, and is not a matter of files."""
    for name in names:
        row = store.row("SELECT name, rule FROM segments WHERE name_key = :key", {"key": name.strip().casefold()})
        if row is not None and row["rule"] is not None:
            yield row["name"], row["rule"]


def _types_of(store: Store, names: Sequence[str]) -> dict[str, str]:
    """The types of attributes that are declared."""
    types = attributes.types(store)
    return {name: types[name.casefold()] for name in names if name.casefold() in types}


def _files(
    definition: Mapping[str, Any],
    *,
    attributes: Mapping[str, str],
    segments: Mapping[str, str],
    templates: Mapping[str, drafts.Draft],
) -> dict[str, bytes]:
    plain = {name: member for name, member in definition.items() if name != "steps"}
    if attributes:
        plain["attributes"] = dict(attributes)
    if segments:
        plain["segments"] = dict(segments)
    files: dict[str, bytes] = {}
    described = {}
    for name, draft in templates.items():
        described[name], beside = draft.document(name)
        files.update(beside)
    if described:
        plain["templates"] = described
    plain["steps"] = definition.get("steps", [])
    return {folder.NAME: yaml_source.write(plain).encode(), **files}


def diff(store: Store, paths: Sequence[File]) -> Iterator[Difference]:
    """What applying each folder under ``paths`` would change. Raises BadDefinition where one cannot be read."""
    for file in folder.find(paths):
        given = folder.open_folder(file)
        folder.refuse_problems(given)
        name = str(given.definition["name"])
        there = _in_store(store, campaigns.find(store, name), given)
        wanted = _files(
            given.definition,
            attributes=given.attributes,
            segments=given.segments,
            templates=given.templates,
        )
        lines = [line for one in dict.fromkeys([*there, *wanted]) for line in _compare(one, there, wanted)]
        yield Difference(file=given.origin, campaign=name, lines=tuple(lines))


def _in_store(store: Store, campaign: Row | None, given: folder.Folder) -> Files:
    """What the store says of the same things."""
    templates = {}
    for name in given.templates:
        if store.value("SELECT 1 FROM templates WHERE name_key = :key", {"key": name.casefold()}):
            templates[name] = drafts.from_store(store, name)
    segments = dict(_rules_of(store, list(given.segments)))
    if campaign is None and not templates and not segments:
        return {}
    return _files(
        campaigns.document(store, campaign) if campaign is not None else {},
        attributes=_types_of(store, list(given.attributes)),
        segments=segments,
        templates=templates,
    )


def _compare(name: str, there: Files, wanted: Files) -> Iterator[str]:
    old, new = there.get(name), wanted.get(name)
    if old == new:
        return
    try:
        before, after = ((content or b"").decode().splitlines() for content in (old, new))
    except UnicodeDecodeError:
        yield f"{name}: another file"
        return
    yield from unified_diff(before, after, f"store/{name}", f"files/{name}", lineterm="")
