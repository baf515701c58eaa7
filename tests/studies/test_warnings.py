from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests.models import by_name, drawn

from bufsim import (
    Bulk,
    CollectQueues,
    Deterministic,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    Geometric,
    JobBuffer,
    LogNormal,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Trace,
)
from bufsim.results.steps import BINS
from bufsim.statistics import check_warm_up
from bufsim.studies.study import Study
from bufsim.studies.warnings import cut_periods, flush_cycle, levels, warm_up_check

WORKERS = [PushWorkers(2, service=Exponential(0.05))]


def warned(**policies):
    scenarios = by_name(policies, until=64.0, warm_up=10.0, workers=WORKERS)
    return Study(scenarios, seed=3).run(4, progress=False).warnings()


def test_a_study_without_a_doubt_warns_of_nothing():
    assert warned(fine=FlushAtSize(10) | FlushAfterAge(1.0)) == []


def test_each_warning_names_its_scenario_and_in_how_many_replications_it_was_seen():
    found = warned(rising=NeverFlush(), clock=FlushEvery(10.0), left=FlushAtSize(7))
    kinds = {sentence.split(": ")[0]: sentence for sentence in found}
    assert any(one.startswith("warm-up: rising, jobs in buffers: the level was still rising") for one in found)
    assert kinds["cut period"].startswith("cut period: clock: FlushEvery(10.0) has ")
    assert kinds["never due"].startswith("never due: left: FlushAtSize(7) alone: ")
    assert "of 4 replications)" in kinds["never due"]


def test_a_scenario_that_failed_is_not_judged():
    from bufsim_tests.models import Failing

    scenarios = {"fails": drawn(Failing()), "fine": drawn(FlushAtSize(10) | FlushAfterAge(1.0), until=64.0)}
    result = Study(scenarios, seed=3).run(3, progress=False)
    assert not any("fails" in sentence for sentence in result.warnings())


def cuts(policy, until, warm_up=0.0):
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(20.0))],
        buffers=[JobBuffer("buffer", policy=policy)],
        until=until,
        warm_up=warm_up,
    )
    tallies = [simulation.run(1, replication=number, record="summary").tally for number in range(3)]
    return cut_periods(simulation, tallies)


def test_a_window_that_cuts_a_period_is_warned_of_with_one_that_does_not():
    (sentence,) = cuts(FlushEvery(7.0), 139.0)
    assert sentence == (
        "cut period: FlushEvery(7.0) has 4.3 % fewer ticks than 19.9 periods should have, so that the flushes that "
        "it starts are off by as much: warm_up=7 and until=147 hold whole periods"
    )
    assert cuts(FlushEvery(7.0), 147.0, 7.0) == []


def test_a_window_from_0_lacks_the_first_tick_which_finds_nothing():
    (sentence,) = cuts(FlushEvery(10.0), 100.0)
    assert "has 10.0 % fewer ticks than 10 periods" in sentence
    assert cuts(FlushEvery(10.0), 110.0, 10.0) == []
    assert cuts(FlushEvery(10.0, phase=2.0), 100.0) == []
    # what is missing is then less than a hundredth
    assert cuts(FlushEvery(1.0), 200.0) == []


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
    (sentence,) = cuts(FlushAtSize(40).checked_every(4.5), 139.0)
    assert sentence.startswith("cut period: FlushAtSize(40).checked_every(4.5) has")
    assert cuts(FlushEvery(7.0, anchor="flush_start"), 139.0) == []


@pytest.mark.parametrize(("size", "warned"), [(10, False), (1000, True)])
def test_a_clock_counts_by_the_flushes_that_it_starts(size, warned):
    assert bool(cuts(FlushEvery(7.0) | FlushAtSize(size), 139.0)) == warned


def queue(until, warm_up=0.0, rate=0.72):
    """Bulk arrivals before four workers, at load 0.9: from empty it takes long to reach its level."""
    return Simulation(
        producers=[Producer("jobs", Bulk(Poisson(rate), Geometric(5.0)))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(1))],
        workers=[PushWorkers(4, service=Exponential(1.0))],
        until=until,
        warm_up=warm_up,
    )


def run(n=20, seed=1, **scenarios):
    return Study(scenarios, seed=seed).run(n, progress=False)


