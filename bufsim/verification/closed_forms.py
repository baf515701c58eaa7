"""The simulation agrees with closed forms, within 4 of its own standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bufsim import theory
from bufsim.model.arrivals import Bulk, Poisson
from bufsim.model.buffers import JobBuffer
from bufsim.model.distributions import Exponential, Geometric
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.keys import Zipf
from bufsim.model.policies import FlushAfterAge, FlushAtSize, FlushEvery, FlushWhenIdle
from bufsim.model.producers import Producer
from bufsim.model.reducers import UniqueByKey
from bufsim.model.workers import PushWorkers
from bufsim.simulation import Simulation
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult
from bufsim.verification.extent import Extent
from bufsim.verification.finding import Finding, found

SUBJECT = "closed forms"
MOST = 4.0


@dataclass(frozen=True, slots=True)
class Known:
    """A model, and what theory says of its metrics.

    Parameters
    ----------
    name : str
        What it is.
    simulation : Simulation
        The model.
    truths : mapping of str to float
        Metrics by name, with their expected values.
    """

    name: str
    simulation: Simulation
    truths: Mapping[str, float]


def known_models() -> Iterator[Known]:
    """Yield models whose metrics have a closed form."""
    form = theory.size_or_age(rate=10.0, size=40, age=5.0)
    yield Known(
        "size or age",
        _buffered(FlushAtSize(40) | FlushAfterAge(5.0)),
        {
            "mean_wait_s": form.mean_wait,
            "mean_batch_size_jobs": form.mean_batch,
            "mean_buffer_size_jobs": form.time_avg_buffer,
            "flushes_by_size_share": form.p_size_trigger,
        },
    )
    form = theory.periodic(rate=10.0, period=5.0)
    yield Known(
        "periodic",
        _buffered(FlushEvery(5.0)),
        {"mean_wait_s": form.mean_wait, "mean_buffer_size_jobs": form.time_avg_buffer},
    )
    form = theory.stop_loss_periodic(rate=10.0, period=5.0)
    yield Known("loss at a stop", _buffered(FlushEvery(5.0)), {"mean_loss_at_stop_jobs": form.mean_loss_buffer})
    form = theory.size_only(rate=10.0, size=25)
    yield Known(
        "size", _buffered(FlushAtSize(25)), {"mean_wait_s": form.mean_wait, "flush_rate_per_s": form.flush_rate}
    )
    form = theory.idle_or_age(rate=10.0, idle=0.3, age=2.0)
    yield Known("idle or age", _buffered(FlushWhenIdle(0.3) | FlushAfterAge(2.0)), {"mean_wait_s": form.mean_wait})
    yield _unique_keys()
    yield _bulks_and_one_worker()


def _buffered(policy: FlushPolicy, *, keyed: bool = False) -> Simulation:
    keys = Zipf(50, exponent=1.1) if keyed else None
    return Simulation(
        producers=[Producer("jobs", Poisson(10.0), keys=keys)],
        buffers=[JobBuffer("buffer", policy=policy, reduce=UniqueByKey())],
        # whole periods of 5 s
        warm_up=50.0,
        until=1000.0,
    )


def _unique_keys() -> Known:
    form = theory.unique_keys_periodic(rate=10.0, period=5.0, keys=50, exponent=1.1)
    return Known("unique keys", _buffered(FlushEvery(5.0), keyed=True), {"work_saved_share": form.saved_fraction})


def _bulks_and_one_worker() -> Known:
    form = theory.bulks_and_one_worker(bulk_rate=1.0, mean_bulk=4.0, bulk_scv=0.75, mean_service=0.15, service_scv=1.0)
    simulation = Simulation(
        producers=[Producer("jobs", Bulk(Poisson(1.0), Geometric(4.0)))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(1))],
        workers=[PushWorkers(1, service=Exponential(0.15))],
        warm_up=200.0,
        until=2000.0,
    )
    return Known("bulks and a worker", simulation, {"mean_queue_wait_s": form.mean_queue_wait})


def check(extent: Extent) -> Finding:
    """Replicate the known models, and count how many standard errors each metric is from its expected value."""
    known = {one.name: one for one in known_models()}
    study = Study({name: one.simulation for name, one in known.items()}, seed=extent.seed)
    result = study.run(extent.replications, progress=False)
    off = {
        f"{name}, {metric}": standard_errors_off(result, name, metric, truth)
        for name, one in known.items()
        for metric, truth in one.truths.items()
    }
    farthest = max(off, key=lambda what: off[what])
    checked = (
        f"{len(off)} metrics of {len(known)} models within {MOST:g} standard errors over {result.replications} runs "
        f"(the farthest {off[farthest]:.1f})"
    )
    wrong = f"{farthest} is {off[farthest]:.1f} off" if off[farthest] > MOST else ""
    return found(SUBJECT, checked, wrong, len(off))


def standard_errors_off(result: StudyResult, scenario: str, metric: str, truth: float) -> float:
    """Return how many of its own standard errors the estimate of a metric is from its expected value."""
    values = result.measured(metric, scenario).values()
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    # what is the same in every run, such as the rate of a clock, must be the value itself
    return abs(float(values.mean()) - truth) / max(error, 1e-9 * abs(truth))
