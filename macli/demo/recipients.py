"""The demo's recipients: they get the outbox's mails and do with them what people, and programs, do.

Every open, click and no is a real request to the demo's own macli serve.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from macli.errors import OperationFailed

BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
)
APPLE = "Mozilla/5.0"
"""What Apple's proxy calls itself, which loads the pictures of every mail, read or not."""
SCANNER = "Barracuda Sentinel (EE)"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What a mail in the outbox asks of its reader: the paths of its pixel, its links and its one-click no."""

    file: Path
    to: str
    pixel: str
    links: tuple[str, ...]
    unsubscribe: str


def mails(files: Iterable[Path], base: str) -> Iterator[Mail]:
    """The mails in the outbox that carry links to ``base``."""
    for file in files:
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        html = message.get_body(("html",))
        if html is None:
            continue
        found = [match.replace("&amp;", "&") for match in re.findall(r'(?:href|src)="([^"]+)"', html.get_content())]
        paths = [urlsplit(url).path for url in found if url.startswith(base)]
        listed = re.search(rf"<{re.escape(base)}([^>]+)>", str(message["List-Unsubscribe"] or ""))
        pixels = [path for path in paths if path.startswith("/o/")]
        if listed and pixels:
            yield Mail(
                file=file,
                to=message["To"].addresses[0].addr_spec,
                pixel=pixels[0],
                links=tuple(dict.fromkeys(path for path in paths if path[:3] in ("/c/", "/r/"))),
                unsubscribe=listed[1],
            )


class Browser:
    """One connection to the demo's server."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._connection = HTTPConnection(urlsplit(base).netloc, timeout=30)

    def get(self, path: str, agent: str, *, method: str = "GET") -> int:
        return self._ask(method, path, None, {"User-Agent": agent})

    def post(self, path: str, body: str, agent: str) -> int:
        headers = {"User-Agent": agent, "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, body, headers)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> int:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status >= 400:
            raise OperationFailed(f"{method} {self._base}{path} was answered by {answer.status}")
        return answer.status

    def close(self) -> None:
        self._connection.close()


@contextmanager
def browsing(base: str) -> Iterator[Browser]:
    browser = Browser(base)
    try:
        yield browser
    finally:
        browser.close()
