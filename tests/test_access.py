"""Who may see and change what: every command, in the hands of somebody whose role was granted nothing."""

import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.core import TyperGroup

from macli import events
from macli.cli import COMMANDS, load, run
from macli.clock import to_ms
from macli.context import Macli
from macli.model import NewEvent
from macli.store import access, event_log, open_store
from tests.conftest import NOW, Run

KINDS = ("camp", "draft", "auto", "held", "list", "rule", "spare", "mail", "form", "page", "banner", "box", "folder")
"""What stands in a category: Hiddencamp, Hiddendraft, …, and Lookcamp, … where the role may look."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Command lines of one command. {camp}, {list}, … are of one category, {box} its name, {message} a
    number in the ledger, {folder} a campaign's folder.

    ``sees`` needs to view what it names, ``uses`` the same and writes something of its own, ``changes`` needs
    to edit, ``lists`` names nothing and leaves out what is hidden.
    """

    sees: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


IN = "'in segment {list}'"
PERSON = "c0@example.com"

TOUCHED: dict[str, Lines] = {
    "contact list": Lines(sees=(f"--where {IN}", "--where 'received campaign {camp}'"), lists=("", "--json")),
    "contact show": Lines(lists=(PERSON, f"{PERSON} --json")),
    "contact tag": Lines(uses=(f"--where {IN} VIP",)),
    "contact untag": Lines(uses=(f"--where {IN} OLD",)),
    "contact convert": Lines(uses=(f"--where {IN} --yes",)),
    "contact rm": Lines(uses=(f"--where {IN} --yes",)),
    "contact purge": Lines(uses=(f"--where {IN} --yes",)),
    "contact opt-out": Lines(uses=(f"--where {IN} --yes",)),
    "contact export": Lines(sees=(f"--where {IN}",)),
    "consent grant": Lines(uses=(f"--where {IN} --yes",)),
    "consent withdraw": Lines(uses=(f"--where {IN} --yes",)),
    "consent ask": Lines(uses=(f"--where {IN} --yes",)),
    "segment create": Lines(
        uses=(f"new --rule {IN}", "{list} --static"),
        changes=("new --rule 'has email' --category {box}", "new --static --category {box}"),
    ),
    "segment preview": Lines(sees=("{rule}", "{list}", f"--rule {IN}")),
    "segment explain": Lines(sees=("{rule}", IN)),
    "segment list": Lines(sees=("--category {box}",), lists=("", "--json")),
    "segment show": Lines(sees=("{rule}", "{list}")),
    "segment edit": Lines(
        uses=(f"Ownrule --rule {IN}",),
        changes=(
            "{rule} --rule 'has phone'",
            "{rule} --category Open",
            "Ownrule --category {box}",
            "{rule} --no-track",
        ),
    ),
    "segment rename": Lines(uses=("Ownrule {rule}",), changes=("{spare} other",)),
    "segment rm": Lines(changes=("{spare}",)),
    "segment refresh": Lines(changes=("{rule}",)),
    "segment members": Lines(sees=("{list}", "{rule}")),
    "segment add": Lines(changes=("{list} c9@example.com",)),
    "segment remove": Lines(changes=("{list} c0@example.com",)),
    "category create": Lines(uses=("{box}",)),
    "category list": Lines(lists=("", "--json")),
    "category show": Lines(sees=("{box}",), lists=("Open",)),
    "category edit": Lines(uses=("Open --rename {box}",), changes=("{box} --color red",)),
    "category rm": Lines(changes=("{box} --reassign Open", "Open --reassign {box}")),
    "category grant": Lines(changes=("{box} sales edit", "Open sales view")),
    "category revoke": Lines(changes=("{box} marketing",)),
    "category access": Lines(sees=("{box}",), lists=("", "--json")),
    "url-rule add": Lines(changes=("new --path /x --segment {list}",)),
    "url-rule edit": Lines(changes=("tags --segment {list}", "{list} --path /else", "{list} --tag OTHER")),
    "url-rule rm": Lines(changes=("{list}",)),
    "url-rule list": Lines(lists=("",)),
    "url-rule test": Lines(lists=("https://shop.example/hidden",)),
    "owner set": Lines(uses=(f"--where {IN} anna --yes",)),
    "owner add": Lines(uses=(f"--where {IN} anna --yes",)),
    "owner remove": Lines(uses=(f"--where {IN} anna --yes",)),
    "owner assign": Lines(uses=(f"--where {IN} --yes",)),
    "owner rule add": Lines(uses=(f"new --to anna --where {IN}",)),
    "owner rule edit": Lines(uses=(f"all --where {IN}",)),
    "points show": Lines(lists=(PERSON, f"{PERSON} --json")),
    "points give": Lines(uses=(f"--where {IN} 5 --yes",)),
    "points set": Lines(uses=(f"--where {IN} 5 --yes",)),
    "points list": Lines(sees=(f"--where {IN}",)),
    "points rule add": Lines(uses=(f"new --event email.opened --points 5 --for {IN}",)),
    "points rule edit": Lines(uses=(f"hello --for {IN}",)),
    "prediction list": Lines(sees=(f"--where {IN}",)),
    "stage set": Lines(uses=(f"hot --where {IN} --yes", "hot --segment {list} --yes")),
    "funnel move": Lines(uses=(f"Sales won --where {IN} --yes", "Sales won --segment {list} --yes")),
    "funnel remove": Lines(uses=(f"Sales --where {IN} --yes", "Sales --segment {list} --yes")),
    "note list": Lines(sees=(f"--where {IN}",)),
    "task list": Lines(sees=(f"--where {IN}",)),
    "deal list": Lines(sees=(f"--where {IN}",)),
    "call list": Lines(sees=(f"--where {IN}",)),
    "inbox list": Lines(sees=(f"--where {IN}",)),
    "template create": Lines(uses=("{mail} --sms hi",), changes=("new --sms hi --category {box}",)),
    "template list": Lines(sees=("--category {box}",), lists=("", "--json")),
    "template show": Lines(sees=("{mail}",)),
    "template edit": Lines(changes=("{mail} --subject x", "Ownmail --category {box}", "{mail} --category Open")),
    "template preview": Lines(sees=("{mail}",)),
    "template versions": Lines(sees=("{mail}",)),
    "template rollback": Lines(changes=("{mail} 1",)),
    "template attach": Lines(changes=("{mail} file.txt",)),
    "template detach": Lines(changes=("{mail} file.txt",)),
    "template lint": Lines(sees=("{mail}",)),
    "template rm": Lines(changes=("{spare} --yes",)),
    "campaign create": Lines(
        uses=(
            "new --segment {list} --template Ownmail",
            "new --rule 'has email' --template {mail}",
            "{draft} --segment Ownlist --sms hi",
        ),
        changes=("new --rule 'has email' --template Ownmail --category {box}",),
    ),
    "campaign set": Lines(
        uses=("Owndraft --rename {camp}",),
        changes=("{draft} --from-name x", "Owndraft --category {box}"),
    ),
    "campaign edit": Lines(changes=("{draft} --from-name x",)),
    "campaign list": Lines(sees=("--category {box}",), lists=("", "--json")),
    "campaign show": Lines(sees=("{camp}", "{draft}")),
    "campaign versions": Lines(sees=("{camp}",)),
    "campaign recipients": Lines(sees=("{camp}",)),
    "campaign rm": Lines(changes=("{draft} --yes",)),
    "campaign preview": Lines(sees=(f"{{camp}} --contact {PERSON}",)),
    "campaign test": Lines(uses=("{draft} --to me@example.com",)),
    "campaign send": Lines(changes=("{draft} --yes",)),
    "campaign schedule": Lines(changes=("{draft} --at '2099-01-01 09:00'",)),
    "campaign activate": Lines(changes=("{draft}",)),
    "campaign pause": Lines(changes=("{auto}",)),
    "campaign resume": Lines(changes=("{held}",)),
    "campaign cancel": Lines(changes=("{auto} --yes",)),
    "campaign retry": Lines(changes=("{camp} --yes",)),
    "form create": Lines(uses=("{form} --field email!",), changes=("new --field email! --category {box}",)),
    "form list": Lines(sees=("--category {box}",), lists=("", "--json")),
    "form show": Lines(sees=("{form}",)),
    "form edit": Lines(changes=("{form} --category Open", "Ownform --category {box}")),
    "form preview": Lines(sees=("{form}",)),
    "form embed": Lines(sees=("{form}",)),
    "form versions": Lines(sees=("{form}",)),
    "form rollback": Lines(changes=("{form} 1",)),
    "form rm": Lines(changes=("{form} --yes",)),
    "page create": Lines(uses=("{page} --markdown page.md",), changes=("new --markdown page.md --category {box}",)),
    "page list": Lines(sees=("--category {box}",), lists=("", "--json")),
    "page show": Lines(sees=("{page}",)),
    "page edit": Lines(changes=("{page} --category Open", "{page} --markdown page.md")),
    "page preview": Lines(sees=("{page}",)),
    "page versions": Lines(sees=("{page}",)),
    "page rollback": Lines(changes=("{page} 1",)),
    "page rm": Lines(changes=("{page} --yes",)),
    "banner add": Lines(
        uses=("new --url https://shop.example --text x --campaign {camp}", "{banner} --url https://a.example --text x"),
        changes=("new --url https://shop.example --text x --category {box}",),
    ),
    "banner list": Lines(sees=("--category {box}",), lists=("", "--json")),
    "banner show": Lines(sees=("{banner}",)),
    "banner edit": Lines(changes=("{banner} --text y", "Ownbanner --category {box}")),
    "banner embed": Lines(sees=("{banner}",)),
    "banner rm": Lines(changes=("{banner} --yes",)),
    "apply": Lines(changes=("{folder}",)),
    "diff": Lines(sees=("{folder}",)),
    "export campaign": Lines(sees=("{camp} --output out",)),
    "message list": Lines(sees=("--campaign {camp}",), lists=("", "--json", f"--contact {PERSON}")),
    "message show": Lines(sees=("{message}",)),
    "message resolve": Lines(changes=("--campaign {camp} --as failed", "{message} --as failed")),
    "event list": Lines(lists=("", "--json", "--name 'segment.*'", f"--contact {PERSON}")),
    "report campaign": Lines(sees=("{camp}",)),
    "store info": Lines(lists=("",)),
    "doctor": Lines(lists=("",)),
    "points lint": Lines(lists=("",)),
    "staff add": Lines(changes=("new --role admin",)),
    "staff edit": Lines(changes=("anna --role marketing",)),
    "staff rm": Lines(changes=("eve",)),
}

