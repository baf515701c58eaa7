"""Whatever people call their buffers, queues, scenarios and results, every picture is drawn, and is a picture."""

from __future__ import annotations

import functools
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import cbook
from matplotlib.axes import Axes

from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer, PushWorkers, Result, Simulation, Stops
from bufsim.plots import Waits
from bufsim.plots.style import plain
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

NAMES = (
    "$",
    "$^$",
    r"$\foo$",
    "\x1b[2J\x07",
    "\u202eabc\u2066",
    "a\nb\r\nc",
    "x" * 10_000,
    "<svg onload='x'>&amp;]]>",
    "=1+1",
    " " * 40,
)


def model(policy: Any, name: str = "b") -> Simulation:
    return Simulation(
        producers=[Producer("p", Poisson(5.0))],
        buffers=[JobBuffer(name, policy=policy)],
        workers=[PushWorkers(1, service=0.05)],
        stops=Stops(at=[12.0]),
        until=40.0,
    )


@functools.cache
def named_study() -> StudyResult:
    scenarios = {name: model(FlushAtSize(5 + index) | FlushAfterAge(2.0)) for index, name in enumerate(NAMES)}
    return Study(scenarios, seed=1, baseline=NAMES[0]).run(3, progress=False, engine="simpy")


def check_drawn(axes: Axes | np.ndarray[Any, Any]) -> None:
    figure = np.ravel(axes)[0].get_figure(root=True)
    sink = io.BytesIO()
    figure.savefig(sink, format="svg")
    ElementTree.fromstring(sink.getvalue())
    plt.close(figure)


OF_STUDIES: list[Callable[[StudyResult], Any]] = [
    lambda result: result.plot.pareto("mean_wait", "flush_rate"),
    lambda result: result.plot.differences("mean_wait"),
    lambda result: result.plot.replications("mean_wait", scenario=NAMES[1]),
    lambda result: result.plot.smore("wait"),
    lambda result: result.plot.warm_up(scenario=NAMES[3]),
]


@pytest.mark.parametrize("draw", OF_STUDIES)
def test_every_picture_of_a_study_is_drawn_whatever_its_scenarios_are_called(
    draw: Callable[[StudyResult], Any],
) -> None:
    check_drawn(draw(named_study()))


@functools.cache
def named_run(name: str) -> Result:
    return model(FlushAtSize(7) | FlushAfterAge(2.0), name).run(seed=1)


OF_RUNS: list[Callable[[Result], Any]] = [
    lambda result: result.plot.buffer_size(),
    lambda result: result.plot.batch_sizes(),
    lambda result: result.plot.waits(),
    lambda result: result.plot.queue(),
    lambda result: result.plot.loss_at_stop(),
]


@pytest.mark.parametrize("draw", OF_RUNS)
def test_every_picture_of_a_run_is_drawn_whatever_its_buffer_is_called(draw: Callable[[Result], Any]) -> None:
    check_drawn(draw(named_run("$^$")))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_picture_of_a_run_is_drawn_whatever_its_buffer_is_called(name: str) -> None:
    check_drawn(named_run(name).plot.waits())


@pytest.mark.parametrize("labels", list(zip(NAMES[:-1:2], NAMES[1::2], strict=True)), ids=ascii)
def test_several_results_are_drawn_whatever_their_labels(labels: tuple[str, str]) -> None:
    results = [named_run("b"), named_run("$^$")]
    check_drawn(Waits(results, labels=labels).draw())


def test_a_dollar_sign_is_a_dollar_sign() -> None:
    _, ax = plt.subplots()
    text = ax.set_title(plain("$^$ 5"))
    figure = ax.get_figure()
    assert figure is not None
    figure.draw_without_rendering()
    assert cbook.is_math_text(text.get_text()) is False
    plt.close()
