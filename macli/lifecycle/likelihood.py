"""Maximum likelihood: the positive parameters under which what was seen is the likeliest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Numbers: TypeAlias = npt.NDArray[np.float64]
Likelihood: TypeAlias = Callable[[Numbers], tuple[float, Numbers]]
"""The log-likelihood under some parameters, and its gradient by them."""

_FURTHEST = 10.0
"""The logarithm a parameter goes to at most, either way: e¹⁰ is 22,000."""
_FLAT = 1e-4
_MOST_STARTS = 5


class NoFit(Exception):
    """No parameters were found to be the best."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The best parameters by name, the log-likelihood under them, and how often it was evaluated.

    ``at_limit`` are those that went as far as they may: what they say of differences between customers is that
    there are none to be seen, and any further value would say the same.
    """

    values: Mapping[str, float]
    at_limit: tuple[str, ...]
    log_likelihood: float
    evaluations: int


def maximise(likelihood: Likelihood, start: Mapping[str, float], *, observations: float) -> Fitted:
    """The parameters, by the names of ``start``, with the greatest likelihood. Raises NoFit.

    Sought among their logarithms, which keeps them positive, and per observation, so that a step is as
    long for a million of them as for a thousand.
    """

    def cost(logs: Numbers) -> tuple[float, Numbers]:
        params = np.exp(logs)
        value, gradient = likelihood(params)
        return -value / observations, -gradient * params / observations

    logs = np.log(np.array(list(start.values())))
    evaluations = 0
    for _ in range(_MOST_STARTS):
        found = minimize(
            cost,
            np.clip(logs, -_FURTHEST, _FURTHEST),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_FURTHEST, _FURTHEST)] * len(start),
            options={"ftol": 1e-13, "gtol": 1e-8},
        )
        logs, evaluations = found.x, evaluations + int(found.nfev)
        at_limit = np.abs(logs) > _FURTHEST - 0.01
        # On a ridge its idea of the curvature can go wrong, and a step ends early: it starts again from there.
        if np.all(np.isfinite(logs)) and np.max(np.abs(found.jac[~at_limit]), initial=0) <= _FLAT:
            break
    else:
        raise NoFit("no best parameters were found")
    return Fitted(
        values=dict(zip(start, np.exp(logs).tolist(), strict=True)),
        at_limit=tuple(name for name, there in zip(start, at_limit, strict=True) if there),
        log_likelihood=-float(found.fun) * observations,
        evaluations=evaluations,
    )
