"""What a run writes down, the same from both engines: times, counts and integer bytes, nothing else.

Every float sum is made later, by one function in `bufsim.results.records`, so that the engines cannot differ in it.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bufsim.model import rules
from bufsim.model.declaration import Declaration
from bufsim.model.flush_policy import FlushPolicy

LOSS_CAUSES = ("capacity", "buffer", "in_flight", "queue", "down", "race", "storage")
"""Why a job is lost: the buffer was full; it was in a volatile buffer, in a batch in flight, or in a volatile queue
when the server stopped; it arrived while the server was down; it arrived between read and delete; the storage
strategy did not give it back."""
CAPACITY, BUFFER, IN_FLIGHT, QUEUE, DOWN, RACE, STORAGE = range(len(LOSS_CAUSES))

WORK_OUTCOMES = ("pending", "running", "retrying", "completed", "failed", "lost")
"""What has become of a job in the queue: it waits, is in service, waits after a failure, is done, failed for good, or
was lost with the queue."""
PENDING, RUNNING, RETRYING, COMPLETED, FAILED, LOST = range(len(WORK_OUTCOMES))


def cause_names(simulation: Declaration) -> list[str]:
    """Return the names of all leaves of all policies, in the declared order: both engines number causes alike."""
    return list(dict.fromkeys(repr(leaf) for buffer in simulation.buffers for leaf in buffer.policy.leaves()))


class RowOrder(NamedTuple):
    """That copies stand in the order of their flushes, as they do in a run of one buffer that loses nothing.

    Parameters
    ----------
    taken : int
        The first so many copies were flushed, flush by flush; the others were not.
    carried : int
        The first so many have a task; the others have none, whatever `copy_work` says of them.
    """

    taken: int
    carried: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run wrote down.

    Rows stand in the order in which they were written. A copy is a job in one of the buffers that collect it (or
    outside of any: buffer −1). Positions that do not exist are −1, times that have not come NaN. The buffer-size series
    begins with a row of zeros at time 0 for each buffer. A retry is an attempt at a task after the first.

    What follows from other columns may be given where an engine has it at hand: `order`, and of each copy the start of
    its flush and the finish of its task.
    """

    job_time: np.ndarray
    job_producer: np.ndarray
    job_queue: np.ndarray
    job_key: np.ndarray
    job_nbytes: np.ndarray

    copy_job: np.ndarray
    copy_buffer: np.ndarray
    copy_flush: np.ndarray
    copy_work: np.ndarray
    copy_lost_at: np.ndarray
    copy_loss: np.ndarray

    flush_buffer: np.ndarray
    flush_start: np.ndarray
    flush_end: np.ndarray
    flush_cause: np.ndarray
    flush_jobs: np.ndarray
    flush_reduced: np.ndarray
    flush_nbytes: np.ndarray

    size_time: np.ndarray
    size_buffer: np.ndarray
    size_jobs: np.ndarray
    size_nbytes: np.ndarray

    work_flush: np.ndarray
    work_queue: np.ndarray
    work_queued_at: np.ndarray
    work_started_at: np.ndarray
    work_finished_at: np.ndarray
    work_lost_at: np.ndarray
    work_attempts: np.ndarray
    work_finished_attempts: np.ndarray
    work_items: np.ndarray
    work_outcome: np.ndarray

    retry_work: np.ndarray
    retry_number: np.ndarray
    retry_started_at: np.ndarray

    producers: Sequence[str]
    queues: Sequence[str]
    buffers: Sequence[str]
    causes: Sequence[str]
    keys: Sequence[Hashable]

    # of the buffers whose ticks depend on what leaves remember, as the run went on; the others' follow from the columns
    empty_ticks: Mapping[int, int] = field(default_factory=dict)
    order: RowOrder | None = None
    copy_flushed_at: np.ndarray | None = None
    copy_finished_at: np.ndarray | None = None


def remembers_ticks(policy: FlushPolicy, until: float) -> bool:
    """Return whether some ticks of a policy depend on what a leaf remembers: tables do not tell them."""
    return any(rule.rule in rules.REMEMBERED_TICKS for rule in policy.ticks(until))


