"""What mail servers and Twilio say, and what it amounts to."""

import pytest

from macli.errors import UsageError
from macli.providers.codes import expect_verdict, http_verdict, smtp_outcome, twilio_outcome

SAID = [
    # the recipient
    ("RCPT", "550 5.1.1 <x@y>: Recipient address rejected: User unknown", "bounced"),
    ("RCPT", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "bounced"),
    ("RCPT", "550 5.2.1 The email account that you tried to reach is disabled", "bounced"),
    ("RCPT", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "bounced"),
    ("RCPT", "550 no such user here", "bounced"),
    ("RCPT", "551 user not local", "bounced"),
    ("RCPT", "553 mailbox name not allowed", "bounced"),
    ("RCPT", "550 5.1.1 <spf@example.com>: unknown", "bounced"),
    ("content", "550 5.1.1 no such user", "bounced"),
    ("RCPT", "550 <dmarc@example.com> unknown", "bounced"),
    # this message, or this mailbox now
    ("RCPT", "552 5.2.2 Mailbox full", "rejected"),
    ("RCPT", "552 mailbox full", "rejected"),
    ("content", "554 5.7.1 Message rejected as spam by content scanner", "rejected"),
    ("content", "552 5.3.4 Message size exceeds fixed limit", "rejected"),
    ("RCPT", "550 rejected by spam policy", "rejected"),
    ("DATA", "554 transaction failed", "rejected"),
    # transient
    ("RCPT", "450 4.2.1 mailbox busy", "retry"),
    ("RCPT", "451 4.7.1 Greylisted, try again later", "retry"),
    ("RCPT", "452 4.2.2 over quota", "retry"),
    ("MAIL", "421 4.3.2 shutting down", "retry"),
    ("content", "421 4.7.28 Gmail has detected an unusual rate of mail", "retry"),
    ("AUTH", "454 4.7.0 Temporary authentication failure", "retry"),
    # the sender
    ("AUTH", "535 5.7.8 Error: authentication failed", "sender_fault"),
    ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", "sender_fault"),
    ("MAIL", "530 5.5.1 Authentication Required", "sender_fault"),
    ("RCPT", "554 5.7.1 <x@y>: Relay access denied", "sender_fault"),
    ("RCPT", "454 4.7.1 <x@y>: Relay access denied", "sender_fault"),
    ("RCPT", "550 5.7.1 Unable to relay", "sender_fault"),
    ("content", "550-5.7.26 This mail has been blocked because the sender is unauthenticated", "sender_fault"),
    ("content", "550 5.7.26 Unauthenticated email is not accepted due to DMARC policy", "sender_fault"),
    ("content", "421 4.7.26 unauthenticated", "sender_fault"),
    ("content", "421 4.7.32 From header is not aligned", "sender_fault"),
    ("content", "550 5.7.515 Access denied, sending domain does not meet the required level", "sender_fault"),
    ("content", "550 5.7.23 SPF validation failed", "sender_fault"),
    ("content", "550 5.7.606 Access denied, banned sending IP", "sender_fault"),
    ("RCPT", "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", "sender_fault"),
    ("MAIL", "553 5.7.1 Sender address rejected: not owned by user news", "sender_fault"),
    ("MAIL", "550 5.1.8 Sender address rejected: Domain not found", "sender_fault"),
    ("MAIL", "550 sender refused", "sender_fault"),
    ("content", "550 SPF check failed", "sender_fault"),
    ("connect", "554 5.7.1 no service for you", "sender_fault"),
    # neither
    ("MAIL", "503 5.5.1 nested MAIL command", "rejected"),
    ("MAIL", "503 nested MAIL command", "failed"),
]


@pytest.mark.parametrize(("stage", "said", "verdict"), SAID, ids=[said for _, said, _ in SAID])
def test_a_mail_servers_refusal_is_put_down_to_whoever_made_it(stage, said, verdict) -> None:
    outcome = smtp_outcome(stage, int(said[:3]), said[4:])
    assert outcome.verdict == verdict
    assert outcome.event == ("email.bounced" if verdict == "bounced" else None)


def test_the_code_keeps_the_enhanced_status() -> None:
    assert smtp_outcome("RCPT", 550, "5.1.1 unknown").code == "550 5.1.1"
    assert smtp_outcome("RCPT", 550, "unknown").code == "550"


@pytest.mark.parametrize(
    ("code", "status", "verdict", "event"),
    [
        ("21610", 400, "rejected", "sms.opted_out"),
        ("21211", 400, "bounced", "address.invalid"),
        ("21614", 400, "bounced", "address.invalid"),
        ("30007", 0, "rejected", None),
        ("30001", 0, "retry", None),
        ("20429", 429, "retry", None),
        ("20003", 401, "sender_fault", None),
        ("21606", 400, "sender_fault", None),
        ("99999", 400, "failed", None),
        ("", 503, "retry", None),
        ("", 504, "unknown", None),
        ("", 401, "sender_fault", None),
    ],
)
def test_twilios_codes(code, status, verdict, event) -> None:
    outcome = twilio_outcome(code, status, "words", {})
    assert (outcome.verdict, outcome.event) == (verdict, event)


def test_a_code_can_be_judged_otherwise() -> None:
    assert twilio_outcome("30007", 0, "", {"30007": "retry"}).verdict == "retry"
    assert twilio_outcome("21610", 0, "", {"21610": "failed"}).event is None
    with pytest.raises(UsageError, match="'rety' is no verdict; did you mean 'retry'"):
        expect_verdict("rety")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "accepted"), (204, "accepted"), (301, "failed"), (404, "failed"), (429, "retry"), (500, "retry")],
)
def test_http_statuses(status, verdict) -> None:
    assert http_verdict(status) == verdict
