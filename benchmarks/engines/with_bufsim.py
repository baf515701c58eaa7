"""bufsim, the whole product: draws, run and tables."""

from __future__ import annotations

import numpy as np

from benchmarks.engines import Run
from benchmarks.outcome import Outcome, Totals
from benchmarks.simulations import BUFFER, SEED, simulation
from benchmarks.works import Work
from bufsim import Result
from bufsim.results.tallies import BufferTally


def prepare_simpy(work: Work, n: int) -> Run:
    return _tables(work, n, "simpy")


def prepare_compiled(work: Work, n: int) -> Run:
    return _tables(work, n, "compiled")


def prepare_summary(work: Work, n: int) -> Run:
    declared = simulation(work, n)

    def run():
        result = declared.run(seed=SEED, engine="compiled", record="summary")
        tally = result.tally.buffers[BUFFER]
        return lambda: totals(tally)

    return run


def _tables(work: Work, n: int, engine: str) -> Run:
    declared = simulation(work, n)

    def run():
        result = declared.run(seed=SEED, engine=engine)
        assert all(frame is not None for frame in (result.jobs, result.flushes, result.buffer_size, result.work))
        return lambda: outcome(work, result)

    return run


def outcome(work: Work, result: Result) -> Outcome:
    """Return what a result's tables say."""
    jobs = result.jobs
    waits = (jobs.flushed_at - jobs.created_at).to_numpy()
    finishes = result.work.finished_at.to_numpy()
    return Outcome(
        # the first row stands at 0, before any change
        result.buffer_size.time.to_numpy()[1:],
        result.buffer_size["size"].to_numpy()[1:],
        result.flushes.batch_size.to_numpy(),
        waits[~np.isnan(waits)],
        result.flushes.reduced_size.to_numpy(np.float64) if work.keyed else (),
        np.sort(finishes[~np.isnan(finishes)]) if work.served else (),
    )


def totals(tally: BufferTally) -> Totals:
    """Return what a summary says."""
    return Totals(
        flushes=tally.flushes,
        jobs=tally.batch_jobs,
        squares=tally.batch_squares,
        largest=tally.largest_batch,
        wait=tally.waits.total,
        left=tally.left,
    )
