"""URL rules: what a page gives to who looks at it, now, when it is known who it was, and over history."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli import contacts, events, segments
from macli.clock import to_ms
from macli.errors import MacliError, UsageError
from macli.model import NewEvent
from macli.store import Store, url_rules, visitors
from macli.urls import matcher, normal, without_follow
from macli.visitors.joining import join
from macli.visitors.url_rules import add, backfill, edit, remove
from tests.conftest import Run
from tests.world import NOW, World, add_contacts, new_world

ANN = "a" * 22


@pytest.fixture
def world(tmp_path) -> World:
    world = new_world(tmp_path / "shop")
    add_contacts(world.store, 3)
    return world


def visit(store: Store, url: str, *contact_ids: int | None, visitor: str | None = None) -> None:
    with store.write():
        visitor_id = None if visitor is None else visitors.seen(store, to_ms(NOW), visitor)["id"]
        events.record(
            store,
            NOW,
            [
                NewEvent(
                    contact_id=contact_id,
                    visitor_id=visitor_id,
                    name="page.visited",
                    at=to_ms(NOW),
                    source="tracker",
                    properties={"url": url},
                )
                for contact_id in contact_ids
            ],
        )


def tagged(store: Store) -> list[tuple[int, str]]:
    return [
        (row["contact_id"], row["name"])
        for row in store.rows(
            "SELECT contact_id, name FROM contact_tags JOIN tags ON tags.id = contact_tags.tag_id ORDER BY 1, 2"
        )
    ]


def told(store: Store, name: str) -> list[tuple[int, dict]]:
    return [
        (row["contact_id"], json.loads(row["properties"]))
        for row in store.rows(
            "SELECT contact_id, properties FROM events WHERE name = :name ORDER BY id", {"name": name}
        )
    ]


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://shop.example/prices", "http://shop.example/prices"),
        ("https://shop.example/prices", "HTTPS://Shop.Example/prices/"),
        ("https://shop.example/prices", "shop.example/prices#top"),
        ("https://shop.example/prices?a=1", "https://shop.example:443/prices/?a=1"),
        ("https://shop.example/café", "https://shop.example/caf%c3%a9"),
        ("https://shop.example", "https://shop.example/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
    ],
)
def test_t22_addresses_of_one_page_are_the_same(url: str, same: str) -> None:
    assert normal(url) == normal(same)
    assert matcher("exact", same)(url)


@pytest.mark.parametrize(
    "other",
    [
        "https://shop.example/prices?a=2",
        "https://shop.example/prices?a=1&b",
        "https://shop.example/Prices?a=1",
        "https://www.shop.example/prices?a=1",
        "https://shop.example:8443/prices?a=1",
        "https://shop.example/price?a=1",
        "not an address",
    ],
)
def test_t22_the_query_the_path_and_the_host_tell_pages_apart(other: str) -> None:
    assert not matcher("exact", "https://shop.example/prices?a=1")(other)


@pytest.mark.parametrize(
    ("words", "url", "fits"),
    [
        ("shoes", "https://shop.example/red-shoes/1", True),
        ("SHOES", "https://shop.example/red-shoes/1", True),
        ("shoe", "https://shop.example/red-shoes/1", False),
        ("red shoes", "https://shop.example/shoes/red", True),
        ("all: red, shoes", "https://shop.example/shoes/blue", False),
        ("any: red, shoes", "https://shop.example/shoes/blue", True),
        ("shoes", "https://shop.example/?q=red%20shoes%20new", True),
        ("red-shoes", "https://shop.example/red_shoes", True),
        ("café", "https://shop.example/caf%C3%A9/menu", True),
        ("café", "https://shop.example/café/menu", True),
    ],
)
def test_t23_words_are_found_whole_wherever_they_stand(words: str, url: str, fits: bool) -> None:
    assert matcher("words", words)(url) is fits


@pytest.mark.parametrize(
    ("part", "url", "fits"),
    [
        ("?utm=ab%20", "https://shop.example/x?utm=ab%20c", True),
        ("?utm=ab c", "https://shop.example/x?utm=ab%20c", True),
        ("?UTM=", "https://shop.example/x?utm=ab", True),
        (".*", "https://shop.example/x", False),
        ("_", "https://shop.example/x", False),
    ],
)
def test_t24_a_sequence_of_signs_is_found_as_it_stands(part: str, url: str, fits: bool) -> None:
    assert matcher("contains", part)(url) is fits


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("/shop/**", "https://shop.example/shop", True),
        ("/shop/**", "https://shop.example/shop/a/b?c=/d", True),
        ("/shop/**", "https://shop.example/shopping", False),
        ("/shop/*", "https://shop.example/shop/a", True),
        ("/shop/*", "https://shop.example/shop/a/b", False),
        ("/shop/?", "https://shop.example/shop/a", True),
        ("/shop/?", "https://shop.example/shop/ab", False),
        ("/**/red-*", "https://shop.example/a/b/red-1", True),
        ("/**/red-*", "https://shop.example/red-1", True),
        ("/", "https://shop.example", True),
        ("*.shop.example/prices", "https://www.shop.example/prices/", True),
        ("https://*.shop.example/**", "https://www.shop.example/a/b", True),
        ("/a.c", "https://shop.example/abc", False),
    ],
)
def test_t24_paths_are_matched_as_ant_matches_them(pattern: str, url: str, fits: bool) -> None:
    assert matcher("path", pattern)(url) is fits


def test_t24_a_regular_expression_is_searched_for() -> None:
    assert matcher("regex", r"/item/\d+$")("https://shop.example/Item/12")
    assert not matcher("regex", r"/item/\d+$")("https://shop.example/item/12/reviews")


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("exact", "javascript:alert(1)"),
        ("exact", "https://"),
        ("exact", ""),
        ("words", "any: "),
        ("words", "--"),
        ("contains", ""),
        ("path", "prices/2026"),
        ("regex", "("),
        ("regex", "(a+)+$"),
        ("regex", r"^(/(\d+))*$"),
        ("regex", "(a|aa)+$"),
        ("regex", "a.*b.*c.*d"),
        ("regex", "x" * 3000),
    ],
)
def test_what_is_no_pattern_is_refused(kind: str, pattern: str) -> None:
    with pytest.raises(UsageError):
        matcher(kind, pattern)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("path", "/**/a/**/a/**/a/**/a/**/b"),
        ("path", "/*-*-*-*-*-*-*-*-*x"),
        ("words", "a-a-a-a-a-b"),
        ("contains", "a" * 999 + "b"),
        ("regex", "a.*a.*b"),
    ],
)
@pytest.mark.parametrize("part", ["/a", "-", "a", "%20", "a-"])
def test_no_address_makes_a_pattern_walk_for_ever(kind: str, pattern: str, part: str) -> None:
    started = time.process_time()
    assert not matcher(kind, pattern)("https://shop.example/" + part * (1900 // len(part)))
    assert time.process_time() - started < 3


@given(
    pattern=st.text(alphabet="/*?ab", max_size=8).map(lambda text: f"/{text}"),
    path=st.text(alphabet="/ab", max_size=8).map(lambda text: f"/{text}"),
)
def test_an_ant_pattern_means_what_its_words_say(pattern: str, path: str) -> None:
    def fits(folders: list[str], wanted: list[str]) -> bool:
        if not wanted:
            return not folders
        if wanted[0] == "**":
            return fits(folders, wanted[1:]) or (bool(folders) and fits(folders[1:], wanted))
        return bool(folders) and same(folders[0], wanted[0]) and fits(folders[1:], wanted[1:])

    def same(folder: str, wanted: str) -> bool:
        if not wanted:
            return not folder
        if wanted[0] == "*":
            return same(folder, wanted[1:]) or (bool(folder) and same(folder[1:], wanted))
        return bool(folder) and wanted[0] in ("?", folder[0]) and same(folder[1:], wanted[1:])

    def folders(text: str) -> list[str]:
        return text.strip("/").split("/") if text.strip("/") else []

    assert matcher("path", pattern)(f"https://shop.example{path}") is fits(folders(path), folders(pattern))


@given(
    kind=st.sampled_from(["exact", "words", "contains", "path", "regex"]),
    pattern=st.text(max_size=60),
    url=st.text(max_size=200),
)
def test_any_text_is_a_pattern_or_refused_and_any_address_fits_or_does_not(kind: str, pattern: str, url: str) -> None:
    try:
        fits = matcher(kind, pattern)
    except UsageError:
        return
    assert fits(url) in (True, False)
    assert fits(f"https://shop.example/{url}") in (True, False)


@given(st.text(alphabet="abcXY019./?#&=%-_~:@é ", max_size=60))
def test_the_normal_form_is_its_own_normal_form(rest: str) -> None:
    try:
        once = normal(f"https://shop.example/{rest}")
    except UsageError:
        return
    assert normal(once) == once


def test_the_token_of_a_mail_is_no_part_of_the_page() -> None:
    assert without_follow("https://shop.example/a?_mc=1.x") == "https://shop.example/a"
    assert without_follow("https://shop.example/a?q=1&_mc=1.x&r=2#s") == "https://shop.example/a?q=1&r=2#s"
    assert without_follow("https://shop.example/a?b_mc=1") == "https://shop.example/a?b_mc=1"


def test_t20_t30_a_visit_gives_the_tag_once(world: World) -> None:
    add(world.store, NOW, "price list", "path", "/prices/**", tag="price list")
    visit(world.store, "https://shop.example/prices", 1, 2)
    visit(world.store, "https://shop.example/prices/2", 1)
    visit(world.store, "https://shop.example/jobs", 3)
    assert tagged(world.store) == [(1, "PRICE LIST"), (2, "PRICE LIST")]
    assert told(world.store, "tag.added") == [(1, {"tag": "PRICE LIST"}), (2, {"tag": "PRICE LIST"})]


def test_t20_a_visit_puts_into_a_segment_once(world: World) -> None:
    segments.create(world.store, NOW, world.engine().zone, "prospects", static=True)
    add(world.store, NOW, "prices", "words", "any: prices, pricing", segment="Prospects")
    visit(world.store, "https://shop.example/pricing", 2)
    visit(world.store, "https://shop.example/prices", 2)
    assert told(world.store, "segment.entered") == [(2, {"segment": "prospects"})]
    assert world.store.value("SELECT count(*) FROM segment_members WHERE contact_id = 2") == 1


def test_several_rules_for_one_tag_give_it_once(world: World) -> None:
    add(world.store, NOW, "one", "contains", "red", tag="colour")
    add(world.store, NOW, "two", "contains", "blue", tag="Colour")
    add(world.store, NOW, "three", "contains", "blue", tag="sad")
    visit(world.store, "https://shop.example/red-and-blue", 1)
    assert tagged(world.store) == [(1, "COLOUR"), (1, "SAD")]
    assert len(told(world.store, "tag.added")) == 2


def test_t5_t20_rules_apply_to_what_a_visitor_did_before_it_was_known(world: World) -> None:
    add(world.store, NOW, "prices", "contains", "/prices", tag="warm")
    visit(world.store, "https://shop.example/prices", None, visitor=ANN)
    assert tagged(world.store) == []
    join(world.store, NOW, ANN, 3)
    assert tagged(world.store) == [(3, "WARM")]


def test_removed_contacts_get_nothing(world: World) -> None:
    add(world.store, NOW, "prices", "contains", "/prices", tag="warm")
    contacts.remove_where(world.store, NOW, contacts.ONE, {"one_contact": 1}, "test")
    visit(world.store, "https://shop.example/prices", 1)
    assert tagged(world.store) == []


def test_a_rule_that_is_off_gives_nothing(world: World) -> None:
    add(world.store, NOW, "prices", "contains", "/prices", tag="warm")
    edit(world.store, NOW, "PRICES", active=False)
    visit(world.store, "https://shop.example/prices", 1)
    assert tagged(world.store) == []
    edit(world.store, NOW, "prices", active=True, pattern=("exact", "shop.example/jobs"), tag="hr")
    visit(world.store, "https://shop.example/prices", 1)
    visit(world.store, "https://shop.example/jobs/", 1)
    assert tagged(world.store) == [(1, "HR")]


def test_t20_backfill_says_what_it_would_do_and_does_it_once(world: World) -> None:
    visit(world.store, "https://shop.example/prices", 1, 2, None)
    visit(world.store, "https://shop.example/prices?page=2", 1)
    add(world.store, NOW, "prices", "path", "/prices", tag="warm")
    contacts.tag_where(world.store, NOW, contacts.ONE, {"one_contact": 2}, "WARM", "test")
    [would] = backfill(world.store, NOW, dry_run=True)
    assert (would.name, would.contacts, would.new) == ("prices", 2, 1)
    assert tagged(world.store) == [(2, "WARM")]
    assert backfill(world.store, NOW) == [would]
    assert tagged(world.store) == [(1, "WARM"), (2, "WARM")]
    assert [row.new for row in backfill(world.store, NOW, "prices")] == [0]
    assert len(told(world.store, "tag.added")) == 2


def test_a_rule_needs_one_gift_and_a_name_of_its_own(world: World) -> None:
    segments.create(world.store, NOW, world.engine().zone, "everyone", rule="everyone")
    for gifts in ({}, {"tag": "a", "segment": "b"}, {"segment": "everyone"}, {"segment": "nowhere"}, {"tag": " "}):
        with pytest.raises(MacliError):
            add(world.store, NOW, "prices", "contains", "/prices", **gifts)
    assert url_rules.listed(world.store) == []
    add(world.store, NOW, "prices", "contains", "/prices", tag="warm")
    with pytest.raises(UsageError, match="already"):
        add(world.store, NOW, "Prices", "contains", "/x", tag="warm")
    remove(world.store, "prices")
    with pytest.raises(UsageError, match="no URL rule"):
        remove(world.store, "prices")


# The commands


def test_t20_rules_are_made_tried_changed_and_applied_by_command(workspace: Path, macli: Run) -> None:
    def ok(*args: str) -> str:
        ran = macli(*args)
        assert ran.code == 0, ran.err
        return ran.out

    ok("segment", "create", "prospects", "--static")
    ok("url-rule", "add", "price list", "--path", "/prices/**", "--segment", "prospects")
    ok("contact", "add", "ann@example.com")
    ok("url-rule", "edit", "price list", "--off")
    ok("event", "add", "ann@example.com", "page.visited", "--set", "url=https://shop.example/prices")
    ok("url-rule", "edit", "price list", "--on", "--words", "any: prices")
    assert json.loads(ok("url-rule", "backfill", "--dry-run", "--json")) == [
        {"name": "price list", "contacts": 1, "new": 1}
    ]
    assert json.loads(ok("url-rule", "backfill", "price list", "--json"))[0]["new"] == 1
    assert json.loads(ok("url-rule", "list", "--json")) == [
        {
            "name": "price list",
            "kind": "words",
            "pattern": "any: prices",
            "tag": None,
            "segment": "prospects",
            "active": True,
        }
    ]
    assert "price list" in ok("url-rule", "test", "https://shop.example/prices/1")
    assert "no rule fits" in ok("url-rule", "test", "https://shop.example/jobs")
    assert "ann@example.com" in ok("contact", "list", "--where", "in segment prospects")
    ok("url-rule", "rm", "price list")
    assert json.loads(ok("url-rule", "list", "--json")) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("add", "x", "--tag", "t"), "one pattern"),
        (("add", "x", "--path", "/a", "--words", "b", "--tag", "t"), "one pattern"),
        (("add", "x", "--path", "/a"), "either a tag or a segment"),
        (("add", "x", "--path", "prices", "--tag", "t"), "begins with a slash: /prices"),
        (("add", "x", "--regex", "(", "--tag", "t"), "no regular expression"),
        (("add", "x", "--path", "/a", "--segment", "nowhere"), "no segment named"),
        (("edit", "nowhere", "--on"), "no URL rule named"),
        (("backfill", "nowhere"), "no URL rule named"),
    ],
)
def test_a_command_that_cannot_be_says_what_to_type(workspace: Path, macli: Run, args, says: str) -> None:
    ran = macli("url-rule", *args)
    assert ran.code == 2
    assert says in ran.err
