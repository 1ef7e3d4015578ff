"""Who may be written to now, and why not: consent, suppression, caps and quiet hours, as SQL.

The same expression is used for the preview of a campaign, for the claim of a batch and for the
last look before the wire, so what is shown is what happens.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from macli import config
from macli.clock import to_ms
from macli.config import Cap, QuietHours
from macli.model import REACHED_WIRE, ChannelKind, Purpose, Where
from macli.store import Store, consents

Setting = Callable[[str], Any]

REASONS: Mapping[str, str] = {
    "removed": "the contact was removed",
    "no_address": "no address for this channel",
    "suppressed": "the address is suppressed (bounced, complained, invalid, erased)",
    "opted_out": "opted out of the channel or the topic",
    "no_consent": "no yes that holds: never said, not confirmed, or expired",
    "duplicate": "the address has this message already, under another contact",
    "capped": "had as many messages lately as the cap, or the contact, allows",
    "paused": "the contact asked for a pause",
    "left": "met the campaign's exit or goal before the message could leave",
    "cancelled": "the campaign was cancelled",
}
"""Why a send is skipped, in the order in which the reasons are looked for."""

_ADDRESS: Mapping[ChannelKind, str] = {
    "email": "contacts.email",
    "sms": "contacts.phone",
    # All devices of a contact are one address: which they are is looked up when the message is made.
    "push": (
        "CASE WHEN EXISTS (SELECT 1 FROM devices WHERE devices.contact_id = contacts.id)"
        " THEN 'contact:' || contacts.id END"
    ),
    # A webhook is about the contact, not to it: its address is the contact itself.
    "webhook": "'contact:' || contacts.id",
}
_REACHED = ", ".join(f"'{state}'" for state in REACHED_WIRE)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a message has to respect: derived from its channel, its purpose and the settings."""

    channel: ChannelKind
    purpose: Purpose
    topic: str = ""
    """What the message is about, as consents name it; '' is nothing in particular."""
    require_opt_in: bool = False
    cap: Cap | None = None
    quiet: QuietHours | None = None

    @property
    def address(self) -> str:
        """The SQL of the contact's address on this channel."""
        return _ADDRESS[self.channel]


def policy(
    setting: Setting,
    *,
    channel: ChannelKind,
    purpose: Purpose,
    topic: str | None = None,
    caps: bool = True,
    quiet_hours: str | bool | None = None,
) -> Policy:
    """The policy of a message by the workspace's settings.

    ``caps`` False exempts a campaign; ``quiet_hours`` is a campaign's own, None means the settings'.
    """
    if purpose != "campaign" or channel == "webhook":
        return Policy(channel=channel, purpose=purpose)
    if isinstance(quiet_hours, str):
        quiet = config.REGISTRY[f"quiet_hours.{channel}"].read(quiet_hours)
    else:
        quiet = None if quiet_hours is False else setting(f"quiet_hours.{channel}")
    return Policy(
        channel=channel,
        purpose=purpose,
        topic=consents.topic_key(topic or ""),
        require_opt_in=bool(setting(f"consent.{channel}.require_opt_in")),
        cap=setting(f"caps.{channel}") if caps else None,
        quiet=quiet,
    )


def refusal(policy: Policy, now: datetime, *, own: str = "0") -> tuple[str, dict[str, Any]]:
    """An SQL expression over ``contacts``: the reason not to write to a contact, NULL where there is none.

    ``own`` is the SQL of the send's id, whose own row does not count against the cap.
    """
    address = policy.address
    clauses = [
        "WHEN contacts.removed_at IS NOT NULL THEN 'removed'",
        f"WHEN {address} IS NULL THEN 'no_address'",
    ]
    params: dict[str, Any] = {"audience_channel": policy.channel}
    if policy.channel != "webhook":
        # An address that is there for a no alone still gets what its owner is owed.
        hashes = "suppression_hashes"
        but = "" if policy.purpose == "campaign" else " AND {table}.reason <> 'opted_out'"
        clauses.append(
            f"""WHEN EXISTS (
              SELECT 1
              FROM suppressions
              WHERE suppressions.channel = :audience_channel
                AND suppressions.address = {address}{but.format(table="suppressions")}
            ) THEN 'suppressed'"""
        )
        # Who was erased is known by a keyed hash only. Without the key everybody could be one of them.
        clauses.append(
            f"""WHEN CASE WHEN EXISTS (SELECT 1 FROM suppression_hashes) THEN
              address_hash(:audience_channel, '') IS NULL
              OR EXISTS (
                SELECT 1
                FROM suppression_hashes
                WHERE suppression_hashes.channel = :audience_channel
                  AND suppression_hashes.hash = address_hash(:audience_channel, {address}){but.format(table=hashes)}
              )
            END THEN 'suppressed'"""
        )
    # One behind the other: what comes later is asked only of those nothing stands against so far.
    parts = ["CASE\n" + "\n".join(clauses) + "\nEND"]
    marketing = policy.purpose == "campaign" and policy.channel != "webhook"
    if marketing:
        parts.append(_consent(policy))
        params |= {"audience_topic": policy.topic, "audience_now": to_ms(now)}
    if policy.cap is not None:
        parts.append(
            f"""CASE WHEN (
              SELECT count(*)
              FROM sends AS earlier
              WHERE earlier.contact_id = contacts.id
                AND earlier.channel = :audience_channel
                AND earlier.purpose = 'campaign'
                AND earlier.id <> {own}
                AND (
                  earlier.state = 'claimed'
                  OR (earlier.state IN ({_REACHED}) AND earlier.left_at > :audience_cap_since)
                )
            ) >= :audience_cap THEN 'capped' END"""
        )
        params["audience_cap"] = policy.cap.count
        params["audience_cap_since"] = to_ms(now - policy.cap.span)
    if marketing:
        parts.append(f"({_PREFERRED.format(own=own)})")
    return f"coalesce({', '.join(parts)}, NULL)", params


