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

_FURTHEST = 12.0
"""The logarithm beyond which a parameter runs off: e¹² is 160,000."""
_FLAT = 1e-4
_MOST_STEPS = 500


class NoFit(Exception):
    """Why no parameters are the best."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The best parameters by name, the log-likelihood under them, and how often it was evaluated."""

    values: Mapping[str, float]
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

    found = minimize(
        cost,
        np.log(np.array(list(start.values()))),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_FURTHEST, _FURTHEST)] * len(start),
        options={"maxiter": _MOST_STEPS, "ftol": 1e-13, "gtol": 1e-8},
    )
    for name, log in zip(start, found.x, strict=True):
        if abs(log) > _FURTHEST - 0.01:
            raise NoFit(f"its parameter {name} runs off to {'infinity' if log > 0 else 'nothing'}")
    if not np.all(np.isfinite(found.x)) or np.max(np.abs(found.jac)) > _FLAT:
        raise NoFit("no best parameters were found")
    values = {name: float(value) for name, value in zip(start, np.exp(found.x), strict=True)}
    return Fitted(values=values, log_likelihood=-float(found.fun) * observations, evaluations=int(found.nfev))
