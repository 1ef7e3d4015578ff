"""What the reports on funnels and on stages share: from when to when, and how they are shown."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias

import typer

from macli.clock import format_duration
from macli.context import Macli
from macli.errors import UsageError

Since: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Only who came to a stage from then on.")
]
Until: TypeAlias = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Only who came to a stage before then.")
]


def span(macli: Macli, since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The two times, None where nothing is said. Raises UsageError where nothing lies between."""
    from macli.clock import parse_when

    start, end = (
        None if text is None else parse_when(text, now=macli.now(), default=macli.zone) for text in (since, until)
    )
    if start is not None and end is not None and start >= end:
        raise UsageError(f"nothing lies between --from {since} and --to {until}")
    return start, end


def show(macli: Macli, told: Sequence[dict[str, Any]], shape: str | None) -> None:
    """A report's stages; for people with shares and times as they say them."""
    from macli.reports.funnels import COLUMNS

    if shape in ("json", "ndjson", "csv"):
        macli.out.rows(told, columns=COLUMNS, shape=shape)
        return
    rows = [
        {
            **row,
            "conversion": "" if row["conversion"] is None else f"{row['conversion']} %",
            "median_time": _time(row["median_seconds"]),
            "mean_time": _time(row["mean_seconds"]),
        }
        for row in told
    ]
    columns = ("stage", "now", "entered", "went_on", "conversion", "left", "median_time", "mean_time", "mean_score")
    macli.out.rows(rows, columns=columns, shape=shape)


def _time(seconds: int | None) -> str:
    """A time in its two largest units."""
    if seconds is None:
        return ""
    words = format_duration(timedelta(seconds=seconds)).split(" ")
    return " ".join(words[:4])
