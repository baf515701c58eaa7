from __future__ import annotations

import numpy as np
import pytest

from bufsim import (
    Bulk,
    Exponential,
    FlushAtSize,
    Geometric,
    JobBuffer,
    NeverFlush,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
)
from bufsim.results.series import BINS
from bufsim.studies.study import Study
from bufsim.studies.warm_up import judged, levels


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
    check = judged(kept, "unfinished")
    assert check.warm_up is None or check.warm_up >= 100.0


def test_a_long_warm_up_leaves_few_bins_that_count_several_times():
    result = run(n=5, queue=queue(400.0, 300.0))
    kept = list(result.tallies["queue"].values())
    within = levels(kept, "unfinished")[:, BINS * 3 // 4 :]
    settled = within[:, len(within[0]) // 3 :].mean()
    assert judged(kept, "unfinished").relative_bias == pytest.approx((within.mean() - settled) / settled, rel=0.25)


def test_the_table_has_a_row_for_each_level_that_moves():
    table = run(n=5, queue=queue(400.0)).warm_up().table()
    assert table.columns.tolist() == ["scenario", "level", "suggested", "relative_bias", "warning"]
    # a buffer that is flushed at size 1 is never anything but empty
    assert table.level.tolist() == ["unfinished"]
