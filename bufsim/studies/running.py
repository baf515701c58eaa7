"""Many replications, run by one loop: in this process, in processes of our own, or on an executor of the caller's."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import TypeVar

from bufsim import checks
from bufsim.engines import compiled_engine, demand
from bufsim.engines.compilation import telling
from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, MissingExtraError, quoted
from bufsim.results.tallies import Tally
from bufsim.simulation import Engine, Simulation
from bufsim.studies import progress as bars
from bufsim.studies.effort import LONG, USUAL, Effort, jobs_by_scenario, measured, seconds_of
from bufsim.studies.fingerprints import fingerprints
from bufsim.studies.processes import end_processes, pickled, processes
from bufsim.studies.store import Key, Store
from bufsim.studies.tasks import Outcome, SharedDraws, Task, drawn_from, engine_for, parts_of, run_for_a_while

CHUNKS_PER_WORKER = 8
MOST_IN_CHUNK = 64
AT_HAND = 2
"""Chunks that are submitted at once for each worker: what it does, and what it does next."""
UNKNOWN_WORKERS = 16
"""Workers that an executor is taken to have that does not say it: there are enough chunks for so many."""
MOST_RUNS = 10_000_000
"""So many runs a study may have: their tallies lie in memory together."""
WORTH_A_POOL = 8.0
"""A pool of processes takes seconds to start: with less work left than this, s, it does not pay."""

_T = TypeVar("_T")
Keep = Callable[[Sequence[Outcome]], None]
"""Called with what has come in; it must bear to be given the same twice."""
Advance = Callable[[int], None]
"""Called thereafter with how many that were."""
Running = dict[Future[list[Outcome]], Sequence[Task]]
"""The chunks that are submitted, and not back."""


def execute(tasks: Sequence[Task], executor: int | Executor | None, keep: Keep, advance: Advance) -> None:
    """Run tasks, and give what comes out of them to `keep` and then `advance`, as it comes.

    Parameters
    ----------
    tasks : sequence of Task
        What to run. Neighbours that meet the same jobs share what is drawn.
    executor : int, Executor or None
        So many processes of our own; an executor of the caller's, which is never shut down; or None: here, unless so
        much is left after the first seconds that processes pay.
    keep, advance : callable
        What takes the outcomes in, and what counts them.

    Raises
    ------
    KeyboardInterrupt
        If it is interrupted, here or in `advance`: what is done by then is kept, and what has not started is called
        off.
    BufsimError
        If the executor fails, which no task does.
    """
    check_executor(executor)
    left = list(tasks)
    if not left:
        return
    if executor is None:
        left, executor = _run_in(_Pool.here(), left, keep, advance, {}), cores()
        if not left:
            return
    if isinstance(executor, Executor):
        _on_executor(executor, left, keep, advance)
    else:
        _in_processes(executor, left, keep, advance)


def check_executor(executor: object) -> None:
    """Raise if this is no executor, nor a number of processes."""
    if executor is None or isinstance(executor, Executor):
        return
    if isinstance(executor, int) and not isinstance(executor, bool):
        checks.integer("executor", executor, at_least=1)
        return
    raise InvalidTypeError(
        f"executor must be a number of processes or a concurrent.futures.Executor, got {quoted(executor)}; "
        "a Dask client gives one by client.get_executor()"
    )


def parallelism(executor: int | Executor | None, seconds: float) -> int:
    """The number of replications that will run at once, if so much is to be done; 1 if the executor does not say."""
    if executor is None:
        return cores() if seconds > WORTH_A_POOL else 1
    return int(getattr(executor, "_max_workers", None) or 1) if isinstance(executor, Executor) else executor


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# where tasks run

_ANYWHERE = "give executor=<number of processes>, which takes classes and functions defined anywhere"
_HERE = "leave executor out: then they run in this process"


class _ThisThread(Executor):
    """An executor that runs what is submitted at once, where it is submitted: an interrupt is heard there."""

    def submit(self, function: Callable[..., _T], /, *args: object, **kwargs: object) -> Future[_T]:
        future: Future[_T] = Future()
        future.set_result(function(*args, **kwargs))
        return future


@dataclass(frozen=True, slots=True)
class _Pool:
    """Executor that replications run on: its workers if it says how many, its name, the way out if it fails."""

    executor: Executor
    workers: int | None
    name: str
    way_out: str
    work: Callable[[Sequence[Task]], list[Outcome]] = run_for_a_while

    @classmethod
    def here(cls) -> _Pool:
        """In this thread, where all tasks share what is drawn."""
        work = functools.partial(run_for_a_while, draws=SharedDraws())
        return cls(_ThisThread(), 1, "executor=None", _HERE, work)

    @classmethod
    def of(cls, executor: Executor) -> _Pool:
        """An executor of the caller's."""
        workers, name = getattr(executor, "_max_workers", None), f"executor {type(executor).__name__}"
        return cls(executor, workers, name, _ANYWHERE)

    @classmethod
    def own(cls, count: int) -> _Pool:
        """Processes of our own."""
        return cls(processes(count), count, f"executor={count}", _HERE)

    @property
    def is_here(self) -> bool:
        """Whether it is this thread."""
        return isinstance(self.executor, _ThisThread)

    def chunks(self, tasks: Sequence[Task]) -> deque[Sequence[Task]]:
        """Tasks in the portions in which they are submitted."""
        share = len(tasks) // ((self.workers or UNKNOWN_WORKERS) * CHUNKS_PER_WORKER)
        size = 1 if self.is_here else min(max(share, 1), MOST_IN_CHUNK)
        return deque(tasks[first : first + size] for first in range(0, len(tasks), size))

    def submit(self, chunk: Sequence[Task]) -> Future[list[Outcome]]:
        """Submit a chunk."""
        try:
            return self.executor.submit(self.work, chunk)
        except Exception as error:  # each executor has errors of its own
            raise self._failed(error) from error

    def result(self, future: Future[list[Outcome]]) -> list[Outcome]:
        """The outcomes of a chunk, or of its first tasks."""
        try:
            return future.result()
        except Exception as error:  # likewise
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> BufsimError:
        first = next(iter(str(error).splitlines()), "").rstrip(".")
        return BufsimError(
            f"{self.name} failed: {type(error).__name__}: {first}; either it cannot take your classes and functions to "
            f"its workers ({self.way_out}), or a worker died, perhaps for want of memory (with store='study.sqlite' "
            "what is finished is kept)"
        )


