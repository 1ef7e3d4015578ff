"""Bounces as a real Postfix makes them, read over IMAP from a real Dovecot: the right states, the right blame."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from tests.conftest import Run
from tests.mail_server import BOX, DOMAIN, LATER, LOST, PASSWORD, REFUSING, USER, MailServer, mail_server

pytestmark = pytest.mark.system("postfix", "dovecot-imapd", "openssl")


class Refusing:
    """A host that knows few addresses and likes little."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nosuch"):
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        if address.startswith("full"):
            return "552 5.2.2 Mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        return "554 5.7.1 Message rejected as spam by content scanner"


class Greylisting:
    """A host that is never ready."""

    async def handle_RCPT(self, server, session, envelope, address, options):
        return "451 4.7.1 Greylisted, try again later"


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with (
        tempfile.TemporaryDirectory(prefix="macli-bounces-", dir="/tmp") as folder,
        mail_server(Path(folder) / "base") as running,
    ):
        peers = [
            Controller(handler, hostname="127.0.0.1", port=port)
            for handler, port in zip((Refusing(), Greylisting()), running.peers, strict=True)
        ]
        for peer in peers:
            peer.start()
        yield running
        for peer in peers:
            peer.stop()


ADDRESSES = {
    "ann": f"ann@{DOMAIN}",
    "nosuch": f"nosuch@{REFUSING}",
    "full": f"full@{REFUSING}",
    "picky": f"picky@{REFUSING}",
    "slow": f"slow@{LATER}",
    "nowhere": f"x@{LOST}",
}


@pytest.fixture
def shop(server: MailServer, workspace: Path, macli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A workspace that sends by the server, and reads the bounces' mailbox."""
    monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)

    def call(*args: str) -> None:
        ran = macli(*args)
        assert ran.code == 0, ran.err

    call("settings", "set", "sender.email", f"{USER}@{DOMAIN}")
    call("settings", "set", "bounces.address", f"{BOX}@{DOMAIN}")
    call("settings", "set", "postal_address", "1 Main St, Ottawa")
    call("settings", "set", "unsubscribe.require_https", "false")
    call(
        *("provider", "add", "smtp", "mail", "--host", "localhost", "--port", str(server.port)),
        *("--username", USER, "--password", "env:SMTP_PASSWORD", "--ca-file", str(server.ca)),
    )
    call("channel", "set", "email", "--provider", "mail")
    (workspace / "people.csv").write_text("email\n" + "\n".join(ADDRESSES.values()) + "\n")
    call("contact", "import", "people.csv")
    (workspace / "hello.md").write_text("Hello\n\n[Unsubscribe]({{ unsubscribe_url }}) {{ postal_address }}\n")
    call("template", "create", "hello", "--markdown", "hello.md", "--subject", "Hi")
    call(
        *("mail", "add", "imap", BOX, "--host", "localhost", "--port", str(server.imaps), "--username", BOX),
        *("--password", "env:SMTP_PASSWORD", "--ca-file", str(server.ca), "--security", "tls"),
    )
    return macli


def states(macli: Run) -> dict[str, str]:
    rows = json.loads(macli("message", "list", "--json").out)
    return {
        next(name for name, address in ADDRESSES.items() if address == row["address"]): row["state"] for row in rows
    }


def test_real_bounces_end_as_the_policy_says(server: MailServer, shop: Run, workspace: Path) -> None:
    assert shop("mail", "test", BOX).code == 0
    (workspace / "spring.yaml").write_text("name: spring\nentry:\n  rule: has email\nsteps:\n  - send: hello\n")
    for line in (("apply", "spring.yaml"), ("campaign", "activate", "spring"), ("tick",)):
        ran = shop(*line)
        assert ran.code == 0, ran.err
    expected = {
        "ann": "accepted",
        "nosuch": "bounced",
        "full": "failed",
        "picky": "rejected",
        "slow": "failed",
        "nowhere": "bounced",
    }
    end = time.monotonic() + 40
    while states(shop) != expected and time.monotonic() < end:
        time.sleep(1)
        assert shop("mail", "read", BOX).code == 0
    assert states(shop) == expected
    events = {
        (row["name"], row["contact"])
        for row in json.loads(shop("event", "list", "--json").out)
        if row["name"].startswith("email.")
    }
    assert events == {
        ("email.bounced", ADDRESSES["nosuch"]),
        ("email.bounced", ADDRESSES["nowhere"]),
        ("email.soft_bounced", ADDRESSES["full"]),
        ("email.soft_bounced", ADDRESSES["slow"]),
    }
    # All is still in the mailbox, unmarked, and read again it changes nothing.
    kept = [file.name for folder in ("new", "cur") for file in (server.base / "boxes" / BOX / folder).iterdir()]
    assert len(kept) >= 5
    assert not [name for name in kept if "S" in name.partition(":2,")[2]]
    assert shop("mail", "rm", BOX).code == 0
    again = shop("mail", "ingest", str(server.base / "boxes" / BOX), "--json")
    assert again.code == 0, again.err
    rows = json.loads(again.out)
    assert {row["said"] for row in rows} - {"delayed"} == {"hard bounce", "soft bounce", "refused bounce"}
    assert not any(row["new"] for row in rows)
    assert states(shop) == expected


