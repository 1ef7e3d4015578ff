"""Send a message: plan it in the ledger, and go on when it is settled."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from macli.actions.batch import FAIL, Batch
from macli.campaign.words import ChannelName, EmailAddress, Rule, TemplateName
from macli.errors import UnknownName, UsageError
from macli.model import ChannelKind
from macli.store import Store

_SETTLED = """
UPDATE batch
SET way = CASE
  WHEN sends.state IN ('bounced', 'rejected', 'failed') AND :fails = 1 THEN :failed
  ELSE 'next'
END
FROM sends
WHERE sends.campaign_id = :campaign_id
  AND sends.step_id = :step_id
  AND sends.contact_id = batch.contact_id
  AND sends.round = batch.round
  AND sends.state NOT IN ('planned', 'claimed', 'sending')
"""


_KIND = """
SELECT kind
FROM channels
WHERE name_key = :name
"""


def _kind(store: Store, channel: str) -> ChannelKind:
    """The kind of the channel of that name. Raises UnknownName."""
    kind: ChannelKind | None = store.value(_KIND, {"name": channel.casefold()})
    if kind is None:
        raise UnknownName("channel", channel, (row["name"] for row in store.rows("SELECT name FROM channels")))
    return kind


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A template for the contacts a rule selects."""

    when: Rule
    template: TemplateName


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who the message is from, where that is not the campaign's sender."""

    name: str | None = None
    email: EmailAddress | None = None
    reply_to: EmailAddress | None = None

    def __post_init__(self) -> None:
        if any(ord(character) < 32 or ord(character) == 127 for character in self.name or ""):
            raise UsageError("the sender's name holds a line break or another control character")


@dataclass(frozen=True, kw_only=True)
class Send:
    """Send a template. `choose` picks another one by rule: the first whose `when` holds, else `template`.

    The step is passed when the message was accepted or skipped (no consent, no address, a cap);
    a message that was refused or failed ends the contact's way, unless `on_error: continue`.

    Example: `send: {template: offer, choose: [{when: 'tagged "vip"', template: offer-vip}]}`
    """

    word: ClassVar[str] = "send"
    scalar: ClassVar[str] = "template"
    nested: ClassVar[tuple[str, ...]] = ()

    template: TemplateName
    channel: ChannelName | None = None
    choose: tuple[Choice, ...] = ()
    attach: tuple[str, ...] = ()
    on_error: Literal["fail", "continue"] = "fail"
    purpose: Literal["campaign", "transactional"] | None = None
    sender: Sender | None = None

    def ways(self) -> tuple[str, ...]:
        return ("next",)

    def events(self) -> tuple[str, ...]:
        return ()

    def templates(self) -> tuple[TemplateName, ...]:
        """What may be sent, by the ledger's ``variant``: 0 is ``template``, then the choices in order."""
        return (self.template, *(choice.template for choice in self.choose))

    def apply(self, batch: Batch) -> None:
        from macli.store import ledger

        batch.store.execute(
            _SETTLED,
            {
                "fails": int(self.on_error == "fail"),
                "failed": FAIL,
                "campaign_id": batch.campaign_id,
                "step_id": batch.step_id,
            },
        )
        for number, choice in enumerate(self.choose, start=1):
            batch.set_where(choice.when, f"variant = {number}", "way IS NULL AND variant IS NULL")
        ledger.plan(
            batch.store,
            now=batch.now,
            campaign_id=batch.campaign_id,
            step_id=batch.step_id,
            version=batch.version,
            channel=_kind(batch.store, self.channel or batch.channel),
            purpose=self.purpose or batch.purpose,
            variant="coalesce(batch.variant, 0)",
        )
        if batch.ways["next"] is None:
            batch.set("way = 'next'", "way IS NULL")
