from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests import models
from matplotlib.text import Text

from bufsim import Deterministic, FlushAfterAge, FlushAtSize, Poisson, PushWorkers, Trace
from bufsim.errors import InvalidValueError
from bufsim.plots.load_ramp import crossings
from bufsim.statistics import Interval
from bufsim.studies.expressions import metric
from bufsim.studies.study import Study


def texts(ax):
    return [text.get_text() for text in ax.texts]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_frame_is_the_metric_at_each_load():
    frame = models.ramp_study().plot.load_ramp.frame("mean_wait", limit="1s")
    assert frame["label"].tolist() == ["size 2"] * 3 + ["size 4"] * 3
    assert frame["rate"].tolist() == frame["scale"].tolist() == [1.0, 2.0, 4.0] * 2
    assert frame["estimate"].tolist() == [0.5, 0.25, 0.125, 1.5, 0.75, 0.375]
    assert frame["scenario"].tolist()[1] == models.at_load(FlushAtSize(2), 2)
    # one worker does 3 jobs a second
    assert frame["saturated"].tolist() == [False, False, True] * 2


def test_recorded_jobs_are_said_to_be_scaled_and_how():
    model = models.timed([1.0, 2.0, 4.0], FlushAtSize(1), until=10.0)
    for keep in ("pattern", "independent"):
        log = replace(model.producers[0], arrivals=Trace([1.0, 2.0, 4.0], keep=keep))
        recorded = replace(model, producers=[log])
        study = Study(recorded, policy=[FlushAtSize(1), FlushAtSize(2)], arrivals_scale=[1, 2], seed=1)
        result = study.run(2, progress=False)
        shown = " ".join(text.get_text() for text in result.plot.load_ramp("flush_rate").figure.findobj(Text))
        # the line is too long for the picture, and broken
        assert "seed 1 · recorded jobs scaled" in shown
        assert f"with keep={keep!r}" in shown
        told = result.recommend(minimise="flush_rate", fresh=0).sentences()
        assert f"  Recorded jobs scaled with keep={keep!r}." in told
    drawn = models.ramp_study()
    shown = [text.get_text() for text in drawn.plot.load_ramp("mean_wait").figure.findobj(Text)]
    assert not any("recorded" in text for text in shown)
    assert "keep=" not in drawn.recommend(minimise="flush_rate", fresh=0).sentence()


def test_a_line_crosses_a_limit_where_it_is_straight_on_log_axes():
    frame = models.ramp_study().plot.load_ramp.frame("mean_wait", limit="1s")
    # between (1, 1.5) and (2, 0.75) the wait is 1.5 / rate
    assert frame["crosses_at"].tolist()[3:] == pytest.approx([1.5] * 3)
    assert frame["crosses_low"].tolist()[3:] == pytest.approx([1.5] * 3)
    assert frame["beyond"].tolist() == [""] * 3 + ["keeps"] * 3
    assert np.isnan(frame["crosses_at"].to_numpy()[:3]).all()


def test_a_line_that_goes_beyond_a_limit_breaks_it():
    frame = models.ramp_study().plot.load_ramp.frame("flush_rate", limit=0.4)
    assert set(frame["beyond"][3:]) == {"breaks"}
    assert frame["crosses_at"][3] == pytest.approx(4 * 0.4, rel=0.05)


def test_of_a_metric_where_more_is_better_the_limit_is_the_least():
    frame = models.ramp_study().plot.load_ramp.frame("throughput", limit=1.5)
    assert set(frame["beyond"]) == {"keeps"}


def test_a_limit_may_be_written_as_one():
    ways = ["1s", 1.0, "mean_wait <= 1s", metric("mean_wait") <= 1.0]
    frames = [models.ramp_study().plot.load_ramp.frame("mean_wait", limit=one) for one in ways]
    assert all(frame.equals(frames[0]) for frame in frames)


def lines(ax):
    return [line for line in ax.lines if line.get_marker() == "o"]


def test_the_line_of_a_queues_metric_ends_before_saturation_with_a_stop_sign():
    ax = models.ramp_study().plot.load_ramp("mean_end_to_end")
    assert [list(line.get_xdata()) for line in lines(ax)] == [[1.0, 2.0], [1.0, 2.0]]
    signs = [line for line in ax.lines if line.get_marker() == "8"]
    assert [sign.get_xdata()[0] for sign in signs] == [2.0, 2.0]
    assert sum("saturated at" in text for text in texts(ax)) == 2


