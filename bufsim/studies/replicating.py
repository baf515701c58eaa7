"""The replications of named scenarios as they come in: from a store, from here, or from an executor."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from bufsim.engines.compilation import telling
from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation
from bufsim.studies import progress as bars
from bufsim.studies.effort import LONG, USUAL, Effort, jobs_by_scenario, measured, seconds_of
from bufsim.studies.execution import at_once, check, execute
from bufsim.studies.fingerprints import fingerprints
from bufsim.studies.replication import Outcome, Task, drawn_from, engine_for, parts_of
from bufsim.studies.store import Key, Store


class Replicating:
    """The replications of named scenarios, as far as they have come in.

    Parameters
    ----------
    scenarios : mapping of str to Simulation
        What runs, by name.
    seed : int
        The root seed.
    engine : {"auto", "simpy", "compiled"}
        What runs it.
    """

    def __init__(self, scenarios: Mapping[str, Simulation], seed: int, engine: Engine) -> None:
        self.scenarios = scenarios
        self.seed = seed
        self.engines = {name: engine_for(simulation, engine) for name, simulation in scenarios.items()}
        self._parts = {name: parts_of(simulation) for name, simulation in scenarios.items()}
        self.tallies: dict[str, dict[int, Tally]] = {name: {} for name in scenarios}
        self.errors: list[Outcome] = []
        self.complete = True

    def run(
        self,
        replications: Iterable[int],
        *,
        executor: int | Executor | None = None,
        store: str | Path | None = None,
        progress: bool | bars.Progress | None = None,
    ) -> None:
        """Run those replications that are not there yet; an interrupt ends it early, and `complete` is False then."""
        check(executor)
        wanted = list(replications)
        self.complete = False
        # after an interrupt, what is finished is kept, and says that it is a part
        with contextlib.suppress(KeyboardInterrupt), self._journal(store) as journal:
            self._read(journal, wanted)
            tasks = list(self._tasks(wanted))
            total = len(wanted) * len(self.tallies)
            with bars.shown(progress, total, total - len(tasks)) as bar, telling(bar.say):
                if bar.speaks and tasks:
                    self._say(bar, tasks, len(wanted), executor)
                execute(tasks, executor, functools.partial(self._keep, journal), bar.advance)
            self.complete = True

    def effort(self, replications: Iterable[int], executor: int | Executor | None) -> Effort:
        """Return what those replications will take that are not there yet, from short runs of some scenarios."""
        check(executor)
        wanted = list(replications)
        return self._effort(list(self._tasks(wanted)), len(wanted), executor)

    def _effort(self, tasks: Sequence[Task], replications: int, executor: int | Executor | None) -> Effort:
        jobs = jobs_by_scenario(self.scenarios, self.seed)
        seconds = seconds_of(tasks, jobs, measured(tasks, jobs))
        workers = at_once(executor, seconds)
        mean = sum(jobs.values()) / len(jobs)
        return Effort(len(self.scenarios), replications, mean, len(tasks), seconds / workers, workers)

    def _say(self, bar: bars.Bar, tasks: Sequence[Task], replications: int, executor: int | Executor | None) -> None:
        """Say what long work will take; short work is not held up by an estimate."""
        seconds = seconds_of(tasks, jobs_by_scenario(self.scenarios, self.seed), USUAL)
        if seconds / at_once(executor, seconds) > LONG:
            bar.say(str(self._effort(tasks, replications, executor)))

    def _tasks(self, replications: Iterable[int]) -> Iterator[Task]:
        """Yield what is to run, replication by replication, so that a part of it has something of every scenario.

        Scenarios that meet the same jobs are neighbours.
        """
        groups: dict[tuple[object, ...], list[str]] = {}
        for name, simulation in self.scenarios.items():
            groups.setdefault(drawn_from(simulation), []).append(name)
        names = [name for group in groups.values() for name in group]
        failed = {(error.scenario, error.replication) for error in self.errors}
        for replication, name in itertools.product(replications, names):
            if replication not in self.tallies[name] and (name, replication) not in failed:
                yield Task(name, self.scenarios[name], self.seed, replication, self.engines[name], self._parts[name])

    def _journal(self, path: str | Path | None) -> contextlib.AbstractContextManager[Store | None]:
        return contextlib.nullcontext() if path is None else Store(path)

    def _read(self, journal: Store | None, replications: Iterable[int]) -> None:
        if journal is not None:
            for name, found in self.tallies.items():
                found.update(journal.read(self._keys[name], set(replications) - set(found)))

    def _keep(self, journal: Store | None, outcomes: Sequence[Outcome]) -> None:
        finished = []
        for outcome in outcomes:
            if outcome.tally is not None:
                self.tallies[outcome.scenario][outcome.replication] = outcome.tally
                finished.append((outcome.scenario, outcome.replication, outcome.tally))
            elif outcome not in self.errors:
                self.errors.append(outcome)
        if journal is not None:
            journal.write([(self._keys[name], replication, tally) for name, replication, tally in finished])

    @functools.cached_property
    def _keys(self) -> dict[str, Key]:
        prints = fingerprints(self.scenarios)
        return {name: Key(prints[name], self.engines[name], self.seed) for name in self.scenarios}
