"""A metric over the first 2, 3, ... replications against a t interval of their values, in a few lines."""

from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.plots.replications import odd

METRIC = "mean_buffer_size"
TODAY = "FlushAtSize(20)"


def runs():
    return models.noisy_study().values(METRIC)[TODAY].to_numpy()


def t_interval(values, confidence=0.95):
    return stats.t.interval(confidence, len(values) - 1, values.mean(), stats.sem(values))


def test_each_row_has_the_run_by_itself_and_the_interval_over_all_so_far():
    frame, values = models.noisy_study().plot.replications.frame(METRIC), runs()
    assert frame["value"].tolist() == values.tolist()
    assert frame["replication"].tolist() == list(range(8))
    assert frame["n"].tolist() == list(range(1, 9))
    assert frame.loc[0, ["estimate", "low", "high"]].isna().all()
    for n in range(2, 9):
        row = frame.loc[n - 1]
        assert (row["estimate"], row["low"], row["high"]) == pytest.approx((values[:n].mean(), *t_interval(values[:n])))


def test_of_runs_that_are_the_same_the_interval_is_their_value():
    frame = models.exact_study().plot.replications.frame("mean_wait", scenario="size 8")
    assert frame["value"].tolist() == [3.5] * 3
    assert frame["low"].tolist()[1:] == frame["high"].tolist()[1:] == [3.5] * 2
    assert not frame["odd"].any()


def test_needed_are_as_many_as_narrow_the_interval_to_what_is_wanted():
    values = runs()
    wanted = 0.25 * float(np.diff(t_interval(values))[0]) / 2.0
    (needed,) = set(models.noisy_study().plot.replications.frame(METRIC, half_width=wanted)["needed"])

    def reach(n):
        return stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)

    assert reach(needed) <= wanted < reach(needed - 1)
    assert models.noisy_study().plot.replications.frame(METRIC)["needed"].isna().all()
    # what is reached needs no more
    assert set(models.noisy_study().plot.replications.frame(METRIC, half_width=100.0)["needed"]) == {8}


def test_what_is_drawn_is_the_frame_under_labels_with_units():
    result = models.noisy_study()
    frame = result.plot.replications.frame(METRIC).loc[1:]
    ax = result.plot.replications(METRIC)
    [line] = [one for one in ax.lines if one.get_label() == "over all so far"]
    assert list(line.get_xdata()) == list(range(2, 9))
    np.testing.assert_allclose(line.get_ydata(), frame["estimate"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("replications", "mean buffer size, jobs")
    [below] = [other for other in ax.figure.axes + ax.child_axes if other is not ax]
    assert below.get_xlabel() == "mean buffer size, jobs: each replication by itself"


def test_the_band_ends_at_the_last_interval():
    result = models.noisy_study()
    last = result.plot.replications.frame(METRIC).loc[7]
    ax = result.plot.replications(METRIC)
    corners = ax.collections[0].get_paths()[0].vertices
    at_the_end = corners[corners[:, 0] == 8.0][:, 1]
    assert (at_the_end.min(), at_the_end.max()) == pytest.approx((last["low"], last["high"]))


def test_the_half_width_wanted_lies_round_the_last_estimate():
    ax = models.noisy_study().plot.replications(METRIC, half_width=0.5)
    dashed = [one.get_ydata()[0] for one in ax.lines if one.get_linestyle() == "--"]
    middle = runs().mean()
    assert dashed == pytest.approx([middle - 0.5, middle + 0.5])
    share = models.noisy_study().plot.replications(METRIC, half_width="10 %")
    assert [one.get_ydata()[0] for one in share.lines if one.get_linestyle() == "--"] == pytest.approx(
        [0.9 * middle, 1.1 * middle]
    )


def test_odd_runs_are_those_beyond_the_quartiles_by_half_as_much_again_as_their_distance():
    # quartiles 2 and 4: beyond −1 and 7
    values = np.array([1.0, 2.0, 3.0, 4.0, 7.5])
    assert odd(values).tolist() == [False] * 4 + [True]
    assert not odd(np.array([-1.0, 2.0, 3.0, 4.0, 7.0])).any()


def test_half_a_width_of_0_is_an_error_that_says_why():
    with pytest.raises(
        InvalidValueError, match=r"half_width 10 % of empty_tick_count, which is 0, is 0; give an amount"
    ):
        models.exact_study().plot.replications("empty_tick_count", half_width="10 %")
