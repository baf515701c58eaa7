from __future__ import annotations

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

from bufsim.results import plots
from tests.results.plots import small

NAMES = ("buffer_size", "batch_sizes", "waits", "loss_at_stop", "queue")


@pytest.mark.parametrize("name", NAMES)
def test_a_result_draws_itself(name):
    result = small.first()
    assert isinstance(getattr(plots.ResultPlots(result), name)(), Axes)
    assert isinstance(getattr(result.plot, name)(), Axes)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_takes_what_its_function_takes_but_results_and_labels(name):
    taken = set(inspect.signature(getattr(plots, name)).parameters) - {"results", "labels"}
    assert set(inspect.signature(getattr(plots.ResultPlots, name)).parameters) - {"self"} == taken


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_has_a_frame(name):
    frame = getattr(plots, f"{name}_frame")(small.first(), labels="today")
    assert set(frame["run"]) == {"today"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("run", [small.first, small.stopped, small.never, small.empty], ids=lambda run: run.__name__)
def test_a_plot_of_6_by_4_inches_can_be_saved(name, run, tmp_path):
    ax = getattr(plots, name)(run())
    assert ax.figure.get_size_inches().tolist() == [6.0, 4.0]
    ax.figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_a_plot_changes_no_setting_of_matplotlib(name):
    before = dict(plt.rcParams)
    getattr(plots, name)(small.first())
    assert dict(plt.rcParams) == before


def test_plots_load_matplotlib_when_they_draw():
    code = "import sys, bufsim.results.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