def test_the_line_of_a_buffers_metric_goes_on_and_has_the_sign_where_the_workers_are_saturated():
    ax = models.ramp_study().plot.load_ramp("mean_wait")
    assert [list(line.get_xdata()) for line in lines(ax)] == [[1.0, 2.0, 4.0]] * 2
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "8"] == [4.0, 4.0]


def test_loads_are_marked_as_rates_and_as_times_todays():
    ax = models.ramp_study().plot.load_ramp("mean_wait")
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == [f"{rate}\n\N{MULTIPLICATION SIGN}{rate}" for rate in (1, 2, 4)]
    assert ax.get_xlabel() == "arrival rate, jobs per s, and times today's"
    assert ax.get_ylabel() == "mean wait, s"
    assert "today" in texts(ax)


def test_ticks_without_room_are_left_out():
    result = models.studied(
        models.edits(Deterministic(1.0)), policy=[FlushAtSize(4)], arrivals_scale=[1, 1.01, 1.02, 2, 4, 8]
    )
    ticks = [tick.get_text().split("\n")[0] for tick in result.plot.load_ramp("mean_wait").get_xticklabels()]
    assert ticks == ["1", "2", "4", "8"]


@pytest.mark.parametrize(
    ("name", "limit", "title"),
    [
        ("mean_wait", "1s", "Today's policy keeps mean wait ≤ 1 s from 1.5 [1.5, 1.5] times today's load"),
        ("mean_wait", "2s", "Today's policy keeps mean wait ≤ 2 s up to 4 times today's load, the most that ran"),
        ("mean_wait", "0.1s", "Today's policy keeps mean wait ≤ 100 ms at no load that was run"),
        (
            "mean_end_to_end",
            "9s",
            "Today's policy keeps mean end to end ≤ 9 s up to 2 times today's load, and is saturated at 4",
        ),
        ("mean_wait", None, "mean wait under rising load"),
    ],
)
def test_the_title_says_what_load_todays_policy_bears(name, limit, title):
    ax = models.ramp_study().plot.load_ramp(name, limit=limit)
    assert ax.get_title(loc="left").replace("\n", " ") == title


def test_a_crossing_is_a_tick_with_its_interval():
    result = models.studied(
        models.edits(Poisson(2.0)), policy=[FlushAtSize(4)], arrivals_scale=[1, 2, 4], replications=5
    )
    frame = result.plot.load_ramp.frame("mean_wait", limit="0.5s")
    ax = result.plot.load_ramp("mean_wait", limit="0.5s")
    [tick] = [line for line in ax.lines if line.get_marker() == "|"]
    assert tick.get_xdata()[0] == pytest.approx(frame["crosses_at"][0])
    assert frame["crosses_low"][0] < frame["crosses_at"][0] < frame["crosses_high"][0]
    assert sum(text.endswith("] per s") for text in texts(ax)) == 1
    assert "limit\n500 ms" in texts(ax)


def dotted(ax):
    return [line for line in ax.lines if line.get_color() == "black" and len(line.get_xdata()) == 60]


def test_closed_forms_of_simple_policies_are_dotted():
    result = models.studied(models.edits(Poisson(2.0)), policy=[FlushAtSize(4)], arrivals_scale=[1, 2])
    ax = result.plot.load_ramp("mean_wait")
    [line] = dotted(ax)
    assert line.get_ydata() == pytest.approx(1.5 / line.get_xdata())
    assert "closed form" in key(ax)
    assert dotted(result.plot.load_ramp("mean_wait", theory=False)) == []


def test_a_theory_of_ones_own_is_dotted():
    ax = models.ramp_study().plot.load_ramp("mean_wait", theory=lambda rate: 1.5 / rate)
    assert dotted(ax)[0].get_ydata() == pytest.approx(1.5 / dotted(ax)[0].get_xdata())
    ax = models.ramp_study().plot.load_ramp("mean_wait", theory={"size 2": lambda rate: 0.5 / rate})
    assert len(dotted(ax)) == 1
    with pytest.raises(InvalidValueError, match="scenario must be one of"):
        models.ramp_study().plot.load_ramp("mean_wait", theory={"size 3": lambda rate: 0.5 / rate})


def test_of_many_policies_today_and_those_that_bear_the_most_have_a_colour():
    policies = [FlushAtSize(size) for size in (2, 3, 4, 5, 6, 7, 8, 20)]
    result = models.studied(
        models.edits(Deterministic(1.0)), policy=policies, arrivals_scale=[1, 2], baseline=FlushAtSize(20)
    )
    ax = result.plot.load_ramp("flush_rate", limit=0.3)
    # the larger the batches, the more load they bear
    assert key(ax) == [f"size {size}" for size in (4, 5, 6, 7, 8)] + ["size 20 (today)", "2 others"]


