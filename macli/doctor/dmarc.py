"""DMARC: the policy of a domain, and whether its mail is aligned with it (RFC 7489)."""

from collections.abc import Iterator, Sequence

from macli.doctor.asking import Dns, NoAnswer
from macli.doctor.dkim import tags_of
from macli.doctor.domains import aligned, organisation
from macli.doctor.finding import Finding, fail, not_verified, ok, warn


def check(dns: Dns, domain: str, *, return_path: str | None, signers: Sequence[str] | None) -> Iterator[Finding]:
    """The policy; then whether the return path's or a signer's domain is From's. ``signers``: None where
    no sample says."""
    record = f'TXT _dmarc.{domain} "v=DMARC1; p=none; rua=mailto:dmarc@{organisation(domain)}"'
    try:
        tags = _policy(dns, domain)
    except NoAnswer as silence:
        yield not_verified("DMARC", f"nobody answered: {silence}", record)
        yield not_verified("alignment", "the policy is not known")
        return
    if tags is None:
        yield fail("DMARC", f"{domain} has no policy", record)
    elif tags.get("p", "").lower() not in ("none", "quarantine", "reject"):
        yield fail("DMARC", f"the policy of {domain} says nothing: p={tags.get('p', '')}", record)
    elif "rua" not in tags:
        yield warn("DMARC", f"p={tags['p']}; nobody gets the reports", f"rua=mailto:dmarc@{organisation(domain)} in it")
    else:
        yield ok("DMARC", f"p={tags['p']}")
    if tags is None:
        yield not_verified("alignment", "there is no policy to be aligned with")
    else:
        yield _alignment(domain, tags, return_path, signers)


def _policy(dns: Dns, domain: str) -> dict[str, str] | None:
    """The tags of the domain's policy, else of its organisation's; None where there is none, or several."""
    for name in dict.fromkeys((domain, organisation(domain))):
        found = [text for text in dns.texts(f"_dmarc.{name}") if tags_of(text).get("v", "").upper() == "DMARC1"]
        if found:
            return tags_of(found[0]) if len(found) == 1 else None
    return None


def _alignment(domain: str, tags: dict[str, str], return_path: str | None, signers: Sequence[str] | None) -> Finding:
    ways = []
    if return_path is not None and aligned(domain, return_path, strict=tags.get("aspf") == "s"):
        ways.append(f"SPF by the return path at {return_path}")
    ways += [
        f"DKIM by {signer}" for signer in signers or () if aligned(domain, signer, strict=tags.get("adkim") == "s")
    ]
    if ways:
        return ok("alignment", f"From at {domain}: {', '.join(dict.fromkeys(ways))}")
    if signers is None:
        where = f"the return path is at {return_path}" if return_path else "the provider sets the return path"
        said = f"{where}, so DKIM has to sign as {domain}"
        return not_verified("alignment", said, "macli doctor domain --message FILE")
    return fail("alignment", f"neither return path nor signature is {domain}'s", f"sign as {domain}")
