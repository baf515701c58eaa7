"""One replication to run, what comes out of it, and what it shares with its neighbours."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bufsim import checks
from bufsim.engines.compilation import compiled, silent, telling
from bufsim.engines.lowering import check_lowered
from bufsim.engines.workload import Jobs, Workload
from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation, engine_of, run_on

PATIENCE = 0.5
"""A worker hands over what it has done after so long, s: more than that is never lost, and the bar moves."""
MOST_KEPT = 2**22
"""Jobs that are kept for the next scenario: at most some 150 MB."""


@dataclass(frozen=True, slots=True)
class Task:
    """One replication to run.

    Parameters
    ----------
    scenario : str
        Its name.
    simulation : Simulation
        What runs.
    seed, replication : int
        Its randomness.
    engine : {"simpy", "compiled"}
        What runs it.
    parts : tuple of str
        How the parts of its policies are written where the study is, if that may be otherwise where the task runs.
    """

    scenario: str
    simulation: Simulation
    seed: int
    replication: int
    engine: Engine
    parts: tuple[str, ...] = ()

    def run(self, draws: SharedDraws) -> Outcome:
        """Run it; an error becomes the outcome."""
        try:
            result = run_on(self.simulation, draws.workload(self), engine=self.engine, record="summary")
            return Outcome(self.scenario, self.replication, self._written_there(result.tally), None)
        except Exception as error:  # whatever a user's own part raises is reported, and stops nobody else
            draws.forget()
            return Outcome(self.scenario, self.replication, None, _described(error))

    def _written_there(self, tally: Tally) -> Tally:
        """Write causes as they are written where the study is."""
        here = _policy_parts(self.simulation)
        if not self.parts or self.parts == here:
            return tally
        there = dict(zip(here, self.parts, strict=True))
        buffers = {
            name: replace(buffer, causes={there.get(cause, cause): count for cause, count in buffer.causes.items()})
            for name, buffer in tally.buffers.items()
        }
        return replace(tally, buffers=buffers)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one replication: its tally, or why there is none.

    Parameters
    ----------
    scenario : str
        The scenario's name.
    replication : int
        Which replication.
    tally : Tally or None
        What is kept of it.
    error : str or None
        Why there is none.
    """

    scenario: str
    replication: int
    tally: Tally | None
    error: str | None


def engine_for(simulation: Simulation, engine: Engine) -> Engine:
    """The engine that runs a simulation: for "auto" the compiled one if that can.

    Raises
    ------
    NotLoweredError
        If it is to be the compiled one and cannot.
    """
    checks.one_of("engine", engine, ("simpy", "compiled", "auto"))
    if engine == "compiled":
        check_lowered(simulation)
        compiled()
    return engine_of(simulation, engine)


def parts_of(simulation: Simulation) -> tuple[str, ...]:
    """The parts of a simulation's policies in words, if a class of the user's own is among them, else nothing.

    The name of a class that was defined in a function or in another class is shortened on its way to another process.
    """
    policies = [buffer.policy for buffer in simulation.buffers]
    own = any(not type(part).__module__.startswith("bufsim.") for policy in policies for part in policy.parts())
    return _policy_parts(simulation) if own else ()


def _policy_parts(simulation: Simulation) -> tuple[str, ...]:
    return tuple(repr(part) for buffer in simulation.buffers for part in buffer.policy.parts())


class SharedDraws:
    """The jobs and draws of the last replication, kept for the next one as long as that meets the same."""

    def __init__(self) -> None:
        self._last: tuple[Task, Workload] | None = None

    def workload(self, task: Task) -> Workload:
        """The work of a replication: the last one's, if both meet the same jobs and draws."""
        if self._last is None or not _meet_the_same(self._last[0], task):
            self.forget()  # before another is drawn: two need not lie in memory
            simulation = task.simulation
            workload = _KeptWorkload(
                simulation.producers, seed=task.seed, until=simulation.until, replication=task.replication
            )
            self._last = task, workload
        return self._last[1]

    def forget(self) -> None:
        """Keep nothing: after an error, what was drawn may be half done."""
        self._last = None


class _KeptWorkload(Workload):
    """A workload whose jobs are drawn once, unless they take much room."""

    _kept: Jobs | None = None
    _kept_blocks: Sequence[Jobs] | None = None

    def jobs(self) -> Jobs:
        if self._kept is not None:
            return self._kept
        jobs = super().jobs()
        if len(jobs) <= MOST_KEPT:
            self._kept = jobs
        return jobs

    def job_blocks(self) -> Iterator[Jobs]:
        if self._kept_blocks is not None:
            yield from self._kept_blocks
            return
        kept: list[Jobs] = []
        count = 0
        for block in super().job_blocks():
            count += len(block)
            if count <= MOST_KEPT:
                kept.append(block)
            else:
                kept.clear()
            yield block
        if count <= MOST_KEPT:
            self._kept_blocks = kept


def _meet_the_same(task: Task, other: Task) -> bool:
    same_stream = (task.seed, task.replication) == (other.seed, other.replication)
    return same_stream and drawn_from(task.simulation) == drawn_from(other.simulation)


def drawn_from(simulation: Simulation) -> tuple[object, ...]:
    """The parts that the jobs and draws of a simulation follow from, by identity: the same in all variations of one.

    Equal values that are different objects are drawn twice, to the same numbers.
    """
    parts = [*simulation.producers, *simulation.workers, *(buffer.flush_time.fixed for buffer in simulation.buffers)]
    return (simulation.until, len(simulation.producers), len(simulation.workers), *map(id, parts))


def run(tasks: Iterable[Task], draws: SharedDraws | None = None) -> Iterator[Outcome]:
    """Run replications, one after the other; neighbours that meet the same jobs share what is drawn."""
    draws = draws or SharedDraws()
    for task in tasks:
        yield task.run(draws)


def run_for_a_while(tasks: Sequence[Task], draws: SharedDraws | None = None) -> list[Outcome]:
    """Run the first of these replications, at least one, and as many as `PATIENCE` allows: what a worker does."""
    end = time.monotonic() + PATIENCE
    outcomes = []
    # where the study is, it was told already
    with telling(silent):
        for outcome in run(tasks, draws):
            outcomes.append(outcome)
            if time.monotonic() >= end:
                break
    return outcomes


def _described(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
