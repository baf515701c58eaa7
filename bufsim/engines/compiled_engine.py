"""The compiled engine: the kernel is called until the run is done, and given what it lacks in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bufsim.engines import arrays, compilation
from bufsim.engines.arrays import Accumulators
from bufsim.engines.compilation import compiled
from bufsim.engines.kernel.state import (
    DONE,
    MORE_FLUSH_DRAWS,
    MORE_JOBS,
    MORE_RETRIES,
    MORE_ROOM,
    MORE_SERVICE_DRAWS,
    TASK_PLACE,
    TASK_QUEUE,
    Buffer,
    Floats,
    State,
    with_attributes,
)
from bufsim.engines.lowering import Lowered, check_lowered, lower
from bufsim.engines.randomness import Draws, stop_times
from bufsim.engines.recording import COMPLETED, Recording
from bufsim.engines.streaming import Taken, Windows
from bufsim.engines.workload import Workload
from bufsim.errors import MissingExtraError, NotLoweredError
from bufsim.model.buffers import JobBuffer
from bufsim.model.declaration import Declaration
from bufsim.model.given import GivenTimes
from bufsim.model.policies import NeverFlush
from bufsim.model.producers import Producer
from bufsim.model.traces import Trace
from bufsim.model.workers import failure_source, service_source


class DrawStore:
    """The draws that the kernel has been given, one sequence behind the other.

    Parameters
    ----------
    forget : bool
        Whether draws that are used up are forgotten; else all are kept, and shared with others who use the workload.
    """

    def __init__(self, simulation: Declaration, workload: Workload, *, forget: bool) -> None:
        self._simulation = simulation
        self._workload = workload
        self._forget = forget
        self._sources: dict[tuple[object, ...], Draws] = {}
        self._flushes: dict[int, tuple[int, Floats]] = {}
        self._services: dict[tuple[int, int], tuple[int, Floats, Floats]] = {}

    def for_flushes(self, state: State, buffer: int, needed: int) -> State:
        """Return the state with the fixed flush times of a buffer, up to `needed`."""
        declared = self._simulation.buffers[buffer]
        first = int(state.buffers[buffer]["started"]) if self._forget else 0
        fixed = declared.flush_time.fixed
        if isinstance(fixed, GivenTimes):
            self._flushes[buffer] = 0, self._given_flush_times(declared.id, fixed.times, state.buffers[buffer])
        else:
            self._flushes[buffer] = first, self._source(declared.id, "flush", 1, fixed).between(first, needed)
        return self._given(state)

    def _given_flush_times(self, buffer: str, times: Floats, record: Buffer) -> Floats:
        """Return the times and one more, since the kernel wants one before it knows whether a flush will start."""
        self._source(buffer, "flush", 1, times).between(0, int(record["started"]))
        return np.append(times, 0.0)

    def check(self, state: State) -> None:
        """Refuse a run in which more flushes have started than there are times given for them."""
        for index, buffer in enumerate(self._simulation.buffers):
            fixed = buffer.flush_time.fixed
            if isinstance(fixed, GivenTimes):
                self._source(buffer.id, "flush", 1, fixed.times).between(0, int(state.buffers[index]["started"]))

    def for_work(self, state: State, queue: int, attempt: int, needed: int) -> State:
        """Return the state with the service times, and draws of failure, of a queue and an attempt, up to `needed`."""
        name = self._workload.queues[queue]
        workers = self._simulation.workers_of(name)
        assert workers is not None
        first = self._first_place(state, queue, needed) if self._forget else 0
        asked = needed
        if attempt == 1 and not isinstance(workers.service, GivenTimes):
            needed = max(needed, self._worth_drawing(state, queue))
        service = self._source(name, "service", attempt, service_source(workers)).between(first, needed)
        failure = np.empty(0)
        below, failures = failure_source(workers)
        if failures is not None:
            # as many as are given: there are no others
            service = service[: max(asked, min(first + len(service), len(failures))) - first]
        if below > 0.0:
            failure = self._source(name, "failure", attempt, failures).between(first, first + len(service))
        self._services[queue, attempt] = first, service, failure
        return self._given(state)

    def _source(self, name: str, purpose: str, attempt: int, distribution: object) -> Draws:
        if not self._forget:
            return self._workload.draws(name, purpose, attempt, distribution)
        key = (name, purpose, attempt)
        if key not in self._sources:
            self._sources[key] = self._workload.new_draws(name, purpose, attempt, distribution)
        return self._sources[key]

    def _first_place(self, state: State, queue: int, needed: int) -> int:
        """Return the place of the first task in a queue that may still need draws."""
        if state.run[0]["in_order"]:
            return int(state.queues[queue]["head"])
        first, tasks = int(state.run[0]["task_first"]), state.tasks
        at = slice(0, int(state.run[0]["task"]) - first)
        unfinished = np.flatnonzero((tasks.outcome[at] < COMPLETED) & (tasks.small[TASK_QUEUE, at] == queue))
        return int(tasks.whole[TASK_PLACE, unfinished[0]]) if len(unfinished) else needed - 1

    def _worth_drawing(self, state: State, queue: int) -> int:
        """Return how many first attempts to draw for at once: for all tasks, or twice as many each time."""
        if self._forget:
            return 0
        if state.run[0]["straight"] and len(state.queues) == 1:
            return int(state.run[0]["jobs"])
        return max(int(state.queues[queue]["next_place"]), 2 * int(state.spans[queue, 1]["count"]))

    def _given(self, state: State) -> State:
        parts: list[Floats] = []
        end = 0
        for buffer, (first, draws) in self._flushes.items():
            record = state.buffers[buffer]
            record["draws_first"], record["draws_last"], record["draws_skipped"] = end, end + len(draws), first
            parts.append(draws)
            end += len(draws)
        for slot, (first, service, failure) in self._services.items():
            span = state.spans[slot]
            span["service"], span["failure"] = end, end + len(service)
            span["skipped"], span["count"] = first, len(service)
            parts += [service, failure]
            end += len(service) + len(failure)
        some = [part for part in parts if len(part)]
        return state._replace(draws=some[0] if len(some) == 1 else np.concatenate(some))


Run = Callable[[State], int]


def run(simulation: Declaration, workload: Workload, *, kernel_run: Run | None = None) -> Recording:
    """Run a simulation; return everything that it wrote down.

    Parameters
    ----------
    kernel_run : callable, optional
        The kernel; None compiles it. `kernel.run` itself runs uncompiled: slow, with readable tracebacks.

    Raises
    ------
    NotLoweredError
        If the simulation has a part that the kernel does not know; the message names it.
    MissingExtraError
        If numba is not installed.
    """
    lowered = _lowered(simulation, workload)
    call = _compiled(workload) if kernel_run is None else _as_it_is(kernel_run)
    jobs = workload.jobs()
    state = arrays.recording_state(lowered, jobs)
    draws = DrawStore(simulation, workload, forget=False)
    while (status := call(state)) != DONE:
        state = _supplied(simulation, draws, state, status)
    draws.check(state)
    return arrays.recording_of(simulation, workload, jobs, state)


def count(
    simulation: Declaration, workload: Workload, *, taken: Taken | None = None, kernel_run: Run | None = None
) -> Accumulators:
    """Run a simulation and only count, in bounded memory; return what was counted.

    Parameters
    ----------
    taken : callable, optional
        Keep the flushes too, and tell this function, in their order, of their starts, their batch sizes, and the
        arrival times of the jobs that they took.
    kernel_run : callable, optional
        As in `run`.

    Raises
    ------
    NotLoweredError, MissingExtraError
        As in `run`.
    """
    call = _compiled(workload) if kernel_run is None else _as_it_is(kernel_run)
    windows = Windows(_lowered(simulation, workload), simulation, workload, taken)
    draws = DrawStore(simulation, workload, forget=True)
    windows.feed()
    while (status := call(windows.state)) != DONE:
        if status == MORE_JOBS:
            windows.feed()
        else:
            windows.state = _supplied(simulation, draws, windows.state, status)
    draws.check(windows.state)
    return windows.accumulators(workload)


def prepare(*, elsewhere: bool = False) -> None:
    """Compile the kernel here, unless it is on disk.

    Parameters
    ----------
    elsewhere : bool
        Whether it is for other processes: where it cannot be kept they must compile it themselves, which is told, and
        to do so here would be of no use.
    """
    if elsewhere and not compilation.can_be_kept():
        compilation.tell(compilation.COMPILES_ALWAYS)
        return
    smallest = Declaration(
        producers=[Producer("one", Trace([0.0]))], buffers=[JobBuffer("b", policy=NeverFlush())], until=1.0
    )
    # a run that has not been given its jobs ends at once
    compiled()(arrays.counting_state(lower(smallest, ["default"], [], []), causes=0))
    compilation.running_sum()(np.ones(2), 1.0, 0.0, np.ones(2))


def can_run(simulation: Declaration) -> bool:
    """Return whether numba is there and the kernel knows every part of the simulation."""
    try:
        check_lowered(simulation)
        compiled()
    except (NotLoweredError, MissingExtraError):
        return False
    return True


def _compiled(workload: Workload) -> Run:
    """Return the compiled kernel, and let the workload add up its gaps as fast."""
    call = compiled()
    workload.add_up = compilation.running_sum()
    return call


def _as_it_is(kernel_run: Run) -> Run:
    """Return what calls the kernel in Python, where records need their fields as attributes."""
    return lambda state: kernel_run(with_attributes(state))


def _lowered(simulation: Declaration, workload: Workload) -> Lowered:
    stops = stop_times(simulation.stops, seed=workload.seed, replication=workload.replication, until=simulation.until)
    return lower(simulation, workload.queues, workload.key_values, stops)


def _supplied(simulation: Declaration, draws: DrawStore, state: State, status: int) -> State:
    """Return the state with what the kernel lacks."""
    run = state.run[0]
    if status == MORE_FLUSH_DRAWS:
        return draws.for_flushes(state, int(run["which"]), int(run["needed"]))
    if status == MORE_SERVICE_DRAWS:
        return draws.for_work(state, int(run["which"]), int(run["attempt"]), int(run["needed"]))
    if status == MORE_ROOM:
        return arrays.with_larger_heap(state)
    assert status == MORE_RETRIES
    return arrays.with_more_retries(state)
