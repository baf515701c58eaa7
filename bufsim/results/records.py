"""The tables of a run: their schemas, declared once, and how they are made from what an engine wrote down."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim.engines.recording import LOSS_CAUSES, LOST, QUEUE, WORK_OUTCOMES, Recording
from bufsim.errors import BufsimError

Generic = TypeVar("Generic", bound=np.generic)

JOB_OUTCOMES = ("passed_by", "flushed", "buffered", "in_flight", "lost")
_PASSED_BY, _FLUSHED, _BUFFERED, _IN_FLIGHT, _LOST = range(len(JOB_OUTCOMES))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, dtype, unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str


JOBS = (
    Column("job_id", "int64", "", "number of the job in order of arrival"),
    Column("copy", "int16", "", "number of the copy, among the buffers that collect the job"),
    Column("producer", "category", "", "who made it; missing for a job of a user's own process"),
    Column("queue", "category", "", "the job queue that it is meant for"),
    Column("buffer", "category", "", "the buffer that collects it; missing if none does"),
    Column("key", "category", "", "what the job is about; missing without keys"),
    Column("nbytes", "int64", "bytes", "its size"),
    Column("created_at", "float64", "s", "its arrival"),
    Column("flush_id", "Int64", "", "row of the flush that took it, in `flushes`; missing if none has"),
    Column("flushed_at", "float64", "s", "the start of that flush"),
    Column("work_id", "Int64", "", "row of the work that carries it, in `work`; missing if none is known to"),
    Column("finished_at", "float64", "s", "the finish of that work, or without one of its flush's last work"),
    Column("outcome", "category", "", "passed_by, flushed, buffered, in_flight, or lost"),
    Column("lost_at", "float64", "s", "when it was lost"),
    Column("loss_cause", "category", "", "capacity, buffer, in_flight, queue, down, race, or storage"),
)
FLUSHES = (
    Column("buffer", "category", "", "the buffer that is flushed"),
    Column("start", "float64", "s", "when the batch left the storage"),
    Column("end", "float64", "s", "when the reduced jobs came to the queue; missing if interrupted or not yet"),
    Column("cause", "category", "", "the leaf of the flush policy that was due, or manual"),
    Column("batch_size", "int64", "jobs", "jobs taken"),
    Column("reduced_size", "Int64", "jobs", "jobs left after reduce; missing without an end"),
    Column("nbytes", "int64", "bytes", "bytes taken"),
    Column("oldest_age", "float64", "s", "wait of the oldest job taken"),
    Column("mean_age", "float64", "s", "mean wait of the jobs taken"),
)
BUFFER_SIZE = (
    Column("time", "float64", "s", "when the buffer changed; the first row stands at 0"),
    Column("buffer", "category", "", "which buffer"),
    Column("size", "int64", "jobs", "jobs in it from then on"),
    Column("nbytes", "int64", "bytes", "bytes in it from then on"),
)
WORK = (
    Column("flush_id", "Int64", "", "row of its flush, in `flushes`; missing for a job that passed by"),
    Column("queue", "category", "", "its job queue"),
    Column("queued_at", "float64", "s", "when it came to the queue"),
    Column("started_at", "float64", "s", "start of the first attempt"),
    Column("finished_at", "float64", "s", "when it was completed or failed for good"),
    Column("busy_time", "float64", "s", "service times of the finished attempts, summed"),
    Column("attempts", "int64", "", "attempts started"),
    Column("items", "int64", "", "items that it carries"),
    Column("outcome", "category", "", "pending, running, retrying, completed, failed, or lost"),
)
SCHEMAS = {"jobs": JOBS, "flushes": FLUSHES, "buffer_size": BUFFER_SIZE, "work": WORK}


def jobs_table(record: Recording) -> pd.DataFrame:
    """Return the `jobs` table: one row per job and collecting buffer; one row, buffer missing, if none collects it."""
    job = record.copy_job
    flush, work = record.copy_flush, record.copy_work
    finished_at, lost_at, loss = _fate(record)
    return _frame(
        JOBS,
        job_id=job,
        copy=_copy_numbers(job),
        producer=_category(_take(record.job_producer, job), record.producers),
        queue=_category(_take(record.job_queue, job), record.queues),
        buffer=_category(record.copy_buffer, record.buffers),
        key=_category(_take(record.job_key, job), record.keys),
        nbytes=_take(record.job_nbytes, job),
        created_at=_take(record.job_time, job),
        flush_id=_position(flush),
        flushed_at=_at(record.flush_start, flush),
        work_id=_position(work),
        finished_at=finished_at,
        outcome=_category(_outcomes(record, loss), JOB_OUTCOMES),
        lost_at=lost_at,
        loss_cause=_category(loss, LOSS_CAUSES),
    )


def flushes_table(record: Recording) -> pd.DataFrame:
    """Return the `flushes` table: one row per flush, in order of their starts."""
    oldest_age, mean_age = _ages(record)
    return _frame(
        FLUSHES,
        buffer=_category(record.flush_buffer, record.buffers),
        start=record.flush_start,
        end=record.flush_end,
        cause=_category(record.flush_cause, record.causes),
        batch_size=record.flush_jobs,
        reduced_size=_position(record.flush_reduced),
        nbytes=record.flush_nbytes,
        oldest_age=oldest_age,
        mean_age=mean_age,
    )


def buffer_size_table(record: Recording) -> pd.DataFrame:
    """Return the `buffer_size` table: the exact step function, a row per change, (0, buffer, 0, 0) first."""
    first = len(record.buffers)
    return _frame(
        BUFFER_SIZE,
        time=np.concatenate((np.zeros(first), record.size_time)),
        buffer=_category(np.concatenate((np.arange(first, dtype=np.int16), record.size_buffer)), record.buffers),
        size=np.concatenate((np.zeros(first, np.int64), record.size_jobs)),
        nbytes=np.concatenate((np.zeros(first, np.int64), record.size_nbytes)),
    )


def work_table(record: Recording, service: Service) -> pd.DataFrame:
    """Return the `work` table: one row per job handed to a queue. `service` gives the draws."""
    return _frame(
        WORK,
        flush_id=_position(record.work_flush),
        queue=_category(record.work_queue, record.queues),
        queued_at=record.work_queued_at,
        started_at=record.work_started_at,
        finished_at=record.work_finished_at,
        busy_time=busy_times(record, service),
        attempts=record.work_attempts,
        items=record.work_items,
        outcome=_category(record.work_outcome, WORK_OUTCOMES),
    )


Service = Callable[[int, int, int], tuple[npt.NDArray[np.float64], float]]
"""From a queue, an attempt and a number n to the first n service draws of that attempt, and the time per item."""


def busy_times(record: Recording, service: Service) -> npt.NDArray[np.float64]:
    """Return, for each work, the sum in order of the service times of its finished attempts, s."""
    busy = np.zeros(len(record.work_queue))
    most = int(record.work_finished_attempts.max(initial=0))
    for queue in range(len(record.queues) if most else 0):
        rows = np.flatnonzero(record.work_queue == queue)
        finished = record.work_finished_attempts[rows]
        for attempt in range(1, int(finished.max(initial=0)) + 1):
            places = np.flatnonzero(finished >= attempt)
            draws, per_item = service(queue, attempt, int(places[-1]) + 1)
            done = rows[places]
            # in the words of rules.service_time, for many at once
            busy[done] += draws[places] + per_item * record.work_items[done]
    return busy


def check_conservation(record: Recording) -> None:
    """Raise unless rows = passed by + flushed + buffered + in flight + lost, counted in independent ways.

    The copies that are left in a buffer must be its last recorded size, and the copies of each flush its batch size.
    """
    left = np.bincount(record.copy_buffer[_buffered(record)], minlength=len(record.buffers))
    batch = np.bincount(record.copy_flush[record.copy_flush >= 0], minlength=len(record.flush_jobs))
    for index, name in enumerate(record.buffers):
        rows = np.flatnonzero(record.size_buffer == index)
        size = int(record.size_jobs[rows[-1]]) if len(rows) else 0
        if size != left[index]:
            raise BufsimError(
                f"buffer {name!r} ends with size {size}, but {left[index]} jobs are left in it: a bug in bufsim"
            )
    if not np.array_equal(batch, record.flush_jobs):
        raise BufsimError("the batch sizes are not the numbers of jobs that the flushes took: a bug in bufsim")


def _buffered(record: Recording) -> npt.NDArray[np.bool_]:
    return (record.copy_flush < 0) & (record.copy_loss < 0) & (record.copy_buffer >= 0)


def _outcomes(record: Recording, loss: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    outcome = np.full(len(loss), _FLUSHED, np.int8)
    outcome[record.copy_buffer < 0] = _PASSED_BY
    outcome[_buffered(record)] = _BUFFERED
    open_flushes = np.isnan(record.flush_end)
    if open_flushes.any():
        inside = record.copy_flush >= 0
        inside[inside] = open_flushes[record.copy_flush[inside]]
        outcome[inside] = _IN_FLIGHT
    outcome[loss >= 0] = _LOST
    return outcome


def _fate(record: Recording) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Return each copy's finish, loss time and loss cause, with what its work has become."""
    finished_at = _at(record.work_finished_at, record.copy_work)
    lost_at, loss = record.copy_lost_at, record.copy_loss
    lost_with = _at(record.work_lost_at, record.copy_work)
    unlinked = (record.copy_work < 0) & (record.copy_flush >= 0) & (loss < 0)
    if unlinked.any() and len(record.work_flush):
        flush = record.copy_flush[unlinked]
        finished_at[unlinked] = _of_flush(record, record.work_finished_at)[flush]
        lost_with[unlinked] = _lost_of_flush(record)[flush]
    lost = ~np.isnan(lost_with)
    if lost.any():
        lost_at, loss = lost_at.copy(), loss.copy()
        lost_at[lost], loss[lost] = lost_with[lost], QUEUE
        finished_at[lost] = np.nan
    return finished_at, lost_at, loss


