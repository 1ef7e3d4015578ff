"""DKIM: the keys under a domain, and what a sample of our mail shows of its signature (RFC 6376)."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from macli.doctor.asking import Dns, NoAnswer
from macli.doctor.domains import aligned
from macli.doctor.finding import Finding, fail, not_verified, ok, warn

COMMON = (
    *("default", "mail", "dkim", "smtp", "mx", "news", "s1", "s2", "selector1", "selector2", "google"),
    *("k1", "k2", "k3", "key1", "s1024", "s2048", "2023", "2024", "2025", "2026"),
)
"""Selectors many use: tried where nobody says which is ours."""

COVERED = ("list-unsubscribe", "list-unsubscribe-post")
"""Headers a signature has to cover for one-click unsubscribing to be offered (RFC 8058)."""

_SHORT = 200
"""Octets of a key in DER: 2048 bits are 294, 1024 are 162."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a DKIM-Signature header says: who signs, with which key, and which headers."""

    domain: str
    selector: str
    headers: frozenset[str]


def signatures(octets: bytes) -> list[Signature]:
    """The signatures of a message."""
    from email import message_from_bytes

    found = []
    for value in message_from_bytes(octets).get_all("DKIM-Signature", []):
        tags = tags_of(str(value))
        found.append(
            Signature(
                domain=tags.get("d", "").lower(),
                selector=tags.get("s", ""),
                headers=frozenset(name.strip().lower() for name in tags.get("h", "").split(":")),
            )
        )
    return found


def tags_of(text: str) -> dict[str, str]:
    """``v=DKIM1; p=…`` by its tags."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip().lower(): "".join(value.split()) for name, _, value in pairs}


def check(dns: Dns, domain: str, selectors: Sequence[str], sample: Sequence[Signature] | None) -> Iterator[Finding]:
    """The keys of the selectors named, of the sample's, or of common ones; then what the sample covers."""
    own = [one for one in sample or () if aligned(one.domain, domain, strict=False)]
    named = [(domain, selector) for selector in selectors] + [(one.domain, one.selector) for one in own]
    record = f'TXT <selector>._domainkey.{domain} "v=DKIM1; k=rsa; p=<the key>"'
    try:
        if named:
            for place, selector in dict.fromkeys(named):
                yield _key(dns, place, selector)
        else:
            found = [selector for selector in COMMON if _texts(dns, domain, selector)]
            for selector in found:
                yield _key(dns, domain, selector)
            if not found:
                said = "no key under the selectors many use; name yours with --selector, or --message FILE"
                yield not_verified("DKIM", said, record)
    except NoAnswer as silence:
        yield not_verified("DKIM", f"nobody answered: {silence}", record)
    yield from _covered(domain, own, sample)


def _texts(dns: Dns, domain: str, selector: str) -> list[str]:
    return [text for text in dns.texts(f"{selector}._domainkey.{domain}") if "p=" in text.replace(" ", "")]


def _key(dns: Dns, domain: str, selector: str) -> Finding:
    name = f"{selector}._domainkey.{domain}"
    found = _texts(dns, domain, selector)
    if not found:
        return fail("DKIM", f"{name} has no key", f'TXT {name} "v=DKIM1; k=rsa; p=<the key>"')
    tags = tags_of(found[0])
    if not tags["p"]:
        return fail("DKIM", f"{name}: the key is revoked", f'TXT {name} "v=DKIM1; k=rsa; p=<a new key>"')
    try:
        octets = b64decode(tags["p"], validate=True)
    except ValueError:
        return fail("DKIM", f"{name}: the key is no base64", f'TXT {name} "v=DKIM1; k=rsa; p=<the key>"')
    if tags.get("k", "rsa") == "rsa" and len(octets) < _SHORT:
        return warn("DKIM", f"{name}: the key has 1024 bits or fewer", "a key of 2048 bits")
    return ok("DKIM", f"{name} has a key")


def _covered(domain: str, own: Sequence[Signature], sample: Sequence[Signature] | None) -> Iterator[Finding]:
    check = "List-Unsubscribe signed"
    if sample is None:
        yield not_verified(
            check, "needs a mail as it arrived: save one to a file", "macli doctor domain --message FILE"
        )
    elif not own:
        said = "no signature" if not sample else f"signed by {', '.join(one.domain for one in sample)} alone"
        yield fail(check, f"the sample has {said}: receivers offer no unsubscribing", f"sign as {domain}")
    else:
        missing = [name for name in COVERED if not any(name in one.headers for one in own)]
        if missing:
            yield warn(check, f"the signature leaves out {' and '.join(missing)}", "let the signer cover both headers")
        else:
            yield ok(check, "the signature covers both headers")
