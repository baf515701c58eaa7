from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from matplotlib.axes import Axes

from bufsim import FlushAfterAge, FlushAtSize, UniqueByKey
from bufsim.plots import BatchSizes

SIZE, AGE = "FlushAtSize(3)", "FlushAfterAge(5.0)"


def rows(frame, stage):
    columns = ["size", "cause", "flushes", "share", "job_share"]
    return [tuple(row) for row in frame.loc[frame["stage"] == stage, columns].itertuples(index=False)]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def bars(ax):
    return [(bar.get_x(), bar.get_height()) for bar in ax.patches if hasattr(bar, "get_height") and bar.get_height()]


def reduced():
    return models.worked(reduce=UniqueByKey(), keys=["a", "a", "b", "a", "b", "b"]).run(seed=1)


def test_the_frame_counts_flushes_by_size_and_cause():
    third, sixth = pytest.approx(1 / 3), pytest.approx(1 / 6)
    expected = [(1, AGE, 1, third, sixth), (2, AGE, 1, third, third), (3, SIZE, 1, third, pytest.approx(0.5))]
    frame = models.worked_run().plot.batch_sizes.frame()
    assert rows(frame, "taken") == expected
    assert rows(frame, "reduced") == expected


def test_the_frame_counts_what_reduce_left():
    # {a a b} leaves 2, {a} 1, {b b} 1
    frame = reduced().plot.batch_sizes.frame()
    third, half = pytest.approx(1 / 3), pytest.approx(0.5)
    assert rows(frame, "reduced") == [(1, AGE, 2, pytest.approx(2 / 3), half), (2, SIZE, 1, third, half)]


def test_a_flush_without_an_end_has_no_reduced_size():
    frame = models.stopped_run().plot.batch_sizes.frame()
    assert frame.loc[frame["stage"] == "taken", "flushes"].sum() == 2
    assert frame.loc[frame["stage"] == "reduced", "flushes"].sum() == 1


def test_flushes_of_the_warm_up_are_left_out():
    frame = models.worked(warm_up=9.0).run(seed=1).plot.batch_sizes.frame()
    assert rows(frame, "taken")[0][:3] == (1, AGE, 1)
    assert frame.loc[frame["stage"] == "taken", "flushes"].sum() == 2


def test_the_bars_are_the_shares_of_each_cause():
    ax = models.worked_run().plot.batch_sizes()
    third = pytest.approx(1 / 3)
    assert bars(ax) == [(2.5, third), (0.5, third), (1.5, third)]
    assert key(ax)[:2] == [f"{SIZE}: 33.3 %", f"{AGE}: 66.7 %"]


def test_a_cause_of_all_flushes_has_100_percent_of_them():
    times = [float(time) for cycle in range(20) for time in np.linspace(cycle, cycle + 0.1, cycle + 1)]
    result = models.worked(times, policy=FlushAfterAge(0.5), flush_time=0.0, until=30.0).run(seed=1)
    assert key(result.plot.batch_sizes())[0] == "FlushAfterAge(0.5): 100 %"


def test_the_line_is_the_distribution_function():
    ax = models.worked_run().plot.batch_sizes()
    (twin,) = [other for other in ax.figure.axes if other is not ax]
    line = twin.lines[0]
    assert line.get_xdata().tolist()[1:-1] == [1, 2, 3]
    assert line.get_ydata().tolist() == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0, 1.0])
    # its 0 and 100 % stand at the heights of the bars' 0 and of their top
    assert twin.get_ylim()[0] / twin.get_ylim()[1] == pytest.approx(ax.get_ylim()[0] / ax.get_ylim()[1])


def test_without_a_reduction_nothing_lies_below_the_axis():
    assert models.worked_run().plot.batch_sizes().get_ylim()[0] == 0.0


def test_reduced_sizes_are_mirrored_on_a_labelled_scale():
    ax = reduced().plot.batch_sizes()
    below = [(x, height) for x, height in bars(ax) if height < 0.0]
    assert [x for x, _ in below] == [1.5, 0.5]
    # two of three flushes against one
    assert below[1][1] / below[0][1] == pytest.approx(2.0)
    labels = dict(zip(ax.get_yticks(), [text.get_text() for text in ax.get_yticklabels()], strict=True))
    scale = below[0][1] / (1 / 3)
    lower = {tick: text for tick, text in labels.items() if tick < 0.0}
    assert lower
    assert all(float(text.removesuffix(" %")) / 100.0 == pytest.approx(tick / scale) for tick, text in lower.items())
    assert "after reduce: mean 1.33 jobs" in [text.get_text() for text in ax.texts]


def test_title_and_labels_say_what_is_seen():
    result = models.worked_run()
    ax = result.plot.batch_sizes()
    assert ax.get_title(loc="left") == "Batch sizes of search: mean 2, p95 3 jobs"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("batch size, jobs", "share of flushes")
    assert {"mean 2", "p95 3"} <= {text.get_text() for text in ax.texts}
    assert result.metric("mean_batch_size_jobs") == 2.0
    assert result.metric("p95_batch_size_jobs") == 3.0


def test_one_size_alone_is_a_bar_and_not_a_wall():
    ax = models.worked(policy=FlushAtSize(6)).run(seed=1).plot.batch_sizes()
    assert ax.get_xlim()[1] - ax.get_xlim()[0] > 10.0


def test_several_results_lie_over_each_other():
    ax = BatchSizes([models.worked_run(), reduced()], labels=["today", "better"]).draw()
    assert isinstance(ax, Axes)
    assert key(ax) == ["today: mean 2, p95 3 jobs", "better: mean 2, p95 3 jobs"]


def test_buffers_are_panels():
    assert isinstance(models.run_of_two_buffers().plot.batch_sizes(), np.ndarray)


def test_a_run_without_flushes_says_so():
    ax = models.run_without_flushes().plot.batch_sizes()
    assert "No flush started after the warm-up, so" in ax.texts[-1].get_text()
    assert len(models.run_without_flushes().plot.batch_sizes.frame()) == 0
    assert isinstance(BatchSizes([models.run_without_flushes(), models.worked_run()], labels=["a", "b"]).draw(), Axes)
