"""The arrays that the kernel fills, as long as a run needs them; what is never written costs no memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim.engines import kernel_state as ks
from bufsim.engines.jobs import Jobs
from bufsim.engines.lowering import Lowered


def first_state(lowered: Lowered, jobs: Jobs) -> ks.State:
    """Return the state at the start of a run that records everything, with all jobs at hand."""
    run = lowered.run[0]
    columns = _job_columns(run, jobs)
    copies = _copies(lowered, jobs)
    room = 1 << max(copies - 1, 0).bit_length()
    run.row_mask = run.work_mask = room - 1
    drops = copies if lowered.buffers.drop_oldest.any() else 0
    stops = int(run.stops_last - run.stops_first) * len(lowered.buffers)
    return ks.State(
        *lowered,
        jobs=columns,
        rows=ks.Rows(np.empty((4, room), np.int64), np.empty(room), np.zeros((2, room), np.int16)),
        sizes=_sizes(2 * copies + drops + stops + 1),
        flushes=np.empty(copies, ks.FLUSH).view(np.recarray),
        works=ks.Works(np.empty((6, room), np.int64), np.empty((4, room)), np.zeros((2, room), np.int16)),
        heap=_heap(int(lowered.queues.concurrency.sum()) + 1),
        draws=np.empty(0),
        spans=np.zeros((len(lowered.queues), int(lowered.queues.retries.max(initial=0)) + 2), ks.SPAN).view(
            np.recarray
        ),
        stack=np.zeros(len(lowered.program), ks.ANSWER).view(np.recarray),
        **_scratch(lowered, copies),
    )


def _job_columns(run: Any, jobs: Jobs) -> ks.Jobs:
    queue, run.queue_mask = _column(jobs.queue, np.int16)
    key, run.key_mask = _column(jobs.key, np.int32)
    nbytes, run.nbytes_mask = _column(jobs.nbytes, np.int64)
    run.job_mask = -1
    run.jobs = len(jobs)
    run.counts_bytes = bool(nbytes.any())
    return ks.Jobs(np.require(jobs.time, np.float64, ["C", "W"]), queue, key, nbytes)


def _column(values: npt.NDArray[Any], dtype: type) -> tuple[npt.NDArray[Any], int]:
    """Return a column and its mask; one element will do where all are the same."""
    if len(values) == 0:
        return np.zeros(1, dtype), 0
    if values.strides == (0,):
        return values[:1].astype(dtype), 0
    return np.require(values, dtype, ["C", "W"]), -1


def _copies(lowered: Lowered, jobs: Jobs) -> int:
    """Return how many rows there can be: one per job and collecting buffer, one for a job that passes by."""
    each = np.maximum(lowered.queues.collectors_last - lowered.queues.collectors_first, 1)
    if len(each) == 1:
        return int(each[0]) * len(jobs)
    return int(each[jobs.queue].sum())


def _sizes(changes: int) -> ks.Sizes:
    return ks.Sizes(np.empty(changes), np.empty((2, changes), np.int64), np.zeros(changes, np.int16))


def _heap(n: int) -> ks.Records:
    return np.empty(n, ks.END).view(np.recarray)


def with_larger_heap(state: ks.State) -> ks.State:
    """Return the state with room for twice as many ends of services and back-offs."""
    heap = _heap(2 * len(state.heap))
    heap[: len(state.heap)] = state.heap
    return state._replace(heap=heap)


def _scratch(lowered: Lowered, copies: int) -> dict[str, ks.Ints]:
    run, reduces = lowered.run[0], lowered.buffers.reduce
    search = bool((reduces == ks.SEARCH).any())
    ids = int(lowered.lists[run.ids_first + run.keys]) if search else 0
    unique = len(lowered.queues) * int(run.keys) if (reduces == ks.UNIQUE).any() else 0
    slots = max(unique, int(run.keys) + ids, len(lowered.queues))
    return {
        "seen": np.full(slots, -1, np.int64),
        "place": np.empty(slots, np.int64),
        "positions": np.empty(copies if search else 1, np.int64),
    }
