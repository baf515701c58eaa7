from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import FlushAtSize, FlushEvery, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.results.measures import Window
from bufsim.results.steps import BINS, Series, Steps, distribution, lasting_peak, level, presence

#: 0 on [0, 1), 2 on [1, 3), 5 for no time at 3, 1 from 3 on
STEPS = Steps(np.array([1.0, 3.0, 3.0]), np.array([2, 5, 1]))


def test_a_level_is_integrated_over_the_window():
    assert level(STEPS, Window(0.0, 10.0)).integral == 2 * 2 + 1 * 7
    assert level(STEPS, Window(2.0, 4.0)).integral == 2 * 1 + 1 * 1


def test_the_peak_of_all_values_knows_those_of_no_duration():
    assert level(STEPS, Window(0.0, 10.0)).peak == 5
    assert lasting_peak(STEPS, Window(0.0, 10.0)) == 2


def test_the_window_starts_with_the_value_before_its_events():
    assert level(STEPS, Window(3.0, 4.0)).peak == 5
    assert level(Steps(np.array([1.0, 3.0]), np.array([2, 1])), Window(3.0, 4.0)).peak == 2
    assert lasting_peak(STEPS, Window(3.0, 4.0)) == 1


def test_a_distribution_is_the_time_at_each_value():
    kept = distribution(STEPS, Window(0.0, 10.0))
    # bins of the grid: 0, then 1 and 2 at the starts of octaves of 128
    assert dict(zip(kept.time_at.bins.tolist(), kept.time_at.amounts.tolist(), strict=True)) == {
        0: 1.0,
        2: 7.0,
        130: 2.0,
    }
    assert (kept.integral, kept.squares) == (11.0, 15.0)


def test_a_level_without_changes_is_zero():
    kept = distribution(Steps.of_changes(), Window(2.0, 5.0))
    assert (kept.integral, kept.peak, kept.time_at.amounts.tolist()) == (0.0, 0, [3.0])
    assert Steps.of_changes().last == 0


changes = st.lists(st.tuples(st.integers(0, 20), st.integers(-3, 3)))


@given(first=changes, second=changes)
def test_changes_of_several_levels_make_the_level_of_their_sum(first, second):
    arrays = []
    for change in (first, second):
        times, deltas = zip(*sorted(change), strict=True) if change else ((), ())
        arrays.append((np.array(times, float), np.array(deltas, int)))
    values, bounds = Steps.of_changes(*arrays).within(Window(0.0, 21.0))
    for low, high, value in zip(bounds[:-1], bounds[1:], values, strict=True):
        if low < high:
            assert value == sum(d for t, d in first + second if t <= low)


def test_steps_come_apart_into_their_changes():
    times, deltas = STEPS.changes()
    assert (times.tolist(), deltas.tolist()) == ([1.0, 3.0, 3.0], [2, 3, -4])


stays = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9) | st.just(None), st.integers(1, 5)))


@given(stays=stays, start=st.integers(0, 19), weighted=st.booleans())
def test_presence_is_the_level_of_what_is_there(stays, start, weighted):
    stays = sorted(stays, key=lambda stay: stay[0])
    begin = np.array([float(b) for b, _, _ in stays])
    end = np.array([np.inf if d is None else float(b + d) for b, d, _ in stays])
    weights = np.array([w if weighted else 1 for _, _, w in stays], int)
    found = presence(begin, end, Window(float(start), 21.0), weights if weighted else None)
    levels = [int(weights[(begin <= t) & (t < end)].sum()) for t in range(start, 21)]
    assert found.integral == sum(levels)
    assert found.peak == max(levels)


def test_a_stay_of_no_duration_is_nowhere():
    assert presence(np.array([2.0]), np.array([2.0]), Window(0.0, 5.0)).peak == 0


@pytest.mark.parametrize(("begin", "end", "overlap"), [(0, 1, 0), (1, 3, 1), (3, 4, 1), (4, np.nan, 2), (7, 8, 0)])
def test_an_overlap_is_the_time_in_the_window(begin, end, overlap):
    assert Window(2.0, 6.0).overlap(np.array([begin]), np.array([end])).tolist() == [overlap]


def test_a_window_holds_its_start_and_not_its_end_nor_what_is_missing():
    times = np.array([1.0, 2.0, 5.0, 6.0, np.nan])
    assert Window(2.0, 6.0).holds(times).tolist() == [False, True, True, False, False]
    assert Window(2.0, 6.0).first(times[:4]) == 1
    assert Window(2.0, 6.0).span == 4.0


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
