"""A closed form's values, quantities with their units, and the Poisson sums that the formulas share."""

from __future__ import annotations

import functools
import html
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, ParamSpec

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.errors import InvalidValueError

Floats = npt.NDArray[np.float64]


class Quantity(NamedTuple):
    """A quantity's unit and meaning."""

    unit: str
    meaning: str


# A rate is per second.
QUANTITIES = {
    "mean_batch": Quantity("jobs", "mean batch size"),
    "var_batch": Quantity("jobs²", "variance of the batch size"),
    "mean_batch_nonempty": Quantity("jobs", "mean size of the batches that have a job"),
    "mean_delivered_batch": Quantity("jobs", "mean batch size, dropped jobs left out"),
    "mean_batch_bytes": Quantity("bytes", "mean bytes of a batch"),
    "mean_batch_q1": Quantity("jobs", "mean batch of the cycle's first quarter"),
    "mean_batch_q2": Quantity("jobs", "mean batch of the cycle's second quarter"),
    "mean_batch_q3": Quantity("jobs", "mean batch of the cycle's third quarter"),
    "mean_batch_q4": Quantity("jobs", "mean batch of the cycle's last quarter"),
    "job_seen_batch": Quantity("jobs", "mean size of the batch that a job is in"),
    "job_seen_interval": Quantity("s", "mean interval between flushes that a job falls into"),
    "index_of_dispersion": Quantity("1", "variance over mean of the batch size; 1 for Poisson arrivals"),
    "p_empty": Quantity("1", "share of the flushes that find the buffer empty"),
    "p_batch_1": Quantity("1", "share of the batches that have one job"),
    "mean_wait": Quantity("s", "mean wait of a job in the buffer"),
    "mean_wait_drop_newest": Quantity("s", "mean wait of flushed jobs when a full buffer drops what comes"),
    "mean_wait_drop_oldest": Quantity("s", "mean wait of flushed jobs when a full buffer drops its oldest"),
    "wait_second_moment": Quantity("s²", "mean square of the wait"),
    "wait_p95": Quantity("s", "wait that 95 % of the jobs do not exceed"),
    "wait_p99": Quantity("s", "wait that 99 % of the jobs do not exceed"),
    "p_wait_is_age": Quantity("1", "share of the jobs that wait exactly the age limit"),
    "first_job_wait": Quantity("s", "mean wait of a batch's first job"),
    "mean_first_job_wait": Quantity("s", "mean wait of a batch's first job"),
    "mean_time_to_durable": Quantity("s", "mean time from arrival to the flush's end"),
    "time_avg_buffer": Quantity("jobs", "buffer size, averaged over time"),
    "buffer_second_moment": Quantity("jobs²", "square of the buffer size, averaged over time"),
    "mean_leftover": Quantity("jobs", "mean number of jobs that a flush leaves"),
    "mean_interflush": Quantity("s", "mean time between flushes"),
    "var_interflush": Quantity("s²", "variance of the time between flushes"),
    "mean_flush_duration": Quantity("s", "mean duration of a flush"),
    "busy_fraction": Quantity("1", "share of the time with a flush under way"),
    "flush_rate": Quantity("1/s", "flushes per second"),
    "nonempty_flush_rate": Quantity("1/s", "flushes of at least one job per second"),
    "p_size_trigger": Quantity("1", "share of the flushes that the size causes"),
    "p_max_trigger": Quantity("1", "share of the flushes that the age limit causes"),
    "p_count_max_trigger": Quantity("1", "share of the flushes that the upper size causes before the lower age"),
    "p_age_max_trigger": Quantity("1", "share of the flushes that the upper age causes"),
    "size_flushes_per_period": Quantity("1", "mean number of flushes by size in a period"),
    "nonempty_ticks_fraction": Quantity("1", "share of the ticks that find a job"),
    "jobs_per_cycle": Quantity("jobs", "mean number of jobs from one idle time to the next"),
    "mean_cycle": Quantity("s", "mean time from one first job after idle to the next"),
    "nonempty_ticks_per_cycle": Quantity("1", "mean number of batches from one idle time to the next"),
    "mean_jobs": Quantity("jobs", "mean number of arrivals in the run"),
    "mean_flushes": Quantity("1", "mean number of flushes in the run"),
    "mean_left_in_buffer": Quantity("jobs", "mean number of jobs left at the end"),
    "loss_fraction": Quantity("1", "share of all jobs that is lost"),
    "loss_rate": Quantity("jobs/s", "jobs lost per second by stops"),
    "p_any_loss": Quantity("1", "share of the periods that lose a job"),
    "mean_loss_buffer": Quantity("jobs", "mean loss of buffered jobs at a stop"),
    "sd_loss_buffer": Quantity("jobs", "standard deviation of the loss of buffered jobs at a stop"),
    "loss_second_moment": Quantity("jobs²", "mean square of the loss at a stop"),
    "loss_p95": Quantity("jobs", "loss of buffered jobs that 95 % of the stops do not exceed"),
    "loss_p99": Quantity("jobs", "loss of buffered jobs that 99 % of the stops do not exceed"),
    "mean_loss_with_in_flight": Quantity("jobs", "mean loss at a stop, the batch in flight included"),
    "p_no_loss": Quantity("1", "share of the stops that lose nothing"),
    "mean_lost_per_flush": Quantity("jobs", "mean number of jobs deleted unread by a flush"),
    "var_lost_per_flush": Quantity("jobs²", "variance of the number of jobs deleted unread by a flush"),
    "p_once": Quantity("1", "share of all jobs that reach the queue once"),
    "p_twice": Quantity("1", "share of all jobs that reach the queue twice"),
    "p_loss_in_flush": Quantity("1", "share of the flushes that delete a job unread"),
    "p_drop": Quantity("1", "share of the work that is dropped after the last retry"),
    "mean_attempts": Quantity("1", "mean number of attempts"),
    "mean_backoff": Quantity("s", "mean time spent backing off"),
    "mean_distinct": Quantity("jobs", "mean number of distinct keys in a batch: the reduced size"),
    "var_distinct": Quantity("jobs²", "variance of the number of distinct keys in a batch"),
    "dedupe_ratio": Quantity("1", "jobs left by the reduce over jobs flushed"),
    "saved_fraction": Quantity("1", "share of the jobs that the reduce saves"),
    "p_top_key_present": Quantity("1", "share of the batches that have the most frequent key"),
    "output_rate": Quantity("jobs/s", "jobs that the reduce hands on, per second"),
    "cost_rate": Quantity("cost/s", "cost per second"),
    "best_period": Quantity("s", "period that costs least"),
    "cost_at_best_period": Quantity("cost/s", "cost at that period"),
    "cost_at_half_period": Quantity("cost/s", "cost at half that period"),
    "cost_at_double_period": Quantity("cost/s", "cost at twice that period"),
    "best_size": Quantity("jobs", "size that costs least"),
    "cost_size": Quantity("cost/s", "cost at the best size"),
    "best_age": Quantity("s", "age that costs least"),
    "cost_age": Quantity("cost/s", "cost at the best age"),
    "cost_period": Quantity("cost/s", "cost at the best period when empty ticks cost nothing"),
    "cost_period_charged_always": Quantity("cost/s", "cost at the best period when empty ticks cost a flush"),
    "mean_rate": Quantity("jobs/s", "long-run rate of arrivals"),
    "mean_queue": Quantity("jobs", "mean number of jobs in the buffer"),
    "p_busy": Quantity("1", "share of the time with a flush under way"),
    "root": Quantity("1", "factor by which the probabilities of the buffer size fall"),
    "rho": Quantity("1", "load: work that arrives over work that can be done"),
    "mean_in_system": Quantity("jobs", "mean number of jobs at the workers, waiting or served"),
    "mean_in_queue": Quantity("jobs", "mean number of jobs that wait for a worker"),
    "mean_in_workers": Quantity("jobs", "mean number of jobs at the workers, waiting or served"),
    "mean_queue_wait": Quantity("s", "mean wait of a job for a worker"),
    "mean_sojourn": Quantity("s", "mean time from the batch's arrival to a job's service end"),
    "mean_worker_sojourn": Quantity("s", "mean time from the flush to a job's service end"),
    "mean_total_sojourn": Quantity("s", "mean time from a job's arrival to its service end"),
    "p_empty_system": Quantity("1", "share of the time without a job at the workers"),
    "time_avg_in_system": Quantity("jobs", "expected time average of the number at the workers"),
    "mean_unfinished_before_flush": Quantity("jobs", "mean number at the worker just before a flush"),
}


