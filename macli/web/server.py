"""Serving: one process or several, in the foreground or beside ``macli run``."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from macli.clock import Clock, system_clock
from macli.errors import OperationFailed
from macli.store import open_store
from macli.web.app import App, create
from macli.web.site import Site

if TYPE_CHECKING:
    import uvicorn

_WORKSPACE, _STORE, _ZONE = "MACLI_SERVE_WORKSPACE", "MACLI_SERVE_STORE", "MACLI_SERVE_ZONE"


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is served and where."""

    workspace: Path
    store: Path
    zone: ZoneInfo
    host: str
    port: int
    workers: int = 1

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def serve(place: Place) -> None:
    """Serve until SIGINT or SIGTERM."""
    import uvicorn

    open_store(place.store).close()  # the tables are brought up to date once, not by every worker
    if place.workers == 1:
        # When everything is answered, uvicorn raises the signal that ended it once more: here to no effect.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            _server(place).run()
        return
    os.environ |= {_WORKSPACE: str(place.workspace), _STORE: str(place.store), _ZONE: place.zone.key}
    uvicorn.run("macli.web.server:worker", factory=True, workers=place.workers, **_options(place))  # type: ignore[arg-type]


@contextmanager
def in_background(place: Place, clock: Clock = system_clock) -> Iterator[None]:
    """Serve in a thread for the length of a block."""
    import time

    open_store(place.store).close()
    server = _server(place, clock)
    thread = threading.Thread(target=server.run, name="macli-serve", daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise OperationFailed(f"cannot serve at {place.host}:{place.port}")
        time.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def worker() -> App:
    """The application of one worker process, which uvicorn starts by this name."""
    return create(
        Site(
            workspace=Path(os.environ[_WORKSPACE]),
            store=Path(os.environ[_STORE]),
            clock=system_clock,
            zone=ZoneInfo(os.environ[_ZONE]),
        )
    )


def _server(place: Place, clock: Clock = system_clock) -> "uvicorn.Server":
    import uvicorn

    site = Site(workspace=place.workspace, store=place.store, clock=clock, zone=place.zone)
    return uvicorn.Server(uvicorn.Config(create(site), **_options(place)))  # type: ignore[arg-type]


def _options(place: Place) -> dict[str, object]:
    from macli.web.heads import Heads

    return {
        "host": place.host,
        "port": place.port,
        "access_log": False,
        "log_level": "warning",
        "lifespan": "on",
        # Whose word counts for a visitor's address is web.proxies' business.
        "proxy_headers": False,
        "server_header": False,
        "date_header": True,
        "http": Heads,
        "timeout_graceful_shutdown": 10,
    }


def free_port(host: str, port: int) -> int:
    """The port itself, or for 0 one that is free. Raises OperationFailed where nobody may listen there."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise OperationFailed(
                f"cannot listen at {host}:{port}: {error.strerror}", hint="another --port, or --host"
            ) from None
        return int(probe.getsockname()[1])
