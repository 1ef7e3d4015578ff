"""A row of cells as what the store keeps: one converter is made for each file, for its columns."""

import json
import re
from collections.abc import Callable
from functools import partial
from json.encoder import encode_basestring
from typing import Any
from unicodedata import normalize
from zoneinfo import ZoneInfo

from macli.address import normalise_email, normalise_phone, split_tags
from macli.errors import UsageError
from macli.importer import headers
from macli.importer.plan import Column, Plan
from macli.store import contacts
from macli.store.attributes import BOOLEANS, LONGEST_TEXT, BadValue, json_text, plain_text, read_value

Cells = list[str]
Converted = list[Any]
"""Number and wave, to be filled in; own columns as ``own_names`` has them; attributes and folded as JSON."""
FIRST_OWN = 2

Consent = tuple[str, str, str]
"""Channel, topic, status."""

_REMEMBERED = 8192
_SHORT = 64
_is_simple_number = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,4})?").fullmatch
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


class Refused(Exception):
    """Why a row cannot be taken: the column and what is wrong with its value."""


def own_names(plan: Plan) -> tuple[str, ...]:
    """The columns of the contact the converter fills, the key first."""
    rest = (column.target for column in plan.own if column.target != plan.key)
    return (plan.key, *rest)


def converter(plan: Plan) -> Callable[[Cells], Converted]:
    """What turns the cells of a row into the values to be stored. It raises Refused.

    Measured on twelve columns: a value seen before costs 0.1 µs, so each column remembers its
    first 8,192 short ones; an e-mail address costs 1.5 µs, a phone number 4.
    """
    by_target = {column.target: column for column in plan.own}
    own_columns = [by_target[name] for name in own_names(plan)]
    own = [(column.place, _own(column, plan)) for column in own_columns]
    attributes = [(column.place, *_attribute(column, plan.options.zone)) for column in plan.attributes]
    dropped = frozenset(column.place for column in plan.columns if column.target == "-")
    fold = _folder(plan)
    key_place = own[0][0]
    key = plan.key
    width = len(plan.content.header)
    join_comma = ",".join

    def convert(row: Cells) -> Converted:
        if len(row) != width:
            row = _same_width(row, width)
        text = "".join(row)
        if not text.isprintable() or len(text) > LONGEST_TEXT:
            row = _checked(row, dropped, plan)
        members = []
        for place, recall, read in attributes:
            cell = row[place]
            if cell:
                member = recall(cell)
                if member is None:
                    member = read(cell)
                if member:
                    members.append(member)
        values: Converted = [0, 0]
        try:
            for place, reader in own:
                cell = row[place]
                if cell[:1] == "'":
                    cell = unguarded(cell)
                values.append(reader(cell) if cell else None)
        except UsageError:
            values[FIRST_OWN:] = [_careful(row[column.place], column, plan) for column in own_columns]
        if values[FIRST_OWN] is None:
            raise Refused(f"{plan.columns[key_place].header}: it is empty, and rows are told apart by {key}")
        values.append("{" + join_comma(members) + "}")
        values.append(None if text.isascii() else fold(row))
        return values

    return convert


def is_blank(row: Cells) -> bool:
    """Whether a row says nothing at all."""
    return not any(map(str.strip, row))


def _same_width(row: Cells, width: int) -> Cells:
    """A row with only empty cells behind the header's last is whole; any other length is a mistake."""
    if len(row) > width and not any(map(str.strip, row[width:])):
        return row[:width]
    cells = "cell" if len(row) == 1 else "cells"
    raise Refused(f"{len(row)} {cells} where the header has {width}: a delimiter or a quote is missing or too many")


def _checked(row: Cells, dropped: frozenset[int], plan: Plan) -> Cells:
    """The row where no value holds what none may; space around a value, of any kind, is no value."""
    kept = []
    for place, cell in enumerate(row):
        if place in dropped:
            kept.append("")
            if len(cell) > LONGEST_TEXT:
                row[place] = ""  # the batch keeps the row; nobody asked for this part of it
            continue
        try:
            kept.append(plain_text(cell.strip()))
        except BadValue as error:
            raise Refused(f"{plan.columns[place].header}: {error.message}") from None
    return kept


def unguarded(cell: str) -> str:
    """The value behind the apostrophe an export puts before what a spreadsheet would run."""
    return cell[1:] if cell[:1] == "'" and _GUARDED.match(cell) else cell