NEEDS_EVERYTHING = {
    "contact erase": f"{PERSON} --yes",
    "contact export": f"{PERSON} --output out.json",
    "store backup": "copy.db",
}
"""What is refused to who may not see all there is, whatever it names."""

THE_OPERATOR_S = {"tick", "run", "serve", "init", "demo"}
"""What macli itself does, whoever starts it."""

APART = """
settings set, settings get, settings list, settings unset, doctor domain, help
contact import, contact add, contact edit, contact restore, contact opt-in
attribute create, attribute list, attribute show, attribute edit, attribute index, attribute rm
consent show, consent log, topic create, topic list, topic edit, topic rm
suppression list, suppression add, suppression rm, suppression check, privacy retention, privacy forget-erased
staff list, staff show, staff groups, owner list, owner show, owner rule list, owner rule move, owner rule rm
tracker snippet, tracker key, url-rule backfill
points preset, points bands, points rule list, points rule show, points rule rm
points rule on, points rule off, points replay
points check, points recompute, points scopes, points watch add, points watch list, points watch rm
stage list, stage show, stage add, stage edit, stage move, stage rm, stage settle, stage history, stage report
funnel create, funnel list, funnel show, funnel edit, funnel rm, funnel contacts, funnel history, funnel report
rfm create, rfm list, rfm show, rfm contacts, rfm quintiles, rfm edit, rfm recompute, rfm rm
prediction fit, prediction import, prediction show, prediction models, prediction clear
note add, note show, note edit, note rm
task add, task show, task edit, task done, task cancel, task reopen, task rm
deal add, deal show, deal edit, deal move, deal win, deal lose, deal reopen, deal report, deal rm
call log, call add, call show, call edit, call rm, inbox show, inbox rm
provider list, provider show, provider edit, provider rm, provider test, provider limit, provider unblock
provider dns-check, provider add outbox, provider add smtp, provider add smtp2go, provider add twilio
provider add webhook, provider add webpush, provider route add, provider route list, provider route rm
mail list, mail test, mail read, mail ingest, mail rm, mail add imap, mail add maildir
channel set, channel add, channel list, channel show, channel rm, channel test, device list, device rm
asset add, asset list, asset url, asset rm, hook list, hook url, hook secret
event add, event import, event reclassify, store check, store vacuum, store adopt
"""
"""Commands that neither name nor list what is sorted by category."""


