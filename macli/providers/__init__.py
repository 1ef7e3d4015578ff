"""Who carries messages: one module a kind of provider, imported when it is used."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from macli.errors import UnknownName
from macli.model import ChannelKind
from macli.providers.base import Enquiry, Feed, Provider, send_one, sends, streams

__all__ = ["CARRIES", "KINDS", "Enquiry", "Feed", "Provider", "load", "module_of", "send_one", "sends", "streams"]

KINDS = {
    "outbox": "macli.providers.outbox",
    "smtp": "macli.providers.smtp",
    "smtp2go": "macli.providers.smtp2go",
    "twilio": "macli.providers.twilio",
    "webhook": "macli.providers.webhook",
    "webpush": "macli.providers.webpush",
}
"""Each module has ``Settings``, a dataclass of options, and ``build(settings, name=…)``."""

CARRIES: dict[str, tuple[ChannelKind, ...]] = {
    "outbox": ("email", "sms", "push", "webhook"),
    "smtp": ("email",),
    "smtp2go": ("email",),
    "twilio": ("sms",),
    "webhook": ("webhook",),
    "webpush": ("push",),
}
"""What kinds of channel each kind of provider can serve, known without importing it."""

CALLS_BACK = frozenset({"twilio"})
"""Kinds that are told with each message where to report what becomes of it."""


def load(
    kind: str, settings: Mapping[str, Any], *, name: str, workspace: Path, callback: str | None = None
) -> Provider:
    """The provider these settings describe; paths in them are relative to ``workspace``.

    ``callback`` is the address at which it may report, where it reports at all. Raises UsageError
    naming the setting that is wrong. Nothing is connected, no secret is read.
    """
    from macli.providers.settings import read

    module = module_of(kind)
    known = read(module.Settings, settings, kind=kind, folder=workspace)
    more = {"callback": callback} if kind in CALLS_BACK else {}
    return cast(Provider, module.build(known, name=name, **more))


def module_of(kind: str) -> ModuleType:
    if kind not in KINDS:
        raise UnknownName("kind of provider", kind, KINDS, hint=f"one of {', '.join(KINDS)}")
    return import_module(KINDS[kind])
