"""The arrays in which the kernel counts, and where everything stands in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import bins
from bufsim.engines import kernel_levels as kl
from bufsim.engines import kernel_state as ks
from bufsim.engines.lowering import Lowered
from bufsim.engines.recording import LOSS_CAUSES


def no_tally() -> ks.Tally:
    """Return the arrays of a run that counts nothing."""
    return ks.Tally(_records(kl.LEVEL, 0), _records(kl.SAMPLE, 0), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def new_tally(lowered: Lowered, causes: int) -> ks.Tally:
    """Return the arrays of a run that counts, for so many causes of flushes; tell buffers and run what stands where."""
    levels, seconds = _levels(lowered)
    samples, counts = _counts(lowered, causes)
    return ks.Tally(levels, samples, np.zeros(counts, np.int64), np.zeros(seconds), np.zeros(0))


def _levels(lowered: Lowered) -> tuple[ks.Records, int]:
    """Return the levels, and how many numbers of seconds they need."""
    run, buffers, queues = lowered.run[0], len(lowered.buffers), len(lowered.queues)
    # jobs that pass by a volatile queue can be lost, and are in no buffer
    passing = bool((lowered.queues.collectors_first == lowered.queues.collectors_last).any())
    apart = buffers > 1 or (passing and not run.durable_queue)
    of_buffers = (buffers + apart) * kl.OF_BUFFER
    of_queues = (queues + (queues > 1)) * kl.OF_QUEUE
    run.all_buffers = buffers * kl.OF_BUFFER if apart else -1
    run.queue_levels = of_buffers
    run.all_queues = of_buffers + queues * kl.OF_QUEUE if queues > 1 else -1
    # of one queue, those that are unfinished where there are workers are all, or none
    alone = queues == 1 and lowered.queues[0].workers != ks.NO_WORKERS
    run.served_level = of_buffers + kl.UNFINISHED if alone else of_buffers + of_queues
    levels = _records(kl.LEVEL, of_buffers + of_queues + 1)
    levels.series = -1
    end = 0
    for kind in (kl.SIZE, kl.EXPOSED):
        for level in levels[kind : of_buffers : kl.OF_BUFFER]:
            end = _spread(level, end)
    for level in (levels[max(int(run.all_buffers), 0) + kl.SIZE], levels[run.served_level]):
        level.series, level.edge = end, 1
        end += bins.SERIES + 1
    for level in levels:
        level.warm = run.start == 0.0
        level.mark = kl.next_mark(run, level)
    return levels, end


def _spread(level: Any, first: int) -> int:
    """Give a level room for the time at each value; return where it ends."""
    level.spread, level.exact, level.bins = True, first, first + kl.EXACT
    return first + kl.EXACT + bins.SIZES.last + 1


def _counts(lowered: Lowered, causes: int) -> tuple[ks.Records, int]:
    """Return the samples, and how many counts they and the buffers need."""
    end = len(LOSS_CAUSES)
    for buffer in lowered.buffers:
        buffer.lost_first, end = end, end + len(LOSS_CAUSES)
        buffer.causes_first, end = end, end + causes
        buffer.batches_first, end = end, end + bins.SIZES.last + 1
    run, buffers = lowered.run[0], len(lowered.buffers)
    run.queue_samples = buffers
    samples = _records(kl.SAMPLE, buffers + 2 * len(lowered.queues))
    samples.bins = end + np.arange(len(samples)) * (bins.TIMES.last + 1)
    return samples, end + len(samples) * (bins.TIMES.last + 1)


def _records(dtype: np.dtype[Any], n: int) -> ks.Records:
    return np.zeros(n, dtype).view(np.recarray)