def every_command() -> Iterator[str]:
    def walk(command: object, words: tuple[str, ...]) -> Iterator[str]:
        if not isinstance(command, TyperGroup):
            yield " ".join(words)
            return
        if command.invoke_without_command:
            yield " ".join(words)
        for name, inner in command.commands.items():
            yield from walk(inner, (*words, name))

    for section in COMMANDS.values():
        for name in section:
            yield from walk(load(name), (name,))


def test_each_command_is_known_to_these_tests() -> None:
    """A new command stands in TOUCHED with lines to try where it names or lists what is in a category."""
    apart = {name.strip() for name in re.split(r"[,\n]", APART) if name.strip()}
    known = apart | TOUCHED.keys() | NEEDS_EVERYTHING.keys() | THE_OPERATOR_S
    assert not apart & TOUCHED.keys()
    assert set(every_command()) - known == set()
    assert known - set(every_command()) == set()


def test_what_takes_a_rule_or_a_category_is_not_apart() -> None:
    apart = {name.strip() for name in re.split(r"[,\n]", APART) if name.strip()}
    for section in COMMANDS.values():
        for first in section:
            for words, command in _leaves(load(first), (first,)):
                options = {word for param in command.params for word in param.opts}
                if " ".join(words) in apart:
                    assert not options & {"--where", "--segment", "--category", "--campaign", "--template"}, words


def _leaves(command, words: tuple[str, ...]) -> Iterator[tuple]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*words, name))
    else:
        yield words, command


