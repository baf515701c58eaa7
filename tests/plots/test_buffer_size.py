from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from matplotlib.axes import Axes

from bufsim import Capacity, FlushAtSize, FlushEvery, JobBuffer, NeverFlush, Poisson, Producer, Simulation
from bufsim.errors import InvalidValueError
from bufsim.plots import BufferSize


def rows(frame, mark, *columns):
    return list(frame.loc[frame["mark"] == mark, list(columns)].itertuples(index=False, name=None))


def texts(ax):
    return [text.get_text() for text in ax.texts]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_frame_holds_every_change_and_every_flush():
    frame = models.worked_run().plot.buffer_size.frame()
    assert rows(frame, "size", "time", "size") == [
        *[(0, 0), (1, 1), (2, 2), (3, 3), (3, 0), (4, 1), (9, 0), (11.5, 1), (12, 2), (16.5, 0)]
    ]
    assert rows(frame, "flush", "time", "size", "cause") == [
        (3, 3, "FlushAtSize(3)"),
        (9, 1, "FlushAfterAge(5.0)"),
        (16.5, 2, "FlushAfterAge(5.0)"),
    ]
    assert rows(frame, "stop", "time") == []


def test_the_frame_holds_what_the_buffer_held_before_each_stop():
    frame = models.stopped_run().plot.buffer_size.frame(labels="today")
    assert rows(frame, "stop", "run", "buffer", "time", "size") == [
        ("today", "search", 2.5, 2),
        ("today", "search", 17, 0),
    ]


def test_the_frame_of_a_run_without_jobs_is_the_empty_buffer():
    assert rows(models.run_without_jobs().plot.buffer_size.frame(), "size", "time", "size") == [(0, 0)]


def test_the_line_is_the_exact_step_function_to_the_end():
    ax = models.worked_run().plot.buffer_size()
    line = ax.lines[0]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xdata().tolist() == [0, 1, 2, 3, 3, 4, 9, 11.5, 12, 16.5, 20]
    assert line.get_ydata().tolist() == [0, 1, 2, 3, 0, 1, 0, 1, 2, 0, 0]


def test_a_mark_stands_at_each_flush_at_the_height_taken():
    ax = models.worked_run().plot.buffer_size()
    marks = {line.get_marker(): (line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines[1:]}
    assert marks == {"o": ([3.0], [3.0]), "^": ([9.0, 16.5], [1.0, 2.0])}
    assert key(ax) == ["FlushAtSize(3): 1", "FlushAfterAge(5.0): 2", "flush in progress, longest 1 s"]


def test_title_and_labels_say_what_is_seen():
    ax = models.worked_run().plot.buffer_size()
    # 1 + 5 + 0.5 s at 1 and 1 + 4.5 s at 2, of 20 s
    assert ax.get_title(loc="left") == "Buffer size of search: peak 3, average 0.875 jobs"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, s", "buffer size, jobs")
    assert "peak 3 jobs" in texts(ax)
    assert "one run, seed 1 · FlushAtSize(3) | FlushAfterAge(5.0)" in texts(ax)


def test_the_numbers_are_those_of_the_metrics():
    result = models.worked(warm_up=8.0).run(seed=1)
    peak, average = result.metric("peak_buffer_size_jobs"), result.metric("mean_buffer_size_jobs")
    title = result.plot.buffer_size().get_title(loc="left")
    assert title == f"Buffer size of search: peak {peak:.0f}, average {average:.3g} jobs"
    assert "peak 2 jobs" in texts(result.plot.buffer_size())


def test_bytes_have_their_own_unit():
    result = models.worked(nbytes=[4000, 4000, 4000, 1, 1, 1]).run(seed=1)
    ax = result.plot.buffer_size(unit="bytes")
    assert ax.get_ylabel() == "buffer size, kB"
    assert "peak 12 kB" in texts(ax)


def test_an_unknown_unit_is_refused():
    with pytest.raises(InvalidValueError, match="unit must be one of 'jobs', 'bytes', got 'byte'; did you mean"):
        models.worked_run().plot.buffer_size(unit="byte")


def test_capacity_and_limit_are_named_and_drawn_if_near():
    result = models.worked(policy=FlushEvery(15.0), capacity=Capacity(jobs=4)).run(seed=1)
    ax = result.plot.buffer_size(limit=6.0)
    assert {"capacity 4 jobs", "limit 6 jobs"} <= set(texts(ax))
    assert [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [4.0, 6.0]
    far = result.plot.buffer_size(limit=1e6)
    assert "↑ limit 1,000,000 jobs" in texts(far)
    assert far.get_ylim()[1] < 10.0


def test_stops_are_crosses_at_what_was_held():
    ax = models.stopped_run().plot.buffer_size()
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert (cross.get_xdata().tolist(), cross.get_ydata().tolist()) == ([2.5, 17.0], [2, 0])
    assert "server stops: 2" in key(ax)


def dense():
    simulation = Simulation(
        producers=[Producer("edits", Poisson(30.0))], buffers=[JobBuffer("search", policy=FlushAtSize(4))], until=400.0
    )
    return simulation.run(seed=1)


def test_many_flushes_show_their_range_and_a_strip_of_causes():
    result = dense()
    assert len(result.flushes) > 2000
    ax = result.plot.buffer_size()
    assert key(ax)[1:] == ["least to most in each 1.33 s", "average of each 1.33 s"]
    assert ax.get_ylim()[0] < 0.0
    average = ax.lines[0].get_ydata()
    assert average.mean() == pytest.approx(result.metric("mean_buffer_size_jobs"), rel=0.01)
    assert sum(line.get_marker() == "o" for line in ax.lines) == 1


def test_two_results_are_panels_on_one_scale():
    today = models.worked(policy=NeverFlush()).run(seed=1)
    axes = BufferSize([today, models.worked_run()], labels=["today", "better"]).draw()
    assert isinstance(axes, np.ndarray)
    assert [ax.get_title(loc="left") for ax in axes] == [
        "today: peak 6, average 4.33 jobs",
        "better: peak 3, average 0.875 jobs",
    ]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[0].get_xlim() == axes[1].get_xlim()


def test_buffers_are_panels_each_with_its_policy():
    axes = models.run_of_two_buffers().plot.buffer_size()
    assert [ax.get_title(loc="left").partition(":")[0] for ax in axes] == ["index buffer", "email buffer"]
    assert isinstance(models.run_of_two_buffers().plot.buffer_size(buffer="email buffer"), Axes)


def test_what_is_empty_says_why():
    never, empty = models.run_without_flushes().plot.buffer_size(), models.run_without_jobs().plot.buffer_size()
    assert any(text.startswith("No flush: the policy never came due") for text in texts(never))
    assert "No jobs came into this buffer." in texts(empty)
    assert empty.get_ylim()[1] > 0.0
