"""The pictures of a run, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bufsim.cli.output import Folder
from bufsim.results.plots.style import need_matplotlib
from bufsim.results.result import Result
from bufsim.simulation import Simulation

DOTS_PER_INCH = 110


def write(folder: Folder, simulation: Simulation, results: Mapping[str, Result]) -> None:
    """Draw the runs, side by side where there are several, and write a PNG for each question.

    buffer_size, batch_sizes and waits come once for each buffer, queue once for each queue with workers.
    """
    need_matplotlib()
    import matplotlib as mpl

    mpl.use("Agg")
    from bufsim.results import plots

    runs, labels = tuple(results.values()), list(results)
    for buffer in simulation.buffers:
        part = f"-{buffer.id}" if len(simulation.buffers) > 1 else ""
        for name in ("buffer_size", "batch_sizes", "waits"):
            _save(folder, f"{name}{part}", getattr(plots, name)(*runs, labels=labels, buffer=buffer.id))
    _save(folder, "loss_at_stop", plots.loss_at_stop(*runs, labels=labels))
    if simulation.workers:
        _save(folder, "queue", plots.queue(*runs, labels=labels))


def _save(folder: Folder, name: str, axes: Any) -> None:
    import matplotlib.pyplot as plt

    figure = np.atleast_1d(axes)[0].figure
    folder.write(f"{name}.png", lambda path: figure.savefig(path, dpi=DOTS_PER_INCH, format="png"))
    plt.close(figure)
