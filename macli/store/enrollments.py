"""Enrollments: who is where in which campaign, and since when; every change is one statement for many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from macli.store.connection import Row, Store

EXISTING = "existing"
"""What the round 0 of a contact ended as that met the condition before the campaign began."""

_MEMBERS = """
CREATE TEMP TABLE IF NOT EXISTS members (
  contact_id INTEGER PRIMARY KEY,
  due_at INTEGER NOT NULL,
  round INTEGER NOT NULL
)
"""

_LAPSING = """
CREATE TEMP TABLE IF NOT EXISTS lapsing (
  enrollment_id INTEGER PRIMARY KEY
)
"""


@dataclass(frozen=True, kw_only=True)
class Again:
    """Whether contacts that were in a campaign may come in again."""

    when: Literal["never", "after_finish", "always"] = "never"
    max_rounds: int | None = None
    min_interval_ms: int = 0
    lapsed: bool = False
    """Whether the entry condition must have failed in between."""

    @property
    def sql(self) -> str:
        """The condition on ``last``, the contact's last round."""
        if self.when == "never":
            return "FALSE"
        clauses = ["(last.round = 0 OR last.entered_at <= :members_now - :members_interval)"]
        if self.max_rounds is not None:
            clauses.append(f"last.round < {self.max_rounds}")
        if self.when == "after_finish":
            clauses.append("last.ended_at IS NOT NULL")
        if self.lapsed:
            clauses.append("last.lapsed_at IS NOT NULL")
        return " AND ".join(clauses)


def gather(store: Store, select: str, params: Mapping[str, Any], *, campaign_id: int, now_ms: int, again: Again) -> int:
    """Put into the temp table ``members`` those of ``select`` (contact_id, due_at) that may come in; how many."""
    store.execute(_MEMBERS)
    store.execute("DELETE FROM members")
    return store.execute(
        f"""
        INSERT INTO members (contact_id, due_at, round)
        SELECT found.contact_id, found.due_at, coalesce(last.round, 0) + 1
        FROM ({select}) AS found
        LEFT JOIN enrollments AS last
          ON last.campaign_id = :members_campaign
         AND last.contact_id = found.contact_id
         AND last.round = (
           SELECT max(earlier.round)
           FROM enrollments AS earlier
           WHERE earlier.campaign_id = :members_campaign
             AND earlier.contact_id = found.contact_id
         )
        WHERE last.id IS NULL
           OR ({again.sql})
        """,
        {
            **params,
            "members_campaign": campaign_id,
            "members_now": now_ms,
            "members_interval": again.min_interval_ms,
        },
    )


def chunk(store: Store, after: int, limit: int) -> int | None:
    """The last contact id of the next ``limit`` members behind ``after``; None where there are no more."""
    found: int | None = store.value(
        """
        SELECT max(contact_id)
        FROM (
          SELECT contact_id
          FROM members
          WHERE contact_id > :after
          ORDER BY contact_id
          LIMIT :limit
        ) AS next
        """,
        {"after": after, "limit": limit},
    )
    return found


def enter(store: Store, *, campaign_id: int, version: int, step_id: int, now_ms: int, after: int, upto: int) -> int:
    """Let the members with these contact ids come in at a step; how many were new. Inside ``write``."""
    return store.execute(
        """
        INSERT INTO enrollments (campaign_id, contact_id, round, version, step_id, due_at, entered_at, arrived_at)
        SELECT :campaign, contact_id, round, :version, :step, due_at, :now, due_at
        FROM members
        JOIN contacts ON contacts.id = members.contact_id
        WHERE contact_id > :after
          AND contact_id <= :upto
          AND contacts.removed_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM campaigns WHERE id = :campaign AND state IN ('finished', 'cancelled'))
        ON CONFLICT (campaign_id, contact_id, round) DO NOTHING
        """,
        {
            "campaign": campaign_id,
            "version": version,
            "step": step_id,
            "now": now_ms,
            "after": after,
            "upto": upto,
        },
    )


