from __future__ import annotations

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
from bufsim_tests import study_plots_small as small
from matplotlib.axes import Axes

from bufsim import plots
from bufsim.errors import InvalidValueError
from bufsim.plots import style
from bufsim.plots.subjects import at_load

NAMES = ("pareto", "load_ramp", "work_saved", "policy_map", "differences", "warm_up", "replications", "smore")
STUDY_OF = {"load_ramp": small.ramp, "policy_map": small.crowd}
SEVERAL = ("pareto", "load_ramp", "policy_map", "differences")


def study_of(name):
    return STUDY_OF.get(name, small.noisy)()


@pytest.mark.parametrize("name", NAMES)
def test_a_study_result_draws_itself(name):
    ax = getattr(study_of(name).plot, name)()
    assert isinstance(ax, Axes)
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_method_takes_what_its_function_takes_with_the_same_defaults(name):
    function = dict(inspect.signature(getattr(plots, name)).parameters)
    method = dict(inspect.signature(getattr(plots.StudyPlots, name)).parameters)
    assert function.pop("study_result")
    assert method.pop("self")
    assert {key: (one.kind, one.default) for key, one in method.items()} == {
        key: (one.kind, one.default) for key, one in function.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_method_hands_on_what_it_takes(name, monkeypatch):
    parameters = list(inspect.signature(getattr(plots.StudyPlots, name)).parameters.values())[1:]
    taken = {one.name: object() for one in parameters if one.kind is not one.VAR_POSITIONAL}
    seen = {}

    def function(study_result, *args, **kwargs):
        named = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        seen.update(dict(zip(named, args, strict=False)) | kwargs)

    monkeypatch.setattr(plots, f"_{name}", function)
    getattr(plots.StudyPlots(small.exact()), name)(**taken)
    assert seen == taken


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_has_a_frame_with_what_it_draws(name):
    frame = getattr(plots, f"{name}_frame")(study_of(name))
    assert len(frame) > 0
    assert not frame.duplicated(subset=[column for column in frame if column != "ties"]).any()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_frame_takes_what_its_plot_takes_but_how_it_looks(name):
    looks = {"ax", "log", "choice", "theory"}
    plot = set(inspect.signature(getattr(plots, name)).parameters) - looks
    assert set(inspect.signature(getattr(plots, f"{name}_frame")).parameters) == plot


@pytest.mark.parametrize("name", NAMES)
def test_a_given_ax_is_drawn_on_and_no_figure_is_made(name):
    figure, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    assert getattr(plots, name)(study_of(name), ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_plot_of_6_by_4_inches_can_be_saved(name, kind, tmp_path):
    figure, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    getattr(plots, name)(study_of(name), ax=ax)
    figure.savefig(tmp_path / f"plot.{kind}")
    assert (tmp_path / f"plot.{kind}").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_heads_stay_in_the_figure(name):
    ax = getattr(plots, name)(study_of(name))
    figure = ax.figure
    figure.canvas.draw()
    heads = [ax._left_title, *([ax.get_legend()] if ax.get_legend() else [])]
    for artist in heads:
        extent = artist.get_window_extent()
        assert extent.x1 <= figure.bbox.x1
        assert extent.y1 <= figure.bbox.y1


@pytest.mark.parametrize("name", NAMES)
def test_n_the_level_and_the_seed_stand_under_the_title(name):
    result = study_of(name)
    ax = getattr(plots, name)(result)
    said = " ".join(text.get_text() for text in ax.texts)
    assert f"n = {result.replications} replications" in said
    assert "95 %" in said
    assert "seed 7" in said


@pytest.mark.parametrize("name", NAMES)
def test_axes_have_names(name):
    ax = getattr(plots, name)(study_of(name))
    assert ax.get_xlabel()
    # rows are named by their ticks
    assert ax.get_ylabel() or [tick.get_text() for tick in ax.get_yticklabels()]


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_changes_no_setting_of_matplotlib(name):
    before = dict(plt.rcParams)
    getattr(plots, name)(study_of(name))
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SEVERAL])
def test_a_single_scenario_is_drawn(name):
    assert isinstance(getattr(small.alone().plot, name)(), Axes)


@pytest.mark.parametrize("name", ["pareto", "differences"])
def test_a_single_scenario_has_nothing_to_be_compared_with(name):
    with pytest.raises(
        InvalidValueError, match=f"{name} needs at least 2 finished scenarios at one load, got 1: 'today'"
    ):
        getattr(small.alone().plot, name)()


@pytest.mark.parametrize("name", NAMES)
def test_a_study_of_which_nothing_was_finished_says_why(name):
    with pytest.raises(
        InvalidValueError, match="no scenario with 2 finished replications; it was interrupted too soon"
    ):
        getattr(small.nothing().plot, name)()


@pytest.mark.parametrize("name", ["pareto", "differences", "smore", "work_saved", "replications", "warm_up"])
def test_what_did_not_finish_is_said_and_left_out(name):
    ax = getattr(small.broken().plot, name)()
    # lines are written from below
    said = " ".join(text.get_text() for text in reversed(ax.texts))
    assert "INTERRUPTED: a part of the study · 1 scenario not finished" in said


def test_a_policy_has_the_same_colour_in_every_plot():
    result = small.exact()
    colours = {one.label: one.colour for one in at_load(result)}
    assert colours == {"size 2": style.policy_colour(0), "size 4": style.TODAY, "size 8": style.policy_colour(1)}
    ax = result.plot.smore()
    names = [label.get_text().removesuffix(" (today)") for label in ax.get_yticklabels()]
    means = [line.get_color() for line in ax.lines if line.get_marker() == "o"]
    assert dict(zip(names, means, strict=True)) == colours
    pareto = [line.get_color() for line in result.plot.pareto().lines if line.get_marker() in ("o", "*")]
    assert pareto == list(colours.values())
    differences = [line.get_color() for line in result.plot.differences().lines if line.get_marker() == "o"]
    assert differences == [colours["size 2"], colours["size 8"]]


def test_plots_load_matplotlib_and_scipy_when_they_draw():
    code = "import sys, bufsim.plots; sys.exit('matplotlib' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
