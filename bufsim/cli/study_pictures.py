"""The pictures of a comparison, as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bufsim.cli.output import Folder
from bufsim.errors import InvalidValueError
from bufsim.results.plots.style import need_matplotlib
from bufsim.studies.evaluations import UndefinedError
from bufsim.studies.study_result import StudyResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH = 110
_MOST_ROWS = 40


def write(folder: Folder, result: StudyResult, metrics: Sequence[str], margin: object) -> list[str]:
    """Draw the forest of differences and the Pareto front of the first two metrics, and write a PNG for each.

    Returns
    -------
    list of str
        Why a picture could not be drawn, for each that could not.
    """
    need_matplotlib()
    import matplotlib as mpl

    mpl.use("Agg")
    count = len(result.finished)
    pairs = count - 1 if result.baseline is not None else count * (count - 1) // 2
    shown = list(metrics)[: max(_MOST_ROWS // max(pairs, 1), 1)]
    drawn: dict[str, Callable[[], Axes]] = {"differences": lambda: result.plot.differences(*shown, margin=margin)}
    if len(metrics) > 1:
        drawn["pareto"] = lambda: result.plot.pareto(metrics[0], metrics[1])
    return [problem for name, draw in drawn.items() if (problem := _save(folder, name, draw))]


def _save(folder: Folder, name: str, draw: Callable[[], Axes]) -> str:
    import matplotlib.pyplot as plt

    try:
        figure = draw().get_figure(root=True)
    except InvalidValueError as error:
        why = error.reason if isinstance(error, UndefinedError) else error
        return f"no picture {name}.png: {why}"
    assert figure is not None
    folder.write(f"{name}.png", lambda path: figure.savefig(path, dpi=DOTS_PER_INCH, format="png"))
    plt.close(figure)
    return ""
