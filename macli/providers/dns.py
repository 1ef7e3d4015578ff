"""The DNS records a sending domain needs so that receivers believe its mail."""

from collections.abc import Iterator, Mapping

from macli.errors import UsageError

NOT_VERIFIED = "not verified"
"""What every record is: nothing here asks the DNS, and what was not asked is never called right."""


def records(kind: str, domain: str) -> Iterator[Mapping[str, str]]:
    """The records to add for mail from ``domain`` through a provider of this kind."""
    domain = domain.strip().rstrip(".").lower()
    if "." not in domain or "@" in domain or not domain.isprintable() or " " in domain:
        raise UsageError(f"{domain!r} is no domain", hint="macli provider dns-check NAME example.com")
    if kind == "smtp2go":
        # The numbers are the account's own: SMTP2GO shows them under Sending > Verified Senders.
        yield _record("CNAME", f"em<number>.{domain}", "return.smtp2go.net", "return path and SPF")
        yield _record("CNAME", f"s<number>._domainkey.{domain}", "dkim.smtp2go.net", "DKIM signature")
        yield _record("CNAME", f"link.{domain}", "track.smtp2go.net", "tracked links, if SMTP2GO tracks them")
    else:
        yield _record("TXT", domain, "v=spf1 ip4:<the server's address> -all", "SPF: who may send")
        yield _record("TXT", f"<selector>._domainkey.{domain}", "v=DKIM1; k=rsa; p=<the key>", "DKIM signature")
    yield _record("TXT", f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}", "DMARC policy")
    yield _record("MX", domain, "<where replies and bounces go>", "replies and bounces")


def _record(kind: str, name: str, value: str, purpose: str) -> Mapping[str, str]:
    return {"type": kind, "name": name, "value": value, "for": purpose, "status": NOT_VERIFIED}
