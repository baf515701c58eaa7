"""The kernel's arrays: made at the start of a run, and read at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.engines import bins
from bufsim.engines.kernel import tallies
from bufsim.engines.kernel.records import Records, dtype_of, records
from bufsim.engines.kernel.state import (
    FINISHED_AT,
    LOST_AT,
    NO_WORKERS,
    QUEUED_AT,
    ROW_BUFFER,
    ROW_FLUSH,
    ROW_JOB,
    ROW_LOSS,
    ROW_TASK,
    SEARCH,
    STARTED_AT,
    TASK_ATTEMPTS,
    TASK_FINISHED,
    TASK_FLUSH,
    TASK_ITEMS,
    TASK_QUEUE,
    UNIQUE,
    Answer,
    Buffer,
    End,
    Floats,
    Flush,
    JobWindow,
    Level,
    Queue,
    Retry,
    RowWindow,
    Run,
    Sample,
    SizeColumns,
    Span,
    State,
    Tally,
    TaskWindow,
)
from bufsim.engines.lowering import Lowered, rows_of_a_job
from bufsim.engines.recording import (
    COMPLETED,
    LOSS_CAUSES,
    PENDING,
    Recording,
    RowOrder,
    cause_names,
    remembers_ticks,
)
from bufsim.engines.workload import Jobs, Workload
from bufsim.model import rules
from bufsim.model.declaration import Declaration

Columns = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Accumulators:
    """What is kept of a run in bounded memory, from which `bufsim.results.streamed` makes a tally.

    Parameters
    ----------
    run : array of one record
        Counts of the whole run, and what stands where.
    buffers, queues, levels, samples : arrays of records
        As `kernel.state` declares them: the counts of buffers and queues, and what is kept of levels and durations.
    counts : array of int64
        Rows lost by cause; for each buffer rows lost and flushes by cause, and batch sizes; durations; all by bins,
        with the bits of the least and the largest value in each.
    seconds : array of float64
        The time at each value of a level, the least and the largest in each bin, and integrals.
    flushes : dict of arrays, or None
        The columns of the flushes, as in `recording.Recording`, if they are kept.
    buffer_ids, queue_names, causes : sequence of str
        The names of what is numbered.
    """

    run: Records[Run]
    buffers: Records[Buffer]
    queues: Records[Queue]
    levels: Records[Level]
    samples: Records[Sample]
    counts: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    flushes: dict[str, npt.NDArray[Any]] | None
    buffer_ids: Sequence[str]
    queue_names: Sequence[str]
    causes: Sequence[str]


def no_tally() -> Tally:
    """Return the arrays of a run that counts nothing."""
    return Tally(records(Level, 0), records(Sample, 0), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def new_tally(lowered: Lowered, causes: int) -> Tally:
    """Return the arrays of a run that counts, for so many causes of flushes; tell buffers and run what stands where."""
    levels, seconds = _levels(lowered)
    samples, counts = _counts(lowered, causes)
    return Tally(levels, samples, np.zeros(counts, np.int64), np.zeros(seconds), np.zeros(0))


def _levels(lowered: Lowered) -> tuple[Records[Level], int]:
    """Return the levels, and how many numbers of seconds they need."""
    run, buffers, queues = lowered.run[0], len(lowered.buffers), len(lowered.queues)
    # jobs that pass by a volatile queue can be lost, and are in no buffer
    apart = buffers > 1 or bool(((rows_of_a_job(lowered.queues) == 0) & ~lowered.queues["durable"]).any())
    of_buffers = (buffers + apart) * tallies.OF_BUFFER
    of_queues = (queues + (queues > 1)) * tallies.OF_QUEUE
    run["all_buffers"] = buffers * tallies.OF_BUFFER if apart else -1
    run["queue_levels"] = of_buffers
    run["all_queues"] = of_buffers + queues * tallies.OF_QUEUE if queues > 1 else -1
    # of one queue, those that are unfinished where there are workers are all, or none
    alone = queues == 1 and lowered.queues[0]["workers"] != NO_WORKERS
    run["served_level"] = of_buffers + tallies.UNFINISHED if alone else of_buffers + of_queues
    levels = records(Level, of_buffers + of_queues + 1)
    end = _give_room(run, levels, of_buffers)
    levels["warm"] = run["start"] == 0.0
    series = levels["series"] >= 0
    levels["mark"] = rules.INF if run["start"] == 0.0 else run["start"]
    levels["mark"][series] = np.minimum(levels["mark"][series], run["until"] / bins.SERIES)
    if run["in_order"]:
        # its levels do not change step by step
        of_queue = slice(of_buffers, of_buffers + tallies.OF_QUEUE)
        lowered.queues["mark"] = levels["mark"][of_buffers + tallies.UNFINISHED]
        levels["mark"][of_queue] = rules.INF
    return levels, end


def _give_room(run: Run, levels: Records[Level], of_buffers: int) -> int:
    """Tell levels where the times at each value, and the series, stand; return where they end."""
    spread = [index for kind in (tallies.SIZE, tallies.EXPOSED) for index in range(kind, of_buffers, tallies.OF_BUFFER)]
    room = tallies.EXACT + bins.ROOM * (bins.SIZES.last + 1)
    levels["spread"][spread] = True
    levels["exact"][spread] = np.arange(len(spread)) * room
    levels["bins"][spread] = np.arange(len(spread)) * room + tallies.EXACT
    kept = [max(int(run["all_buffers"]), 0) + tallies.SIZE, int(run["served_level"])]
    levels["series"] = -1
    levels["series"][kept] = len(spread) * room + np.arange(2) * (bins.SERIES + 1)
    levels["edge"] = 1
    return len(spread) * room + 2 * (bins.SERIES + 1)


def _counts(lowered: Lowered, causes: int) -> tuple[Records[Sample], int]:
    """Return the samples, and how many counts they and the buffers need."""
    end = len(LOSS_CAUSES)
    for buffer in lowered.buffers:
        buffer["lost_first"], end = end, end + len(LOSS_CAUSES)
        buffer["causes_first"], end = end, end + causes
        buffer["batches_first"], end = end, end + bins.ROOM * (bins.SIZES.last + 1)
    buffers = len(lowered.buffers)
    lowered.run[0]["queue_samples"] = buffers
    samples = records(Sample, buffers + 2 * len(lowered.queues))
    room = bins.ROOM * (bins.TIMES.last + 1)
    samples["bins"] = end + np.arange(len(samples)) * room
    return samples, end + len(samples) * room


def recording_state(lowered: Lowered, jobs: Jobs) -> State:
    """Return the state at the start of a run that records everything, with all jobs at hand."""
    run, buffers = lowered.run[0], lowered.buffers
    run["records"] = run["keeps_flushes"] = True
    run["jobs"] = len(jobs)
    run["counts_bytes"] = bool(jobs.nbytes[:1].any() if jobs.nbytes.strides == (0,) else jobs.nbytes.any())
    copies = _most_copies(lowered, jobs)
    drops = copies if buffers["drop_oldest"].any() else 0
    stops = int(run["stops_last"] - run["stops_first"]) * len(buffers)
    # what is never written costs no memory
    return _state(
        lowered,
        jobs=_job_columns(run, jobs),
        rows=RowWindow(memory.empty((4, copies), np.int64), memory.empty(copies), memory.empty((2, copies), np.int16)),
        sizes=_room_for_sizes(run, len(buffers), 2 * copies + drops + stops + 1),
        flushes=_flushes(copies),
        tasks=_room_for_tasks(copies * int(buffers["hand_overs"].max())),
        positions=copies,
        tally=no_tally(),
    )


def counting_state(lowered: Lowered, causes: int) -> State:
    """Return the state at the start of a run that only counts; its windows are empty."""
    run = lowered.run[0]
    run["tallies"] = run["counts_empty_ticks"] = True
    # with several queues, or a queue whose tasks a stop would lose, levels must be known at every moment
    if len(lowered.queues) > 1 or not run["durable_queues"]:
        lowered.queues["in_order"] = False
    run["in_order"] = bool(lowered.queues["in_order"].any())
    run["bulk"] = run["bulk"] and len(lowered.queues) == 1
    run["marks_rows"] = not (run["bulk"] or (run["straight"] and run["in_order"]))
    return _state(
        lowered,
        jobs=JobWindow(np.empty(0), np.zeros(1, np.int16), np.zeros(1, np.int32), np.zeros(1, np.int64)),
        rows=RowWindow(np.empty((5, 0), np.int64), np.empty(0), np.empty((3, 0), np.int16)),
        sizes=_room_for_sizes(run, 0, 0),
        flushes=records(Flush, 0),
        tasks=_room_for_tasks(0),
        positions=0,
        tally=new_tally(lowered, causes),
    )


def _state(
    lowered: Lowered,
    *,
    jobs: JobWindow,
    rows: RowWindow,
    sizes: SizeColumns,
    flushes: Records[Flush],
    tasks: TaskWindow,
    positions: int,
    tally: Tally,
) -> State:
    queues = lowered.queues
    slots = _slots(lowered)
    return State(
        *lowered,
        jobs=jobs,
        rows=rows,
        sizes=sizes,
        flushes=flushes,
        tasks=tasks,
        retries=records(Retry, 0),
        heap=_heap(int(queues["concurrency"].sum()) + 1),
        free=_free(queues),
        draws=np.empty(0),
        spans=records(Span, (len(queues), int(queues["retries"].max(initial=0)) + 2)),
        stack=records(Answer, len(lowered.program)),
        seen=np.full(slots, -1, np.int64),
        place=np.empty(slots, np.int64),
        positions=memory.empty(positions if searches(lowered.buffers) else 1, np.int64),
        tally=tally,
    )


def searches(buffers: Records[Buffer]) -> bool:
    """Return whether some buffer has the search-index reduction, which lists the rows of a batch."""
    return bool((buffers["reduce"] == SEARCH).any())


def with_larger_heap(state: State) -> State:
    """Return the state with room for twice as many ends of services and back-offs."""
    heap = _heap(2 * len(state.heap))
    heap[: len(state.heap)] = state.heap
    return state._replace(heap=heap)


def with_more_retries(state: State) -> State:
    """Return the state with room for at least twice as many retries, and for as many as can start at once."""
    workers = int(state.queues["concurrency"].sum())
    retries = cast("Records[Retry]", memory.empty(2 * len(state.retries) + workers + 64, dtype_of(Retry)))
    retries[: len(state.retries)] = state.retries
    return state._replace(retries=retries)


def _flushes(n: int) -> Records[Flush]:
    return cast("Records[Flush]", memory.empty(n, dtype_of(Flush)))


def _heap(n: int) -> Records[End]:
    return records(End, n)


def _free(queues: Records[Queue]) -> Floats:
    """Return when each worker of the queues that are served in order is free, one behind the other."""
    workers = np.where(queues["in_order"], queues["concurrency"], 0)
    queues["free_first"] = np.cumsum(workers) - workers
    return np.zeros(int(workers.sum()))


def _room_for_tasks(n: int) -> TaskWindow:
    outcome = memory.empty(n, np.int8)
    outcome[:] = PENDING
    return TaskWindow(memory.empty((8, n), np.int64), memory.empty((6, n)), memory.empty((2, n), np.int16), outcome)


def _room_for_sizes(run: Run, buffers: int, changes: int) -> SizeColumns:
    """Return the buffer-size series: a row of zeros for each buffer, and room for so many changes."""
    n = buffers + changes
    whole, small = memory.empty((2, n), np.int64), memory.empty(n, np.int16)
    sizes = SizeColumns(memory.empty(n), whole[0], whole[1], small)
    for column in sizes:
        column[:buffers] = 0
    sizes.buffer[:buffers] = np.arange(buffers)
    run["size_row"] = buffers
    return sizes


def _job_columns(run: Run, jobs: Jobs) -> JobWindow:
    queue, run["queue_mask"] = _column(jobs.queue, np.int16)
    key, run["key_mask"] = _column(jobs.key, np.int32)
    nbytes, run["nbytes_mask"] = _column(jobs.nbytes, np.int64)
    return JobWindow(np.require(jobs.time, np.float64, ["C", "W"]), queue, key, nbytes)


def _column(values: npt.NDArray[Any], dtype: type) -> tuple[npt.NDArray[Any], int]:
    """Return a column and its mask; one element will do where all are the same."""
    if len(values) == 0:
        return np.zeros(1, dtype), 0
    if values.strides == (0,):
        return values[:1].astype(dtype), 0
    return np.require(values, dtype, ["C", "W"]), -1


def _most_copies(lowered: Lowered, jobs: Jobs) -> int:
    """Return how many rows there can be: one per job and collecting buffer, one for a job that passes by."""
    each = np.maximum(rows_of_a_job(lowered.queues), 1)
    if len(each) == 1:
        return int(each[0]) * len(jobs)
    return int(each[jobs.queue].sum())


def _slots(lowered: Lowered) -> int:
    """Return how many keys, or queues, or ids a reduction can meet."""
    run, reduces = lowered.run[0], lowered.buffers["reduce"]
    ids = int(lowered.lists[run["ids_first"] + run["keys"]]) if searches(lowered.buffers) else 0
    unique = len(lowered.queues) * int(run["keys"]) if (reduces == UNIQUE).any() else 0
    return max(unique, int(run["keys"]) + ids, len(lowered.queues))


# --- what a run wrote down --------------------------------------------------------------------------------------------


def recording_of(simulation: Declaration, workload: Workload, jobs: Jobs, state: State) -> Recording:
    """Return what a run that has come to its end wrote down."""
    arrived = int(state.run[0]["job"])
    return Recording(
        job_time=jobs.time[:arrived],
        job_producer=jobs.producer[:arrived],
        job_queue=jobs.queue[:arrived],
        job_key=jobs.key[:arrived],
        job_nbytes=jobs.nbytes[:arrived],
        **_copy_columns(state),
        **flush_columns(state),
        **_size_columns(state),
        **_task_columns(state, jobs),
        **_retry_columns(state),
        producers=[producer.name for producer in simulation.producers],
        queues=list(workload.queues),
        buffers=[buffer.id for buffer in simulation.buffers],
        causes=cause_names(simulation),
        keys=workload.key_values,
        empty_ticks={
            index: int(state.buffers["empty_ticks"][index])
            for index, buffer in enumerate(simulation.buffers)
            if remembers_ticks(buffer.policy, simulation.until)
        },
        **_at_hand(state),
    )


def _copy_columns(state: State) -> Columns:
    run, rows = state.run[0], state.rows
    n = int(run["row"])
    number = memory.counted(n) if run["contiguous"] else rows.whole[ROW_JOB, :n]
    return {
        "copy_job": number,
        "copy_buffer": same(0, n, np.int16) if run["contiguous"] else rows.small[ROW_BUFFER, :n],
        **_fates(state, number),
        "copy_lost_at": same(np.nan, n, np.float64) if run["contiguous"] else rows.lost_at[:n],
        "copy_loss": same(-1, n, np.int16) if run["contiguous"] else rows.small[ROW_LOSS, :n],
    }


def _fates(state: State, number: npt.NDArray[np.int64]) -> Columns:
    """Return the flush and the task of each row; of one buffer's rows the last may be without, and unwritten."""
    run, n = state.run[0], len(number)
    flush, work = state.rows.whole[ROW_FLUSH, :n], state.rows.whole[ROW_TASK, :n]
    if run["contiguous"]:
        order = _order(state)
        flush[order.taken :] = -1
        if run["straight"]:
            work = number
        else:
            work[order.carried :] = -1
    return {"copy_flush": flush, "copy_work": work}


