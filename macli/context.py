"""What every command shares, each part built when it is first asked for."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from macli import clock
from macli.errors import UsageError
from macli.log import Log
from macli.output import Output
from macli.workspace import Workspace, find

if TYPE_CHECKING:
    import typer

    from macli.store.access import Acting
    from macli.store.connection import Store
    from macli.tick.engine import Engine


class Macli:
    """One run of the program: its options, workspace, store, clock and output.

    ``clock`` reads the time anew at each call, for what goes on for long; everything else uses
    ``now()``.
    """

    def __init__(self, clock: clock.Clock | None = None) -> None:
        self.workspace_option: Path | None = None
        self.acting_option: str | None = None
        """Who of the staff types this; None leaves it to MACLI_USER, '' is nobody."""
        self.quiet = False
        self.verbose = False
        self.no_color = False
        self.json = False
        self.said: list[str] = []
        """With ``json``, what a command said that has nothing to list."""
        self.log_file: Path | None = None
        self.log_json = False
        self.clock = clock or _clock_of_environment
        self.run_line: Callable[..., int] | None = None
        """What runs a command line, for a command that runs others: ``run_line(args, macli=another)``."""

    @staticmethod
    def of(ctx: "typer.Context") -> "Macli":
        """The run a command belongs to."""
        macli = ctx.find_root().obj
        assert isinstance(macli, Macli)
        return macli

    def now(self) -> datetime:
        """The moment of this run, aware, in UTC, read once."""
        return self._now

    @cached_property
    def _now(self) -> datetime:
        return self.clock()

    @cached_property
    def workspace(self) -> Workspace:
        return find(self.workspace_option)

    @cached_property
    def store(self) -> "Store":
        """The store, as whoever acts may see and change it."""
        if self.acting is None:
            return self._opened
        from macli.store import access

        return access.limited(self._opened, self.acting)

    @cached_property
    def _opened(self) -> "Store":
        from macli.store import open_store

        return open_store(self.workspace.store)

    @cached_property
    def acting(self) -> "Acting | None":
        """Who of the staff acts; None for the operator. Raises UnknownName, NotPermitted."""
        if not self.acting_name:
            return None
        from macli.store import access

        return access.acting(self._opened, self.acting_name)

    @property
    def acting_name(self) -> str:
        """The name given with --as or in MACLI_USER; '' for the operator, who may do everything."""
        named = self.acting_option
        return (os.environ.get("MACLI_USER", "") if named is None else named).strip()

    def acting_staff_id(self) -> int | None:
        """The id of the member of staff who acts, for what has an author; None for the operator."""
        return self.acting.staff_id if self.acting else None

    def as_operator(self) -> "Macli":
        """This run, for what macli does whoever starts it."""
        self.acting_option = ""
        return self

    def setting(self, key: str) -> Any:
        """The typed value of a setting, or its default."""
        from macli.store import settings

        return settings.get(self.store, key)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone people read and write times in: the setting ``timezone``, else the machine's."""
        named = self.setting("timezone")
        return clock.zone(named) if named else machine_zone()

    @cached_property
    def log(self) -> Log | None:
        """The log asked for by --log-file, --log-json or macli.toml; None where nobody asked."""
        try:
            workspace = self.workspace
        except UsageError:
            workspace = None
        file = self.log_file or (workspace.log if workspace else None)
        as_json = self.log_json or (workspace is not None and workspace.log_json)
        return Log(file, as_json=as_json, now=clock.system_clock) if file or self.log_json else None

    @cached_property
    def out(self) -> Output:
        return Output(
            quiet=self.quiet,
            color=not self.no_color,
            zone=lambda: self.zone,
            colors=self._category_colors,
            log=lambda: self.log,
            said=self.said if self.json else None,
        )

    def _category_colors(self) -> dict[str, str]:
        from macli.store import categories

        return categories.colors(self.store)

    def engine(self, now: "datetime | None" = None) -> "Engine":
        """What the phases of a tick need, at this run's moment or at ``now``."""
        from macli.tick.engine import Engine

        return Engine(
            store=self.store,
            setting=self.setting,
            now=now or self.now(),
            zone=self.zone,
            workspace=self.workspace.path,
        )

    def close(self) -> None:
        for name in ("store", "_opened"):
            if name in self.__dict__:
                getattr(self, name).close()


def _clock_of_environment() -> datetime:
    """The system's clock, or the moment in MACLI_NOW, for tests and documents that come out the same."""
    given = os.environ.get("MACLI_NOW")
    if not given:
        return clock.system_clock()
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"MACLI_NOW={given!r} is no ISO 8601 time") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def machine_zone() -> ZoneInfo:
    """The machine's zone: TZ, /etc/timezone, /etc/localtime, else UTC."""
    names = [os.environ.get("TZ", "").lstrip(":")]
    if os.path.exists("/etc/timezone"):
        names.append(Path("/etc/timezone").read_text("utf-8", "replace").strip())
    linked = os.path.realpath("/etc/localtime")
    if "/zoneinfo/" in linked:
        names.append(linked.split("/zoneinfo/", 1)[1])
    for name in names:
        if name:
            try:
                return clock.zone(name)
            except UsageError:
                continue
    return ZoneInfo("UTC")
