from __future__ import annotations

import pytest
from bufsim_tests import models

from bufsim import (
    FlushAt,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Storage,
    vendure,
)
from bufsim.plots import LossAtStop


def rows(frame, part, *columns):
    return list(frame.loc[frame["part"] == part, list(columns)].itertuples(index=False, name=None))


def texts(ax):
    return [text.get_text() for text in ax.texts]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def near(pairs):
    return [(jobs, pytest.approx(share)) for jobs, share in pairs]


def test_the_loss_is_the_level_weighted_by_time():
    frame = models.worked_run().plot.loss_at_stop.frame()
    # of 20 s, see models.py
    assert rows(frame, "buffered", "lost", "share") == near([(0, 8 / 20), (1, 6.5 / 20), (2, 5.5 / 20)])
    assert rows(frame, "in_flight", "lost", "share") == near([(0, 17 / 20), (1, 1 / 20), (2, 1 / 20), (3, 1 / 20)])
    assert rows(frame, "total", "lost", "share") == near([(0, 5 / 20), (1, 7.5 / 20), (2, 6.5 / 20), (3, 1 / 20)])
    assert rows(frame, "total", "lost", "share_more") == near([(0, 0.75), (1, 0.375), (2, 0.05), (3, 0.0)])
    assert rows(frame, "observed") == rows(frame, "queue") == []


def test_durable_storage_loses_what_is_in_flight_only():
    frame = models.worked(storage=Storage(durable=True)).run(seed=1).plot.loss_at_stop.frame()
    assert rows(frame, "buffered") == []
    assert rows(frame, "total", "lost", "share") == rows(frame, "in_flight", "lost", "share")


def test_a_volatile_queue_loses_its_jobs_too():
    frame = models.worked(durable_queue=False).run(seed=1).plot.loss_at_stop.frame()
    # queue: 3 jobs from 4 s, 2 from 6, 1 from 8 to 12 (one goes at 10, one comes), 2 from 17.5, 1 from 19.5
    assert rows(frame, "queue", "lost", "share") == near([(0, 9.5 / 20), (1, 4.5 / 20), (2, 4 / 20), (3, 2 / 20)])


def test_only_volatile_storages_and_queues_lose_their_jobs():
    at_two = {"policy": FlushAt([2.0])}
    buffers = [
        JobBuffer("kept", **at_two, collect="x", storage=Storage(durable=True)),
        JobBuffer("memory", **at_two, collect="y"),
    ]
    workers = [PushWorkers(1, service=2.0)]
    jobs = models.producer([1.0, 1.0, 1.5, 6.0], queues=["x", "y", "y", "x"])
    run = models.simulate(jobs, *buffers, workers=workers, durable_queue=["x"], until=10.0)
    frame = run.plot.loss_at_stop.frame()
    # memory: 1 from 1 s, 2 from 1.5 to 2 s; queue y: 2 from 2 s, the first is done at 4 s, the second at 6 s
    assert rows(frame, "buffered", "lost", "share") == near([(0, 9 / 10), (1, 0.5 / 10), (2, 0.5 / 10)])
    assert rows(frame, "queue", "lost", "share") == near([(0, 6 / 10), (1, 2 / 10), (2, 2 / 10)])
    assert rows(frame, "total", "lost", "share") == near([(0, 5 / 10), (1, 2.5 / 10), (2, 2.5 / 10)])
    assert run.metric("mean_loss_at_stop_jobs") == pytest.approx(7.5 / 10)
    ax = run.plot.loss_at_stop()
    assert any(text.startswith("partly durable storage, partly durable queue · ") for text in texts(ax))


def split(jobs):
    """Reduce two jobs to new ones, one in queue x and one in y, so that no task is known to carry them."""
    return [vendure.Job(queue_name=queue) for queue in ("x", "y")]


def test_a_job_whose_task_is_not_known_is_where_the_tasks_of_its_flush_are():
    buffer = JobBuffer("b", policy=FlushAtSize(2), reduce=split)
    workers = [PushWorkers(1, queue="x", service=5.0), PushWorkers(1, queue="y", service=2.0)]
    options = {"workers": workers, "storage": Storage(durable=True), "until": 10.0}
    # both jobs are there from 1 s: in x until 6 s, in y until 3 s
    for durable, span in ((["y"], 5), (["x"], 2), (False, 5)):
        run = models.simulate(models.producer([1.0, 1.0], queues=["x", "y"]), buffer, durable_queue=durable, **options)
        frame = run.plot.loss_at_stop.frame()
        assert rows(frame, "total", "lost", "share") == near([(0, 1 - span / 10), (2, span / 10)])
        assert run.metric("mean_loss_at_stop_jobs") == pytest.approx(2 * span / 10)


