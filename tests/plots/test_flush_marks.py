from __future__ import annotations

import numpy as np
from bufsim_tests import result_plots_small as small

from bufsim import Capacity, DrainAtMost, FlushAtSize, FlushEvery
from bufsim.model.buffers import Storage
from bufsim.plots import levels
from bufsim.vendure import InMemoryJobBufferStorageStrategy


def found(**others):
    times = others.pop("times", None)
    return levels.heights(small.simulation(times, **others).run(seed=1), "search")


def test_a_flush_finds_what_it_takes_when_it_takes_all():
    heights = levels.heights(small.first(), "search")
    assert heights["time"].tolist() == [3.0, 9.0, 16.5]
    assert heights["size"].tolist() == [3, 1, 2]
    assert heights["end"].tolist() == [4.0, 10.0, 17.5]


def test_a_flush_that_takes_a_part_finds_more():
    heights = found(times=[1.0, 2.0, 3.0, 4.0], policy=FlushEvery(5.0), drain=DrainAtMost(n=1), nbytes=[7, 20, 1, 2])
    assert heights["size"].tolist() == [4, 3, 2]
    assert heights["nbytes"].tolist() == [30, 23, 3]


def test_flushes_of_one_instant_are_told_apart():
    # a bulk of 7 under FlushAtSize(2) gives 2, 2, 2, and 1 left
    heights = found(times=[1.0] * 7, policy=FlushAtSize(2), flush_time=0.0)
    assert heights["time"].tolist() == [1.0, 1.0, 1.0]
    assert heights["size"].tolist() == [2, 2, 2]


def test_a_drop_is_no_flush():
    heights = found(policy=FlushEvery(10.0), capacity=Capacity(jobs=2, on_full="drop_oldest"))
    assert heights["time"].tolist() == [10.0]
    assert heights["size"].tolist() == [2]


class Forgetful(InMemoryJobBufferStorageStrategy):
    def flush(self, buffer_ids=None):
        return {name: jobs[1:] for name, jobs in super().flush(buffer_ids).items()}


def test_a_flush_whose_storage_lost_jobs_stands_at_its_batch():
    heights = found(policy=FlushEvery(10.0), storage=Storage(strategy=Forgetful))
    assert heights["size"].tolist() == [3]


def test_a_run_without_flushes_has_no_heights():
    assert len(levels.heights(small.never(), "search")) == 0
    assert levels.heights(small.never(), "search")["size"].dtype == np.int64