def _order(state: State) -> RowOrder:
    """Return how many rows of the only buffer are flushed, and how many have a task."""
    b = state.buffers[0]
    taken = int(state.run[0]["row"] - b["jobs"])
    return RowOrder(taken, taken - (int(b["flight_jobs"]) if b["flushing"] else 0))


def _at_hand(state: State) -> Columns:
    """Return what follows from other columns and need not be made again."""
    run, b, tasks = state.run[0], state.buffers[0], state.tasks
    if not run["contiguous"]:
        return {}
    order, n = _order(state), int(run["row"])
    given: Columns = {"order": order}
    # a task has its job's number, and its column room for all jobs: those behind come to nothing
    if run["straight"] and b["fixed"] == 0.0 and b["per_job"] == 0.0:
        given["copy_flushed_at"] = _continued(tasks.seconds[QUEUED_AT, :n], order.carried)
    if run["straight"] and run["serves"]:
        given["copy_finished_at"] = _continued(tasks.seconds[FINISHED_AT, :n], order.carried)
    return given


def _continued(times: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Return the times, NaN from number `n` on."""
    times[n:] = np.nan
    return times


def flush_columns(state: State) -> Columns:
    """Return the columns of the flushes."""
    flushes = state.flushes[: int(state.run[0]["flush"])]
    fields = flushes.dtype.names or ()
    return {f"flush_{name.removeprefix('taken_')}": np.ascontiguousarray(flushes[name]) for name in fields}


def _size_columns(state: State) -> Columns:
    run, sizes = state.run[0], state.sizes
    n = int(run["size_row"])
    return {
        "size_time": sizes.time[:n],
        "size_buffer": same(0, n, np.int16) if len(state.buffers) == 1 else sizes.buffer[:n],
        "size_jobs": sizes.jobs[:n],
        "size_nbytes": sizes.nbytes[:n] if run["counts_bytes"] else same(0, n, np.int64),
    }


def _task_columns(state: State, jobs: Jobs) -> Columns:
    run, tasks = state.run[0], state.tasks
    n = int(run["task"])
    return {
        "work_flush": state.rows.whole[ROW_FLUSH, :n] if run["straight"] else tasks.whole[TASK_FLUSH, :n],
        "work_queue": _work_queue(state, jobs, n),
        "work_queued_at": tasks.seconds[QUEUED_AT, :n],
        "work_items": same(1, n, np.int64) if run["straight"] else tasks.whole[TASK_ITEMS, :n],
        **(_services(state, n) if run["serves"] else _no_services(n)),
    }


def _retry_columns(state: State) -> Columns:
    retries = state.retries[: int(state.run[0]["retry"])]
    columns = {"retry_work": "task", "retry_number": "number", "retry_started_at": "start"}
    return {name: np.ascontiguousarray(retries[field]) for name, field in columns.items()}


def _work_queue(state: State, jobs: Jobs, n: int) -> npt.NDArray[np.int16]:
    if len(state.queues) == 1:
        return same(0, n, np.int16)
    return jobs.queue[:n] if state.run[0]["straight"] else state.tasks.small[TASK_QUEUE, :n]


def _services(state: State, n: int) -> Columns:
    run, tasks = state.run[0], state.tasks
    outcome, whole, seconds = tasks.outcome[:n], tasks.whole[:, :n], tasks.seconds[:, :n]
    loses = run["stops_first"] < run["stops_last"] and not run["durable_queues"]
    # of tasks that are served once, the completed ones have finished
    finished = (outcome == COMPLETED).view(np.int8) if run["in_order"] else whole[TASK_FINISHED]
    return {
        "work_started_at": seconds[STARTED_AT],
        "work_finished_at": seconds[FINISHED_AT],
        "work_lost_at": seconds[LOST_AT] if loses else same(np.nan, n, np.float64),
        "work_attempts": whole[TASK_ATTEMPTS],
        "work_finished_attempts": finished,
        "work_outcome": outcome,
    }


def _no_services(n: int) -> Columns:
    """Return the columns of tasks that nothing serves."""
    times = dict.fromkeys(("work_started_at", "work_finished_at", "work_lost_at"), same(np.nan, n, np.float64))
    counts = dict.fromkeys(("work_attempts", "work_finished_attempts"), same(0, n, np.int64))
    return times | counts | {"work_outcome": same(PENDING, n, np.int8)}


def same(value: float, n: int, dtype: type) -> npt.NDArray[Any]:
    """Return `n` times the same value, in the space of one."""
    return np.broadcast_to(dtype(value), (n,))
