"""From what the kernel wrote down to a `Recording`; columns that are the same in all rows are one value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim import memory
from bufsim.engines.kernel import state as ks
from bufsim.engines.recording import COMPLETED, PENDING, Recording, RowOrder, cause_names
from bufsim.engines.workload import Jobs, Workload
from bufsim.model.declaration import Declaration

Columns = dict[str, Any]


def recording(simulation: Declaration, workload: Workload, jobs: Jobs, state: ks.State) -> Recording:
    """Return what a run that has come to its end wrote down."""
    arrived = int(state.run[0]["job"])
    return Recording(
        job_time=jobs.time[:arrived],
        job_producer=jobs.producer[:arrived],
        job_queue=jobs.queue[:arrived],
        job_key=jobs.key[:arrived],
        job_nbytes=jobs.nbytes[:arrived],
        **_copies(state),
        **flush_columns(state),
        **_sizes(state),
        **_works(state, jobs),
        producers=[producer.name for producer in simulation.producers],
        queues=list(workload.queues),
        buffers=[buffer.id for buffer in simulation.buffers],
        causes=cause_names(simulation),
        keys=workload.key_values,
        **_at_hand(state),
    )


def _copies(state: ks.State) -> Columns:
    run, rows = state.run[0], state.rows
    n = int(run["row"])
    number = memory.counted(n) if run["single"] else rows.whole[ks.ROW_JOB, :n]
    return {
        "copy_job": number,
        "copy_buffer": same(0, n, np.int16) if run["contiguous"] else rows.small[ks.ROW_BUFFER, :n],
        **_fates(state, number),
        "copy_lost_at": rows.lost_at[:n] if run["losses"] else same(np.nan, n, np.float64),
        "copy_loss": rows.small[ks.ROW_LOSS, :n] if run["losses"] else same(-1, n, np.int16),
    }


def _fates(state: ks.State, number: npt.NDArray[np.int64]) -> Columns:
    """Return the flush and the work of each row; of one buffer's rows the last may be without, and unwritten."""
    run, n = state.run[0], len(number)
    flush, work = state.rows.whole[ks.ROW_FLUSH, :n], state.rows.whole[ks.ROW_WORK, :n]
    if run["contiguous"]:
        order = _order(state)
        flush[order.taken :] = -1
        if run["straight"]:
            work = number
        else:
            work[order.carried :] = -1
    return {"copy_flush": flush, "copy_work": work}


def _order(state: ks.State) -> RowOrder:
    """Return how many rows of the only buffer are flushed, and how many have a work."""
    b = state.buffers[0]
    taken = int(state.run[0]["row"] - b["jobs"])
    return RowOrder(taken, taken - (int(b["batch_jobs"]) if b["flushing"] else 0))


def _at_hand(state: ks.State) -> Columns:
    """Return what follows from other columns and need not be made again."""
    run, b, works = state.run[0], state.buffers[0], state.works
    if not run["contiguous"]:
        return {}
    order, n = _order(state), int(run["row"])
    given: Columns = {"order": order}
    # a work has its job's number, and its column room for all jobs: those behind come to nothing
    if run["straight"] and b["fixed"] == 0.0 and b["per_job"] == 0.0:
        given["copy_flushed_at"] = _continued(works.seconds[ks.QUEUED_AT, :n], order.carried)
    if run["straight"] and run["serves"]:
        given["copy_finished_at"] = _continued(works.seconds[ks.FINISHED_AT, :n], order.carried)
    return given


def _continued(times: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Return the times, NaN from number `n` on."""
    times[n:] = np.nan
    return times


def flush_columns(state: ks.State) -> Columns:
    """Return the columns of the flushes."""
    flushes = state.flushes[: int(state.run[0]["flush"])]
    fields = ("buffer", "start", "end", "cause", "jobs", "reduced")
    columns = {f"flush_{name}": np.ascontiguousarray(flushes[name]) for name in fields}
    return columns | {"flush_nbytes": np.ascontiguousarray(flushes["held"])}


def _sizes(state: ks.State) -> Columns:
    run, sizes = state.run[0], state.sizes
    n = int(run["size_row"])
    return {
        "size_time": sizes.time[:n],
        "size_buffer": same(0, n, np.int16) if len(state.buffers) == 1 else sizes.buffer[:n],
        "size_jobs": sizes.jobs[:n],
        "size_nbytes": sizes.nbytes[:n] if run["counts_bytes"] else same(0, n, np.int64),
    }


def _works(state: ks.State, jobs: Jobs) -> Columns:
    run, works = state.run[0], state.works
    n = int(run["work"])
    return {
        "work_flush": state.rows.whole[ks.ROW_FLUSH, :n] if run["straight"] else works.whole[ks.WORK_FLUSH, :n],
        "work_queue": _work_queue(state, jobs, n),
        "work_queued_at": works.seconds[ks.QUEUED_AT, :n],
        "work_items": works.whole[ks.WORK_ITEMS, :n] if run["counts_items"] else same(1, n, np.int64),
        **(_services(state, n) if run["serves"] else _no_services(n)),
    }


def _work_queue(state: ks.State, jobs: Jobs, n: int) -> npt.NDArray[np.int16]:
    if len(state.queues) == 1:
        return same(0, n, np.int16)
    return jobs.queue[:n] if state.run[0]["straight"] else state.works.small[ks.WORK_QUEUE, :n]


def _services(state: ks.State, n: int) -> Columns:
    run, works = state.run[0], state.works
    outcome, whole, seconds = works.outcome[:n], works.whole[:, :n], works.seconds[:, :n]
    # of works that are served once, the completed ones have finished
    finished = (outcome == COMPLETED).view(np.int8) if run["in_order"] else whole[ks.WORK_FINISHED]
    return {
        "work_started_at": seconds[ks.STARTED_AT],
        "work_finished_at": seconds[ks.FINISHED_AT],
        "work_lost_at": seconds[ks.LOST_AT] if run["loses_work"] else same(np.nan, n, np.float64),
        "work_attempts": whole[ks.WORK_ATTEMPTS],
        "work_finished_attempts": finished,
        "work_outcome": outcome,
    }


def _no_services(n: int) -> Columns:
    """Return the columns of works that nothing serves."""
    times = dict.fromkeys(("work_started_at", "work_finished_at", "work_lost_at"), same(np.nan, n, np.float64))
    counts = dict.fromkeys(("work_attempts", "work_finished_attempts"), same(0, n, np.int64))
    return times | counts | {"work_outcome": same(PENDING, n, np.int8)}


def same(value: float, n: int, dtype: type) -> npt.NDArray[Any]:
    """Return `n` times the same value, in the space of one."""
    return np.broadcast_to(dtype(value), (n,))
