"""Runs that only count, in bounded memory: jobs come in blocks, and what lies behind is forgotten.

Jobs, rows and tasks lie in windows. Before the kernel is given more jobs, what is still alive moves to the front of its
window, which grows if that does not make room enough: so the memory follows what is buffered, queued and in service at
one time, and not the length of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from bufsim.engines import arrays
from bufsim.engines.arrays import Accumulators, flush_columns
from bufsim.engines.kernel.records import Records
from bufsim.engines.kernel.state import Floats, Flush, Ints, JobWindow, RowWindow, Run, TaskWindow
from bufsim.engines.lowering import Lowered, rows_of_a_job
from bufsim.engines.recording import cause_names
from bufsim.engines.workload import Jobs, Workload
from bufsim.model import rules
from bufsim.model.declaration import Declaration

Generic = TypeVar("Generic", bound=np.generic)
Taken = Callable[[Floats, Ints, Floats], None]
"""Is told of flushes, in order: their starts, their batch sizes, and the arrival times of all that they took."""

JOBS_AT_ONCE = 2**15


class Windows:
    """The windows of a run that only counts, and what is put into them.

    Parameters
    ----------
    lowered : Lowered
        The simulation as arrays.
    simulation : Declaration
        What runs.
    workload : Workload
        Its jobs.
    taken : callable, optional
        Is told of every flush; and the flushes are kept.
    """

    def __init__(self, lowered: Lowered, simulation: Declaration, workload: Workload, taken: Taken | None) -> None:
        self._causes = cause_names(simulation)
        self.state = arrays.counting_state(lowered, len(self._causes))
        self._simulation = simulation
        self._blocks: Iterator[Jobs] = workload.job_blocks()
        self._taken = taken
        self._told = 0
        self._rows_of_a_job = int(rows_of_a_job(lowered.queues).max(initial=1))
        run = lowered.run[0]
        run["keeps_flushes"] = run["keeps_taken"] = taken is not None
        run["queue_mask"] = -1 if len(workload.queues) > 1 else 0
        run["key_mask"] = -1 if workload.has_keys else 0
        run["counts_bytes"] = workload.has_sizes
        run["nbytes_mask"] = -1 if run["counts_bytes"] else 0
        self.state.jobs.key[:] = -1

    def feed(self) -> None:
        """Put more jobs into the windows."""
        blocks: list[Jobs] = []
        n = 0
        while n < JOBS_AT_ONCE and (block := next(self._blocks, None)) is not None:
            blocks.append(block)
            n += len(block)
        run = self.state.run[0]
        self._tell(run)
        self._make_room(run, n)
        self._put(int(run["jobs"] - run["job_first"]), blocks)
        run["jobs"] += n
        run["known_until"] = blocks[-1].time[-1] if n >= JOBS_AT_ONCE else rules.INF

    def accumulators(self, workload: Workload) -> Accumulators:
        """Return what is kept when the run has come to its end."""
        state = self.state
        self._tell(state.run[0])
        return Accumulators(
            run=state.run,
            buffers=state.buffers,
            queues=state.queues,
            levels=state.tally.levels,
            samples=state.tally.samples,
            counts=state.tally.counts,
            seconds=state.tally.seconds,
            flushes=None if self._taken is None else flush_columns(state),
            buffer_ids=[buffer.id for buffer in self._simulation.buffers],
            queue_names=workload.queues,
            causes=self._causes,
        )

    def _tell(self, run: Run) -> None:
        """Tell of the flushes that have started since the last time."""
        if self._taken is None or run["flush"] == self._told:
            return
        flushes = self.state.flushes[self._told : run["flush"]]
        self._taken(flushes["start"], flushes["jobs"], self.state.tally.taken[: run["taken"]])
        self._told, run["taken"] = int(run["flush"]), 0

    def _put(self, first: int, blocks: Sequence[Jobs]) -> None:
        """Put jobs into the windows from place `first` on."""
        jobs = self.state.jobs
        many_queues, many_keys, many_sizes = (len(column) > 1 for column in jobs[1:])
        for block in blocks:
            last = first + len(block)
            jobs.time[first:last] = block.time
            if many_queues:
                jobs.queue[first:last] = block.queue
            if many_keys:
                jobs.key[first:last] = block.key
            if many_sizes:
                jobs.nbytes[first:last] = block.nbytes
            first = last

    def _make_room(self, run: Run, jobs: int) -> None:
        """Make room for so many more jobs, and for what can become of them."""
        rows, live_rows = jobs * self._rows_of_a_job, int(run["row"] - run["live_row"])
        self._move_jobs(run, jobs)
        if run["marks_rows"]:
            self._move_rows(run, rows)
        if not run["bulk"]:
            # every row that is alive can become a task, one of each server that hands it over
            self._move_tasks(run, (live_rows + rows) * int(self.state.buffers["hand_overs"].max()))
        if run["keeps_flushes"]:
            self._move_flushes(run, live_rows + rows)

    def _move_jobs(self, run: Run, more: int) -> None:
        jobs: tuple[Any, ...] = self.state.jobs
        first, last, room = _plan(run["job_first"], run["live_job"], run["jobs"], more, len(jobs[0]))
        if room:
            masks = (-1, run["queue_mask"], run["key_mask"], run["nbytes_mask"])
            moved: list[Any] = [
                _moved(column, first, last, room) if mask else column for column, mask in zip(jobs, masks, strict=True)
            ]
            self.state = self.state._replace(jobs=JobWindow(*moved))
            run["job_first"] = run["live_job"]

    def _move_rows(self, run: Run, more: int) -> None:
        rows, positions = self.state.rows, self.state.positions
        first, last, room = _plan(run["row_first"], run["live_row"], run["row"], more, rows.whole.shape[1])
        if room:
            whole, small = _moved(rows.whole, first, last, room), _moved(rows.small, first, last, room)
            if arrays.searches(self.state.buffers):
                positions = np.empty(room, np.int64)
            self.state = self.state._replace(rows=RowWindow(whole, rows.lost_at, small), positions=positions)
            run["row_first"] = run["live_row"]

    def _move_tasks(self, run: Run, more: int) -> None:
        tasks = self.state.tasks
        first, last, room = _plan(run["task_first"], run["live_task"], run["task"], more, len(tasks.outcome))
        if room:
            moved: list[Any] = [_moved(column, first, last, room) for column in tasks]
            self.state = self.state._replace(tasks=TaskWindow(*moved))
            run["task_first"] = run["live_task"]

    def _move_flushes(self, run: Run, more: int) -> None:
        """Make room for so many more flushes, and for the arrivals of so many jobs that they take."""
        state = self.state
        _, last, room = _plan(0, 0, run["flush"], more, len(state.flushes))
        if room:
            state = state._replace(flushes=cast("Records[Flush]", _moved(state.flushes, 0, last, room)))
        if more > len(state.tally.taken):
            state = state._replace(tally=state.tally._replace(taken=np.empty(more)))
        self.state = state


def _plan(origin: Any, live: Any, end: Any, more: int, room: int) -> tuple[int, int, int]:
    """Return which part of a window to move to its front, and its new room; room 0 if it can stay as it is."""
    if end - origin + more <= room:
        return 0, 0, 0
    # twice what is needed, so that the moving is in proportion to what comes
    return int(live - origin), int(end - origin), max(room, 2 * (int(end - live) + more))


def _moved(column: npt.NDArray[Generic], first: int, last: int, room: int) -> npt.NDArray[Generic]:
    """Return the column with the part from `first` to `last` at its front, and so much room."""
    to = column if room <= column.shape[-1] else np.empty((*column.shape[:-1], room), column.dtype)
    to[..., : last - first] = column[..., first:last]
    return to
