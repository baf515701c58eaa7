"""Picture of a calibration: every call that was timed, and the line of each operation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bufsim import formats
from bufsim.plots import style, subjects
from bufsim.vendure.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from bufsim.statistics.lines import Line

_LABELS = {
    "flush": "flush",
    "window": "of it, from read to delete",
    "add": "add",
    "buffer_size": "buffer size",
}
_MARKS = ("o", "s", "^", "D")
_STEP = 1.1
"""By so much the marks of an operation stand to the right of those of the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationLines:
    """Durations of a store's calls over the buffer size, as measured and as fitted.

    Parameters
    ----------
    calibration : Calibration
        What was measured.

    Examples
    --------
    >>> from bufsim.vendure import calibrate
    >>> picture = CalibrationLines(calibrate("sqlite://", most="0.2s"))
    >>> picture.draw().get_xlabel()
    'buffer size, jobs'
    """

    calibration: Calibration

    def frame(self) -> pd.DataFrame:
        """Return one row a call: operation, size, seconds, and the line's seconds at that size."""
        rows = [
            (one.operation, one.size, one.seconds, getattr(self.calibration, one.operation).at(one.size))
            for one in self.calibration.measurements
        ]
        return pd.DataFrame(rows, columns=["operation", "size", "seconds", "line"])

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure, and return the Axes."""
        (axes,) = style.axes(ax, 1)
        table, found = self.frame(), self.calibration
        key: list[Artist] = []
        for number, operation in enumerate(name for name in _LABELS if (table["operation"] == name).any()):
            rows, line = table[table["operation"] == operation], getattr(found, operation)
            plot = partial(axes.plot, color=style.policy_colour(number), marker=_MARKS[number])
            grid = np.geomspace(min(found.sizes), max(found.sizes), 100)
            # side by side, so that those of a flush and of its window do not cover each other
            beside = rows["size"] * _STEP ** (number - 1.5)
            plot(beside, rows["seconds"] * 1e3, markersize=3.0, alpha=0.4, linestyle="")
            label = f"{_LABELS[operation]}: {_text(line)}"
            key += plot(grid, line.at(grid) * 1e3, markevery=99, markersize=4.0, linewidth=1.4, label=label)
        axes.set_xlabel("buffer size, jobs")
        axes.set_ylabel("time of a call, ms")
        for which in ("x", "y"):
            subjects.log_axis(axes, which)
        style.head(axes, f"A flush takes {_text(found.flush)}", subtitle=f"{found.store}, {found.way}", key=key)
        return axes


def _text(line: Line) -> str:
    fixed, per_job = (formats.duration(part, digits=2) for part in (line.fixed, line.per_job))
    return f"{fixed} + {per_job} a job"
