"""Jobs that flushes lose, or hand over twice, in stores that read them and then delete."""

from __future__ import annotations

import math

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidValueError
from bufsim.theory.closed_form import closed_form


@closed_form("thinning of a Poisson process, derived in the Notes from Vendure's SQL and Redis strategies")
def race_loss_periodic(*, rate: float, period: Seconds, window: Seconds) -> dict[str, float]:
    """The loss of a store that reads every `period` seconds and deletes `window` seconds later; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    window : float
        d, s, < T; jobs that come within it are deleted unread.

    Notes
    -----
    Poisson(λd) jobs are lost a flush, a share d/T of all. The others come in the T − d seconds before a flush:
    W = (T − d)/2.

    Every period counts, also one that brought no job: the real stores delete what comes after an empty read too, and so
    does a run of ``FlushEvery(T)``.

    Stops have no part in it. In a run a stop during a flush loses the whole batch; recorded was that the jobs queued
    before it are saved, so that 50 − k of 50 were lost after k were queued. See `bufsim.Storage`.

    Examples
    --------
    >>> form = race_loss_periodic(rate=20.0, period=5.0, window=0.05)
    >>> form.mean_lost_per_flush, form.loss_fraction, form.mean_batch
    (1.0, 0.01, 99.0)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    window = checks.not_negative("window", window)
    if window >= period:
        raise InvalidValueError(f"window must be < period = {period!r}, got {window!r}; flushes may not overlap")
    return {
        "mean_lost_per_flush": rate * window,
        "p_loss_in_flush": -math.expm1(-rate * window),
        "loss_fraction": window / period,
        "mean_batch": rate * (period - window),
        "mean_wait": (period - window) / 2.0,
    }


@closed_form("intervals of a cycle, derived in the Notes from Vendure's SQL and Redis strategies")
def race_two_flushers(*, period: Seconds, window: Seconds, offset: Seconds) -> dict[str, float]:
    """The loss, and the duplicates, of two servers that flush one store which reads, then deletes; even arrivals.

    Parameters
    ----------
    period : float
        T, s between the flushes of each.
    window : float
        d, s between read and delete, ≤ T/2.
    offset : float
        x, s from a read of the one to the next of the other, ≤ T/2. 0 is what ``Storage(read_delete_window=d,
        servers=2)`` does in a run.

    Notes
    -----
    A job is handed over by each server that reads after its arrival and before the first delete after it. With x < d
    the order is: read at 0, read at x, delete at d, delete at x + d. Of a cycle the jobs of (x + d, T) are read twice,
    those of (0, x) once, and those of (x, x + d) are deleted unread: lost d/T, twice (T − d − x)/T, once x/T. With
    x ≥ d each flushes for itself: lost 2d/T, none twice.

    Examples
    --------
    >>> at_once = race_two_flushers(period=10.0, window=1.0, offset=0.0)
    >>> at_once.loss_fraction, at_once.p_twice
    (0.1, 0.9)
    >>> race_two_flushers(period=10.0, window=1.0, offset=5.0).loss_fraction
    0.2
    """
    period, window = _half(period, window)
    offset = checks.not_negative("offset", offset)
    if offset > period / 2.0:
        raise InvalidValueError(
            f"offset must be <= period / 2 = {period / 2.0!r}, got {offset!r}; count from the other"
        )
    share = window / period
    lost, twice = (share, 1.0 - share - offset / period) if offset < window else (2.0 * share, 0.0)
    return {"loss_fraction": lost, "p_twice": twice, "p_once": 1.0 - lost - twice}


@closed_form("mean over a uniform offset, derived in the Notes")
def race_two_free_flushers(*, period: Seconds, window: Seconds) -> dict[str, float]:
    """The loss, and the duplicates, of two servers as in `race_two_flushers` whose clocks know nothing of each other.

    Parameters
    ----------
    period : float
        T, s between the flushes of each.
    window : float
        d, s between read and delete, ≤ T/2.

    Notes
    -----
    With r = d/T the offset is below d in a share 2r of all cases: lost 2r(1 − r), twice 2r − 3r², once 1 − 4r + 5r².

    Examples
    --------
    >>> form = race_two_free_flushers(period=10.0, window=5.0)
    >>> form.loss_fraction, form.p_twice
    (0.5, 0.25)
    """
    period, window = _half(period, window)
    share = window / period
    lost, twice = 2.0 * share * (1.0 - share), 2.0 * share - 3.0 * share**2
    return {"loss_fraction": lost, "p_twice": twice, "p_once": 1.0 - lost - twice}


def _half(period: Seconds, window: Seconds) -> tuple[float, float]:
    """Return the two, checked: the window takes at most half the period."""
    period, window = checks.positive("period", period), checks.not_negative("window", window)
    if window > period / 2.0:
        raise InvalidValueError(f"window must be <= period / 2 = {period / 2.0!r}, got {window!r}")
    return period, window


@closed_form("mixed Poisson, derived in the Notes")
def race_loss_exponential_window(*, rate: float, mean_window: Seconds) -> dict[str, float]:
    """The loss of a flush in a store whose time from reading to deleting is exponential; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    mean_window : float
        d, s, far below the time between flushes.

    Notes
    -----
    A Poisson count over an exponential time is geometric from 0: mean r = λd, variance r + r², P(any) = r/(1 + r).

    Examples
    --------
    >>> race_loss_exponential_window(rate=20.0, mean_window=0.05).p_loss_in_flush
    0.5
    """
    lost = checks.positive("rate", rate) * checks.not_negative("mean_window", mean_window)
    return {
        "mean_lost_per_flush": lost,
        "p_loss_in_flush": lost / (1.0 + lost),
        "var_lost_per_flush": lost + lost**2,
    }


@closed_form("Wald (1944), derived in the Notes")
def race_loss_size(*, rate: float, size: int, window: Seconds) -> dict[str, float]:
    """The loss of a store that reads at the `size`-th job and deletes `window` seconds later; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    size : int
        N, jobs.
    window : float
        d, s; jobs that come within it are deleted unread, and the next batch starts after it.

    Notes
    -----
    A cycle is the window, which loses λd jobs in the mean, and the time N/λ of a batch.

    References
    ----------
    Wald, A. (1944). On cumulative sums of random variables. Annals of Mathematical Statistics 15, 283-296.

    Examples
    --------
    >>> race_loss_size(rate=20.0, size=50, window=0.05).mean_interflush
    2.55
    """
    rate, size = checks.positive("rate", rate), checks.integer("size", size, at_least=1)
    lost = rate * checks.not_negative("window", window)
    return {
        "mean_lost_per_flush": lost,
        "loss_fraction": lost / (size + lost),
        "mean_interflush": size / rate + lost / rate,
    }
