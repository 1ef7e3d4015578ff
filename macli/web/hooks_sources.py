"""Whose hooks these are: the providers' settings and the secrets they prove themselves by."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from macli.errors import MacliError, UnknownName
from macli.responses import hooks
from macli.secrets import Secret
from macli.store import Store
from macli.web.bodies import Refused
from macli.web.site import Site

T = TypeVar("T")
_LASTS = 2.0
"""Seconds after which a provider or a secret is looked at again."""
_MOST = 500
_LONGEST = 100


@dataclass(frozen=True, kw_only=True)
class Source:
    """A provider that may report."""

    name: str
    settings: Any


class Sources:
    """Providers and secrets, each read from the store and the disk at most every few seconds."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    async def provider(self, kind: str, name: str) -> Source:
        """The provider of that kind and name. Raises Refused where there is none."""
        key = (kind, name.casefold())
        found: Source | None = None
        if len(name) <= _LONGEST:  # what is kept of names a stranger asks for is bounded too
            found = await self._fresh(key, lambda store: self._read(store, kind, name))
        if found is None:
            raise Refused(404, f"there is no {kind} provider of that name here")
        return found

    async def reveal(self, secret: Secret) -> str | None:
        """The secret; None where its place is empty."""
        revealed: str | None = await self._fresh(("secret", str(secret)), lambda store: _revealed(secret))
        return revealed

    async def hook_secret(self, name: str, kind: str | None = None) -> str:
        """The secret of the events hook, or of a provider's. Raises Refused where none was made."""
        revealed = await self.reveal(hooks.secret(self._site.workspace, name, kind))
        if revealed is None:
            raise Refused(403, f"this hook has no secret yet: macli hook secret {name}")
        return revealed

    def _read(self, store: Store, kind: str, name: str) -> Source | None:
        from macli.providers import module_of
        from macli.providers.settings import read
        from macli.store import providers

        try:
            row = providers.get(store, name)
            if row["kind"] != kind:
                return None
            given = json.loads(row["settings"])
            settings = read(module_of(kind).Settings, given, kind=kind, folder=self._site.workspace)
        except UnknownName:
            return None
        return Source(name=row["name"], settings=settings)

    async def _fresh(self, key: tuple[str, str], job: Callable[[Store], T]) -> T:
        until, known = self._known.get(key, (0.0, None))
        if time.monotonic() < until:
            found: T = known
            return found
        fresh = await self._site.read(job)
        if len(self._known) >= _MOST:
            self._known.clear()  # names nobody has, asked for by a stranger
        self._known[key] = (time.monotonic() + _LASTS, fresh)
        return fresh


def _revealed(secret: Secret) -> str | None:
    try:
        return secret.reveal()
    except MacliError:
        return None
