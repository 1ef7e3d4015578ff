"""A DNS server on a UDP port of this machine that knows what a test tells it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Records = Mapping[tuple[str, str], list[str]]
"""``("shop.example", "TXT")`` → the records as zone files write them."""


@contextmanager
def dns_server(records: Records, *, silent: bool = False) -> Iterator[str]:
    """The server's ``host:port`` for a block; a ``silent`` one never answers."""
    known = {(name.lower().rstrip(".") + ".", kind): values for (name, kind), values in records.items()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    octets, client = bound.recvfrom(4096)
                except TimeoutError:
                    continue
                if not silent:
                    bound.sendto(_answer(octets, known), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{bound.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def _answer(octets: bytes, known: Mapping[tuple[str, str], list[str]]) -> bytes:
    asked = dns.message.from_wire(octets)
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.RA | dns.flags.AA
    question = asked.question[0]
    name, kind = str(question.name).lower(), dns.rdatatype.to_text(question.rdtype)
    if (name, kind) in known:
        answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *known[name, kind]))
    elif not any(known_name == name for known_name, _ in known):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer.to_wire()
