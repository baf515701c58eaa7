"""What de-duplication leaves of a batch: one job per key, keys by Zipf's law."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.theory.closed_form import closed_form


@closed_form("occupancy: Johnson & Kotz (1977)")
def unique_keys_of_batch(*, batch_size: int, keys: int, exponent: float) -> dict[str, float]:
    """How many distinct keys a batch of `batch_size` jobs has, which a reduce to one job per key leaves.

    Parameters
    ----------
    batch_size : int
        n, jobs.
    keys : int
        K; key k = 1, ..., K has a probability proportional to k^(−exponent).
    exponent : float
        s, ≥ 0; 0 makes all keys equally likely.

    Notes
    -----
    Key i is absent with probability aᵢ = (1−pᵢ)ⁿ: E = ∑(1 − aᵢ), Var = ∑aᵢ(1−aᵢ) + ∑_{i≠j}((1−pᵢ−pⱼ)ⁿ − aᵢaⱼ). The
    double sum takes K² steps: 10⁴ keys cost a few seconds.

    References
    ----------
    Johnson, N. L. and Kotz, S. (1977). Urn Models and Their Application.

    Examples
    --------
    >>> form = unique_keys_of_batch(batch_size=100, keys=200, exponent=1.1)
    >>> round(form.mean_distinct, 3), round(form.var_distinct, 3)
    (43.955, 15.773)
    """
    batch_size = checks.integer("batch_size", batch_size, at_least=1)
    shares = _zipf(keys, exponent)
    # a single key has probability 1: log(0) is meant
    with np.errstate(divide="ignore"):
        absent_log = batch_size * np.log1p(-shares)
    present = -np.expm1(absent_log)
    mean = float(present.sum())
    return {
        "mean_distinct": mean,
        "var_distinct": float((present * np.exp(absent_log)).sum()) + _joint_absence(shares, batch_size),
        "dedupe_ratio": mean / batch_size,
        "p_top_key_present": float(present[0]),
    }


@closed_form("Poissonised occupancy: Gnedin, Hansen & Pitman (2007)")
def unique_keys_periodic(*, rate: float, period: Seconds, keys: int, exponent: float) -> dict[str, float]:
    """How many distinct keys a flush every `period` seconds has, one job each after the reduce; Poisson arrivals.

    Parameters
    ----------
    rate : float
        λ, jobs per second.
    period : float
        T, s.
    keys : int
        K; key k = 1, ..., K has a probability proportional to k^(−exponent).
    exponent : float
        s, ≥ 0; 0 makes all keys equally likely.

    Notes
    -----
    The jobs of key i are Poisson(pᵢλT), independent of the others, and absent with probability aᵢ = e^(−pᵢλT):
    E = ∑(1 − aᵢ), Var = ∑aᵢ(1 − aᵢ).

    References
    ----------
    Gnedin, A., Hansen, B. and Pitman, J. (2007). Notes on the occupancy problem with infinitely many boxes. Probability
    Surveys 4, 146-171.

    Examples
    --------
    >>> form = unique_keys_periodic(rate=50.0, period=10.0, keys=1000, exponent=1.1)
    >>> round(form.mean_distinct, 2), round(form.saved_fraction, 3)
    (177.0, 0.646)
    """
    rate, period = checks.positive("rate", rate), checks.positive("period", period)
    expected = _zipf(keys, exponent) * (rate * period)
    present = -np.expm1(-expected)
    mean = float(present.sum())
    return {
        "mean_distinct": mean,
        "var_distinct": float((present * np.exp(-expected)).sum()),
        "output_rate": mean / period,
        "dedupe_ratio": mean / (rate * period),
        "saved_fraction": 1.0 - mean / (rate * period),
    }


def _zipf(keys: int, exponent: float) -> npt.NDArray[np.float64]:
    ranks = np.arange(1.0, checks.integer("keys", keys, at_least=1) + 1.0)
    shares = ranks ** -checks.not_negative("exponent", exponent)
    return np.asarray(shares / shares.sum())


def _joint_absence(shares: npt.NDArray[np.float64], batch_size: int) -> float:
    """The sum over i ≠ j of P(neither key is there) − P(i is not)·P(j is not): ≤ 0."""
    total = 0.0
    for i in range(len(shares) - 1):
        one, others = shares[i], shares[i + 1 :]
        # two keys that are all keys leave (1−p)(1−q) = pq: the log of 0 is meant, and rounding may pass it
        with np.errstate(divide="ignore"):
            ratio_log = np.log1p(-np.minimum(one * others / ((1.0 - one) * (1.0 - others)), 1.0))
        apart = np.exp(batch_size * (np.log1p(-one) + np.log1p(-others)))
        total += float((apart * np.expm1(batch_size * ratio_log)).sum())
    return 2.0 * total
