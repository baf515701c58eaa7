"""Random models of built-in parts, full of events at the same instant."""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bufsim import theory
from bufsim.engines.workload import Workload
from bufsim.model.arrivals import Bulk, Deterministic, Poisson
from bufsim.model.buffers import (
    CollectAll,
    DrainAll,
    FlushTime,
    JobBuffer,
    Storage,
)
from bufsim.model.distributions import Constant, Exponential, Geometric
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.policies import (
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushWhenIdle,
)
from bufsim.model.producers import Producer, Zipf
from bufsim.model.reducers import UniqueByKey
from bufsim.model.stops import Stops
from bufsim.model.workers import PushWorkers
from bufsim.results.records import SCHEMAS
from bufsim.results.result import Result
from bufsim.simulation import Simulation
from bufsim.studies.estimates import Evaluation
from bufsim.studies.formulas import expression
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult
from bufsim.verification import parts
from bufsim.verification.findings import Extent, Finding, found
from bufsim.verification.parts import Chooser

UNITS = (0.5, 0.5, 0.1, 1 / 3, parts.MINUTE)


def models(seed: int, count: int, first: int = 0) -> Iterator[Simulation]:
    """Yield so many models, from number `first` on, always the same for a seed.

    All times are multiples of a unit, of a half or a minute, where sums of floats are exact, or of a tenth or a third,
    where they are not: so that arrivals, flushes, services and stops fall together.
    """
    for number in range(first, first + count):
        yield model(_Random(np.random.default_rng([seed, number])))


class _Random(Chooser):
    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator
        super().__init__(self.among(UNITS))

    def whole(self, low: int, high: int) -> int:
        return int(self.generator.integers(low, high + 1))


def model(c: Chooser) -> Simulation:
    """Return a model of parts that are chosen.

    One in four is plain: one buffer that keeps every job that comes to it, which the compiled engine runs in shorter
    ways. One in ten is crowded: jobs come by the dozen to such a buffer, for some dozens of workers.
    """
    plain, crowded = c.whole(0, 3) == 0, c.whole(0, 9) == 0
    loses = not plain and c.whole(0, 2) > 0
    c.queues = c.among((parts.QUEUES, parts.QUEUES[:1]))
    producers = [_producer(c, name) for name in "pqr"[: c.among((1, 1, 2, 3))]]
    if crowded:
        producers[0] = Producer("p", Bulk(Deterministic(c.time(3, 6)), c.whole(40, 80)), queue=c.among(c.queues))
    queues = sorted({queue for producer in producers for queue in producer.queues})
    buffers = [_buffer(c, name, queues, loses) for name in "abcdef"[: c.among((1, 1, 1, 1, 1, 2, 2, 2, 3, 6))]]
    return Simulation(
        producers=producers,
        buffers=[_plain_buffer(c)] if plain or crowded else buffers,
        workers=[
            parts.workers(c, queue, concurrency=c.whole(33, 48) if crowded else None) for queue in _served(c, queues)
        ],
        until=c.among((13, 24.5, 30)) * c.unit,
        warm_up=c.among((0.0, 0.0, 4.0, 7.25)) * c.unit,
        storage=_storage(c, loses),
        durable_queue=c.among((True, False, not loses, queues[:1] if loses else True)),
        stops=c.among((None, _stops(c), Stops(mean_time_between=8.0 * c.unit, downtime=c.unit))) if loses else None,
    )


def _served(c: Chooser, queues: Sequence[str]) -> list[str | None]:
    """Which queues have workers of their own; None: all others."""
    some: Sequence[str | None] = [queue for queue in (None, *queues) if c.whole(0, 1)]
    return list(c.among(((), (None,), some)))


def _producer(c: Chooser, name: str) -> Producer:
    if c.whole(0, 1):
        return Producer(name, parts.trace(c))
    arrivals = c.part(parts.ARRIVALS)
    if arrivals.has_attributes:
        return Producer(name, arrivals)
    nbytes = c.among((0, 2, Geometric(2.0)))
    keys = c.among((None, c.part(parts.KEYS)))
    return Producer(name, arrivals, queue=c.among(c.queues), keys=keys, nbytes=nbytes)


