"""What the reports on funnels and on stages share: from when to when, and how they are shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias

import typer

from macli.clock import format_duration
from macli.context import Macli
from macli.errors import UsageError
from macli.output import MACHINE_SHAPES, Share

Since: TypeAlias = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only who came to a stage from then on.")
]
Until: TypeAlias = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only who came to a stage before then.")
]


def span(macli: Macli, since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The two times, None where nothing is said. Raises UsageError where nothing lies between."""
    from macli.clock import parse_when

    start, end = (
        None if text is None else parse_when(text, now=macli.now(), default=macli.zone) for text in (since, until)
    )
    if start is not None and end is not None and start >= end:
        raise UsageError(f"nothing lies between --since {since} and --until {until}")
    return start, end


def show(macli: Macli, told: Sequence[dict[str, Any]], shape: str | None) -> None:
    """A report's stages; for people with shares and times as they say them."""
    from macli.reports.funnels import COLUMNS

    if shape in MACHINE_SHAPES:
        macli.out.rows(told, columns=COLUMNS, shape=shape)
    else:
        macli.out.rows(map(for_people, told), columns=_READ, shape=shape)


def for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    """A report's stage with its share and its times as people say them."""
    read = {
        "conversion": None if row["conversion"] is None else Share(row["conversion"] / 100),
        "median_time": _time(row["median_seconds"]),
        "mean_time": _time(row["mean_seconds"]),
    }
    return {name: read[name] if name in read else row[name] for name in _READ}


_READ = ("stage", "now", "entered", "went_on", "conversion", "left", "median_time", "mean_time", "mean_score")


def _time(seconds: int | None) -> str:
    """A time in its two largest units."""
    if seconds is None:
        return ""
    words = format_duration(timedelta(seconds=seconds)).split(" ")
    return " ".join(words[:4])
