from __future__ import annotations

import numpy as np
import pytest
from bufsim_tests import models

from bufsim import FlushAtSize
from bufsim.errors import InvalidValueError
from bufsim.studies.expressions import metric

FLUSHES = [20 / 41, 10 / 41, 5 / 41]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def key(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def fronts(ax):
    """Return the corners of the front."""
    [line] = [line for line in ax.lines if len(line.get_xdata()) > 2]
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_the_frame_is_each_scenario_with_its_objectives_and_its_place():
    frame = models.exact_study().plot.pareto.frame("mean_wait", "flush_rate", limits="mean_wait <= 2s")
    assert frame["scenario"].tolist() == ["FlushAtSize(2)", "FlushAtSize(4)", "FlushAtSize(8)"]
    assert frame["label"].tolist() == ["size 2", "size 4", "size 8"]
    for end in ("x", "x_low", "x_high"):
        assert frame[end].tolist() == [0.5, 1.5, 3.5]
    for end in ("y", "y_low", "y_high"):
        assert frame[end].tolist() == pytest.approx(FLUSHES)
    assert frame["place"].tolist() == ["on the front"] * 3
    assert frame["limits"].tolist() == ["pass", "pass", "fail"]
    assert frame["today"].tolist() == [False, True, False]
    assert set(frame["n"]) == {3}


def test_what_is_worse_in_both_is_dominated():
    frame = models.exact_study().plot.pareto.frame("mean_wait", "peak_buffer_size")
    assert frame["place"].tolist() == ["on the front", "dominated", "dominated"]
    assert frame["dominated_by"].tolist()[1:] == ["FlushAtSize(2)", "FlushAtSize(2)"]


def test_the_front_goes_in_steps_along_what_is_better():
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate")
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    a, b, c = FLUSHES
    assert fronts(ax) == [
        (0.5, top),
        (0.5, pytest.approx(a)),
        (1.5, pytest.approx(a)),
        (1.5, pytest.approx(b)),
        (3.5, pytest.approx(b)),
        (3.5, pytest.approx(c)),
        (right, pytest.approx(c)),
    ]


def test_the_front_turns_where_more_is_better():
    waits, batches = metric("mean_wait"), metric("mean_batch_size").named("batch size", better="higher")
    ax = models.exact_study().plot.pareto(waits, batches)
    assert fronts(ax)[0] == (0.5, ax.get_ylim()[0])
    assert fronts(ax)[:4] == [(0.5, ax.get_ylim()[0]), (0.5, 2.0), (1.5, 2.0), (1.5, 4.0)]
    ax = models.exact_study().plot.pareto(batches, waits)
    # from the largest batches, whose waits are the longest
    assert fronts(ax) == [
        (8.0, ax.get_ylim()[1]),
        (8.0, 3.5),
        (4.0, 3.5),
        (4.0, 1.5),
        (2.0, 1.5),
        (2.0, 0.5),
        (ax.get_xlim()[0], 0.5),
    ]


def test_today_is_a_star_and_what_is_not_separable_is_hollow():
    result = models.noisy_study()
    frame = result.plot.pareto.frame("mean_wait", "p99_wait")
    ax = result.plot.pareto("mean_wait", "p99_wait")
    marks = [line for line in ax.lines if line.get_marker() in ("o", "*")]
    assert [mark.get_marker() for mark in marks] == ["*", "o", "o", "o"]
    hollow = [mark.get_markerfacecolor() == "white" for mark in marks]
    assert hollow == [place == "not separable" for place in frame["place"]]


def rings(ax):
    return [line for line in ax.lines if line.get_markerfacecolor() == "none"]


@pytest.mark.parametrize("choice", ["FlushAtSize(8)", "size 8", FlushAtSize(8)])
def test_the_choice_has_a_ring_about_it_and_an_entry_in_the_key(choice):
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate", choice=choice)
    [ring] = rings(ax)
    assert (*ring.get_xdata(), *ring.get_ydata()) == (3.5, pytest.approx(FLUSHES[2]))
    assert key(ax) == ["on the front", "today", "choice"]


def test_without_a_choice_there_is_no_ring():
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate")
    assert rings(ax) == []
    assert "choice" not in key(ax)


def test_a_choice_at_a_load_is_found_by_its_option():
    [ring] = rings(models.ramp_study().plot.pareto("mean_wait", "flush_rate", choice="FlushAtSize(2)", load=2.0))
    # batches of two at two jobs a second
    assert ring.get_xdata()[0] == 0.25


def test_an_unknown_choice_is_an_error():
    with pytest.raises(InvalidValueError, match=r"scenario must be one of .*'FlushAtSize\(5\)'.*did you mean"):
        models.exact_study().plot.pareto("mean_wait", "flush_rate", choice=FlushAtSize(5))


def test_each_scenario_has_a_cross_of_its_two_intervals():
    frame = models.noisy_study().plot.pareto.frame("mean_wait", "flush_rate")
    ax = models.noisy_study().plot.pareto("mean_wait", "flush_rate")
    segments = [collection.get_segments()[0] for collection in ax.collections]
    across = [segment for segment in segments if segment[0, 1] == segment[1, 1]]
    for row in frame.itertuples():
        assert any(np.allclose(segment[:, 0], (row.x_low, row.x_high)) for segment in across)


def test_what_a_limit_on_an_axis_forbids_is_shaded_and_named():
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate", limits=["mean_wait <= 2s", "flush_rate <= 0.4"])
    assert {"limit 2 s", "limit\n0.4 per s"} <= set(texts(ax))
    shades = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(shades) == 2
    assert shades[0].get_x() == 2.0
    assert shades[1].get_y() == 0.4


def test_a_scenario_that_breaks_a_limit_on_any_metric_has_a_mark():
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate", limits=["peak_buffer_size <= 4"])
    assert {"size 2", "size 4", "size 8 ✗"} <= set(texts(ax))
    assert any("✗ breaks a limit" in text for text in texts(ax))


def test_undecided_is_said_and_has_no_colour_of_its_own():
    frame = models.noisy_study().plot.pareto.frame("mean_wait", "flush_rate")
    bound = frame["x"][0]
    ax = models.noisy_study().plot.pareto("mean_wait", "flush_rate", limits=[metric("mean_wait") <= bound])
    assert "size 20 ?" in texts(ax)
    assert any("? limit undecided" in text.replace("\n", " ") for text in [" ".join(reversed(texts(ax)))])


def test_title_key_and_axes_say_what_is_seen():
    ax = models.exact_study().plot.pareto("mean_wait", "peak_buffer_size")
    assert ax.get_title(loc="left") == "Pareto front: 1 of 3 scenarios"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("mean wait, s", "peak buffer size, jobs")
    assert key(ax) == ["on the front", "dominated", "today"]


def test_many_labels_leave_out_what_they_have_in_common():
    ax = models.study_of_twenty().plot.pareto("mean_wait", "flush_rate")
    labels = "\n".join(texts(ax)).split("\n")
    assert {f"{size} | {age}" for size in (5, 80) for age in ("500 ms", "1 s", "2 s", "4 s")} <= set(labels)
    assert any("labels: size | age" in text for text in texts(ax))


def test_points_that_coincide_share_a_label():
    ax = models.exact_study().plot.pareto("lost_jobs", "failed_jobs")
    assert "size 2\nsize 4\nsize 8" in texts(ax)


def test_scenarios_and_the_load_can_be_chosen():
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate", scenarios=[FlushAtSize(2), FlushAtSize(8)])
    assert "size 4" not in texts(ax)
    frame = models.ramp_study().plot.pareto.frame("mean_wait", "flush_rate", load=2.0)
    assert frame["x"].tolist() == [0.25, 0.75]


def test_axes_are_log_axes_if_they_are_asked_to_be():
    ax = models.exact_study().plot.pareto("mean_wait", "flush_rate", log=True)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    with pytest.raises(InvalidValueError, match="log needs values above 0, got 0 of lost"):
        models.exact_study().plot.pareto("mean_wait", "lost_jobs", log=True)


def test_an_unknown_metric_is_an_error():
    with pytest.raises(InvalidValueError, match=r"metric must be one of .*did you mean"):
        models.exact_study().plot.pareto("mean_wiat", "flush_rate")
