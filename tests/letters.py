"""Mail as it comes back, written by hand: notices of mail servers, complaints, answers."""

from email.message import EmailMessage, Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText


def original(
    *, to: str = "c0@example.com", key: str = "", unsubscribe: str = "", return_path: str = "", subject: str = "Hi"
) -> str:
    """The headers of a mail of ours, as a notice gives them back."""
    lines = [f"Return-Path: <{return_path}>"] if return_path else []
    lines += ["From: news@shop.example", f"To: {to}", f"Subject: {subject}"]
    if key:
        lines += [f"Message-ID: <{key}@shop.example>", f"X-Macli-Message-Id: {key}"]
    if unsubscribe:
        lines.append(f"List-Unsubscribe: <https://news.example/u/{unsubscribe}>")
    return "\r\n".join(lines) + "\r\n\r\n"


def notice(
    status: str = "5.1.1",
    said: str = "smtp; 550 5.1.1 User unknown",
    *,
    action: str = "failed",
    final: str = "c0@example.com",
    first: str = "",
    to: str = "bounces@shop.example",
    back: str = "",
    message_id: str = "<dsn-1@mx.example>",
    date: str = "Tue, 01 Dec 2026 09:30:00 +0000",
) -> bytes:
    """A delivery status notification (RFC 3464)."""
    report = MIMEMultipart("report", **{"report-type": "delivery-status"})
    report["From"] = "Mail Delivery System <MAILER-DAEMON@mx.example>"
    report["To"] = to
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Auto-Submitted"] = "auto-replied"
    report["Date"] = date
    if message_id:
        report["Message-ID"] = message_id
    report.attach(MIMEText("This is the mail system. I could not deliver your message.\n"))
    fields = [f"Final-Recipient: rfc822; {final}"] if final else []
    fields += [f"Original-Recipient: rfc822;{first}"] if first else []
    fields += [f"Action: {action}", f"Status: {status}"]
    fields += [f"Diagnostic-Code: {said}"] if said else []
    report.attach(_fields("delivery-status", "Reporting-MTA: dns; mx.example", fields))
    if back:
        returned = MIMEBase("text", "rfc822-headers")
        returned.set_payload(back)
        report.attach(returned)
    return report.as_bytes()


def complaint(kind: str = "abuse", *, to: str = "", back: str = "", message_id: str = "<arf-1@isp.example>") -> bytes:
    """A feedback report (RFC 5965)."""
    report = MIMEMultipart("report", **{"report-type": "feedback-report"})
    report["From"] = "feedback@isp.example"
    report["To"] = "fbl@shop.example"
    report["Subject"] = "complaint about message from 192.0.2.1"
    report["Message-ID"] = message_id
    report.attach(MIMEText("This is an email abuse report.\n"))
    fields = [f"Feedback-Type: {kind}", "User-Agent: Feedback/1.0", "Version: 1"]
    fields += [f"Original-Rcpt-To: <{to}>"] if to else []
    part = MIMEBase("message", "feedback-report")
    part.set_payload("\r\n".join(fields) + "\r\n")
    report.attach(part)
    returned = MIMEBase("message", "rfc822")
    returned.set_payload([_message(back + "Buy this.\r\n")])
    report.attach(returned)
    return report.as_bytes()


def letter(
    text: str = "Thank you, see you on Monday.\n",
    *,
    sender: str = "c0@example.com",
    to: str = "news@shop.example",
    subject: str = "Re: Hi",
    answers: str = "",
    message_id: str = "<letter-1@example.com>",
    **headers: str,
) -> bytes:
    """A mail somebody wrote, or a program; ``headers`` with _ for -."""
    mail = EmailMessage()
    mail["From"] = f"Ann <{sender}>"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = message_id
    mail["Date"] = "Tue, 01 Dec 2026 09:30:00 +0000"
    if answers:
        mail["In-Reply-To"] = f"<{answers}@shop.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def _fields(subtype: str, whole: str, recipient: list[str]) -> MIMEBase:
    part = MIMEBase("message", subtype)
    part.set_payload([_message(f"{whole}\r\n"), _message("\r\n".join(recipient) + "\r\n")])
    return part


def _message(text: str) -> Message:
    from email import message_from_string

    return message_from_string(text)
