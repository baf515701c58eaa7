from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
from bufsim_tests import result_plots_small as small
from matplotlib.axes import Axes

from bufsim.errors import BufsimError
from bufsim.plots import result_plots

NAMES = ("buffer_size", "batch_sizes", "waits", "loss_at_stop", "queue")


@pytest.mark.parametrize("name", NAMES)
def test_a_result_draws_itself(name):
    result = small.first()
    assert isinstance(getattr(result_plots.ResultPlots(result), name)(), Axes)
    assert isinstance(getattr(result.plot, name)(), Axes)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_takes_what_its_function_takes_but_results_and_labels(name):
    taken = set(inspect.signature(getattr(result_plots, name)).parameters) - {"results", "labels"}
    assert set(inspect.signature(getattr(result_plots.ResultPlots, name)).parameters) - {"self"} == taken


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_has_a_frame(name):
    frame = getattr(result_plots, f"{name}_frame")(small.first(), labels="today")
    assert set(frame["run"]) == {"today"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("run", [small.first, small.stopped, small.never, small.empty], ids=lambda run: run.__name__)
def test_a_plot_of_6_by_4_inches_can_be_saved(name, run, tmp_path):
    ax = getattr(result_plots, name)(run())
    assert ax.figure.get_size_inches().tolist() == [6.0, 4.0]
    ax.figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_changes_no_setting_of_matplotlib(name):
    before = dict(plt.rcParams)
    getattr(result_plots, name)(small.first())
    assert dict(plt.rcParams) == before


def loaded(result):
    """Return the result as it comes back from a file: with its simulation as text."""
    return dataclasses.replace(result, simulation=repr(result.simulation))


@pytest.mark.parametrize("name", ["buffer_size", "batch_sizes", "waits", "queue"])
def test_a_loaded_result_is_drawn_too(name):
    drawn, again = (getattr(result_plots, name)(one) for one in (small.stopped(), loaded(small.stopped())))
    assert again.get_title(loc="left") == drawn.get_title(loc="left")
    assert any("loaded result" in text.get_text() for text in again.texts)


def test_the_loss_of_a_loaded_result_is_not_guessed():
    with pytest.raises(BufsimError, match="loss_at_stop must know whether the storage and the queue are durable"):
        result_plots.loss_at_stop(loaded(small.first()))


def test_a_plot_needs_its_table():
    result = small.simulation().run(seed=1, record="flushes")
    assert isinstance(result_plots.batch_sizes(result), Axes)
    with pytest.raises(BufsimError, match="buffer_size was left out at the record level 'flushes'"):
        result_plots.buffer_size(result)


def test_plots_load_matplotlib_when_they_draw():
    code = "import sys, bufsim.plots.result_plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