def _of_flush(record: Recording, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return, for each flush, the last of its works' times; NaN while one is missing, or without works."""
    last = np.full(len(record.flush_start), -np.inf)
    rows = np.flatnonzero(record.work_flush >= 0)
    # the maximum of a NaN is NaN: a flush with unfinished work has no finish
    np.maximum.at(last, record.work_flush[rows], times[rows])
    last[np.isneginf(last)] = np.nan
    return last


def _lost_of_flush(record: Recording) -> npt.NDArray[np.float64]:
    """Return, for each flush, when a work of it was lost with its queue, else NaN."""
    lost_at = np.full(len(record.flush_start), np.nan)
    rows = np.flatnonzero((record.work_outcome == LOST) & (record.work_flush >= 0))
    lost_at[record.work_flush[rows]] = record.work_lost_at[rows]
    return lost_at


def _ages(record: Recording) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return, for each flush, the wait of its oldest job and the mean wait, s."""
    if not len(record.flush_start):
        return np.empty(0), np.empty(0)
    rows = np.flatnonzero(record.copy_flush >= 0)
    flush = record.copy_flush[rows]
    if (flush[1:] < flush[:-1]).any():
        by_flush = np.argsort(flush, kind="stable")
        rows, flush = rows[by_flush], flush[by_flush]
    ages = record.flush_start[flush] - record.job_time[record.copy_job[rows]]
    first = np.concatenate(([0], np.cumsum(record.flush_jobs)[:-1]))
    empty = record.flush_jobs == 0
    oldest, total = np.full(len(first), np.nan), np.full(len(first), np.nan)
    oldest[~empty] = np.maximum.reduceat(ages, first[~empty])
    total[~empty] = np.add.reduceat(ages, first[~empty])
    return oldest, total / np.where(empty, 1, record.flush_jobs)


def _copy_numbers(job: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Return each row's number among the rows of the same job, which stand together."""
    numbers = np.zeros(len(job), np.int16)
    again = np.flatnonzero(job[1:] == job[:-1]) + 1
    for row in again:
        numbers[row] = numbers[row - 1] + 1
    return numbers


def _take(values: npt.NDArray[Generic], rows: npt.NDArray[np.int64]) -> npt.NDArray[Generic]:
    """Return values[rows]; the values themselves where the rows are all of them in order."""
    if len(rows) == len(values) and (not len(rows) or (rows[-1] == len(rows) - 1 and rows[0] == 0)):
        return values
    return values[rows]


def _at(values: npt.NDArray[np.float64], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return values[positions], and NaN where there is no position."""
    taken = np.full(len(positions), np.nan)
    known = positions >= 0
    taken[known] = values[positions[known]]
    return taken


def _position(values: npt.NDArray[np.int64]) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers with −1 as missing."""
    return pd.arrays.IntegerArray(values, values < 0)


def _category(codes: npt.NDArray[np.integer], names: Sequence[Hashable]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(names), validate=False)


def _frame(schema: tuple[Column, ...], **columns: object) -> pd.DataFrame:
    assert tuple(columns) == tuple(column.name for column in schema)
    return pd.DataFrame(columns, copy=False)
