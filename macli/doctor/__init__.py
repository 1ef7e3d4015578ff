"""What is missing or wrong in a workspace, and what to type: one function a question."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from macli.clock import format_duration, from_ms
from macli.context import Macli
from macli.doctor import coming_back, points, rfm, web
from macli.doctor.finding import Finding, fail, ok, warn
from macli.errors import MacliError
from macli.secrets import Secret
from macli.store import identity, locks, upkeep


def examine(macli: Macli) -> Iterator[Finding]:
    """Every question in turn."""
    for question in QUESTIONS:
        yield from question(macli)


def _store(macli: Macli) -> Iterator[Finding]:
    found = upkeep.damage(macli.store)
    if found:
        yield fail("store", f"damaged: {'; '.join(found[:3])}", "restore the last backup")
    else:
        yield ok("store", f"whole, {upkeep.size_words(upkeep.size(macli.store))}")
    if count := upkeep.behind(macli.store):
        yield fail("tables", f"{count} migrations behind", "pip install --upgrade macli")
    else:
        yield ok("tables", "up to date")


def _home(macli: Macli) -> Iterator[Finding]:
    doubt = identity.doubt(macli.store)
    yield fail("home", doubt, "macli store adopt") if doubt else ok("home", "this machine")


def _room(macli: Macli) -> Iterator[Finding]:
    free = shutil.disk_usage(macli.workspace.path).free
    words = f"{upkeep.size_words(free)} free"
    if free < max(50 << 20, upkeep.size(macli.store) // 10):
        yield fail("disk", words, "make room before the next campaign")
    else:
        yield ok("disk", words)


def _time(macli: Macli) -> Iterator[Finding]:
    newest = macli.store.value(_NEWEST)
    now = macli.now()
    if newest is not None and from_ms(newest) > now + timedelta(minutes=5):
        ahead = format_duration(from_ms(newest) - now)
        yield fail("clock", f"the store holds something from {ahead} ahead: was the clock set back?")
    elif now.year < 2025:
        yield fail("clock", f"the machine says it is {now:%Y-%m-%d}", "timedatectl set-ntp true")
    else:
        yield ok("clock", f"{now.astimezone(macli.zone):%Y-%m-%d %H:%M} {macli.zone.key}")


_NEWEST = """
SELECT max(at)
FROM (
  SELECT max(started_at) AS at FROM workers
  UNION ALL
  SELECT max(created_at) FROM campaigns
  UNION ALL
  SELECT max(updated_at) FROM contacts
) AS times
"""


def _channels(macli: Macli) -> Iterator[Finding]:
    for row in macli.store.rows(_CHANNELS):
        name = f"channel {row['channel']}"
        if row["provider"] is None and row["channel_kind"] in ("push", "webhook"):
            yield ok(name, f"no provider; only {row['channel_kind']} steps need one")
        elif row["provider"] is None:
            yield warn(name, "no provider carries it", f"macli channel set {row['channel']} --provider NAME")
        elif row["kind"] == "outbox" and row["channel_kind"] == "push":
            yield ok(name, "goes to files in the outbox; only push steps need more")
        elif row["kind"] == "outbox":
            yield warn(name, "goes to files in the outbox, nothing leaves this machine", "macli provider add")
        else:
            yield ok(name, f"carried by {row['provider']} ({row['kind']})")


_CHANNELS = """
SELECT c.name AS channel, c.kind AS channel_kind, p.name AS provider, p.kind
FROM channels AS c
LEFT JOIN providers AS p ON p.id = c.provider_id
ORDER BY c.id
"""


def _providers(macli: Macli) -> Iterator[Finding]:
    for row in macli.store.rows(_PROVIDERS):
        name = f"provider {row['name']}"
        yield from _secrets(macli, name, json.loads(row["settings"]))
        if row["blocked_until_at"] is not None and from_ms(row["blocked_until_at"]) > macli.now():
            yield fail(
                name,
                f"stopped until {macli.out.when(row['blocked_until_at'])}: {row['blocked_reason']}",
                f"macli provider test {row['name']}",
            )
        elif row["kind"] != "outbox" and row["tested_at"] is None:
            yield warn(name, "never tested", f"macli provider test {row['name']}")
        elif row["kind"] != "outbox":
            yield ok(name, f"tested {macli.out.when(row['tested_at'])}")


_PROVIDERS = """
SELECT name, kind, settings, tested_at, blocked_until_at, blocked_reason
FROM providers
ORDER BY id
"""


def _secrets(macli: Macli, name: str, settings: Any) -> Iterator[Finding]:
    """The secrets among the settings, wherever they stand: those that cannot be read, or by all."""
    if isinstance(settings, dict):
        settings = list(settings.values())
    if isinstance(settings, list):
        for inner in settings:
            yield from _secrets(macli, name, inner)
    elif isinstance(settings, str) and re.match(r"(env|file|keyring):.", settings):
        try:
            secret = Secret(settings, macli.workspace.path)
            secret.reveal()
        except MacliError as error:
            yield fail(name, error.message, error.hint or "")
        else:
            if exposed := secret.exposed():
                yield warn(name, *exposed.split(": ", 1))


def _sender(macli: Macli) -> Iterator[Finding]:
    for key, meaning, example in (
        ("sender.email", "the From address of campaigns that name none", "news@example.com"),
        ("postal_address", "marketing mail has to show it in many countries", "'1 Main St, Ottawa'"),
    ):
        value = macli.setting(key)
        if value:
            yield ok(key, value)
        else:
            yield warn(key, f"not set: {meaning}", f"macli settings set {key} {example}")


def _sends(macli: Macli) -> Iterator[Finding]:
    unknown = macli.store.value("SELECT count(*) FROM sends WHERE state = 'unknown'")
    if unknown:
        yield warn("unknown sends", f"{unknown} may or may not have left", "macli message resolve")
    else:
        yield ok("unknown sends", "none")
    stuck = sum(
        row["held"] for row in macli.store.rows(_HELD) if not locks.held(macli.store.path, f"worker-{row['token']}")
    )
    if stuck:
        yield warn("claims", f"{stuck} held by a process that is gone; the next tick frees them", "macli tick")
    else:
        yield ok("claims", "none held by a dead process")


_HELD = """
SELECT w.token, count(*) AS held
FROM sends AS s
JOIN workers AS w ON w.id = s.worker_id
WHERE s.state IN ('claimed', 'sending')
GROUP BY w.token
"""


def _erased(macli: Macli) -> Iterator[Finding]:
    from macli.store import address_hash, suppressions

    count = suppressions.hashes(macli.store)
    if said := address_hash.trouble(macli.store):
        yield fail("erased", f"{said}; nothing is sent", f"restore {address_hash.KEY_FILE} from a backup")
    elif count:
        yield ok("erased", f"{count} addresses are remembered by their hashes alone")


def _ticks(macli: Macli) -> Iterator[Finding]:
    live = macli.store.value(_LIVE)
    last = macli.store.value("SELECT value FROM meta WHERE key = 'last_tick_at'")
    line = cron_line(macli.workspace.path)
    if last is None:
        say = warn if live else ok
        yield say("tick", f"never run; {live} campaigns are waiting for it" if live else "not needed yet", line)
        return
    age = macli.now() - from_ms(int(last))
    words = f"last run {format_duration(age)} ago" if age >= timedelta(seconds=1) else "has just run"
    if live and age > timedelta(minutes=15):
        yield fail("tick", f"{words}; {live} campaigns are waiting for it", line)
    else:
        yield ok("tick", words)


_LIVE = """
SELECT count(*)
FROM campaigns
WHERE state IN ('scheduled', 'active')
"""


def cron_line(workspace: Path) -> str:
    """A crontab line that runs the tick each minute, wherever cron stands and whatever its PATH."""
    program = shutil.which("macli") or f"{sys.executable} -m macli"
    return f"* * * * * {program} --workspace {workspace} --quiet tick"


QUESTIONS: tuple[Callable[[Macli], Iterator[Finding]], ...] = (
    _store,
    _home,
    _room,
    _time,
    _channels,
    _providers,
    _sender,
    _sends,
    _erased,
    _ticks,
    *coming_back.QUESTIONS,
    *points.QUESTIONS,
    *rfm.QUESTIONS,
    *web.QUESTIONS,
)
