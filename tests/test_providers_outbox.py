"""The outbox: real files, one a message, whole or not there."""

import json
from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from macli.model import Email, Post, Sms
from macli.providers import Enquiry, load

SINCE = datetime(2026, 3, 4, tzinfo=UTC)


def outbox(folder, **settings):
    return load("outbox", {"path": "out", **settings}, name="outbox", workspace=folder)


def mail(number: int = 1234, to: str = "ann@example.com", key: str = "1234.shop") -> Email:
    return Email(send_id=number, key=key, sender="news@example.com", to=to, data=b"Subject: Hi\r\n\r\nHello\r\n")


def files(folder) -> list:
    return sorted(path for path in (folder / "out").rglob("*") if path.is_file())


def test_a_mail_is_an_eml_file_that_reads_back(tmp_path) -> None:
    outcome = outbox(tmp_path).send(mail())
    (path,) = files(tmp_path)
    assert path.name.startswith("00001234-")
    assert path.name.endswith("-ann@example.com.eml")
    assert path.parent.name == "00001"
    assert message_from_bytes(path.read_bytes())["Subject"] == "Hi"
    assert path.read_bytes() == mail().data
    assert (outcome.verdict, outcome.reference) == ("accepted", f"00001/{path.name}")


def test_a_text_message_and_a_webhook_are_files_too(tmp_path) -> None:
    box = outbox(tmp_path)
    box.send(Sms(send_id=1, key="1", to="+14165550123", text="Zażółć gęślą"))
    box.send(Post(send_id=2, key="2", to="ann@example.com", payload={"n": 1}))
    sms, post = files(tmp_path)
    assert sms.name.endswith("-+14165550123.sms")
    assert sms.read_text() == "To: +14165550123\nKey: 1\n\nZażółć gęślą\n"
    assert post.suffix == ".json"
    assert json.loads(post.read_text())["payload"] == {"n": 1}


def test_the_same_message_again_is_the_same_file(tmp_path) -> None:
    for _ in range(3):
        outbox(tmp_path).send(mail())
    assert len(files(tmp_path)) == 1


def test_messages_that_differ_only_in_their_key_are_two_files(tmp_path) -> None:
    outbox(tmp_path).send(mail(0, key="test-1"))
    outbox(tmp_path).send(mail(0, key="test-2"))
    assert len(files(tmp_path)) == 2


def test_a_message_is_looked_up_by_its_key(tmp_path) -> None:
    box = outbox(tmp_path)
    outcome = box.send(mail())
    found = box.lookup(Enquiry(send_id=1234, key="1234.shop", to="changed@example.com", since=SINCE))
    assert found is not None
    assert (found.verdict, found.reference) == ("accepted", outcome.reference)
    assert box.lookup(Enquiry(send_id=1234, key="1234.other", to="ann@example.com", since=SINCE)) is None
    assert box.lookup(Enquiry(send_id=99_999, key="x", to="ann@example.com", since=SINCE)) is None


def test_half_a_file_is_no_message(tmp_path) -> None:
    box = outbox(tmp_path)
    box.send(mail())
    (path,) = files(tmp_path)
    path.rename(path.with_name(f".{path.name}.part"))
    assert box.lookup(Enquiry(send_id=1234, key="1234.shop", to="ann@example.com", since=SINCE)) is None


@pytest.mark.parametrize(
    "to", ["../../etc/passwd@x", "a/b@c", "ann\x00@x", "żółć@example.com", "a" * 300 + "@x", "ż" * 120]
)
def test_no_address_writes_outside_the_folder(to, tmp_path) -> None:
    assert outbox(tmp_path).send(mail(to=to)).verdict == "accepted"
    (path,) = files(tmp_path)
    assert path.resolve().is_relative_to(tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_the_senders_fault(tmp_path) -> None:
    (tmp_path / "out").write_text("a file stands in the way")
    assert outbox(tmp_path).send(mail()).verdict == "sender_fault"
    assert not outbox(tmp_path).check()[0].ok


def test_the_check_leaves_nothing_behind(tmp_path) -> None:
    assert outbox(tmp_path, fsync=True).check()[0].ok
    assert files(tmp_path) == []
