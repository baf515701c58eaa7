from __future__ import annotations

import dataclasses
import pickle

import pytest

from bufsim import CollectQueues, Exponential, FlushAtSize, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.results import tallies
from bufsim.results.metrics import METRICS
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


def test_all_buffers_and_all_queues_are_joined_once_for_all_metrics(tally, monkeypatch):
    joined = []
    together = tallies._together

    def counting(kind, *parts):
        joined.append(kind.__name__)
        return together(kind, *parts)

    monkeypatch.setattr(tallies, "_together", counting)
    for metric in METRICS.values():
        metric(tally)
        metric(tally)
    assert sorted(joined) == ["BufferTally", "QueueTally"]
    # negative control: another tally, though equal, is joined by itself
    METRICS["mean_wait_s"](dataclasses.replace(tally))
    assert sorted(joined) == ["BufferTally", "BufferTally", "QueueTally"]


def test_what_is_kept_for_metrics_is_no_part_of_the_value(tally):
    before = pickle.dumps(tally)
    again = pickle.loads(before)
    assert tally.all_buffers is tally.all_buffers
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
