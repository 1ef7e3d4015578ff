"""How good a model is: fitted on the first part of the purchases, asked for the last, compared with what came."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from macli.clock import from_ms
from macli.config import likelihoods
from macli.lifecycle import bgnbd
from macli.lifecycle.bgnbd import Histories
from macli.lifecycle.likelihood import NoFit
from macli.lifecycle.purchases import DAY, Window

Numbers: TypeAlias = npt.NDArray[np.float64]

WEEK = 7.0


def table(rows: Iterable[Sequence[Any]], columns: int) -> Numbers:
    """Rows of numbers as columns."""
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.float64)
    return flat.reshape(-1, columns).T


def histories(columns: Numbers) -> Histories:
    """Histories from x, t_x, age (in days) and how many contacts have them."""
    x, t_x, age, customers = columns
    return Histories(x=x, t_x=t_x / WEEK, T=age / WEEK, customers=customers)


def held_out(rows: Iterable[Sequence[Any]], window: Window, near: bgnbd.Params, least: int) -> dict[str, Any]:
    """What a fit on the purchases before the split said of those behind it, and what came, by band and in all.

    ``near`` are the parameters of all purchases. ``rows`` are purchases.histories_before. Says why, where the
    first part is too little to fit.
    """
    days = window.last_day - window.split + 1
    if days < 1:
        return {"not_tested": "all purchases are of a few days"}
    x, t_x, age, contacts, bought, buyers = table(rows, 6)
    if contacts[x > 0].sum() < least:
        return {"not_tested": f"fewer than {least} contacts had bought more than once before the last {days} days"}
    before = histories(np.stack((x, t_x, age, contacts)))
    try:
        params, _ = bgnbd.fit(before, near)
    except NoFit as why:
        return {"not_tested": f"the purchases before the last {days} days do not fit: {why}"}
    alive = bgnbd.alive(params, before.x, before.t_x, before.T)
    chance = alive * bgnbd.buys(params, before.x, before.T, days / WEEK)
    expected = alive * bgnbd.purchases(params, before.x, before.T, days / WEEK)
    return {
        "held_out": {
            "from": from_ms(window.split * DAY).date().isoformat(),
            "days": days,
            "contacts": int(contacts.sum()),
            "purchases": int(bought.sum()),
            "expected": round(float(contacts @ expected), 1),
            "bands": _by_band(chance, contacts, buyers),
        }
    }


def _by_band(chance: Numbers, contacts: Numbers, buyers: Numbers) -> list[dict[str, Any]]:
    place = np.searchsorted(list(likelihoods.BANDS.values()), chance)
    told = []
    for number, band in enumerate(likelihoods.BANDS):
        those = place == number
        many = float(contacts[those].sum())
        if many:
            told.append(
                {
                    "likelihood": band,
                    "contacts": int(many),
                    "percent_expected": round(100 * float(contacts[those] @ chance[those]) / many, 1),
                    "percent_bought": round(100 * float(buyers[those].sum()) / many, 1),
                }
            )
    return told
