"""Campaign folders: applied as a whole, never twice, compared and written back."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from macli import segments
from macli.actions import ACTIONS
from macli.campaign import export, reference
from macli.campaign.apply import Applied, apply_all, refusals
from macli.campaign.problems import BadDefinition
from macli.errors import OperationFailed, UsageError
from macli.store import Store, assets, campaigns, starter, templates

UTC_ZONE = ZoneInfo("UTC")
LIBRARY = Path(__file__).parent.parent / "campaigns"

WELCOME = """\
name: Welcome
category: News
attributes: {score: number}
segments:
  good: score > 3
templates:
  hello:
    subject: Hi {{ first_name }}
    html: hello.html
    text: hello.txt
    attach: [book.pdf]
    defaults: {first_name: friend}
  short: {sms: 'Hi {{ first_name }}'}
entry: {segments: good}
steps:
  - send: hello
  - wait: 3 days
  - send: {template: short, channel: sms}
"""


@pytest.fixture
def shop(store: Store, now: datetime) -> Store:
    starter.furnish(store, now)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A campaign's folder with everything a folder may hold."""
    home = tmp_path / "campaigns" / "welcome"
    home.mkdir(parents=True)
    (home / "campaign.yaml").write_text(WELCOME, "utf-8")
    (home / "hello.html").write_text("<p>Hi {{ first_name }}</p>\n", "utf-8")
    (home / "hello.txt").write_text("Hi {{ first_name }}\n", "utf-8")
    (home / "book.pdf").write_bytes(b"%PDF-1.4 \xff\x00")
    return home


def apply(store: Store, now: datetime, *paths: Path, dry_run: bool = False) -> list[Applied]:
    return apply_all(store, now, paths, zone=UTC_ZONE, put_segment=segments.put, dry_run=dry_run)


def counts(store: Store) -> dict[str, int]:
    tables = ("campaigns", "campaign_versions", "templates", "template_versions", "segments", "assets", "steps")
    return {table: store.value(f"SELECT count(*) FROM {table}") for table in (*tables, "categories", "attributes")}


def replace(folder: Path, old: str, new: str) -> None:
    file = folder / "campaign.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_a_folder_brings_everything_it_speaks_of(shop: Store, now: datetime, folder: Path) -> None:
    (done,) = apply(shop, now, folder)
    assert (done.campaign, done.change, done.version, done.state) == ("Welcome", "created", 1, "draft")
    assert done.also == (
        "category 'News' created",
        "attribute 'score' created",
        "segment 'good' created",
        "template 'hello' created",
        "template 'short' created",
    )
    hello = templates.version(shop, "hello")
    assert (hello["subject"], hello["text"], hello["text_derived"]) == (
        "Hi {{ first_name }}",
        "Hi {{ first_name }}\n",
        0,
    )
    assert assets.named(shop, (), ["book.pdf"])[0]["data"] == b"%PDF-1.4 \xff\x00"
    assert campaigns.get(shop, "welcome")["category"] == "News"


def test_applying_again_changes_nothing(shop: Store, now: datetime, folder: Path) -> None:
    apply(shop, now, folder)
    before = counts(shop)
    (done,) = apply(shop, now, folder.parent)
    assert (done.change, done.also) == ("unchanged", ())
    assert counts(shop) == before


def test_only_what_changed_changes(shop: Store, now: datetime, folder: Path) -> None:
    apply(shop, now, folder)
    (folder / "hello.html").write_text("<p>Hello</p>\n", "utf-8")
    (done,) = apply(shop, now, folder)
    assert (done.change, done.version, done.also) == ("changed", 1, ("template 'hello' changed",))
    replace(folder, "wait: 3 days", "wait: 5 days")
    replace(folder, "score > 3", "score > 5")
    (done,) = apply(shop, now, folder)
    assert (done.change, done.version, done.also) == ("changed", 2, ("segment 'good' changed",))


def test_a_dry_run_says_what_it_would_do_and_does_nothing(shop: Store, now: datetime, folder: Path) -> None:
    before = counts(shop)
    (done,) = apply(shop, now, folder, dry_run=True)
    assert (done.change, len(done.also)) == ("created", 5)
    assert counts(shop) == before
    assert apply(shop, now, folder)[0].change == "created"


def test_a_folder_is_applied_as_a_whole_or_not_at_all(shop: Store, now: datetime, folder: Path) -> None:
    before = counts(shop)
    replace(folder, "- send: hello", "- send: helo")
    (done,) = apply(shop, now, folder)
    assert done.change == "refused"
    assert isinstance(done.error, BadDefinition)
    assert "campaign.yaml:16: no template named 'helo'; did you mean 'hello'?" in done.error.message
    assert counts(shop) == before


def test_a_bad_folder_does_not_keep_a_good_one_back(shop: Store, now: datetime, folder: Path) -> None:
    other = folder.parent / "another"
    other.mkdir()
    (other / "campaign.yaml").write_text("name: x\nentry: {event: a.b}\nsteps: [{sned: x}]\n", "utf-8")
    done = apply(shop, now, folder.parent)
    assert [one.change for one in done] == ["refused", "created"]
    error = refusals(done)
    assert error is not None
    assert error.exit_code == 2
    assert "another/campaign.yaml:3: 'sned' is no action; did you mean 'send'?" in error.message


