"""What a column is, by its header: the names people give to e-mail, phone and the rest."""

import re
import unicodedata
from collections.abc import Sequence

from macli.errors import UsageError, did_you_mean
from macli.store.consents import topic_key

_SYNONYMS: dict[str, str] = {
    "email": (
        "email | e mail | email address | e mail address | mail | mail address | emailaddress | "
        "primary email | email 1 | adres e mail | adres email | poczta | e mail adresse | "
        "emailadresse | adresse e mail | adresse email | adresse mail | courriel | "
        "correo electronico | correo | e mailadres | indirizzo email | indirizzo e mail | "
        "posta elettronica | endereco de e mail | e postadress | epost | e post | sahkoposti | "
        "e mailova adresa | электронная почта | почта | имейл | メールアドレス | メール | "
        "电子邮件 | 邮箱 | 电子邮箱 | 이메일"
    ),
    "phone": (
        "mobile | mobile phone | mobile number | mobile no | cell | cell phone | cellphone | "
        "phone | phone number | phone no | phonenumber | telephone | telephone number | tel | "
        "tel no | sms | telefon | telefon komorkowy | komorka | numer telefonu | nr telefonu | "
        "handy | handynummer | mobil | mobiltelefon | mobilnummer | telefonnummer | rufnummer | "
        "telephone portable | portable | numero de telephone | telefono | telefono movil | movil | "
        "celular | cellulare | numero di telefono | telefone | telefoonnummer | puhelin | "
        "puhelinnumero | телефон | мобильный | 携帯電話 | 電話番号 | 電話 | 电话 | 手机 | 手机号 | "
        "전화번호"
    ),
    "external_id": "external id | externalid",
    "timezone": "timezone | time zone | tz | strefa czasowa | zeitzone | fuseau horaire | zona horaria",
    "locale": "locale | language | lang | language code | jezyk | sprache | langue | idioma | lingua",
    "state": "state",
    "source": "source",
    "tags": "tags | tag | tagi | etiquetas | etichette | schlagworte",
    "email_opt_out": (
        "email opt out | email optout | e mail opt out | opt out | optout | opted out | "
        "unsubscribed | unsubscribe | do not email | no email | email opted out | "
        "has opted out of email | wypisany | wypisana | abgemeldet | desabonne | desinscrit | "
        "baja"
    ),
    "sms_opt_out": ("sms opt out | sms optout | do not text | no sms | sms opted out | sms unsubscribed | do not sms"),
}
"""Headers as ``simplify`` makes them, the likelier first."""

UNWANTED = (
    "id",
    "added_at",
    "updated_at",
    "removed_at",
    "attributes",
    "folded",
    "refused_line",
    "refused_because",
)
"""Headers of macli's own making that say nothing an import could take over."""

_CONSENT = re.compile(r"(email|sms|push)_consent(?::(.*))?")


def simplify(header: str) -> str:
    """A header in lower case, without accents, with single spaces for everything but letters and digits."""
    letters = unicodedata.normalize("NFKD", header.translate({ord("ł"): "l", ord("Ł"): "L"})).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", plain)).split())


_MEANINGS = {
    simplify(header): (meaning, rank)
    for meaning, headers in _SYNONYMS.items()
    for rank, header in enumerate(headers.split(" | "))
}


def meaning(header: str) -> tuple[str, int] | None:
    """What a header means of the contact itself, and how unlikely that is among its like."""
    consent = _CONSENT.fullmatch(header.strip().lower())
    if consent:
        return header.strip().lower(), 0
    return _MEANINGS.get(simplify(header))


def consent_of(target: str) -> tuple[str, str] | None:
    """The channel and topic of a target such as ``email_consent:news``."""
    found = _CONSENT.fullmatch(target)
    return (found[1], topic_key(found[2] or "")) if found else None


def read_map(texts: Sequence[str], header: Sequence[str]) -> dict[int, str]:
    """``Kundennr=external_id,Notes=-`` as a target by the column's place. Raises UsageError."""
    chosen: dict[int, str] = {}
    for text in texts:
        held = ""
        for piece in text.split(","):
            held = f"{held},{piece}" if held else piece
            if "=" not in held:
                continue  # a comma inside the header's own name
            name, _, target = held.rpartition("=")
            place = _place(name.strip(), header)
            if place in chosen:
                raise UsageError(f"--map names the column {name.strip()!r} twice")
            chosen[place], held = target.strip(), ""
        if held.strip():
            raise UsageError(f"--map {held.strip()!r} says no target", hint="write COLUMN=TARGET, or COLUMN=- to drop")
    return chosen


def _place(name: str, header: Sequence[str]) -> int:
    for compare in (str, simplify):
        wanted = compare(name)
        found = [place for place, known in enumerate(header) if compare(known) == wanted]
        if found:
            return found[0]
    raise UsageError(
        f"--map: no column named {name!r}{did_you_mean(name, header)}",
        hint=f"the columns are: {', '.join(header)}",
    )
