"""The SMTP client against servers that follow a script: what each answer, and each silence, amounts to."""

import asyncio
import contextlib

import pytest
from smtp_script import TAKE, Peer, Queue, mails, play

from macli.model import Email


async def take_all(peer: Peer, *extensions: str, answer: str = "250 2.0.0 Ok: queued as A1") -> None:
    await peer.hello(*(extensions or ("PIPELINING", "8BITMIME", "SIZE 1000000")))
    while line := await peer.hear():
        if line.startswith("DATA"):
            await peer.say("354 go")
            await peer.content()
            await peer.say(answer)
        elif line == "QUIT":
            await peer.say("221 bye")
            return
        else:
            await peer.say("250 ok")


@pytest.mark.parametrize("extensions", [("PIPELINING",), ("SIZE 1000",)], ids=["pipelined", "plain"])
def test_every_message_is_marked_then_sent_then_answered_in_order(extensions) -> None:
    feed = Queue(mails(5))
    (peer,) = play(lambda peer: take_all(peer, *extensions), feed)
    assert feed.verdicts == ["accepted"] * 5
    assert feed.outcomes[3].reference == "A1"
    assert feed.log == [word for n in range(1, 6) for word in (f"mark {n}", f"done {n} accepted")]
    assert [line for line in peer.heard if line.startswith("RCPT")] == [
        f"RCPT TO:<person{n}@example.net>" for n in range(1, 6)
    ]
    assert peer.heard[-1] == "QUIT"


def test_the_next_envelope_comes_right_behind_the_final_dot() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        for _ in range(3):  # before the first message is answered
            await peer.hear()
        await peer.say("250 first", *TAKE)
        await peer.content()
        await peer.say("250 second")
        await peer.hear()

    feed = Queue(mails(2))
    play(script, feed)
    assert feed.verdicts == ["accepted", "accepted"]


def test_the_content_of_the_next_message_waits_for_the_answer_to_the_one_before() -> None:
    early: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        for _ in range(3):
            await peer.hear()
        with contextlib.suppress(TimeoutError):
            early.append(await asyncio.wait_for(peer.reader.read(1), 0.3))
        await peer.say("250 first", *TAKE)
        await peer.content()
        await peer.say("250 second")

    feed = Queue(mails(2))
    play(script, feed)
    assert early == []
    assert feed.log[:3] == ["mark 1", "done 1 accepted", "mark 2"]


def test_replies_may_dribble_in_byte_by_byte() -> None:
    async def script(peer: Peer) -> None:
        async def dribble(words: str) -> None:
            for letter in words.encode():
                peer.writer.write(bytes([letter]))
                await peer.writer.drain()
                await asyncio.sleep(0)

        await dribble("220-welcome\r\n220 here\r\n")
        await peer.hear()
        await dribble("250-script\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        for number in range(2):
            for _ in range(3):
                await peer.hear()
            await dribble("250-first\r\n250 ok\r\n250 ok\r\n354 go\r\n")
            await peer.content()
            await dribble(f"250 taken {number}\r\n")

    feed = Queue(mails(2))
    play(script, feed)
    assert feed.verdicts == ["accepted", "accepted"]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ("X",)], ids=["pipelined", "plain"])
@pytest.mark.parametrize("data", ["503 5.5.1 no valid recipients", "354 go ahead all the same"])
def test_a_refused_recipient_is_recorded_and_the_next_message_goes_on(extensions, data) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(*extensions)
        refused = False
        while line := await peer.hear():
            refused = refused and line != "RSET"
            if line == "RCPT TO:<person2@example.net>":
                refused = True
                await peer.say("550 5.1.1 <person2@example.net>: User unknown")
            elif line == "DATA" and refused:
                refused = False
                await peer.say(data)
                if data.startswith("354"):
                    assert await peer.reader.readline() == b".\r\n"
                    await peer.say("554 5.5.1 no valid recipients")
            elif line == "DATA":
                await peer.say("354 go")
                await peer.content()
                await peer.say("250 ok")
            else:
                await peer.say("250 ok")

    feed = Queue(mails(3))
    (peer,) = play(script, feed)
    assert feed.verdicts == ["accepted", "bounced", "accepted"]
    assert feed.outcomes[2].event == "email.bounced"
    assert feed.outcomes[2].code == "550 5.1.1"
    assert feed.marked == [1, 3], "what was refused before its content could leave was never marked"
    assert len(peer.contents) == 2