def test_what_is_read_is_moved_or_deleted_only_where_one_says_so(server: MailServer, shop: Run, tmp_path: Path) -> None:
    from macli.mailbox import imap
    from macli.mailbox.settings import load

    def box(**more: object) -> imap.Imap:
        given = {"host": "localhost", "port": server.imap, "username": "ann", "password": "env:SMTP_PASSWORD"}
        found = load("imap", {**given, "ca_file": str(server.ca), **more}, workspace=tmp_path)
        assert isinstance(found, imap.Imap)
        return found

    _put(server, "ann", [f"Subject: {number}\n\nx\n" for number in range(45)])
    plain = box(username=USER)
    _put(server, USER, [f"Subject: {number}\n\nx\n" for number in range(45)])
    first = list(imap.batches(plain, {}, most=30))
    assert [len(batch.messages) for batch in first] == [20, 10]
    rest = list(imap.batches(plain, first[-1].cursor, most=100))
    subjects = [message.split(b"\n")[0].strip() for batch in (*first, *rest) for message in batch.messages]
    assert sorted(subjects) == sorted(f"Subject: {number}".encode() for number in range(45))
    assert list(imap.batches(plain, rest[-1].cursor, most=100)) == []
    anew = list(imap.batches(plain, {**rest[-1].cursor, "uidvalidity": 1}, most=100))
    assert sum(len(batch.messages) for batch in anew) == 45
    for batch in imap.batches(box(username=USER, delete=True), {}, most=20):
        batch.tidy()
    assert sum(len(batch.messages) for batch in imap.batches(plain, {}, most=100)) == 25


def _put(server: MailServer, name: str, messages: list[str]) -> None:
    import shutil

    for number, message in enumerate(messages):
        for folder in ("tmp", "new", "cur"):
            (server.base / "boxes" / name / folder).mkdir(parents=True, exist_ok=True)
        (server.base / "boxes" / name / "new" / f"{1_700_000_000 + number}.M{number}.test").write_text(message)
    for place in (server.base / "boxes" / name).rglob("*"):
        shutil.chown(place, 65534, 65534)
    shutil.chown(server.base / "boxes" / name, 65534, 65534)


@pytest.mark.parametrize(
    ("given", "step", "words"),
    [
        ({"password": "env:WRONG"}, "login", "AUTHENTICATIONFAILED"),
        ({"ca_file": None}, "connect", "TLS failed"),
        ({"port": 1}, "connect", "refused"),
        ({"folder": "Nowhere"}, "folder", "doesn't exist"),
    ],
    ids=["password", "certificate", "port", "folder"],
)
def test_a_mailbox_that_does_not_open_says_at_which_step(
    server: MailServer, shop: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict, step: str, words: str
) -> None:
    from macli.mailbox import imap
    from macli.mailbox.settings import load

    monkeypatch.setenv("WRONG", "wrong")
    settings = {"host": "localhost", "port": server.imaps, "username": BOX, "password": "env:SMTP_PASSWORD"}
    settings |= {"ca_file": str(server.ca), "security": "tls", **given}
    found = load("imap", settings, workspace=tmp_path)
    assert isinstance(found, imap.Imap)
    last = imap.check(found)[-1]
    assert (last.step, last.ok) == (step, False)
    assert words in last.detail
