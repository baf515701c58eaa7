"""Picture of a calibration: every call that was timed, and the line of each operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bufsim import formats
from bufsim.plots import style
from bufsim.vendure.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "flush": "flush",
    "window": "of it, from read to delete",
    "add": "add",
    "buffer_size": "buffer size",
}
_MARKS = ("o", "s", "^", "D")


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

    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure, and return the Axes."""
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        table = self.frame()
        shown = [operation for operation in _LABELS if (table["operation"] == operation).any()]
        grid = np.geomspace(table["size"].min(), table["size"].max(), 100)
        for number, operation in enumerate(shown):
            rows, line = table[table["operation"] == operation], getattr(self.calibration, operation)
            colour = f"C{number}"
            ax.plot(rows["size"], rows["seconds"], _MARKS[number], color=colour, markersize=3.5, alpha=0.35)
            ax.plot(grid, line.at(grid), color=colour, linewidth=1.4, label=f"{_LABELS[operation]}: {_text(line)}")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("buffer size, jobs")
        ax.set_ylabel("time of a call, s")
        ax.set_title(style.plain(self.calibration.store), fontsize="medium")
        ax.legend(fontsize="small")
        return ax


def _text(line: object) -> str:
    fixed, per_job = (formats.duration(getattr(line, name), digits=2) for name in ("fixed", "per_job"))
    return f"{fixed} + {per_job} a job"
