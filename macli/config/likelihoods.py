"""The bands of a prediction: small, medium, high and very high."""

from itertools import pairwise

from macli.errors import UnknownName

BANDS = {"small": 0.25, "medium": 0.5, "high": 0.75, "very high": 1.0}
"""The bands, the lowest first, and the highest probability in each: exactly 25 % is small, what is more is not."""


def read(text: str) -> str:
    """The band of that name; ``large`` is another word for high. Raises UnknownName."""
    words = " ".join(text.split()).casefold().replace("-", " ").replace("_", " ").replace("large", "high")
    if words not in BANDS:
        raise UnknownName("likelihood", text, BANDS, hint=f"one of {', '.join(BANDS)}")
    return words


def of(probability: float) -> str:
    """The band a probability from 0 to 1 is in."""
    return next(name for name, highest in BANDS.items() if probability <= highest)


def limits(band: str) -> tuple[float, float]:
    """What the probabilities of a band are more than, and what they are at most."""
    bounds = dict(zip(BANDS, pairwise((-1.0, *BANDS.values())), strict=True))
    return bounds[band]


def sql(column: str) -> str:
    """An SQL expression of the band a probability is in, as a number from 0; NULL of NULL."""
    cases = " ".join(f"WHEN {column} > {highest} THEN {place}" for place, highest in reversed(_steps()))
    return f"CASE {cases} WHEN {column} IS NOT NULL THEN 0 END"


def _steps() -> list[tuple[int, float]]:
    return [(place, highest) for place, highest in enumerate(BANDS.values(), start=1)][:-1]
