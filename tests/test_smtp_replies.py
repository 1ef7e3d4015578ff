"""Replies come out the same however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from macli.providers.smtp.envelope import stuffed
from macli.providers.smtp.replies import Garbled, Replies, code, text

line = st.text(st.characters(blacklist_characters="\r\n", codec="utf-8"), max_size=30).map(str.encode)
reply = st.builds(
    lambda number, lines: b"".join(
        b"%d%s%s\r\n" % (number, b"-" if place < len(lines) - 1 else b" ", words) for place, words in enumerate(lines)
    ),
    st.integers(200, 599),
    st.lists(line, min_size=1, max_size=4),
)


@given(st.lists(reply, max_size=6), st.data())
def test_the_same_replies_come_out_of_any_chunks(replies, data) -> None:
    stream = b"".join(replies)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=20)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    parser = Replies()
    found = [one for chunk in chunks for one in parser.feed(chunk)]
    assert [b"%s\n" % one for one in found] == replies
    assert not parser.waiting
    assert [code(one) for one in found] == [int(one[:3]) for one in replies]


def test_a_reply_of_several_lines_reads_as_one_sentence() -> None:
    (found,) = Replies().feed(b"550-5.1.1 The account\r\n550-5.1.1 does not exist.\r\n550 5.1.1 Try again\r\n")
    assert text(found) == "5.1.1 The account does not exist. Try again"


def test_a_server_that_ends_lines_with_lf_alone_is_understood() -> None:
    assert [text(one) for one in Replies().feed(b"250-a\n250 b\n354\n")] == ["a b", ""]


@pytest.mark.parametrize("chunk", [b"HTTP/1.1 200\r\n", b"\r\n", b"25\r\n", b"\x16\x03\x01\r\n"])
def test_what_is_no_reply_is_garbled(chunk) -> None:
    with pytest.raises(Garbled):
        Replies().feed(chunk)


def test_a_line_or_a_reply_without_end_is_garbled() -> None:
    with pytest.raises(Garbled):
        Replies().feed(b"250 " + b"x" * 70_000)
    with pytest.raises(Garbled):
        Replies().feed(b"250-x\r\n" * 1_001)


def unstuffed(content: bytes) -> bytes:
    """What a server makes of the DATA phase."""
    return b"".join(one[1:] if one.startswith(b".") else one for one in content.splitlines(keepends=True))


words = st.sampled_from([b".", b"\r\n", b"a", b"..", b"\r\n.", b"\r\n.\r\n"])


@given(st.lists(words, max_size=12).map(b"".join))
def test_a_server_reads_back_what_was_stuffed(content) -> None:
    wire = stuffed(content)
    assert wire.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + wire
    assert unstuffed(wire) == (content if content.endswith(b"\r\n") else content + b"\r\n")


@given(st.lists(st.sampled_from([b".", b"\r", b"\n", b"a", b"\r\n"]), max_size=12).map(b"".join))
def test_no_end_of_message_hides_in_stray_line_ends(content) -> None:
    wire = b"\r\n" + stuffed(content)
    for end in (b"\n.\r\n", b"\n.\n", b"\n.\r"):
        assert end not in wire