@pytest.mark.parametrize(
    ("answer", "verdict", "event"),
    [
        ("451 4.3.0 try later", "retry", None),
        ("554 5.7.1 looks like spam", "rejected", None),
        ("550 5.1.1 no such user", "bounced", "email.bounced"),
        ("550 5.7.26 unauthenticated", "sender_fault", None),
        ("552 5.2.2 mailbox full", "rejected", None),
    ],
)
def test_the_answer_to_the_content_decides(answer, verdict, event) -> None:
    feed = Queue(mails(1))
    play(lambda peer: take_all(peer, "PIPELINING", answer=answer), feed)
    assert feed.verdicts == [verdict]
    assert feed.outcomes[1].event == event


def test_421_before_a_message_is_the_connections_and_leaves_the_message_waiting() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        await peer.say("250 ok", "421 4.3.2 going down")
        peer.writer.close()

    feed = Queue(mails(3))
    play(script, feed)
    assert feed.verdicts == ["accepted"]
    assert [outcome.verdict for outcome in feed.refusals] == ["retry"]
    assert len(feed.waiting) == 2


def test_421_that_names_the_senders_fault_is_the_senders_fault() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.say("421 4.7.26 this mail is unauthenticated")
        peer.writer.close()

    feed = Queue(mails(1))
    play(script, feed)
    assert feed.refusals[0].verdict == "sender_fault"


def test_421_at_the_recipient_is_that_messages_retry() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.say("250 ok", "421 4.7.0 too much for this one")
        peer.writer.close()

    feed = Queue(mails(2))
    play(script, feed)
    assert feed.verdicts == ["retry"]
    assert len(feed.waiting) == 1


def test_a_connection_lost_after_the_final_dot_leaves_that_message_unknown_and_no_other() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        peer.hang_up()

    feed = Queue(mails(3))
    play(script, feed)
    assert feed.outcomes[1].verdict == "unknown"
    assert list(feed.outcomes) == [1]
    assert len(feed.waiting) == 2


