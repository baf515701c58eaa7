"""The arrays in which the kernel counts, and where everything stands in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bufsim.engines import bins
from bufsim.engines import kernel_levels as kl
from bufsim.engines import kernel_state as ks
from bufsim.engines.lowering import Lowered, rows_of_a_job
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.model import rules


def no_tally() -> ks.Tally:
    """Return the arrays of a run that counts nothing."""
    return ks.Tally(np.zeros(0, kl.LEVEL), np.zeros(0, kl.SAMPLE), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def new_tally(lowered: Lowered, causes: int) -> ks.Tally:
    """Return the arrays of a run that counts, for so many causes of flushes; tell buffers and run what stands where."""
    levels, seconds = _levels(lowered)
    samples, counts = _counts(lowered, causes)
    return ks.Tally(levels, samples, np.zeros(counts, np.int64), np.zeros(seconds), np.zeros(0))


def _levels(lowered: Lowered) -> tuple[ks.Records, int]:
    """Return the levels, and how many numbers of seconds they need."""
    run, buffers, queues = lowered.run[0], len(lowered.buffers), len(lowered.queues)
    # jobs that pass by a volatile queue can be lost, and are in no buffer
    apart = buffers > 1 or (not run["durable_queue"] and bool((rows_of_a_job(lowered.queues) == 0).any()))
    of_buffers = (buffers + apart) * kl.OF_BUFFER
    of_queues = (queues + (queues > 1)) * kl.OF_QUEUE
    run["all_buffers"] = buffers * kl.OF_BUFFER if apart else -1
    run["queue_levels"] = of_buffers
    run["all_queues"] = of_buffers + queues * kl.OF_QUEUE if queues > 1 else -1
    # of one queue, those that are unfinished where there are workers are all, or none
    alone = queues == 1 and lowered.queues[0]["workers"] != ks.NO_WORKERS
    run["served_level"] = of_buffers + kl.UNFINISHED if alone else of_buffers + of_queues
    levels = np.zeros(of_buffers + of_queues + 1, kl.LEVEL)
    end = _give_room(run, levels, of_buffers)
    levels["warm"] = run["start"] == 0.0
    series = levels["series"] >= 0
    levels["mark"] = rules.INF if run["start"] == 0.0 else run["start"]
    levels["mark"][series] = np.minimum(levels["mark"][series], run["until"] / bins.SERIES)
    if run["in_order"]:
        # its levels do not change step by step
        of_queue = slice(of_buffers, of_buffers + kl.OF_QUEUE)
        lowered.queues["mark"] = levels["mark"][of_buffers + kl.UNFINISHED]
        levels["mark"][of_queue] = rules.INF
    return levels, end


def _give_room(run: Any, levels: ks.Records, of_buffers: int) -> int:
    """Tell levels where the times at each value, and the series, stand; return where they end."""
    spread = [index for kind in (kl.SIZE, kl.EXPOSED) for index in range(kind, of_buffers, kl.OF_BUFFER)]
    room = kl.EXACT + bins.SIZES.last + 1
    levels["spread"][spread] = True
    levels["exact"][spread] = np.arange(len(spread)) * room
    levels["bins"][spread] = np.arange(len(spread)) * room + kl.EXACT
    kept = [max(int(run["all_buffers"]), 0) + kl.SIZE, int(run["served_level"])]
    levels["series"] = -1
    levels["series"][kept] = len(spread) * room + np.arange(2) * (bins.SERIES + 1)
    levels["edge"] = 1
    return len(spread) * room + 2 * (bins.SERIES + 1)


def _counts(lowered: Lowered, causes: int) -> tuple[ks.Records, int]:
    """Return the samples, and how many counts they and the buffers need."""
    end = len(LOSS_CAUSES)
    for buffer in lowered.buffers:
        buffer["lost_first"], end = end, end + len(LOSS_CAUSES)
        buffer["causes_first"], end = end, end + causes
        buffer["batches_first"], end = end, end + bins.SIZES.last + 1
    buffers = len(lowered.buffers)
    lowered.run[0]["queue_samples"] = buffers
    samples = np.zeros(buffers + 2 * len(lowered.queues), kl.SAMPLE)
    samples["bins"] = end + np.arange(len(samples)) * (bins.TIMES.last + 1)
    return samples, end + len(samples) * (bins.TIMES.last + 1)
