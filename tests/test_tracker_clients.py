"""The tracker's clients for servers, run as a company runs them: they tell, and never break who uses them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from macli.errors import OperationFailed, UsageError
from macli.store import settings
from macli.visitors import keys
from macli.visitors.snippets import LANGUAGES, snippet
from tests.browser import listening
from tests.conftest import Run
from tests.world import World, add_contacts, new_world

NOBODY = "http://127.0.0.1:9"
"""The discard port, at which nothing listens."""


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a client is saved, used and run; each use prints what track, identify and proof answered."""

    file: str
    use: str
    run: tuple[str, ...]


USES = {
    "ruby": Language(
        file="macli.rb",
        run=("ruby", "use.rb"),
        use="""
        require_relative "macli"
        puts Macli.track("order.paid", { total: 99.5, name: "Łódź" }, email: "c0@example.com", id: "o1")
        puts Macli.identify({ email: "c0@example.com" }, { first_name: "Ann" }, state: "customer")
        puts Macli.track("email.opened", {}, email: "c0@example.com")
        puts Macli.proof("C0@example.com")
        """,
    ),
    "php": Language(
        file="Macli.php",
        run=("php", "use.php"),
        use="""<?php
        require 'Macli.php';
        function say($value) { echo is_bool($value) ? ($value ? 'true' : 'false') : $value, "\\n"; }
        say(Macli::track('order.paid', ['total' => 99.5, 'name' => 'Łódź'], ['email' => 'c0@example.com'], id: 'o1'));
        say(Macli::identify(['email' => 'c0@example.com'], ['first_name' => 'Ann'], state: 'customer'));
        say(Macli::track('email.opened', [], ['email' => 'c0@example.com']));
        say(Macli::proof('C0@example.com'));
        """,
    ),
    "python": Language(
        file="macli_tracker.py",
        run=(sys.executable, "use.py"),
        use="""
from macli_tracker import identify, proof, track
print(str(track("order.paid", {"total": 99.5, "name": "Łódź"}, email="c0@example.com", id="o1")).lower())
print(str(identify({"email": "c0@example.com"}, {"first_name": "Ann"}, state="customer")).lower())
print(str(track("email.opened", email="c0@example.com")).lower())
print(proof("C0@example.com"))
""",
    ),
}

each_language = pytest.mark.parametrize(
    "language",
    [
        pytest.param("ruby", marks=pytest.mark.system("ruby")),
        pytest.param("php", marks=pytest.mark.system("php-cli")),
        "python",
    ],
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 1)
    keys.make(world.path)
    return world


@pytest.fixture
def home(world: World) -> Iterator[str]:
    with listening(world) as url:
        settings.put(world.store, datetime.now(UTC), "public_url", url)
        yield url


def used(world: World, language: str, url: str, folder: Path, env: Mapping[str, str] = {}) -> tuple[list[str], float]:
    """The lines a program printed that uses the client, and the seconds it took."""
    how = USES[language]
    (folder / how.file).write_text(snippet(language, world.path, url), "utf-8")
    (folder / how.run[-1]).write_text(how.use, "utf-8")
    started = time.monotonic()
    environment = {"LC_ALL": "C.UTF-8", **os.environ, **env}
    done = subprocess.run(how.run, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), time.monotonic() - started


def events(world: World) -> list[tuple[int, str, dict[str, Any]]]:
    return [
        (row["contact_id"], row["name"], json.loads(row["properties"]))
        for row in world.store.rows("SELECT contact_id, name, properties FROM events ORDER BY id")
    ]


@each_language
def test_g19_a_program_s_events_and_states_arrive(world: World, home: str, language: str, tmp_path: Path) -> None:
    for _ in range(2):
        said, _ = used(world, language, home, tmp_path)
        assert said[:3] == ["true", "true", "false"]
        assert len(said[3]) == 64
    told = events(world)
    assert told[0] == (1, "order.paid", {"total": 99.5, "name": "Łódź"})
    names = [name for _, name, _ in told]
    assert names == ["order.paid", "attribute.changed", "contact.converted", "attribute.changed"]
    assert world.store.value("SELECT attributes ->> 'first_name' FROM contacts") == "Ann"


@each_language
def test_a_proof_made_by_a_program_is_the_tracker_s(world: World, language: str, tmp_path: Path) -> None:
    import hmac

    said, _ = used(world, language, NOBODY, tmp_path)
    key = keys.read(world.path)
    assert key is not None
    assert said[3] == hmac.new(key.encode(), b"c0@example.com", "sha256").hexdigest()


@each_language
def test_a_tracker_that_is_away_or_refuses_breaks_no_program(
    world: World, home: str, language: str, tmp_path: Path
) -> None:
    assert used(world, language, NOBODY, tmp_path)[0][:3] == ["false"] * 3
    assert used(world, language, home, tmp_path, {"MACLI_TRACKER_KEY": "wrong"})[0][:3] == ["false"] * 3
    assert events(world) == []


@each_language
def test_a_tracker_that_does_not_answer_is_not_waited_for(world: World, language: str, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        said, seconds = used(world, language, f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path)
    assert said[:3] == ["false"] * 3
    assert seconds < 20


def test_g19_the_curl_line_works_as_it_is_printed(world: World, home: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", snippet("curl", world.path, home)], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == {"recorded": 1, "refused": []}
    assert [name for _, name, _ in events(world)] == ["contact.added", "order.paid"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_client_holds_the_key(world: World, language: str) -> None:
    key = keys.read(world.path)
    assert key is not None
    text = snippet(language, world.path, "https://news.example/")
    assert "https://news.example" in text
    assert key not in text
    assert "{{ " not in text


def test_the_key_is_for_its_owner_alone_and_stays_until_it_is_replaced(world: World) -> None:
    file = world.path / "secrets" / "tracker.key"
    assert file.stat().st_mode & 0o777 == 0o600
    first = keys.read(world.path)
    assert not keys.make(world.path)
    assert keys.read(world.path) == first
    assert keys.make(world.path, anew=True)
    assert keys.read(world.path) != first


def test_a_client_is_refused_where_it_could_not_work(world: World, tmp_path: Path) -> None:
    for language, url in (("perl", "https://x.example"), ("js", None), ("js", "x"), ("js", "https://x'.example")):
        with pytest.raises(UsageError):
            snippet(language, world.path, url)
    with pytest.raises(OperationFailed, match="key"):
        snippet("ruby", tmp_path, "https://x.example")


def test_the_commands_print_the_client_and_keep_the_key(workspace: Path, macli: Run) -> None:
    assert "macli settings set public_url" in macli("tracker", "snippet", "js").err
    assert "https://news.example/m.js" in macli("tracker", "snippet", "js", "--public-url", "https://news.example").out
    lacking = macli("tracker", "snippet", "php", "--public-url", "https://news.example")
    assert (lacking.code, "macli tracker key" in lacking.err) == (1, True)
    made, again = macli("tracker", "key"), macli("tracker", "key")
    assert "made the key" in made.out
    assert "made" not in again.out
    said = json.loads(macli("tracker", "snippet", "php", "--public-url", "https://news.example", "--json").out)
    assert said["language"] == "php"
    assert str(workspace / "secrets" / "tracker.key") in said["client"]
