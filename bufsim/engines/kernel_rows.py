"""Where jobs, rows and works stand in their windows, and what is known of them."""

from __future__ import annotations

from typing import Any

from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_state import Jobs, Rows, Works


def job_of(run: Any, rows: Rows, row: int) -> int:
    """Return the job of a row."""
    return row if run.single else rows.whole[ks.ROW_JOB, row - run.row_first]


def following(run: Any, rows: Rows, row: int) -> int:
    """Return the row after `row` in the same buffer."""
    return row + 1 if run.contiguous else rows.whole[ks.ROW_NEXT, row - run.row_first]


def queue_of(run: Any, jobs: Jobs, job: int) -> int:
    """Return the queue of a job."""
    return jobs.queue[(job - run.job_first) & run.queue_mask]


def key_of(run: Any, jobs: Jobs, job: int) -> int:
    """Return the key of a job, −1 for none."""
    return jobs.key[(job - run.job_first) & run.key_mask]


def bytes_of(run: Any, jobs: Jobs, job: int) -> int:
    """Return the bytes of a job."""
    return jobs.nbytes[(job - run.job_first) & run.nbytes_mask]


def queue_of_work(run: Any, jobs: Jobs, works: Works, work: int) -> int:
    """Return the queue of a work."""
    if run.straight:
        return queue_of(run, jobs, work)
    return works.small[ks.WORK_QUEUE, work - run.work_first]


def items_of(run: Any, works: Works, work: int) -> int:
    """Return the items that a work carries."""
    return works.whole[ks.WORK_ITEMS, work - run.work_first] if run.counts_items else 1