def note_existing(store: Store, *, campaign_id: int, version: int, now_ms: int, after: int, upto: int) -> int:
    """Note of members that the condition held for them before the campaign began. Inside ``write``."""
    return store.execute(
        """
        INSERT INTO enrollments (campaign_id, contact_id, round, version, entered_at, arrived_at, ended_at, ended_as)
        SELECT :campaign, contact_id, 0, :version, :now, :now, :now, :existing
        FROM members
        JOIN contacts ON contacts.id = members.contact_id
        WHERE contact_id > :after
          AND contact_id <= :upto
        ON CONFLICT (campaign_id, contact_id, round) DO NOTHING
        """,
        {
            "campaign": campaign_id,
            "version": version,
            "now": now_ms,
            "after": after,
            "upto": upto,
            "existing": EXISTING,
        },
    )


def gather_lapsing(store: Store, where: str, among: str, params: Mapping[str, Any], *, campaign_id: int) -> int:
    """Put into ``lapsing`` the rounds of contacts, ``among`` some, for whom ``where`` does not hold."""
    store.execute(_LAPSING)
    store.execute("DELETE FROM lapsing")
    return store.execute(
        f"""
        INSERT INTO lapsing (enrollment_id)
        SELECT enrollments.id
        FROM enrollments
        JOIN contacts ON contacts.id = enrollments.contact_id
        WHERE enrollments.campaign_id = :members_campaign
          AND enrollments.lapsed_at IS NULL
          AND {among}
          AND NOT ({where})
        """,
        {**params, "members_campaign": campaign_id},
    )


def lapse(store: Store, now_ms: int, limit: int) -> int:
    """Note that the entry condition failed for up to ``limit`` of ``lapsing``; how many. Inside ``write``."""
    params = {"now": now_ms, "limit": limit}
    first = "SELECT enrollment_id FROM lapsing ORDER BY enrollment_id LIMIT :limit"
    noted = store.execute(f"UPDATE enrollments SET lapsed_at = :now WHERE id IN ({first})", params)
    store.execute(f"DELETE FROM lapsing WHERE enrollment_id IN ({first})", params)
    return noted


# Going on


def due(store: Store, campaign_id: int, step_id: int, now_ms: int) -> int | None:
    """The version of the enrollment that is due first at a step; None where none is. One look into an index."""
    found: int | None = store.value(
        """
        SELECT version
        FROM enrollments
        WHERE campaign_id = :campaign
          AND step_id = :step
          AND ended_at IS NULL
          AND due_at <= :now
        ORDER BY due_at
        LIMIT 1
        """,
        {"campaign": campaign_id, "step": step_id, "now": now_ms},
    )
    return found


def live_steps(store: Store) -> list[Row]:
    """Every step of the active campaigns."""
    return store.rows(
        """
        SELECT steps.id AS step_id, steps.campaign_id, steps.key
        FROM campaigns
        JOIN steps ON steps.campaign_id = campaigns.id
        WHERE campaigns.state = 'active'
        ORDER BY steps.campaign_id, steps.id
        """
    )


def fill(store: Store, *, campaign_id: int, version: int, step_id: int, now_ms: int, limit: int) -> int:
    """Fill the temp table ``batch`` with enrollments due at a step; how many. Inside ``write``."""
    store.execute("DELETE FROM batch")
    return store.execute(
        """
        INSERT INTO batch (enrollment_id, contact_id, round, arrived_at, due_at)
        SELECT id, contact_id, round, arrived_at, due_at
        FROM enrollments
        WHERE campaign_id = :campaign
          AND step_id = :step
          AND ended_at IS NULL
          AND due_at <= :now
          AND version = :version
        ORDER BY due_at
        LIMIT :limit
        """,
        {"campaign": campaign_id, "step": step_id, "now": now_ms, "version": version, "limit": limit},
    )


