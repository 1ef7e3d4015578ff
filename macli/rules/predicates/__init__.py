"""The predicates, by subject. Each is a class: how it is written, its SQL, and a docstring that is its
documentation; the function that reads it from the grammar stands below it."""

from macli.rules.predicates import attributes, consents, dates, events, membership, messages, tags, visits

SUBJECTS = (attributes, dates, tags, consents, events, visits, messages, membership)
"""In the order of the reference. Scores and stages will stand here, a module of their own."""

__all__ = ["SUBJECTS"]
