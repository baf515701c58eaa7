from __future__ import annotations

import datetime as dt
import functools
import math
import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim import (
    FlushAfterAge,
    FlushAt,
    FlushAtSize,
    FlushCron,
    FlushEvery,
    FlushPolicy,
    JobBuffer,
    Poisson,
    Producer,
    Simulation,
    Stops,
    Trace,
)
from bufsim.results.empty_ticks import has_ticks


def empty(times, policy, *, until=20.0, warm_up=0.0, flush_time=0.0, **options):
    buffer = JobBuffer("b", policy=policy, flush_time=flush_time)
    simulation = Simulation(
        producers=[Producer("p", Trace(times))], buffers=[buffer], until=until, warm_up=warm_up, **options
    )
    return simulation.run(seed=1).tally.buffers["b"].empty_ticks


def test_a_tick_that_finds_no_job_is_empty():
    # ticks at 0, 5, 10, 15; the job of 6 s is flushed at 10
    assert empty([6.0], FlushEvery(5.0)) == 3


def test_a_tick_at_which_a_job_arrives_is_not_empty():
    assert empty([5.0], FlushEvery(5.0)) == 3


def test_a_tick_at_which_a_flush_of_another_leaf_starts_is_not_empty():
    assert empty([3.0, 5.0], FlushAtSize(2) | FlushEvery(5.0)) == 3


def test_a_tick_during_a_flush_is_not_empty():
    assert empty([5.0], FlushEvery(5.0), flush_time=7.0) == 2
    # the flush ends at 10, before the tick of that instant
    assert empty([5.0], FlushEvery(5.0), flush_time=5.0) == 3


def test_a_tick_while_the_server_is_down_is_not_empty():
    assert empty([1.0], FlushEvery(5.0), stops=Stops(at=[4.0], downtime=6.0)) == 3


def test_only_ticks_in_the_window_count():
    assert empty([6.0], FlushEvery(5.0), warm_up=0.5) == 2
    assert empty([6.0], FlushEvery(5.0), warm_up=15.0) == 1


def test_ticks_of_an_anchor_are_counted_from_the_last_flush():
    # ticks 4, 8, 12 (flush of the job of 9); then 16, 20 from its start, or from its end at 13: 17, 21
    assert empty([9.0], FlushEvery(4.0, anchor="flush_start"), until=22.0, flush_time=1.0) == 4
    assert empty([9.0], FlushEvery(4.0, anchor="flush_end"), until=21.0, flush_time=1.0) == 3


def test_a_restart_counts_anchored_ticks_from_zero_again():
    # flush at 7; from then ticks at 14, 21; after the restart at 10 they are at 14 and 21 from zero
    simulation = {"flush_time": 0.5, "until": 23.0, "stops": Stops(at=[9.0], downtime=1.0)}
    assert empty([6.0], FlushEvery(7.0, anchor="flush_end"), **simulation) == 2
    # without the stop: 14.5 and 21.5
    assert empty([6.0], FlushEvery(7.0, anchor="flush_end"), flush_time=0.5, until=21.2) == 1


def test_given_times_and_cron_times_are_ticks():
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert empty([6.0], FlushAt([1.0, 2.0, 8.0, 9.0])) == 3
    assert empty([70.0], FlushCron("* * * * *", start), until=250.0) == 4


def test_a_grid_takes_the_place_of_the_ticks_under_it():
    # ticks at 0, 4, 8, ..., whatever is looked at
    assert empty([50.0], FlushEvery(1.0).checked_every(4.0)) == 5
    assert empty([1.0], FlushAtSize(2).checked_every(4.0)) == 1


def test_ticks_of_several_leaves_at_one_instant_count_once():
    # 0, 2, 4, ..., 18 and 0, 3, 6, ..., 18
    assert empty([50.0], FlushEvery(2.0) | FlushEvery(3.0)) == 10 + 7 - 4
    assert empty([50.0], FlushEvery(2.0) | FlushEvery(2.0)) == 10
    assert empty([50.0], FlushEvery(2.0) & FlushAt([3.0, 4.0])) == 11


def test_ticks_are_doubles_that_are_not_accumulated():
    # 0.1·k, k = 0 ... 199
    assert empty([50.0], FlushEvery(0.1)) == sum(k * 0.1 < 20.0 for k in range(300))


@pytest.mark.parametrize("policy", [FlushAtSize(2), FlushAfterAge(1.0), FlushAtSize(2) | FlushAfterAge(1.0)])
def test_a_policy_without_a_tick_rule_has_no_empty_ticks(policy):
    assert not has_ticks(policy)
    assert empty([1.0], policy) == 0


def test_the_rate_of_empty_ticks_is_that_of_gaps_longer_than_a_period():
    # a period of T s is empty with probability exp(−λT)
    simulation = Simulation(
        producers=[Producer("p", Poisson(1.0))], buffers=[JobBuffer("b", policy=FlushEvery(2.0))], until=20_000.0
    )
    ticks = 10_000
    share = simulation.run(seed=3).tally.buffers["b"].empty_ticks / ticks
    expected = math.exp(-2.0)
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / ticks)


def rules() -> st.SearchStrategy[FlushPolicy]:
    """Rules whose ticks meet, or miss one another by the last bit."""
    period = st.sampled_from((0.1, 0.2, 0.3, 1 / 3, 0.7, 1.0, 2.0))
    return st.one_of(
        st.builds(FlushEvery, period, phase=st.sampled_from((0.0, 0.1, 0.3))),
        st.builds(FlushEvery, period, anchor=st.sampled_from(("flush_start", "flush_end"))),
        st.lists(st.integers(0, 400), min_size=1, unique=True).map(lambda ks: FlushAt([k * 0.1 for k in sorted(ks)])),
        st.builds(lambda n, period: FlushAtSize(n).checked_every(period), st.integers(1, 3), period),
    )


def test_the_compiled_engine_counts_the_same_as_it_goes():
    seen = []

    @settings(max_examples=150)
    @given(
        policy=st.lists(rules(), min_size=1, max_size=4).map(lambda found: functools.reduce(operator.or_, found)),
        steps=st.lists(st.integers(0, 400), min_size=1, max_size=12),
        flush_time=st.sampled_from((0.0, 0.3, 1.0)),
        warm_up=st.sampled_from((0.0, 0.1, 3.0)),
    )
    def compare(policy, steps, flush_time, warm_up):
        simulation = Simulation(
            producers=[Producer("p", Trace([step * 0.1 for step in sorted(steps)]))],
            buffers=[JobBuffer("b", policy=policy, flush_time=flush_time)],
            until=40.0,
            warm_up=warm_up,
            stops=Stops(at=[20.0], downtime=2.5),
        )
        counted = simulation.run(1, engine="compiled", record="summary").tally.buffers["b"].empty_ticks
        assert counted == simulation.run(1, engine="compiled").tally.buffers["b"].empty_ticks
        seen.append(counted)

    compare()
    assert sum(count > 10 for count in seen) > 50