def _consent(policy: Policy) -> str:
    """SQL for what stands against it by what the contact said, NULL where nothing does."""
    silence = "no_consent" if policy.require_opt_in else "ok"
    said = f"nullif(coalesce(({_OF_TOPIC if policy.topic else _OF_ALL}), '{silence}'), 'ok')"
    if policy.channel != "sms":
        return said
    # Several contacts may share a number: when one of them said no, the number said no.
    theirs = _THEIR_TOPIC if policy.topic else ""
    return f"coalesce(CASE WHEN EXISTS ({_THEIRS} AND (shared.topic = ''{theirs})) THEN 'opted_out' END, {said})"


_HOLDS = "{0}.status = 'granted' AND ({0}.expires_at IS NULL OR {0}.expires_at > :audience_now)"

# Who was asked and has not confirmed yet is sent nothing but the question, and a yes that ran out is none.
_OF_ALL = f"""
SELECT CASE
  WHEN of_all.status = 'withdrawn' THEN 'opted_out'
  WHEN {_HOLDS.format("of_all")} THEN 'ok'
  ELSE 'no_consent'
END
FROM consents AS of_all
WHERE of_all.contact_id = contacts.id
  AND of_all.channel = :audience_channel
  AND of_all.topic = ''
"""

# What was said of the topic goes before what was said of the channel, unless that was a later no.
_OF_TOPIC = f"""
SELECT CASE
  WHEN of_topic.status = 'withdrawn' THEN 'opted_out'
  WHEN {_HOLDS.format("of_topic")}
    AND (of_all.status IS DISTINCT FROM 'withdrawn' OR of_topic.changed_at > of_all.changed_at) THEN 'ok'
  WHEN of_all.status = 'withdrawn' THEN 'opted_out'
  WHEN of_topic.status = 'pending' THEN 'no_consent'
  WHEN {_HOLDS.format("of_all")} THEN 'ok'
  WHEN coalesce(of_all.status, of_topic.status) IS NOT NULL THEN 'no_consent'
END
FROM (SELECT 1 AS one) AS always
LEFT JOIN consents AS of_all ON of_all.contact_id = contacts.id
  AND of_all.channel = :audience_channel
  AND of_all.topic = ''
LEFT JOIN consents AS of_topic ON of_topic.contact_id = contacts.id
  AND of_topic.channel = :audience_channel
  AND of_topic.topic = :audience_topic
"""

_THEIRS = """
SELECT 1
FROM contacts AS sharing
JOIN consents AS shared ON shared.contact_id = sharing.id
WHERE sharing.phone = contacts.phone
  AND sharing.id <> contacts.id
  AND shared.channel = :audience_channel
  AND shared.status = 'withdrawn'
"""

_THEIR_TOPIC = f""" AND NOT EXISTS (
  SELECT 1
  FROM consents AS since
  WHERE since.contact_id = shared.contact_id
    AND since.channel = shared.channel
    AND since.topic = :audience_topic
    AND {_HOLDS.format("since")}
    AND since.changed_at > shared.changed_at
) OR shared.topic = :audience_topic"""

_PREFERRED = f"""
              SELECT CASE
                WHEN preferences.paused_until_at > :audience_now THEN 'paused'
                WHEN preferences.most <= (
                  SELECT count(*)
                  FROM sends AS earlier
                  WHERE earlier.contact_id = contacts.id
                    AND earlier.channel <> 'webhook'
                    AND earlier.purpose = 'campaign'
                    AND earlier.id <> {{own}}
                    AND (
                      earlier.state = 'claimed'
                      OR (
                        earlier.state IN ({_REACHED})
                        AND earlier.left_at > :audience_now - preferences.most_span
                      )
                    )
                ) THEN 'capped'
              END
              FROM preferences
              WHERE preferences.contact_id = contacts.id
            """


def standing(store: Store, contact_id: int, policy: Policy, now: datetime) -> bool:
    """Whether what the contact said lets it be written to, whatever else stands against it."""
    params = {"audience_channel": policy.channel, "audience_topic": policy.topic, "audience_now": to_ms(now)}
    return (
        store.value(
            f"SELECT {_consent(policy)} FROM contacts WHERE contacts.id = :contact_id",
            {**params, "contact_id": contact_id},
        )
        is None
    )


def counts(store: Store, where: Where, policy: Policy, now: datetime) -> dict[str, int]:
    """How many of the contacts ``where`` selects would be written to (key ``ok``), and how many not by reason."""
    reason, params = refusal(policy, now)
    found = store.rows(
        f"""
        SELECT reason, count(*) AS contacts, count(DISTINCT address) AS addresses
        FROM (
          SELECT {reason} AS reason, {policy.address} AS address
          FROM contacts
          WHERE {where.sql}
        ) AS judged
        GROUP BY reason
        """,
        {**where.params, **params},
    )
    result: dict[str, int] = {"ok": 0}
    for row in found:
        if row["reason"] is None:
            result["ok"] = row["addresses"]
            if row["contacts"] > row["addresses"]:
                result["duplicate"] = row["contacts"] - row["addresses"]
        else:
            result[row["reason"]] = row["contacts"]
    return {key: result[key] for key in ("ok", *REASONS) if key in result}


def reason_for(store: Store, contact_id: int, policy: Policy, now: datetime) -> str | None:
    """Why this contact would not be written to now; None when it would."""
    reason, params = refusal(policy, now)
    found = store.value(
        f"SELECT {reason} FROM contacts WHERE contacts.id = :contact_id", {**params, "contact_id": contact_id}
    )
    return None if found is None else str(found)