def test_the_stops_of_the_run_are_counted_each():
    frame = models.stopped_run().plot.loss_at_stop.frame()
    assert rows(frame, "observed", "lost", "share", "share_more") == [(2, 1.0, 0.0)]


def test_a_stop_that_loses_nothing_counts():
    frame = models.worked(stops=Stops(at=[0.5, 11.0, 13.0])).run(seed=1).plot.loss_at_stop.frame()
    assert rows(frame, "observed", "lost", "share") == near([(0, 2 / 3), (2, 1 / 3)])


def test_the_time_in_which_the_server_is_down_does_not_count():
    # up: [0, 2.5) with 1, 0.5 s at 1 and 2; then down to the end
    frame = models.worked(stops=Stops(at=[2.5], downtime=100.0)).run(seed=1).plot.loss_at_stop.frame()
    assert rows(frame, "total", "lost", "share") == near([(0, 1 / 2.5), (1, 1 / 2.5), (2, 0.5 / 2.5)])


def test_the_warm_up_does_not_count():
    frame = models.worked(warm_up=16.5).run(seed=1).plot.loss_at_stop.frame()
    assert rows(frame, "total", "lost", "share") == near([(0, 2.5 / 3.5), (2, 1 / 3.5)])


def test_stops_at_random_moments_lose_what_the_plot_says():
    simulation = Simulation(
        producers=[Producer("edits", Poisson(10.0))],
        buffers=[JobBuffer("search", policy=FlushEvery(10.0), flush_time=1.0)],
        until=40_000.0,
        stops=Stops(mean_time_between=60.0, downtime=1.0),
    )
    frame = simulation.run(seed=1).plot.loss_at_stop.frame()
    mean = {part: (rows["lost"] * rows["share"]).sum() for part, rows in frame.groupby("part", observed=True)}
    # about 650 stops, each with a standard deviation of about 30 jobs
    assert mean["observed"] == pytest.approx(mean["total"], abs=5.0)
    assert mean["total"] == pytest.approx(55.0, abs=3.0)


def test_title_and_labels_say_what_is_seen():
    result = models.worked_run()
    ax = result.plot.loss_at_stop()
    assert ax.get_title(loc="left") == "Loss at a random stop: mean 1.17, p99 3 jobs"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("jobs lost", "chance that more are lost")
    assert {"mean 1.17", "p99 3", "nothing lost: 25 %"} <= set(texts(ax))
    assert key(ax) == ["lost", "of which in the buffers", "of which in flight"]
    assert result.metric("mean_loss_at_stop_jobs") == pytest.approx(1.175)
    assert result.metric("p99_loss_at_stop_jobs") == 3.0


def test_the_curve_starts_at_1_and_falls_by_what_is_lost_at_each_number():
    ax = models.worked_run().plot.loss_at_stop()
    line = ax.lines[0]
    assert line.get_xdata().tolist() == [0, 0, 1, 2, 3]
    assert line.get_ydata().tolist() == pytest.approx([1.0, 0.75, 0.375, 0.05, 0.0])


def test_only_what_can_be_lost_is_named():
    ax = models.worked(flush_time=0.0).run(seed=1).plot.loss_at_stop()
    assert key(ax) == ["lost: what is in the buffers"]
    assert any(text.startswith("volatile storage, durable queue · one run, seed 1") for text in texts(ax))


def test_the_stops_of_the_run_are_crosses():
    ax = models.stopped_run().plot.loss_at_stop()
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert (cross.get_xdata().tolist(), cross.get_ydata().tolist()) == ([2], [0.5])
    assert "stops of this run: 2" in key(ax)


def test_a_log_axis_shows_rare_losses():
    ax = models.worked_run().plot.loss_at_stop(log=True)
    assert ax.get_yscale() == "log"
    assert ax.lines[0].get_ydata().min() == ax.get_ylim()[0]


def test_several_results_lie_over_each_other():
    other = models.worked(policy=FlushAtSize(2)).run(seed=1)
    ax = LossAtStop([models.worked_run(), other], labels=["today", "better"]).draw()
    assert key(ax)[0] == "today: mean 1.17, p99 3 jobs"
    assert len(key(ax)) == 2


def test_a_run_that_can_lose_nothing_says_so():
    ax = models.run_without_jobs().plot.loss_at_stop()
    assert "A stop at any moment would lose nothing." in texts(ax)
    assert models.run_without_jobs().plot.loss_at_stop.frame()["lost"].eq(0).all()


def test_a_server_that_is_down_all_the_time_cannot_stop():
    run = models.worked(stops=Stops(at=[1.0], downtime=100.0), warm_up=2.0).run(seed=1)
    assert len(run.plot.loss_at_stop.frame()) == 0
    assert "The server was down from the warm-up on" in texts(run.plot.loss_at_stop())[-1]