def test_a_run_that_is_too_short_is_warned_of_and_one_that_is_long_enough_is_not():
    result = run(short=queue(700.0), long=queue(10_000.0, 2_000.0))
    short, long = result.warm_up().rows
    assert (short.scenario, short.level, long.scenario) == ("short", "unfinished", "long")
    assert short.check.warning
    assert short.check.relative_bias < -0.05
    assert not long.check.warning
    (warning,) = (one for one in result.warnings() if one.startswith("warm-up: "))
    assert warning.startswith("warm-up: short, jobs in queues and in service: the ")
    assert warning.endswith("(unless a run is meant to start like that and to end, as an import does)")
    assert "the start does no harm that shows" in result.warm_up().sentences()[1]


def test_a_level_that_only_rises_is_said_to_rise():
    buffers = [JobBuffer("buffer", policy=NeverFlush())]
    result = run(n=5, never=Simulation(producers=[Producer("jobs", Poisson(5.0))], buffers=buffers, until=100.0))
    (row,) = result.warm_up().rows
    assert (row.level, row.check.warm_up) == ("buffered", None)
    assert "jobs in buffers: the level was still rising when the run ended" in row.sentence()


def test_the_levels_are_averages_in_equal_bins_of_the_whole_run_and_the_warm_up_is_cut_once():
    result = run(n=5, queue=queue(400.0, 100.0))
    kept = list(result.tallies["queue"].values())
    table = levels(kept, "unfinished")
    assert table.shape == (5, BINS)
    np.testing.assert_allclose(
        table[:, BINS // 4 :].mean(axis=1), [tally.queue_levels.unfinished.integral / 300.0 for tally in kept]
    )
    check = warm_up_check(kept, "unfinished")
    assert check.warm_up is None or check.warm_up >= 100.0


def test_a_long_warm_up_leaves_few_bins_that_count_several_times():
    result = run(n=5, queue=queue(400.0, 300.0))
    kept = list(result.tallies["queue"].values())
    within = levels(kept, "unfinished")[:, BINS * 3 // 4 :]
    settled = within[:, len(within[0]) // 3 :].mean()
    assert warm_up_check(kept, "unfinished").relative_bias == pytest.approx(
        (within.mean() - settled) / settled, rel=0.25
    )


def test_the_table_has_a_row_for_each_level_that_moves():
    table = run(n=5, queue=queue(400.0)).warm_up().table()
    assert table.columns.tolist() == ["scenario", "level", "suggested", "relative_bias", "warning"]
    # a buffer that is flushed at size 1 is never anything but empty
    assert table.level.tolist() == ["unfinished"]


def steady(policy, until=600.0, warm_up=0.0, **options):
    options.setdefault("producers", [Producer("jobs", Poisson(10.0))])
    return Simulation(buffers=[JobBuffer("buffer", policy=policy)], until=until, warm_up=warm_up, **options)


def kept(simulation, n=30, seed=1):
    return list(run(n, seed, of=simulation).tallies["of"].values())


CYCLES = [
    # about as long as 1, 2 and 3 of the 128 bins, and longer, with and without a cut period
    *(FlushEvery(600.0 / 128.0 * bins * (1.0 + beat)) for bins in (1, 2, 3) for beat in (0.0, 0.005, 0.02)),
    *(FlushEvery(period) for period in (12.25, 30.0, 45.0, 70.0, 110.0, 145.0)),
    *(FlushAfterAge(age) for age in (9.75, 35.0, 80.0, 120.0)),
    FlushAtSize(450),
]


@pytest.mark.parametrize("warm_up", [0.0, 100.0])
def test_a_buffer_that_swings_between_its_flushes_is_no_trend(warm_up):
    seen = {policy: kept(steady(policy, warm_up=warm_up), n=15) for policy in CYCLES}
    assert [policy for policy, tallies in seen.items() if warm_up_check(tallies, "buffered").warning] == []
    # negative control: bins and thirds of the same runs, which cut cycles, look like trends
    first = -(-int(warm_up * BINS) // 600)
    naive = [check_warm_up(levels(tallies, "buffered")[:, first:], warm_up, 600.0) for tallies in seen.values()]
    assert sum(bool(check.warning) for check in naive) >= 8


@pytest.mark.parametrize("period", [1.0, 5.5, 10.0, 30.0, 100.0])
def test_a_queue_that_rises_is_warned_of_however_it_is_filled(period):
    workers = [PushWorkers(1, service=Exponential(0.11))]
    check = warm_up_check(kept(steady(FlushEvery(period), workers=workers), n=5), "unfinished")
    assert check.warning.startswith("the level was still rising when the run ended")


@pytest.mark.parametrize("period", [2.0, 5.5, 30.0, 100.0])
def test_a_start_from_empty_is_warned_of_however_the_queue_is_filled(period):
    producers = [Producer("jobs", Bulk(Poisson(0.72), Geometric(5.0)))]
    workers = [PushWorkers(4, service=Exponential(1.0))]
    check = warm_up_check(
        kept(steady(FlushEvery(period), until=700.0, producers=producers, workers=workers)), "unfinished"
    )
    assert check.warning.startswith("the runs start below the level that they reach")
    # with what is averaged over, MSER-5 would cut within the first half
    assert check.warm_up is None or 0.0 < check.warm_up <= 350.0


def test_a_buffer_that_fills_more_in_every_cycle_is_warned_of():
    even = Producer("jobs", Deterministic(0.1))
    assert not warm_up_check(kept(steady(FlushEvery(30.0), producers=[even]), n=3), "buffered").warning
    # by the time t there were 6000 (t / 600)² jobs: the rate rises from 0
    times = np.sqrt(np.arange(1.0, 6000.0) / 6000.0) * 600.0
    rising = Producer("jobs", Trace(times))
    check = warm_up_check(kept(steady(FlushEvery(30.0), producers=[rising]), n=3), "buffered")
    assert check.warning.startswith("the level was still rising when the run ended")


def test_of_too_few_cycles_it_is_said_that_nothing_can_be_told():
    check = warm_up_check(kept(steady(FlushEvery(250.0)), n=5), "buffered")
    assert check.warning.startswith("the start cannot be judged, since the runs hold 2.")
    assert re.search(r"and at least 3 tell a start from a swing: set `until` to 75\d s or more$", check.warning)
    assert (check.warm_up, check.relative_bias) == (None, 0.0)
    (warning,) = (one for one in run(5, of=steady(FlushEvery(250.0))).warnings() if one.startswith("warm-up"))
    assert "cannot be judged" in warning
    # the way out is one
    assert not warm_up_check(kept(steady(FlushEvery(250.0), until=750.0), n=5), "buffered").warning


def every_second(policy, until=100.0, warm_up=0.0):
    return kept(steady(policy, until, warm_up, producers=[Producer("jobs", Deterministic(1.0))]), n=2)


def test_the_flush_cycle_is_what_a_flush_takes_over_the_rate_of_arrivals():
    # jobs at 1, 2, ..., 99 s: the flush at 10 s takes ten, and 99 jobs in 100 s are 0.99 a second
    assert flush_cycle(every_second(FlushEvery(10.0))) == pytest.approx(10.0 / 0.99)
    assert flush_cycle(every_second(FlushAtSize(20))) == pytest.approx(20.0 / 0.99)
    # jobs at 10, ..., 99 s in 90 s
    assert flush_cycle(every_second(FlushEvery(10.0), warm_up=10.0)) == pytest.approx(10.0)
    assert flush_cycle(every_second(NeverFlush())) == 0.0


def test_a_tick_that_finds_nothing_ends_a_cycle_too():
    rare = steady(FlushEvery(10.0), until=6000.0, producers=[Producer("jobs", Poisson(0.05))])
    assert flush_cycle(kept(rare)) == pytest.approx(10.0, rel=0.02)


def test_of_several_buffers_the_longest_cycle_counts_if_the_buffer_holds_anything_that_matters():
    def both(rate, period):
        return Simulation(
            producers=[Producer("a", Poisson(10.0), queue="a"), Producer("b", Poisson(rate), queue="b")],
            buffers=[
                JobBuffer("a", policy=FlushEvery(5.0), collect=CollectQueues("a")),
                JobBuffer("b", policy=FlushEvery(period), collect=CollectQueues("b")),
            ],
            until=600.0,
        )

    assert flush_cycle(kept(both(10.0, 20.0), n=5)) == pytest.approx(20.0, rel=0.02)
    assert flush_cycle(kept(both(0.02, 20.0), n=5)) == pytest.approx(5.0, rel=0.02)


def test_a_mean_that_few_replications_make_is_warned_of():
    service = LogNormal(1.0, scv=16.0)
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(0.6))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(1))],
        workers=[PushWorkers(1, service=service)],
        until=1000.0,
    )
    result = Study({"today": simulation}, seed=4).run(20, progress=False)
    (sentence,) = [one for one in result.warnings() if one.startswith("skewed: ")]
    assert sentence.startswith("skewed: today: a few of 20 replications make much of mean_queue_wait_s (")
    # negative control: service that varies little
    even = replace(simulation, workers=[PushWorkers(1, service=1.0)])
    assert not any("skewed" in one for one in Study({"today": even}, seed=4).run(20, progress=False).warnings())
