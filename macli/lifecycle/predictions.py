"""Predictions from purchases: who has left for good, who buys again, how often and for how much."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from macli.clock import to_ms
from macli.errors import OperationFailed, UsageError
from macli.lifecycle import purchases
from macli.lifecycle.purchases import Window
from macli.store import Store, predictions, settings
from macli.store.predictions import Kept, Model

if TYPE_CHECKING:
    from macli.lifecycle import bgnbd, gammagamma

LEAST = 100
"""Fewer contacts than these with repeat purchases, or with repeat purchases of some value, say too little."""
HORIZON = timedelta(days=90)
_MOST = 1e15
"""No purchase is worth more; one such would decide the model of what all spend."""
_DAY = timedelta(days=1)
_CACHE_MB = 128
"""An index of a million probabilities is filled all over: half the time of what the usual cache needs."""
_USUAL_CACHE_MB = 16


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for: purchases are the events ``event``, from ``since`` to before ``until``.

    ``horizon`` is how far ahead; predictions are as of ``until``.
    """

    event: str
    horizon: timedelta
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted model and of how many contacts it says something; ``kept`` is None where that was not asked.

    ``no_spend`` says why it has nothing to say of what they spend, ``stale`` whether it is no data at once, by age.
    """

    model: Model
    contacts: int
    kept: Kept | None
    no_spend: str | None
    stale: bool

    @property
    def bands(self) -> list[dict[str, Any]]:
        """How the test went for each band; nothing where there was none."""
        bands: list[dict[str, Any]] = self.model.quality.get("held_out", {}).get("bands", [])
        return bands

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "model": self.model.name,
            "fitted_at": self.model.at,
            "horizon_days": self.model.horizon_days,
            "contacts": self.contacts,
            "params": self.model.params,
            "quality": self.model.quality,
            "no_spend": self.no_spend,
            "churn": self.kept and self.kept.churn,
            "purchase": self.kept and self.kept.purchase,
            "changed": self.kept and self.kept.changed,
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [self._model_line(), self._spend_line(), self._test_line()]
        if self.kept is None:
            return [*lines, "nothing was kept: a dry run"]
        lines.append(
            f"predicted: churn of {self.kept.churn:,} contacts, purchases of {self.kept.purchase:,} within"
            f" {self.model.horizon_days} days; the likelihood changed for {self.kept.changed:,}"
        )
        if self.stale:
            lines.append("they are older than predictions.max_age, so they count as no data")
        return lines

    def _model_line(self) -> str:
        said = self.model.params
        return (
            f"{self.model.name}, fitted to {self.contacts:,} contacts with {said['event']}, of whom"
            f" {self.model.quality['repeat_buyers']:,} bought again: {_listed(said, 'r', 'alpha', 'a', 'b')} (weeks)"
            + _limits(self.model.quality["at_limit"])
        )

    def _spend_line(self) -> str:
        if self.no_spend is not None:
            return f"no word of what they spend: {self.no_spend}"
        said = self.model.quality["value"]
        fitted = f"Gamma-Gamma, fitted to {said['contacts']:,} of them: {_listed(self.model.params, 'p', 'q', 'v')}"
        return fitted + _limits(said["at_limit"])

    def _test_line(self) -> str:
        test = self.model.quality.get("held_out")
        if test is None:
            return f"not tested: {self.model.quality['not_tested']}"
        return (
            f"tested: from what was bought before {test['from']} it expects {test['expected']:,.0f} purchases in the"
            f" {test['days']} days since; there were {test['purchases']:,}"
        )


def _listed(values: Mapping[str, Any], *names: str) -> str:
    return ", ".join(f"{name} {values[name]:.4g}" for name in names)


def _limits(names: Sequence[str]) -> str:
    return f"; {' and '.join(names)} at the limit, where customers do not differ" if names else ""


@dataclass(frozen=True, kw_only=True)
class _Models:
    bgnbd: "bgnbd.Params"
    gammagamma: "gammagamma.Params | None"
    weeks: float


def fit(
    store: Store,
    now: datetime,
    asked: Options,
    *,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda contacts: None,
) -> Fit:
    """Fit the models to the purchases and predict for all who made one; with ``dry_run``, keep nothing.

    ``advance`` is told of contacts whose predictions are kept.
    Raises OperationFailed where numpy and scipy are missing, or where the purchases say too little.
    """
    _need_numbers()
    window = _window(store, now, asked)
    contacts = purchases.gather(store, window)
    repeat = purchases.repeat_buyers(store)
    if repeat < LEAST:
        raise OperationFailed(
            f"too little to go by: {contacts:,} contacts have {asked.event}, {repeat:,} of them on more than one day;"
            f" at least {LEAST} are needed",
            hint="macli event import brings older purchases; macli prediction import takes scores from elsewhere",
        )
    models, model, no_spend = _fit(store, now, asked, window)
    kept = None
    if not dry_run:
        store.keep_in_memory(_CACHE_MB)
        _predict(store, models)
        kept = predictions.keep(store, now, model, as_of=window.until, advance=advance)
        store.keep_in_memory(_USUAL_CACHE_MB)
    stale = window.until < predictions.fresh_since(store, now)
    return Fit(model=model, contacts=contacts, kept=kept, no_spend=no_spend, stale=stale)


def _need_numbers() -> None:
    if find_spec("numpy") is None or find_spec("scipy") is None:
        raise OperationFailed(
            "predictions are computed with numpy and scipy, which are not installed",
            hint="pip install 'macli[predict]'",
        )


def _window(store: Store, now: datetime, asked: Options) -> Window:
    if asked.horizon < _DAY or asked.horizon % _DAY:
        raise UsageError("the horizon is counted in whole days", hint="--horizon '90 days'")
    if asked.until is not None and asked.until > now:
        raise UsageError("--until is in the future: nothing has happened there")
    until = to_ms(asked.until or now)
    since = to_ms(asked.since) if asked.since is not None else 0
    first = purchases.first_at(store, asked.event, since, until)
    if first is None:
        raise OperationFailed(
            f"no contact has the event {asked.event} in that time",
            hint="macli event list shows what there is; macli settings set purchases.event NAME",
        )
    last_day = (until - 1) // purchases.DAY
    held_out = min(asked.horizon // _DAY, (last_day - first // purchases.DAY) // 3)
    return Window(event=asked.event, since=since, until=until, split=last_day - held_out + 1)


def _fit(store: Store, now: datetime, asked: Options, window: Window) -> tuple[_Models, Model, str | None]:
    from macli.lifecycle import bgnbd
    from macli.lifecycle.holdout import WEEK, held_out, histories, table
    from macli.lifecycle.likelihood import NoFit

    try:
        params, fitted = bgnbd.fit(histories(table(purchases.histories(store), 4)))
    except NoFit as why:
        raise OperationFailed(
            f"these purchases do not fit the model {bgnbd.NAME}: {why}",
            hint="another time may do: --since, --until; macli prediction import takes scores from elsewhere",
        ) from None
    spends, value_quality, no_spend = _fit_values(store)
    model = Model(
        name=bgnbd.NAME,
        source="fit",
        at=to_ms(now),
        params={**_rounded(fitted.values), **(value_quality.pop("params", {})), "event": asked.event},
        quality={
            "log_likelihood": round(fitted.log_likelihood, 3),
            "at_limit": list(fitted.at_limit),
            "repeat_buyers": purchases.repeat_buyers(store),
            **held_out(purchases.histories_before(store), window, params, LEAST),
            **value_quality,
        },
        horizon_days=asked.horizon // _DAY,
    )
    weeks = asked.horizon / _DAY / WEEK
    return _Models(bgnbd=params, gammagamma=spends, weeks=weeks), model, no_spend


def _fit_values(store: Store) -> tuple["gammagamma.Params | None", dict[str, Any], str | None]:
    """The model of what is spent, what to say of it, and why there is none."""
    import numpy as np

    from macli.lifecycle import gammagamma
    from macli.lifecycle.holdout import table
    from macli.lifecycle.likelihood import NoFit

    x, mean = table(purchases.values(store), 2)
    if len(x) < LEAST:
        name = settings.get(store, "purchases.value")
        return None, {}, f"only {len(x):,} contacts have repeat purchases with a {name}; at least {LEAST} are needed"
    if mean.max() > _MOST:
        return None, {}, f"a contact's purchases are worth {mean.max():.3g} each, which is beyond all measure"
    try:
        params, fitted = gammagamma.fit(x, mean)
    except NoFit as why:
        return None, {}, f"the values do not fit the model {gammagamma.NAME}: {why}"
    varied = bool(np.ptp(x) and np.ptp(mean))
    quality = {
        "params": _rounded(fitted.values),
        "value": {
            "log_likelihood": round(fitted.log_likelihood, 3),
            "at_limit": list(fitted.at_limit),
            "contacts": len(x),
            "correlation": round(float(np.corrcoef(x, mean)[0, 1]), 3) if varied else None,
        },
    }
    return params, quality, None


def _rounded(values: Any) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def _predict(store: Store, models: _Models) -> None:
    """Put what the models say of each buyer into the store's temp table."""
    import numpy as np

    from macli.lifecycle import bgnbd, gammagamma
    from macli.lifecycle.holdout import WEEK, table

    predictions.stage(store)
    for rows in purchases.chunks(store):
        _, x, t_x, age, valued, spent = table(rows, 6)
        alive = bgnbd.alive(models.bgnbd, x, t_x / WEEK, age / WEEK)
        buys = alive * bgnbd.buys(models.bgnbd, x, age / WEEK, models.weeks)
        expected = alive * bgnbd.purchases(models.bgnbd, x, age / WEEK, models.weeks)
        spend = np.full_like(x, np.nan)
        if models.gammagamma is not None:
            known = (x == 0) | ((valued > 0) & (spent > 0))
            mean = np.where(valued > 0, spent / np.maximum(valued, 1), 0.0)
            value = gammagamma.value(models.gammagamma, valued, mean)
            spend = np.where(known, expected * value, np.nan)
        # The model lets nobody leave before a second purchase, so it has nothing to say of who bought once.
        churn = np.where(x > 0, 1 - alive, np.nan)
        columns = (_nones(column) for column in (churn, buys, expected, spend))
        predictions.put(store, zip((row[0] for row in rows), *columns, strict=True))


def _nones(column: Any) -> list[float | None]:
    """NaN as None."""
    return [None if number != number else number for number in column.tolist()]