# The company they are tried in


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three categories: nobody but marketing sees what is in Hiddenbox, sales may look into Lookbox, Open is open."""
    place = tmp_path_factory.mktemp("company") / "shop"

    def do(line: str) -> None:
        assert run(["--workspace", str(place), "--quiet", *shlex.split(line)]) == 0, line

    assert run(["init", str(place), "--quiet"]) == 0
    (place / "file.txt").write_text("a file")
    (place / "page.md").write_text("# A page")
    do("staff add anna --role sales")
    do("staff add mark --role marketing")
    do("staff add boss --role admin")
    do("staff add eve")
    do("settings set postal_address '1 Main St, Ottawa'")
    do("settings set sender.email news@shop.example")
    do("settings set public_url https://news.example.com")
    do("settings set unsubscribe.require_https false")
    do("category create Open")
    for number in range(2):
        do(f"contact add c{number}@example.com --tag OLD")
    do("contact add c9@example.com")
    do("owner rule add all --to anna")
    do("points rule add hello --event email.opened --points 1")
    do("stage add hot --threshold 1000")
    do("funnel create Sales --stages new,won")
    for word in ("Hidden", "Look", "Own"):
        _furnish(do, place, word)
        _happen(place, word)
    do("url-rule add tags --path /tagged --tag SEEN")
    do("category grant Hiddenbox marketing edit")
    do("category grant Lookbox marketing edit")
    do("category grant Lookbox sales view")
    return place


def _furnish(do, place: Path, word: str) -> None:
    box = "Open" if word == "Own" else f"{word}box"
    if word != "Own":
        do(f"category create {box}")
    do(f"segment create {word}list --static --category {box}")
    do(f"segment add {word}list c0@example.com c1@example.com")
    do(f"url-rule add {word.lower()}list --path /{word.lower()} --segment {word}list")
    do(f"segment create {word}rule --rule 'tagged OLD' --category {box} --track")
    do(f"segment create {word}spare --rule 'has email' --category {box}")
    for name in (f"{word}mail", f"{word}spare"):
        html = place / f"{name}.html"
        html.write_text("<p>Hi {{ email }}</p>")
        do(f"template create {name} --subject Hello --html {html} --category {box}")
    do(f"template attach {word}mail {place}/file.txt")
    do(f"form create {word}form --field email! --category {box}")
    do(f"page create {word}page --markdown {place}/page.md --category {box}")
    do(f"campaign create {word}camp --segment {word}list --template {word}mail --category {box}")
    do(f"campaign send {word}camp --yes")
    do(f"campaign create {word}draft --segment {word}list --template {word}mail --category {box}")
    do(f"campaign create {word}auto --when 'tagged NEVER' --template {word}mail --category {box}")
    do(f"campaign activate {word}auto")
    do(f"campaign create {word}held --when 'tagged NEVER' --template {word}mail --category {box}")
    do(f"campaign activate {word}held")
    do(f"campaign pause {word}held")
    do(f"banner add {word}banner --url https://shop.example --text x --campaign {word}camp --category {box}")
    do(f"export campaign {word}draft --output {place}/{word}folder")
    file = place / f"{word}folder" / "campaign.yaml"
    file.write_text(f"description: another\n{file.read_text()}")
    with closing(sqlite3.connect(place / "macli.db")) as store, store:
        store.execute("UPDATE sends SET state = 'unknown' WHERE id = (SELECT max(id) FROM sends)")


def _happen(place: Path, word: str) -> None:
    """Things happen to a contact that have to do with what is in the category."""
    with open_store(place / "macli.db") as store:
        send = store.row("SELECT id, campaign_id FROM sends ORDER BY id DESC LIMIT 1")
        contact = store.value("SELECT id FROM contacts WHERE email = ?", (PERSON,))
        assert send is not None
        opened = {"name": "email.opened", "send_id": send["id"], "campaign_id": send["campaign_id"]}
        others = [
            {"name": "segment.entered", "properties": {"segment": f"{word}rule"}},
            {"name": "form.submitted", "properties": {"form": f"{word}form"}},
            {"name": "banner.clicked", "properties": {"banner": f"{word}banner", "slug": f"{word}banner".lower()}},
        ]
        told = [NewEvent(contact_id=contact, at=to_ms(NOW), source="test", **each) for each in (opened, *others)]
        events.record(store, NOW, told)


def filled(company: Path, line: str, word: str) -> list[str]:
    with closing(sqlite3.connect(company / "macli.db")) as store:
        [message] = store.execute(
            "SELECT max(sends.id) FROM sends JOIN campaigns ON campaigns.id = campaign_id WHERE name = ?",
            (f"{word}camp",),
        ).fetchone()
    words = {kind: f"{word}{kind}" for kind in KINDS}
    return shlex.split(line.format(**words, message=message))


def everything(company: Path) -> str:
    """All that is in the store."""
    with closing(sqlite3.connect(company / "macli.db")) as store:
        return "\n".join(store.iterdump())


def of(kind: str) -> list[tuple[str, str]]:
    return [(command, line) for command, lines in TOUCHED.items() for line in getattr(lines, kind)]


@pytest.fixture
def anna(company: Path, macli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(company)
    monkeypatch.setenv("MACLI_USER", "anna")
    return macli


NAMES = re.compile(r"Hidden\w+")


@pytest.mark.parametrize(("command", "line"), of("sees") + of("uses") + of("changes"))
def test_p10_a_role_without_a_grant_is_refused_what_is_hidden(
    company: Path, anna: Run, command: str, line: str
) -> None:
    args = filled(company, line, "Hidden")
    before = everything(company)
    ran = anna(*command.split(), *args)
    assert ran.code == 3, ran
    named = " ".join(args).replace("Hiddenfolder", "Hiddenfolder Hiddendraft")  # which is what its file names
    assert set(NAMES.findall(ran.out + ran.err)) <= set(NAMES.findall(named)), "another name leaks"
    assert everything(company) == before


@pytest.mark.parametrize(("command", "line"), of("changes"))
def test_p10_a_role_that_may_look_may_not_change(company: Path, anna: Run, command: str, line: str) -> None:
    before = everything(company)
    ran = anna(*command.split(), *filled(company, line, "Look"))
    assert ran.code == 3, ran
    assert everything(company) == before


@pytest.mark.parametrize(("command", "line"), of("sees"))
def test_p10_a_role_that_may_look_sees(company: Path, anna: Run, command: str, line: str) -> None:
    ran = anna(*command.split(), *filled(company, line, "Look"))
    assert ran.code == (1 if command == "diff" else 0), ran  # diff has found a difference


@pytest.mark.parametrize(("command", "line"), of("lists"))
def test_p10_lists_leave_out_what_is_hidden(company: Path, anna: Run, command: str, line: str) -> None:
    args = (*command.split(), *shlex.split(line))
    ran = anna(*args)
    assert ran.code in (0, 1), ran  # doctor says what is wrong
    assert not NAMES.search(ran.out + ran.err), ran


@pytest.mark.parametrize(("command", "line"), NEEDS_EVERYTHING.items())
def test_p10_what_needs_everything_is_refused(company: Path, anna: Run, command: str, line: str) -> None:
    before = everything(company)
    ran = anna(*command.split(), *shlex.split(line))
    assert ran.code == 3, ran
    assert not NAMES.search(ran.out + ran.err)
    assert everything(company) == before


# Who is not restricted, and how


def as_(macli: Run, company: Path, who: str, line: str):
    return macli("--workspace", str(company), "--as", who, *shlex.split(line))


def test_p10_an_admin_and_the_operator_may_do_everything(company: Path, macli: Run) -> None:
    for who in ("boss", ""):
        assert as_(macli, company, who, "segment edit Hiddenspare --rule 'has phone'").code == 0
        assert "Hiddencamp" in as_(macli, company, who, "campaign list").out
        assert as_(macli, company, who, "staff edit eve --full-name 'Eve Adams'").code == 0
        assert as_(macli, company, who, "segment edit Hiddenspare --rule 'has email'").code == 0


def test_p10_a_role_that_was_granted_edit_may_edit_there(company: Path, macli: Run) -> None:
    assert as_(macli, company, "mark", "segment edit Hiddenspare --rule 'has phone'").code == 0
    assert as_(macli, company, "mark", "segment edit Hiddenspare --rule 'has email' --category Lookbox").code == 0
    assert as_(macli, company, "mark", "segment edit Hiddenspare --category Hiddenbox").code == 0
    assert as_(macli, company, "mark", "category grant Hiddenbox sales view").code == 3


def test_p10_as_goes_before_macli_user(company: Path, macli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACLI_USER", "anna")
    assert as_(macli, company, "mark", "segment show Hiddenlist").code == 0
    assert macli("--workspace", str(company), "segment", "show", "Hiddenlist").code == 3
    assert macli("--workspace", str(company), "segment", "show", "Hiddenlist", "--as", "mark").code == 0


def test_p10_a_name_nobody_has_lets_nobody_in(company: Path, macli: Run) -> None:
    ran = as_(macli, company, "ana", "segment list")
    assert ran.code == 2
    assert "did you mean 'anna'" in ran.err


def test_p10_who_has_left_may_nothing(company: Path, macli: Run) -> None:
    as_(macli, company, "boss", "staff edit eve --off")
    assert as_(macli, company, "eve", "segment list").code == 3
    as_(macli, company, "boss", "staff edit eve --on")
    assert as_(macli, company, "eve", "segment list").code == 0


def test_p10_the_best_of_the_roles_counts(company: Path, macli: Run) -> None:
    as_(macli, company, "", "staff add two --role sales --role marketing")
    assert as_(macli, company, "two", "segment edit Lookspare --rule 'has phone'").code == 0
    assert as_(macli, company, "two", "segment edit Lookspare --rule 'has email'").code == 0
    as_(macli, company, "", "staff rm two")


def test_p10_none_is_none_and_a_category_without_grants_is_open(company: Path, macli: Run) -> None:
    as_(macli, company, "", "category create Spare")
    as_(macli, company, "", "segment create inspare --rule 'has email' --category Spare")
    assert as_(macli, company, "anna", "segment edit inspare --rule 'has phone'").code == 0
    as_(macli, company, "", "category grant Spare sales none")
    assert as_(macli, company, "anna", "segment show inspare").code == 3
    assert as_(macli, company, "mark", "segment show inspare").code == 3
    as_(macli, company, "", "category revoke Spare sales")
    assert as_(macli, company, "mark", "segment show inspare").code == 0
    as_(macli, company, "", "segment rm inspare")


def test_p10_the_refusal_says_what_a_role_would_need(company: Path, macli: Run) -> None:
    ran = as_(macli, company, "anna", "segment show Hiddenlist")
    assert "anna (sales) may not see the segment 'Hiddenlist'" in ran.err
    assert "macli category grant CATEGORY sales view" in ran.err
    ran = as_(macli, company, "anna", "segment edit Lookspare --rule 'has phone'")
    assert "anna (sales) may not change what is in the category 'Lookbox'" in ran.err
    assert "macli category grant 'Lookbox' sales edit" in ran.err


def test_p10_a_near_miss_is_not_told_of_a_hidden_name(company: Path, macli: Run) -> None:
    assert "Lookcamp" in as_(macli, company, "anna", "campaign show Lookcmp").err
    assert "Hiddencamp" not in as_(macli, company, "anna", "campaign show Hiddencmp").err
    assert "Hiddenlist" not in as_(macli, company, "anna", "contact list --where 'in segment Hiddenlst'").err


@pytest.mark.parametrize("line", ["tick", "tick --as anna"])
def test_p10_a_tick_does_the_operator_s_work_whoever_starts_it(
    company: Path, macli: Run, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("MACLI_USER", "nobody at all")
    assert macli("--workspace", str(company), *line.split()).code == 0


def test_p10_what_is_used_by_something_hidden_says_no_more(company: Path, macli: Run) -> None:
    as_(macli, company, "", "segment create Wanted --static")
    as_(macli, company, "", "campaign create Hiddenuser --segment Wanted --template Ownmail --category Hiddenbox")
    ran = as_(macli, company, "anna", "segment rm Wanted")
    assert ran.code == 1
    assert "(hidden)" in ran.err
    assert "Hiddenuser" not in ran.err + as_(macli, company, "anna", "segment show Wanted").out
    as_(macli, company, "", "campaign rm Hiddenuser --yes")
    as_(macli, company, "", "segment rm Wanted")


def test_p10_a_segment_one_may_see_shows_its_members_whatever_it_is_built_on(company: Path, macli: Run) -> None:
    as_(macli, company, "", "segment create Built --rule 'in segment Hiddenlist'")
    for line in ("segment members Built --json", "segment show Built --json"):
        assert as_(macli, company, "anna", line).out == as_(macli, company, "", line).out != "[]\n"
    as_(macli, company, "", "segment rm Built")


def test_p10_what_one_may_see_one_may_build_on_whatever_that_is_built_on(company: Path, macli: Run) -> None:
    as_(macli, company, "", "segment create Built --rule 'in segment Hiddenrule and has email'")
    for line in ("contact list --where 'in segment Built' --json", "segment preview --rule 'in segment Built' --json"):
        assert as_(macli, company, "anna", line).code == 0
    assert as_(macli, company, "anna", "segment create Onit --rule 'in segment Built'").code == 0
    assert (
        as_(macli, company, "anna", "segment members Onit").out == as_(macli, company, "", "segment members Onit").out
    )
    for line in ("segment rm Onit", "segment rm Built"):
        assert as_(macli, company, "", line).code == 0


def test_p10_what_a_hidden_campaign_did_is_told_without_its_words(company: Path, macli: Run) -> None:
    folder = company / "works"
    folder.mkdir()
    steps = (
        "[{points: 3}, {funnel: {name: Sales, stage: new}}, {note: told}, {task: call}, {tag: SEEN}, {opt_out: sms}]"
    )
    named = "".join(f"{{id: hiddenstep{number}, {step}}}, " for number, step in enumerate(steps[2:-2].split("}, {")))
    (folder / "campaign.yaml").write_text(
        f"name: Hiddenworks\ncategory: Hiddenbox\nentry: {{event: order.shipped}}\nsteps: [{named}]\n"
    )
    for line in (f"apply {folder}", "campaign activate Hiddenworks", f"event add {PERSON} order.shipped", "tick"):
        assert as_(macli, company, "", line).code == 0
    lists = ("event list --json", f"funnel history {PERSON}", f"contact show {PERSON} --json", "consent log --json")
    with open_store(company / "macli.db") as store:
        note, task = (store.value(f"SELECT max(id) FROM {table}") for table in ("notes", "tasks"))
    for line in (*lists, f"note show {note}", f"task show {task}", f"consent show {PERSON} --json"):
        assert "hiddenstep" in as_(macli, company, "mark", line).out, line
        ran = as_(macli, company, "anna", line)
        assert ran.code == 0, ran
        assert "hiddenstep" not in ran.out
        assert "(hidden)" in ran.out
    assert as_(macli, company, "", "campaign cancel Hiddenworks --yes").code == 0


def test_p10_what_came_by_a_hidden_form_is_told_without_its_name(company: Path, macli: Run) -> None:
    with open_store(company / "macli.db") as store:
        contact = store.value("SELECT id FROM contacts WHERE email = 'c1@example.com'")
        for form in ("hiddenform", "lookform"):
            tagged = {"name": "tag.added", "properties": {"tag": form[:4].upper()}}
            events.record(store, NOW, [NewEvent(contact_id=contact, at=to_ms(NOW), source=f"form:{form}", **tagged)])
    for who, sources in (("", {"form:hiddenform", "form:lookform"}), ("anna", {"(hidden)", "form:lookform"})):
        told = json.loads(as_(macli, company, who, "event list --contact c1@example.com --name tag.added --json").out)
        assert {row["source"] for row in told if row["properties"]["tag"] in ("HIDD", "LOOK")} == sources


def test_p10_what_is_hidden_is_known_whenever_it_is_first_asked(company: Path) -> None:
    with open_store(company / "macli.db") as store:
        annas = access.limited(store, access.acting(store, "anna"))
        with annas.whole():
            list(event_log.listed(annas))
        told = [f"{row['name']} {row['source']} {row['properties']}" for row in event_log.listed(annas)]
    assert any("Lookrule" in line for line in told)
    assert not any(NAMES.search(line) for line in told)


def test_p10_what_one_may_see_is_shown_whole_and_not_started(company: Path, macli: Run) -> None:
    as_(macli, company, "", "campaign create Mixmail --segment Ownlist --template Hiddenmail --category Open")
    as_(macli, company, "", "campaign create Mixlist --segment Hiddenlist --template Ownmail --category Open")
    for name, part in (("Mixmail", "template 'Hiddenmail'"), ("Mixlist", "segment 'Hiddenlist'")):
        ran = as_(macli, company, "anna", f"campaign show {name} --json")
        assert ran.code == 0, ran
        assert f"may not see the {part}" in ran.out
        assert as_(macli, company, "anna", f"campaign send {name} --yes").code == 3
    assert '"segments": [' in ran.out
    preview = as_(macli, company, "anna", f"campaign preview Mixlist --contact {PERSON}")
    assert preview.code == 0, preview
    assert as_(macli, company, "anna", f"campaign preview Mixmail --contact {PERSON}").code == 3
    for name in ("Mixmail", "Mixlist"):
        assert as_(macli, company, "", f"campaign rm {name}").code == 0


def test_p10_the_names_hidden_segments_had_stay_hidden(company: Path, macli: Run) -> None:
    as_(macli, company, "", "segment create Hiddenold --static --category Hiddenbox")
    as_(macli, company, "", f"segment add Hiddenold {PERSON}")
    assert as_(macli, company, "", "segment rename Hiddenold Hiddennew").code == 0
    for line in ("", "segment rm Hiddennew"):
        assert not line or as_(macli, company, "", line).code == 0
        assert "Hiddenold" in as_(macli, company, "", "event list").out
        assert "Hidden" not in as_(macli, company, "anna", "event list").out


def test_p10_a_hidden_rule_is_not_told_by_what_is_built_on_it(company: Path, macli: Run) -> None:
    secret = 'email contains "@wanted.example"'
    assert as_(macli, company, "", f"segment edit Hiddenspare --rule '{secret}'").code == 0
    as_(macli, company, "", "segment create Built --rule 'in segment Hiddenspare'")
    for line in ("segment explain Built", "segment explain 'in segment Built'", "segment explain Built --json"):
        assert "wanted" in as_(macli, company, "", line).out
        ran = as_(macli, company, "anna", line)
        assert ran.code == 3, ran
        assert "wanted" not in ran.out + ran.err
    for levels in range(20):
        deep = "in segment Built"
        for level in range(levels):
            deep = f"(has phone {('or', 'and')[level % 2]} {deep})"
        ran = as_(macli, company, "anna", f"contact list --where '{deep}'")
        assert "wanted" not in ran.out + ran.err
    assert ran.code == 2, "too deep"
    as_(macli, company, "", "segment rm Built")
    as_(macli, company, "", "segment edit Hiddenspare --rule 'has email'")


def test_p10_a_circle_through_hidden_segments_does_not_name_them(company: Path, macli: Run) -> None:
    for line in (
        "segment create Start --rule 'has email'",
        "segment create Middle --rule 'in segment Start'",
        "segment create Hiddenfar --rule 'in segment Middle' --category Hiddenbox",
        "segment create Hiddennear --rule 'in segment Hiddenfar' --category Hiddenbox",
        "segment create Front --rule 'in segment Hiddennear'",
    ):
        assert as_(macli, company, "", line).code == 0, line
    assert "Hiddenfar" in as_(macli, company, "", "segment edit Start --rule 'in segment Front'").err
    ran = as_(macli, company, "anna", "segment edit Start --rule 'in segment Front'")
    assert ran.code == 2
    assert not NAMES.search(ran.out + ran.err), ran
    for name in ("Front", "Hiddennear", "Hiddenfar", "Middle", "Start"):
        assert as_(macli, company, "", f"segment rm {name}").code == 0


def test_p10_a_hidden_rule_is_not_told_where_it_holds_no_more(company: Path, macli: Run) -> None:
    for line in (
        "attribute create wanted --type text",
        "segment edit Hiddenspare --rule 'wanted = yes'",
        "segment create Built --rule 'in segment Hiddenspare'",
        "points rule add broken --event order.paid --points 7 --for 'in segment Hiddenspare'",
        "attribute rm wanted --yes",
    ):
        assert as_(macli, company, "", line).code == 0, line
    for line in ("points lint", "contact list --where 'in segment Built'", "segment members Built", "doctor"):
        ran = as_(macli, company, "", line)
        assert "wanted" in ran.out + ran.err or line == "doctor", line
        ran = as_(macli, company, "anna", line)
        assert "wanted" not in ran.out + ran.err, ran
    for line in ("points rule rm broken", "segment rm Built", "segment edit Hiddenspare --rule 'has email'"):
        assert as_(macli, company, "", line).code == 0, line


def test_p10_what_follows_from_an_event_follows_whoever_tells_it(company: Path, macli: Run) -> None:
    as_(macli, company, "", "contact add late@example.com")
    as_(macli, company, "", "segment add Hiddenlist late@example.com")
    as_(macli, company, "", "points rule add hid --event order.paid --points 7 --for 'in segment Hiddenlist'")
    as_(macli, company, "", "campaign create Hiddenlate --on order.paid --template Hiddenmail --delay '1 day'")
    as_(macli, company, "", "campaign activate Hiddenlate")
    assert as_(macli, company, "anna", "event add late@example.com order.paid").code == 0
    as_(macli, company, "", "tick")
    assert as_(macli, company, "anna", "points replay").code == 0
    assert '"points": 7' in as_(macli, company, "", "points show late@example.com --json").out
    with open_store(company / "macli.db") as store:
        waiting = "SELECT count(*) FROM enrollments JOIN contacts ON contacts.id = contact_id WHERE email LIKE 'late%'"
        assert store.value(waiting) == 1
    assert as_(macli, company, "anna", "contact purge late@example.com --yes").code == 0
    for line in ("campaign cancel Hiddenlate --yes", "campaign rm Hiddenlate --yes", "points rule rm hid"):
        assert as_(macli, company, "", line).code == 0


def test_p10_what_hidden_rules_go_by_changes_in_anybody_s_hands(company: Path, macli: Run) -> None:
    as_(macli, company, "", "tick")
    swept = "SELECT swept_all_at FROM segments WHERE name = 'Hiddenrule'"
    with open_store(company / "macli.db") as store:
        assert store.value(swept) > 0
    for line in ("settings set points.bands 'cold 0, warm 5, hot 10'", "settings unset points.bands"):
        ran = as_(macli, company, "anna", line)
        assert ran.code == 0, ran
    with open_store(company / "macli.db") as store:
        assert store.value(swept) == 0


def test_p10_who_is_kept_no_longer_leaves_what_is_hidden_too(company: Path, macli: Run) -> None:
    as_(macli, company, "", "contact add gone@example.com")
    as_(macli, company, "", "segment add Hiddenlist gone@example.com")
    assert as_(macli, company, "anna", "contact rm gone@example.com --yes").code == 0
    as_(macli, company, "", "settings set retention.removed '30 days'")
    later = datetime.now(UTC) + timedelta(days=31)
    ran = macli("--workspace", str(company), "--as", "anna", "privacy", "retention", at=later)
    assert ran.code == 0, ran
    with open_store(company / "macli.db") as store:
        assert store.value("SELECT count(*) FROM contacts WHERE email = 'gone@example.com'") == 0
        erased = "SELECT count(*) FROM segment_members JOIN contacts ON contacts.id = contact_id WHERE state = 'erased'"
        assert store.value(erased) == 0
    as_(macli, company, "", "settings unset retention.removed")


def test_p10_a_no_cancels_what_a_hidden_campaign_would_send(company: Path, macli: Run) -> None:
    as_(macli, company, "", "contact add quiet@example.com")
    as_(macli, company, "", "segment create Hiddenone --static --category Hiddenbox")
    as_(macli, company, "", "segment add Hiddenone quiet@example.com")
    as_(macli, company, "", "campaign create Hiddensoon --segment Hiddenone --template Hiddenmail --category Hiddenbox")
    with open_store(company / "macli.db") as store, store.write():
        store.execute("UPDATE campaigns SET state = 'active' WHERE name = 'Hiddensoon'")
        store.execute(
            """
            INSERT INTO sends (campaign_id, step_id, contact_id, channel, state, due_at)
            SELECT campaigns.id, steps.id, contacts.id, 'email', 'planned', 0
            FROM campaigns
            JOIN steps ON steps.campaign_id = campaigns.id
            JOIN contacts ON contacts.email = 'quiet@example.com'
            WHERE campaigns.name = 'Hiddensoon'
            """
        )
    assert as_(macli, company, "anna", "contact opt-out quiet@example.com --channel email").code == 0
    with open_store(company / "macli.db") as store:
        send = store.row("SELECT state, reason FROM sends ORDER BY id DESC LIMIT 1")
    assert send is not None
    assert tuple(send) == ("skipped", "opted_out")


def test_p10_names_are_completed_as_far_as_one_may_see_them(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from macli.commands.options import names_of

    run_ = Macli()
    run_.workspace_option = company
    context = typer.Context(load("segment"), obj=run_)
    assert "Hiddenlist" in names_of("segments")(context, "Hid")
    monkeypatch.setenv("MACLI_USER", "anna")
    assert names_of("segments")(context, "Hid") == []
    assert "Looklist" in names_of("segments")(context, "Look")
    assert names_of("forms")(context, "Hid") == []


def test_p10_who_is_restricted_elsewhere_sends_their_own_campaigns(company: Path, macli: Run) -> None:
    made = as_(macli, company, "anna", "campaign create annas --segment Ownlist --template Ownmail --category Open")
    assert made.code == 0, made
    ran = as_(macli, company, "anna", "campaign send annas --yes --json")
    assert ran.code == 0, ran
    assert not NAMES.search(ran.out)
    report = as_(macli, company, "anna", "report campaign annas")
    assert report.code == 0, report


def test_p10_a_grant_for_a_role_nobody_has_is_warned_of(company: Path, macli: Run) -> None:
    assert "nobody on the staff has the role 'sals'" in as_(macli, company, "", "category grant Lookbox sals view").err
    as_(macli, company, "", "category revoke Lookbox sals")


def test_p10_a_bounce_counts_whoever_brings_it_in(company: Path) -> None:
    from macli.model import Report
    from macli.responses.hearing import hear

    with open_store(company / "macli.db") as store:
        hidden = store.value(
            """
            SELECT min(sends.id)
            FROM sends
            JOIN campaigns ON campaigns.id = sends.campaign_id
            WHERE campaigns.name = 'Hiddencamp'
            """
        )
        report = Report(
            source="bounce", source_id="1", at=to_ms(NOW), event="email.bounced", state="bounced", send_id=hidden
        )
        assert hear(access.limited(store, access.acting(store, "anna")), NOW, [report]) == 1
        assert store.value("SELECT state FROM sends WHERE id = ?", (hidden,)) == "bounced"


def test_p10_a_form_that_a_hidden_page_shows_stays(company: Path, macli: Run) -> None:
    as_(macli, company, "", "form create Shown --field email!")
    (company / "shows.md").write_text("# Hello\n\n{{ form('shown') }}\n")
    made = as_(macli, company, "", f"page create Hiddenshow --markdown {company}/shows.md --category Hiddenbox")
    assert made.code == 0, made
    ran = as_(macli, company, "anna", "form rm Shown --yes")
    assert ran.code == 1
    assert "is used by '(hidden)'" in ran.err
    for line in ("page rm Hiddenshow --yes", "form rm Shown --yes"):
        assert as_(macli, company, "", line).code == 0


def test_p10_an_attribute_does_not_change_what_a_hidden_rule_means(company: Path, macli: Run) -> None:
    as_(macli, company, "", "segment create Hiddenowned --rule 'owner is set' --category Hiddenbox")
    ran = as_(macli, company, "anna", "attribute create owner --type text")
    assert ran.code != 0, ran
    assert not NAMES.search(ran.out + ran.err)
    as_(macli, company, "", "segment rm Hiddenowned")