def test_workers_that_are_saturated_at_every_load_leave_nothing_to_draw():
    simulation = models.edits(Deterministic(1.0), workers=[PushWorkers(1, service=3.0)])
    result = models.studied(simulation, policy=[FlushAtSize(4)], arrivals_scale=[1, 2])
    ax = result.plot.load_ramp("mean_end_to_end", limit="4s")
    assert "The workers are saturated at every load" in texts(ax)[-1]


def test_a_study_at_one_load_is_an_error_with_the_way_out():
    with pytest.raises(InvalidValueError, match=r"got 3 scenarios at one load each; .*arrivals_scale=\[1"):
        models.exact_study().plot.load_ramp("mean_wait")


def test_a_metric_that_is_0_has_a_plain_axis():
    ax = models.ramp_study().plot.load_ramp("lost_jobs", limit=10)
    assert ax.get_yscale() == "linear"
    assert math.isfinite(ax.get_ylim()[1])


def test_policies_can_be_chosen():
    assert key(models.ramp_study().plot.load_ramp("mean_wait", scenarios=[FlushAtSize(2)])) == ["size 2"]
    with pytest.raises(InvalidValueError, match="scenario must be one of"):
        models.ramp_study().plot.load_ramp("mean_wait", scenarios=[FlushAfterAge(2.0)])


LOADS = [1.0, 10.0, 100.0]


def curve(*values, low=1.0, high=1.0):
    """Return intervals from low·y to high·y."""
    return [Interval(y, low * y, high * y, 0.95, 30, "t") for y in values]


def test_a_curve_crosses_where_it_is_straight_on_log_axes():
    [crossing] = crossings(LOADS, curve(1.0, 100.0, 100.0), 10.0)
    assert crossing.at.estimate == pytest.approx(math.sqrt(10.0))
    assert crossing.is_rising


def test_a_curve_crosses_where_it_is_straight_on_a_log_axis_and_a_plain_one():
    [crossing] = crossings(LOADS, curve(0.0, 2.0, 2.0), 1.0, log=False)
    assert crossing.at.estimate == pytest.approx(math.sqrt(10.0))


def test_the_ends_are_where_the_band_no_longer_holds_the_limit():
    [crossing] = crossings(LOADS, curve(1.0, 10.0, 100.0, low=0.5, high=2.0), 10.0)
    assert (crossing.at.low, crossing.at.high) == pytest.approx((5.0, 20.0))
    assert (crossing.at.confidence, crossing.at.n) == (0.95, 30)


def test_a_falling_curve_crosses_too():
    [crossing] = crossings(LOADS, curve(100.0, 10.0, 1.0, low=0.5, high=2.0), 10.0)
    assert not crossing.is_rising
    assert (crossing.at.estimate, crossing.at.low, crossing.at.high) == pytest.approx((10.0, 5.0, 20.0))


def test_an_end_is_open_where_the_band_holds_the_limit_to_the_last_load():
    [crossing] = crossings(LOADS, curve(1.0, 5.0, 11.0, low=0.5, high=2.0), 10.0)
    assert crossing.at.high == math.inf
    assert 10.0 < crossing.at.low < crossing.at.estimate < 100.0


def test_a_band_that_is_open_widens_the_stretch_to_the_next_load():
    values = [*curve(1.0), Interval(4.0, 3.0, math.inf, 0.95, 30, "t"), *curve(100.0)]
    [crossing] = crossings(LOADS, values, 10.0)
    assert crossing.at.low == pytest.approx(1.0)
    assert crossing.at.estimate > 10.0


def test_a_curve_that_stays_on_one_side_does_not_cross():
    assert crossings(LOADS, curve(1.0, 2.0, 3.0), 10.0) == []
    assert crossings(LOADS, curve(20.0, 30.0, 40.0), 10.0) == []


def test_a_curve_may_cross_there_and_back():
    found = crossings([1.0, 10.0, 100.0, 1000.0], curve(1.0, 100.0, 1.0, 1.0), 10.0)
    assert [crossing.is_rising for crossing in found] == [True, False]


def test_a_point_on_the_limit_is_one_crossing():
    [crossing] = crossings(LOADS, curve(1.0, 10.0, 100.0), 10.0)
    assert (crossing.at.low, crossing.at.estimate, crossing.at.high) == pytest.approx((10.0, 10.0, 10.0))


def test_a_curve_that_lies_on_the_limit_does_not_cross_it():
    assert crossings(LOADS, curve(10.0, 10.0, 10.0), 10.0) == []