def test_a_connection_lost_before_a_large_messages_dot_can_be_tried_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.reader.readexactly(1000)
        peer.hang_up()

    feed = Queue(mails(2, b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n" * 4_000_000))
    play(script, feed)
    assert feed.verdicts == ["retry"]
    assert len(feed.waiting) == 1


def test_a_connection_lost_while_the_mark_is_made_can_be_tried_again() -> None:
    class Slow(Queue):
        async def mark(self, message) -> bool:
            await asyncio.sleep(0.2)
            return await super().mark(message)

    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        peer.hang_up()

    feed = Slow(mails(2))
    play(script, feed)
    assert feed.verdicts == ["retry"]


def test_a_connection_lost_before_anything_was_marked_is_the_connections_fault() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.hear()
        peer.hang_up()

    feed = Queue(mails(2))
    play(script, feed)
    assert feed.outcomes == {}
    assert [outcome.verdict for outcome in feed.refusals] == ["retry"]


def test_an_answer_that_arrives_with_the_end_of_the_connection_counts() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        await peer.say("250 taken")
        peer.writer.close()

    feed = Queue(mails(2))
    play(script, feed)
    assert feed.verdicts == ["accepted"]


def test_a_server_that_hangs_after_the_dot_leaves_the_message_unknown() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        await asyncio.sleep(5)

    feed = Queue(mails(1))
    play(script, feed, timeout=0.2)
    assert feed.verdicts == ["unknown"]
    assert "no answer in time" in feed.outcomes[1].text


@pytest.mark.parametrize("silent_at", ["greeting", "hello", "envelope"])
def test_a_server_that_hangs_earlier_costs_nothing_but_time(silent_at) -> None:
    async def script(peer: Peer) -> None:
        if silent_at != "greeting":
            await (peer.hello("PIPELINING") if silent_at == "envelope" else peer.say("220 here"))
        await asyncio.sleep(2)

    feed = Queue(mails(1))
    play(script, feed, timeout=0.2)
    assert feed.outcomes == {}
    assert feed.refusals[0].verdict == "retry"


@pytest.mark.parametrize(
    ("greeting", "verdict"),
    [("554 5.7.1 your address is blocked", "sender_fault"), ("421 4.3.2 not now", "retry")],
)
def test_a_greeting_that_refuses(greeting, verdict) -> None:
    feed = Queue(mails(1))
    play(lambda peer: peer.say(greeting), feed)
    assert [outcome.verdict for outcome in feed.refusals] == [verdict]


def test_a_message_withdrawn_at_its_mark_does_not_leave_and_the_rest_goes_by_another_connection() -> None:
    feed = Queue(mails(4), withdrawn=[2])
    peers = play(lambda peer: take_all(peer, "PIPELINING"), feed, lives=2)
    assert sorted(feed.outcomes) == [1, 3, 4]
    assert set(feed.verdicts) == {"accepted"}
    assert sum(len(peer.contents) for peer in peers) == 3


def test_a_withdrawn_messages_connection_is_hung_up_without_a_dot() -> None:
    rest: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        rest.append(await peer.reader.read())

    feed = Queue(mails(1), withdrawn=[1])
    play(script, feed)
    assert rest in ([], [b""])
    assert feed.outcomes == {}


def test_a_connection_carries_no_more_messages_than_it_may() -> None:
    feed = Queue(mails(5))
    peers = play(lambda peer: take_all(peer, "PIPELINING"), feed, lives=3, per_connection=2)
    assert [len(peer.contents) for peer in peers] == [2, 2, 1]
    assert feed.verdicts == ["accepted"] * 5


def test_content_with_lines_that_start_with_a_dot_arrives_as_it_was() -> None:
    content = b".start\r\n..two\r\nplain\r\n.\r\n.\r\n"
    feed = Queue(mails(1, content))
    (peer,) = play(lambda peer: take_all(peer, "PIPELINING"), feed)
    arrived = b"".join(line[1:] if line[:1] == b"." else line for line in peer.contents[0].splitlines(True))
    assert arrived == content
    assert feed.verdicts == ["accepted"]


def test_content_without_a_last_line_end_gets_one() -> None:
    (peer,) = play(lambda peer: take_all(peer, "PIPELINING"), Queue(mails(1, b"a\r\n\r\nb")))
    assert peer.contents == [b"a\r\n\r\nb\r\n"]


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n"])
def test_no_line_ends_of_any_kind_smuggle_a_second_message(end) -> None:
    smuggled = b"Subject: x\r\n\r\nhello" + end + b"MAIL FROM:<evil@example.com>\r\n"
    feed = Queue(mails(1, smuggled))
    (peer,) = play(lambda peer: take_all(peer, "PIPELINING"), feed)
    assert b"\r\n..\r\n" in peer.contents[0]
    assert feed.verdicts == ["accepted"]


def test_extensions_are_used_where_they_are_offered() -> None:
    content = "Subject: x\r\n\r\nŻółć\r\n".encode()
    feed = Queue(mails(1, content, sender="zażółć@example.com", to="ann@żółw.example"))
    (peer,) = play(lambda peer: take_all(peer, "PIPELINING", "8BITMIME", "SIZE 99", "SMTPUTF8"), feed)
    assert f"MAIL FROM:<zażółć@example.com> SMTPUTF8 BODY=8BITMIME SIZE={len(content)}" in peer.heard
    assert "RCPT TO:<ann@xn--w-uga1v8h.example>" in peer.heard


def test_an_address_the_server_cannot_take_is_refused_alone() -> None:
    feed = Queue([*mails(1), *(Email(send_id=2, key="2", sender="a@b.example", to="żółć@b.example", data=b"x"),)])
    play(lambda peer: take_all(peer, "PIPELINING"), feed)
    assert feed.verdicts == ["accepted", "rejected"]
    assert "SMTPUTF8" in feed.outcomes[2].text


@pytest.mark.parametrize("to", ["a@b.example>\r\nDATA", "a b@c.example", "", "a@b\x00"])
def test_an_address_that_would_be_a_command_never_reaches_the_wire(to) -> None:
    feed = Queue([*mails(1), Email(send_id=2, key="2", sender="a@b.example", to=to, data=b"x")])
    (peer,) = play(lambda peer: take_all(peer, "PIPELINING"), feed)
    assert feed.verdicts == ["accepted", "rejected"]
    assert sum(line.startswith("RCPT") for line in peer.heard) == 1


def test_a_server_that_knows_no_ehlo_is_greeted_as_of_old() -> None:
    async def script(peer: Peer) -> None:
        await peer.say("220 old")
        await peer.hear()
        await peer.say("502 what")
        await peer.hear()
        await peer.say("250 hello")
        for answer in TAKE:
            await peer.hear()
            await peer.say(answer)
        await peer.content()
        await peer.say("250 ok")

    feed = Queue(mails(1))
    (peer,) = play(script, feed)
    assert peer.heard[1].startswith("HELO ")
    assert feed.verdicts == ["accepted"]


def test_a_cancelled_delivery_says_what_it_knows() -> None:
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello("PIPELINING")
        await peer.envelope(*TAKE)
        await peer.content()
        reached.set()
        await asyncio.sleep(5)

    async def main() -> None:
        from macli.providers.smtp import Settings, Smtp

        async def serve(reader, writer) -> None:
            await script(Peer(reader, writer))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        provider = Smtp(Settings(host="127.0.0.1", port=server.sockets[0].getsockname()[1]), name="x")
        task = asyncio.create_task(provider.deliver(feed))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.close()

    feed = Queue(mails(2))
    asyncio.run(main())
    assert feed.verdicts == ["unknown"]


def test_a_password_is_not_sent_where_nobody_asked_for_tls_and_none_is_offered(monkeypatch, tmp_path) -> None:
    from macli.secrets import Secret

    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    feed = Queue(mails(1))
    password = Secret("env:SMTP_PASSWORD", tmp_path)
    (peer,) = play(
        lambda peer: take_all(peer, "AUTH PLAIN LOGIN"), feed, username="u", password=password, host="localhost"
    )
    assert feed.refusals[0].verdict == "sender_fault"
    assert not any(line.startswith("AUTH") for line in peer.heard)


def test_a_missing_secret_stops_before_the_connection(monkeypatch, tmp_path) -> None:
    from macli.secrets import Secret

    monkeypatch.delenv("NOT_SET", raising=False)
    feed = Queue(mails(1))
    peers = play(
        lambda peer: take_all(peer), feed, username="u", password=Secret("env:NOT_SET", tmp_path), insecure=True
    )
    assert peers == []
    assert "NOT_SET" in feed.refusals[0].text


def test_what_came_in_clear_behind_the_starttls_answer_is_refused() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello("STARTTLS")
        await peer.hear()
        await peer.say("220 go", "250 injected")

    feed = Queue(mails(1))
    play(script, feed)
    assert "out of turn" in feed.refusals[0].text


def test_what_is_no_smtp_at_all_is_a_lost_connection() -> None:
    feed = Queue(mails(1))
    play(lambda peer: peer.say("HTTP/1.1 400 Bad Request"), feed)
    assert feed.refusals[0].verdict == "retry"
    assert "no SMTP reply" in feed.refusals[0].text
