"""Where replications run: here, in processes of our own, or on an executor of the caller's.

On a cluster they run with Dask, whose client gives an executor::

    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        result = study.run(replications=30, executor=client.get_executor())

The results are the same to the bit wherever they run: a replication depends on its scenario, the root seed and its
number alone. Replications are handed out in chunks, and a worker that has run for a while hands back what it has done:
so the bar moves, a journal is never far behind, and an interrupt is heard soon.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from time import monotonic
from typing import cast

from bufsim import checks
from bufsim.engines import compiled_engine
from bufsim.errors import BufsimError, InvalidTypeError
from bufsim.studies.culprits import culprit
from bufsim.studies.processes import end_processes, processes
from bufsim.studies.replication import Outcome, Task, run, run_for_a_while

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
