"""SPF: who may send for a domain (RFC 7208)."""

from collections.abc import Iterator

from macli.doctor.asking import Dns, NoAnswer
from macli.doctor.finding import Finding, fail, not_verified, ok, warn

MOST_LOOKUPS = 10
_ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")


def check(dns: Dns, domain: str, host: str | None) -> Iterator[Finding]:
    """One record, at most ten look-ups, and an end that says no to others. ``host`` is who sends."""
    record = f'TXT {domain} "v=spf1 {f"a:{host}" if host else "ip4:<the server>"} -all"'
    try:
        found = _records(dns, domain)
        if not found:
            yield fail("SPF", f"{domain} has no record", record)
            return
        if len(found) > 1:
            yield fail("SPF", f"{domain} has {len(found)} records, so none counts", f"one TXT {domain} of all of them")
            return
        terms = found[0].split()[1:]
        lookups = _lookups(dns, domain, set())
    except NoAnswer as silence:
        yield not_verified("SPF", f"nobody answered: {silence}", record)
        return
    end = next((term.lower() for term in terms if term.lower().lstrip("+-~?") == "all"), None)
    if lookups > MOST_LOOKUPS:
        said = f"{domain} needs {'more than ' if lookups > 99 else ''}{lookups} look-ups, over {MOST_LOOKUPS}: it fails"
        yield fail("SPF", said, f"fewer include:, a and mx in the TXT of {domain}")
    elif end in ("all", "+all"):
        yield warn("SPF", f"{found[0]}: +all lets anybody send for {domain}", f"-all at the end of the TXT of {domain}")
    elif end == "?all" or (end is None and not any(term.lower().startswith("redirect=") for term in terms)):
        yield warn("SPF", f"{found[0]}: says nothing of others", f"-all at the end of the TXT of {domain}")
    else:
        yield ok("SPF", f"{found[0]} ({lookups} look-ups)")


def _records(dns: Dns, domain: str) -> list[str]:
    return [text for text in dns.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]


def _lookups(dns: Dns, domain: str, above: set[str]) -> int:
    """How many questions a receiver has to ask to read a record, as far as it goes in no circle."""
    count = 0
    for record in _records(dns, domain)[:1]:
        for term in record.split()[1:]:
            word = term.lower().lstrip("+-~?")
            name = word.replace("=", ":").replace("/", ":").partition(":")[0]
            if name not in _ASKING:
                continue
            count += 1
            inner = word.replace("=", ":", 1).partition(":")[2]
            if name in ("include", "redirect") and "%" not in inner:
                if inner == domain or inner in above or len(above) > MOST_LOOKUPS:
                    return count + 100  # a circle has no end
                count += _lookups(dns, inner, above | {domain})
            if count > MOST_LOOKUPS:
                return count
    return count
