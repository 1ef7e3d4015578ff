"""Claiming: the next due sends are gathered, each is judged, and what may leave now gets its worker."""

from collections.abc import Iterable, Mapping
from typing import Any

from macli.model import REACHED_WIRE, Where
from macli.store import ledger
from macli.store.connection import Row, Store

_REACHED = ", ".join(f"'{state}'" for state in REACHED_WIRE)

_CLAIMING = """
CREATE TEMP TABLE IF NOT EXISTS claiming (
  send_id INTEGER PRIMARY KEY,
  round INTEGER NOT NULL,
  address TEXT,
  place TEXT,
  reason TEXT,
  hold_until INTEGER
)
"""


def gather(
    store: Store,
    source: ledger.Source,
    *,
    now_ms: int,
    limit: int,
    address: str,
    place: str,
    reason: str,
    params: Mapping[str, Any],
    leaving: Iterable[Where] = (),
) -> int:
    """Put the next due sends of ``source`` into the temp table ``claiming``, each judged; how many.

    ``address``, ``place`` and ``reason`` are SQL over ``contacts`` and ``sends``; whom ``leaving`` selects has left the
    campaign since the send was planned. Runs inside ``write``.
    """
    store.execute(_CLAIMING)
    store.execute("CREATE INDEX IF NOT EXISTS temp.claiming_address ON claiming (address)")
    store.execute("DELETE FROM claiming")
    gathered = store.execute(
        f"""
        INSERT INTO claiming (send_id, round, address, place, reason)
        SELECT sends.id, sends.round, {address}, {place}, {reason}
        FROM sends
        LEFT JOIN contacts ON contacts.id = sends.contact_id
        WHERE sends.campaign_id = :campaign_id
          AND sends.step_id = :step_id
          AND sends.state = 'planned'
          AND sends.due_at <= :now
          AND sends.version = :version
          AND sends.channel = :channel
          AND sends.purpose = :purpose
          AND EXISTS (SELECT 1 FROM campaigns WHERE campaigns.id = :campaign_id AND campaigns.state = 'active')
        ORDER BY sends.due_at
        LIMIT :limit
        """,
        {**params, **_key(source), "now": now_ms, "limit": limit},
    )
    for where in leaving:
        store.execute(
            f"""
            UPDATE claiming
            SET reason = 'left'
            WHERE reason IS NULL
              AND send_id IN (
                SELECT sends.id
                FROM sends
                JOIN contacts ON contacts.id = sends.contact_id
                WHERE sends.id IN (SELECT send_id FROM claiming)
                  AND ({where.sql})
              )
            """,
            where.params,
        )
    store.execute(
        """
        UPDATE claiming
        SET reason = 'duplicate'
        WHERE reason IS NULL
          AND (
            EXISTS (
              SELECT 1
              FROM sends
              WHERE sends.campaign_id = :campaign_id
                AND sends.step_id = :step_id
                AND sends.round = claiming.round
                AND sends.address = claiming.address
                AND sends.id <> claiming.send_id
            )
            OR EXISTS (
              SELECT 1
              FROM claiming AS first
              WHERE first.address = claiming.address
                AND first.round = claiming.round
                AND first.reason IS NULL
                AND first.send_id < claiming.send_id
            )
          )
        """,
        _key(source),
    )
    return gathered


def places(store: Store) -> list[tuple[str, str | None]]:
    """The places of the gathered sends that may leave, each with one of the addresses there."""
    found = store.rows("SELECT place, min(address) AS address FROM claiming WHERE reason IS NULL GROUP BY place")
    return [(row["place"], row["address"]) for row in found]


def hold(store: Store, place: str, until_ms: int) -> int:
    """Hold the gathered sends to contacts at ``place`` until a time."""
    return store.execute(
        """
        UPDATE claiming
        SET hold_until = :until
        WHERE reason IS NULL
          AND place = :place
        """,
        {"place": place, "until": until_ms},
    )