def _run_in(pool: _Pool, tasks: list[Task], keep: Keep, advance: Advance, running: Running) -> list[Task]:
    """Run tasks somewhere; return those that are left if that is here and processes pay.

    `running` holds what is submitted, also after an error.
    """
    _compile_for(pool, tasks)
    waiting = pool.chunks(tasks)
    # a worker has its next chunk at hand; those behind wait here, so that what is handed back goes before them, and an
    # interrupt finds the first replications of all scenarios done rather than the first scenario of each chunk
    most = 1 if pool.is_here else AT_HAND * pool.workers if pool.workers else len(waiting)
    processes_pay = _ProcessesPay() if pool.is_here else None
    done: SimpleQueue[Future[list[Outcome]] | None] = SimpleQueue()
    with contextlib.nullcontext() if pool.is_here else _interrupts_in_turn(done):
        try:
            while waiting or running:
                while waiting and len(running) < most:
                    chunk = waiting.popleft()
                    future = pool.submit(chunk)
                    running[future] = chunk
                    future.add_done_callback(done.put)
                outcomes = pool.result(finished := _next(done))
                keep(outcomes)
                if left := running[finished][len(outcomes) :]:
                    waiting.appendleft(left)
                del running[finished]
                advance(len(outcomes))
                if processes_pay is not None and processes_pay.for_rest(waiting):
                    break
        except (KeyboardInterrupt, BufsimError):
            for future in running:
                if future.done() and not future.cancelled() and future.exception() is None:
                    keep(future.result())
            raise
    return [task for chunk in waiting for task in chunk]


