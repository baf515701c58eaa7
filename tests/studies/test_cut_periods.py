from __future__ import annotations

import pytest

from bufsim import FlushAtSize, FlushEvery, JobBuffer, Poisson, Producer, Simulation
from bufsim.studies.warnings import cut_periods


def said(policy, until, warm_up=0.0):
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(20.0))],
        buffers=[JobBuffer("buffer", policy=policy)],
        until=until,
        warm_up=warm_up,
    )
    tallies = [simulation.run(1, replication=number, record="summary").tally for number in range(3)]
    return cut_periods(simulation, tallies)


def test_a_window_that_cuts_a_period_is_warned_of_with_one_that_does_not():
    (sentence,) = said(FlushEvery(7.0), 139.0)
    assert sentence == (
        "cut period: FlushEvery(7.0) has 4.3 % fewer ticks than 19.9 periods should have, so that the flushes that "
        "it starts are off by as much: warm_up=7 and until=147 hold whole periods"
    )
    assert said(FlushEvery(7.0), 147.0, 7.0) == []


def test_a_window_from_0_lacks_the_first_tick_which_finds_nothing():
    (sentence,) = said(FlushEvery(10.0), 100.0)
    assert "has 10.0 % fewer ticks than 10 periods" in sentence
    assert said(FlushEvery(10.0), 110.0, 10.0) == []
    assert said(FlushEvery(10.0, phase=2.0), 100.0) == []
    # what is missing is then less than a hundredth
    assert said(FlushEvery(1.0), 200.0) == []


def test_ticks_are_those_that_a_run_has():
    for until, warm_up, phase in ((139.0, 0.0, 0.0), (142.0, 20.0, 3.0), (100.0, 7.0, 6.5), (30.0, 29.0, 1.0)):
        policy = FlushEvery(7.0, phase=phase)
        simulation = Simulation(
            producers=[Producer("jobs", Poisson(50.0))],
            buffers=[JobBuffer("buffer", policy=policy)],
            until=until,
            warm_up=warm_up,
        )
        run = simulation.run(1)
        flushes = int((run.flushes.start >= warm_up).sum())
        periods = (until - warm_up) / 7.0
        (sentence,) = cut_periods(simulation, [run.tally])
        off = flushes / periods - 1
        assert f"has {100 * abs(off):.1f} % {'fewer' if off < 0 else 'more'} ticks than" in sentence


def test_a_grid_is_a_clock_and_a_flush_anchor_is_none():
    (sentence,) = said(FlushAtSize(40).checked_every(4.5), 139.0)
    assert sentence.startswith("cut period: FlushAtSize(40).checked_every(4.5) has")
    assert said(FlushEvery(7.0, anchor="flush_start"), 139.0) == []


@pytest.mark.parametrize(("size", "warned"), [(10, False), (1000, True)])
def test_a_clock_counts_by_the_flushes_that_it_starts(size, warned):
    assert bool(said(FlushEvery(7.0) | FlushAtSize(size), 139.0)) == warned
