"""What macli itself says on a form, in the languages it knows."""

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "submit": "Send",
        "thanks": "Thank you.",
        "confirm": "If a confirmation is needed, we have sent it to you: please follow the link in it.",
        "required": "Please fill this in.",
        "agree": "Please tick this box to go on.",
        "email": "This is not an e-mail address.",
        "phone": "This is not a phone number. Write it with its country code: +44 20 7946 0018.",
        "number": "This is not a number.",
        "date": "This is not a date. Write it as 1990-12-31.",
        "choice": "Please choose one of the answers.",
        "text": "Please write this differently.",
        "long": "This is too long.",
        "pattern": "This does not have the expected form.",
        "again": "The page was open for a long time. Please check your answers and send them again.",
        "mend": "Please look at the marked answers.",
        "often": "That was very often. Please try again in a few minutes.",
        "optional": "optional",
        "choose": "Please choose",
        "close": "Close",
    },
    "pl": {
        "submit": "Wyślij",
        "thanks": "Dziękujemy.",
        "confirm": "Jeśli potrzebne jest potwierdzenie, wysłaliśmy je: prosimy kliknąć w nim link.",
        "required": "Prosimy wypełnić to pole.",
        "agree": "Prosimy zaznaczyć to pole.",
        "email": "To nie jest adres e-mail.",
        "phone": "To nie jest numer telefonu. Prosimy podać go z kodem kraju: +48 22 123 45 67.",
        "number": "To nie jest liczba.",
        "date": "To nie jest data. Prosimy zapisać ją tak: 1990-12-31.",
        "choice": "Prosimy wybrać jedną z odpowiedzi.",
        "text": "Prosimy zapisać to inaczej.",
        "long": "To jest za długie.",
        "pattern": "To nie ma oczekiwanej postaci.",
        "again": "Strona była długo otwarta. Prosimy sprawdzić odpowiedzi i wysłać je ponownie.",
        "mend": "Prosimy sprawdzić zaznaczone odpowiedzi.",
        "often": "To było bardzo często. Prosimy spróbować za kilka minut.",
        "optional": "opcjonalnie",
        "choose": "Prosimy wybrać",
        "close": "Zamknij",
    },
    "de": {
        "submit": "Absenden",
        "thanks": "Vielen Dank.",
        "confirm": "Falls eine Bestätigung nötig ist, haben wir sie verschickt: Bitte folgen Sie dem Link darin.",
        "required": "Bitte füllen Sie dieses Feld aus.",
        "agree": "Bitte kreuzen Sie dieses Feld an.",
        "email": "Das ist keine E-Mail-Adresse.",
        "phone": "Das ist keine Telefonnummer. Bitte mit Landesvorwahl: +49 30 123456.",
        "number": "Das ist keine Zahl.",
        "date": "Das ist kein Datum. Bitte so schreiben: 1990-12-31.",
        "choice": "Bitte wählen Sie eine der Antworten.",
        "text": "Bitte schreiben Sie das anders.",
        "long": "Das ist zu lang.",
        "pattern": "Das hat nicht die erwartete Form.",
        "again": "Die Seite war lange geöffnet. Bitte prüfen Sie Ihre Angaben und senden Sie sie noch einmal.",
        "mend": "Bitte prüfen Sie die markierten Angaben.",
        "often": "Das war sehr oft. Bitte versuchen Sie es in einigen Minuten noch einmal.",
        "optional": "freiwillig",
        "choose": "Bitte wählen",
        "close": "Schließen",
    },
}


def words_for(locale: str) -> Mapping[str, str]:
    """The words of a locale's language; English where it is none of ours."""
    return WORDS.get(locale.replace("_", "-").split("-")[0].casefold(), WORDS["en"])


def best(accepted: str, offered: tuple[str, ...]) -> str:
    """Of the locales a form has, the first its own, the one an Accept-Language header likes most."""
    liked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, quality = part.strip().partition(";q=")
        try:
            liked.append((-float(quality or 1), place, name.strip().casefold()))
        except ValueError:
            continue
    for _, _, name in sorted(liked):
        for locale in offered:
            if locale.casefold() == name or locale.casefold().split("-")[0] == name.split("-")[0]:
                return locale
    return offered[0]
