"""The ledger: each send exists once per campaign, step, contact and round, and is claimed before it leaves.

planned → claimed → sending → an outcome. ``claimed`` names the worker that has it and nothing has
left; ``sending`` is committed before the wire, so a crash behind it leaves ``unknown`` and never a
second message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from macli.clock import to_ms
from macli.model import ChannelKind, Purpose, SendState
from macli.store.connection import Store


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


def mark(store: Store, send_ids: Iterable[int], *, worker_id: int, now_ms: int) -> int:
    """Commit-to-be: these messages are about to leave; how many this worker still held."""
    return store.executemany(
        "UPDATE sends SET state = 'sending', left_at = ? WHERE id = ? AND state = 'claimed' AND worker_id = ?",
        ((now_ms, send_id, worker_id) for send_id in send_ids),
    )


def marked(store: Store, send_ids: Iterable[int], *, worker_id: int) -> set[int]:
    """Those of ``send_ids`` that this worker has marked."""
    row = "SELECT id FROM sends WHERE id = :id AND state = 'sending' AND worker_id = :worker"
    return {send_id for send_id in send_ids if store.value(row, {"id": send_id, "worker": worker_id}) is not None}


RECIPIENT = "(SELECT contacts.id FROM contacts WHERE contacts.id = sends.contact_id AND contacts.state <> 'erased')"
"""SQL over ``sends``: whom a send is to, for what may change or show that contact; NULL once they are deleted or
erased. What only counts goes by ``contact_id``, which an erased contact keeps."""


def contact_of(store: Store, send_id: int) -> int | None:
    """Whom a send is to; None where that contact was deleted."""
    found: int | None = store.value("SELECT contact_id FROM sends WHERE id = :id", {"id": send_id})
    return found


def accept(store: Store, accepted: Iterable[tuple[str | None, str | None, int]]) -> None:
    """Record (provider's words, reference, send id) of messages a provider took.

    A provider's own report may have come before its answer: then only the reference is news.
    """
    store.executemany(
        """
        UPDATE sends
        SET code = CASE WHEN state IN ('sending', 'unknown') THEN ?1 ELSE code END, reference = coalesce(?2, reference),
            state = CASE WHEN state IN ('sending', 'unknown') THEN 'accepted' ELSE state END
        WHERE id = ?3
          AND state NOT IN ('planned', 'claimed', 'skipped')
        """,
        accepted,
    )


def rank(state: str, channel: str) -> str:
    """SQL: how far a state has a send; what is said of it later never takes it back."""
    over = f"CASE {channel} WHEN 'email' THEN 4 ELSE 3 END"
    return f"""CASE {state}
      WHEN 'unknown' THEN 1
      WHEN 'accepted' THEN 2
      WHEN 'delivered' THEN 3
      WHEN 'bounced' THEN {over}
      WHEN 'rejected' THEN {over}
      WHEN 'failed' THEN {over}
      WHEN 'skipped' THEN 9
      ELSE 0
    END"""


STANDING = f"CASE sends.reason WHEN 'decided' THEN 1 ELSE {rank('sends.state', 'sends.channel')} END"
"""The rank of a send as it stands; a person decides only where nobody knows, so any report counts for more."""


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
    """Record how one send ended, unless more is known of it already; ``skipped`` only where it never left."""
    return store.execute(
        f"""
        UPDATE sends
        SET state = :state, reason = :reason, code = :code, reference = coalesce(:reference, reference),
            settled_at = :now, address = CASE WHEN :state = 'skipped' THEN NULL ELSE address END
        WHERE id = :id
          AND state <> 'planned'
          AND (:state <> 'skipped' OR state = 'claimed')
          AND {rank("CAST(:state AS TEXT)", "channel")} > {STANDING}
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
        f"""
        UPDATE sends
        SET {_PLANNED_AGAIN}, left_at = NULL, due_at = :now, code = coalesce(:code, code),
            attempts = attempts + :attempted
        WHERE id = :id
          AND state IN ('claimed', 'sending')
        """,
        {"id": send_id, "now": due_ms, "code": code, "attempted": int(attempted)},
    )


def let_go(store: Store, worker_id: int, now_ms: int) -> int:
    """Plan what a worker claimed and did not mark again; how many."""
    return store.execute(
        f"""
        UPDATE sends
        SET {_PLANNED_AGAIN}
        WHERE worker_id = :worker
          AND state = 'claimed'
        """,
        {"worker": worker_id, "now": now_ms},
    )


_IS_CANCELLED = "campaign_id IN (SELECT id FROM campaigns WHERE state = 'cancelled')"

# The address goes with the claim: the contact's next one may be another, and this one someone else's.
# Nobody would ever look at a message planned in a campaign that was cancelled in the meantime.
_PLANNED_AGAIN = f"""
  state = CASE WHEN {_IS_CANCELLED} THEN 'skipped' ELSE 'planned' END,
  reason = CASE WHEN {_IS_CANCELLED} THEN 'cancelled' END,
  settled_at = CASE WHEN {_IS_CANCELLED} THEN :now END,
  worker_id = NULL, address = NULL"""


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
