"""The rules that tell programs from people: read from a file, each ready to be asked of a batch of hits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, get_args

from macli.errors import UsageError, did_you_mean

Class = Literal["human", "suspected", "machine"]
CLASSES: tuple[Class, ...] = get_args(Class)
SHIPPED = Path(__file__).parent / "rules.toml"
OWN = "hit-rules.toml"

_CONDITIONS = ("method", "agent", "network", "seconds", "links", "all_links")
_KEYS = ("name", "class", "kinds", "seconds_around", *_CONDITIONS)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule; it fits where every condition it has does. Times are in milliseconds."""

    name: str
    of_class: Class
    kinds: tuple[str, ...] = ("open", "click")
    methods: tuple[str, ...] = ()
    agents: tuple[re.Pattern[str], ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    within: int | None = None
    links: int | None = None
    all_links: int | None = None
    around: int = 0

    def names_agent(self, agent: str) -> bool:
        return any(pattern.search(agent) for pattern in self.agents)

    def holds_address(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found.version == network.version and found in network for network in self.networks)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """All rules in their order, and how long a hit waits before it is judged, in milliseconds."""

    version: int
    settle: int
    rules: tuple[Rule, ...]


def read(workspace: Path) -> Rules:
    """The rules in force: the workspace's own, else those that come with macli. Raises UsageError."""
    import tomllib

    own = workspace / OWN
    file = own if own.exists() else SHIPPED
    try:
        written = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: {error}") from None
    version, settle = written.get("version"), written.get("settle_seconds")
    if not isinstance(version, int) or not isinstance(settle, (int, float)):
        raise UsageError(f"{file} needs a version and settle_seconds")
    rules = tuple(_rule(f"{file.name}: rule {place}", one) for place, one in enumerate(written.get("rule", ()), 1))
    return Rules(version=version, settle=int(settle * 1000), rules=rules)


def _rule(where: str, written: Mapping[str, Any]) -> Rule:
    for key in written:
        if key not in _KEYS:
            raise UsageError(f"{where}: no key named {key!r}{did_you_mean(key, _KEYS)}")
    if written.get("class") not in CLASSES or not written.get("name"):
        raise UsageError(f"{where} needs a name and a class: {', '.join(CLASSES)}")
    if not any(key in written for key in _CONDITIONS):
        raise UsageError(f"{where} has no condition", hint=f"one of {', '.join(_CONDITIONS)}")
    try:
        return Rule(
            name=written["name"],
            of_class=written["class"],
            kinds=tuple(written.get("kinds", ("open", "click"))),
            methods=tuple(written.get("method", ())),
            agents=tuple(re.compile(pattern, re.IGNORECASE) for pattern in written.get("agent", ())),
            networks=tuple(ip_network(network) for network in written.get("network", ())),
            within=_milliseconds(written.get("seconds")),
            links=written.get("links"),
            all_links=written.get("all_links"),
            around=_milliseconds(written.get("seconds_around")) or 0,
        )
    except (re.error, ValueError, TypeError) as error:
        raise UsageError(f"{where}: {error}") from None


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
