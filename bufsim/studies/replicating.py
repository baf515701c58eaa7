"""The replications of named scenarios as they come in: from a store, from here, or from an executor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path

from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation
from bufsim.studies import progress as bars
from bufsim.studies.execution import outcomes
from bufsim.studies.fingerprints import fingerprint
from bufsim.studies.replication import Outcome, Task, engine_for
from bufsim.studies.store import Store


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
        wanted = list(replications)
        kept = None if store is None else Store(store)
        prints = {} if kept is None else {name: fingerprint(one) for name, one in self.scenarios.items()}
        self.complete = False
        try:
            if kept is not None:
                for name, print_ in prints.items():
                    self.tallies[name].update(kept.read(print_, self.seed, wanted))
            tasks = list(self._tasks(wanted))
            total = len(wanted) * len(self.tallies)
            with bars.shown(progress, total, total - len(tasks)) as advance:
                for outcome in outcomes(tasks, executor) if tasks else ():
                    self._take(outcome)
                    if kept is not None and outcome.tally is not None:
                        kept.write(prints[outcome.scenario], self.seed, outcome.replication, outcome.tally)
                    advance()
            self.complete = True
        except KeyboardInterrupt:
            pass  # what is finished is kept, and says that it is a part
        finally:
            if kept is not None:
                kept.close()

    def _tasks(self, replications: Iterable[int]) -> Iterator[Task]:
        """Yield what is to run, replication by replication, so that a part of it has something of every scenario."""
        failed = {(error.scenario, error.replication) for error in self.errors}
        for replication, (name, simulation) in itertools.product(replications, self.scenarios.items()):
            if replication not in self.tallies[name] and (name, replication) not in failed:
                yield Task(name, simulation, self.seed, replication, self.engines[name])

    def _take(self, outcome: Outcome) -> None:
        if outcome.tally is None:
            self.errors.append(outcome)
        else:
            self.tallies[outcome.scenario][outcome.replication] = outcome.tally
