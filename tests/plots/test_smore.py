"""Jobs that wait 0, 1, ..., n − 1 s in each batch of n: mean, median, 5 % and 95 % are those of so many numbers."""

from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models
from scipy import stats

from bufsim import Poisson, UniqueByKey, Zipf

PARTS = ("mean", "p5", "median", "p95")
BIN = 1 / 512
"""Waits are kept in bins of at most this share of them."""


def marks(ax, marker):
    return [float(one.get_xdata()[0]) for one in ax.lines if one.get_marker() == marker]


def test_of_waits_each_part_is_the_least_with_its_share_at_or_below_it():
    frame = models.exact_study().plot.smore.frame()
    assert frame["label"].tolist() == ["size 2", "size 4", "size 8"]
    assert frame["mean"].tolist() == [0.5, 1.5, 3.5]
    for part, q in (("p5", 0.05), ("median", 0.5), ("p95", 0.95)):
        exact = [np.quantile(np.arange(float(size)), q, method="inverted_cdf") for size in (2, 4, 8)]
        assert frame[part].tolist() == pytest.approx(exact, rel=BIN, abs=0.0)
        assert (frame[f"{part}_low"] <= frame[part]).all()
        assert (frame[part] <= frame[f"{part}_high"]).all()
    assert frame["ties"].tolist() == [()] * 3
    assert frame["today"].tolist() == [False, True, False]


def test_of_a_level_they_are_the_sizes_by_the_time_at_them():
    # from second k to k + 1 of 41 the buffer holds k mod n jobs
    frame = models.exact_study().plot.smore.frame("buffer_size")
    for size, row in zip((2, 4, 8), frame.itertuples(), strict=True):
        levels = np.arange(41) % size
        assert row.mean == pytest.approx(levels.mean())
        exact = [np.quantile(levels, q, method="inverted_cdf") for q in (0.05, 0.5, 0.95)]
        assert [row.p5, row.median, row.p95] == exact


def test_what_is_drawn_is_the_frame_the_best_on_top_under_a_label_with_its_unit():
    ax = models.exact_study().plot.smore()
    frame = models.exact_study().plot.smore.frame()
    assert marks(ax, "o") == frame["mean"].tolist()
    assert marks(ax, "D") == frame["median"].tolist()
    assert marks(ax, "|") == frame[["p5", "p95"]].to_numpy().ravel().tolist()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["size 2", "size 4 (today)", "size 8"]
    assert ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xlabel() == "wait, s; p5 and p95 over jobs"
    level = models.exact_study().plot.smore("buffer_size")
    assert level.get_xlabel() == "buffer size, jobs; p5 and p95 over the time"


def test_where_more_is_better_the_highest_stands_on_top():
    share = models.studied(
        models.edits(Poisson(10.0), until=20.0, reduce=UniqueByKey(), keys=Zipf(5, 1.0)),
        policy=list(models.SIZES),
    )
    assert share.plot.smore.frame("work_saved_share")["label"].tolist() == ["size 8", "size 4", "size 2"]


def test_a_metric_varies_from_run_to_run():
    result = models.noisy_study()
    frame = result.plot.smore.frame("mean_buffer_size_jobs").set_index("scenario")
    for name, values in result.values("mean_buffer_size_jobs").items():
        row = frame.loc[name]
        for part, q in (("p5", 0.05), ("median", 0.5), ("p95", 0.95)):
            assert row[part] == np.quantile(values, q, method="inverted_cdf")
        ends = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
        assert (row["mean"], row["mean_low"], row["mean_high"]) == pytest.approx((values.mean(), *ends))
        # eight runs bound neither end
        assert (row["p5_low"], row["p95_high"]) == (-np.inf, np.inf)
    ax = result.plot.smore("mean_buffer_size_jobs")
    assert ax.get_xlabel() == "buffer size, jobs; p5 and p95 over replications"
    # an arrow for each end that is left open
    assert len([text for text in ax.texts if text.arrow_patch is not None]) == int(
        np.isinf(frame[["p5_low", "p5_high", "median_low", "median_high", "p95_low", "p95_high"]]).to_numpy().sum()
    )


def test_a_bracket_joins_what_no_pair_shows_apart():
    result = models.noisy_study()
    frame = result.plot.smore.frame("mean_buffer_size_jobs")
    apart = {
        frozenset((row.first, row.second))
        for row in result.compare("mean_buffer_size", pairs="all").rows
        if row.verdict in ("better", "worse", "lower", "higher")
    }
    names, ties = frame["scenario"].tolist(), frame["ties"].tolist()
    for a, of_a in zip(names, ties, strict=True):
        for b, of_b in zip(names, ties, strict=True):
            if a != b:
                assert bool(set(of_a) & set(of_b)) == (frozenset((a, b)) not in apart)
    ax = result.plot.smore("mean_buffer_size_jobs")
    brackets = [one for one in ax.lines if len(one.get_xdata()) == 4]
    assert len(brackets) == len({number for tie in ties for number in tie})
    for number, bracket in enumerate(brackets):
        rows = [place for place, tie in enumerate(ties) if number in tie]
        assert (bracket.get_ydata()[0], bracket.get_ydata()[-1]) == (rows[0] - 0.25, rows[-1] + 0.25)
