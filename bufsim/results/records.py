"""The tables of a run: their columns, declared once; what became of each job; and how both are made of a recording."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import memory
from bufsim.engines.recording import LOSS_CAUSES, LOST, QUEUE, WORK_OUTCOMES, Recording
from bufsim.errors import BufsimError
from bufsim.results import services
from bufsim.results.columns import Generic, Positions, at, distinct, is_one_value, missing, one_value
from bufsim.results.measures import Floats
from bufsim.results.services import Attempts, Service

TableName = Literal["jobs", "flushes", "buffer_size", "work", "attempts"]


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
    Column("work_id", "Int64", "", "row of the task that carries it, in `work`; missing if none is known to"),
    Column("finished_at", "float64", "s", "the finish of that task, or without one of its flush's last task"),
    Column("outcome", "category", "", "bypassed, flushed, buffered, in_flight, or lost"),
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
    Column("flush_id", "Int64", "", "row of its flush, in `flushes`; missing for a job that bypassed the buffers"),
    Column("queue", "category", "", "its job queue"),
    Column("queued_at", "float64", "s", "when it came to the queue"),
    Column("started_at", "float64", "s", "start of the first attempt"),
    Column("finished_at", "float64", "s", "when it was completed or failed for good"),
    Column("busy_time", "float64", "s", "service times of the finished attempts, summed"),
    Column("attempts", "int64", "", "attempts started"),
    Column("items", "int64", "", "items that it carries"),
    Column("outcome", "category", "", "pending, running, retrying, completed, failed, or lost"),
)
ATTEMPTS = (
    Column("work_id", "int64", "", "row of its task, in `work`"),
    Column("attempt", "int64", "", "number of the attempt among those of its task, from 1 on"),
    Column("started_at", "float64", "s", "when a worker began it"),
    Column("ended_at", "float64", "s", "when it left the worker; missing if it still runs"),
    Column("outcome", "category", "", "running, completed, failed, or lost"),
)
SCHEMAS: Mapping[TableName, tuple[Column, ...]] = {
    "jobs": JOBS,
    "flushes": FLUSHES,
    "buffer_size": BUFFER_SIZE,
    "work": WORK,
    "attempts": ATTEMPTS,
}


def schema() -> pd.DataFrame:
    """Return the columns of all tables, a row each: table, column, dtype, unit, meaning.

    Examples
    --------
    >>> schema().query("table == 'buffer_size'").column.tolist()
    ['time', 'buffer', 'size', 'nbytes']
    """
    rows = [
        (table, column.name, column.dtype, column.unit, column.meaning)
        for table, columns in SCHEMAS.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "dtype", "unit", "meaning"])


OUTCOMES = ("bypassed", "flushed", "buffered", "in_flight", "lost")
"""The ends that a job can have come to: no buffer collects it; it came out of a flush; it is still in the
buffer; it is in a flush that has not ended; it was lost."""
BYPASSED, FLUSHED, BUFFERED, IN_FLIGHT, GONE = range(len(OUTCOMES))


class Fates(NamedTuple):
    """Each copy's finish, s, the time of its loss, s, and its cause (−1: not lost)."""

    finished_at: Floats
    lost_at: Floats
    loss: npt.NDArray[np.int8]


