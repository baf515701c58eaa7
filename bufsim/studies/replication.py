"""One replication of one scenario, and what comes out of it: a tally, or why there is none."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from bufsim.engines import compiled_engine
from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation


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
    """

    scenario: str
    simulation: Simulation
    seed: int
    replication: int
    engine: Engine

    def run(self) -> Outcome:
        """Run it; an error becomes the outcome."""
        try:
            result = self.simulation.run(self.seed, engine=self.engine, replication=self.replication, record="summary")
            return Outcome(self.scenario, self.replication, result.tally, None)
        except Exception as error:  # whatever a user's own part raises is reported, and stops nobody else
            place = traceback.extract_tb(error.__traceback__)[-1]
            cause = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
            return Outcome(self.scenario, self.replication, None, cause)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one replication.

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


def run_tasks(tasks: Sequence[Task]) -> list[Outcome]:
    """Run several replications, one after the other: what a worker process does."""
    return [task.run() for task in tasks]


def engine_for(simulation: Simulation, engine: Engine) -> Engine:
    """Return the engine that "auto" means for a simulation; another one as it is."""
    if engine != "auto":
        return engine
    return "compiled" if compiled_engine.can_run(simulation) else "simpy"
