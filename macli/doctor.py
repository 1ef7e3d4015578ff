"""What is missing or wrong in a workspace, and what to type: one function a question."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from macli.clock import format_duration, from_ms
from macli.context import Macli
from macli.errors import MacliError
from macli.secrets import Secret
from macli.store import identity, locks, upkeep

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer to one question. ``type`` is the command that mends it."""

    check: str
    verdict: Verdict
    said: str
    type: str = ""


def _ok(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="ok", said=said, type=hint)


def _warn(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="warn", said=said, type=hint)


def _fail(check: str, said: str, hint: str = "") -> Finding:
    return Finding(check=check, verdict="fail", said=said, type=hint)


def examine(macli: Macli) -> Iterator[Finding]:
    """Every question in turn."""
    for question in QUESTIONS:
        yield from question(macli)


def _store(macli: Macli) -> Iterator[Finding]:
    found = upkeep.damage(macli.store)
    if found:
        yield _fail("store", f"damaged: {'; '.join(found[:3])}", "restore the last backup")
    else:
        yield _ok("store", f"whole, {upkeep.size_words(upkeep.size(macli.store))}")
    if count := upkeep.behind(macli.store):
        yield _fail("tables", f"{count} migrations behind", "pip install --upgrade macli")
    else:
        yield _ok("tables", "up to date")


def _home(macli: Macli) -> Iterator[Finding]:
    doubt = identity.doubt(macli.store)
    yield _fail("home", doubt, "macli store adopt") if doubt else _ok("home", "this machine")


def _room(macli: Macli) -> Iterator[Finding]:
    free = shutil.disk_usage(macli.workspace.path).free
    words = f"{upkeep.size_words(free)} free"
    if free < max(50 << 20, upkeep.size(macli.store) // 10):
        yield _fail("disk", words, "make room before the next campaign")
    else:
        yield _ok("disk", words)


def _time(macli: Macli) -> Iterator[Finding]:
    newest = macli.store.value(_NEWEST)
    now = macli.now()
    if newest is not None and from_ms(newest) > now + timedelta(minutes=5):
        ahead = format_duration(from_ms(newest) - now)
        yield _fail("clock", f"the store holds something from {ahead} ahead: was the clock set back?")
    elif now.year < 2025:
        yield _fail("clock", f"the machine says it is {now:%Y-%m-%d}", "timedatectl set-ntp true")
    else:
        yield _ok("clock", f"{now.astimezone(macli.zone):%Y-%m-%d %H:%M} {macli.zone.key}")


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
            yield _ok(name, f"no provider; only {row['channel_kind']} steps need one")
        elif row["provider"] is None:
            yield _warn(name, "no provider carries it", f"macli channel set {row['channel']} --provider NAME")
        elif row["kind"] == "outbox":
            yield _warn(name, "goes to files in the outbox, nothing leaves this machine", "macli provider add")
        else:
            yield _ok(name, f"carried by {row['provider']} ({row['kind']})")


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
            yield _fail(
                name,
                f"stopped until {macli.out.when(row['blocked_until_at'])}: {row['blocked_reason']}",
                f"macli provider test {row['name']}",
            )
        elif row["kind"] != "outbox" and row["tested_at"] is None:
            yield _warn(name, "never tested", f"macli provider test {row['name']}")
        elif row["kind"] != "outbox":
            yield _ok(name, f"tested {macli.out.when(row['tested_at'])}")


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
            yield _fail(name, error.message, error.hint or "")
        else:
            if exposed := secret.exposed():
                yield _warn(name, *exposed.split(": ", 1))


def _sender(macli: Macli) -> Iterator[Finding]:
    for key, meaning, example in (
        ("sender.email", "the From address of campaigns that name none", "news@example.com"),
        ("postal_address", "marketing mail has to show it in many countries", "'1 Main St, Ottawa'"),
    ):
        value = macli.setting(key)
        if value:
            yield _ok(key, value)
        else:
            yield _warn(key, f"not set: {meaning}", f"macli settings set {key} {example}")


def _sends(macli: Macli) -> Iterator[Finding]:
    unknown = macli.store.value("SELECT count(*) FROM sends WHERE state = 'unknown'")
    if unknown:
        yield _warn("unknown sends", f"{unknown} may or may not have left", "macli message resolve")
    else:
        yield _ok("unknown sends", "none")
    stuck = sum(
        row["held"] for row in macli.store.rows(_HELD) if not locks.held(macli.store.path, f"worker-{row['token']}")
    )
    if stuck:
        yield _warn("claims", f"{stuck} held by a process that is gone; the next tick frees them", "macli tick")
    else:
        yield _ok("claims", "none held by a dead process")


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
        yield _fail("erased", f"{said}; nothing is sent", f"restore {address_hash.KEY_FILE} from a backup")
    elif count:
        yield _ok("erased", f"{count} addresses are remembered by their hashes alone")


def _ticks(macli: Macli) -> Iterator[Finding]:
    live = macli.store.value(_LIVE)
    last = macli.store.value("SELECT value FROM meta WHERE key = 'last_tick_at'")
    line = cron_line(macli.workspace.path)
    if last is None:
        say = _warn if live else _ok
        yield say("tick", f"never run; {live} campaigns are waiting for it" if live else "not needed yet", line)
        return
    age = macli.now() - from_ms(int(last))
    words = f"last run {format_duration(age)} ago" if age >= timedelta(seconds=1) else "has just run"
    if live and age > timedelta(minutes=15):
        yield _fail("tick", f"{words}; {live} campaigns are waiting for it", line)
    else:
        yield _ok("tick", words)


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
)
