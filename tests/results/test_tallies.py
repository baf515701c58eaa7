from __future__ import annotations

import dataclasses
import pickle

import pytest

from bufsim import CollectQueues, Exponential, FlushAtSize, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.results.tallies import Tally


@pytest.fixture
def tally() -> Tally:
    queues = ("one", "two", "three")
    simulation = Simulation(
        producers=[Producer(f"of {name}", Poisson(5.0), queue=name) for name in queues],
        buffers=[JobBuffer(name, policy=FlushAtSize(7), collect=CollectQueues(name)) for name in queues],
        workers=[PushWorkers(1, queue=name, service=Exponential(0.05)) for name in queues],
        until=40.0,
    )
    return simulation.run(seed=1).tally


def test_what_is_kept_for_metrics_is_no_part_of_the_value(tally):
    before = pickle.dumps(tally)
    again = pickle.loads(before)
    # joined once for all metrics
    assert tally.all_buffers is tally.all_buffers
    assert tally.all_queues is tally.all_queues
    assert dataclasses.replace(tally).all_buffers is not tally.all_buffers
    assert tally == again
    assert pickle.loads(pickle.dumps(tally)) == again
    assert [field.name for field in dataclasses.fields(tally)][-1] == "unfinished"
    with pytest.raises(dataclasses.FrozenInstanceError):
        tally.jobs = 3


def test_together_are_the_sums_of_the_parts_and_the_largest_of_peaks(tally):
    parts = list(tally.buffers.values())
    assert tally.all_buffers.arrivals == sum(part.arrivals for part in parts)
    assert tally.all_buffers.waits.largest == max(part.waits.largest for part in parts)
    assert tally.all_buffers.batches.amounts.sum() == sum(part.flushes for part in parts)
    assert tally.all_queues.concurrency == 3
    assert tally.all_buffers.levels is tally.buffer_levels