def _plain_buffer(c: Chooser) -> JobBuffer:
    fixed = c.among((Constant(0.0), c.part(parts.SERVICES)))
    return JobBuffer(
        "a", policy=_policy(c), drain=c.among((DrainAll(), c.part(parts.DRAINS))), flush_time=FlushTime(fixed)
    )


def _buffer(c: Chooser, name: str, queues: Sequence[str], loses: bool) -> JobBuffer:
    collect = c.part(parts.COLLECTS)
    return JobBuffer(
        name,
        policy=_policy(c),
        collect=collect if any(map(collect.takes, queues)) else CollectAll(),
        reduce=c.part(parts.REDUCES),
        drain=c.part(parts.DRAINS),
        capacity=c.among((None, parts.capacity(c))) if loses else None,
        flush_time=FlushTime(
            c.among((Constant(0.0), c.part(parts.SERVICES))), per_job=c.among((0.0, 0.5 * c.unit, c.unit))
        ),
        storage=c.among((None, _storage(c, loses))),
    )


def _storage(c: Chooser, loses: bool) -> Storage:
    return parts.storage(c) if loses else Storage(durable=c.among((True, False)))


def _policy(c: Chooser) -> FlushPolicy:
    """Return leaves joined by | and &, looked at at all times or on a grid, the whole or the first of them."""
    period, phase = c.time(1, 4), c.time(0, 3)
    checked = c.among((None, None, "first", "all"))
    policy: FlushPolicy = c.part(parts.LEAVES)
    if checked == "first":
        policy = policy.checked_every(period, phase=phase)
    for _ in range(c.whole(0, 2)):
        policy = policy | c.part(parts.LEAVES) if c.whole(0, 1) else policy & c.part(parts.LEAVES)
    return policy.checked_every(period, phase=phase) if checked == "all" else policy


def _stops(c: Chooser) -> Stops:
    down = c.whole(0, 3)
    steps = np.cumsum([c.whole(1, 8) + down for _ in range(c.whole(1, 3))])
    return Stops(at=[int(step) * c.unit for step in steps], downtime=down * c.unit)


CONSERVATION = "conservation"


def check_conservation(extent: Extent) -> Finding:
    """Count the jobs of random models in ways that have nothing in common, and compare."""
    wrong, rows = "", 0
    for number, simulation in enumerate(models(extent.seed, extent.models)):
        result = simulation.run(extent.seed)
        rows += len(result.jobs)
        broken = laws_broken(simulation, result)
        if broken and not wrong:
            wrong = f"model {number}: {broken[0]}"
    checked = f"{rows:,} jobs of {extent.models:,} random models, all of whose whereabouts add up"
    return found(CONSERVATION, checked, wrong, rows)


def laws_broken(simulation: Simulation, result: Result) -> list[str]:
    """Return the laws of conservation that a result breaks, in words."""
    outcomes = Counter(result.jobs["outcome"].astype(str))
    drawn = Workload(simulation.producers, seed=result.seed, until=simulation.until).jobs()
    last = result.buffer_size.groupby("buffer", observed=True)["size"].last()
    lost_in_buffer = int((result.jobs["loss_cause"] == "buffer").sum())
    known = ("bypassed", "flushed", "buffered", "in_flight", "lost")
    laws = {
        "every job that arrived has a row": len(drawn) == result.jobs["job_id"].nunique(),
        "every row has one outcome": sum(outcomes[name] for name in known) == len(result.jobs),
        "what is buffered is the last buffer size": int(last.sum()) == outcomes["buffered"],
        "batch sizes are the rows flushed": int(result.flushes["batch_size"].sum())
        == int(result.jobs["flush_id"].notna().sum()),
        "a lost row has a cause": outcomes["lost"] == int(result.jobs["loss_cause"].notna().sum()) >= lost_in_buffer,
    }
    return [law for law, holds in laws.items() if not holds]


TWO_ENGINES = "two engines"


def check_two_engines(extent: Extent) -> Finding:
    """Run random models on both engines, and compare every cell of every table."""
    if importlib.util.find_spec("numba") is None:
        return Finding(
            TWO_ENGINES, 'the compiled engine is not installed: pip install "bufsim[compiled]"', "not checked"
        )
    wrong, rows = "", 0
    for number, simulation in enumerate(models(extent.seed, extent.models)):
        differing, size = differences(simulation, extent.seed)
        rows += size
        if differing and not wrong:
            wrong = f"model {number} differs in {', '.join(differing)}"
    checked = f"{extent.models:,} random models full of ties, {rows:,} rows of tables equal to the last bit"
    return found(TWO_ENGINES, checked, wrong, extent.models)


