"""BG/NBD: how often customers buy while they are customers, and when they leave.

The model of Fader, Hardie and Lee ("Counting Your Customers" the Easy Way, Marketing Science 24, 2005). While
a customer is there, purchases come at random at a rate of the customer's own; after each repeat purchase the
customer leaves with a chance of its own. Rates are spread over all customers as Gamma(r, alpha), chances as
Beta(a, b). Times are in weeks.
"""

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, expit, gammaln, psi

from macli.lifecycle.likelihood import Fitted, maximise

Numbers: TypeAlias = npt.NDArray[np.float64]

NAME = "BG/NBD"
_CHUNK = 1 << 13
_NODES = 48


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Histories and how many customers have each: ``x`` repeat purchases, the last of them ``t_x`` weeks after
    the first purchase, which was ``T`` weeks ago."""

    x: Numbers
    t_x: Numbers
    T: Numbers
    customers: Numbers


@dataclass(frozen=True, kw_only=True)
class Params:
    """The four numbers of the model; ``alpha`` is in weeks."""

    r: float
    alpha: float
    a: float
    b: float


def fit(histories: Histories, near: Params | None = None) -> tuple[Params, Fitted]:
    """The parameters under which these histories are the likeliest, sought from ``near`` on. Raises NoFit."""
    repeat = histories.x > 0
    customers = histories.customers
    weeks = float((customers * histories.T).sum() / customers.sum())
    start = {"r": 1.0, "alpha": max(weeks / 4, 0.1), "a": 1.0, "b": 2.0} if near is None else asdict(near)
    fitted = maximise(_Likelihood(histories, repeat), start, observations=float(customers.sum()))
    return Params(**fitted.values), fitted


class _Likelihood:
    """The log-likelihood of histories and its gradient. What depends on ``x`` alone is counted once for each ``x``."""

    def __init__(self, histories: Histories, repeat: npt.NDArray[np.bool_]) -> None:
        self._x, place = np.unique(histories.x, return_inverse=True)
        self._customers = np.bincount(place, weights=histories.customers)
        self._once_T, self._once = histories.T[~repeat], histories.customers[~repeat]
        again = [column[repeat] for column in (histories.x, histories.t_x, histories.T, histories.customers)]
        self._repeat = [
            tuple(column[start : start + _CHUNK] for column in again) for start in range(0, len(again[0]), _CHUNK)
        ]

    def __call__(self, params: Numbers) -> tuple[float, Numbers]:
        r, alpha, a, b = params
        total, gradient = self._by_x(r, alpha, a, b)
        waited = alpha + self._once_T
        logs = np.log(waited)
        total -= r * float(self._once @ logs)
        gradient[0] -= self._once @ logs
        gradient[1] -= r * (self._once @ (1 / waited))
        for chunk in self._repeat:
            total += self._by_history(r, alpha, a, b, chunk, gradient)
        return total, gradient

    def _by_x(self, r: float, alpha: float, a: float, b: float) -> tuple[float, Numbers]:
        x, n = self._x, self._customers
        everybody = n.sum()
        total = n @ (gammaln(r + x) - gammaln(r) + betaln(a, b + x) - betaln(a, b)) + everybody * r * np.log(alpha)
        both = psi(a + b) - psi(a + b + x)
        gradient = np.array(
            [
                n @ (psi(r + x) - psi(r)) + everybody * np.log(alpha),
                everybody * r / alpha,
                n @ both,
                n @ (psi(b + x) - psi(b) + both),
            ]
        )
        return float(total), gradient

    def _by_history(
        self, r: float, alpha: float, a: float, b: float, chunk: tuple[Numbers, ...], gradient: Numbers
    ) -> float:
        x, t_x, T, n = chunk
        waited, bought = alpha + T, alpha + t_x
        log_waited, log_bought = np.log(waited), np.log(bought)
        exponent, before = r + x, b + x - 1
        odds = np.log(a) - np.log(before) + exponent * (log_waited - log_bought)
        left = expit(odds)
        here = 1 - left
        gradient[0] -= n @ (here * log_waited + left * log_bought)
        gradient[1] -= n @ (exponent * (here / waited + left / bought))
        gradient[2] += (n @ left) / a
        gradient[3] -= n @ (left / before)
        return float(n @ (np.logaddexp(0, odds) - exponent * log_waited))


def alive(params: Params, x: Numbers, t_x: Numbers, T: Numbers) -> Numbers:
    """The probability that a customer of this history is still one. Who bought once is, under this model."""
    repeat = x > 0
    before = np.where(repeat, params.b + x - 1, 1.0)
    odds = np.log(params.a / before) + (params.r + x) * np.log((params.alpha + T) / (params.alpha + t_x))
    return np.where(repeat, expit(-odds), 1.0)


def buys(params: Params, x: Numbers, T: Numbers, weeks: float) -> Numbers:
    """The probability that a customer who is still there buys within so many weeks.

    It leaves after a purchase only, so its own rate alone decides when the next one comes.
    """
    return np.asarray(-np.expm1(-(params.r + x) * np.log1p(weeks / (params.alpha + T))))


def purchases(params: Params, x: Numbers, T: Numbers, weeks: float) -> Numbers:
    """How many purchases to expect within so many weeks of a customer who is still there.

    The mean over its chance p to leave, which is Beta(a, b + x), of (1 - (1 + p·weeks / (alpha + T))^-(r + x)) / p.
    The closed form of the paper is this integral; as a sum over the nodes of a Gauss quadrature it stays exact
    where the hypergeometric function of that form does not.
    """
    expected = np.empty_like(x)
    for count in np.unique(x):
        those = np.flatnonzero(x == count)
        spans, place = np.unique(T[those], return_inverse=True)
        p, weight = _leaving(params, float(count))
        grows = np.log1p(p[None, :] * weeks / (params.alpha + spans[:, None]))
        expected[those] = (-np.expm1(-(params.r + count) * grows) @ (weight / p))[place]
    return expected


def _leaving(params: Params, x: float) -> tuple[Numbers, Numbers]:
    """Nodes and weights that stand for the distribution Beta(a, b + x), by its orthogonal polynomials."""
    low, high = params.a - 1, params.b + x - 1
    both = low + high
    n: Any = np.arange(1, _NODES)
    middle = np.empty(_NODES)
    middle[0] = (low - high) / (both + 2)
    middle[1:] = (low - high) * both / ((2 * n + both) * (2 * n + both + 2))
    square = np.empty(_NODES - 1)
    square[0] = 4 * (low + 1) * (high + 1) / ((both + 2) ** 2 * (both + 3))
    n = n[1:]
    square[1:] = (
        4 * n * (n + low) * (n + high) * (n + both) / ((2 * n + both) ** 2 * (2 * n + both + 1) * (2 * n + both - 1))
    )
    nodes, vectors = eigh_tridiagonal(middle, np.sqrt(square))
    return (nodes + 1) / 2, vectors[0] ** 2
