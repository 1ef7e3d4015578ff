"""Messages in doubt: what the provider knows of them, or what a person decides."""

from collections import Counter
from typing import Literal

from macli.clock import from_ms, to_ms
from macli.errors import OperationFailed, UsageError
from macli.model import Outcome, Report
from macli.providers.base import Enquiry, Provider
from macli.responses import hear
from macli.store import Row, ledger, messages
from macli.tick.compose import load_provider, message_token
from macli.tick.engine import Engine
from macli.tick.recorder import STATES

Decision = Literal["accepted", "failed", "resend"]
DECISIONS: tuple[Decision, ...] = ("accepted", "failed", "resend")


def ask_providers(engine: Engine, rows: list[Row]) -> Counter[str]:
    """Ask each message's provider what became of it; counts by answer, ``unknown`` where it cannot say."""
    answers: Counter[str] = Counter()
    token = message_token(engine.store)
    loaded: dict[int, Provider] = {}
    for row in rows:
        if row["provider_id"] not in loaded:
            loaded[row["provider_id"]] = _load(engine, row["provider_id"])
        provider = loaded[row["provider_id"]]
        outcome = None
        # Of whom was erased neither address nor reference is known: any answer would be of another message.
        if provider.looks_up and row["address"] is not None:
            outcome = provider.lookup(
                Enquiry(
                    send_id=row["id"],
                    key=f"{row['id']}.{token}",
                    to=row["address"],
                    since=from_ms(row["since_at"]),
                    reference=row["reference"],
                )
            )
        if outcome is None or outcome.verdict in ("unknown", "retry", "sender_fault"):
            answers["unknown"] += 1
            continue
        settle(engine, row, outcome)
        answers[outcome.verdict] += 1
    return answers


def settle(engine: Engine, row: Row, outcome: Outcome) -> None:
    """Record what a provider said of a message later than at once."""
    said = outcome.event or outcome.verdict
    report = Report(
        source="provider",
        source_id=f"{said}:{row['id']}",
        at=to_ms(engine.moment()),
        event=outcome.event,
        state=STATES[outcome.verdict],
        send_id=row["id"],
        reference=outcome.reference,
        words=f"{outcome.code} {outcome.text}".strip(),
        properties={"code": outcome.code, "text": outcome.text},
    )
    hear(engine.store, engine.moment(), [report])


def decide(engine: Engine, rows: list[Row], decision: Decision) -> int:
    """Settle messages in doubt by a person's word: they arrived, they did not, or send them again."""
    if decision == "resend":
        return _resend(engine, rows)
    now_ms = to_ms(engine.now)
    changed = 0
    with engine.store.write():
        for row in rows:
            changed += ledger.settle(
                engine.store, row["id"], decision, now_ms=now_ms, reason="decided", code=None, reference=None
            )
            ledger.wake(engine.store, str(int(row["id"])), now_ms)
    return changed


def _resend(engine: Engine, rows: list[Row]) -> int:
    """Plan messages again; a campaign that had finished is active for them. Raises OperationFailed for none."""
    changed = 0
    with engine.store.write():
        for row in rows:
            params = {"id": row["id"], "campaign": row["campaign_id"], "now": to_ms(engine.now)}
            if engine.store.execute(_RESEND, params):
                engine.store.execute(_ACTIVE_AGAIN, params)
                changed += 1
    if rows and not changed:
        raise OperationFailed(
            "none of these messages can be sent again: they are tests, or their campaign was cancelled",
            hint="macli message resolve ID --as failed",
        )
    return changed


# The address stays taken until the claim: what may have arrived there is not sent there to another contact.
_RESEND = """
UPDATE sends
SET state = 'planned', due_at = :now, worker_id = NULL, left_at = NULL, settled_at = NULL, reason = NULL
WHERE id = :id
  AND state = 'unknown'
  AND campaign_id IN (SELECT id FROM campaigns WHERE state <> 'cancelled')
"""

_ACTIVE_AGAIN = """
UPDATE campaigns
SET state = 'active', finished_at = NULL, updated_at = :now
WHERE id = :campaign
  AND state = 'finished'
"""


def in_doubt(engine: Engine, *, campaign_id: int | None, send_id: int | None) -> list[Row]:
    """The messages to resolve. Raises UsageError where the one named is not in doubt."""
    rows = messages.unknown(engine.store, campaign_id=campaign_id, send_id=send_id)
    if send_id is not None and not rows:
        state = messages.get(engine.store, send_id)["state"]
        raise UsageError(f"message {send_id} is {state}, not unknown", hint="macli message list --state unknown")
    return rows


def _load(engine: Engine, provider_id: int | None) -> Provider:
    row = engine.store.row("SELECT * FROM providers WHERE id = :id", {"id": provider_id})
    if row is None:
        raise OperationFailed("the message's provider is no longer known", hint="macli message resolve ID --as failed")
    return load_provider(engine, row)
