from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from matplotlib.axes import Axes

from bufsim import Capacity, FlushAfterAge, FlushAtSize, FlushEvery
from bufsim.errors import InvalidValueError
from bufsim.plots import Waits

SIZE, AGE = "FlushAtSize(3)", "FlushAfterAge(5.0)"


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_frame_is_the_distribution_of_the_waits_by_cause():
    frame = models.worked_run().plot.waits.frame()
    rows = list(frame[["wait", "cause", "jobs", "share"]].itertuples(index=False, name=None))
    assert rows == [
        (0.0, SIZE, 1, pytest.approx(1 / 6)),
        (1.0, SIZE, 1, pytest.approx(2 / 6)),
        (2.0, SIZE, 1, pytest.approx(3 / 6)),
        (4.5, AGE, 1, pytest.approx(4 / 6)),
        (5.0, AGE, 2, 1.0),
    ]


def test_jobs_without_a_flush_have_no_wait():
    result = models.worked(policy=FlushEvery(13.0), capacity=Capacity(jobs=2)).run(seed=1)
    frame = result.plot.waits.frame()
    assert frame["jobs"].sum() == 2
    assert frame["wait"].tolist() == [11.0, 12.0]


def test_jobs_lost_after_their_flush_have_waited():
    assert models.stopped_run().plot.waits.frame()["wait"].tolist() == [4.5, 5.0]


def test_flushes_of_the_warm_up_are_left_out():
    assert models.worked(warm_up=9.0).run(seed=1).plot.waits.frame()["jobs"].sum() == 3


def test_the_line_is_the_exact_distribution_function():
    ax = models.worked_run().plot.waits()
    line = ax.lines[0]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xdata().tolist()[:-1] == [0.0, 0.0, 1.0, 2.0, 4.5, 5.0, 5.0]
    assert line.get_ydata().tolist() == pytest.approx([0.0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0, 1.0])


def test_the_tail_is_its_complement_on_a_log_axis():
    ax = models.worked_run().plot.waits(tail=True)
    assert ax.get_yscale() == "log"
    assert ax.lines[0].get_ydata()[:-1].tolist() == pytest.approx([1.0, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    assert ax.get_ylabel() == "share of jobs that wait longer"


def test_a_wait_of_0_lies_at_the_left_end_of_a_log_axis():
    ax = models.worked_run().plot.waits(log=True)
    assert ax.get_xscale() == "log"
    left = ax.get_xlim()[0]
    assert ax.lines[0].get_xdata()[1] == left
    assert ax.lines[0].get_ydata()[1] == pytest.approx(1 / 6)


def test_title_and_labels_say_what_is_seen():
    result = models.worked_run()
    ax = result.plot.waits()
    assert ax.get_title(loc="left") == "Waits in search: p50 2 s, p99 5 s"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wait, s", "share of jobs with at most this wait")
    assert {"p50 2 s", "p99 5 s"} <= set(texts(ax))
    assert (result.metric("p50_wait_s"), result.metric("p99_wait_s")) == (2.0, 5.0)


def test_the_share_beyond_an_slo_is_written():
    ax = models.worked_run().plot.waits(slo="2s")
    assert ax.get_title(loc="left") == "Waits in search: 50 % of the jobs wait longer than 2 s"
    assert "SLO 2 s: 50 % wait longer" in texts(ax)


def test_a_wait_equal_to_the_slo_up_to_rounding_is_within_it():
    # 0.3 + 0.1 − 0.3 is more than 0.1 in doubles, less than one part in 10⁹
    result = models.worked([0.3], policy=FlushAfterAge(0.1), until=2.0).run(seed=1)
    assert result.flushes["start"][0] - 0.3 > 0.1
    assert (
        result.plot.waits(slo=0.1).get_title(loc="left") == "Waits in search: 0 % of the jobs wait longer than 100 ms"
    )


def test_an_slo_must_be_positive():
    with pytest.raises(InvalidValueError, match="slo must be > 0, got 0"):
        models.worked_run().plot.waits(slo=0)


def test_under_each_tick_stand_the_jobs_that_wait_longer_by_cause():
    ax = models.worked_run().plot.waits()
    ticks = ax.get_xticks().tolist()
    assert ticks == [0, 1, 2, 3, 4, 5]
    written = texts(ax)
    start = written.index("jobs that wait longer")
    assert written[start + 1 : start + 8] == ["size", "2", "1", "0", "0", "0", "0"]
    assert written[start + 8 : start + 15] == ["age", "3", "3", "3", "3", "3", "0"]


def test_several_results_lie_over_each_other_and_are_counted_each():
    other = models.worked(policy=FlushEvery(15.0)).run(seed=1)
    ax = Waits([models.worked_run(), other], labels=["today", "better"], slo=2.0).draw()
    key = [text.get_text() for text in ax.get_legend().get_texts()]
    assert key == ["today: 50 % of the jobs wait longer than 2 s", "better: 100 % of the jobs wait longer than 2 s"]
    assert texts(ax).count("6") >= 1


def test_buffers_are_panels():
    assert isinstance(models.run_of_two_buffers().plot.waits(), np.ndarray)


def test_a_run_without_waits_says_so():
    ax = models.run_without_flushes().plot.waits()
    assert "No job was flushed after the warm-up" in texts(ax)[-1]
    assert len(models.run_without_flushes().plot.waits.frame()) == 0


def test_waits_that_are_all_0_are_drawn():
    result = models.worked(policy=FlushAtSize(1), flush_time=0.0).run(seed=1)
    for look in ({}, {"log": True}, {"tail": True}, {"log": True, "tail": True}):
        assert isinstance(result.plot.waits(**look), Axes)
