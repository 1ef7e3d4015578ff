"""Gamma-Gamma: what a customer spends on a purchase, seen from what it spent so far.

The model of Fader and Hardie ("The Gamma-Gamma Model of Monetary Value", 2013). The values of a customer's
purchases are Gamma(p, nu) around a mean of its own, and nu is spread over all customers as Gamma(q, v). It
holds where what is spent does not depend on how often.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, psi

from macli.lifecycle.likelihood import Fitted, maximise

Numbers: TypeAlias = npt.NDArray[np.float64]

NAME = "Gamma-Gamma"
_CHUNK = 1 << 13


@dataclass(frozen=True, kw_only=True)
class Params:
    """The three numbers of the model; ``v`` is in the unit of the values."""

    p: float
    q: float
    v: float


def fit(x: Numbers, mean: Numbers) -> tuple[Params, Fitted]:
    """The parameters under which these are the likeliest: ``x`` purchases of a customer, ``mean`` their mean value.

    Both are above zero. Raises NoFit.
    """
    start = {"p": 2.0, "q": 3.0, "v": float(mean.mean())}
    fitted = maximise(_Likelihood(x, mean), start, observations=float(len(x)))
    return Params(**fitted.values), fitted


class _Likelihood:
    """The log-likelihood and its gradient. What depends on ``x`` alone is counted once for each ``x``."""

    def __init__(self, x: Numbers, mean: Numbers) -> None:
        self._x, place = np.unique(x, return_inverse=True)
        self._customers = np.bincount(place).astype(np.float64)
        spent = x * mean
        self._log_spent = float(x @ np.log(spent))
        self._log_mean = float(np.log(mean).sum())
        self._chunks = [
            (x[start : start + _CHUNK], spent[start : start + _CHUNK]) for start in range(0, len(x), _CHUNK)
        ]

    def __call__(self, params: Numbers) -> tuple[float, Numbers]:
        p, q, v = params
        x, n = self._x, self._customers
        everybody = n.sum()
        shape = p * x
        total = n @ (gammaln(shape + q) - gammaln(shape) - gammaln(q)) + everybody * q * np.log(v)
        total += p * self._log_spent - self._log_mean
        both = psi(shape + q)
        gradient = np.array(
            [
                n @ (x * (both - psi(shape))) + self._log_spent,
                n @ (both - psi(q)) + everybody * np.log(v),
                everybody * q / v,
            ]
        )
        for count, spent in self._chunks:
            logs, shapes = np.log(spent + v), p * count + q
            total -= shapes @ logs
            gradient -= (count @ logs, logs.sum(), (shapes / (spent + v)).sum())
        return float(total), gradient


def value(params: Params, x: Numbers, mean: Numbers) -> Numbers:
    """The value to expect of a customer's next purchase; NaN where the model has no mean to go by.

    ``mean`` is that of its ``x`` purchases so far, and counts the more the more there are.
    """
    freedom = params.p * x + params.q - 1
    expected = params.p * (params.v + x * mean) / np.where(freedom > 0, freedom, 1.0)
    return np.where(freedom > 0, expected, np.nan)
