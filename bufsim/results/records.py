"""The tables of a run, made from what an engine wrote down, and the law that every run must keep."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import memory
from bufsim.engines.recording import LOSS_CAUSES, WORK_OUTCOMES, Recording
from bufsim.errors import BufsimError
from bufsim.results.copies import OUTCOMES, Copies, Floats, Positions, distinct, is_one_value, missing, one_value
from bufsim.results.schemas import BUFFER_SIZE, FLUSHES, JOBS, WORK, Column

Service = Callable[[int, int, int], tuple[Floats, float]]
"""From a queue, an attempt and a number n to the first n service draws of that attempt, and the time per item."""
_BLOCK = 2**15
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
        """One row per job handed to a queue, in that order."""
        record = self.record
        # only the work of a job that passed by has no flush
        none = np.zeros(1, np.bool_)
        passed_by = (distinct(record.copy_buffer) < 0).any()
        without_flush = missing(record.work_flush) if passed_by else one_value(none, len(record.work_flush))
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
    def busy_times(self) -> Floats:
        """The sum, in order, of the service times of each work's finished attempts, s."""
        return busy_times(self.record, self._service)


def busy_times(record: Recording, service: Service) -> Floats:
    """Return, for each work, the sum in order of the service times of its finished attempts, s."""
    if not distinct(record.work_finished_attempts).any():
        return one_value(np.zeros(1), len(record.work_queue))
    if len(record.queues) == 1:
        return _busy_times(record.work_finished_attempts, record.work_items, partial(service, 0))
    busy = memory.empty(len(record.work_queue))
    for queue in range(len(record.queues)):
        works = np.flatnonzero(record.work_queue == queue)
        finished, items = record.work_finished_attempts[works], record.work_items[works]
        busy[works] = _busy_times(finished, items, partial(service, queue))
    return busy


def _busy_times(
    finished: npt.NDArray[np.integer], items: npt.NDArray[np.int64], service: Callable[[int, int], tuple[Floats, float]]
) -> Floats:
    """Return the busy times of a queue's works, from how many of their attempts are finished."""
    most = int(finished.max(initial=0))
    if most == 0:
        return np.zeros(len(finished))
    times = _service_times(1, finished, items, service)
    for attempt in range(2, most + 1):
        times += _service_times(attempt, finished, items, service)
    return times


def _service_times(
    attempt: int,
    finished: npt.NDArray[np.integer],
    items: npt.NDArray[np.int64],
    service: Callable[[int, int], tuple[Floats, float]],
) -> Floats:
    """Return the service times of the works that have finished an attempt, by rules.service_time; 0 for the others."""
    done = finished >= attempt
    n = len(done) - int(done[::-1].argmax())
    draws, per_item = service(attempt, n)
    times = memory.empty(len(done))
    times[:n] = draws[:n] if per_item == 0.0 else draws[:n] + per_item * items[:n]
    times[~done] = 0.0
    return times


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
        cause=_category(columns["flush_cause"], names["causes"]),
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
        high = max(low + 1, int(np.searchsorted(firsts, firsts[low] + _BLOCK)))
        begin = firsts[low]
        end = firsts[high] if high < len(firsts) else len(created_at)
        np.add.reduceat(flushed_at[begin:end] - created_at[begin:end], firsts[low:high] - begin, out=sums[low:high])
        low = high
    return sums


def check_conservation(copies: Copies) -> None:
    """Raise unless rows = passed by + flushed + buffered + in flight + lost, counted in independent ways.

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