def ways(store: Store) -> dict[str, int]:
    """The ways the batch takes, and how many each."""
    rows = store.rows("SELECT way, count(*) AS passed FROM batch WHERE way IS NOT NULL GROUP BY way")
    return {row["way"]: row["passed"] for row in rows}


def end(store: Store, now_ms: int, way: str, ended_as: str) -> int:
    """End the enrollments of the batch that go this way."""
    return store.execute(
        """
        UPDATE enrollments
        SET ended_at = :now, ended_as = :ended_as, due_at = NULL
        FROM batch
        WHERE enrollments.id = batch.enrollment_id
          AND batch.way = :way
        """,
        {"now": now_ms, "ended_as": ended_as, "way": way},
    )


def move(store: Store, way: str, step_id: int) -> int:
    """Take the enrollments of the batch that go this way to a step, as of the instant they left theirs."""
    return store.execute(
        """
        UPDATE enrollments
        SET step_id = :step, arrived_at = coalesce(batch.left_at, batch.due_at),
            due_at = coalesce(batch.left_at, batch.due_at)
        FROM batch
        WHERE enrollments.id = batch.enrollment_id
          AND batch.way = :way
        """,
        {"step": step_id, "way": way},
    )


def stay(store: Store) -> int:
    """Let the enrollments of the batch that go no way stay where they are, till their time or their send's."""
    return store.execute(
        """
        UPDATE enrollments
        SET due_at = batch.stay_until
        FROM batch
        WHERE enrollments.id = batch.enrollment_id
          AND batch.way IS NULL
        """
    )


def log(store: Store, *, campaign_id: int, version: int, step_id: int, day_ms: int, way: str | None = None) -> None:
    """Count the ways the batch takes from a step on a day; with ``way``, that one only."""
    store.execute(
        """
        INSERT INTO step_log (campaign_id, version, step_id, way, day_at, passed)
        SELECT :campaign, :version, :step, way, :day, count(*)
        FROM batch
        WHERE way IS NOT NULL
          AND (:way IS NULL OR way = :way)
        GROUP BY way
        ON CONFLICT (campaign_id, step_id, version, way, day_at) DO UPDATE
        SET passed = step_log.passed + excluded.passed
        """,
        {"campaign": campaign_id, "version": version, "step": step_id, "day": day_ms, "way": way},
    )


# Being woken


def wake(store: Store, now_ms: int, *, first_event: int, last_event: int) -> int:
    """Look again, now, at those who wait for an event that is among these new ones; how many."""
    return store.execute(
        """
        UPDATE enrollments
        SET due_at = :now
        WHERE id IN (
            SELECT waiting.id
            FROM events
            JOIN step_events ON step_events.name = coalesce(events.name, '')
            JOIN enrollments AS waiting
              ON waiting.contact_id = events.contact_id
             AND waiting.step_id = step_events.step_id
             AND waiting.arrived_at <= events.at
            WHERE events.id > :first
              AND events.id <= :last
              AND waiting.ended_at IS NULL
              AND waiting.due_at > :now
          )
        """,
        {"now": now_ms, "first": first_event, "last": last_event},
    )


def wake_settled(store: Store, now_ms: int, *, first_event: int, last_event: int) -> int:
    """Look again, now, at those whose planned send was called off because they said no; how many."""
    return store.execute(
        """
        UPDATE enrollments
        SET due_at = :now
        WHERE ended_at IS NULL
          AND due_at IS NULL
          AND contact_id IN (
            SELECT contact_id
            FROM events
            WHERE id > :first
              AND id <= :last
              AND coalesce(name, '') = 'consent.withdrawn'
          )
          AND EXISTS (
            SELECT 1
            FROM sends
            WHERE sends.campaign_id = enrollments.campaign_id
              AND sends.step_id = enrollments.step_id
              AND sends.contact_id = enrollments.contact_id
              AND sends.round = enrollments.round
              AND sends.state = 'skipped'
          )
        """,
        {"now": now_ms, "first": first_event, "last": last_event},
    )