def test_all_mistakes_of_a_folder_are_told_together(shop: Store, now: datetime, folder: Path) -> None:
    replace(folder, "score > 3", "scorre > 3")
    replace(folder, "html: hello.html", "html: helo.html")
    replace(folder, "wait: 3 days", "wait: 3 daze")
    replace(folder, "channel: sms", "channel: smss")
    replace(folder, "{segments: good}", "{segments: good, rule: 'in segment gud'}")
    (done,) = apply(shop, now, folder)
    assert done.error is not None
    told = [line for line in done.error.message.splitlines() if "campaign.yaml:" in line]
    lines = [int(line.split("campaign.yaml:")[1].split(":")[0]) for line in told]
    assert lines == [5, 7, 14, 17, 18]
    assert "'helo.html' cannot be read: No such file or directory" in done.error.message


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{subject: x}", "a template has a body"),
        ("{html: hello.html}", "an e-mail has a 'subject'"),
        ("{subject: x, html: hello.html, mjml: hello.html}", "one body; this one has html and mjml"),
        ("{sms: Hi, attach: [book.pdf]}", "'attach' belongs to an e-mail"),
        ("{subject: x, html: ../../secret.html}", "is outside the campaign's folder"),
        ("{subject: x, html: /etc/passwd}", "is outside the campaign's folder"),
        ("{subject: x, html: hello.html, htm: x}", "'htm' is no key of 'template'; did you mean 'html'?"),
        ("{subject: '{{ x', html: hello.html}", "hello (subject):1"),
    ],
)
def test_a_template_that_is_none_is_refused(shop: Store, now: datetime, folder: Path, template: str, said: str) -> None:
    text = WELCOME[: WELCOME.index("  hello:")] + f"  hello: {template}\n" + WELCOME[WELCOME.index("  short:") :]
    (folder / "campaign.yaml").write_text(text, "utf-8")
    (done,) = apply(shop, now, folder)
    assert done.error is not None
    assert "campaign.yaml:7: " in done.error.message
    assert said in done.error.message


def test_a_path_without_campaigns_is_refused(shop: Store, now: datetime, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no campaign\.yaml in"):
        apply(shop, now, tmp_path)


def test_the_difference_is_what_apply_would_change(shop: Store, now: datetime, folder: Path) -> None:
    (new,) = export.diff(shop, [folder])
    assert "+name: Welcome" in new.lines
    apply(shop, now, folder)
    (same,) = export.diff(shop, [folder])
    assert same.lines == ()
    replace(folder, "wait: 3 days", "wait: 5 days")
    (folder / "hello.txt").write_text("Hello\n", "utf-8")
    (folder / "book.pdf").write_bytes(b"\xff\xfe\x00other")
    (found,) = export.diff(shop, [folder])
    assert "-  - wait: 3 days" in found.lines
    assert "+  - wait: 5 days" in found.lines
    assert "+Hello" in found.lines
    assert "book.pdf: another file" in found.lines


def test_what_is_exported_applies_back_to_the_same(shop: Store, now: datetime, folder: Path, tmp_path: Path) -> None:
    apply(shop, now, folder)
    target = tmp_path / "copy"
    written = export.write(export.export(shop, "welcome"), target, overwrite=False)
    assert {file.name for file in written} == {"campaign.yaml", "hello.html", "hello.txt", "book.pdf"}
    before = counts(shop)
    (done,) = apply(shop, now, target)
    assert (done.change, done.also) == ("unchanged", ())
    assert counts(shop) == before


def test_an_export_does_not_write_over_other_files_unasked(shop: Store, now: datetime, folder: Path) -> None:
    apply(shop, now, folder)
    replace(folder, "wait: 3 days", "wait: 5 days")
    with pytest.raises(OperationFailed, match=r"has other files of these names: campaign\.yaml"):
        export.write(export.export(shop, "welcome"), folder, overwrite=False)
    export.write(export.export(shop, "welcome"), folder, overwrite=True)
    assert apply(shop, now, folder)[0].change == "unchanged"


def test_the_example_of_the_reference_applies(shop: Store, now: datetime, folder: Path) -> None:
    example = reference().split("```yaml\n")[1].split("```")[0]
    (folder / "campaign.yaml").write_text(example.replace("templates:\n", "templates:\n  offer: {sms: Hi}\n"), "utf-8")
    (folder / "welcome.md").write_text("# Hi {{ first_name }}", "utf-8")
    assert apply(shop, now, folder)[0].error is None


def test_every_action_is_in_the_reference() -> None:
    text = reference()
    for word in ACTIONS:
        assert f"\n### {word}\n" in text


def test_a_static_segment_is_not_a_matter_of_files(shop: Store, now: datetime, folder: Path) -> None:
    segments.create(shop, now, UTC_ZONE, "picked", static=True)
    replace(folder, "{segments: good}", "{segments: [good, picked]}")
    assert apply(shop, now, folder)[0].error is None
    assert b"picked:" not in export.export(shop, "welcome")["campaign.yaml"]


@pytest.mark.parametrize("name", sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()))
def test_every_shipped_campaign_applies_to_a_fresh_store_and_back(
    shop: Store, now: datetime, tmp_path: Path, name: str
) -> None:
    (done,) = apply(shop, now, LIBRARY / name)
    assert (done.change, done.error, done.campaign) == ("created", None, name)
    assert (LIBRARY / name / "README.md").read_text("utf-8").startswith("# ")
    export.write(export.export(shop, name), tmp_path / name, overwrite=False)
    assert apply(shop, now, tmp_path / name)[0].change == "unchanged"
    assert next(iter(export.diff(shop, [LIBRARY / name]))).lines == ()