def differences(simulation: Simulation, seed: int) -> tuple[list[str], int]:
    """Return the tables in which the engines differ, and how many rows there are in all."""
    one, other = (simulation.run(seed, engine=engine) for engine in ("simpy", "compiled"))
    tables = [(name, getattr(one, name), getattr(other, name)) for name in SCHEMAS]
    return [name for name, left, right in tables if not _same(left, right)], sum(len(left) for _, left, _ in tables)


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    try:
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    except AssertionError:
        return False
    return True


CLOSED_FORMS = "closed forms"
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


def check_closed_forms(extent: Extent) -> Finding:
    """Replicate the known models, and count how many standard errors each metric is from its expected value."""
    known = {model.name: model for model in known_models()}
    study = Study({name: model.simulation for name, model in known.items()}, seed=extent.seed)
    result = study.run(extent.replications, progress=False)
    off = {
        f"{name}, {metric}": standard_errors_off(result, name, metric, truth)
        for name, model in known.items()
        for metric, truth in model.truths.items()
    }
    farthest = max(off, key=lambda what: off[what])
    checked = (
        f"{len(off)} metrics of {len(known)} models within {MOST:g} standard errors over {result.replications} runs "
        f"(the farthest {off[farthest]:.1f})"
    )
    wrong = f"{farthest} is {off[farthest]:.1f} off" if off[farthest] > MOST else ""
    return found(CLOSED_FORMS, checked, wrong, len(off))


def standard_errors_off(result: StudyResult, scenario: str, metric: str, truth: float) -> float:
    """Distance of a metric's estimate from its expected value, in its own standard errors."""
    values = result.measured(metric, scenario).values()
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    # what is the same in every run, such as the rate of a clock, must be the value itself
    return abs(float(values.mean()) - truth) / max(error, 1e-9 * abs(truth))


COVERAGE = "intervals"
_CONFIDENCE = 0.95
_EACH = 10
_CHANCE = 0.001


def check_coverage(extent: Extent) -> Finding:
    """Make so many studies of one model, and count how many of their intervals hold the closed form."""
    counts = covered(extent.seed, extent.studies)
    low, high = bounds(extent.studies, len(counts))
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    checked = (
        f"{extent.studies:,} studies of {_EACH} runs, 95 % intervals that hold the truth: {listed} (due {low}-{high})"
    )
    out = [name for name, count in counts.items() if not low <= count <= high]
    wrong = f"{', '.join(out)} outside" if out else ""
    return found(COVERAGE, checked, wrong, extent.studies * len(counts))


def covered(seed: int, studies: int) -> dict[str, int]:
    """Return of each metric how many studies' intervals hold its expected value."""
    form = theory.size_or_age(rate=10.0, size=40, age=5.0)
    truths = {
        "mean_wait": form.mean_wait,
        "p99_wait": form.wait_p99,
        "mean_batch_size": form.mean_batch,
        "mean_buffer_size": form.time_avg_buffer,
    }
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(10.0))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(40) | FlushAfterAge(5.0))],
        warm_up=20.0,
        until=220.0,
    )
    result = Study({"one": simulation}, seed=seed).run(studies * _EACH, progress=False)
    tallies = [result.tallies["one"][number] for number in range(studies * _EACH)]
    groups = [tallies[first : first + _EACH] for first in range(0, len(tallies), _EACH)]
    return {
        metric: sum(truth in Evaluation(expression(metric), group).interval(_CONFIDENCE) for group in groups)
        for metric, truth in truths.items()
    }


def bounds(studies: int, metrics: int) -> tuple[int, int]:
    """Return between which counts each of so many metrics lies, but for one chance in a thousand, at a true 95 %."""
    from scipy.stats import binom  # late: slow to import

    tail = _CHANCE / metrics / 2.0
    return int(binom.ppf(tail, studies, _CONFIDENCE)), int(binom.isf(tail, studies, _CONFIDENCE))
