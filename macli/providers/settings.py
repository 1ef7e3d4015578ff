"""Settings of a provider: a dataclass whose fields are the store's keys and the command's options."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from macli.errors import UnknownName, UsageError, did_you_mean
from macli.secrets import Secret

T = TypeVar("T")
Reader = Callable[[Any, Path], Any]

E164 = re.compile(r"\+[1-9]\d{6,14}")
ADDRESS = re.compile(r"[^\s@<>,;\"\x00-\x1f\x7f]+@[^\s@<>,;\"\x00-\x1f\x7f]+")
HOST = re.compile(r"[^\s/@:]+|\[?[0-9A-Fa-f:.]+\]?")


def option(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    choices: tuple[str, ...] = (),
    key: str | None = None,
    reader: Reader | None = None,
    asked_with: str | None = None,
    made: Callable[[], str] | None = None,
) -> Any:
    """A setting: its default, what the command line says about it, the words it may be.

    ``key`` is the name people and the store use where Python reserves it (``from``). A setting with
    a ``reader`` has a structure of its own and no option. A secret is asked for on a terminal where
    the setting ``asked_with`` is given without it; one that ``made`` can make is never asked for.
    """
    metadata = {
        "help": help,
        "choices": choices,
        "key": key,
        "reader": reader,
        "asked_with": asked_with,
        "made": made,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """One setting as a person sees it."""

    key: str
    field: str
    type: type
    required: bool
    default: Any
    help: str
    choices: tuple[str, ...]
    reader: Reader | None
    asked_with: str | None
    made: Callable[[], str] | None

    @property
    def flag(self) -> str:
        return "--" + self.key.replace("_", "-")


def options(settings: type) -> list[Option]:
    """The settings of a provider's dataclass."""
    hints = get_type_hints(settings)
    return [
        Option(
            key=field.metadata.get("key") or field.name,
            field=field.name,
            type=_plain_type(hints[field.name]),
            required=field.default is dataclasses.MISSING,
            default=None if field.default is dataclasses.MISSING else field.default,
            help=field.metadata["help"],
            choices=field.metadata["choices"],
            reader=field.metadata["reader"],
            asked_with=field.metadata["asked_with"],
            made=field.metadata["made"],
        )
        for field in dataclasses.fields(settings)
    ]


def _plain_type(hint: Any) -> type:
    if get_origin(hint) in (Union, UnionType):
        hint = next(word for word in get_args(hint) if word is not type(None))
    plain = get_origin(hint) or hint
    assert isinstance(plain, type)
    return plain


def read(settings: type[T], given: Mapping[str, Any], *, kind: str, folder: Path) -> T:
    """The settings in ``given``, checked. Raises UsageError naming the one that is wrong."""
    known = {option.key: option for option in options(settings)}
    for key in given:
        if key not in known:
            raise UnknownName(f"{kind} setting", key, known, hint=f"known: {', '.join(known)}")
    values: dict[str, Any] = {}
    for key, option in known.items():
        if given.get(key) is not None:
            values[option.field] = _value(option, given[key], folder)
        elif option.required:
            raise UsageError(f"{kind} needs {option.flag}: {option.help}")
    return settings(**values)


def _value(option: Option, given: Any, folder: Path) -> Any:
    if option.reader is not None:
        return option.reader(given, folder)
    if option.type is Secret:
        return Secret(str(given), folder)
    if option.type is Path:
        return folder / Path(str(given)).expanduser()
    if option.type is bool:
        word = str(given).lower()
        if word in ("true", "yes", "on", "1"):
            return True
        if word in ("false", "no", "off", "0"):
            return False
        raise UsageError(f"{option.flag} {given!r} is neither yes nor no")
    if option.type in (int, float):
        try:
            return option.type(given)
        except (TypeError, ValueError):
            raise UsageError(f"{option.flag} {given!r} is no number") from None
    text = str(given).strip()
    if option.choices and text not in option.choices:
        raise UsageError(
            f"{option.flag} {text!r} is not known{did_you_mean(text, option.choices)}",
            hint=f"one of {', '.join(option.choices)}",
        )
    return text


def read_changes(pairs: Iterable[str], taken_away: Iterable[str]) -> dict[str, Any]:
    """``key=value`` texts as changes of settings, None for those taken away. Raises UsageError."""
    changes: dict[str, Any] = dict.fromkeys(taken_away)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is no setting", hint="--set port=587")
        changes[key.strip().replace("-", "_")] = _structured(pair, value) if value[:1] in ("{", "[") else value
    return changes


def _structured(pair: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise UsageError(f"--set {pair!r} is no JSON: {error}") from None


def shown(settings: Any) -> dict[str, Any]:
    """The settings in force by key, secrets by their references."""
    return {
        option.key: str(value) if isinstance(value, (Secret, Path)) else value
        for option in options(type(settings))
        if (value := getattr(settings, option.field)) is not None
    }


def expect(holds: bool, flag: str, given: object, what: str, *, hint: str | None = None) -> None:
    """Raise UsageError naming the option unless ``holds``."""
    if not holds:
        raise UsageError(f"{flag} {given!r} is no {what}", hint=hint)


def expect_url(flag: str, given: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(given)
        holds = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        holds = False
    expect(holds, flag, given, "http or https URL", hint=f"{flag} https://example.com/path")
