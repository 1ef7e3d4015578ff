"""The replies of a mail server, out of chunks of bytes cut anywhere."""

import re

LONGEST_LINE = 65_536
MOST_LINES = 1_000

_REPEATED_STATUS = re.compile(rb"[245]\.\d{1,3}\.\d{1,3} ?")


class Garbled(Exception):
    """What came is no SMTP reply."""


class Replies:
    """Cuts a byte stream into replies; each is its lines, joined by LF, codes, CR and all.

    Replies stay bytes as they came: in a stream of accepted messages, three in four are only ever
    looked at for their code.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The replies that ``chunk`` completes. Raises Garbled."""
        if self._rest:
            chunk = self._rest + chunk
        lines = chunk.split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            raise Garbled("a reply line without end")
        complete = []
        for line in lines:
            if not line[:3].isdigit():
                raise Garbled(f"{line[:80]!r} is no SMTP reply")
            if line[3:4] == b"-":
                self._lines.append(line)
                if len(self._lines) > MOST_LINES:
                    raise Garbled("a reply without end")
            elif self._lines:
                complete.append(b"\n".join((*self._lines, line)))
                self._lines.clear()
            else:
                complete.append(line)
        return complete

    @property
    def waiting(self) -> bool:
        """Whether a part of a reply is here already."""
        return bool(self._rest or self._lines)


def code(reply: bytes) -> int:
    return int(reply[:3])


def text(reply: bytes) -> str:
    """The words of a reply in one line, an enhanced status code kept at its beginning only."""
    if b"\n" not in reply:
        return reply[4:].decode("utf-8", "replace").strip()
    first, *more = (line[4:].strip() for line in reply.split(b"\n"))
    words = [first, *(_REPEATED_STATUS.sub(b"", line, count=1) for line in more)]
    return b" ".join(words).decode("utf-8", "replace")