def quantile(longer_than: Callable[[float], float], share: float, longest: float) -> float:
    """The least w ≤ `longest` with P(W > w) ≤ 1 − `share`.

    `longer_than` is P(W > w): it falls, and is continuous up to `longest`, beyond which no job waits.
    """
    from scipy import optimize

    missed = 1.0 - share
    if longer_than(0.0) <= missed:
        return 0.0
    # just below `longest`: at `longest` itself an atom may hide more than `missed`
    if longer_than(longest * (1.0 - 1e-15)) >= missed:
        return longest
    return float(optimize.brentq(lambda wait: longer_than(wait) - missed, 0.0, longest, xtol=1e-300, rtol=1e-14))


# beyond so many standard deviations and counts from the mean, a Poisson probability is below 1e-25
_SPREAD = 12.0
_MARGIN = 60


def poisson_at_most(count: int, mean: float) -> float:
    """P(X ≤ count) of a Poisson count X, as in all functions of this name."""
    from scipy import special

    return float(special.pdtr(count, mean)) if count >= 0 else 0.0


def poisson_more_than(count: int, mean: float) -> float:
    """P(X > count), to full relative accuracy also where it is tiny."""
    from scipy import special

    return float(special.pdtrc(count, mean)) if count >= 0 else 1.0


def poisson_capped_moments(mean: float, cap: int) -> tuple[float, float]:
    """E[Y] and E[Y²] of Y = min(X, cap).

    Notes
    -----
    k·P(X = k) = m·P(X = k − 1) gives E[Y] = m·P(X ≤ cap−2) + cap·P(X ≥ cap) and
    E[Y²] = m²·P(X ≤ cap−3) + m·P(X ≤ cap−2) + cap²·P(X ≥ cap): no differences, no long sums. As
    ∑_{j<cap} P(X > j) = E[Y] and ∑_{j<cap} j·P(X > j) = E[Y(Y−1)]/2, these are the sums of the closed forms.
    """
    reached = poisson_more_than(cap - 1, mean)
    below = mean * poisson_at_most(cap - 2, mean)
    first = below + cap * reached
    second = mean * mean * poisson_at_most(cap - 3, mean) + below + float(cap) ** 2 * reached
    return first, second


