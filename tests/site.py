"""A world's pages, asked as a browser or a provider asks, with a clock that stands where a test puts it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.testclient import TestClient

from macli.signing import Keyring, keyring
from macli.web.app import create
from macli.web.site import Site
from tests.world import NOW, World


@contextmanager
def serving(world: World, clock: Callable[[], datetime] = lambda: NOW) -> Iterator[TestClient]:
    """A client of the world's site, which starts and ends with the block. Redirects are not followed."""
    site = Site(workspace=world.path, store=world.path / "macli.db", clock=clock, zone=ZoneInfo("UTC"))
    proxy = ("127.0.0.1", 50_000)
    with TestClient(create(site), base_url="https://news.example", follow_redirects=False, client=proxy) as client:
        yield client


def keys(world: World) -> Keyring:
    return keyring(world.path)
