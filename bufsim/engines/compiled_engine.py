"""The compiled engine: everything that is declared with built-ins, from flat arrays to flat arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim.engines import kernel_arrays
from bufsim.engines import kernel_state as ks
from bufsim.engines.compilation import compiled
from bufsim.engines.kernel_buffers import MOST_RINGS
from bufsim.engines.lowering import check_lowered, lower
from bufsim.engines.randomness import stream
from bufsim.engines.recording import PENDING, Recording, cause_names
from bufsim.engines.workload import Workload
from bufsim.errors import BufsimError, MissingExtraError, NotLoweredError
from bufsim.model.declaration import Declaration
from bufsim.model.workers import GivenTimes, service_source

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
    return _Run(simulation, workload, kernel_run or compiled()).record()


def can_run(simulation: Declaration) -> bool:
    """Return whether numba is there and the kernel knows every part of the simulation."""
    try:
        check_lowered(simulation)
        compiled()
    except (NotLoweredError, MissingExtraError):
        return False
    return True


class _Run:
    """One run: it gives the kernel what it lacks until the kernel is done."""

    def __init__(self, simulation: Declaration, workload: Workload, kernel_run: Run) -> None:
        self.simulation = simulation
        self.workload = workload
        self.kernel_run = kernel_run
        self.jobs = workload.jobs()
        stops = simulation.stops
        times = []
        if stops is not None:
            times = stops.times(stream(workload.seed, "server", "stops", workload.replication), simulation.until)
        lowered = lower(simulation, workload.queues, workload.key_values, times)
        self.state = kernel_arrays.first_state(lowered, self.jobs)
        self.draws = _DrawStore(simulation, workload)

    def record(self) -> Recording:
        """Run to the end."""
        while (status := self.kernel_run(self.state)) != ks.DONE:
            self._supply(status)
        return self._recording()

    def _supply(self, status: int) -> None:
        run = self.state.run[0]
        if status == ks.MORE_FLUSH_DRAWS:
            self.state = self.draws.for_flushes(self.state, int(run.which), int(run.needed))
        elif status == ks.MORE_WORK_DRAWS:
            self.state = self.draws.for_work(self.state, int(run.which), int(run.attempt), int(run.needed))
        elif status == ks.MORE_ROOM:
            self.state = kernel_arrays.with_larger_heap(self.state)
        else:
            buffer = self.simulation.buffers[int(run.which)]
            raise BufsimError(
                f"{buffer.policy!r} of buffer {buffer.id!r} was asked {MOST_RINGS} times without an arrival or a flush; "
                "its due times must move on"
            )

    def _recording(self) -> Recording:
        run, jobs = self.state.run[0], self.jobs
        arrived = int(run.job)
        return Recording(
            job_time=jobs.time[:arrived],
            job_producer=jobs.producer[:arrived],
            job_queue=jobs.queue[:arrived],
            job_key=jobs.key[:arrived],
            job_nbytes=jobs.nbytes[:arrived],
            **self._copies(int(run.row)),
            **self._flushes(int(run.flush)),
            **self._sizes(int(run.size_row)),
            **self._works(int(run.work)),
            producers=[producer.name for producer in self.simulation.producers],
            queues=list(self.workload.queues),
            buffers=[buffer.id for buffer in self.simulation.buffers],
            causes=cause_names(self.simulation),
            keys=self.workload.key_values,
        )

    def _copies(self, n: int) -> dict[str, npt.NDArray[Any]]:
        run, rows = self.state.run[0], self.state.rows
        return {
            "copy_job": np.arange(n) if run.single else rows.whole[ks.ROW_JOB, :n],
            "copy_buffer": _same(0, n, np.int16) if run.contiguous else rows.small[ks.ROW_BUFFER, :n],
            "copy_flush": rows.whole[ks.ROW_FLUSH, :n],
            "copy_work": rows.whole[ks.ROW_WORK, :n],
            "copy_lost_at": rows.lost_at[:n] if run.losses else _same(np.nan, n, np.float64),
            "copy_loss": rows.small[ks.ROW_LOSS, :n] if run.losses else _same(-1, n, np.int16),
        }

    def _flushes(self, n: int) -> dict[str, npt.NDArray[Any]]:
        flushes = self.state.flushes[:n]
        fields = ("buffer", "start", "end", "cause", "jobs", "reduced")
        columns = {f"flush_{name}": np.ascontiguousarray(flushes[name]) for name in fields}
        return columns | {"flush_nbytes": np.ascontiguousarray(flushes["held"])}

    def _sizes(self, n: int) -> dict[str, npt.NDArray[Any]]:
        sizes = self.state.sizes
        one = len(self.state.buffers) == 1
        return {
            "size_time": sizes.time[:n],
            "size_buffer": _same(0, n, np.int16) if one else sizes.buffer[:n],
            "size_jobs": sizes.whole[0, :n],
            "size_nbytes": sizes.whole[1, :n] if self.state.run[0].counts_bytes else _same(0, n, np.int64),
        }

    def _works(self, n: int) -> dict[str, npt.NDArray[Any]]:
        works = self.state.works
        whole, seconds = works.whole[:, :n], works.seconds[:, :n]
        kept = bool(np.isin(self.state.buffers["reduce"], (ks.KEEP, ks.UNIQUE)).all())
        columns = {
            "work_flush": whole[ks.WORK_FLUSH],
            "work_queue": _same(0, n, np.int16) if len(self.state.queues) == 1 else works.small[ks.WORK_QUEUE, :n],
            "work_queued_at": seconds[ks.QUEUED_AT],
            "work_items": _same(1, n, np.int64) if kept else whole[ks.WORK_ITEMS],
        }
        if not self.state.run[0].serves:
            times = dict.fromkeys(("work_started_at", "work_finished_at", "work_lost_at"), _same(np.nan, n, np.float64))
            counts = dict.fromkeys(("work_attempts", "work_finished_attempts"), _same(0, n, np.int64))
            return columns | times | counts | {"work_outcome": _same(PENDING, n, np.int16)}
        return columns | {
            "work_started_at": seconds[ks.STARTED_AT],
            "work_finished_at": seconds[ks.FINISHED_AT],
            "work_lost_at": seconds[ks.LOST_AT],
            "work_attempts": whole[ks.WORK_ATTEMPTS],
            "work_finished_attempts": whole[ks.WORK_FINISHED],
            "work_outcome": works.small[ks.WORK_OUTCOME, :n],
        }


class _DrawStore:
    """All draws that the kernel has been given, one sequence behind the other."""

    def __init__(self, simulation: Declaration, workload: Workload) -> None:
        self._simulation = simulation
        self._workload = workload
        self._flushes: dict[int, npt.NDArray[np.float64]] = {}
        self._services: dict[tuple[int, int], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = {}

    def for_flushes(self, state: ks.State, buffer: int, needed: int) -> ks.State:
        """Return the state with `needed` fixed flush times of a buffer."""
        declared = self._simulation.buffers[buffer]
        drawn = self._workload.draws(declared.id, "flush", 1, declared.flush_time.fixed)
        self._flushes[buffer] = drawn.at_least(needed)
        return self._given(state)

    def for_work(self, state: ks.State, queue: int, attempt: int, needed: int) -> ks.State:
        """Return the state with `needed` service times, and draws of failure, of a queue and an attempt."""
        name = self._workload.queues[queue]
        workers = self._simulation.workers_of(name)
        assert workers is not None
        if attempt == 1 and not isinstance(workers.service, GivenTimes):
            needed = max(needed, int(state.queues[queue].handed))
        service = self._workload.draws(name, "service", attempt, service_source(workers)).at_least(needed)
        failure = np.empty(0)
        if workers.failure > 0.0:
            failure = self._workload.draws(name, "failure", attempt, None).at_least(len(service))
        self._services[queue, attempt] = service, failure
        return self._given(state)

    def _given(self, state: ks.State) -> ks.State:
        parts: list[npt.NDArray[np.float64]] = []
        end = 0
        for buffer, draws in self._flushes.items():
            record = state.buffers[buffer]
            record.draws_first, record.draws_last = end, end + len(draws)
            parts.append(draws)
            end += len(draws)
        for place, (service, failure) in self._services.items():
            span = state.spans[place]
            span.service, span.failure, span.skipped, span.count = end, end + len(service), 0, len(service)
            parts += [service, failure]
            end += len(service) + len(failure)
        return state._replace(draws=parts[0] if len(parts) == 1 else np.concatenate(parts))


def _same(value: float, n: int, dtype: type) -> npt.NDArray[Any]:
    """Return `n` times the same value, in the space of one."""
    return np.broadcast_to(dtype(value), (n,))
