"""A sending domain from outside: SPF, DKIM, DMARC, MX, PTR and TLS, and which record is missing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from macli.context import Macli
from macli.doctor import dkim, dmarc, hosts, spf
from macli.doctor.asking import Dns
from macli.doctor.finding import Finding, fail, not_verified, ok, warn
from macli.errors import MacliError, UsageError
from macli.providers.smtp import Smtp


def examine(
    macli: Macli,
    domain: str | None,
    *,
    dns: Dns,
    selectors: Sequence[str] = (),
    sample: Path | None = None,
    host: str | None = None,
) -> Iterator[Finding]:
    """Every question about a domain (the sender's, unless given). ``sample`` is a mail as it arrived;
    ``host`` sends, where it is not the provider's. Raises UsageError where there is no domain."""
    provider = _provider(macli)
    domain = _domain(macli, provider, domain)
    signatures = None if sample is None else dkim.signatures(sample.read_bytes())
    relayed = provider is not None and provider.kind != "smtp"  # it sets the return path to its own
    sender = host or (provider.settings.host if provider is not None and not relayed else None)
    return_path = None if relayed else _return_path(macli, domain)
    yield from spf.check(dns, return_path or domain, sender)
    yield from dkim.check(dns, domain, selectors, signatures)
    signers = None if signatures is None else [one.domain for one in signatures]
    yield from dmarc.check(dns, domain, return_path=return_path, signers=signers)
    for place in dict.fromkeys((domain, return_path or domain)):
        yield from hosts.incoming(dns, place)
    if relayed and host is None:
        yield ok("PTR", f"{provider.name}'s own matter") if provider else not_verified("PTR", "no provider")
    else:
        yield from hosts.reverse(dns, sender)
    yield from _tls(provider)


def _domain(macli: Macli, provider: Smtp | None, domain: str | None) -> str:
    address = macli.setting("sender.email") or (provider and provider.sender) or ""
    found = (domain or str(address).rpartition("@")[2]).strip().rstrip(".").lower()
    if not found:
        raise UsageError("no domain: nobody sends yet", hint="macli doctor domain example.com")
    labels = found.split(".")
    if len(labels) < 2 or not all(0 < len(label) < 64 and label.replace("-", "").isalnum() for label in labels):
        raise UsageError(f"{found!r} is no domain", hint="macli doctor domain example.com")
    if found.isascii():
        return found
    import idna

    try:
        return idna.encode(found, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise UsageError(f"{found!r} is no domain: {error}") from None


def _return_path(macli: Macli, domain: str) -> str:
    address = macli.setting("bounces.address")
    return str(address).rpartition("@")[2].lower() if address else domain


def _provider(macli: Macli) -> Smtp | None:
    """Who carries e-mail, where that is a mail server."""
    from macli.store import channels, providers

    provider_id = channels.get(macli.store, "email")["provider_id"]
    name = macli.store.value("SELECT name FROM providers WHERE id = :id", {"id": provider_id})
    if name is None:
        return None
    found = providers.load(macli.store, name, workspace=macli.workspace.path)
    return found if isinstance(found, Smtp) else None


def _tls(provider: Smtp | None) -> Iterator[Finding]:
    """Whether mail travels encrypted to the server that takes it, and the server is who it says."""
    if provider is None:
        yield not_verified("TLS", "no mail server carries e-mail", "macli provider add smtp --help")
        return
    where = f"{provider.settings.host}:{provider.settings.port}"
    if provider.settings.encryption == "none":
        yield warn("TLS", f"{where} is used without", f"macli provider edit {provider.name} --set security=starttls")
        return
    try:
        steps = {check.step: check for check in provider.check()}
    except MacliError as error:
        yield not_verified("TLS", error.message, error.hint or "")
        return
    tls = steps.get("TLS")
    if tls is None:
        last = list(steps.values())[-1]
        yield not_verified("TLS", f"{where}: {last.step}: {last.detail}", f"macli provider test {provider.name}")
    elif not tls.ok:
        yield fail("TLS", f"{where}: {tls.detail}", "a valid certificate on that server, and STARTTLS")
    elif not provider.settings.verify:
        yield warn(
            "TLS", f"{where}: the certificate is not verified", f"macli provider edit {provider.name} --set verify=true"
        )
    else:
        yield ok("TLS", f"{where}: {tls.detail}")
