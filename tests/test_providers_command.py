"""``macli provider`` and ``macli channel``: what a person types and gets."""

import json
import socket

import pytest
from web_server import Answer, web_server

SID = "AC" + "a" * 32


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def show(macli, name: str) -> dict:
    return json.loads(macli("provider", "show", name, "--json").out)


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (("smtp", "local", "--host", "127.0.0.1", "--port", "2525", "--from", "news@example.com"), ("port", 2525)),
        (("outbox", "box", "--path", "out"), ("path", None)),
        (("smtp2go", "go", "--username", "u", "--password", "env:P", "--port", "587"), ("port", 587)),
        (("smtp2go", "go", "--api-key", "env:K"), ("api_key", "env:K")),
        (
            ("twilio", "texts", "--account-sid", SID, "--auth-token", "env:T", "--from", "+15005550006"),
            ("from", "+15005550006"),
        ),
        (("webhook", "hook", "--url", "https://example.com/in", "--secret", "file:key"), ("secret", "file:key")),
    ],
)
def test_every_kind_is_added_by_its_own_options(words, setting, workspace, macli) -> None:
    ran = macli("provider", "add", *words)
    assert ran.code == 0, ran.err
    settings = show(macli, words[1])["settings"]
    assert settings[setting[0]] == (setting[1] or str(workspace / "out"))


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(workspace, macli) -> None:
    ran = macli("provider", "add", "smtp", "x", "--host", "h", "--username", "u", "--password", "hunter2")
    assert ran.code == 2
    assert "hunter2" not in ran.err + ran.out
    assert "env:NAME" in ran.err
    assert macli("provider", "show", "x").code == 2


def test_a_secret_typed_on_a_terminal_goes_to_a_file_of_its_own(workspace, macli, monkeypatch) -> None:
    import sys

    import typer

    monkeypatch.setattr(typer, "prompt", lambda text, **more: "hunter2")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    ran = macli("provider", "add", "smtp", "x", "--host", "mail.example.com", "--username", "u")
    assert ran.code == 0, ran.err
    kept = workspace / "secrets" / "x.password"
    assert kept.read_text() == "hunter2"
    assert kept.stat().st_mode & 0o777 == 0o600
    shown = macli("provider", "show", "x", "--json").out
    assert "file:secrets/x.password" in shown
    assert "hunter2" not in shown
    assert b"hunter2" not in b"".join(path.read_bytes() for path in workspace.glob("*.db*") if path.is_file())


def test_without_a_terminal_a_missing_secret_is_named(workspace, macli) -> None:
    ran = macli("provider", "add", "twilio", "t", "--account-sid", SID, "--from", "+15005550006", stdin="")
    assert ran.code == 2
    assert "--auth-token" in ran.err


def test_a_wrong_setting_saves_nothing_and_names_itself(workspace, macli) -> None:
    ran = macli("provider", "add", "smtp", "x", "--host", "h", "--from", "nobody")
    assert (ran.code, "--from 'nobody'" in ran.err) == (2, True)
    assert [row["name"] for row in json.loads(macli("provider", "list", "--json").out)] == ["outbox"]


def test_a_name_is_taken_without_regard_to_case(workspace, macli) -> None:
    macli("provider", "add", "outbox", "Box", "--path", "a")
    assert macli("provider", "add", "outbox", "box", "--path", "b").code == 2


def test_edit_changes_renames_and_forgets_the_old_test(workspace, macli) -> None:
    macli("provider", "add", "smtp", "x", "--host", "127.0.0.1", "--port", str(closed_port()))
    assert macli("provider", "test", "x").code == 4
    assert show(macli, "x")["tested_at"]
    ran = macli("provider", "edit", "x", "--set", "port=25", "--set", "from=a@b.example", "--rename", "y")
    assert ran.code == 0, ran.err
    shown = show(macli, "y")
    assert (shown["settings"]["port"], shown["settings"]["from"], shown["tested_at"]) == (25, "a@b.example", None)
    macli("provider", "edit", "y", "--unset", "from")
    assert "from" not in show(macli, "y")["settings"]
    ran = macli("provider", "edit", "y", "--set", "prot=25")
    assert "did you mean 'port'" in ran.err


