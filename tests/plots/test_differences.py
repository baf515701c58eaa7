"""Waits of 0.5, 1.5 and 3.5 s in the mean, the same in every replication; and noisy ones against a t interval."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bufsim_tests import models
from scipy import stats

from bufsim import Capacity, FlushAfterAge, FlushAtSize, FlushEvery, JobBuffer, cost
from bufsim.errors import InvalidValueError


def marks(ax):
    """Return where the marks stand, and whether they are filled."""
    found = [line for line in ax.lines if line.get_marker() == "o"]
    return [(float(line.get_xdata()[0]), line.get_markerfacecolor() != "white") for line in found]


def bars(ax, width):
    """Return the ends of the lines of a width, row by row."""
    drawn = [one for one in ax.collections if len(one.get_linewidths()) and one.get_linewidths()[0] == width]
    return [tuple(segment[:, 0]) for one in drawn for segment in one.get_segments()]


def test_against_today_each_difference_is_that_of_the_means():
    frame = models.exact_study().plot.differences.frame()
    assert frame[["first", "second"]].to_numpy().tolist() == [
        ["FlushAtSize(2)", "FlushAtSize(4)"],
        ["FlushAtSize(8)", "FlushAtSize(4)"],
    ]
    for end in ("difference", "low", "high", "raw_low", "raw_high"):
        assert frame[end].tolist() == [0.5 - 1.5, 3.5 - 1.5]
    assert frame["verdict"].tolist() == ["better", "worse"]
    assert set(frame["unit"]) == {"s"}
    assert frame["margin"].isna().all()


def test_what_is_drawn_is_the_frame_under_a_label_with_its_unit():
    ax = models.exact_study().plot.differences()
    assert marks(ax) == [(-1.0, True), (2.0, True)]
    assert ax.get_xlabel() == "← better    mean wait: difference from size 4, s    worse →"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["size 2", "size 8"]
    assert {"better", "worse", "-1 [-1, -1] s", "2 [2, 2] s"} <= {text.get_text() for text in ax.texts}


def test_several_metrics_are_shares_of_the_second_mean():
    frame = models.exact_study().plot.differences.frame(["mean_wait", "flush_rate"])
    assert frame["difference"].tolist() == pytest.approx([-100.0 / 1.5, 200.0 / 1.5, 100.0, -50.0])
    assert set(frame["unit"]) == {"%"}
    assert models.exact_study().plot.differences(["mean_wait", "flush_rate"]).get_xlabel() == "difference, % of size 4"
    assert marks(models.exact_study().plot.differences(relative=True))[0][0] == pytest.approx(-100.0 / 1.5)


def test_all_pairs_are_first_minus_second_and_a_pair_turned_round_changes_its_sign():
    frame = models.exact_study().plot.differences.frame(pairs="all")
    assert frame["difference"].tolist() == [0.5 - 1.5, 0.5 - 3.5, 1.5 - 3.5]
    turned = models.exact_study().plot.differences.frame(pairs=[(FlushAtSize(8), FlushAtSize(2))])
    assert (turned["difference"].tolist(), turned["verdict"].tolist()) == ([3.0], ["worse"])


def test_a_difference_within_the_margin_is_equivalent_hollow_and_in_the_band():
    frame = models.exact_study().plot.differences.frame(margin="1.2s")
    assert frame["verdict"].tolist() == ["equivalent", "worse"]
    assert frame["margin"].tolist() == [1.2, 1.2]
    ax = models.exact_study().plot.differences(margin="1.2s")
    assert marks(ax) == [(-1.0, False), (2.0, True)]
    bands = [
        one.get_paths()[0].get_extents() for one in ax.collections if type(one).__name__ == "FillBetweenPolyCollection"
    ]
    assert [(band.x0, band.x1) for band in bands] == [(-1.2, 1.2)] * 2


def test_noisy_intervals_are_those_of_paired_differences_alone_and_by_bonferroni_at_most():
    result = models.noisy_study()
    sizes = result.values("mean_buffer_size")
    frame = result.plot.differences.frame("mean_buffer_size")
    assert len(frame) == 3
    for row in frame.itertuples():
        gaps = (sizes[row.first] - sizes[row.second]).to_numpy()
        alone = stats.t.interval(0.95, len(gaps) - 1, gaps.mean(), stats.sem(gaps))
        assert (row.difference, row.raw_low, row.raw_high) == pytest.approx((gaps.mean(), *alone))
        most = stats.t.interval(1.0 - 0.05 / 3, len(gaps) - 1, gaps.mean(), stats.sem(gaps))
        assert most[0] - 1e-9 <= row.low <= row.raw_low <= row.raw_high <= row.high <= most[1] + 1e-9
        assert row.n == 8
    ax = result.plot.differences("mean_buffer_size")
    np.testing.assert_allclose(bars(ax, 1.0), frame[["low", "high"]])
    np.testing.assert_allclose(bars(ax, 3.4), frame[["raw_low", "raw_high"]])
    assert "mean buffer size: difference from" in ax.get_xlabel()
    assert ax.get_xlabel().count(", jobs") == 1


def test_a_pair_that_is_none_is_an_error():
    with pytest.raises(InvalidValueError, match="pairs must be 'all' or hold pairs of two scenarios, got 'size 2'"):
        models.exact_study().plot.differences(pairs=["size 2"])


def test_a_quantile_of_too_few_flushes_is_open_to_both_edges_and_says_how_many_it_needs():
    # 4 runs of some 15 and 60 flushes, of 368 that p99 needs; a median needs 6
    scenarios = {name: models.drawn(FlushAtSize(size), rate=1.0, until=300.0) for name, size in (("A", 20), ("B", 5))}
    result = models.Study(scenarios, seed=3, baseline="A").run(4, progress=False)
    ax = result.plot.differences(["p99_wait", "p50_wait"])
    left, right = ax.get_xlim()
    frame = result.plot.differences.frame(["p99_wait", "p50_wait"])
    assert frame["verdict"].tolist() == ["not separable", "better"]
    assert np.isinf(frame[["low", "high", "raw_low", "raw_high"]].to_numpy()).all(axis=1).tolist() == [True, False]
    assert (bars(ax, 1.0)[0], len(bars(ax, 3.4))) == ((left, right), 1)
    assert left < frame["low"][1] < frame["high"][1] < right
    arrows = {line.get_marker(): line.get_xydata().tolist() for line in ax.lines if line.get_marker() in "<>"}
    assert arrows == {"<": [[left, 0.0]], ">": [[right, 0.0]]}
    texts = [text.get_text() for text in ax.texts]
    assert "not separable (368 flushes needed)" in texts
    assert any(text.endswith(" [open, open] %") for text in texts)


def heights(texts, figure):
    """Return the extents of texts from bottom to top, in pixels."""
    found = [text.get_window_extent(figure.canvas.get_renderer()) for text in texts if text.get_text()]
    return sorted((box.y0, box.y1) for box in found)


@pytest.mark.parametrize(("size", "every"), [((6.0, 5.0), 1), ((4.0, 2.5), 2)])
def test_on_low_axes_the_names_of_36_pairs_do_not_overlap_and_those_left_out_are_counted(size, every):
    policies = [FlushAtSize(size) | FlushAfterAge(age) for size in (2, 4, 8) for age in (5.0, 6.0, 7.0)]
    result = models.Study(models.drawn(until=60.0), policy=policies, seed=1).run(3, progress=False, engine="simpy")
    figure, ax = plt.subplots(figsize=size)
    result.plot.differences(pairs="all", ax=ax)
    names = [label for label in ax.get_yticklabels() if label.get_text()]
    verdicts = [text for text in ax.texts if text.get_text().startswith(("better", "worse", "identical", "not"))]
    assert (len(names), len(verdicts)) == (36 // every, 36 // every)
    figure.canvas.draw()
    for texts in (names, verdicts):
        extents = heights(texts, figure)
        assert all(low >= high - 0.5 for (_, high), (low, _) in pairwise(extents))
    said = " ".join(text.get_text() for text in ax.texts)
    assert ("1 of 2 rows is named" in said.replace("\n", " ")) == (every == 2)
    assert len(result.plot.differences.frame(pairs="all")) == 36
    plt.close(figure)


def test_a_loss_that_nobody_saw_says_how_many_runs_would_bound_it():
    def model(size):
        buffer = JobBuffer("search", policy=FlushAtSize(size), capacity=Capacity(jobs=100))
        return replace(models.drawn(rate=1.0, until=20.0), buffers=[buffer])

    result = models.Study({"150": model(150), "160": model(160)}, seed=3).run(10, progress=False, engine="simpy")
    # by hand: ln 0.05 / ln 0.99 = 298.1
    texts = [text.get_text() for text in result.plot.differences("lost_share").texts]
    assert "not separable (none seen, n ≈ 300 bounds it)" in texts
    plt.close("all")


def test_a_cost_with_a_loss_that_nobody_saw_says_so_beside_the_runs_that_it_needs():
    def model(period):
        buffer = JobBuffer("search", policy=FlushEvery(period), capacity=Capacity(jobs=100))
        return replace(models.drawn(rate=1.0, until=20.0), buffers=[buffer])

    result = models.Study({"1 s": model(1.0), "2 s": model(2.0)}, seed=3).run(10, progress=False, engine="simpy")
    texts = [text.get_text() for text in result.plot.differences(cost(per_job_second=1.0, per_lost_job=2.0)).texts]
    assert any(re.fullmatch(r"not separable \(none seen, n ≈ \d+\)", text) for text in texts)
    # negative control: without the loss it is told apart
    texts = [text.get_text() for text in result.plot.differences(cost(per_job_second=1.0)).texts]
    assert "better" in texts
    plt.close("all")
