"""Whether everybody is sorted in every RFM report."""

from collections.abc import Callable, Iterator

from macli.context import Macli
from macli.doctor.finding import Finding, warn
from macli.store import rfm


def _sorted(macli: Macli) -> Iterator[Finding]:
    for report in rfm.all_(macli.store):
        if report["computed_at"] is None:
            yield warn(
                "RFM report",
                f"{report['name']!r}: not everybody is sorted yet",
                f"macli rfm recompute {report['name']!r}",
            )


QUESTIONS: tuple[Callable[[Macli], Iterator[Finding]], ...] = (_sorted,)