def test_a_provider_that_a_channel_is_on_stays(workspace, macli) -> None:
    macli("provider", "add", "outbox", "box", "--path", "out2")
    macli("channel", "set", "email", "--provider", "box")
    ran = macli("provider", "rm", "box")
    assert (ran.code, "email" in ran.err) == (1, True)
    macli("channel", "set", "email", "--provider", "outbox")
    assert macli("provider", "rm", "box").code == 0


def test_a_provider_of_another_kind_is_refused_by_a_channel(workspace, macli) -> None:
    macli("provider", "add", "twilio", "texts", "--account-sid", SID, "--auth-token", "env:T", "--from", "+15005550006")
    ran = macli("channel", "set", "email", "--provider", "texts")
    assert ran.code == 2
    assert "cannot carry email" in ran.err
    assert macli("channel", "set", "sms", "--provider", "texts").code == 0


def test_channels_are_added_listed_shown_and_removed(workspace, macli) -> None:
    assert macli("channel", "add", "receipts", "--kind", "email", "--provider", "outbox").code == 0
    assert json.loads(macli("channel", "show", "receipts", "--json").out)["provider"] == "outbox"
    names = [row["name"] for row in json.loads(macli("channel", "list", "--json").out)]
    assert names == ["email", "sms", "push", "webhook", "receipts"]
    assert macli("channel", "rm", "receipts").code == 0
    assert macli("channel", "rm", "email").code == 2
    assert macli("channel", "add", "x", "--kind", "fax", "--provider", "outbox").code == 2
    assert "did you mean 'email'" in macli("channel", "show", "emial").err


def test_test_sends_a_real_message_and_keeps_the_result(workspace, macli) -> None:
    ran = macli("provider", "test", "outbox", "--to", "me@example.com")
    assert (ran.code, "nobody to send from" in ran.err) == (2, True)
    macli("settings", "set", "sender.email", "news@example.com")
    ran = macli("provider", "test", "outbox", "--to", "me@example.com", "--json")
    assert ran.code == 0, ran.err
    assert [check["step"] for check in json.loads(ran.out)] == ["write", "send"]
    (path,) = (workspace / "out").rglob("*.eml")
    assert b"To: me@example.com" in path.read_bytes()
    assert show(macli, "outbox")["test"] == "ok"


def test_test_by_twilio_posts_once(workspace, macli, monkeypatch) -> None:
    monkeypatch.setenv("T", "t0ken")

    def answer(asked):
        if asked.method == "GET":
            return Answer(200, {"sid": SID, "status": "active"})
        return Answer(201, {"sid": "SM1", "status": "queued"})

    with web_server(answer) as server:
        base = ("--api-base", server.url)
        macli(
            "provider",
            "add",
            "twilio",
            "t",
            "--account-sid",
            SID,
            "--auth-token",
            "env:T",
            "--from",
            "+15005550006",
            *base,
        )
        ran = macli("provider", "test", "t", "--to", "+14165550123")
        assert ran.code == 0, ran.err
    assert [asked.method for asked in server.asked] == ["GET", "POST"]
    assert "SM1" in ran.out
    assert "t0ken" not in ran.out + macli("provider", "show", "t").out


def test_an_unreachable_server_exits_4_and_says_which_step_failed(workspace, macli) -> None:
    macli("provider", "add", "smtp", "x", "--host", "127.0.0.1", "--port", str(closed_port()))
    ran = macli("provider", "test", "x")
    assert ran.code == 4
    assert "connect" in ran.err
    assert "Connection refused" in show(macli, "x")["test"]


def test_a_channel_is_tested_through_its_provider(workspace, macli) -> None:
    assert macli("channel", "test", "email").code == 0
    ran = macli("channel", "test", "webhook")
    assert (ran.code, "has no provider" in ran.err) == (2, True)


def test_limits_are_set_shown_and_taken_away(workspace, macli) -> None:
    ran = macli("provider", "limit", "outbox", "14 per second", "gmail.com=20 per minute")
    assert ran.code == 0, ran.err
    assert macli("provider", "limit", "outbox").out.splitlines() == ["14 per second", "gmail.com=20 per minute"]
    assert macli("provider", "limit", "outbox", "quickly").code == 2
    macli("provider", "limit", "outbox", "--none")
    assert show(macli, "outbox")["limits"] == []


