"""What the compiled engine keeps of a run in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.engines import bins
from bufsim.engines.kernel import state as ks
from bufsim.engines.kernel import tallies as kl
from bufsim.engines.lowering import Lowered, rows_of_a_job
from bufsim.engines.recording import LOSS_CAUSES, PENDING
from bufsim.engines.workload import Jobs
from bufsim.model import rules


@dataclass(frozen=True, slots=True, eq=False)
class Accumulators:
    """What is kept of a run in bounded memory, from which `bufsim.results.streamed` makes a tally.

    Parameters
    ----------
    run : array of one record
        Of the dtype `kernel_state.RUN`: counts of the whole run.
    buffers, queues : arrays of records
        Of the dtypes `kernel_state.BUFFER` and `kernel_state.QUEUE`: their counts and sums.
    levels, samples : arrays of records
        Of the dtypes `kernel_levels.LEVEL` and `kernel_levels.SAMPLE`; they and the others say what stands where.
    counts : array of int64
        Rows lost by cause; for each buffer rows lost and flushes by cause, and batch sizes; durations; all by bins.
    seconds : array of float64
        The time at each value of a level, and integrals.
    flushes : dict of arrays, or None
        The columns of the flushes, as in `recording.Recording`, if they are kept.
    buffer_ids, queue_names, causes : sequence of str
        The names of what is numbered.
    """

    run: npt.NDArray[Any]
    buffers: npt.NDArray[Any]
    queues: npt.NDArray[Any]
    levels: npt.NDArray[Any]
    samples: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    flushes: dict[str, npt.NDArray[Any]] | None
    buffer_ids: Sequence[str]
    queue_names: Sequence[str]
    causes: Sequence[str]


def no_tally() -> ks.Tally:
    """Return the arrays of a run that counts nothing."""
    return ks.Tally(np.zeros(0, kl.LEVEL), np.zeros(0, kl.SAMPLE), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def new_tally(lowered: Lowered, causes: int) -> ks.Tally:
    """Return the arrays of a run that counts, for so many causes of flushes; tell buffers and run what stands where."""
    levels, seconds = _levels(lowered)
    samples, counts = _counts(lowered, causes)
    return ks.Tally(levels, samples, np.zeros(counts, np.int64), np.zeros(seconds), np.zeros(0))


def _levels(lowered: Lowered) -> tuple[ks.Records, int]:
    """Return the levels, and how many numbers of seconds they need."""
    run, buffers, queues = lowered.run[0], len(lowered.buffers), len(lowered.queues)
    # jobs that pass by a volatile queue can be lost, and are in no buffer
    apart = buffers > 1 or (not run["durable_queue"] and bool((rows_of_a_job(lowered.queues) == 0).any()))
    of_buffers = (buffers + apart) * kl.OF_BUFFER
    of_queues = (queues + (queues > 1)) * kl.OF_QUEUE
    run["all_buffers"] = buffers * kl.OF_BUFFER if apart else -1
    run["queue_levels"] = of_buffers
    run["all_queues"] = of_buffers + queues * kl.OF_QUEUE if queues > 1 else -1
    # of one queue, those that are unfinished where there are workers are all, or none
    alone = queues == 1 and lowered.queues[0]["workers"] != ks.NO_WORKERS
    run["served_level"] = of_buffers + kl.UNFINISHED if alone else of_buffers + of_queues
    levels = np.zeros(of_buffers + of_queues + 1, kl.LEVEL)
    end = _give_room(run, levels, of_buffers)
    levels["warm"] = run["start"] == 0.0
    series = levels["series"] >= 0
    levels["mark"] = rules.INF if run["start"] == 0.0 else run["start"]
    levels["mark"][series] = np.minimum(levels["mark"][series], run["until"] / bins.SERIES)
    if run["in_order"]:
        # its levels do not change step by step
        of_queue = slice(of_buffers, of_buffers + kl.OF_QUEUE)
        lowered.queues["mark"] = levels["mark"][of_buffers + kl.UNFINISHED]
        levels["mark"][of_queue] = rules.INF
    return levels, end


def _give_room(run: Any, levels: ks.Records, of_buffers: int) -> int:
    """Tell levels where the times at each value, and the series, stand; return where they end."""
    spread = [index for kind in (kl.SIZE, kl.EXPOSED) for index in range(kind, of_buffers, kl.OF_BUFFER)]
    room = kl.EXACT + bins.SIZES.last + 1
    levels["spread"][spread] = True
    levels["exact"][spread] = np.arange(len(spread)) * room
    levels["bins"][spread] = np.arange(len(spread)) * room + kl.EXACT
    kept = [max(int(run["all_buffers"]), 0) + kl.SIZE, int(run["served_level"])]
    levels["series"] = -1
    levels["series"][kept] = len(spread) * room + np.arange(2) * (bins.SERIES + 1)
    levels["edge"] = 1
    return len(spread) * room + 2 * (bins.SERIES + 1)


def _counts(lowered: Lowered, causes: int) -> tuple[ks.Records, int]:
    """Return the samples, and how many counts they and the buffers need."""
    end = len(LOSS_CAUSES)
    for buffer in lowered.buffers:
        buffer["lost_first"], end = end, end + len(LOSS_CAUSES)
        buffer["causes_first"], end = end, end + causes
        buffer["batches_first"], end = end, end + bins.SIZES.last + 1
    buffers = len(lowered.buffers)
    lowered.run[0]["queue_samples"] = buffers
    samples = np.zeros(buffers + 2 * len(lowered.queues), kl.SAMPLE)
    samples["bins"] = end + np.arange(len(samples)) * (bins.TIMES.last + 1)
    return samples, end + len(samples) * (bins.TIMES.last + 1)


def recording_state(lowered: Lowered, jobs: Jobs) -> ks.State:
    """Return the state at the start of a run that records everything, with all jobs at hand."""
    run, buffers = lowered.run[0], lowered.buffers
    run["records"] = run["keeps_flushes"] = True
    run["jobs"] = len(jobs)
    run["counts_bytes"] = bool(jobs.nbytes[:1].any() if jobs.nbytes.strides == (0,) else jobs.nbytes.any())
    copies = _copies(lowered, jobs)
    drops = copies if buffers["drop_oldest"].any() else 0
    stops = int(run["stops_last"] - run["stops_first"]) * len(buffers)
    # what is never written costs no memory
    return _state(
        lowered,
        jobs=_job_columns(run, jobs),
        rows=ks.Rows(memory.empty((4, copies), np.int64), memory.empty(copies), memory.empty((2, copies), np.int16)),
        sizes=_sizes(run, len(buffers), 2 * copies + drops + stops + 1),
        flushes=memory.empty(copies, ks.FLUSH),
        works=_works(copies),
        positions=copies,
        tally=no_tally(),
    )


def counting_state(lowered: Lowered, causes: int) -> ks.State:
    """Return the state at the start of a run that only counts; its windows are empty."""
    run = lowered.run[0]
    run["tallies"] = True
    # with several queues, or a queue whose works a stop would lose, levels must be known at every moment
    if len(lowered.queues) > 1 or not run["durable_queue"]:
        lowered.queues["in_order"] = False
    run["in_order"] = bool(lowered.queues["in_order"].any())
    run["bulk"] = run["bulk"] and len(lowered.queues) == 1
    run["marks_rows"] = not (run["bulk"] or (run["straight"] and run["in_order"]))
    return _state(
        lowered,
        jobs=ks.Jobs(np.empty(0), np.zeros(1, np.int16), np.zeros(1, np.int32), np.zeros(1, np.int64)),
        rows=ks.Rows(np.empty((5, 0), np.int64), np.empty(0), np.empty((3, 0), np.int16)),
        sizes=_sizes(run, 0, 0),
        flushes=np.empty(0, ks.FLUSH),
        works=_works(0),
        positions=0,
        tally=new_tally(lowered, causes),
    )


def _state(
    lowered: Lowered,
    *,
    jobs: ks.Jobs,
    rows: ks.Rows,
    sizes: ks.Sizes,
    flushes: ks.Records,
    works: ks.Works,
    positions: int,
    tally: ks.Tally,
) -> ks.State:
    queues = lowered.queues
    slots = _slots(lowered)
    return ks.State(
        *lowered,
        jobs=jobs,
        rows=rows,
        sizes=sizes,
        flushes=flushes,
        works=works,
        heap=_heap(int(queues["concurrency"].sum()) + 1),
        free=_free(queues),
        draws=np.empty(0),
        spans=np.zeros((len(queues), int(queues["retries"].max(initial=0)) + 2), ks.SPAN),
        stack=np.zeros(len(lowered.program), ks.ANSWER),
        seen=np.full(slots, -1, np.int64),
        place=np.empty(slots, np.int64),
        positions=memory.empty(positions if searches(lowered.buffers) else 1, np.int64),
        tally=tally,
    )


def searches(buffers: ks.Records) -> bool:
    """Return whether some buffer has the search-index reduction, which lists the rows of a batch."""
    return bool((buffers["reduce"] == ks.SEARCH).any())


def with_larger_heap(state: ks.State) -> ks.State:
    """Return the state with room for twice as many ends of services and back-offs."""
    heap = _heap(2 * len(state.heap))
    heap[: len(state.heap)] = state.heap
    return state._replace(heap=heap)


def _heap(n: int) -> ks.Records:
    return np.empty(n, ks.END)


def _free(queues: ks.Records) -> ks.Floats:
    """Return when each worker of the queues that are served in order is free, one behind the other."""
    workers = np.where(queues["in_order"], queues["concurrency"], 0)
    queues["free_first"] = np.cumsum(workers) - workers
    return np.zeros(int(workers.sum()))


def _works(n: int) -> ks.Works:
    outcome = memory.empty(n, np.int8)
    outcome[:] = PENDING
    return ks.Works(memory.empty((8, n), np.int64), memory.empty((5, n)), memory.empty((2, n), np.int16), outcome)


def _sizes(run: Any, buffers: int, changes: int) -> ks.Sizes:
    """Return the buffer-size series: a row of zeros for each buffer, and room for so many changes."""
    n = buffers + changes
    whole, small = memory.empty((2, n), np.int64), memory.empty(n, np.int16)
    sizes = ks.Sizes(memory.empty(n), whole[0], whole[1], small)
    for column in sizes:
        column[:buffers] = 0
    sizes.buffer[:buffers] = np.arange(buffers)
    run["size_row"] = buffers
    return sizes


def _job_columns(run: Any, jobs: Jobs) -> ks.Jobs:
    queue, run["queue_mask"] = _column(jobs.queue, np.int16)
    key, run["key_mask"] = _column(jobs.key, np.int32)
    nbytes, run["nbytes_mask"] = _column(jobs.nbytes, np.int64)
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
    each = np.maximum(rows_of_a_job(lowered.queues), 1)
    if len(each) == 1:
        return int(each[0]) * len(jobs)
    return int(each[jobs.queue].sum())


def _slots(lowered: Lowered) -> int:
    """Return how many keys, or queues, or ids a reduction can meet."""
    run, reduces = lowered.run[0], lowered.buffers["reduce"]
    ids = int(lowered.lists[run["ids_first"] + run["keys"]]) if searches(lowered.buffers) else 0
    unique = len(lowered.queues) * int(run["keys"]) if (reduces == ks.UNIQUE).any() else 0
    return max(unique, int(run["keys"]) + ids, len(lowered.queues))
