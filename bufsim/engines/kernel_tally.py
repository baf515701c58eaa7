"""What the kernel counts of buffers while a run goes on, in the words of `bufsim.results.tallies`."""

from __future__ import annotations

from typing import Any

from bufsim.engines import bins
from bufsim.engines import kernel_levels as kl
from bufsim.engines import kernel_state as ks
from bufsim.engines.kernel_rows import bytes_of, following, job_of
from bufsim.engines.kernel_state import Floats, Jobs, Rows, Tally


def change_level(run: Any, tally: Tally, buffer: int, kind: int, now: float, delta: int) -> None:
    """Let a level of a buffer change (−1: of none), and that of all together."""
    if delta == 0:
        return
    if buffer >= 0:
        kl.change(run, tally.levels[buffer * kl.OF_BUFFER + kind], tally.seconds, now, delta)
    if run.all_buffers >= 0:
        kl.change(run, tally.levels[run.all_buffers + kind], tally.seconds, now, delta)


def count_arrival(run: Any, b: Any, further: bool, now: float) -> None:
    """Count a row whose job arrives; `further`: an earlier buffer collects the job too."""
    if now >= run.start:
        b.arrivals += 1
        if further:
            b.further_copies += 1


def count_size(run: Any, tally: Tally, b: Any, buffer: int, now: float) -> None:
    """Count a change of the buffer size."""
    size, nbytes = tally.levels[buffer * kl.OF_BUFFER + kl.SIZE], tally.levels[buffer * kl.OF_BUFFER + kl.NBYTES]
    delta = b.jobs - size.value
    if delta > 0 and now >= run.start:
        b.stored += delta
    change_level(run, tally, buffer, kl.SIZE, now, delta)
    if run.counts_bytes:
        change_level(run, tally, buffer, kl.NBYTES, now, b.held - nbytes.value)
    if run.exposes and not run.durable:
        change_level(run, tally, buffer, kl.EXPOSED, now, delta)


def count_climb(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any, first: int, last: int) -> None:
    """Count the jobs from `first` to `last` that have come into the only buffer, one by one."""
    times = jobs.time[first - run.job_first : last - run.job_first]
    seen = len(times) - bins.before(times, run.start)
    b.arrivals += seen
    b.stored += seen
    kl.climb(run, tally.levels[kl.SIZE], tally.seconds, times)
    if run.exposes and not run.durable:
        kl.climb(run, tally.levels[kl.EXPOSED], tally.seconds, times)
    if run.counts_bytes:
        nbytes = tally.levels[kl.NBYTES]
        for job in range(first, last):
            kl.change(run, nbytes, tally.seconds, times[job - first], bytes_of(run, jobs, job))
    if run.marks_rows:
        for row in range(first, last):
            rows.small[ks.ROW_GONE, row - run.row_first] = 0


def count_loss(run: Any, tally: Tally, lost_first: int, passed: bool, rows: int, now: float, cause: int) -> None:
    """Count rows that are lost; `passed`: of jobs that no buffer collects."""
    run.lost += rows
    if passed:
        run.passed_lost += rows
    if now >= run.start:
        tally.counts[lost_first + cause] += rows


def count_flush(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any, buffer: int, cause: int, now: float) -> None:
    """Count a flush that starts."""
    change_level(run, tally, buffer, kl.IN_FLIGHT, now, b.batch_jobs)
    change_level(run, tally, buffer, kl.IN_FLIGHT_NBYTES, now, b.batch_held)
    if run.exposes:
        change_level(run, tally, buffer, kl.EXPOSED, now, b.batch_jobs)
    if run.keeps_taken:
        keep_taken(run, tally, jobs, rows, b)
    if now < run.start:
        return
    b.started += 1
    b.batch_sum += b.batch_jobs
    b.batch_squares += b.batch_jobs * b.batch_jobs
    b.largest_batch = max(b.largest_batch, b.batch_jobs)
    b.batch_nbytes += b.batch_held
    b.largest_nbytes = max(b.largest_nbytes, b.batch_held)
    tally.counts[b.causes_first + cause] += 1
    tally.counts[b.batches_first + bins.of_size(b.batch_jobs)] += 1
    count_waits(run, tally, jobs, rows, b, buffer, now)


def count_waits(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any, buffer: int, now: float) -> None:
    """Count the waits of a batch."""
    sample = tally.samples[buffer]
    if run.contiguous:
        first = b.batch_head - run.job_first
        kl.observe_waits(sample, tally.counts, now, jobs.time[first : first + b.batch_jobs])
        return
    row = b.batch_head
    for _ in range(b.batch_jobs):
        kl.observe(sample, tally.counts, now - jobs.time[job_of(run, rows, row) - run.job_first])
        row = following(run, rows, row)


def keep_taken(run: Any, tally: Tally, jobs: Jobs, rows: Rows, b: Any) -> None:
    """Keep the arrival times of a batch."""
    row = b.batch_head
    for i in range(run.taken, run.taken + b.batch_jobs):
        tally.taken[i] = jobs.time[job_of(run, rows, row) - run.job_first]
        row = following(run, rows, row)
    run.taken += b.batch_jobs


def count_landing(run: Any, tally: Tally, b: Any, buffer: int, now: float) -> None:
    """Count that a batch is no longer in flight."""
    change_level(run, tally, buffer, kl.IN_FLIGHT, now, -b.batch_jobs)
    change_level(run, tally, buffer, kl.IN_FLIGHT_NBYTES, now, -b.batch_held)
    if run.exposes:
        change_level(run, tally, buffer, kl.EXPOSED, now, -b.batch_jobs)


def count_end(run: Any, b: Any, reduced: int, now: float) -> None:
    """Count a flush that ends."""
    run.landed += b.batch_jobs
    if b.last_flush_start < run.start:
        return
    b.ended += 1
    b.ended_jobs += b.batch_jobs
    b.reduced_jobs += reduced
    b.largest_reduced = max(b.largest_reduced, reduced)
    b.flush_time += now - b.last_flush_start
    b.longest_flush = max(b.longest_flush, now - b.last_flush_start)


def settle_all(run: Any, levels: Any, seconds: Floats) -> None:
    """Count the time up to the end of the run in every level."""
    for i in range(len(levels)):
        kl.settle(run, levels[i], seconds, run.until)