def test_routes_are_added_listed_and_removed(workspace, macli) -> None:
    macli("provider", "add", "twilio", "t", "--account-sid", SID, "--auth-token", "env:T", "--from", "+15005550006")
    route = ("--account-sid", "AC" + "b" * 32, "--auth-token", "env:PL", "--from", "+48500100200")
    ran = macli("provider", "route", "add", "t", "--prefix", "+48", *route)
    assert ran.code == 0, ran.err
    assert macli("provider", "route", "add", "t", "--prefix", "+48", *route).code == 2
    (listed,) = json.loads(macli("provider", "route", "list", "t", "--json").out)
    assert (listed["prefix"], listed["auth_token"]) == ("+48", "env:PL")
    assert macli("provider", "route", "add", "outbox", "--prefix", "+48", *route).code == 2
    assert macli("provider", "route", "rm", "t", "--prefix", "+1").code == 2
    assert macli("provider", "route", "rm", "t", "--prefix", "+48").code == 0
    assert json.loads(macli("provider", "route", "list", "t", "--json").out) == []


def test_verdicts_of_codes_are_set_as_json(workspace, macli) -> None:
    macli("provider", "add", "twilio", "t", "--account-sid", SID, "--auth-token", "env:T", "--from", "+15005550006")
    assert macli("provider", "edit", "t", "--set", 'verdicts={"30007": "retry"}').code == 0
    assert show(macli, "t")["settings"]["verdicts"] == {"30007": "retry"}
    assert "no verdict" in macli("provider", "edit", "t", "--set", 'verdicts={"30007": "rety"}').err
    assert "no JSON" in macli("provider", "edit", "t", "--set", "verdicts={").err


def test_a_file_everybody_can_read_is_warned_of_when_it_is_named(workspace, macli) -> None:
    (workspace / "password").write_text("x")
    (workspace / "password").chmod(0o644)
    ran = macli("provider", "add", "smtp", "x", "--host", "h", "--username", "u", "--password", "file:password")
    assert ran.code == 0
    assert "chmod 600" in ran.err


def test_a_resting_provider_is_used_again_when_asked(workspace, macli) -> None:
    assert "was not resting" in macli("provider", "unblock", "outbox").out


def test_the_dns_records_are_shown_and_never_called_verified(workspace, macli) -> None:
    macli("provider", "add", "smtp2go", "go", "--api-key", "env:K", "--from", "news@example.com")
    rows = json.loads(macli("provider", "dns-check", "go", "--json").out)
    assert {row["status"] for row in rows} == {"not verified"}
    assert any("_dmarc.example.com" in row["name"] for row in rows)
    assert macli("provider", "dns-check", "outbox").code == 2
    assert macli("provider", "dns-check", "go", "no domain").code == 2


def test_the_kinds_are_listed_and_each_explains_itself(macli) -> None:
    ran = macli("provider", "add", "--help")
    for kind in ("outbox", "smtp", "smtp2go", "twilio", "webhook"):
        assert kind in ran.out
        inner = macli("provider", "add", kind, "--help").out
        assert f"macli provider add {kind}" in " ".join(inner.split())


def test_what_a_kind_carries_is_what_its_provider_says() -> None:
    from pathlib import Path

    from macli.providers import CARRIES, KINDS, load

    settings = {
        "outbox": {"path": "out"},
        "smtp": {"host": "h"},
        "smtp2go": {"api_key": "env:K"},
        "twilio": {"account_sid": SID, "auth_token": "env:T", "from": "+15005550006"},
        "webhook": {"url": "https://example.com"},
        "webpush": {"subject": "mailto:web@example.com", "private_key": "env:K"},
    }
    for kind in KINDS:
        assert load(kind, settings[kind], name="x", workspace=Path("/")).channels == frozenset(CARRIES[kind])


def test_listing_providers_needs_no_http_library(workspace, macli_process) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from macli.cli import run; run(['provider', 'list']); "
        "print([name for name in ('requests', 'twilio', 'asyncio', 'ssl', 'http.client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=workspace)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
