"""What holds for every picture, of one result and of one study."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
from bufsim_tests import models
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.text import Text

from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError
from bufsim.plots import BufferSize, ResultPlots, StudyPlots, style
from bufsim.plots.subjects import at_load

STUDY_OF = {"load_ramp": models.ramp_study, "policy_map": models.study_of_twenty}
OF_RESULTS = ResultPlots.names()
OF_STUDIES = StudyPlots.names()
NAMES = [*OF_RESULTS, *OF_STUDIES]
SEVERAL = ("pareto", "load_ramp", "policy_map", "differences")


def subject_of(name):
    return models.worked_run() if name in OF_RESULTS else STUDY_OF.get(name, models.noisy_study)()


def picture_of(name):
    return getattr(ResultPlots if name in OF_RESULTS else StudyPlots, name).picture


def drawing_of(name):
    return getattr(subject_of(name).plot, name)


@pytest.mark.parametrize("name", NAMES)
def test_without_ax_it_is_a_new_figure_of_6_inches_that_is_not_shown_and_can_be_saved(name, monkeypatch, tmp_path):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("it was shown"))
    settings = dict(plt.rcParams)
    ax = drawing_of(name)()
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]
    assert ax.figure.get_size_inches()[0] == 6.0
    assert dict(plt.rcParams) == settings
    for kind in ("png", "svg"):
        ax.figure.savefig(tmp_path / f"plot.{kind}")
        assert (tmp_path / f"plot.{kind}").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_its_axes_have_names_and_its_head_stays_in_the_figure(name):
    ax = drawing_of(name)()
    assert ax.get_xlabel()
    # rows are named by their ticks
    assert ax.get_ylabel() or [tick.get_text() for tick in ax.get_yticklabels()]
    figure = ax.figure
    figure.canvas.draw()
    [title] = [text for text in ax.findobj(Text) if text.get_text() == ax.get_title(loc="left")]
    for artist in (title, *ax.findobj(Legend)):
        extent = artist.get_window_extent()
        assert extent.x1 <= figure.bbox.x1
        assert extent.y1 <= figure.bbox.y1


@pytest.mark.parametrize("name", NAMES)
def test_a_given_ax_is_drawn_on_and_no_figure_is_made(name):
    figure, ax = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    assert drawing_of(name)(ax=ax) is ax
    assert picture_of(name)(subject_of(name)).draw(ax) is ax
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_parameter_is_refused_with_a_sentence_and_leaves_no_empty_figure(name):
    refused = []
    for field in dataclasses.fields(picture_of(name))[1:]:
        try:
            picture_of(name)(subject_of(name), **{field.name: object()}).draw()
        except BufsimError:
            refused.append(field.name)
            assert plt.get_fignums() == [], field.name
        plt.close("all")
    assert refused


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_frame_of_what_it_draws_and_that_draws_nothing(name):
    frame = drawing_of(name).frame()
    assert len(frame) > 0
    assert not frame.duplicated(subset=[column for column in frame if column != "ties"]).any()
    assert frame.equals(picture_of(name)(subject_of(name)).frame())
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_frozen(name):
    picture = picture_of(name)(subject_of(name))
    field = dataclasses.fields(picture)[-1].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(picture, field, None)


@pytest.mark.parametrize("name", NAMES)
def test_its_fields_are_its_documented_parameters(name):
    text = inspect.getdoc(picture_of(name))
    section = text.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    entries = [line.partition(" : ")[0] for line in section.splitlines() if not line.startswith(" ")]
    documented = [word for entry in entries for word in re.findall(r"\w+", entry)]
    assert sorted(documented) == sorted(field.name for field in dataclasses.fields(picture_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_the_parameters_of_the_picture_and_ax(name):
    fields = dataclasses.fields(picture_of(name))
    parameters = inspect.signature(drawing_of(name)).parameters
    assert list(parameters) == [*(field.name for field in fields[1:]), "ax"]
    assert [one.default for one in parameters.values()] == [*(field.default for field in fields[1:]), None]
    assert inspect.getdoc(drawing_of(name)).startswith(inspect.getdoc(picture_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_an_error(name):
    with pytest.raises(TypeError, match="colour"):
        drawing_of(name)(colour="red")


def test_ax_must_be_axes():
    with pytest.raises(InvalidTypeError, match="ax must be matplotlib Axes, got 3"):
        models.worked_run().plot.queue(ax=3)


def test_pictures_load_matplotlib_and_scipy_when_they_draw():
    code = "import sys, bufsim.plots; sys.exit('matplotlib' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# of results


@pytest.mark.parametrize("name", OF_RESULTS)
@pytest.mark.parametrize("run", [models.stopped_run, models.run_without_flushes, models.run_without_jobs])
def test_a_run_in_which_little_happens_is_drawn(name, run, tmp_path):
    ax = getattr(run().plot, name)()
    ax.figure.savefig(tmp_path / "plot.png")
    assert ax.figure.get_size_inches().tolist() == [6.0, 4.0]


@pytest.mark.parametrize("name", OF_RESULTS)
def test_the_label_of_a_run_is_in_its_frame(name):
    assert set(drawing_of(name).frame(labels="today")["run"]) == {"today"}


def loaded(result):
    """Return the result as it comes back from a file: with its simulation as text."""
    return dataclasses.replace(result, simulation=repr(result.simulation))


@pytest.mark.parametrize("name", ["buffer_size", "batch_sizes", "waits", "queue"])
def test_a_loaded_result_is_drawn_too(name):
    stopped = models.stopped_run()
    drawn, again = (getattr(result.plot, name)() for result in (stopped, loaded(stopped)))
    assert again.get_title(loc="left") == drawn.get_title(loc="left")
    assert any("loaded result" in text.get_text() for text in again.texts)


def test_the_loss_of_a_loaded_result_is_not_guessed():
    with pytest.raises(BufsimError, match="loss_at_stop must know whether the storage and the queue are durable"):
        loaded(models.worked_run()).plot.loss_at_stop()


def test_a_picture_needs_its_table():
    result = models.worked().run(seed=1, record="flushes")
    assert isinstance(result.plot.batch_sizes(), Axes)
    with pytest.raises(BufsimError, match="buffer_size was left out at the record level 'flushes'"):
        result.plot.buffer_size()


def test_a_picture_of_results_takes_at_least_one():
    with pytest.raises(InvalidTypeError, match="a plot takes at least one result, got none; give what Simulation"):
        BufferSize([]).draw()


# of studies


@pytest.mark.parametrize("name", OF_STUDIES)
def test_n_the_level_and_the_seed_stand_under_the_title(name):
    result = subject_of(name)
    ax = getattr(result.plot, name)()
    said = " ".join(text.get_text() for text in ax.texts)
    assert f"n = {result.replications} replications" in said
    assert "95 %" in said
    assert "seed 7" in said


@pytest.mark.parametrize("name", [name for name in OF_STUDIES if name not in SEVERAL])
def test_a_single_scenario_is_drawn(name):
    assert isinstance(getattr(models.study_of_one().plot, name)(), Axes)


@pytest.mark.parametrize("name", ["pareto", "differences"])
def test_a_single_scenario_has_nothing_to_be_compared_with(name):
    with pytest.raises(
        InvalidValueError, match=f"{name} needs at least 2 finished scenarios at one load, got 1: 'today'"
    ):
        getattr(models.study_of_one().plot, name)()


@pytest.mark.parametrize("name", OF_STUDIES)
def test_a_study_of_which_nothing_was_finished_says_why(name):
    with pytest.raises(
        InvalidValueError, match="no scenario with 2 finished replications; it was interrupted too soon"
    ):
        getattr(models.study_without_runs().plot, name)()


@pytest.mark.parametrize("name", ["pareto", "differences", "smore", "work_saved", "replications", "warm_up"])
def test_what_did_not_finish_is_said_and_left_out(name):
    ax = getattr(models.interrupted_study().plot, name)()
    # lines are written from below
    said = " ".join(text.get_text() for text in reversed(ax.texts))
    assert "INTERRUPTED: a part of the study · 1 scenario not finished" in said


def test_a_policy_has_the_same_colour_in_every_plot():
    result = models.exact_study()
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