def _next(done: SimpleQueue[Future[list[Outcome]] | None]) -> Future[list[Outcome]]:
    future = done.get()
    if future is None:
        raise KeyboardInterrupt
    return future


@contextlib.contextmanager
def _interrupts_in_turn(done: SimpleQueue[Future[list[Outcome]] | None]) -> Iterator[None]:
    """Let an interrupt come as None in the queue of what is done.

    Raised wherever it arrives, it could leave a future's lock held for ever, and the end of the process waits for it.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: done.put(None))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _compile_for(pool: _Pool, tasks: Sequence[Task]) -> None:
    """Compile the kernel before the first run: that it takes long says nothing about the runs."""
    if any(task.engine == "compiled" for task in tasks):
        compiled_engine.prepare(elsewhere=not pool.is_here)


class _ProcessesPay:
    """Whether it pays to leave this process, from what the first runs took."""

    def __init__(self) -> None:
        self._begin = monotonic()
        self._done = 0
        self._may_leave = cores() > 1

    def for_rest(self, waiting: Sequence[Sequence[Task]]) -> bool:
        """Take note of one more run, and say whether those that wait are better run in processes."""
        self._done += 1
        took = monotonic() - self._begin
        # the first run has set up more than its own; a few show what one takes
        worth_it = self._done >= 3 and took > 1.0 and took / self._done * len(waiting) > WORTH_A_POOL
        if not (worth_it and self._may_leave):
            return False
        self._may_leave = _can_leave([task for chunk in waiting for task in chunk])
        return self._may_leave


def _on_executor(executor: Executor, tasks: list[Task], keep: Keep, advance: Advance) -> None:
    pool, running = _Pool.of(executor), Running()
    if isinstance(executor, ProcessPoolExecutor):
        _check_pickle(pool.name, tasks, pickle.dumps)
    try:
        _run_in(pool, tasks, keep, advance, running)
    finally:
        # one by one: the executor is the caller's
        for future in running:
            future.cancel()


def _in_processes(count: int, tasks: list[Task], keep: Keep, advance: Advance) -> None:
    _check_pickle(f"executor={count}", tasks, pickled)
    try:
        _run_in(_Pool.own(count), tasks, keep, advance, {})
    except (KeyboardInterrupt, BufsimError):
        # what they do is of no more use, and some may not have outlived it; nothing is called off before, for loky
        # takes a future that was called off while it ends them as a fault of its own
        end_processes()
        raise


# what can go to another process


def find_unpicklable(value: object, name: str, dumps: Callable[[object], object]) -> str:
    """The innermost part of a value that cannot be pickled, in words: its name, and what it is.

    Parameters
    ----------
    value : object
        What cannot be pickled.
    name : str
        What it is called.
    dumps : callable
        How it would be pickled.

    Examples
    --------
    >>> find_unpicklable([1, {"a": 2, "b": lambda: 3}], "values", pickle.dumps)
    "values[1]['b'], which is the function <lambda>"
    """
    for path, part in _parts(value):
        if _refused(part, dumps) is not None:
            return find_unpicklable(part, f"{name}{path}", dumps)
    function = getattr(value, "__qualname__", None)
    return f"{name}, which is {f'the function {function}' if function else repr(value)}"


def _parts(value: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(value) and not isinstance(value, type):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())


def _check_pickle(name: str, tasks: Sequence[Task], dumps: Callable[[object], object]) -> None:
    """Name what cannot go to another process, before the executor fails on it in words of its own."""
    scenarios = {task.scenario: task.simulation for task in tasks}
    if (error := _refused(scenarios, dumps)) is None:
        return
    if isinstance(error, MissingExtraError):
        raise error
    part = find_unpicklable(scenarios, "scenarios", dumps)
    way_out = _ANYWHERE if _can_leave(tasks) else _HERE
    raise InvalidTypeError(f"{name} cannot pickle the study: {part}: {error}; {way_out}")


def _can_leave(tasks: Sequence[Task]) -> bool:
    """Whether there are processes to go to, and the tasks can go there."""
    return _refused(list({id(task.simulation): task.simulation for task in tasks}.values()), pickled) is None


def _refused(value: object, dumps: Callable[[object], object]) -> Exception | None:
    try:
        dumps(value)
    except Exception as error:  # whatever a user's own part raises when it is pickled
        return error
    return None


class ReplicationRunner:
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
        for name, simulation in scenarios.items():
            demand.check(simulation, engine=self.engines[name], record="summary")
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
        check_executor(executor)
        numbers = self._counted(replications)
        self.complete = False
        # after an interrupt, what is finished is kept, and says that it is a part
        with contextlib.suppress(KeyboardInterrupt), _opened(store) as journal:
            self._read(journal, numbers)
            tasks = list(self.tasks(numbers))
            total = len(numbers) * len(self.tallies)
            with bars.show_progress(progress, total, total - len(tasks)) as bar, telling(bar.say):
                if bar.speaks and tasks:
                    self._announce(bar, tasks, len(numbers), executor)
                execute(tasks, executor, functools.partial(self._keep, journal), bar.advance)
            self.complete = True

    def _counted(self, replications: Iterable[int]) -> list[int]:
        """The replications, if a study may have so many."""
        most = MOST_RUNS // len(self.scenarios)
        numbers = list(itertools.islice(replications, most + 1))
        if len(numbers) > most:
            raise InvalidValueError(
                f"a study may have at most {MOST_RUNS:,} runs, and with {len(self.scenarios)} scenarios "
                f"{most:,} replications, got more; give fewer replications"
            )
        return numbers

    def effort(self, replications: Iterable[int], executor: int | Executor | None) -> Effort:
        """The effort of those replications that are not there yet, from short runs of some scenarios."""
        check_executor(executor)
        numbers = self._counted(replications)
        return self._effort(list(self.tasks(numbers)), len(numbers), executor)

    def _effort(self, tasks: Sequence[Task], replications: int, executor: int | Executor | None) -> Effort:
        jobs = jobs_by_scenario(self.scenarios, self.seed)
        seconds = seconds_of(tasks, jobs, measured(tasks, jobs))
        workers = parallelism(executor, seconds)
        mean = sum(jobs.values()) / len(jobs)
        return Effort(len(self.scenarios), replications, mean, len(tasks), seconds / workers, workers)

    def _announce(
        self, bar: bars.Bar, tasks: Sequence[Task], replications: int, executor: int | Executor | None
    ) -> None:
        """Say what long work will take; short work is not held up by an estimate."""
        seconds = seconds_of(tasks, jobs_by_scenario(self.scenarios, self.seed), USUAL)
        if seconds / parallelism(executor, seconds) > LONG:
            bar.say(str(self._effort(tasks, replications, executor)))

    def tasks(self, replications: Iterable[int]) -> Iterator[Task]:
        """Yield what is still to run, replication by replication, so that a part of it has something of every scenario.

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

    def _read(self, journal: Store | None, replications: Iterable[int]) -> None:
        if journal is not None:
            for name, tallies in self.tallies.items():
                tallies.update(journal.read(self._keys[name], set(replications) - set(tallies)))

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
        digests = fingerprints(self.scenarios)
        return {name: Key(digests[name], self.engines[name], self.seed) for name in self.scenarios}


def _opened(path: str | Path | None) -> contextlib.AbstractContextManager[Store | None]:
    return contextlib.nullcontext() if path is None else Store(path)