def poisson_excess(mean: float, cap: int) -> float:
    """E[(X − cap)⁺], to full relative accuracy on both sides of the mean."""
    if cap <= mean:
        return mean - poisson_capped_moments(mean, cap)[0]
    from scipy import special

    # summed, because far above the mean the difference of mean and capped mean has no digits left
    beyond = np.arange(cap, poisson_most(cap))
    return float(special.pdtrc(beyond, mean).sum())


def poisson_support(mean: float) -> tuple[npt.NDArray[np.int64], Floats]:
    """Counts that have a probability above some 1e-25, and their probabilities."""
    counts = np.arange(max(0, math.floor(mean - _SPREAD * math.sqrt(mean))), poisson_most(mean))
    return counts, poisson_probabilities(counts, mean)


def poisson_most(mean: float) -> int:
    """A count that is exceeded with a probability below 1e-25."""
    return math.ceil(mean + _SPREAD * math.sqrt(mean)) + _MARGIN


def poisson_probabilities(counts: npt.NDArray[np.int64], mean: float | Floats) -> Floats:
    """P(X = count) for all `counts` (last axis), which hold nearly all the probability."""
    from scipy import special

    weights = np.exp(special.xlogy(counts, mean) - special.gammaln(counts + 1.0) - mean)
    # the logarithms of a large mean round by as much as 1e-10, nearly the same for all counts
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


P = ParamSpec("P")


