"""A study: many scenarios, replicated under common random numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bufsim import checks
from bufsim.engines.randomness import fresh_seed
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.flush_policy import FlushPolicy
from bufsim.simulation import Engine, Simulation
from bufsim.statistics import SequentialPlan
from bufsim.studies import progress as bars
from bufsim.studies.comparisons import Pairs
from bufsim.studies.effort import Effort
from bufsim.studies.expressions import Expression
from bufsim.studies.running import ReplicationRunner
from bufsim.studies.scenarios import Coordinates, find_scenario, grid
from bufsim.studies.stopping import Goals, Metrics, SequentialResult, run_sequentially
from bufsim.studies.study_result import StudyResult


@dataclass(frozen=True, init=False, eq=False)
class Study:
    """Many scenarios, to be replicated under common random numbers: each meets the same arrivals and service draws.

    Parameters
    ----------
    scenarios : Simulation, or mapping of str to Simulation
        Named scenarios; or one simulation, to be varied by `over`.
    seed : int, optional
        The root seed, ≥ 0; None draws one, which is then `seed`.
    baseline : str or FlushPolicy, optional
        The scenario that the others are compared with, what is done today: its name, its name without its load, or its
        policy if policies are varied.
    **over
        The values that a field of the simulation takes, such as ``policy=[FlushAtSize(40), FlushAfterAge("5s")]``: a
        scenario for every combination, see `bufsim.studies.scenarios.grid`.

    Examples
    --------
    >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushAtSize(40))],
    ...     until="10min",
    ... )
    >>> study = Study(simulation, policy=[FlushAtSize(40), FlushAfterAge("5s")], seed=7)
    >>> result = study.run(replications=5)
    >>> result.replications
    5
    """

    scenarios: Mapping[str, Simulation]
    seed: int
    baseline: str | None
    coordinates: Coordinates

    def __init__(
        self,
        scenarios: Simulation | Mapping[str, Simulation],
        *,
        seed: int | None = None,
        baseline: str | FlushPolicy | None = None,
        **over: Sequence[object],
    ) -> None:
        named = _named(scenarios, over)
        combinations = [dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())]
        coordinates = dict(zip(named, combinations, strict=True)) if over else {}
        object.__setattr__(self, "scenarios", MappingProxyType(named))
        object.__setattr__(self, "seed", fresh_seed() if seed is None else checks.seed("seed", seed))
        object.__setattr__(self, "coordinates", MappingProxyType(coordinates))
        today = None if baseline is None else find_scenario(baseline, named, coordinates)
        object.__setattr__(self, "baseline", today)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (dict(self.scenarios), self.seed, self.baseline, dict(self.coordinates))

    def estimate(
        self, replications: int = 30, *, executor: int | Executor | None = None, engine: Engine = "auto"
    ) -> Effort:
        """The number of runs that `run` would make, and about how long they would take: some short runs are timed.

        `run` itself says this first if it takes long, unless ``progress=False``.

        Parameters
        ----------
        replications, executor, engine
            As for `run`.

        Returns
        -------
        Effort
            As text it is one line.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> study = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7)
        >>> study.estimate(30).runs
        60
        """
        return ReplicationRunner(self.scenarios, self.seed, engine).effort(range(replications), executor)

    def run(
        self,
        replications: int = 30,
        *,
        executor: int | Executor | None = None,
        store: str | Path | None = None,
        progress: bool | bars.Progress | None = None,
        engine: Engine = "auto",
        first: int = 0,
    ) -> StudyResult:
        """Run every scenario so many times under common random numbers.

        Parameters
        ----------
        replications : int
            Independent runs of each scenario, ≥ 2.
        executor : int or Executor, optional
            Where the runs are made: a number of processes on this machine; any ``concurrent.futures.Executor``, which
            is never shut down, such as Dask's ``Client(...).get_executor()``. None: in this process, or in one per core
            where so much is left after the first seconds that they pay. The numbers are the same in any case.
        store : str or Path, optional
            The path of a file that keeps each replication as it is finished: the same study with the same store goes on
            where it was stopped, whatever stopped it.
        progress : bool or callable, optional
            Whether to show a bar, or a function that is called with the replications done, and with all. None: a bar if
            it takes longer than a second.
        engine : {"auto", "simpy", "compiled"}
            What runs the scenarios: "auto" takes the compiled engine for each scenario that it can run. Counts are the
            same on both, to the last one; sums of seconds are rounded otherwise, and agree to 12 digits.
        first : int
            The number of the first replication: ``first=30`` runs replications that no one has seen in the first 30.

        Returns
        -------
        StudyResult
            After an interrupt, what was finished until then, marked as incomplete.

        Raises
        ------
        InvalidValueError
            If there are fewer than 2 replications, or the store is of another version.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, Simulation, Study
        >>> buffers = [JobBuffer("search", policy=FlushAtSize(40))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="2min")
        >>> study = Study(today, policy=[FlushAtSize(20), FlushAfterAge("5s")], seed=7)
        >>> print(study.run(5, progress=False).best(minimise="mean_wait"))
        FlushAtSize(20) is the best, with 0.96 [0.92, 1.00] s
        """
        checks.one_of("engine", engine, ("auto", "simpy", "compiled"))
        checks.integer("first", first, at_least=0)
        if checks.integer("replications", replications, at_least=0) < 2:
            raise InvalidValueError(
                f"replications must be >= 2, got {replications}: from one run nothing can be said about the noise"
            )
        runner = ReplicationRunner(self.scenarios, self.seed, engine)
        numbers = range(first, first + replications)
        runner.run(numbers, executor=executor, store=store, progress=progress)
        return StudyResult.of(runner, numbers, baseline=self.baseline, coordinates=self.coordinates)

    def run_until(
        self,
        *,
        half_widths: Mapping[str | Expression, object] | None = None,
        separated: Metrics = (),
        pairs: Pairs | Literal["all"] | None = None,
        margin: object = None,
        minimise: str | Expression | None = None,
        maximise: str | Expression | None = None,
        indifference: object = None,
        allow_loss: bool = False,
        first: int = 10,
        most: int = 640,
        confidence: float = 0.95,
        executor: int | Executor | None = None,
        store: str | Path | None = None,
        progress: bool | bars.Progress | None = None,
        engine: Engine = "auto",
    ) -> SequentialResult:
        """Run replications until everything that is asked for is reached, and do not be misled by looking often.

        It looks at `first`, 2·`first`, 4·`first`, ... and `most` replications; all looks together keep `confidence`.

        Parameters
        ----------
        half_widths : mapping, optional
            How far the ends of each scenario's interval may lie from its estimate: ``{"mean_wait": "1 %", "p99_wait":
            "50ms"}``.
        separated : str, Expression or sequence of them
            Metrics in which every comparison (with the baseline, in `pairs`, or of all pairs) is to have a verdict;
            differences within `margin` may be called equivalent.
        minimise, maximise : str or Expression, optional
            Find the best scenario, or one that is shown to be within `indifference` of it, such as ``"1 %"``.
        allow_loss : bool
            Whether a scenario that loses jobs may be the best although the objective does not price them.
        first, most : int
            Replications at the first and the last look.
        confidence : float
            Over all looks.
        executor, store, progress, engine
            As for `run`.

        Examples
        --------
        >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer
        >>> buffers = [JobBuffer("search", policy=FlushEvery("5s"))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="10min")
        >>> stopped = Study({"today": today}, seed=1).run_until(half_widths={"mean_wait": "1 %"}, progress=False)
        >>> stopped.reached, stopped.look.replications
        (True, 10)
        """
        checks.one_of("engine", engine, ("auto", "simpy", "compiled"))
        goals = Goals.of(half_widths, separated, pairs, margin, minimise, maximise, indifference, allow_loss)
        runner = ReplicationRunner(self.scenarios, self.seed, engine)

        def run(replications: int) -> StudyResult:
            runner.run(range(replications), executor=executor, store=store, progress=progress)
            numbers = range(replications)
            return StudyResult.of(runner, numbers, baseline=self.baseline, coordinates=self.coordinates)

        return run_sequentially(run, goals, SequentialPlan(first, most, confidence))


def _named(
    scenarios: Simulation | Mapping[str, Simulation], over: Mapping[str, Sequence[object]]
) -> dict[str, Simulation]:
    if isinstance(scenarios, Simulation):
        if not over:
            raise InvalidValueError(
                "a study of one simulation needs something to vary, such as "
                "policy=[FlushAtSize(100), FlushAfterAge('5s')]; to replicate it alone give {'today': simulation}"
            )
        return grid(scenarios, over)
    if not isinstance(scenarios, Mapping):
        raise InvalidTypeError(f"scenarios must be a Simulation or a dict of them by name, got {quoted(scenarios)}")
    if over:
        raise InvalidValueError(
            f"{next(iter(over))} varies one simulation, got named scenarios; vary them, or give one"
        )
    if not scenarios:
        raise InvalidValueError("scenarios must not be empty; give at least one, such as {'today': simulation}")
    for name, simulation in scenarios.items():
        checks.text("scenario name", name)
        if not isinstance(simulation, Simulation):
            raise InvalidTypeError(f"scenario {name!r} must be a Simulation, got {quoted(simulation)}")
    return dict(scenarios)


def _rebuilt(
    scenarios: dict[str, Simulation], seed: int, baseline: str | None, coordinates: dict[str, Mapping[str, object]]
) -> Study:
    study = Study(scenarios, seed=seed, baseline=baseline)
    object.__setattr__(study, "coordinates", MappingProxyType(coordinates))
    return study
