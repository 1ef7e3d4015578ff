"""What belongs together among domain names: the organisation's domain, and whether two are aligned."""

_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gob", "gov", "gouv", "mil", "ne", "net", "or", "org", "sch"})


def organisation(domain: str) -> str:
    """The domain an organisation registered: ``news.shop.example`` → ``shop.example``, ``a.b.co.uk`` → ``b.co.uk``.

    By the shape of the name, without a list of public suffixes: the last two labels, three under a
    country's general second level.
    """
    labels = domain.lower().rstrip(".").split(".")
    general = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if general else labels[-2:])


def aligned(one: str, other: str, *, strict: bool) -> bool:
    """Whether two domains are one for DMARC: the same, or (relaxed) of the same organisation."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    return one == other or (not strict and organisation(one) == organisation(other))
