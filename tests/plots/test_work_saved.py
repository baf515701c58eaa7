"""Eight jobs, a a a a b b b b, one a second: what reduce saves of them is counted on the fingers."""

from __future__ import annotations

import pytest
from bufsim_tests import models

from bufsim import FlushAtSize, FlushEvery, InvalidValueError, Merge, PushWorkers, Trace, UniqueByKey

SIZES = [FlushAtSize(2), FlushAtSize(4), FlushAtSize(8)]
JOBS = Trace([float(second) for second in range(1, 9)], keys=list("aaaabbbb"))


def unique():
    """Batches aa, bb leave 1 job each, aaaa, bbbb too, and aaaabbbb leaves 2."""
    return models.studied(models.edits(JOBS, reduce=UniqueByKey()), policy=SIZES, baseline=SIZES[1])


def merged():
    """A batch of n leaves 1 job of n items, each of which takes a worker half a second."""
    workers = [PushWorkers(1, service=1.0, per_item=0.5)]
    return models.studied(models.edits(JOBS, reduce=Merge(), workers=workers), policy=SIZES, baseline=SIZES[1])


def right_of(left):
    [right] = [ax for ax in left.figure.axes if ax is not left]
    return right


def curve(ax, marker):
    [line] = [line for line in ax.lines if line.get_marker() == marker]
    return list(line.get_xdata()), list(line.get_ydata())


def test_of_unique_keys_the_share_saved_and_the_jobs_left_at_once_are_those_of_the_batches():
    frame = unique().plot.work_saved.frame()
    assert frame["x"].tolist() == [2.0, 4.0, 8.0]
    for end in ("saved", "saved_low", "saved_high"):
        assert frame[end].tolist() == [0.5, 0.75, 0.75]
    for end in ("largest", "largest_low", "largest_high"):
        assert frame[end].tolist() == [1.0, 1.0, 2.0]
    assert set(frame["metric"]) == {"most jobs at once after reduce"}
    assert set(frame["unit"]) == {"jobs"}
    assert frame["today"].tolist() == [False, True, False]


def test_of_merged_jobs_the_right_axis_has_the_longest_job():
    frame = merged().plot.work_saved.frame()
    assert frame["saved"].tolist() == [1 / 2, 3 / 4, 7 / 8]
    # 1 s and half a second an item
    assert frame["largest"].tolist() == [2.0, 3.0, 5.0]
    assert set(frame["metric"]) == {"longest job of a worker"}
    items = merged().plot.work_saved.frame(against="largest_work_items")
    assert items["largest"].tolist() == [2.0, 4.0, 8.0]


@pytest.mark.parametrize(("make", "largest"), [(unique, [1.0, 1.0, 2.0]), (merged, [2.0, 3.0, 5.0])])
def test_what_is_drawn_is_the_frame_in_per_cent_and_in_the_unit_of_the_label(make, largest):
    result = make()
    left = result.plot.work_saved()
    frame = result.plot.work_saved.frame()
    assert curve(left, "o") == ([2.0, 4.0, 8.0], [100.0 * share for share in frame["saved"]])
    assert curve(right_of(left), "s") == ([2.0, 4.0, 8.0], largest)
    assert left.get_xlabel() == "mean batch size, jobs"
    assert left.get_ylabel() == "work saved, %"
    assert right_of(left).get_ylabel() in {"most jobs at once after reduce, jobs", "longest job of a worker, s"}


def test_the_dashed_line_is_all_but_one_of_a_merged_batch():
    left = merged().plot.work_saved()
    [dashed] = [line for line in left.lines if line.get_label() == "closed form (left)"]
    assert [100.0 * (1.0 - 1.0 / batch) for batch in dashed.get_xdata()] == pytest.approx(list(dashed.get_ydata()))
    # negative control: of keys from a log there is none
    assert "closed form (left)" not in {line.get_label() for line in unique().plot.work_saved().lines}


def test_today_and_the_choice_are_marked_where_they_stand():
    left = unique().plot.work_saved(choice=SIZES[2])
    upright = [line.get_xdata()[0] for line in left.lines if list(line.get_ydata()) == [0, 1]]
    assert upright == [4.0, 8.0]
    said = {text.get_text() for text in left.texts}
    assert {"today: size 4", "choice: size 8"} <= said


def test_along_the_period_the_x_axis_has_seconds():
    # the flush at 4 s takes aaaa, with the job of that moment, the one at 8 s bbbb
    periods = [FlushEvery(4.0), FlushEvery(8.0)]
    result = models.studied(models.edits(JOBS, reduce=UniqueByKey()), policy=periods)
    frame = result.plot.work_saved.frame(along="period")
    assert frame["x"].tolist() == [4.0, 8.0]
    assert frame["saved"].tolist() == [0.75, 0.75]
    assert result.plot.work_saved(along="period").get_xlabel() == "period, s"
    with pytest.raises(
        InvalidValueError, match=r"along='period' needs scenarios under FlushEvery, got 'FlushAtSize\(2"
    ):
        unique().plot.work_saved(along="period")
