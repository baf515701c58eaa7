"""The effort of a study: how many runs, and about how long they will take, from short runs that are timed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic, perf_counter
from typing import NamedTuple

from bufsim.engines.randomness import stream
from bufsim.simulation import Engine, Simulation
from bufsim.studies.tasks import Task, drawn_from

LONG = 5.0
"""Work that takes longer than this, s, is announced before it starts."""
_LENGTHS: Mapping[Engine, tuple[int, int]] = {"compiled": (2_000, 40_000), "simpy": (500, 5_000)}
"""Jobs of the short runs that are timed: two lengths, to tell the cost of a run from that of a job."""
_MOST_TIMED = 5
_MOST_SECONDS = 2.0


class Cost(NamedTuple):
    """The cost of a run, s.

    Parameters
    ----------
    per_run, per_job : float
        Whatever it holds, and for each job in it.
    """

    per_run: float
    per_job: float


USUAL: Mapping[Engine, Cost] = {"compiled": Cost(1e-3, 1e-7), "simpy": Cost(2e-3, 5e-6)}
"""The cost of runs on a machine of 2024, to the order of magnitude: enough to tell long work from short."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The effort of a study: its runs, and about how long they take.

    Parameters
    ----------
    scenarios, replications : int
        How many scenarios, and replications of each.
    jobs : float
        Jobs of a run, on average.
    left : int
        Runs that are still to be done: the others are in the store.
    seconds : float
        About how long they take together.
    workers : int
        How many run at once.

    Examples
    --------
    >>> print(Effort(scenarios=60, replications=30, jobs=72_000.0, left=1800, seconds=25.3, workers=1))
    60 scenarios × 30 replications = 1,800 runs of about 72,000 jobs; about 25 s
    """

    scenarios: int
    replications: int
    jobs: float
    left: int
    seconds: float
    workers: int

    @property
    def runs(self) -> int:
        """All runs."""
        return self.scenarios * self.replications

    def __str__(self) -> str:
        done = self.runs - self.left
        stored = f", of which {done:,} are there already" if done else ""
        shared = f" on {self.workers} workers" if self.workers > 1 else ""
        scenarios = "1 scenario" if self.scenarios == 1 else f"{self.scenarios:,} scenarios"
        runs = f"{scenarios} × {self.replications:,} replications = {self.runs:,} runs"  # noqa: RUF001  # times, as books write it
        return f"{runs} of about {_rounded(self.jobs):,} jobs{stored}; about {_duration(self.seconds)}{shared}"


def jobs_by_scenario(simulations: Mapping[str, Simulation], seed: int) -> dict[str, float]:
    """The number of jobs in a run of each simulation, about."""
    counts: dict[tuple[object, ...], float] = {}
    for simulation in simulations.values():
        if drawn_from(simulation) not in counts:
            counts[drawn_from(simulation)] = _jobs(simulation, seed)
    return {name: counts[drawn_from(simulation)] for name, simulation in simulations.items()}


def seconds_of(tasks: Sequence[Task], jobs: Mapping[str, float], costs: Mapping[Engine, Cost]) -> float:
    """The time that tasks take one after the other, about, s.

    Parameters
    ----------
    tasks : sequence of Task
        What is to run.
    jobs : mapping of str to float
        The jobs of a run, by scenario.
    costs : mapping
        What runs cost on each engine.
    """
    return sum(costs[task.engine].per_run + costs[task.engine].per_job * jobs[task.scenario] for task in tasks)


def measured(tasks: Sequence[Task], jobs: Mapping[str, float]) -> dict[Engine, Cost]:
    """The cost of these tasks on this machine, from short runs of some of their scenarios."""
    costs = dict(USUAL)
    first = {task.scenario: task for task in tasks}
    for engine in costs:
        candidates = [task for task in first.values() if task.engine == engine]
        some = candidates[:: max(len(candidates) // _MOST_TIMED, 1)][:_MOST_TIMED]
        end = monotonic() + _MOST_SECONDS
        timed = [_cost(task, jobs[task.scenario]) for task in some if monotonic() < end]
        known = [cost for cost in timed if cost is not None]
        if known:
            costs[engine] = Cost(*(sum(parts) / len(known) for parts in zip(*known, strict=True)))
    return costs


def _cost(task: Task, jobs: float) -> Cost | None:
    """Time two short runs of a task; None if it fails, which its own runs will report."""
    short, long = (min(length, jobs) for length in _LENGTHS[task.engine])
    try:
        run_time(task, short / max(jobs, 1.0))  # the first run may compile
        # the least of two: something else may have come between
        first, second = (min(run_time(task, length / max(jobs, 1.0)) for _ in range(2)) for length in (short, long))
    except Exception:  # whatever a user's own part raises
        return None
    per_job = max(second - first, 0.0) / (long - short) if long > short else 0.0
    return Cost(max(first - per_job * short, 0.0), per_job)


def run_time(task: Task, share: float) -> float:
    """Time a run of that share of the simulated time, s."""
    until = task.simulation.until * min(max(share, 1e-9), 1.0)
    simulation = task.simulation if share >= 1.0 else replace(task.simulation, until=until, warm_up=0.0)
    begin = perf_counter()
    simulation.run(task.seed, engine=task.engine, replication=task.replication, record="summary")
    return perf_counter() - begin


def _jobs(simulation: Simulation, seed: int) -> float:
    total = 0.0
    for producer in simulation.producers:
        rate = producer.arrivals.mean_rate
        if producer.trace is None and math.isfinite(rate):
            total += rate * simulation.until
        else:
            # what has no rate, or an end, is counted in the first replication
            arrivals = producer.arrivals.blocks(stream(seed, producer.name, "arrivals"), simulation.until)
            total += sum(map(len, arrivals))
    return total


def _rounded(number: float) -> int:
    """Round to two figures: it is an estimate."""
    return int(round(number, 1 - int(math.log10(number)))) if number >= 10.0 else round(number)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2.0 * length:
            return f"{_rounded(seconds / length):,} {unit}"
    return f"{max(_rounded(seconds), 1)} s"
