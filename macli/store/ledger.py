"""The ledger: each send exists once per campaign, step, contact and round, and is claimed before it leaves.

planned → claimed → sending → an outcome. ``claimed`` names the worker that has it and nothing has
left; ``sending`` is committed before the wire, so a crash behind it leaves ``unknown`` and never a
second message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli.clock import to_ms
from macli.model import ChannelKind, Purpose, SendState
from macli.store.connection import Row, Store

_CLAIMING = """
CREATE TEMP TABLE IF NOT EXISTS claiming (
  send_id INTEGER PRIMARY KEY,
  round INTEGER NOT NULL,
  address TEXT,
  zone TEXT,
  reason TEXT,
  hold_until INTEGER
)
"""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Due sends that are alike: one step of one version of a campaign."""

    campaign_id: int
    step_id: int
    version: int
    channel: ChannelKind
    purpose: Purpose


def plan(
    store: Store,
    *,
    now: datetime,
    campaign_id: int,
    step_id: int,
    version: int,
    channel: str,
    purpose: Purpose,
    variant: str = "NULL",
) -> int:
    """Plan one send for each row of the temp table ``batch``; how many are new.

    ``channel`` is the kind of channel, ``variant`` an SQL expression over ``contacts`` and ``batch``
    for the chosen content. The index decides who has this send already.
    """
    return store.execute(
        f"""
        INSERT INTO sends (campaign_id, step_id, contact_id, round, version, channel, purpose, state, due_at, variant)
        SELECT :campaign_id, :step_id, batch.contact_id, batch.round, :version, :channel, :purpose, 'planned',
               coalesce(batch.due_at, :now), {variant}
        FROM batch
        JOIN contacts ON contacts.id = batch.contact_id
        WHERE true
        ON CONFLICT (campaign_id, step_id, contact_id, round) DO NOTHING
        """,
        {
            "campaign_id": campaign_id,
            "step_id": step_id,
            "version": version,
            "channel": channel,
            "purpose": purpose,
            "now": to_ms(now),
        },
    )


def sources(store: Store, now_ms: int, *, campaign_id: int | None = None) -> list[Source]:
    """The steps of live campaigns that have something due, transactional ones first, then the oldest.

    One look into an index per sending step, whatever the number of sends.
    """
    found = []
    for step in store.rows(
        """
        SELECT steps.id AS step_id, steps.campaign_id
        FROM campaigns
        JOIN steps ON steps.campaign_id = campaigns.id
        WHERE campaigns.state = 'active'
          AND steps.action = 'send'
          AND (:campaign_id IS NULL OR campaigns.id = :campaign_id)
        """,
        {"campaign_id": campaign_id},
    ):
        first = store.row(
            """
            SELECT version, channel, purpose, due_at
            FROM sends
            WHERE campaign_id = :campaign_id
              AND step_id = :step_id
              AND state = 'planned'
              AND due_at <= :now
            ORDER BY due_at
            LIMIT 1
            """,
            {"campaign_id": step["campaign_id"], "step_id": step["step_id"], "now": now_ms},
        )
        if first is not None:
            source = Source(
                campaign_id=step["campaign_id"],
                step_id=step["step_id"],
                version=first["version"],
                channel=first["channel"],
                purpose=first["purpose"],
            )
            found.append((first["purpose"] != "transactional", first["due_at"], source))
    return [source for _, _, source in sorted(found, key=lambda item: item[:2])]


