"""Templates kept in the store and worked with from the command line."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from macli.content.prepare import prepare
from macli.errors import OperationFailed, UnknownName, UsageError
from macli.store import Store, assets, open_store, templates
from tests.conftest import NOW, Run

HTML = """<html><head><style>p { color: red }</style></head>
<body><p>Hi {{ first_name }}</p><a href="{{ unsubscribe_url }}">Leave</a> {{ postal_address }}</body></html>
"""


@pytest.fixture
def hello(workspace: Path, macli: Run) -> Path:
    """A workspace with the template ``hello`` and the contact ann."""
    (workspace / "hello.html").write_text(HTML)
    ran = macli("template", "create", "hello", "--subject", "Hi {{ first_name }}", "--html", "hello.html")
    assert ran.code == 0, ran.err
    assert macli("contact", "add", "ann@example.com", "--set", "first_name=Ann").code == 0
    return workspace


def content(text: str = "Hi {{ a }}", **changed: object):
    return prepare("t", "sms", source=text, source_format="sms", **changed)


def test_each_edit_is_a_version_and_the_ones_before_stay(store: Store):
    templates.create(store, NOW, "Hello", "sms", content("one"))
    assert templates.edit(store, NOW + timedelta(hours=1), "hello", content("two")) == 2
    assert templates.version(store, "HELLO")["text"] == "two"
    assert templates.version(store, "hello", 1)["text"] == "one"
    assert templates.rollback(store, NOW, "hello") == 1
    assert templates.version(store, "hello")["text"] == "one"
    assert templates.edit(store, NOW, "hello", content("three")) == 3
    assert [row["number"] for row in templates.versions(store, "hello")] == [3, 2, 1]
    with pytest.raises(UsageError, match="no version 9"):
        templates.rollback(store, NOW, "hello", 9)


def test_a_name_is_taken_whatever_its_case_and_a_wrong_one_says_the_nearest(store: Store):
    templates.create(store, NOW, "Hello", "sms", content())
    with pytest.raises(UsageError, match="already"):
        templates.create(store, NOW, "hELLO", "sms", content())
    with pytest.raises(UnknownName, match="did you mean 'Hello'"):
        templates.find(store, "helo")


def test_a_template_in_use_or_in_the_ledger_is_not_removed(store: Store):
    made = templates.create(store, NOW, "hello", "sms", content())
    with pytest.raises(OperationFailed, match="used by 'spring'"):
        templates.remove(store, "hello", used_by=["spring"])
    version = templates.version(store, made)["id"]
    with store.write():
        store.execute(
            "INSERT INTO sends (channel, state, due_at, template_version_id) VALUES ('sms', 'accepted', 0, :id)",
            {"id": version},
        )
    with pytest.raises(OperationFailed, match="ledger"):
        templates.remove(store, "hello")
    with store.write():
        store.execute("DELETE FROM sends")
    templates.remove(store, "hello")
    assert templates.list_all(store) == []
    assert store.value("SELECT count(*) FROM template_versions") == 0


def test_a_file_is_kept_once_under_its_name(store: Store):
    first = assets.add(store, NOW, "ebook.pdf", b"%PDF")
    assert assets.add(store, NOW, "ebook.pdf", b"%PDF") == first
    second = assets.add(store, NOW, "ebook.pdf", b"%PDF 2")
    assert assets.by_ids(store, [first])[0]["content_type"] == "application/pdf"
    assert [row["id"] for row in assets.named(store, [first], ["ebook.pdf"])] == [first, second]
    with pytest.raises(UnknownName, match=r"did you mean 'ebook\.pdf'"):
        assets.named(store, [], ["ebok.pdf"])


def test_create_inlines_styles_and_makes_the_text_part(hello: Path, macli: Run):
    shown = json.loads(macli("template", "show", "hello", "--json").out)
    assert '<p style="color: red;">Hi {{ first_name }}</p>' in shown["html"]
    assert shown["text"] == "Hi {{ first_name }}\n\nLeave <{{ unsubscribe_url }}> {{ postal_address }}\n"
    assert shown["needs"] == "first_name"


def test_preview_shows_what_one_contact_gets(hello: Path, macli: Run):
    ran = macli("template", "preview", "hello", "--contact", "ann@example.com")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("Subject: Hi Ann\n\nHi Ann\n")
    assert "[first_name]" in macli("template", "preview", "hello").out
    assert macli("template", "preview", "hello", "--html-out", "out.html").code == 0
    assert "[first_name]" in (hello / "out.html").read_text()
    shown = json.loads(macli("template", "preview", "hello", "--contact", "ann@example.com", "--json").out)
    assert shown["subject"] == "Hi Ann"


def test_a_broken_edit_is_refused_and_the_old_body_stays(hello: Path, macli: Run):
    (hello / "bad.html").write_text("<p>\n{{ first_name\n</p>")
    ran = macli("template", "edit", "hello", "--html", "bad.html")
    assert ran.code == 2
    assert "hello (html):2" in ran.err or "hello (html):3" in ran.err
    assert "^" in ran.err
    assert "Hi Ann" in macli("template", "preview", "hello", "--contact", "ann@example.com").out
    assert len(json.loads(macli("template", "versions", "hello", "--json").out)) == 1


def test_edit_changes_what_is_given_and_makes_the_text_part_anew(hello: Path, macli: Run):
    (hello / "new.md").write_text("# Dear {{ first_name }}\n")
    assert macli("template", "edit", "hello", "--markdown", "new.md").code == 0
    shown = json.loads(macli("template", "show", "hello", "--json").out)
    assert shown["subject"] == "Hi {{ first_name }}"
    assert shown["text"].startswith("Dear {{ first_name }}\n")
    (hello / "own.txt").write_text("My own text\n")
    assert macli("template", "edit", "hello", "--text", "own.txt").code == 0
    assert macli("template", "edit", "hello", "--html", "hello.html", "--default", "first_name=friend").code == 0
    shown = json.loads(macli("template", "show", "hello", "--json").out)
    assert shown["text"] == "My own text\n"
    assert "Hi {{ first_name }}" in shown["html"]
    assert shown["needs"] == ""
    assert "Hi friend" in macli("template", "preview", "hello").out
    assert macli("template", "edit", "hello", "--default", "first_name=").code == 0
    assert json.loads(macli("template", "show", "hello", "--json").out)["defaults"] == ""


def test_the_editor_opens_the_source_and_what_it_saves_is_a_version(hello: Path, macli: Run, monkeypatch):
    monkeypatch.setenv("EDITOR", "sed -i 's/Hi/Hello/'")
    assert "version 2" in macli("template", "edit", "hello").out
    assert "Hello {{ first_name }}" in json.loads(macli("template", "show", "hello", "--json").out)["text"]
    assert "nothing changed" in macli("template", "edit", "hello").out
    monkeypatch.setenv("EDITOR", "sed -i 's/first_name }}/first_name/'")
    ran = macli("template", "edit", "hello")
    assert ran.code == 2
    kept = re.search(r"what you wrote is in (\S+);", ran.err)
    assert kept is not None
    assert "Hello {{ first_name<" in Path(kept[1]).read_text()
    Path(kept[1]).unlink()
    assert "Hello" in macli("template", "preview", "hello").out


def test_standard_input_text_messages_and_webhooks_are_templates_too(workspace: Path, macli: Run):
    assert macli("template", "create", "page", "--subject", "s", "--html", "-", stdin="<p>żółw</p>").code == 0
    assert "żółw" in macli("template", "preview", "page").out
    assert macli("template", "create", "short", "--sms", "Hi {{ first_name }} €").code == 0
    assert macli("template", "preview", "short").out.endswith("(GSM-7, 20 units, 1 segment)\n")
    (workspace / "hook.json").write_text('{"who": {{ email | tojson }}}')
    assert macli("template", "create", "hook", "--webhook", "hook.json").code == 0
    kinds = {row["name"]: row["kind"] for row in json.loads(macli("template", "list", "--json").out)}
    assert kinds == {"page": "email", "short": "sms", "hook": "webhook"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--subject", "x"), "nothing to make a template of"),
        (("--html", "none.html"), "none.html: No such file"),
        (("--html", "latin.html", "--subject", "x"), "latin.html:1: not UTF-8"),
        (("--html", "ok.html"), "needs a subject"),
        (("--html", "ok.html", "--sms", "x", "--subject", "x"), "two templates in one"),
        (("--html", "empty.html", "--subject", "x"), "is empty"),
        (("--sms", "x", "--attach", "ok.html"), "only an e-mail template"),
        (("--sms", "x", "--default", "first_name"), "is no default"),
        (("--sms", "x", "--default", "now=1"), "cannot have a default"),
        (("--sms", "x", "--category", "none"), "no category named"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(workspace: Path, macli: Run, words, message):
    (workspace / "ok.html").write_text("<p>ok</p>")
    (workspace / "empty.html").write_text(" \n")
    (workspace / "latin.html").write_bytes("<p>café</p>".encode("latin-1"))
    ran = macli("template", "create", "t", *words)
    assert ran.code == 2
    assert message in ran.err
    assert json.loads(macli("template", "list", "--json").out) == []


def test_files_are_attached_and_taken_off_again(hello: Path, macli: Run):
    (hello / "ebook.pdf").write_bytes(b"%PDF-1.4")
    assert macli("template", "attach", "hello", "ebook.pdf").code == 0
    assert "Attached: ebook.pdf (8 bytes)" in macli("template", "preview", "hello").out
    assert macli("template", "detach", "hello", "ebook.pdf").code == 0
    assert "Attached" not in macli("template", "preview", "hello").out
    assert macli("template", "detach", "hello", "ebook.pdf").code == 2


def test_categories_sort_templates(hello: Path, macli: Run):
    assert macli("category", "create", "Promotions").code == 0
    assert macli("template", "edit", "hello", "--category", "promotions").code == 0
    assert macli("template", "create", "other", "--sms", "x").code == 0
    listed = json.loads(macli("template", "list", "--category", "Promotions", "--json").out)
    assert [row["name"] for row in listed] == ["hello"]


def test_a_misspelt_attribute_is_said_at_once(hello: Path, macli: Run):
    ran = macli("template", "create", "typo", "--sms", "Hi {{ frist_name }}")
    assert ran.code == 0
    assert "no contact has an attribute 'frist_name'; did you mean 'first_name'" in ran.err
    assert "frist_name" in macli("template", "lint", "typo").out


def test_rm_asks_and_removes(hello: Path, macli: Run):
    assert macli("template", "rm", "hello").code == 2
    assert macli("template", "rm", "hello", "--yes").code == 0
    assert json.loads(macli("template", "list", "--json").out) == []


def test_rollback_brings_back_the_version_before(hello: Path, macli: Run):
    assert macli("template", "edit", "hello", "--subject", "New").code == 0
    assert macli("template", "rollback", "hello").code == 0
    assert macli("template", "preview", "hello").out.startswith("Subject: Hi [first_name]")


def test_a_template_without_a_category_is_asked_for_one_on_a_terminal_only(tmp_path: Path) -> None:
    import os
    import pty
    import subprocess
    import sys

    def run(*words: str, answer: bytes | None = None) -> None:
        arguments = [sys.executable, "-m", "macli", "--workspace", str(tmp_path / "shop"), *words]
        if answer is None:
            subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            return
        ours, theirs = pty.openpty()
        process = subprocess.Popen(arguments, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        os.write(ours, answer)
        assert process.wait(20) == 0
        assert b"Its category (News; empty for none)?" in os.read(ours, 4096)
        os.close(ours)

    subprocess.run([sys.executable, "-m", "macli", "init", str(tmp_path / "shop")], check=True, capture_output=True)
    run("category", "create", "News")
    run("template", "create", "asked", "--sms", "hi", answer=b"news\n")
    run("template", "create", "left", "--sms", "hi", answer=b"\n")
    run("template", "create", "alone", "--sms", "hi")
    with open_store(tmp_path / "shop" / "macli.db") as store:
        found = {row["name"]: row["category"] for row in templates.list_all(store)}
    assert found == {"asked": "News", "left": None, "alone": None}
