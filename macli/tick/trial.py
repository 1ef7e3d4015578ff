"""A campaign's messages to one's own address before anybody else gets them: real sends, outside the campaign."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from macli.actions.sending import Send
from macli.address import normalise_email, normalise_phone
from macli.campaign import loading
from macli.clock import to_ms
from macli.errors import OperationFailed
from macli.model import ChannelKind, Outcome
from macli.store import Row, Store, channels, ledger, workers
from macli.tick.compose import StepComposer, load_provider, provider_of
from macli.tick.engine import Engine
from macli.tick.recorder import STATES


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One test message and what the provider said."""

    send_id: int
    step: str
    to: str
    outcome: Outcome


def send_test(engine: Engine, campaign: Row, to: str, *, contact_id: int | None = None) -> list[Trial]:
    """Send each message of a campaign that fits the address ``to``, with the values of a contact.

    Push messages fit the address of a contact who has devices.
    The ledger keeps them under the purpose ``test``; they count for nobody and follow nobody. Raises OperationFailed
    where the campaign has no message for that kind of address.
    """
    kind: ChannelKind = "email" if "@" in to else "sms"
    address = normalise_email(to) if kind == "email" else normalise_phone(to, engine.setting("country"))
    values = _values(engine.store, contact_id, address)
    version = campaign["current_version"]
    trials = []
    # A worker of its own: what it leaves behind where it dies is in doubt, and not on its way for ever.
    with workers.registered(engine.store, engine.moment()) as worker_id:
        for step in loading.load(engine.store, campaign["id"], version).program.steps.values():
            if isinstance(step.action, Send):
                composer = StepComposer(engine, campaign["id"], version, step.key, test=True)
                channel = composer.action.channel or composer.campaign.default_channel
                carried = channels.get(engine.store, channel)["kind"]
                if carried == kind:
                    trials.append(_send(engine, composer, channel, kind, address, values, worker_id))
                elif carried == "push" and (owner := _owner(engine.store, address)) is not None:
                    whose = {**values, "id": owner}
                    trials.append(_send(engine, composer, channel, "push", f"contact:{owner}", whose, worker_id))
    if not trials:
        raise OperationFailed(
            f"{campaign['name']} has no message for {to}",
            hint="an e-mail address gets its mails, a number such as +14165550123 its text messages,"
            " and the devices of the contact with that address its push messages",
        )
    return trials


def _send(
    engine: Engine,
    composer: StepComposer,
    channel: str,
    kind: ChannelKind,
    address: str,
    values: Mapping[str, Any],
    worker_id: int,
) -> Trial:
    from macli.providers.base import send_one

    store, moment = engine.store, engine.moment()
    provider_row = provider_of(store, channel)
    provider = load_provider(engine, provider_row)
    composer.provider_sender = provider.sender
    with store.write():
        send_id = int(
            store.value(
                """
                INSERT INTO sends (channel, purpose, state, address, due_at, left_at, provider_id, worker_id)
                VALUES (:channel, 'test', 'sending', :address, :now, :now, :provider, :worker)
                RETURNING id
                """,
                {
                    "channel": kind,
                    "address": address,
                    "now": to_ms(moment),
                    "provider": provider_row["id"],
                    "worker": worker_id,
                },
            )
        )
        row = {**values, "send_id": send_id, "variant": 0, "address": address}
        message = composer.compose(row, moment.replace(microsecond=0))
    outcome = send_one(provider, message)
    # A test is one try: what would be tried again, or pause a campaign, has failed here.
    state = STATES.get(outcome.verdict, "failed")
    with store.write():
        ledger.settle(
            store,
            send_id,
            state,
            now_ms=to_ms(engine.moment()),
            reason=None,
            code=f"{outcome.code} {outcome.text}".strip() or None,
            reference=outcome.reference,
        )
    return Trial(send_id=send_id, step=composer.step.key, to=address, outcome=outcome)


def _owner(store: Store, address: str) -> int | None:
    """The contact with that address, where it has a device."""
    found: int | None = store.value(
        """
        SELECT contacts.id
        FROM contacts
        WHERE (contacts.email = :address OR contacts.phone = :address)
          AND contacts.removed_at IS NULL
          AND EXISTS (SELECT 1 FROM devices WHERE devices.contact_id = contacts.id)
        ORDER BY contacts.id
        LIMIT 1
        """,
        {"address": address},
    )
    return found


def _values(store: Store, contact_id: int | None, address: str) -> dict[str, Any]:
    """The contact meant; else the one with that address; else any. Raises OperationFailed where there is none."""
    row = store.row(
        """
        SELECT *
        FROM contacts
        WHERE (:id IS NULL AND removed_at IS NULL)
           OR id = :id
        ORDER BY (email = :address OR phone = :address) DESC, id
        LIMIT 1
        """,
        {"id": contact_id, "address": address},
    )
    if row is None:
        raise OperationFailed("there is no contact to take values from", hint="macli contact add ann@example.com")
    return dict(zip(row.keys(), row, strict=True))
