"""How many sends a provider may take now: its rates and warm-up, counted in the store."""

import json
from functools import lru_cache

from macli.providers.limits import SPANS, Limits, Rate, parse_limits
from macli.store import Row, Store, claiming, rates

_NO_LIMIT = 1 << 30


def left(store: Store, provider: Row, now_ms: int) -> int:
    """How many sends of any kind the provider may take now; a very large number where nothing limits it."""
    limits = _limits(provider["limits"])
    allowed = [
        rates.left(
            store,
            provider["id"],
            domain="",
            span=rate.span,
            span_ms=rate.span_ms,
            limit=rate.count,
            now_ms=now_ms,
        )[0]
        for rate in _general(store, provider, limits, now_ms)
    ]
    return min(allowed, default=_NO_LIMIT)


def soon(store: Store, provider: Row, now_ms: int) -> float | None:
    """In how many seconds the provider may take more; None where nothing limits it now."""
    limits = _limits(provider["limits"])
    ends = []
    for rate in _general(store, provider, limits, now_ms):
        allowed, end_ms = rates.left(
            store,
            provider["id"],
            domain="",
            span=rate.span,
            span_ms=rate.span_ms,
            limit=rate.count,
            now_ms=now_ms,
        )
        if allowed <= 0:
            ends.append((end_ms - now_ms) / 1000)
    return max(ends, default=None)


def spend(store: Store, provider: Row, count: int, now_ms: int) -> None:
    """Count ``count`` claimed sends, those of the temp table ``claiming``, against every limit."""
    limits = _limits(provider["limits"])
    if limits.warm_up is not None:
        rates.begin(store, provider["id"], now_ms)
    for rate in _general(store, provider, limits, now_ms):
        rates.spend(store, provider["id"], domain="", span=rate.span, span_ms=rate.span_ms, count=count, now_ms=now_ms)
    for rate in _by_domain(limits):
        to_domain = store.value(
            f"""
            SELECT count(*)
            FROM claiming
            WHERE reason IS NULL
              AND hold_until IS NULL
              AND {store.dialect.domain("address")} = :domain
            """,
            {"domain": rate.domain},
        )
        rates.spend(
            store,
            provider["id"],
            domain=rate.domain,
            span=rate.span,
            span_ms=rate.span_ms,
            count=to_domain,
            now_ms=now_ms,
        )


def hold_domains(store: Store, provider: Row, now_ms: int) -> None:
    """Hold the gathered sends that a rate per recipient domain does not let pass now."""
    for rate in _by_domain(_limits(provider["limits"])):
        allowed, end_ms = rates.left(
            store,
            provider["id"],
            domain=rate.domain,
            span=rate.span,
            span_ms=rate.span_ms,
            limit=rate.count,
            now_ms=now_ms,
        )
        claiming.hold_domain(
            store,
            rate.domain,
            allowed=allowed,
            per_window=rate.count,
            window_end_ms=end_ms,
            window_ms=rate.span_ms,
        )


def _general(store: Store, provider: Row, limits: Limits, now_ms: int) -> list[Rate]:
    found = [rate for rate in limits.rates if not rate.domain]
    if limits.warm_up is not None:
        began = rates.first_day(store, provider["id"], now_ms)
        today = limits.warm_up.on_day(max(0, now_ms - began) // SPANS["day"])
        if today is not None:
            daily = [rate.count for rate in found if rate.span == "day"]
            found = [rate for rate in found if rate.span != "day"]
            found.append(Rate(count=min([today, *daily]), span="day"))
    return found


def _by_domain(limits: Limits) -> list[Rate]:
    return [rate for rate in limits.rates if rate.domain]


@lru_cache(maxsize=64)
def _limits(text: str) -> Limits:
    return parse_limits(json.loads(text) or ())
