"""Landing pages: what is saved, what a stranger sees, and what only a mail's own reader sees."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from macli.errors import MacliError, UsageError
from macli.forms import authoring, offering
from macli.store import templates
from tests.site import keys, serving
from tests.test_forms import SIGN_UP, add_form, sent_to_c0, stored
from tests.world import NOW, World, add_contacts, new_world, remove


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = new_world(tmp_path / "shop")
    yield made
    made.store.close()


def add_page(world: World, text: str, name: str = "spring", kind: str = "markdown") -> None:
    file = world.path / f"{templates.slug_of(name)}.txt"
    file.write_text(text, "utf-8")
    authoring.create_page(world.store, NOW, name, {kind: str(file)}, category=None)


def test_p16_a_page_is_served_under_its_slug(world: World) -> None:
    add_page(world, "# Spring is here\n\nEverything **blooms**.", name="Spring Sale – 2026")
    with serving(world) as client:
        answer = client.get("/p/spring-sale-2026")
        assert client.get("/p/spring-sale").status_code == 404
        assert client.get("/p/Spring Sale – 2026").status_code == 404
        assert client.head("/p/spring-sale-2026").text == ""
    assert answer.status_code == 200
    assert "<title>Spring is here</title>" in answer.text
    assert "<strong>blooms</strong>" in answer.text


def test_a_page_of_its_own_html_stays_as_it_was_written(world: World) -> None:
    add_page(world, "<!doctype html><html><body><p>Mine</p></body></html>", kind="html")
    with serving(world) as client:
        assert client.get("/p/spring").text == "<!doctype html><html><body><p>Mine</p></body></html>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Hi {{ first_name", "spring (markdown):1:"),
        ("one\n\n{{ first_name | shout }}", "spring (markdown):3:"),
        ("{% include 'x' %}", "not available"),
        ("# Hi {{ first_name }}", "a visitor nobody knows has no first_name"),
        ("{{ form('nope') }}", "no form named 'nope'"),
        ("{{ banner('nope') }}", "no banner named 'nope'"),
        ("{{ download('nope') }}", "no download named 'nope'"),
        ("{% set name = 'x' %}{{ form(name) }}", "shown by its name"),
        ("{{ 1 / 0 }}", "division"),
        ("  ", "empty"),
    ],
)
def test_p17_a_page_that_could_not_be_served_is_refused(world: World, text: str, words: str) -> None:
    with pytest.raises(MacliError) as raised:
        add_page(world, text)
    assert words in raised.value.message


def test_p17_a_broken_change_leaves_the_page_as_it_was(world: World) -> None:
    add_page(world, "# One")
    with pytest.raises(UsageError):
        authoring.edit_page(world.store, NOW, "spring", "# {{ broken", "markdown")
    with serving(world) as client:
        assert "One" in client.get("/p/spring").text


def test_a_contact_s_values_stand_only_on_the_page_of_its_own_mail(world: World) -> None:
    send_id = sent_to_c0(world)
    add_page(world, "# Hi {{ first_name | default('friend') }}")
    token = keys(world).message(send_id).follow
    with serving(world) as client:
        own = client.get(f"/p/spring?_m={token}").text
        others = [
            client.get(f"/p/spring?_m={mail}").text
            for mail in ("", "1", token[:-1] + ("B" if token[-1] == "A" else "A"), "1.AAAAAAAAAAAAAAAA", "#1")
        ]
    assert "Hi Contact 0" in own
    assert all("Hi friend" in page for page in others)


def test_a_visitor_s_token_is_no_proof_of_who_it_is(world: World) -> None:
    from macli.store import visitors

    add_contacts(world.store, 1)
    with world.store.write():
        known = visitors.seen(world.store, 1, "somebody-0123456789")
        visitors.give(world.store, 1, known["id"], 1)
    add_page(world, "# Hi {{ first_name | default('friend') }}")
    with serving(world) as client:
        assert "Hi friend" in client.get("/p/spring?_visitor=somebody-0123456789").text


def test_a_removed_contact_is_nobody_on_a_page(world: World) -> None:
    token = keys(world).message(sent_to_c0(world)).follow
    remove(world, 1)
    add_page(world, "# Hi {{ first_name | default('friend') }}")
    with serving(world) as client:
        assert "Hi friend" in client.get(f"/p/spring?_m={token}").text


def test_html_in_a_contact_s_values_is_text(world: World) -> None:
    from macli import contacts

    send_id = sent_to_c0(world)
    contacts.edit(world.store, NOW, 1, {}, {"first_name": "<script>alert(1)</script>"}, source="test")
    add_page(world, "# Hi {{ first_name | default('friend') }}")
    with serving(world) as client:
        page = client.get(f"/p/spring?_m={keys(world).message(send_id).follow}").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_values_that_do_not_do_show_the_page_as_for_nobody(world: World) -> None:
    send_id = sent_to_c0(world)
    add_page(world, "# {% if first_name %}{{ first_name | money('$') }}{% else %}Hello{% endif %}")
    with serving(world) as client:
        answer = client.get(f"/p/spring?_m={keys(world).message(send_id).follow}")
    assert answer.status_code == 200
    assert "Hello" in answer.text


def test_a_form_in_a_page_works_without_scripts(world: World) -> None:
    add_form(world)
    add_page(world, '# Spring\n\n{{ form("letters") }}\n')
    from tests.test_forms import Clock, hidden

    clock = Clock()
    with serving(world, clock) as client:
        page = client.get("/p/spring")
        assert "<p><style>" not in page.text
        clock.passes(5)
        answer = client.post("/f/letters", data={**hidden(page.text), "email": "ann@example.com", "consent_1": "yes"})
    assert answer.status_code == 200
    [evidence] = [json.loads(row[0]) for row in world.store.rows("SELECT evidence FROM consents")]
    assert evidence["page"] == "/p/spring"
    assert stored(world)[0] == 1


def test_a_form_in_a_page_is_counted_for_the_mail_that_led_there(world: World) -> None:
    from tests.test_forms import Clock, happened, hidden

    send_id = sent_to_c0(world)
    add_form(world)
    add_page(world, '{{ form("letters") }}')
    clock = Clock()
    with serving(world, clock) as client:
        page = client.get(f"/p/spring?_m={keys(world).message(send_id).follow}")
        clock.passes(5)
        client.post("/f/letters", data={**hidden(page.text), "email": "c0@example.com"})
    assert happened(world, "form.submitted")[0]["campaign_id"] == 1


def test_a_page_may_post_only_where_its_forms_lead(world: World) -> None:
    add_form(world, SIGN_UP + "redirect: https://shop.example/thanks\n")
    add_page(world, '{{ form("letters") }}')
    with serving(world) as client:
        policy = client.get("/p/spring").headers["content-security-policy"]
    assert "form-action 'self' https://shop.example;" in policy


def test_only_the_scripts_its_author_wrote_run_on_a_page(world: World) -> None:
    add_page(world, "<html><script>mine()</script><p>{{ first_name | default('') }}</p></html>", kind="html")
    with serving(world) as client:
        policy = client.get("/p/spring").headers["content-security-policy"]
    from base64 import b64encode
    from hashlib import sha256

    assert f"'sha256-{b64encode(sha256(b'mine()').digest()).decode()}'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_banners_and_downloads_in_a_page_carry_whose_mail_led_there(world: World) -> None:
    send_id = sent_to_c0(world)
    (world.path / "ebook.pdf").write_bytes(b"%PDF")
    offering.add_download(world.store, NOW, world.path / "ebook.pdf", None)
    offering.add_banner(
        world.store, NOW, "sale", url="https://shop.example", text="Sale", image=None, campaign=None, category=None
    )
    add_page(world, "[Get it]({{ download('ebook.pdf') }}) {{ banner('sale') }}")
    token = keys(world).message(send_id).follow
    with serving(world) as client:
        own, stranger = client.get(f"/p/spring?_m={token}").text, client.get("/p/spring").text
    assert f'href="/d/ebook-pdf?_m={token}"' in own
    assert f'href="/b/sale?_m={token}"' in own
    assert 'href="/d/ebook-pdf"' in stranger
    assert 'href="/b/sale"' in stranger


def test_a_page_that_frames_others_may_say_content(world: World) -> None:
    add_page(world, "<html><body>{{ content }}</body></html>", kind="html")
    with serving(world) as client:
        assert client.get("/p/spring").text == "<html><body></body></html>"


def test_a_page_whose_form_is_gone_is_still_shown(world: World) -> None:
    add_form(world)
    add_page(world, '# Spring\n\n{{ form("letters") }}')
    with pytest.raises(MacliError, match="is used by 'spring'"):
        authoring.remove(world.store, "form", "letters")
    world.store.execute("DELETE FROM templates WHERE kind = 'form'")
    with serving(world) as client:
        assert client.get("/p/spring").status_code == 200


def test_looking_at_pages_stores_nothing(world: World) -> None:
    add_form(world)
    add_page(world, '{{ form("letters") }}')
    before = stored(world)
    with serving(world) as client:
        for path in ("/p/spring", "/f/letters", "/p/spring?_m=x", "/f/letters?_m=x", "/p/", "/p/x", "/f/%00"):
            assert client.get(path).status_code < 500
    assert stored(world) == before


# The commands


def test_p16_a_page_is_made_shown_changed_rolled_back_and_removed_by_command(workspace: Path, macli: Any) -> None:
    (workspace / "a.md").write_text("# One")
    (workspace / "b.html").write_text("<p>Two</p>")
    assert macli("page", "create", "Spring", "--markdown", "a.md").code == 0
    assert macli("page", "create", "spring", "--markdown", "a.md").code == 2
    assert macli("page", "edit", "Spring", "--html", "b.html").out.strip() == "'Spring' is at version 2"
    assert macli("page", "preview", "Spring", "--out", "out.html").code == 0
    assert "Two" in (workspace / "out.html").read_text()
    assert "One" in macli("page", "preview", "Spring", "--version", "1").out
    assert macli("page", "rollback", "Spring").code == 0
    assert json.loads(macli("page", "list", "--json").out)[0]["version"] == 1
    assert json.loads(macli("template", "list", "--json").out) == []
    assert macli("template", "show", "Spring").code == 2
    assert macli("page", "rm", "Spring", "--yes").code == 0
    assert macli("page", "list", "--json").out.strip() == "[]"


def test_p17_a_page_opens_in_the_editor(workspace: Path, macli: Any, monkeypatch: Any) -> None:
    (workspace / "a.md").write_text("# One\n")
    macli("page", "create", "Spring", "--markdown", "a.md")
    monkeypatch.setenv("EDITOR", "sed -i s/One/Two/")
    assert macli("page", "edit", "Spring").out.strip() == "'Spring' is at version 2"
    monkeypatch.setenv("EDITOR", "true")
    assert macli("page", "edit", "Spring").out.strip() == "nothing changed"
    monkeypatch.setenv("EDITOR", "sed -i s/Two/{{/")
    ran = macli("page", "edit", "Spring")
    assert ran.code == 2
    assert re.search(r"macli page edit 'Spring' --markdown \S+", ran.err)
    assert "Two" in macli("page", "show", "Spring").out


def test_p18_a_page_has_a_category(workspace: Path, macli: Any) -> None:
    macli("category", "create", "Sales")
    (workspace / "a.md").write_text("# One\n")
    macli("page", "create", "Spring", "--markdown", "a.md", "--category", "Sales")
    assert [row["name"] for row in json.loads(macli("page", "list", "--category", "Sales", "--json").out)] == ["Spring"]
    assert macli("category", "show", "Sales").out.count("Spring") == 1


def test_a_page_and_a_template_may_have_the_same_name_and_only_the_template_is_sent(
    workspace: Path, macli: Any
) -> None:
    (workspace / "a.md").write_text("# One\n")
    macli("page", "create", "spring", "--markdown", "a.md")
    refused = macli("campaign", "create", "c", "--template", "spring", "--all")
    assert refused.code == 2
    assert macli("template", "create", "spring", "--subject", "Hi", "--markdown", "a.md").code == 0
    assert json.loads(macli("page", "show", "spring", "--json").out)["source"] == "# One\n"
    assert json.loads(macli("template", "show", "spring", "--json").out)["kind"] == "email"


def test_a_page_knows_its_title_and_language(world: World) -> None:
    add_page(world, '<html lang="{{ locale }}"><title>{{ title }}</title></html>', kind="html")
    with serving(world) as client:
        assert client.get("/p/spring").text == '<html lang="en"><title>spring</title></html>'


def test_a_click_in_a_mail_on_a_page_of_ours_says_who_came(world: World) -> None:
    from macli.store import settings

    send_id = sent_to_c0(world)
    settings.put(world.store, NOW, "public_url", "https://news.example")
    add_page(world, "# Hi {{ first_name | default('friend') }}")
    follow = keys(world).message(send_id).follow
    with serving(world) as client:
        for url, page in (
            ("https://news.example/p/spring", "Hi Contact 0"),
            ("https://elsewhere.example/p/spring", ""),
        ):
            token = keys(world).personal(follow, url)
            target = client.get(f"/r/{follow}/{token}").headers["location"]
            assert target == (f"{url}?_mc={follow}" if page else url)
            if page:
                assert page in client.get(target).text
