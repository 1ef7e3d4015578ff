"""The predicates, by subject. Each is a class: how it is written, its SQL, and a docstring that is its
documentation; the function that reads it from the grammar stands below it."""

from macli.rules.predicates import (
    attributes,
    consents,
    dates,
    events,
    lifecycle,
    membership,
    messages,
    owners,
    predictions,
    scores,
    tags,
    visits,
    work,
)

SUBJECTS = (
    attributes,
    dates,
    tags,
    consents,
    events,
    visits,
    messages,
    membership,
    scores,
    lifecycle,
    predictions,
    owners,
    work,
)
"""In the order of the reference."""

__all__ = ["SUBJECTS"]
