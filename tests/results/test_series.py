from __future__ import annotations

import pickle

import numpy as np
import pytest

from bufsim import FlushAtSize, FlushEvery, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.results.steps import BINS, Series, Steps

FINE = 400


def moments(until: float) -> np.ndarray:
    return (np.arange(BINS * FINE) + 0.5) * (until / (BINS * FINE))


def sampled(times: np.ndarray, levels: np.ndarray, until: float) -> np.ndarray:
    """The same averages from a fine regular sample: off by less than a jump a sample."""
    values = np.concatenate(([0], levels))[np.searchsorted(times, moments(until), side="right")]
    return values.reshape(BINS, FINE).mean(axis=1)


def test_the_series_of_a_step_function_is_its_average_in_each_bin() -> None:
    steps = Steps(np.array([0.0, 1.0, 1.0, 40.0]), np.array([0, 7, 3, 5]))
    averages = Series.of_steps(steps, 128.0).averages
    assert averages[:2].tolist() == [0.0, 3.0]
    assert averages[-1] == 5.0
    assert averages.mean() == pytest.approx((39 * 3 + 88 * 5) / 128)


def test_the_series_of_stays_counts_each_from_its_begin_to_its_end() -> None:
    begin, end = np.array([0.0, 0.5, 100.0]), np.array([2.0, np.inf, 100.25])
    averages = Series.of_stays(begin, end, 128.0).averages
    assert averages[:3] == pytest.approx([1.5, 2.0, 1.0])
    assert averages[100] == pytest.approx(1.25)
    assert averages[-1] == pytest.approx(1.0)


def test_a_level_that_never_changes_is_0_throughout() -> None:
    nothing = np.empty(0)
    assert not Series.of_steps(Steps(nothing, np.empty(0, np.int64)), 10.0).averages.any()
    assert not Series.of_stays(nothing, nothing, 10.0).averages.any()


def test_a_run_keeps_the_series_of_its_buffers_and_of_its_served_queues() -> None:
    simulation = Simulation(
        producers=[Producer("edits", Poisson(20.0), queue="index"), Producer("mails", Poisson(5.0), queue="mail")],
        buffers=[JobBuffer("a", policy=FlushAtSize(40)), JobBuffer("b", policy=FlushEvery(7.0))],
        workers=[PushWorkers(5, service=0.1, queue="index")],
        until=300.0,
        warm_up=100.0,
    )
    result = simulation.run(seed=1)
    until = simulation.until
    sizes = sum(
        sampled(own.time.to_numpy(), own["size"].to_numpy(), until)
        for _, own in result.buffer_size.groupby("buffer", observed=True)
    )
    np.testing.assert_allclose(result.tally.buffered.averages, sizes, atol=0.5)
    work = result.work[result.work.queue == "index"]
    changes = np.concatenate((work.queued_at, work.finished_at.dropna()))
    deltas = np.concatenate((np.ones(len(work)), np.full(int(work.finished_at.notna().sum()), -1.0)))
    order = np.argsort(changes, kind="stable")
    unfinished = sampled(changes[order], np.cumsum(deltas[order]), until)
    np.testing.assert_allclose(result.tally.unfinished.averages, unfinished, atol=0.5)


def test_series_are_equal_by_their_numbers_and_survive_a_pickle() -> None:
    one, other = Series(np.arange(3.0)), Series(np.arange(4.0))
    assert one == Series(np.arange(3.0))
    assert hash(one) == hash(Series(np.arange(3.0)))
    assert one != other
    assert one != "series"
    assert pickle.loads(pickle.dumps(one)) == one
