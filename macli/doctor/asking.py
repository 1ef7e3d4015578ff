"""Asking the DNS: what stands there, nothing, or that nobody answered."""

from functools import cached_property
from typing import Any

from macli.errors import UsageError


class NoAnswer(Exception):
    """The DNS could not be asked, so nothing is known."""


class Dns:
    """A resolver: the machine's, or the one at ``host:port``. ``timeout`` in seconds for each question."""

    def __init__(self, server: str | None = None, *, timeout: float = 5.0) -> None:
        self._server = server
        self._timeout = timeout

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name. Raises NoAnswer."""
        return [b"".join(record.strings).decode("utf-8", "replace") for record in self._ask(name, "TXT")]

    def hosts(self, name: str) -> list[str]:
        """The mail servers of a domain, the preferred first; ``.`` says that it takes no mail. Raises NoAnswer."""
        records = sorted(self._ask(name, "MX"), key=lambda record: record.preference)
        return [str(record.exchange).rstrip(".").lower() or "." for record in records]

    def addresses(self, name: str) -> list[str]:
        """The addresses of a host. Raises NoAnswer."""
        return [record.address for kind in ("A", "AAAA") for record in self._ask(name, kind)]

    def names(self, address: str) -> list[str]:
        """The names an address bears (PTR). Raises NoAnswer."""
        from dns.reversename import from_address

        return [str(record.target).rstrip(".").lower() for record in self._ask(str(from_address(address)), "PTR")]

    def _ask(self, name: str, kind: str) -> list[Any]:
        from dns import exception, resolver

        try:
            return list(self._resolver.resolve(name, kind, search=False))
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return []
        except exception.DNSException as error:
            raise NoAnswer(f"{kind} of {name}: {type(error).__name__}") from None
        except OSError as error:
            raise NoAnswer(f"{kind} of {name}: {error}") from None

    @cached_property
    def _resolver(self) -> Any:
        from dns import exception, resolver

        try:
            made = resolver.Resolver(configure=self._server is None)
        except exception.DNSException as error:
            raise NoAnswer(f"no resolver: {error}") from None
        made.lifetime = made.timeout = self._timeout
        if self._server is not None:
            host, colon, port = self._server.rpartition(":")
            if not colon:
                host, port = self._server, "53"
            try:
                made.nameservers = [host.strip("[]")]
                made.port = int(port)
            except ValueError:
                raise UsageError(f"--resolver {self._server!r} is no server", hint="--resolver 9.9.9.9:53") from None
        return made