def _attribute(column: Column, zone: ZoneInfo) -> tuple[Callable[[str], str | None], Callable[[str], str]]:
    """What recalls and what reads the cells of an attribute: as members of a JSON object, empty for blank ones."""
    start = json.dumps(column.name, ensure_ascii=False) + ":"
    kind = column.kind
    remembered: dict[str, str] = {}

    def read(cell: str) -> str:
        if kind == "number" and _is_simple_number(cell):
            # As json_text writes it, without the way through a float.
            return start + (cell.rstrip("0").rstrip(".") if "." in cell else cell)
        value = unguarded(cell.strip())
        if not value:
            member = ""
        elif kind == "text":
            member = start + encode_basestring(value if value.isascii() else normalize("NFC", value))
        else:
            try:
                member = start + json_text(read_value(kind, value, zone))
            except BadValue as error:
                raise Refused(f"{column.header}: {error.message}") from None
        if len(remembered) < _REMEMBERED and len(cell) < _SHORT:
            remembered[cell] = member
        return member

    return remembered.get, read


def _own(column: Column, plan: Plan) -> Callable[[str], str | None]:
    """The reader of one of the contact's own columns. It raises UsageError, also for a blank cell."""
    region, target = plan.options.region, column.target
    if target == "email":
        return normalise_email
    if target == "phone":
        return partial(normalise_phone, region=region)
    if target == "external_id":
        return partial(contacts.read_own, target, region=region)
    remembered: dict[str, str] = {}

    def read(cell: str) -> str:
        found = remembered.get(cell)
        if found is None:
            found = contacts.read_own(target, cell, region)
            if len(remembered) < _REMEMBERED:
                remembered[cell] = found
        return found

    return read


def _careful(cell: str, column: Column, plan: Plan) -> str | None:
    """A cell of one of the contact's own columns, once more: blank, guarded, or refused with the reason."""
    cell = unguarded(cell.strip())
    if not cell:
        return None
    try:
        return contacts.read_own(column.target, cell, plan.options.region)
    except UsageError as error:
        raise Refused(f"{column.header}: {error.message}") from None


def _folder(plan: Plan) -> Callable[[Cells], str | None]:
    """What makes the folded form of a row's texts, where lower-casing ASCII is not enough."""
    texts = [
        (json.dumps(column.name, ensure_ascii=False) + ":", column.place)
        for column in plan.attributes
        if column.kind == "text"
    ]
    remembered: dict[str, str] = {}

    def fold_text(cell: str) -> str:
        text = normalize("NFC", unguarded(cell.strip()))
        folded = text.casefold()
        found = "" if folded == text.encode().lower().decode() else encode_basestring(folded)
        if len(remembered) < _REMEMBERED and len(cell) < _SHORT:
            remembered[cell] = found
        return found

    def fold(row: Cells) -> str | None:
        members = []
        for start, place in texts:
            cell = row[place]
            if not cell.isascii():
                found = remembered.get(cell)
                if found is None:
                    found = fold_text(cell)
                if found:
                    members.append(start + found)
        return "{" + ",".join(members) + "}" if members else None

    return fold


def tag_reader(plan: Plan) -> Callable[[Cells], tuple[str, ...]] | None:
    """What reads the tags of a row; None where the file has none."""
    places = [column.place for column in plan.columns if column.target == "tags"]
    if not places:
        return None
    place, faithful = places[0], plan.options.faithful_tags

    def read(row: Cells) -> tuple[str, ...]:
        try:
            return split_tags(unguarded(row[place].strip()), faithful)
        except UsageError as error:
            raise Refused(f"{plan.columns[place].header}: {error.message}") from None

    return read


def consent_reader(plan: Plan) -> Callable[[Cells], tuple[Consent, ...]] | None:
    """What reads the consents of a row; None where the file and the options say nothing of any."""
    said: list[tuple[int, str, str, str, bool]] = []
    for column in plan.columns:
        if column.target in ("email_opt_out", "sms_opt_out"):
            said.append((column.place, column.header, column.target.partition("_")[0], "", True))
        elif consent := headers.consent_of(column.target):
            said.append((column.place, column.header, *consent, False))
    if not said and not plan.options.opt_in:
        return None
    granted = tuple((channel, "", "granted") for channel in plan.options.opt_in)

    def read(row: Cells) -> tuple[Consent, ...]:
        found: dict[tuple[str, str], str] = {}
        for place, header, channel, topic, negative in said:
            cell = row[place].strip().casefold()
            if cell:
                status = _status(cell, header, negative)
                if status == "withdrawn" or (status and (channel, topic) not in found):
                    found[channel, topic] = status
        spoken = tuple((*about, status) for about, status in found.items())
        return (*spoken, *(yes for yes in granted if yes[:2] not in found))

    return read


def _status(cell: str, header: str, negative: bool) -> str | None:
    if not negative and cell in ("granted", "withdrawn", "pending"):
        return cell
    answer = BOOLEANS.get(cell)
    if answer is None:
        known = "yes or no" if negative else "granted, withdrawn, pending, yes or no"
        raise Refused(f"{header}: {cell!r} is none of {known}")
    if negative:
        return "withdrawn" if answer else None
    return "granted" if answer else "withdrawn"
