"""A job every second under FlushAtSize(4): from second k to k + 1 the buffer holds k mod 4 jobs, a bin for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bufsim_tests import models
from scipy import stats

from bufsim import Deterministic, FlushAtSize
from bufsim.errors import InvalidValueError
from bufsim.plots.warm_up import moving_average

BINS = 128
LEVELS = [float(second % 4) for second in range(BINS)]


def counted(warm_up=0.0):
    simulation = replace(models.edits(Deterministic(1.0), until=float(BINS)), warm_up=warm_up)
    return models.studied(simulation, policy=[FlushAtSize(4)])


def centred(values, at, most=5):
    """Return the average over up to five on both sides, as many on one as on the other."""
    reach = min(at, len(values) - 1 - at, most)
    return np.mean(values[at - reach : at + reach + 1])


def line(ax, label):
    [found] = [one for one in ax.lines if one.get_label() == label]
    return found.get_xdata(), found.get_ydata()


def test_each_bin_has_the_level_of_its_second_and_runs_that_are_the_same_have_no_band():
    frame = counted().plot.warm_up.frame()
    assert frame["start"].tolist() == list(map(float, range(BINS)))
    assert (frame["end"] - frame["start"]).tolist() == [1.0] * BINS
    for column in ("mean", "low", "high"):
        np.testing.assert_allclose(frame[column], LEVELS, atol=1e-12)
    assert set(frame["level"]) == {"buffered"}


def test_the_moving_average_is_that_of_the_bins_around():
    frame = counted().plot.warm_up.frame()
    np.testing.assert_allclose(frame["moving_average"], [centred(LEVELS, at) for at in range(BINS)], atol=1e-12)
    assert moving_average(np.array([1.0])).tolist() == [1.0]


def test_what_lies_before_the_warm_up_is_not_counted():
    frame = counted(warm_up=32.0).plot.warm_up.frame()
    assert frame["counted"].tolist() == [False] * 32 + [True] * 96


def test_both_lines_are_drawn_in_the_middle_of_their_bins_under_labels_with_units():
    ax = counted().plot.warm_up()
    frame = counted().plot.warm_up.frame()
    for label, column in (("mean", "mean"), ("moving average", "moving_average")):
        x, y = line(ax, label)
        np.testing.assert_allclose(x, np.arange(BINS) + 0.5)
        np.testing.assert_allclose(y, frame[column])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time, s", "jobs in buffers")
    assert ax.get_xlim() == (0.0, 128.0)


def test_the_warm_up_and_the_cut_are_marked_where_they_are():
    result = counted(warm_up=32.0)
    ax = result.plot.warm_up()
    suggested = set(result.plot.warm_up.frame()["suggested"])
    upright = {float(one.get_xdata()[0]) for one in ax.lines if list(one.get_ydata()) == [0, 1]}
    assert upright == suggested == {32.0}
    said = {text.get_text() for text in ax.texts}
    assert "warm-up 32 s" in said
    assert "MSER-5 cuts no more" in said


@pytest.mark.parametrize("level", ["buffered", "unfinished"])
def test_the_band_is_the_t_interval_of_the_replications_in_each_bin(level):
    result = models.noisy_study()
    frame = result.plot.warm_up.frame(level=level)
    name = frame["scenario"][0]
    table = np.array([getattr(tally, level).averages for tally in result.tallies[name].values()])
    means, errors = table.mean(axis=0), stats.sem(table)
    reach = stats.t.ppf(0.975, len(table) - 1) * errors
    np.testing.assert_allclose(frame["mean"], means)
    np.testing.assert_allclose(frame["low"], means - reach, atol=1e-12)
    np.testing.assert_allclose(frame["high"], means + reach, atol=1e-12)
    # time averages over the bins make that over the run
    whole = [
        getattr(tally, {"buffered": "buffer_levels", "unfinished": "queue_levels"}[level]) for tally in _kept(result)
    ]
    integrals = [(one.size if level == "buffered" else one.unfinished).integral for one in whole]
    np.testing.assert_allclose(frame["mean"].mean(), np.mean(integrals) / 60.0)


def _kept(result):
    return next(iter(result.tallies.values())).values()


def test_a_run_of_too_few_flush_cycles_is_said_to_be_so():
    simulation = models.edits(Deterministic(1.0), until=100.0)
    ax = models.studied(simulation, policy=[FlushAtSize(45)]).plot.warm_up()
    assert ax.get_title(loc="left") == "jobs in buffers: too few flush cycles to judge the start"
    said = " ".join(text.get_text() for text in ax.texts).replace("\n", " ")
    assert "The start cannot be judged, since the runs hold 2.2 flush cycles" in said


def test_a_level_that_is_none_is_an_error():
    with pytest.raises(InvalidValueError, match="level must be one of 'buffered', 'unfinished', got 'queued'"):
        counted().plot.warm_up(level="queued")
