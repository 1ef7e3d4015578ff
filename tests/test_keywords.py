"""What recipients' own words mean: a no in several languages, and what only looks like one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli.providers.keywords import KEYWORDS, confirmation, keyword, languages, refusing

REFUSING = [
    ("en", "please stop texting me"),
    ("en", "Stop sending me these messages!!"),
    ("en", "STOP."),
    ("en", "stop please"),
    ("en", "Unsubscribe me from this list"),
    ("en", "Hi. Take me off your list, thanks"),
    ("en", "Remove me"),
    ("en", "don't text me again"),
    ("en", "Don’t ever message me"),
    ("en", "do not contact me any more"),
    ("en", "I do not want to receive any more texts"),
    ("en", "no more texts"),
    ("en", "I'd like to opt out"),
    ("en", "I revoke my consent"),
    ("en", "leave me alone"),
    ("en", "why do you never stop texting me"),
    ("en", "Don't stop? No: stop texting me."),
    ("en", "wrong number"),
    ("pl", "nie pisz do mnie"),
    ("pl", "Proszę nie wysyłać mi SMS-ów"),
    ("pl", "prosze mnie wypisac"),
    ("pl", "WYPISZ"),
    ("pl", "Proszę usunąć mój numer z bazy"),
    ("pl", "Przestańcie do mnie pisać"),
    ("pl", "Nie chcę więcej wiadomości"),
    ("pl", "cofam zgodę na marketing"),
    ("pl", "Rezygnuję z subskrypcji"),
    ("pl", "dajcie mi spokój"),
    ("de", "bitte keine SMS mehr"),
    ("de", "Keine Werbung mehr!"),
    ("de", "Hören Sie bitte auf"),
    ("de", "hoert endlich damit auf"),
    ("de", "Ich möchte mich abmelden"),
    ("de", "ABMELDEN"),
    ("de", "Schreibt mir nicht mehr"),
    ("de", "Löschen Sie meine Nummer"),
    ("de", "Ich widerrufe meine Einwilligung"),
    ("de", "Lasst mich in Ruhe"),
    ("fr", "Ne m'écrivez plus"),
    ("fr", "arrêtez de m'envoyer des SMS"),
    ("fr", "n’envoyez plus de messages s’il vous plaît"),
    ("fr", "Je veux me désabonner"),
    ("fr", "Plus de SMS merci"),
    ("fr", "Retirez-moi de votre liste"),
    ("es", "no me escriban más"),
    ("es", "Dejen de mandarme mensajes"),
    ("es", "Quiero darme de baja"),
    ("es", "BAJA"),
    ("es", "No quiero recibir publicidad"),
    ("es", "no más mensajes"),
    ("it", "non scrivetemi più"),
    ("it", "Smettetela di mandarmi messaggi"),
    ("it", "Basta SMS"),
    ("it", "Cancellatemi dalla lista"),
    ("it", "non voglio più ricevere messaggi"),
    ("pt", "Não me enviem mais mensagens"),
    ("pt", "Parem de me mandar mensagens, por favor"),
    ("pt", "não quero receber mensagens"),
    ("pt", "SAIR"),
    ("pt", "remova-me da lista"),
    ("nl", "geen berichten meer alstublieft"),
    ("nl", "Hou op met berichten sturen"),
    ("nl", "Stuur mij niets meer"),
    ("nl", "AFMELDEN"),
    ("nl", "haal mij van de lijst"),
]

NOT_REFUSING = [
    "don't stop texting me",
    "Please do not unsubscribe me!",
    "I did not opt out",
    "never stop sending these, love them",
    "I don't want to unsubscribe",
    "The bus stop is closed",
    "Cancel my order of Monday",
    "When does the sale end?",
    "Got no more messages since Monday, is something wrong?",
    "Can you call me?",
    "yes please",
    "Thanks!",
    "nie przestawajcie pisać",
    "Nie chcę się wypisać",
    "Nie mogę przyjść jutro",
    "nie mogę teraz pisać",
    "Nie wiem, pisz jutro",
    "kiedy koniec promocji?",
    "Ich habe keine SMS bekommen",
    "Bitte nicht aufhören",
    "Hört bitte nicht damit auf",
    "Ich möchte mich nicht abmelden",
    "n'arrêtez pas de m'envoyer des SMS",
    "Je n'ai plus de messages, pourquoi ?",
    "ne me désabonnez pas",
    "No dejen de escribirme",
    "No quiero darme de baja",
    "no me enviaron el pedido",
    "Non smettete di scrivermi",
    "Não parem de mandar mensagens",
    "niet stoppen met berichten sturen",
    "Ik heb geen berichten meer ontvangen",
    "",
    "👍",
]


@pytest.mark.parametrize(("language", "text"), REFUSING, ids=[text for _, text in REFUSING])
def test_r22_a_no_in_ones_own_words_is_a_no(language: str, text: str) -> None:
    assert refusing(text) is not None
    if text.isupper():
        return  # one word may be that of several languages
    assert refusing(text) == language


@pytest.mark.parametrize("text", NOT_REFUSING)
def test_r22_what_only_looks_like_a_no_is_none(text: str) -> None:
    assert refusing(text) is None


@pytest.mark.parametrize(("text", "meaning"), KEYWORDS.items())
def test_r24_twilios_keywords_are_known_trimmed_and_in_any_case(text: str, meaning: str) -> None:
    assert keyword(f"  {text.lower()}\n") == keyword(text.capitalize()) == meaning


@pytest.mark.parametrize("text", ["stop it", "yes, Monday", "START now", "help me", "", "ST OP"])
def test_r24_a_keyword_is_the_whole_message(text: str) -> None:
    assert keyword(text) == "other"


def test_every_language_confirms_in_one_text_message_and_says_the_way_back() -> None:
    for language in languages():
        assert "START" in confirmation(language, "Shop")
        assert len(confirmation(language, "Shop")) <= 160


@given(st.text(max_size=3000))
def test_any_text_is_read(text: str) -> None:
    assert refusing(text) in (None, *languages())


def test_a_hostile_text_is_read_quickly() -> None:
    started = time.perf_counter()
    for word in ("stop ", "nie ", "no me ", "ne ", "non ", "don t ", "a "):
        refusing(word * 800)
    assert time.perf_counter() - started < 2
