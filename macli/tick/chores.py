"""What a tick does besides campaigns: each chore says by a cheap question whether there is anything to do.

A chore's module is imported only when there is, so an idle tick stays as quick as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from macli.clock import to_ms
from macli.errors import MacliError
from macli.tick.engine import Engine

Trouble = Callable[[str, str], None]
"""Told of who could not be reached, and why."""


@dataclass(frozen=True, kw_only=True)
class Chore:
    """``run`` is ``module:function``, called with (engine, trouble); it returns how many things it dealt with.

    ``due`` is SQL for true where there may be something to do; it may use ``:now``. What a chore that
    ``warns`` tells is a warning and no trouble. A chore that brings up to date what time has changed names
    that in ``sweeps``; what the others dealt with was heard from outside.
    """

    name: str
    run: str
    due: str
    warns: bool = False
    sweeps: str | None = None


CHORES: tuple[Chore, ...] = (
    Chore(
        name="mailboxes",
        run="macli.mailbox.polling:poll",
        due="EXISTS (SELECT 1 FROM mailboxes WHERE coalesce(read_at, 0) <= :now - 55000 OR read_at > :now)",
    ),
    Chore(
        name="complaints",
        run="macli.tick.complaints:judge",
        due="EXISTS (SELECT 1 FROM meta WHERE key = 'complaints_from')",
        warns=True,
    ),
    Chore(name="hits", run="macli.hits.digest:chore", due="EXISTS (SELECT 1 FROM hits WHERE class IS NULL)"),
    Chore(
        name="retention",
        run="macli.privacy.retention:chore",
        due="""
        NOT EXISTS (
          SELECT 1
          FROM meta
          WHERE key = 'retention_at'
            AND CAST(value AS INTEGER) > :now - 86400000
            AND CAST(value AS INTEGER) <= :now
        )
        """,
    ),
    Chore(
        name="erasure",
        run="macli.privacy.sweeping:chore",
        due="EXISTS (SELECT 1 FROM meta WHERE key = 'erasure_unswept')",
    ),
    Chore(
        name="decay",
        run="macli.lifecycle.decaying:chore",
        sweeps="decayed",
        due="EXISTS (SELECT 1 FROM point_ledger WHERE decays_at <= :now)",
    ),
    Chore(
        name="rfm",
        run="macli.lifecycle.rfm:chore",
        sweeps="moved to another RFM band",
        due="EXISTS (SELECT 1 FROM rfm_bands WHERE moves_at <= :now)",
    ),
    Chore(
        name="baskets",
        run="macli.visitors.baskets:drop",
        due="""
        coalesce((SELECT max(id) FROM events), 0) > coalesce(
          (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'baskets_cursor'), -1
        ) OR EXISTS (
          SELECT 1
          FROM events
          WHERE name = coalesce((SELECT value FROM settings WHERE key = 'baskets.event'), 'cart.updated')
            AND at > (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'baskets_upto')
        )
        """,
    ),
    Chore(
        name="owners",
        run="macli.people.assigning:chore",
        sweeps="given an owner",
        due="""
        EXISTS (SELECT 1 FROM owner_rules WHERE active = 1)
        AND coalesce((SELECT max(id) FROM contacts), 0) > coalesce(
          (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'owners_cursor'), 0
        )
        """,
    ),
    Chore(
        name="predictions",
        run="macli.lifecycle.refitting:chore",
        sweeps="predicted",
        due="""
        EXISTS (SELECT 1 FROM settings WHERE key = 'predictions.refit') AND NOT EXISTS (
          SELECT 1
          FROM meta
          WHERE key = 'predictions_looked_at'
            AND CAST(value AS INTEGER) > :now - 3600000
            AND CAST(value AS INTEGER) <= :now
        )
        """,
        warns=True,
    ),
)
"""In this order, before contacts are enrolled."""


def run(engine: Engine, trouble: Trouble, warning: Trouble, failure: Trouble) -> tuple[int, dict[str, int]]:
    """Do the chores that are due; how many things were heard, and how many brought up to date, by what they are.

    ``failure`` is told of a chore that could not be done.
    """
    heard, swept = 0, {}
    for chore in CHORES:
        dealt_with = _one(engine, chore, warning if chore.warns else trouble, failure)
        if chore.sweeps is None:
            heard += dealt_with
        elif dealt_with:
            swept[chore.sweeps] = dealt_with
    return heard, swept


def _one(engine: Engine, chore: Chore, told: Trouble, failure: Trouble) -> int:
    try:
        if not is_due(engine, chore):
            return 0
        module, _, function = chore.run.partition(":")
        dealt_with: int = getattr(import_module(module), function)(engine, told)
        return dealt_with
    except Exception as error:
        # Whatever is wrong with one chore keeps neither the others nor the campaigns from going on.
        failure(chore.name, error.message if isinstance(error, MacliError) else f"{type(error).__name__}: {error}")
        return 0


def is_due(engine: Engine, chore: Chore) -> bool:
    """Whether there may be something to do."""
    return bool(engine.store.value(f"SELECT {chore.due}", {"now": to_ms(engine.now)}))