def gather(
    store: Store,
    source: Source,
    *,
    now_ms: int,
    limit: int,
    address: str,
    reason: str,
    params: Mapping[str, Any],
) -> int:
    """Put the next due sends of ``source`` into the temp table ``claiming``, each judged; how many.

    ``address`` and ``reason`` are SQL over ``contacts`` and ``sends``. Runs inside ``write``.
    """
    store.execute(_CLAIMING)
    store.execute("CREATE INDEX IF NOT EXISTS temp.claiming_address ON claiming (address)")
    store.execute("DELETE FROM claiming")
    gathered = store.execute(
        f"""
        INSERT INTO claiming (send_id, round, address, zone, reason)
        SELECT sends.id, sends.round, {address}, contacts.timezone, {reason}
        FROM sends
        LEFT JOIN contacts ON contacts.id = sends.contact_id
        WHERE sends.campaign_id = :campaign_id
          AND sends.step_id = :step_id
          AND sends.state = 'planned'
          AND sends.due_at <= :now
          AND sends.version = :version
          AND sends.channel = :channel
          AND sends.purpose = :purpose
        ORDER BY sends.due_at
        LIMIT :limit
        """,
        {**params, **_key(source), "now": now_ms, "limit": limit},
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
                AND first.send_id < claiming.send_id
            )
          )
        """,
        _key(source),
    )
    return gathered


def hold(store: Store, zone: str | None, until_ms: int) -> int:
    """Hold the gathered sends to contacts in ``zone`` until a time."""
    return store.execute(
        """
        UPDATE claiming
        SET hold_until = :until
        WHERE reason IS NULL
          AND coalesce(zone, '') = :zone
        """,
        {"zone": zone or "", "until": until_ms},
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
    store.execute(
        """
        UPDATE sends
        SET state = 'skipped', reason = claiming.reason, settled_at = :now, address = NULL
        FROM claiming
        WHERE sends.id = claiming.send_id
          AND claiming.reason IS NOT NULL
        """,
        params,
    )
    store.execute(
        """
        UPDATE sends
        SET due_at = claiming.hold_until
        FROM claiming
        WHERE sends.id = claiming.send_id
          AND claiming.hold_until IS NOT NULL
        """,
        params,
    )
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
    wake(store, "SELECT send_id FROM claiming WHERE reason IS NOT NULL", now_ms)
    return store.rows(
        """
        SELECT sends.id AS send_id, sends.variant, sends.round, sends.attempts, claiming.address,
               contacts.id, contacts.email, contacts.phone, contacts.external_id, contacts.timezone,
               contacts.locale, contacts.state, contacts.source, contacts.attributes
        FROM claiming
        JOIN sends ON sends.id = claiming.send_id
        JOIN contacts ON contacts.id = sends.contact_id
        WHERE claiming.reason IS NULL
          AND claiming.hold_until IS NULL
        ORDER BY sends.due_at, sends.id
        """
    )


def mark(store: Store, send_ids: Iterable[int], *, worker_id: int, now_ms: int) -> None:
    """Commit-to-be: these messages are about to leave."""
    store.executemany(
        "UPDATE sends SET state = 'sending', left_at = ? WHERE id = ? AND state = 'claimed' AND worker_id = ?",
        ((now_ms, send_id, worker_id) for send_id in send_ids),
    )


def accept(store: Store, accepted: Iterable[tuple[str | None, str | None, int]]) -> None:
    """Record (provider's words, reference, send id) of messages a provider took."""
    store.executemany(
        "UPDATE sends SET state = 'accepted', code = ?, reference = ? WHERE id = ? AND state = 'sending'",
        accepted,
    )


def settle(
    store: Store,
    send_id: int,
    state: SendState,
    *,
    now_ms: int,
    reason: str | None,
    code: str | None,
    reference: str | None,
) -> int:
    """Record how one send ended; from ``claimed`` (refused before it left), ``sending`` or ``unknown``."""
    return store.execute(
        """
        UPDATE sends
        SET state = :state, reason = :reason, code = :code, reference = coalesce(:reference, reference),
            settled_at = :now, address = CASE WHEN :state = 'skipped' THEN NULL ELSE address END
        WHERE id = :id
          AND state IN ('claimed', 'sending', 'accepted', 'unknown')
        """,
        {
            "id": send_id,
            "state": state,
            "reason": reason,
            "code": code,
            "reference": reference,
            "now": now_ms,
        },
    )


def put_back(store: Store, send_id: int, *, due_ms: int, code: str | None = None, attempted: bool) -> None:
    """A claimed or marked send that surely did not leave is planned again for ``due_ms``."""
    store.execute(
        """
        UPDATE sends
        SET state = 'planned', worker_id = NULL, left_at = NULL, due_at = :due, code = coalesce(:code, code),
            attempts = attempts + :attempted
        WHERE id = :id
          AND state IN ('claimed', 'sending')
        """,
        {"id": send_id, "due": due_ms, "code": code, "attempted": int(attempted)},
    )


def wake(store: Store, send_ids: str, now_ms: int) -> None:
    """Let the enrollments that wait for the sends ``send_ids`` (a SELECT) be looked at again now."""
    store.execute(
        f"""
        UPDATE enrollments
        SET due_at = :now
        WHERE id IN (
            SELECT waiting.id
            FROM sends
            JOIN enrollments AS waiting
              ON waiting.campaign_id = sends.campaign_id
             AND waiting.contact_id = sends.contact_id
             AND waiting.round = sends.round
            WHERE sends.id IN ({send_ids})
              AND waiting.step_id = sends.step_id
              AND waiting.ended_at IS NULL
              AND waiting.due_at IS NULL
          )
        """,
        {"now": now_ms},
    )


def wake_settled(store: Store, now_ms: int) -> int:
    """Let every enrollment whose send is settled go on: after a crash that came between the two."""
    return store.execute(
        """
        UPDATE enrollments
        SET due_at = :now
        WHERE ended_at IS NULL
          AND due_at IS NULL
          AND EXISTS (
            SELECT 1
            FROM sends
            WHERE sends.campaign_id = enrollments.campaign_id
              AND sends.step_id = enrollments.step_id
              AND sends.contact_id = enrollments.contact_id
              AND sends.round = enrollments.round
              AND sends.state NOT IN ('planned', 'claimed', 'sending')
          )
        """,
        {"now": now_ms},
    )


def _key(source: Source) -> dict[str, Any]:
    return {
        "campaign_id": source.campaign_id,
        "step_id": source.step_id,
        "version": source.version,
        "channel": source.channel,
        "purpose": source.purpose,
    }
