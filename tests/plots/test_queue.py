from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from matplotlib.axes import Axes

from bufsim import FlushAtSize, JobBuffer, Poisson, Producer, PushWorkers, Simulation
from bufsim.plots import Queue


def rows(frame, mark, *columns):
    return list(frame.loc[frame["mark"] == mark, list(columns)].itertuples(index=False, name=None))


def texts(ax):
    return [text.get_text() for text in ax.texts]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_frame_holds_what_waits_what_is_served_and_what_each_flush_brought():
    frame = models.worked_run().plot.queue.frame()
    assert rows(frame, "waiting", "time", "jobs") == [(0, 0), (4, 2), (6, 1), (8, 0), (10, 0), (17.5, 1), (19.5, 0)]
    assert rows(frame, "in_service", "time", "jobs")[:3] == [(0, 0), (4, 1), (6, 1)]
    assert rows(frame, "flush", "time", "jobs", "cause") == [
        (4, 3, "FlushAtSize(3)"),
        (10, 1, "FlushAfterAge(5.0)"),
        (17.5, 2, "FlushAfterAge(5.0)"),
    ]


def test_a_mark_stands_at_each_flush_s_end_at_the_queue_it_leaves_behind():
    ax = models.worked_run().plot.queue()
    marks = {line.get_marker(): (line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines[1:]}
    assert marks == {"o": ([4.0], [2]), "^": ([10.0, 17.5], [0, 1])}


def test_the_busy_workers_have_a_strip_of_their_own():
    ax = models.worked_run().plot.queue()
    (strip,) = ax.child_axes
    assert strip.lines[0].get_ydata().tolist() == [0, 1, 1, 1, 1, 0, 1, 1, 1]
    assert strip.get_ylabel() == "busy\nworkers"
    # the strip lies below the queue's 0
    foot = ax.transAxes.inverted().transform(ax.transData.transform((0.0, 0.0)))[1]
    assert foot > 0.19


def test_title_and_labels_say_what_is_seen():
    result = models.worked_run()
    ax = result.plot.queue()
    # busy from 4 to 12 and from 17.5 to 20
    assert ax.get_title(loc="left") == "Queue default: peak 2 waiting, workers 52.5 % busy"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, s", "waiting, jobs")
    assert key(ax) == ["FlushAtSize(3): 1", "FlushAfterAge(5.0): 2"]
    assert result.metric("utilisation") == pytest.approx(0.525)


def test_a_queue_without_workers_has_no_strip():
    ax = models.worked(workers=[]).run(seed=1).plot.queue()
    assert ax.child_axes == []
    assert ax.get_title(loc="left") == "Queue default: peak 6 waiting, no workers"


def test_stops_are_crosses_at_what_waited():
    ax = models.stopped_run().plot.queue()
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert cross.get_xdata().tolist() == [2.5, 17.0]


def test_queues_are_panels():
    axes = models.run_of_two_buffers().plot.queue()
    assert isinstance(axes, np.ndarray)
    assert isinstance(models.run_of_two_buffers().plot.queue(queue="email"), Axes)


def test_several_results_lie_over_each_other():
    ax = Queue([models.worked_run(), models.run_without_flushes()], labels=["today", "never"]).draw()
    assert key(ax) == ["today: peak 2 waiting, workers 52.5 % busy", "never: peak 0 waiting, workers 0 % busy"]


@pytest.mark.parametrize("size", [4, 40])
def test_a_queue_behind_many_flushes_shows_its_range(size):
    simulation = Simulation(
        producers=[Producer("edits", Poisson(30.0))],
        buffers=[JobBuffer("search", policy=FlushAtSize(size))],
        workers=[PushWorkers(2, service=0.05)],
        until=400.0,
    )
    result = simulation.run(seed=1)
    assert (len(result.flushes) > 2000) == (size == 4)
    ax = result.plot.queue()
    assert "average and range in each 1.33 s" in key(ax)


@pytest.mark.parametrize("run", [models.run_without_flushes, models.run_without_jobs])
def test_a_queue_without_jobs_says_so(run):
    assert "No job came to this queue." in texts(run().plot.queue())
