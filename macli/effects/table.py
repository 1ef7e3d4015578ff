"""What follows from an event, by its name: a table of functions over the batch of new events."""

from collections.abc import Mapping

from macli.effects.base import BatchEffect, Effect
from macli.effects.bouncing import suppress_after_several
from macli.effects.complaining import note_unseen
from macli.effects.consenting import cancel_sends, hold_no, withdraw
from macli.effects.removing import stop_everything
from macli.effects.suppressing import suppress
from macli.effects.visiting import apply_rules
from macli.scoring.applying import apply as give_points
from macli.scoring.rfm import follow as follow_purchases

EFFECTS: Mapping[str, tuple[Effect, ...]] = {
    "email.bounced": (suppress("email", "email.bounced", "bounced"),),
    "email.complained": (
        suppress("email", "email.complained", "complained"),
        withdraw("email", "email.complained"),
        note_unseen,
    ),
    "email.soft_bounced": (suppress_after_several,),
    "email.unsubscribed": (withdraw("email", "email.unsubscribed"),),
    "sms.opted_out": (withdraw("sms", "sms.opted_out"),),
    "address.invalid": (suppress("sms", "address.invalid", "invalid"),),
    "consent.withdrawn": (hold_no, cancel_sends),
    "contact.removed": (stop_everything,),
    "page.visited": (apply_rules,),
}

AFTERWARDS: tuple[BatchEffect, ...] = (give_points, follow_purchases)
"""What may follow from any event, whatever its name."""
