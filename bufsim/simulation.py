"""A simulation: a whole model, declared, that can be run."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.engines import demand
from bufsim.engines.randomness import fresh_seed
from bufsim.engines.workload import Workload
from bufsim.model.declaration import Declaration
from bufsim.model.flush_policy import FlushPolicy
from bufsim.model.traces import Keep

if TYPE_CHECKING:
    from bufsim.engines.simpy_engine import Model
    from bufsim.results.contents import RecordLevel
    from bufsim.results.result import Result

Engine = Literal["simpy", "compiled", "auto"]


class Simulation(Declaration):
    """A model: producers, job buffers under flush policies, workers behind them, and how long to run.

    Parameters
    ----------
    producers : sequence of Producer
        What creates jobs; at least one, with different names.
    buffers : sequence of JobBuffer
        Where jobs wait; at least one, with different ids. Jobs that no buffer collects pass by, straight to the queue.
    workers : sequence of PushWorkers or PollingWorkers
        What serves the job queues. A queue without workers keeps its jobs.
    until : float, str or timedelta, optional
        The run covers [0, until), s. Nothing at `until` happens, and there is no final flush. It can be left out where
        all arrivals are recorded: the run then ends with the longest recording, at its `length` or, without one, at the
        next double after its last time, so that its last job arrives.
    warm_up : float, str or timedelta
        Metrics leave out [0, warm_up), s.
    storage : Storage
        Where the jobs of the buffers lie that have no storage of their own: in memory, and lost at a stop, by default.
    durable_queue : bool, str or sequence of str
        Whether the jobs in the queues outlive a stop of the server; or the names of the queues whose jobs do.
    stops : Stops, optional
        When the server stops.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        If a value breaks its rule, two names are the same, a buffer collects from no producer's queue, workers serve
        an unknown queue, an unknown one is durable, or a period is too small for the run (less than until·2⁻⁵⁰).

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(100.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     until="1min",
    ... )
    >>> len(simulation.run(seed=1).flushes)
    11
    """

    __slots__ = ()

    def with_policy(self, policy: FlushPolicy, *, buffer: str | None = None) -> Simulation:
        """Return this simulation under another flush policy.

        Parameters
        ----------
        policy : FlushPolicy
            The policy.
        buffer : str, optional
            The id of the buffer that gets it; None: all.
        """
        if buffer is not None:
            checks.one_of("buffer", buffer, [declared.id for declared in self.buffers])
        buffers = tuple(
            replace(declared, policy=policy) if buffer in (None, declared.id) else declared for declared in self.buffers
        )
        return replace(self, buffers=buffers)

    def scaled(self, *, arrivals: float, keep: Keep | None = None, shift: Seconds | None = None) -> Simulation:
        """Return this simulation with `arrivals` times as many jobs from every producer.

        Parameters
        ----------
        arrivals : float
            The factor, > 0. Of drawn arrivals the rate is multiplied; recorded jobs come again, or some are left out.
        keep : {"pattern", "independent"}, optional
            What stays of a recording: its hours (the default of a `Trace`), or only what each copy is by itself. None:
            as each trace says.
        shift : float, str or timedelta, optional
            How far a job's copies lie before it at most, under "pattern", s. None: as each trace says.

        Examples
        --------
        >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer
        >>> simulation = Simulation(
        ...     producers=[Producer("edits", Poisson(100.0))],
        ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
        ...     until="1min",
        ... )
        >>> simulation.scaled(arrivals=2.0).producers[0].arrivals
        Poisson(200.0)
        """
        producers = tuple(producer.scaled(arrivals, keep=keep, shift=shift) for producer in self.producers)
        return replace(self, producers=producers)

    def build(self, seed: int | None = None, *, replication: int = 0) -> Model[Result]:
        """Return the model on the SimPy engine, ready to run once; add your own processes to it first.

        Examples
        --------
        >>> from bufsim import JobBuffer, NeverFlush, Poisson, Producer
        >>> simulation = Simulation(
        ...     producers=[Producer("edits", Poisson(100.0))],
        ...     buffers=[JobBuffer("search", policy=NeverFlush())],
        ...     until=60.0,
        ... )
        >>> model = simulation.build(seed=1)
        >>> def operator(env):
        ...     yield env.timeout(30.0)
        ...     model.flush("search")
        >>> process = model.env.process(operator(model.env))
        >>> model.run().flushes.cause.tolist()
        ['manual']
        """
        workload = self._workload(seed, replication)
        demand.check(self, engine="simpy", record="all")
        return _model(self, workload, "all")

    def run(
        self,
        seed: int | None = None,
        *,
        engine: Engine = "simpy",
        replication: int = 0,
        record: RecordLevel = "all",
    ) -> Result:
        """Run once, and return what came out.

        Parameters
        ----------
        seed : int, optional
            The root seed, ≥ 0. None draws one, which the result tells.
        engine : {"simpy", "compiled", "auto"}
            Which engine runs it: both give the same tables to the last bit. Where not all is recorded the compiled one
            adds up on the way, and its sums are rounded otherwise: they agree to 12 digits. "auto" takes the compiled
            one if it can.
        replication : int
            Which of the independent replications of this seed.
        record : {"all", "flushes", "summary"}
            What to keep: all tables; the flushes and the metrics; the metrics alone.

        Returns
        -------
        Result
            Its tables (``jobs``, ``flushes``, ``buffer_size``, ``work``, ``attempts``), its metrics, and its
            pictures.

        Examples
        --------
        >>> from bufsim import FlushAtSize, JobBuffer, Producer, Trace
        >>> producers, buffers = [Producer("edits", Trace([1, 2, 4]))], [JobBuffer("search", policy=FlushAtSize(2))]
        >>> result = Simulation(producers=producers, buffers=buffers, until=5.0).run(seed=1)
        >>> result.flushes.start.tolist(), result.metric("mean_wait")
        ([2.0], 0.5)
        """
        # late: the first run imports what it needs, and the import of bufsim neither engines nor results
        from bufsim.results.contents import RECORD_LEVELS

        checks.one_of("engine", engine, ("simpy", "compiled", "auto"))
        checks.one_of("record", record, RECORD_LEVELS)
        workload = self._workload(seed, replication)
        demand.check(self, engine=engine_of(self, engine), record=record)
        return run_on(self, workload, engine=engine, record=record)

    def _workload(self, seed: int | None, replication: int) -> Workload:
        seed = fresh_seed() if seed is None else checks.seed("seed", seed)
        return Workload(self.producers, seed=seed, until=self.until, replication=replication)


def engine_of(simulation: Simulation, engine: Engine) -> Literal["simpy", "compiled"]:
    """The engine that runs a simulation: for "auto" the compiled one if that can."""
    from bufsim.engines import compiled_engine

    return (
        "simpy" if engine == "simpy" or (engine == "auto" and not compiled_engine.can_run(simulation)) else "compiled"
    )


def run_on(simulation: Simulation, workload: Workload, *, engine: Engine, record: RecordLevel) -> Result:
    """Run a simulation once, on jobs and draws that may serve several; return what came out.

    Parameters
    ----------
    workload : Workload
        The work of the simulation's own producers until its end.
    engine, record
        As in `Simulation.run`.
    """
    from bufsim.engines import compiled_engine
    from bufsim.results.result import Result

    if engine_of(simulation, engine) == "simpy":
        return _model(simulation, workload, record).run()
    if record == "all":
        return Result.of(simulation, workload, "compiled", compiled_engine.run(simulation, workload))
    from bufsim.results import streamed

    if record == "flushes":
        tally, flushes = streamed.flushes(simulation, workload)
    else:
        tally, flushes = streamed.summary(simulation, workload), None
    return Result.from_tally(simulation, workload.seed, workload.replication, "compiled", tally, flushes=flushes)


def _model(simulation: Simulation, workload: Workload, record: RecordLevel) -> Model[Result]:
    from bufsim.engines.simpy_engine import Model
    from bufsim.results.result import Result

    return Model(simulation, workload, functools.partial(Result.of, simulation, workload, "simpy", recorded=record))
