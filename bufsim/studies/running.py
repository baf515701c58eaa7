"""Which part of a value is to blame, such as the one that cannot be pickled."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, fields, is_dataclass, replace
from multiprocessing import resource_tracker
from pathlib import Path
from time import monotonic, perf_counter
from typing import NamedTuple, cast

from bufsim import checks
from bufsim.engines import compiled_engine
from bufsim.engines.compilation import compiled, silent, telling
from bufsim.engines.lowering import check_lowered
from bufsim.engines.randomness import stream
from bufsim.engines.workload import Jobs, Workload
from bufsim.errors import BufsimError, InvalidTypeError, MissingExtraError
from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation, run_on
from bufsim.studies import progress as bars
from bufsim.studies.fingerprints import fingerprints
from bufsim.studies.store import Key, Store


def culprit(value: object, name: str, is_bad: Callable[[object], bool]) -> str:
    """Return the innermost part of a bad value that is bad itself, by its place and what it is.

    Parameters
    ----------
    value : object
        What is bad.
    name : str
        What it is called.
    is_bad : callable
        Whether a part is.

    Examples
    --------
    >>> culprit([1, {"a": 2, "b": -3}], "values", lambda part: "-" in repr(part))
    "values[1]['b'], which is -3"
    """
    for place, part in _parts(value):
        if is_bad(part):
            return culprit(part, f"{name}{place}", is_bad)
    shown = getattr(value, "__qualname__", None)
    return f"{name}, which is {f'the function {shown}' if shown else repr(value)}"


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(value) and not isinstance(value, type):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, list | tuple):
        yield from ((f"[{place}]", part) for place, part in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())


IDLE = 300.0
"""Processes without work for so long, s, end; longer than the pauses within a study, where an end would be an alarm."""


class _Pool(threading.local):
    """The processes of this thread."""

    key: tuple[int, int] | None = None
    executor: Executor | None = None


_POOL = _Pool()


def processes(count: int) -> Executor:
    """Return so many processes: those of the last study, if they are still there.

    They are not loky's reusable executor, which is one for all, and which the caller may use.

    Raises
    ------
    MissingExtraError
        If loky is not installed.
    """
    try:
        from loky import ProcessPoolExecutor
    except ImportError:
        raise MissingExtraError(
            'executor=<number of processes> needs loky: install it with pip install "bufsim[studies]", '
            "or leave executor out"
        ) from None
    # a process that was forked has none of its own yet
    key = (os.getpid(), count)
    if _POOL.executor is None or _POOL.key != key:
        if _POOL.executor is not None and _POOL.key is not None and _POOL.key[0] == os.getpid():
            _POOL.executor.shutdown()
        _POOL.executor = ProcessPoolExecutor(
            max_workers=count, timeout=IDLE, initializer=_end_with, initargs=(os.getpid(),)
        )
        _POOL.key = key
        with _deaf():
            _POOL.executor.submit(os.getpid)
    return _POOL.executor


def end_processes() -> None:
    """End the processes of the last study at once, whatever they do."""
    executor, _POOL.executor = _POOL.executor, None
    if executor is not None:
        executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]  # loky's


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let processes that are started here not hear an interrupt before they can ignore it: it waits for the parent."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # its start would undo what is blocked here
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """Let this process end when its parent does, also if that was killed: it would wait for ever to be read.

    An interrupt from the keyboard, which all processes get, is the parent's to hear.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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

    def run(self, drawn: Drawn) -> Outcome:
        """Run it; an error becomes the outcome."""
        try:
            result = run_on(self.simulation, drawn.workload(self), engine=self.engine, record="summary")
            return Outcome(self.scenario, self.replication, self._written_there(result.tally), None)
        except Exception as error:  # whatever a user's own part raises is reported, and stops nobody else
            drawn.forget()
            return Outcome(self.scenario, self.replication, None, _cause(error))

    def _written_there(self, tally: Tally) -> Tally:
        """Return the tally with causes as they are written where the study is."""
        here = _policy_parts(self.simulation)
        if not self.parts or self.parts == here:
            return tally
        there = dict(zip(here, self.parts, strict=True))
        buffers = {
            name: replace(buffer, causes={there.get(cause, cause): count for cause, count in buffer.causes.items()})
            for name, buffer in tally.buffers.items()
        }
        return replace(tally, buffers=buffers)


def parts_of(simulation: Simulation) -> tuple[str, ...]:
    """Return how the parts of a simulation's policies are written, if a class of the user's own is among them.

    The name of a class that was defined in a function or in another class is shortened on its way to another process.
    """
    policies = [buffer.policy for buffer in simulation.buffers]
    own = any(not type(part).__module__.startswith("bufsim.") for policy in policies for part in policy.parts())
    return _policy_parts(simulation) if own else ()


