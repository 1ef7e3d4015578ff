"""The hosts behind a domain: where its mail comes in, and the one that sends."""

from collections.abc import Iterator
from ipaddress import ip_address

from macli.doctor.asking import Dns, NoAnswer
from macli.doctor.finding import Finding, fail, not_verified, ok, warn


def incoming(dns: Dns, domain: str) -> Iterator[Finding]:
    """Whether the domain takes mail: answers and bounces have to come somewhere."""
    record = f"MX {domain} 10 <the mail server>"
    try:
        found = dns.hosts(domain)
        if not found:
            yield warn("MX", f"{domain} has no mail server: answers and bounces have nowhere to go", record)
        elif "." in found:
            yield fail("MX", f"{domain} says that it takes no mail", record)
        elif not dns.addresses(found[0]):
            yield fail("MX", f"{found[0]} has no address", f"A {found[0]} <its address>")
        else:
            yield ok("MX", f"{domain}: {', '.join(found)}")
    except NoAnswer as silence:
        yield not_verified("MX", f"nobody answered: {silence}", record)


def reverse(dns: Dns, host: str | None) -> Iterator[Finding]:
    """Whether each address of the sending host bears a name that leads back to it."""
    if host is None:
        yield not_verified("PTR", "the sending host is not known", "macli doctor domain --host HOST")
        return
    try:
        addresses = [host] if _is_address(host) else dns.addresses(host)
        if not addresses:
            yield fail("PTR", f"{host} has no address", f"A {host} <its address>")
        for address in addresses:
            yield _reverse(dns, host, address)
    except NoAnswer as silence:
        yield not_verified("PTR", f"nobody answered: {silence}")


def _reverse(dns: Dns, host: str, address: str) -> Finding:
    if not ip_address(address).is_global and _is_local(address):
        said = f"{address} is this machine's own: where its mail leaves is not seen from here"
        return not_verified("PTR", said, "macli doctor domain --host HOST")
    names = dns.names(address)
    record = f"PTR {address} {host if not _is_address(host) else '<its name>'}"
    if not names:
        return fail("PTR", f"{address} has no name", record)
    for name in names:
        if address in dns.addresses(name):
            return ok("PTR", f"{address} is {name} and back")
    return fail("PTR", f"{address} is called {names[0]}, which does not lead back to it", record)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_local(address: str) -> bool:
    found = ip_address(address)
    return found.is_loopback or found.is_link_local or found.is_unspecified
