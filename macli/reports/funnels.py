"""What became of those who came to each stage: of a funnel, or of the lifecycle."""

from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.reports.conversions import percent
from macli.store import Row, Store

COLUMNS = (
    *("stage", "now", "entered", "went_on", "conversion", "left"),
    *("median_seconds", "mean_seconds", "mean_score"),
)

# Each stay knows how far its contact came from there on, and when the next stay began. Time in a stage is
# that of the stays that ended; a stage passed by has none.
_STAGES = """
WITH stays AS (
  SELECT stay.contact_id, stay.stage_id, stay.entered_at, stay.left_at, {passed} AS passed,
    lead(stay.entered_at) OVER way AS next_at,
    max(place.position) OVER (
      PARTITION BY stay.contact_id ORDER BY stay.entered_at, stay.id
      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ) AS furthest
  FROM {stays} AS stay
  LEFT JOIN {places} AS place ON place.id = stay.stage_id AND place.removed_at IS NULL
  {within}
  WINDOW way AS (PARTITION BY stay.contact_id ORDER BY stay.entered_at, stay.id)
), came AS (
  SELECT *
  FROM stays
  WHERE entered_at >= :since
    AND entered_at < :until
), lasted AS (
  SELECT stage_id, left_at - entered_at AS took,
    row_number() OVER (PARTITION BY stage_id ORDER BY left_at - entered_at) AS place,
    count(*) OVER (PARTITION BY stage_id) AS number
  FROM came
  WHERE left_at IS NOT NULL
    AND passed = 0
), times AS (
  SELECT stage_id, avg(took) AS mean,
    avg(CASE WHEN 2 * place BETWEEN number AND number + 2 THEN took END) AS median
  FROM lasted
  GROUP BY stage_id
), counted AS (
  SELECT came.stage_id, count(DISTINCT came.contact_id) AS entered,
    count(DISTINCT CASE WHEN came.furthest > place.position THEN came.contact_id END) AS went_on,
    count(DISTINCT CASE
      WHEN came.left_at IS NOT NULL AND (came.next_at IS NULL OR came.next_at > came.left_at) THEN came.contact_id
    END) AS gone
  FROM came
  JOIN {places} AS place ON place.id = came.stage_id
  GROUP BY came.stage_id
), present AS (
  SELECT stay.stage_id, count(*) AS contacts, avg(coalesce(scores.points, 0)) AS score
  FROM {stays} AS stay
  JOIN contacts ON contacts.id = stay.contact_id
  LEFT JOIN scopes ON {scope}
  LEFT JOIN scores ON scores.contact_id = stay.contact_id AND scores.scope_id = scopes.id
  {within}
    AND stay.left_at IS NULL
    AND contacts.removed_at IS NULL
  GROUP BY stay.stage_id
)
SELECT place.name AS stage, coalesce(present.contacts, 0) AS now, coalesce(counted.entered, 0) AS entered,
  coalesce(counted.went_on, 0) AS went_on, coalesce(counted.gone, 0) AS gone, times.median, times.mean, present.score
FROM {places} AS place
LEFT JOIN counted ON counted.stage_id = place.id
LEFT JOIN times ON times.stage_id = place.id
LEFT JOIN present ON present.stage_id = place.id
WHERE place.removed_at IS NULL
  {of}
ORDER BY place.position, place.id
"""

_FUNNEL = _STAGES.format(
    stays="funnel_stays",
    places="funnel_stages",
    passed="0",
    within="WHERE stay.funnel_id = :funnel",
    scope="scopes.stage_id = stay.stage_id",
    of="AND place.funnel_id = :funnel",
)

_LIFECYCLE = _STAGES.format(
    stays="stage_stays",
    places="stages",
    passed="stay.passed",
    within="WHERE TRUE",
    scope="scopes.kind = 'global'",
    of="",
)

_EVER = 2**62


def funnel(store: Store, known: Row, since: datetime | None, until: datetime | None) -> list[dict[str, Any]]:
    """Each stage of a funnel, of the contacts that entered it from ``since`` and before ``until``.

    ``went_on``: who came to any later stage afterwards, and ``conversion`` their share in percent, None of
    the last stage; ``left``: who left the funnel from there. Times are those of the stays that ended, in
    seconds. ``now`` and ``mean_score`` (points counted on the stage) are of who stands there at present.
    """
    return _read(store, _FUNNEL, {"funnel": known["id"]}, since, until)


def lifecycle(store: Store, since: datetime | None, until: datetime | None) -> list[dict[str, Any]]:
    """The same of the stages of the lifecycle: passing by a stage is entering it, scores are the global ones."""
    return _read(store, _LIFECYCLE, {}, since, until)


def _read(
    store: Store, sql: str, params: dict[str, Any], since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    span = {"since": -_EVER if since is None else to_ms(since), "until": _EVER if until is None else to_ms(until)}
    rows = store.rows(sql, {**params, **span})
    last = len(rows) - 1
    return [
        {
            "stage": row["stage"],
            "now": row["now"],
            "entered": row["entered"],
            "went_on": row["went_on"],
            "conversion": None if place == last else percent(row["went_on"], row["entered"]),
            "left": row["gone"],
            "median_seconds": _seconds(row["median"]),
            "mean_seconds": _seconds(row["mean"]),
            "mean_score": None if row["score"] is None else round(row["score"], 1),
        }
        for place, row in enumerate(rows)
    ]


def _seconds(ms: float | None) -> int | None:
    return None if ms is None else round(ms / 1000)