def _policy_parts(simulation: Simulation) -> tuple[str, ...]:
    return tuple(repr(part) for buffer in simulation.buffers for part in buffer.policy.parts())


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


class Drawn:
    """The work of the last replication, kept for the next one as long as that meets the same."""

    def __init__(self) -> None:
        self._last: tuple[Task, Workload] | None = None

    def workload(self, task: Task) -> Workload:
        """Return the work of a replication: the last one's, if both meet the same jobs and draws."""
        if self._last is None or not _alike(self._last[0], task):
            self.forget()  # before another is drawn: two need not lie in memory
            simulation = task.simulation
            drawn = _KeptWorkload(
                simulation.producers, seed=task.seed, until=simulation.until, replication=task.replication
            )
            self._last = task, drawn
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


def _alike(one: Task, other: Task) -> bool:
    same_stream = (one.seed, one.replication) == (other.seed, other.replication)
    return same_stream and drawn_from(one.simulation) == drawn_from(other.simulation)


def drawn_from(simulation: Simulation) -> tuple[object, ...]:
    """Return what the jobs and draws of a simulation follow from, by identity: the same in all variations of one.

    Equal values that are different objects are drawn twice, to the same numbers.
    """
    parts = [*simulation.producers, *simulation.workers, *(buffer.flush_time.fixed for buffer in simulation.buffers)]
    return (simulation.until, len(simulation.producers), len(simulation.workers), *map(id, parts))


def run(tasks: Iterable[Task]) -> Iterator[Outcome]:
    """Run replications, one after the other; neighbours that meet the same jobs share what is drawn."""
    drawn = Drawn()
    for task in tasks:
        yield task.run(drawn)


def run_for_a_while(tasks: Sequence[Task]) -> list[Outcome]:
    """Run the first of these replications, at least one, and as many as `PATIENCE` allows: what a worker does."""
    end = time.monotonic() + PATIENCE
    outcomes = []
    # where the study is, it was told already
    with telling(silent):
        for outcome in run(tasks):
            outcomes.append(outcome)
            if time.monotonic() >= end:
                break
    return outcomes


def engine_for(simulation: Simulation, engine: Engine) -> Engine:
    """Return the engine that runs a simulation; NotLoweredError if it is to be the compiled one and cannot.

    "auto" means the compiled one if that can.
    """
    checks.one_of("engine", engine, ("simpy", "compiled", "auto"))
    if engine == "compiled":
        check_lowered(simulation)
        compiled()
    if engine != "auto":
        return engine
    return "compiled" if compiled_engine.can_run(simulation) else "simpy"


