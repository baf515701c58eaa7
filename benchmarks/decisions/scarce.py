"""Problems 11 to 14, where runs tell little: rare events, few batches, replications that are skewed, and atoms.

Their truths are closed forms, given beside. What an interval that knows nothing of this would say is scored too, as
"before": Student's t over replications, and jobs that count each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import brentq

import bufsim as bs
from bufsim.model.distributions import Distribution
from bufsim.results.measures import TIMES
from bufsim.statistics import Interval
from bufsim.statistics.intervals import critical_value
from bufsim.statistics.quantiles import quantile_interval
from bufsim.studies.estimates import cumulative
from bufsim.studies.expressions import metric
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

Seen = dict[str, float]
"""What was seen in one repetition, by name: 1 or 0 for what came true or not, else a number."""
Bounds = tuple[float, float]
ANY = (0.0, 1.0)
BAND = (0.895, 0.990)


class Problem(NamedTuple):
    """A problem: one repetition of it with a root seed, and the bounds of each score."""

    repeat: Callable[[int], Seen]
    bounds: Mapping[str, Bounds]


def _t_ends(values: np.ndarray) -> tuple[float, float]:
    reach = critical_value(0.95, len(values)) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


# 11: a flush each second has room for 72 of some 50 jobs. More come in 0.13 % of seconds: by Poisson's law.

RATE, ROOM, SECONDS, RUNS = 50.0, 72, 17.0, 10
_LATER = np.arange(ROOM + 1, 400)
LOST = float(((_LATER - ROOM) * stats.poisson.pmf(_LATER, RATE)).sum() / RATE)


def _overflow(seed: int) -> Seen:
    buffer = bs.JobBuffer("buffer", policy=bs.FlushEvery(1.0), capacity=bs.Capacity(jobs=ROOM))
    result = _study([bs.Producer("jobs", bs.Poisson(RATE))], [buffer], seed, RUNS, until=SECONDS)
    low, high = _t_ends(result.samples("lost_share")["A"])
    return {
        "covers lost_share": float(LOST in result.interval("lost_share", "A")),
        "falsely passes lost_share <= 0.001 %": float(result.check("lost_share <= 0.001 %").verdict("A") == "pass"),
        "passes lost_share <= 60 %": float(result.check("lost_share <= 60 %").verdict("A") == "pass"),
        "before: covers lost_share": float(low <= LOST <= high),
        "before: falsely passes lost_share <= 0.001 %": float(high <= 1e-5),
    }


# 12: a flush at 20 jobs, of which the last waits for nothing and the first for 19 gaps: a mixture of Erlang's waits.

HIGH, SIZE, FEW_RUNS = 0.999, 20, 20


def _wait_at(q: float) -> float:
    def excess(x: float) -> float:
        below = 1.0 + sum(stats.gamma.cdf(x, gaps) for gaps in range(1, SIZE))
        return float(below / SIZE - q)

    return float(brentq(excess, 0.0, 100.0))


LONGEST = _wait_at(HIGH)


def _batches(seed: int) -> Seen:
    few, many = (_flushed_at_size(seed, until) for until in (300.0, 8000.0))
    interval, closed = few.interval("p99.9_wait", "A"), many.interval("p99.9_wait", "A")
    before = _by_jobs(few)
    return {
        "closes with 300 flushes": float(math.isfinite(interval.high)),
        "says how many flushes are needed": float("(3,688 flushes needed)" in interval.note),
        "closes with 8,000 flushes": float(math.isfinite(closed.high)),
        "covers p99.9_wait with 8,000 flushes": float(LONGEST in closed),
        "before: closes with 300 flushes": float(math.isfinite(before.high)),
        "before: closes and covers with 300 flushes": float(math.isfinite(before.high) and LONGEST in before),
    }


def _flushed_at_size(seed: int, until: float) -> StudyResult:
    buffer = bs.JobBuffer("buffer", policy=bs.FlushAtSize(SIZE))
    return _study([bs.Producer("jobs", bs.Poisson(1.0))], [buffer], seed, FEW_RUNS, until=until)


def _by_jobs(result: StudyResult) -> Interval:
    kept = [tally.all_buffers.waits for tally in result.tallies["A"].values()]
    largest = max(waits.largest for waits in kept)
    return quantile_interval(cumulative(tuple(waits.histogram for waits in kept), TIMES, largest, HIGH).amounts, HIGH)


# 13: a queue at load 0.6 whose service times have a squared coefficient of variation of 16: by Pollaczek and Khinchine.

LOAD, SCV, WARM_UP, SPAN, SKEWED_RUNS = 0.6, 16.0, 2000.0, 500.0, 20


def _skewed(seed: int) -> Seen:
    seen = _waits(seed, bs.LogNormal(1.0, scv=SCV), SCV, "mean_queue_wait")
    even = _waits(seed, bs.Exponential(1.0), 1.0, "mean_queue_wait of exponential service")
    return seen | {name: even[name] for name in even if name.startswith(("covers", "falsely"))}


def _waits(seed: int, service: Distribution, scv: float, name: str) -> Seen:
    buffer, workers = bs.JobBuffer("buffer", policy=bs.FlushAtSize(1)), [bs.PushWorkers(1, service=service)]
    producers = [bs.Producer("jobs", bs.Poisson(LOAD))]
    times = {"warm_up": WARM_UP, "until": WARM_UP + SPAN}
    result = _study(producers, [buffer], seed, SKEWED_RUNS, workers=workers, **times)
    truth = LOAD * (1.0 + scv) / (2.0 * (1.0 - LOAD))
    low, high = _t_ends(result.samples("mean_queue_wait")["A"])
    wait = metric("mean_queue_wait")
    return {
        f"covers {name}": float(truth in result.interval("mean_queue_wait", "A")),
        # a hair below what it is
        f"falsely passes a limit of {name}": float(result.check(wait <= 0.999 * truth).verdict("A") == "pass"),
        "passes four times the wait": float(result.check(wait <= 4.0 * truth).verdict("A") == "pass"),
        "warns of skewness": float(any(sentence.startswith("skewed: ") for sentence in result.warnings())),
        f"before: covers {name}": float(low <= truth <= high),
        f"before: falsely passes a limit of {name}": float(high <= 0.999 * truth),
        "before: passes four times the wait": float(high <= 4.0 * truth),
    }


# 14: an age of 3 s ends most waits, so that p50 and p90 are that age, whatever is drawn: in a buffer that has 19 of 20
# jobs, of which 1 of 1.3 is the oldest of its batch. The rest wait for less, or for up to 5 s in another buffer. Some
# study in 500 has one of these in the bin of 3 s.

AGE, LONGER, APART, AGE_RUNS = 3.0, 5.0, 0.01, 10


def _ages(seed: int) -> Seen:
    models = {"A": AGE, "B": AGE, "C": AGE + APART}
    result = Study({name: _flushed_at_age(age, key) for key, (name, age) in enumerate(models.items())}, seed=seed).run(
        AGE_RUNS, progress=False
    )
    seen: Seen = {}
    for quantile in ("p50_wait", "p90_wait"):
        interval, wait = result.interval(quantile, "A"), metric(quantile)
        seen[f"is exact: {quantile}"] = float(math.isclose(interval.low, AGE) and math.isclose(interval.high, AGE))
        seen[f"passes {quantile} <= 3 s"] = float(result.check(wait <= AGE).verdict("A") == "pass")
        seen[f"falsely passes {quantile} <= 2.999 s"] = float(result.check(wait <= 0.9997 * AGE).verdict("A") == "pass")
    compared = result.compare("p50_wait", "p90_wait", pairs=[("A", "B"), ("A", "C")]).table()
    verdicts = compared.set_index(["metric", "second"])["verdict"]
    for quantile in ("p50_wait", "p90_wait"):
        seen[f"falsely tells {quantile} apart"] = float(verdicts[f"{quantile}_s", "B"] != "identical")
        seen[f"tells {quantile} apart from 3.01 s"] = float(verdicts[f"{quantile}_s", "C"] == "better")
        before = TIMES.middles[TIMES.index(np.array([AGE]))[0]]
        seen[f"before: passes {quantile} <= 3 s"] = float(before <= AGE)
    return seen


def _flushed_at_age(age: float, key: int) -> bs.Simulation:
    # other arrivals in each, so that what they have in common is the age alone
    rates = {f"often {key}": 0.1, f"seldom {key}": 0.1 / 19.0}
    policies = dict(zip(rates, (bs.FlushAfterAge(age), bs.FlushAfterAge(LONGER)), strict=True))
    return bs.Simulation(
        producers=[bs.Producer(name, bs.Poisson(rate), queue=name) for name, rate in rates.items()],
        buffers=[bs.JobBuffer(name, policy=rule, collect=bs.CollectQueues([name])) for name, rule in policies.items()],
        until=2000.0,
    )


def _study(
    producers: list[bs.Producer], buffers: list[bs.JobBuffer], seed: int, runs: int, **more: object
) -> StudyResult:
    simulation = bs.Simulation(producers=producers, buffers=buffers, **more)  # type: ignore[arg-type]  # as declared
    return Study({"A": simulation}, seed=seed).run(runs, progress=False)


SCARCE: Mapping[int, Problem] = {
    11: Problem(
        _overflow,
        {
            "covers lost_share": (0.93, 1.0),
            "falsely passes lost_share <= 0.001 %": (0.0, 0.025),
            "passes lost_share <= 60 %": (0.98, 1.0),
            "before: covers lost_share": ANY,
            "before: falsely passes lost_share <= 0.001 %": ANY,
        },
    ),
    12: Problem(
        _batches,
        {
            "closes with 300 flushes": (0.0, 0.0),
            "says how many flushes are needed": (1.0, 1.0),
            "closes with 8,000 flushes": (0.95, 1.0),
            "covers p99.9_wait with 8,000 flushes": BAND,
            "before: closes with 300 flushes": ANY,
            "before: closes and covers with 300 flushes": ANY,
        },
    ),
    13: Problem(
        _skewed,
        {
            "covers mean_queue_wait": (0.82, 1.0),
            "falsely passes a limit of mean_queue_wait": (0.0, 0.12),
            "passes four times the wait": (0.30, 1.0),
            "warns of skewness": (0.75, 1.0),
            "covers mean_queue_wait of exponential service": BAND,
            "falsely passes a limit of mean_queue_wait of exponential service": (0.0, 0.06),
            "before: covers mean_queue_wait": ANY,
            "before: falsely passes a limit of mean_queue_wait": ANY,
            "before: passes four times the wait": ANY,
        },
    ),
    14: Problem(
        _ages,
        {
            "is exact: p50_wait": (0.98, 1.0),
            "is exact: p90_wait": (0.98, 1.0),
            "passes p50_wait <= 3 s": (0.98, 1.0),
            "passes p90_wait <= 3 s": (0.98, 1.0),
            "falsely passes p50_wait <= 2.999 s": (0.0, 0.0),
            "falsely passes p90_wait <= 2.999 s": (0.0, 0.0),
            "falsely tells p50_wait apart": (0.0, 0.0),
            "falsely tells p90_wait apart": (0.0, 0.0),
            "tells p50_wait apart from 3.01 s": (0.98, 1.0),
            "tells p90_wait apart from 3.01 s": (0.98, 1.0),
            "before: passes p50_wait <= 3 s": ANY,
            "before: passes p90_wait <= 3 s": ANY,
        },
    ),
}