@dataclass(frozen=True, slots=True, repr=False)
class ClosedForm:
    """The exact values of a model's named quantities, with the model's parameters and the source of the formulas.

    Each quantity is an attribute; `quantities` holds them all. As text or HTML it is a table with units and meanings.

    Parameters
    ----------
    family : str
        The function of `bufsim.theory` that made it.
    arguments : tuple of (str, object)
        That function's arguments.
    values : tuple of (str, float)
        Name and value of each quantity.
    source : str
        Where the formulas come from.

    Examples
    --------
    >>> from bufsim import theory
    >>> form = theory.periodic(rate=2.0, period=5.0)
    >>> form
    periodic(rate=2.0, period=5.0)
    >>> form.mean_wait, form.quantities["time_avg_buffer"]
    (2.5, 5.0)
    """

    family: str
    arguments: tuple[tuple[str, object], ...]
    values: tuple[tuple[str, float], ...]
    source: str

    @property
    def quantities(self) -> dict[str, float]:
        """All quantities: name to value."""
        return dict(self.values)

    @property
    def parameters(self) -> dict[str, object]:
        """The model's parameters: name to value."""
        return dict(self.arguments)

    def __getattr__(self, name: str) -> float:
        # object's own lookup: while a copy is being built, the slot is empty and self.values would come back here
        known = dict(object.__getattribute__(self, "values"))
        if name in known:
            return float(known[name])
        family = object.__getattribute__(self, "family")
        hint = checks.did_you_mean(name, known)
        raise AttributeError(f"{family} has no quantity {name!r}; it has {', '.join(known)}{hint}")

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self.quantities]

    def __repr__(self) -> str:
        return f"{self.family}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"

    def __str__(self) -> str:
        width = max(len(name) for name, _ in self.values)
        lines = [f"{name:<{width}}  {value:<12.6g}  {_unit_and_meaning(name)}" for name, value in self.values]
        return "\n".join([repr(self), *lines, f"source: {self.source}"])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td>{value:.6g}</td><td>{html.escape(QUANTITIES[name].unit)}</td>"
            f'<td style="text-align:left">{html.escape(QUANTITIES[name].meaning)}</td></tr>'
            for name, value in self.values
        )
        head = "<tr><th>quantity</th><th>value</th><th>unit</th><th>meaning</th></tr>"
        caption = f"<caption>{html.escape(repr(self))}<br>source: {html.escape(self.source)}</caption>"
        return f"<table>{caption}<thead>{head}</thead><tbody>{rows}</tbody></table>"


def closed_form(source: str) -> Callable[[Callable[P, dict[str, float]]], Callable[P, ClosedForm]]:
    """Decorator of a function that computes quantities: it returns a `ClosedForm` of them, its arguments and `source`.

    Arguments are given by name. One that is annotated with `Seconds` or `NBytes` may be a text: "30s" or "2 KiB".
    """

    def decorate(function: Callable[P, dict[str, float]]) -> Callable[P, ClosedForm]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> ClosedForm:
            read = {name: _read(name, value, function.__annotations__.get(name)) for name, value in kwargs.items()}
            computed = function(*args, **read)  # type: ignore[arg-type]  # the same names, in the units of the formulas
            bound = signature.bind(*args, **read)
            bound.apply_defaults()
            arguments = tuple((name, _plain(value)) for name, value in bound.arguments.items())
            values = tuple((name, float(value)) for name, value in computed.items())
            form = ClosedForm(function.__name__, arguments, values, source)
            lost = [name for name, value in values if not math.isfinite(value)]
            if lost:
                raise InvalidValueError(f"{form!r} exceeds what a float can hold in {', '.join(lost)}; scale it down")
            return form

        # help() shows what the caller gets, not what the formula's body returns
        wrapped.__annotations__ = {**function.__annotations__, "return": "ClosedForm"}
        wrapped.__signature__ = signature.replace(return_annotation="ClosedForm")  # type: ignore[attr-defined]  # inspect reads it
        return wrapped

    return decorate


def check_load(formula: str, load: float, way_out: str) -> float:
    """The load, checked to be below 1; the error says which ratio is too high and what would lower it."""
    if not load < 1.0:
        raise InvalidValueError(
            f"the load, {formula}, must be < 1, got {load:.6g}: the backlog grows for ever; {way_out}"
        )
    return load


def _read(name: str, value: object, annotation: object) -> object:
    """A text or timedelta as a number, where the argument may be one; anything else as it is."""
    if isinstance(value, checks.Written) and annotation == "Seconds":
        return checks.seconds(name, value)
    if isinstance(value, str) and annotation == "float | NBytes":
        return checks.nbytes(name, value, at_least=0)
    return value


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _unit_and_meaning(name: str) -> str:
    quantity = QUANTITIES[name]
    return f"{quantity.unit}: {quantity.meaning}"