def _cause(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"


LONG = 5.0
"""What takes longer than this, s, is told before it starts."""
_LENGTHS: Mapping[Engine, tuple[int, int]] = {"compiled": (2_000, 40_000), "simpy": (500, 5_000)}
"""Jobs of the short runs that are timed: two lengths, to tell the cost of a run from that of a job."""
_MOST_TIMED = 5
_MOST_SECONDS = 2.0


class Cost(NamedTuple):
    """What runs cost, s.

    Parameters
    ----------
    per_run, per_job : float
        Whatever it holds, and for each job in it.
    """

    per_run: float
    per_job: float


USUAL: Mapping[Engine, Cost] = {"compiled": Cost(1e-3, 1e-7), "simpy": Cost(2e-3, 5e-6)}
"""What runs cost on a machine of 2024, to the order of magnitude: enough to tell long work from short."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a study will take.

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
    """Return about how many jobs a run of each simulation has."""
    counts: dict[tuple[object, ...], float] = {}
    for simulation in simulations.values():
        if drawn_from(simulation) not in counts:
            counts[drawn_from(simulation)] = _jobs(simulation, seed)
    return {name: counts[drawn_from(simulation)] for name, simulation in simulations.items()}


def seconds_of(tasks: Sequence[Task], jobs: Mapping[str, float], costs: Mapping[Engine, Cost]) -> float:
    """Return about how long tasks take, one after the other.

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
    """Return what these tasks cost on this machine, from short runs of some of their scenarios."""
    costs = dict(USUAL)
    first = {task.scenario: task for task in tasks}
    for engine in costs:
        alike = [task for task in first.values() if task.engine == engine]
        some = alike[:: max(len(alike) // _MOST_TIMED, 1)][:_MOST_TIMED]
        end = monotonic() + _MOST_SECONDS
        found = [_cost(task, jobs[task.scenario]) for task in some if monotonic() < end]
        known = [cost for cost in found if cost is not None]
        if known:
            costs[engine] = Cost(*(sum(parts) / len(known) for parts in zip(*known, strict=True)))
    return costs


def _cost(task: Task, jobs: float) -> Cost | None:
    """Return what a task costs by timing two short runs; None if it fails, which its own runs will tell."""
    short, long = (min(length, jobs) for length in _LENGTHS[task.engine])
    try:
        _timed(task, short / max(jobs, 1.0))  # the first run may compile
        # the least of two: something else may have come between
        first, second = (min(_timed(task, length / max(jobs, 1.0)) for _ in range(2)) for length in (short, long))
    except Exception:  # whatever a user's own part raises
        return None
    per_job = max(second - first, 0.0) / (long - short) if long > short else 0.0
    return Cost(max(first - per_job * short, 0.0), per_job)


def _timed(task: Task, share: float) -> float:
    """Return how long a run of that share of the time takes, s."""
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
    """Return a number to two figures: it is an estimate."""
    return int(round(number, 1 - int(math.log10(number)))) if number >= 10.0 else round(number)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2.0 * length:
            return f"{_rounded(seconds / length):,} {unit}"
    return f"{max(_rounded(seconds), 1)} s"


CHUNKS_PER_WORKER = 8
MOST_IN_CHUNK = 64
AT_HAND = 2
"""Chunks that are handed out at once for each worker: what it does, and what it does next."""
UNKNOWN_WORKERS = 16
"""How many workers an executor is taken to have that does not say it: enough chunks for so many."""
WORTH_A_POOL = 8.0
"""A pool of processes takes seconds to start: with less work left than this, s, it does not pay."""

Keep = Callable[[Sequence[Outcome]], None]
"""Called with what has come in; it must bear to be given the same twice."""
Tell = Callable[[int], None]
"""Called thereafter with how many that were."""
Running = dict[Future[list[Outcome]], Sequence[Task]]
"""What is handed out, and not back."""


def execute(tasks: Sequence[Task], executor: int | Executor | None, keep: Keep, tell: Tell) -> None:
    """Run tasks, and give what comes out of them to `keep` and then `tell`, as it comes.

    Parameters
    ----------
    tasks : sequence of Task
        What to run. Neighbours that meet the same jobs share what is drawn.
    executor : int, Executor or None
        So many processes of our own; an executor of the caller's, which is never shut down; or None: here, unless so
        much is left after the first seconds that processes pay.
    keep, tell : callable
        What takes them in, and what tells of it.

    Raises
    ------
    KeyboardInterrupt
        If it is interrupted, here or in `tell`: what is done by then is kept, and what has not started is called off.
    BufsimError
        If the executor fails, which no task does.
    """
    check(executor)
    if not tasks:
        return
    if executor is None:
        _where_it_pays(tasks, keep, tell)
    elif isinstance(executor, Executor):
        running: Running = {}
        place = _Place.of(executor)
        if isinstance(executor, ProcessPoolExecutor):
            _check_pickle(place, tasks, pickle.dumps)
        try:
            _on(place, tasks, keep, tell, running)
        finally:
            # one by one: the executor is the caller's
            for future in running:
                future.cancel()
    else:
        _in_processes(executor, tasks, keep, tell)


def at_once(executor: int | Executor | None, seconds: float) -> int:
    """Return how many replications will run at once, if so much is to be done; 1 if the executor does not say."""
    if executor is None:
        return cores() if seconds > WORTH_A_POOL else 1
    return int(getattr(executor, "_max_workers", None) or 1) if isinstance(executor, Executor) else executor


def check(executor: object) -> None:
    """Raise if this is no executor, nor a number of processes."""
    if executor is None or isinstance(executor, Executor):
        return
    if isinstance(executor, int) and not isinstance(executor, bool):
        checks.integer("executor", executor, at_least=1)
        return
    raise InvalidTypeError(
        f"executor must be a number of processes or a concurrent.futures.Executor, got {executor!r}; "
        "a Dask client gives one by client.get_executor()"
    )


def _where_it_pays(tasks: Sequence[Task], keep: Keep, tell: Tell) -> None:
    if _compiled(tasks):
        compiled_engine.prepare()  # that it took long says nothing about the runs
    begin = monotonic()
    for done, outcome in enumerate(run(tasks), 1):
        keep([outcome])
        tell(1)
        took = monotonic() - begin
        # the first run has set up more than its own; a few show what one takes
        if (
            done >= 3
            and took > 1.0
            and took / done * (len(tasks) - done) > WORTH_A_POOL
            and cores() > 1
            and _can_leave(tasks[done:])
        ):
            _in_processes(cores(), tasks[done:], keep, tell)
            return


def _compiled(tasks: Sequence[Task]) -> bool:
    return any(task.engine == "compiled" for task in tasks)


def _can_leave(tasks: Sequence[Task]) -> bool:
    """Return whether there are processes to go to, and the tasks can go there."""
    try:
        dumps = _dumps()
    except ImportError:
        return False
    return _refused(list({id(task.simulation): task.simulation for task in tasks}.values()), dumps) is None


def _in_processes(count: int, tasks: Sequence[Task], keep: Keep, tell: Tell) -> None:
    try:
        place = _Place.own(count)
        _check_pickle(place, tasks, _dumps())
        _on(place, tasks, keep, tell, {})
    except (KeyboardInterrupt, BufsimError):
        # what they do is of no more use, and some may not have outlived it; nothing is called off before, for loky
        # takes a future that was called off while it ends them as a fault of its own
        end_processes()
        raise


_ANYWHERE = "give executor=<number of processes>, which takes classes and functions defined anywhere"
_HERE = "leave executor out: then they run in this process"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where replications run: an executor, its workers if it says how many, its name, and what to do if it fails."""

    executor: Executor
    workers: int | None
    name: str
    way_out: str

    @classmethod
    def of(cls, executor: Executor) -> _Place:
        """Return an executor of the caller's."""
        workers, name = getattr(executor, "_max_workers", None), f"executor {type(executor).__name__}"
        return cls(executor, workers, name, _ANYWHERE)

    @classmethod
    def own(cls, count: int) -> _Place:
        """Return processes of our own."""
        return cls(processes(count), count, f"executor={count}", _HERE)


def _on(place: _Place, tasks: Sequence[Task], keep: Keep, tell: Tell, running: Running) -> None:
    """Run tasks somewhere; `running` holds what is handed out, also after an error."""
    if _compiled(tasks):
        compiled_engine.prepare(elsewhere=True)
    waiting = deque(_chunks(tasks, place.workers or UNKNOWN_WORKERS))
    # a worker has its next chunk at hand; those behind wait here, so that what is handed back goes before them, and an
    # interrupt finds the first replications of all scenarios done rather than the first scenario of each chunk
    most = AT_HAND * place.workers if place.workers else len(waiting)
    try:
        while waiting or running:
            while waiting and len(running) < most:
                chunk = waiting.popleft()
                running[_submitted(place, chunk)] = chunk
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcomes = _done(place, future)
                keep(outcomes)
                if left := running[future][len(outcomes) :]:
                    waiting.appendleft(left)
                del running[future]
                tell(len(outcomes))
    except (KeyboardInterrupt, BufsimError):
        for future in running:
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(future.result())
        raise


def _chunks(tasks: Sequence[Task], workers: int) -> list[Sequence[Task]]:
    size = min(max(len(tasks) // (workers * CHUNKS_PER_WORKER), 1), MOST_IN_CHUNK)
    return [tasks[first : first + size] for first in range(0, len(tasks), size)]


def _submitted(place: _Place, chunk: Sequence[Task]) -> Future[list[Outcome]]:
    try:
        return place.executor.submit(run_for_a_while, chunk)
    except Exception as error:  # each executor has errors of its own
        raise _failed(place, error) from error


def _done(place: _Place, future: Future[list[Outcome]]) -> list[Outcome]:
    try:
        return future.result()
    except Exception as error:  # likewise
        raise _failed(place, error) from error


def _failed(place: _Place, error: Exception) -> BufsimError:
    first = next(iter(str(error).splitlines()), "").rstrip(".")
    return BufsimError(
        f"{place.name} failed: {type(error).__name__}: {first}; either it cannot take your classes and functions to "
        f"its workers ({place.way_out}), or a worker died, perhaps for want of memory (with store='study.sqlite' what "
        "is finished is kept)"
    )


def _check_pickle(place: _Place, tasks: Sequence[Task], dumps: Callable[[object], object]) -> None:
    """Say what cannot go to another process, before the executor fails on it in words of its own."""
    scenarios = {task.scenario: task.simulation for task in tasks}
    if (error := _refused(scenarios, dumps)) is None:
        return
    found = culprit(scenarios, "scenarios", lambda value: _refused(value, dumps) is not None)
    way_out = _ANYWHERE if _can_leave(tasks) else _HERE
    raise InvalidTypeError(f"{place.name} cannot pickle the study: {found}: {error}; {way_out}")


def _refused(value: object, dumps: Callable[[object], object]) -> Exception | None:
    try:
        dumps(value)
    except Exception as error:  # whatever a user's own part raises when it is pickled
        return error
    return None


def _dumps() -> Callable[[object], object]:
    """Return how our own processes are sent things."""
    from loky.backend.reduction import dumps

    return cast("Callable[[object], object]", dumps)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