class Copies:
    """The rows of `jobs`, a job in one of its buffers each, and what became of them.

    A column that is the same in all rows may be one value with stride 0, in a recording and here.
    """

    def __init__(self, record: Recording) -> None:
        self.record = record

    def __len__(self) -> int:
        return len(self.record.copy_job)

    def of_job(self, column: npt.NDArray[Generic]) -> npt.NDArray[Generic]:
        """Return a column of the jobs for each copy; the column itself where the copies are the jobs."""
        rows = self.record.copy_job
        if len(rows) == len(column) and (not len(rows) or (rows[0] == 0 and rows[-1] == len(rows) - 1)):
            # rows are in the order of jobs, at least one for each: as many rows as jobs are the jobs
            return column
        return one_value(column, len(rows)) if is_one_value(column) else column[rows]

    @cached_property
    def created_at(self) -> Floats:
        """Each copy's arrival, s."""
        return self.of_job(self.record.job_time)

    @cached_property
    def flushed_at(self) -> Floats:
        """The start of each copy's flush, s; NaN without one."""
        record = self.record
        if record.copy_flushed_at is not None:
            return record.copy_flushed_at
        if isinstance(self.by_flush, slice):
            return np.repeat(np.append(record.flush_start, np.nan), np.append(record.flush_jobs, len(self.unflushed)))
        return at(record.flush_start, record.copy_flush)

    @cached_property
    def without_flush(self) -> npt.NDArray[np.bool_]:
        """The mask of the rows that no flush took."""
        order = self.record.order
        return missing(self.record.copy_flush) if order is None else _from(order.taken, len(self))

    @cached_property
    def without_work(self) -> npt.NDArray[np.bool_]:
        """The mask of the rows that no task is known to carry."""
        order = self.record.order
        if order is None:
            return missing(self.record.copy_work)
        return self.without_flush if order.carried == order.taken else _from(order.carried, len(self))

    @cached_property
    def unflushed(self) -> Positions:
        """The rows that no flush took."""
        if self.record.order is not None:
            return np.arange(self.record.order.taken, len(self))
        return np.flatnonzero(self.without_flush)

    @cached_property
    def buffered(self) -> Positions:
        """The rows that are still in a buffer."""
        rows, record = self.unflushed, self.record
        return rows[(record.copy_loss[rows] < 0) & (record.copy_buffer[rows] >= 0)]

    @cached_property
    def by_flush(self) -> Positions | slice:
        """The rows that flushes took, flush by flush; a slice where they stand so."""
        if self.record.order is not None:
            return slice(0, self.record.order.taken)
        flush = self.record.copy_flush
        taken = len(flush) - len(self.unflushed)
        first = flush[:taken]
        if not (first[1:] < first[:-1]).any() and (taken == len(flush) or self.unflushed[0] == taken):
            return slice(0, taken)
        rows = np.flatnonzero(flush >= 0)
        return rows[np.argsort(flush[rows], kind="stable")]

    @cached_property
    def numbers(self) -> npt.NDArray[np.int16]:
        """Each row's number among the rows of the same job, which stand together."""
        job = self.record.copy_job
        if len(job) == len(self.record.job_time):
            return one_value(np.zeros(1, np.int16), len(job))
        first = np.ones(len(job), np.bool_)
        first[1:] = job[1:] != job[:-1]
        row = np.arange(len(job))
        return (row - np.maximum.accumulate(np.where(first, row, 0))).astype(np.int16)

    @cached_property
    def outcome(self) -> npt.NDArray[np.int8]:
        """Each copy's outcome, as a position in `OUTCOMES`."""
        record = self.record
        outcome: npt.NDArray[np.int8] = memory.empty(len(self), np.int8)
        outcome[:] = FLUSHED
        outcome[self.unflushed] = np.where(record.copy_buffer[self.unflushed] < 0, BYPASSED, BUFFERED)
        open_flushes = np.isnan(record.flush_end)
        if open_flushes.any():
            inside = record.copy_flush >= 0
            inside[inside] = open_flushes[record.copy_flush[inside]]
            outcome[inside] = IN_FLIGHT
        outcome[self.lost] = GONE
        return outcome

    @cached_property
    def lost(self) -> Positions:
        """The rows that are lost."""
        loss = self.fates.loss
        if (distinct(loss) < 0).all():
            return np.empty(0, np.intp)
        return np.flatnonzero(loss >= 0)

    @cached_property
    def unlinked(self) -> Positions:
        """The rows that came out of a flush without a known task."""
        record = self.record
        if record.order is not None:
            return np.empty(0, np.intp)
        rows = np.flatnonzero((record.copy_work < 0) & (record.copy_flush >= 0))
        ended: npt.NDArray[np.bool_] = ~np.isnan(record.flush_end[record.copy_flush[rows]])
        return rows[ended]

    @cached_property
    def fates(self) -> Fates:
        """The fate of each copy with its task; of one without a known task, with all tasks of its flush.

        Then it is finished when the last of them is, and lost when one of them is.
        """
        record = self.record
        finished_at, lost_at, loss = self._finished_at(), record.copy_lost_at, record.copy_loss
        if not (distinct(record.work_outcome) == LOST).any():
            return Fates(finished_at, lost_at, loss)
        lost_with = at(record.work_lost_at, record.copy_work)
        if len(self.unlinked):
            lost_with[self.unlinked] = self._lost_of_flush()[record.copy_flush[self.unlinked]]
        lost = ~np.isnan(lost_with)
        finished_at, lost_at, loss = finished_at.copy(), lost_at.copy(), loss.copy()
        finished_at[lost], lost_at[lost], loss[lost] = np.nan, lost_with[lost], QUEUE
        return Fates(finished_at, lost_at, loss)

    def _finished_at(self) -> Floats:
        record = self.record
        if record.copy_finished_at is not None:
            return record.copy_finished_at
        if np.isnan(distinct(record.work_finished_at)).all():
            return one_value(np.full(1, np.nan), len(self))
        finished_at = at(record.work_finished_at, record.copy_work)
        if len(self.unlinked):
            finished_at[self.unlinked] = self.last_of_flush()[record.copy_flush[self.unlinked]]
        return finished_at

    def last_of_flush(self, counted: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Return, for each flush, the finish of its last task; NaN while one is unfinished, or without tasks.

        Parameters
        ----------
        counted : array of bool, optional
            Which tasks count; None: all.
        """
        record = self.record
        last = np.full(len(record.flush_start), -np.inf)
        is_of_flush = record.work_flush >= 0
        rows = np.flatnonzero(is_of_flush if counted is None else is_of_flush & counted)
        finished_at = record.work_finished_at[rows]
        # an unfinished task ends last of all; a NaN would do as well, but numpy may warn of one in a maximum
        np.maximum.at(last, record.work_flush[rows], np.where(np.isnan(finished_at), np.inf, finished_at))
        last[np.isinf(last)] = np.nan
        return last

    def _lost_of_flush(self) -> Floats:
        """Return, for each flush, when a task of it was lost with its queue, else NaN."""
        record = self.record
        lost_at = np.full(len(record.flush_start), np.nan)
        rows = np.flatnonzero((record.work_outcome == LOST) & (record.work_flush >= 0))
        lost_at[record.work_flush[rows]] = record.work_lost_at[rows]
        return lost_at


def _from(first: int, n: int) -> npt.NDArray[np.bool_]:
    """Return n times False, but True from `first` on."""
    mask: npt.NDArray[np.bool_] = memory.empty(n, np.bool_)
    mask[:first] = False
    mask[first:] = True
    return mask


BLOCK = 2**15
_FEW = 64


class Tables:
    """The tables of one run, each made at its first use, as far as possible without copying.

    Parameters
    ----------
    record : Recording
        What an engine wrote down.
    service : callable
        Gives the service draws, from which the busy times are summed.

    Notes
    -----
    The columns share memory with the recording and with one another, and those that are the same in all rows may be
    read-only: work on a copy.
    """

    def __init__(self, record: Recording, service: Service) -> None:
        self.record = record
        self.copies = Copies(record)
        self._service = service

    @cached_property
    def jobs(self) -> pd.DataFrame:
        """One row per job and collecting buffer; one row, buffer missing, if none collects it."""
        record, copies = self.record, self.copies
        of_job = copies.of_job
        return _frame(
            JOBS,
            job_id=record.copy_job,
            copy=copies.numbers,
            producer=_category(of_job(record.job_producer), record.producers),
            queue=_category(of_job(record.job_queue), record.queues),
            buffer=_category(record.copy_buffer, record.buffers),
            key=_category(of_job(record.job_key), record.keys),
            nbytes=of_job(record.job_nbytes),
            created_at=copies.created_at,
            flush_id=_position(record.copy_flush, copies.without_flush),
            flushed_at=copies.flushed_at,
            work_id=_position(record.copy_work, copies.without_work),
            finished_at=copies.fates.finished_at,
            outcome=_category(copies.outcome, OUTCOMES),
            lost_at=copies.fates.lost_at,
            loss_cause=_category(copies.fates.loss, LOSS_CAUSES),
        )

    @cached_property
    def flushes(self) -> pd.DataFrame:
        """One row per flush, in the order of their starts."""
        record = self.record
        columns = {
            field.name: getattr(record, field.name) for field in fields(record) if field.name.startswith("flush_")
        }
        names = {"buffers": record.buffers, "causes": record.causes}
        return flush_table(columns, names, *ages(self.copies))

    @cached_property
    def buffer_size(self) -> pd.DataFrame:
        """The exact step function of each buffer: a row per change, (0, buffer, 0, 0) first."""
        record = self.record
        return _frame(
            BUFFER_SIZE,
            time=record.size_time,
            buffer=_category(record.size_buffer, record.buffers),
            size=record.size_jobs,
            nbytes=record.size_nbytes,
        )

    @cached_property
    def work(self) -> pd.DataFrame:
        """One row per task: a job that came to a queue, in that order."""
        record = self.record
        # only the task of a job that bypassed the buffers has no flush
        none = np.zeros(1, np.bool_)
        bypassed = (distinct(record.copy_buffer) < 0).any()
        without_flush = missing(record.work_flush) if bypassed else one_value(none, len(record.work_flush))
        return _frame(
            WORK,
            flush_id=_position(record.work_flush, without_flush),
            queue=_category(record.work_queue, record.queues),
            queued_at=record.work_queued_at,
            started_at=record.work_started_at,
            finished_at=record.work_finished_at,
            busy_time=self.busy_times,
            attempts=record.work_attempts,
            items=record.work_items,
            outcome=_category(record.work_outcome, WORK_OUTCOMES),
        )

    @cached_property
    def attempts(self) -> pd.DataFrame:
        """One row per attempt that has started, task by task."""
        started = self.started_attempts
        return _frame(
            ATTEMPTS,
            work_id=started.work,
            attempt=started.number,
            started_at=started.started_at,
            ended_at=started.ended_at,
            outcome=_category(started.outcome, services.ATTEMPT_OUTCOMES),
        )

    @cached_property
    def started_attempts(self) -> Attempts:
        """The attempts that have started."""
        return services.attempts(self.record, self._service)

    @cached_property
    def busy_times(self) -> Floats:
        """The sum, in order, of the service times of each task's finished attempts, s."""
        return services.busy_times(self.record, self._service)


def flush_table(
    columns: Mapping[str, npt.NDArray[Any]], names: Mapping[str, Sequence[str]], oldest_age: Floats, mean_age: Floats
) -> pd.DataFrame:
    """Return the table of flushes, from their columns as in a `Recording` and the names of buffers and causes."""
    reduced = columns["flush_reduced"]
    return _frame(
        FLUSHES,
        buffer=_category(columns["flush_buffer"], names["buffers"]),
        start=columns["flush_start"],
        end=columns["flush_end"],
        cause=_occurring(columns["flush_cause"], names["causes"]),
        batch_size=columns["flush_jobs"],
        reduced_size=_position(reduced, missing(reduced)),
        nbytes=columns["flush_nbytes"],
        oldest_age=oldest_age,
        mean_age=mean_age,
    )


def ages(copies: Copies) -> tuple[Floats, Floats]:
    """Return, for each flush, the wait of its oldest job and the mean wait, s; NaN for a flush without jobs."""
    sizes = copies.record.flush_jobs
    oldest, mean = np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    some = np.flatnonzero(sizes)
    if len(some):
        taken = copies.by_flush
        oldest[some], mean[some] = ages_of(sizes[some], copies.flushed_at[taken], copies.created_at[taken])
    return oldest, mean


def ages_of(sizes: npt.NDArray[np.int64], flushed_at: Floats, created_at: Floats) -> tuple[Floats, Floats]:
    """Return the wait of the oldest job and the mean wait of flushes with jobs, s; the jobs stand flush by flush."""
    # those of a flush stand in the order of arrival
    first = np.cumsum(sizes) - sizes
    return flushed_at[first] - created_at[first], _sums_of_waits(first, flushed_at, created_at) / sizes


def _sums_of_waits(firsts: Positions, flushed_at: Floats, created_at: Floats) -> Floats:
    """Return the sum over each flush's jobs of their waits; the first jobs of the flushes stand at `firsts`."""
    sums = np.empty(len(firsts))
    low = 0
    while low < len(firsts):
        # so many flushes at once that the waits stay in the processor's cache
        high = max(low + 1, int(np.searchsorted(firsts, firsts[low] + BLOCK)))
        begin = firsts[low]
        end = firsts[high] if high < len(firsts) else len(created_at)
        np.add.reduceat(flushed_at[begin:end] - created_at[begin:end], firsts[low:high] - begin, out=sums[low:high])
        low = high
    return sums


def check_conservation(copies: Copies) -> None:
    """Raise unless rows = bypassed + flushed + buffered + in flight + lost, counted in independent ways.

    The rows that are left in a buffer must be its last recorded size, and the rows of each flush its batch size.
    """
    record = copies.record
    left = np.bincount(record.copy_buffer[copies.buffered], minlength=len(record.buffers))
    for index, name in enumerate(record.buffers):
        size = last_size(record, index)
        if size != left[index]:
            raise BufsimError(
                f"buffer {name!r} ends with size {size}, but {left[index]} jobs are left in it: a bug in bufsim"
            )
    flush = record.copy_flush[copies.by_flush]
    some = np.flatnonzero(record.flush_jobs)
    ends = np.cumsum(record.flush_jobs)[some]
    firsts = ends - record.flush_jobs[some]
    total = ends[-1] if len(some) else 0
    # the rows are in order of their flushes: those of a flush are all its own if the first and the last are
    if total != len(flush) or (flush[firsts] != some).any() or (flush[ends - 1] != some).any():
        raise BufsimError("the batch sizes are not the numbers of jobs that the flushes took: a bug in bufsim")


def last_size(record: Recording, buffer: int) -> int:
    """Return the last recorded size of a buffer."""
    if len(record.buffers) == 1:
        return int(record.size_jobs[-1]) if len(record.size_jobs) else 0
    rows = np.flatnonzero(record.size_buffer == buffer)
    return int(record.size_jobs[rows[-1]]) if len(rows) else 0


def _position(values: npt.NDArray[np.int64], without: npt.NDArray[np.bool_]) -> pd.api.extensions.ExtensionArray:
    """Return whole numbers, and where there are none."""
    return pd.arrays.IntegerArray(values, without)


def _category(codes: npt.NDArray[np.integer], names: Sequence[Hashable]) -> pd.Categorical[Any]:
    """Return names by their codes, −1 as missing."""
    if is_one_value(codes):
        # pandas keeps the codes of few names in one byte, and would copy wider ones
        codes = one_value(codes[:1].astype(np.min_scalar_type(-max(len(names), 2))), len(codes))
    return pd.Categorical.from_codes(codes, dtype=_categories(names), validate=False)


def _occurring(codes: npt.NDArray[np.integer], names: Sequence[str]) -> pd.Categorical[Any]:
    """Return names by their codes, and as categories those that occur, in the order of their texts.

    So the column says nothing but its values: however a policy is spelled, equal tables compare equal.
    """
    used = sorted(np.unique(codes).tolist(), key=names.__getitem__)
    place = np.zeros(len(names), np.int64)
    place[used] = np.arange(len(used))
    return _category(place[codes], [names[code] for code in used])


def _categories(names: Sequence[Hashable]) -> pd.CategoricalDtype:
    """Return the categories with these names: made once where that is cheap, since short runs have many of them."""
    if isinstance(names, range) and names:
        return _numbered(names)
    if len(names) <= _FEW and all(isinstance(name, str) for name in names):
        return _named(tuple(names))
    return pd.CategoricalDtype(list(names))


@lru_cache(maxsize=4)
def _numbered(names: range) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(np.asarray(names)))


@lru_cache(maxsize=256)
def _named(names: tuple[str, ...]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(list(names))


def _frame(schema: tuple[Column, ...], **columns: object) -> pd.DataFrame:
    assert tuple(columns) == tuple(column.name for column in schema)
    return pd.DataFrame(columns, copy=False)
