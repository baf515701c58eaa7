"""Where replications run: here, in processes of our own, or on an executor of the caller's."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from bufsim import checks
from bufsim.errors import InvalidTypeError, MissingExtraError
from bufsim.studies.replication import Outcome, Task, run_tasks

CHUNKS_PER_WORKER = 8
MOST_IN_CHUNK = 64
WORTH_A_POOL = 15.0
"""A pool of processes takes seconds to start: with less work left than this, s, it does not pay."""


def outcomes(tasks: Sequence[Task], executor: int | Executor | None) -> Iterator[Outcome]:
    """Yield what comes out of the tasks, as it comes.

    Parameters
    ----------
    tasks : sequence of Task
        What to run.
    executor : int, Executor or None
        So many processes of our own; an executor of the caller's, which is never shut down; or None: here, unless so
        much is left after the first seconds that processes pay.

    Notes
    -----
    When the caller stops asking (or is interrupted), tasks that have not started are called off, one by one.
    """
    if executor is None:
        yield from _where_it_pays(tasks)
    elif isinstance(executor, Executor):
        yield from _on(executor, tasks, getattr(executor, "_max_workers", None) or _cores())
    else:
        processes = checks.integer("executor", executor, at_least=1)
        yield from _in_processes(processes, tasks)


def _where_it_pays(tasks: Sequence[Task]) -> Iterator[Outcome]:
    begin = time.monotonic()
    for done, task in enumerate(tasks, 1):
        yield task.run()
        took = time.monotonic() - begin
        # the first run may have compiled; a few more show what one takes
        if done >= 3 and took > 1.0 and took / done * (len(tasks) - done) > WORTH_A_POOL and _cores() > 1:
            yield from _in_processes(_cores(), tasks[done:])
            return


def _in_processes(processes: int, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Yield from processes that take classes defined in a notebook, and that are kept for the next study."""
    try:
        from loky import get_reusable_executor
    except ImportError:
        raise MissingExtraError(
            'executor=<number of processes> needs loky: install it with pip install "bufsim[studies]", or leave executor out'
        ) from None
    yield from _on(get_reusable_executor(max_workers=processes), tasks, processes)


def _on(executor: Executor, tasks: Sequence[Task], workers: int) -> Iterator[Outcome]:
    chunks = _chunks(tasks, workers)
    _check_pickle(executor, chunks[0][:1])
    waiting: set[Future[list[Outcome]]] = set()
    try:
        for chunk in chunks:
            waiting.add(executor.submit(run_tasks, chunk))
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()
    finally:
        for future in waiting:
            future.cancel()


def _chunks(tasks: Sequence[Task], workers: int) -> list[Sequence[Task]]:
    size = min(max(len(tasks) // (workers * CHUNKS_PER_WORKER), 1), MOST_IN_CHUNK)
    return [tasks[first : first + size] for first in range(0, len(tasks), size)]


def _check_pickle(executor: Executor, tasks: Sequence[Task]) -> None:
    """Say what is wrong before the standard library's processes fail on a class of the main program."""
    from concurrent.futures import ProcessPoolExecutor

    if not isinstance(executor, ProcessPoolExecutor):
        return
    try:
        pickle.dumps(tasks)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InvalidTypeError(
            f"executor {type(executor).__name__} cannot pickle the study: {error}; "
            "give executor=<number of processes>, which takes classes and functions defined anywhere"
        ) from None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Progress = Callable[[int, int], None]
"""Called with how many replications are done, and of how many."""