class Recorder:
    """Grows the columns of a `Recording` while the SimPy engine runs."""

    def __init__(self, causes: Sequence[str], buffers: int) -> None:
        self.copy_job = array("q")
        self.copy_buffer = array("h")
        self.size_time = array("d")
        self.size_buffer = array("h")
        self.size_jobs = array("q")
        self.size_nbytes = array("q")
        self.flush_buffer = array("h")
        self.flush_start = array("d")
        self.flush_end = array("d")
        self.flush_cause = array("i")
        self.flush_jobs = array("q")
        self.flush_reduced = array("q")
        self.flush_nbytes = array("q")
        self.work_flush = array("q")
        self.work_queue = array("h")
        self.work_queued_at = array("d")
        self.work_started_at = array("d")
        self.work_finished_at = array("d")
        self.work_lost_at = array("d")
        self.work_attempts = array("q")
        self.work_finished_attempts = array("q")
        self.work_items = array("q")
        self.work_outcome = array("h")
        self.retry_work = array("q")
        self.retry_number = array("q")
        self.retry_started_at = array("d")
        self._columns = [name for name in vars(self) if not name.startswith("copy")]
        self._many = buffers > 1
        # what becomes of copies, as lists of rows beside what they get: the columns are made at the end
        self._flushed: list[Sequence[int]] = []
        self._carried: list[tuple[Sequence[int], Sequence[int]]] = []
        self._lost: list[tuple[Sequence[int], float, int]] = []
        self._causes = {name: number for number, name in enumerate(causes)}
        for buffer in range(buffers):
            self.size(0.0, buffer, 0, 0)

    def copy(self, job: int, buffer: int) -> int:
        """Write a job's copy in a buffer (−1: in none); return its row."""
        row = len(self.copy_job)
        self.copy_job.append(job)
        self.copy_buffer.append(buffer)
        return row

    def lose(self, rows: Sequence[int], time: float, cause: int) -> None:
        """Write that copies are lost."""
        self._lost.append((rows, time, cause))

    def carry(self, rows: Sequence[int], tasks: Sequence[int]) -> None:
        """Write which tasks carry copies."""
        self._carried.append((rows, tasks))

    def size(self, time: float, buffer: int, jobs: int, nbytes: int) -> None:
        """Write a row of the buffer-size series."""
        self.size_time.append(time)
        if self._many:
            self.size_buffer.append(buffer)
        self.size_jobs.append(jobs)
        self.size_nbytes.append(nbytes)

    def flush(self, buffer: int, start: float, cause: str, rows: Sequence[int], nbytes: int) -> int:
        """Write that a flush starts with the copies in `rows`; return its row."""
        self.flush_buffer.append(buffer)
        self.flush_start.append(start)
        self.flush_end.append(np.nan)
        self.flush_cause.append(self._causes.setdefault(cause, len(self._causes)))
        self.flush_jobs.append(len(rows))
        self.flush_reduced.append(-1)
        self.flush_nbytes.append(nbytes)
        self._flushed.append(rows)
        return len(self.flush_start) - 1

    def tasks(self, flush: int, queue: int, time: float, items: Sequence[int]) -> range:
        """Write jobs that come to a queue, with their items; return their rows."""
        first, n = len(self.work_flush), len(items)
        self.work_flush.extend(array("q", [flush]) * n)
        self.work_queue.extend(array("h", [queue]) * n)
        self.work_queued_at.extend(array("d", [time]) * n)
        missing = array("d", [np.nan]) * n
        self.work_started_at.extend(missing)
        self.work_finished_at.extend(missing)
        self.work_lost_at.extend(missing)
        none = array("q", [0]) * n
        self.work_attempts.extend(none)
        self.work_finished_attempts.extend(none)
        self.work_items.extend(array("q", items))
        self.work_outcome.extend(array("h", [PENDING]) * n)
        return range(first, first + n)

    def retry(self, task: int, number: int, time: float) -> None:
        """Write that an attempt after the first starts."""
        self.retry_work.append(task)
        self.retry_number.append(number)
        self.retry_started_at.append(time)

    def columns(self, copies: int) -> dict[str, Any]:
        """Return the columns of a `Recording` that the engine wrote, for so many copies, and the causes' names."""
        flush = np.full(copies, -1, np.int64)
        flush[_joined(self._flushed)] = np.repeat(np.arange(len(self.flush_jobs)), self.flush_jobs)
        work = np.full(copies, -1, np.int64)
        work[_joined([rows for rows, _ in self._carried])] = _joined([tasks for _, tasks in self._carried])
        lost_at = np.full(copies, np.nan)
        loss = np.full(copies, -1, np.int16)
        for rows, time, cause in self._lost:
            lost_at[list(rows)], loss[list(rows)] = time, cause
        written = {name: np.asarray(getattr(self, name)) for name in self._columns}
        if not self._many:
            # of one buffer alone it is not written
            written["size_buffer"] = np.broadcast_to(np.int16(0), (len(self.size_time),))
        return {
            **written,
            "copy_flush": flush,
            "copy_work": work,
            "copy_lost_at": lost_at,
            "copy_loss": loss,
            "causes": tuple(self._causes),
        }


def _joined(parts: list[Sequence[int]]) -> npt.NDArray[np.int64]:
    """Return the numbers of several sequences, one behind the other."""
    n = sum(map(len, parts))
    return np.fromiter(itertools.chain.from_iterable(parts), np.int64, n)
