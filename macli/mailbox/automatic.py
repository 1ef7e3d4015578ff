"""Whether a program wrote a message: out of office, a receipt, a ticket system, a list. Such mail does nothing."""

import re
from email.message import Message

from macli.mailbox import mime

ABSENT = re.compile(
    r"^\W*((re|aw|odp|sv|vs|antw|rv|fw) ?: ?)*\W*("
    r"out of (the )?office|ooo\b|auto ?:|"
    r"auto(matic|mated|matische)?[- ]?(re(ply|sponse|sponder)|answer|antwort)|autoreply|"
    r"(i am |i'm )?(currently )?away from|on (annual )?(leave|vacation|holiday)|vacation (reply|notice)|"
    r"abwesen|automatische antwort|nicht im (b.ro|hause)|im urlaub|"
    r"r.ponse automatique|absence du bureau|absent du bureau|message d.absence|en cong|"
    r"respuesta autom|fuera de (la )?oficina|ausencia|ausente|resposta autom|fora do escrit|aus.ncia|"
    r"risposta automatica|fuori (sede|ufficio)|assente|"
    r"automatyczna odpowied|odpowied. automatyczna|autoodpowied|nieobecno|poza biurem|na urlopie|"
    r"automatisch antwoord|afwezig|niet op kantoor|autosvar|automatisk(t)? svar|frånvaro|fravær|poissa|automaattinen|"
    r"автоответ|вне офиса|отсутств|автоматична|automatick. odpov|mimo kancel|自動応答|不在|自动回复|自動回覆"
    r")",
    re.IGNORECASE,
)
"""Subjects of those who are away, in the languages people write them in."""

_SAYS_SO = (
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Auto-Response",
    "X-Mail-Autoreply",
    "X-Auto-Reply",
    "X-Vacation",
    "X-AutoReply-From",
    "X-Auto-Response-Suppress",
    "X-Loop",
    "X-Cron-Env",
    "List-Id",
    "List-Unsubscribe",
    "Feedback-ID",
)
_PRECEDENCES = frozenset({"auto_reply", "auto-reply", "bulk", "junk", "list"})
_NOBODY = re.compile(
    r"(no|do|donot|not)[-_.]?(not[-_.]?)?reply|mailer-daemon|postmaster|bounces?([+=-]|$)", re.IGNORECASE
)


def is_absent(message: Message) -> bool:
    """Whether the subject is an out-of-office notice's."""
    return bool(ABSENT.search(mime.header(message, "Subject")))


def is_automatic(message: Message, sender: str) -> bool:
    """Whether a program wrote it, as far as its headers say."""
    auto = mime.header(message, "Auto-Submitted").lower()
    return bool(
        (auto and not auto.startswith("no"))
        or any(mime.header(message, name) for name in _SAYS_SO)
        or mime.header(message, "Precedence").lower() in _PRECEDENCES
        or mime.header(message, "Return-Path").replace(" ", "") == "<>"
        or message.get_content_type() in ("multipart/report", "message/disposition-notification")
        or _NOBODY.match(sender.partition("@")[0])
        or not sender
        or is_absent(message)
    )
