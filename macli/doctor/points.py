"""Whether scores are what their ledger says, and whether every point rule can be read."""

from collections.abc import Callable, Iterator

from macli.clock import to_ms
from macli.context import Macli
from macli.doctor.finding import Finding, fail, ok, warn
from macli.scoring import checking, compiling
from macli.store import point_rules


def _scores(macli: Macli) -> Iterator[Finding]:
    found = checking.check(macli.store)
    if found.wrong:
        said = f"scores that are not the sum of their ledger: {found.wrong:,} of {found.scores:,}"
        yield fail("points", said, "macli points recompute")
    else:
        yield ok("points", f"every score is the sum of its ledger (scores: {found.scores:,}, rows: {found.rows:,})")


def _rules(macli: Macli) -> Iterator[Finding]:
    rules = tuple(point_rules.active(macli.store))
    if rules:
        for name, fault in compiling.compiled(macli.store, to_ms(macli.now()), rules).faults.items():
            yield warn("point rule", f"{name!r} gives nothing: {fault}", f"macli points rule edit {name!r}")


QUESTIONS: tuple[Callable[[Macli], Iterator[Finding]], ...] = (_scores, _rules)
