"""The compiled engine: everything that is declared with built-ins, from flat arrays to flat arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bufsim.engines import compilation, kernel_arrays
from bufsim.engines import kernel_state as ks
from bufsim.engines.accumulators import Accumulators
from bufsim.engines.compilation import compiled
from bufsim.engines.kernel_draws import DrawStore
from bufsim.engines.kernel_flushes import MOST_RINGS
from bufsim.engines.kernel_recording import recording
from bufsim.engines.lowering import Lowered, check_lowered, lower
from bufsim.engines.recording import Recording
from bufsim.engines.stop_times import stop_times
from bufsim.engines.streaming import Taken, Windows
from bufsim.engines.workload import Workload
from bufsim.errors import BufsimError, MissingExtraError, NotLoweredError
from bufsim.model.buffers import JobBuffer
from bufsim.model.declaration import Declaration
from bufsim.model.policies import NeverFlush
from bufsim.model.producers import Producer
from bufsim.model.traces import Trace

Run = Callable[[ks.State], int]


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
    state = kernel_arrays.recording_state(lowered, jobs)
    draws = DrawStore(simulation, workload, forget=False)
    while (status := call(state)) != ks.DONE:
        state = _supplied(simulation, draws, state, status)
    return recording(simulation, workload, jobs, state)


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
    while (status := call(windows.state)) != ks.DONE:
        if status == ks.MORE_JOBS:
            windows.feed()
        else:
            windows.state = _supplied(simulation, draws, windows.state, status)
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
    compiled()(kernel_arrays.counting_state(lower(smallest, ["default"], [], []), causes=0))
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
    return lambda state: kernel_run(ks.with_attributes(state))


def _lowered(simulation: Declaration, workload: Workload) -> Lowered:
    stops = stop_times(simulation.stops, seed=workload.seed, replication=workload.replication, until=simulation.until)
    return lower(simulation, workload.queues, workload.key_values, stops)


def _supplied(simulation: Declaration, draws: DrawStore, state: ks.State, status: int) -> ks.State:
    """Return the state with what the kernel lacks."""
    run = state.run[0]
    if status == ks.MORE_FLUSH_DRAWS:
        return draws.for_flushes(state, int(run["which"]), int(run["needed"]))
    if status == ks.MORE_WORK_DRAWS:
        return draws.for_work(state, int(run["which"]), int(run["attempt"]), int(run["needed"]))
    if status == ks.MORE_ROOM:
        return kernel_arrays.with_larger_heap(state)
    buffer = simulation.buffers[int(run["which"])]
    raise BufsimError(
        f"{buffer.policy!r} of buffer {buffer.id!r} was asked {MOST_RINGS} times without an arrival or a flush; "
        "its due times must move on"
    )