def hold_frequent(store: Store, codes: Iterable[int], most: int, span_ms: int, now_ms: int) -> int:
    """Hold the gathered texts to numbers with these area codes whose contacts had ``most`` within the span.

    Each waits until the span has passed since the first of these.
    """
    wanted = ", ".join(f"'{int(code)}'" for code in codes)
    return store.execute(
        f"""
        UPDATE claiming
        SET hold_until = CASE WHEN claiming.hold_until > frequent.until THEN claiming.hold_until
          ELSE frequent.until END
        FROM (
          SELECT claiming.send_id, (
            SELECT coalesce(earlier.left_at, :now) + :span
            FROM sends AS earlier
            WHERE earlier.contact_id = sends.contact_id
              AND earlier.channel = 'sms'
              AND earlier.purpose = 'campaign'
              AND earlier.id <> sends.id
              AND (
                earlier.state = 'claimed'
                OR (earlier.state IN ({_REACHED}) AND earlier.left_at > :now - :span)
              )
            ORDER BY coalesce(earlier.left_at, :now) DESC
            LIMIT 1 OFFSET :skipped
          ) AS until
          FROM claiming
          JOIN sends ON sends.id = claiming.send_id
          WHERE claiming.reason IS NULL
            AND claiming.address LIKE '+1%'
            AND substr(claiming.address, 3, 3) IN ({wanted})
        ) AS frequent
        WHERE frequent.send_id = claiming.send_id
          AND frequent.until IS NOT NULL
        """,
        {"now": now_ms, "span": span_ms, "skipped": most - 1},
    )


def hold_domain(store: Store, domain: str, *, allowed: int, per_window: int, window_end_ms: int, window_ms: int) -> int:
    """Let ``allowed`` gathered sends to a domain pass and give the others the windows behind this one."""
    return store.execute(
        f"""
        UPDATE claiming
        SET hold_until = :window_end + ((ranked.place - 1 - :allowed) / :per_window) * :window
        FROM (
          SELECT send_id, row_number() OVER (ORDER BY send_id) AS place
          FROM claiming
          WHERE reason IS NULL
            AND hold_until IS NULL
            AND {store.dialect.domain("address")} = :domain
        ) AS ranked
        WHERE ranked.send_id = claiming.send_id
          AND ranked.place > :allowed
        """,
        {
            "domain": domain,
            "allowed": allowed,
            "per_window": max(per_window, 1),
            "window_end": window_end_ms,
            "window": window_ms,
        },
    )


def claim(store: Store, *, worker_id: int, provider_id: int, now_ms: int, template_version: str = "NULL") -> list[Row]:
    """Carry out what the gathered rows say: skip, hold, or claim; the claimed ones with their contacts.

    ``template_version`` is SQL over ``sends.variant`` for the version that will be rendered.
    """
    params = {"worker": worker_id, "provider": provider_id, "now": now_ms}
    # Mostly there are neither, and an UPDATE that finds nothing still looks up every gathered send.
    judged = store.row("SELECT count(reason) AS refused, count(hold_until) AS held FROM claiming")
    assert judged is not None
    if judged["refused"]:
        store.execute(_SKIP, params)
        ledger.wake(store, "SELECT send_id FROM claiming WHERE reason IS NOT NULL", now_ms)
    if judged["held"]:
        store.execute(_HOLD, params)
    store.execute(
        f"""
        UPDATE sends
        SET state = 'claimed', worker_id = :worker, provider_id = :provider, address = claiming.address,
            template_version_id = {template_version}
        FROM claiming
        WHERE sends.id = claiming.send_id
          AND claiming.reason IS NULL
          AND claiming.hold_until IS NULL
        """,
        params,
    )
    return store.rows(
        """
        SELECT sends.id AS send_id, sends.variant, sends.round, sends.attempts, claiming.address,
               contacts.id, contacts.email, contacts.phone, contacts.external_id, contacts.timezone,
               contacts.locale, contacts.state, contacts.source, contacts.attributes,
               coalesce(preferences.untracked, 0) AS untracked
        FROM claiming
        JOIN sends ON sends.id = claiming.send_id
        JOIN contacts ON contacts.id = sends.contact_id
        LEFT JOIN preferences ON preferences.contact_id = contacts.id
        WHERE claiming.reason IS NULL
          AND claiming.hold_until IS NULL
        ORDER BY sends.due_at, sends.id
        """
    )


_SKIP = """
UPDATE sends
SET state = 'skipped', reason = claiming.reason, settled_at = :now, address = NULL
FROM claiming
WHERE sends.id = claiming.send_id
  AND claiming.reason IS NOT NULL
"""

_HOLD = """
UPDATE sends
SET due_at = claiming.hold_until
FROM claiming
WHERE sends.id = claiming.send_id
  AND claiming.hold_until IS NOT NULL
"""


def _key(source: ledger.Source) -> dict[str, Any]:
    return {
        "campaign_id": source.campaign_id,
        "step_id": source.step_id,
        "version": source.version,
        "channel": source.channel,
        "purpose": source.purpose,
    }
