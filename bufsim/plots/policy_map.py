"""The policies of a study that are a size or an age, as cells of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.load_ramp import size_and_age
from bufsim.plots.subjects import ScenarioSubject, is_wide, log_axis
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit, LimitVerdict, expression, metric
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.quantities import Quantity, limit_in_words

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure

    from bufsim.studies.study_result import StudyResult


FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """A policy that flushes at a size or after an age, whichever comes first.

    Attributes
    ----------
    subject : Subject
        The scenario.
    size : int
        Jobs.
    age : float
        s.
    value : Interval
        The metric.
    flush_rate : float
        Flushes a second.
    verdict : {"pass", "fail", "undecided"}
        Of all limits together.
    """

    subject: ScenarioSubject
    size: int
    age: float
    value: Interval
    flush_rate: float
    verdict: LimitVerdict


@dataclass(frozen=True, slots=True)
class Cells:
    """Policies by size and age, at one load.

    Attributes
    ----------
    cells : list of Cell
        In the study's order; not every size need go with every age.
    expression : Expression
        The metric.
    rate : float
        Jobs that arrive a second.
    limits : list of Limit
        What must be kept.
    """

    cells: list[Cell]
    expression: Expression
    rate: float
    limits: list[Limit]

    @classmethod
    def of(
        cls,
        study_result: StudyResult,
        metric: str | Expression,
        size: Sequence[int] | None,
        age: Sequence[float | str] | None,
        limits: str | Limit | Sequence[str | Limit],
        load: float | None,
        confidence: float,
    ) -> Cells:
        """Return the cells of a study."""
        asked, kept = expression(metric), subjects.read_limits(limits)
        ages = None if age is None else {checks.seconds("age", one) for one in age}
        at = {
            one: bounds_
            for one in subjects.at_load(study_result, load)
            if (bounds_ := _bounds(study_result, one)) is not None
            and (size is None or bounds_[0] in size)
            and (ages is None or bounds_[1] in ages)
        }
        if not at:
            raise InvalidValueError(
                "policy_map needs policies FlushAtSize(size) | FlushAfterAge(age) of these sizes and ages, got none; "
                "give the study policy=policy_grid(size=[64, 256], age=[1, 5])"
            )
        names = [one.name for one in at]
        checked = check_limits(kept, names, study_result.measured, confidence=confidence)
        cells = [
            Cell(
                one,
                *found,
                study_result.interval(asked, one.name, confidence=confidence),
                study_result.interval("flush_rate", one.name).estimate,
                joint(check for check in checked if check.scenario == one.name),
            )
            for one, found in at.items()
        ]
        return cls(cells, asked, subjects.arrival_rate(study_result, names[0]), kept)

    @property
    def sizes(self) -> list[int]:
        """The sizes, ascending."""
        return sorted({cell.size for cell in self.cells})

    @property
    def ages(self) -> list[float]:
        """The ages, ascending, s."""
        return sorted({cell.age for cell in self.cells})

    def place(self, cell: Cell) -> tuple[int, int]:
        """Return a cell's column and row."""
        return self.sizes.index(cell.size), self.ages.index(cell.age)

    def table(self, of: Literal["value", "flush_rate"]) -> FloatArray:
        """Return the values of the metric, or the flush rates, a row an age and a column a size; nan where is none."""
        values = np.full((len(self.ages), len(self.sizes)), np.nan)
        for cell in self.cells:
            column, row = self.place(cell)
            values[row, column] = cell.value.estimate if of == "value" else cell.flush_rate
        return values

    def comes_first(self, cell: Cell) -> str:
        """Return what mostly flushes: "size" if so many jobs arrive, in the mean, before the oldest reaches the age."""
        return "size" if (cell.size - 1) / self.rate < cell.age else "age"


def _bounds(study_result: StudyResult, one: ScenarioSubject) -> tuple[int, float] | None:
    """Return the size and the age of a scenario whose buffers all have the same policy of that kind."""
    policies: set[FlushPolicy] = {buffer.policy for buffer in study_result.scenarios[one.name].buffers}
    return size_and_age(policies.pop()) if len(policies) == 1 else None


Colour = str | tuple[float, float, float]

MOST_NUMBERS = 8
"""A map with more sizes or ages has no numbers in its cells."""
_MAP = "cividis"
_CORNER = 0.32
_BOUNDARY = "#B3123F"


def set_axes(ax: Axes, shown: Cells) -> None:
    """Set the axes: every size and every age at equal distances."""
    ax.set_xlim(-0.5, len(shown.sizes) - 0.5)
    ax.set_ylim(-0.5, len(shown.ages) - 0.5)
    ax.set_xticks(range(len(shown.sizes)), [f"{size:,}" for size in shown.sizes])
    ax.set_yticks(range(len(shown.ages)), [formats.duration(age) for age in shown.ages])
    ax.set(xlabel="size, jobs", ylabel="age")


def draw_heat(ax: Axes, shown: Cells, quantity: Quantity) -> QuadMesh:
    """Draw the metric as colours."""
    from matplotlib.colors import LogNorm, Normalize

    values = shown.table("value") / quantity.unit.size
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    norm = LogNorm(low, high) if is_wide(known.tolist()) else Normalize(low, high if high > low else low + 1.0)
    edges = [np.arange(count + 1) - 0.5 for count in (len(shown.sizes), len(shown.ages))]
    return ax.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=_MAP, norm=norm, zorder=1)


def draw_scale(ax: Axes, mesh: QuadMesh, quantity: Quantity, *, apart: bool) -> None:
    """Draw the scale of the colours beside the map; `apart` if names of lines stand between them."""
    from matplotlib.colors import LogNorm

    bar = cast("Figure", ax.get_figure(root=True)).colorbar(mesh, ax=ax, pad=0.09 if apart else 0.02)
    bar.set_label(quantity.label, fontsize=9.0)
    if isinstance(mesh.norm, LogNorm):
        low, high = mesh.get_clim()
        log_axis(bar.ax, "y")
        bar.ax.set_ylim(low, high)
    bar.ax.tick_params(labelsize=8.0)


def has_numbers(shown: Cells) -> bool:
    """Whether the cells have room for numbers."""
    return max(len(shown.sizes), len(shown.ages)) <= MOST_NUMBERS


def draw_lines(ax: Axes, shown: Cells, quantity: Quantity) -> list[Artist]:
    """Draw lines of equal values and of equal flush rates, and where size and age come equally soon."""
    key: list[Artist] = []
    lines = _draw_contours(ax, shown.table("value"), quantity, _ISO)
    if lines is not None:
        key += _entry(quantity, _ISO)
        if not has_numbers(shown):
            ax.clabel(lines, fontsize=7.0, fmt=_names(lines, quantity))
    rates = Quantity.of(metric("flush_rate"), [cell.flush_rate for cell in shown.cells])
    lines = _draw_contours(ax, shown.table("flush_rate"), rates, _RATE)
    if lines is not None:
        key += _entry(rates, _RATE)
        _name_at_ends(ax, lines, rates)
    _draw_boundary(ax, shown)
    return key


def _draw_contours(ax: Axes, values: FloatArray, quantity: Quantity, look: dict[str, Any]) -> QuadContourSet | None:
    """Draw lines of equal values, out to the edges; between cells they run as on a log scale."""
    table = np.pad(values / quantity.unit.size, 1, mode="edge")
    levels = _levels(table)
    if min(values.shape) < 2 or np.isnan(table).any() or not len(levels):
        return None
    x, y = (np.concatenate(([-0.5], np.arange(count), [count - 0.5])) for count in values.shape[::-1])
    colour, width, dashes = look["color"], look["linewidth"], look["linestyle"]
    lines = ax.contour(
        x, y, np.log(table), levels=np.log(levels), colors=colour, linewidths=width, linestyles=[dashes], zorder=3
    )
    lines.set(path_effects=_halo(look["halo"]))
    return lines


_ISO: dict[str, Any] = {"color": "white", "linewidth": 1.2, "linestyle": "-", "halo": "#777777"}
_RATE: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": (0, (1, 1.5)), "halo": "#C9C9C9"}


def _halo(colour: Colour, width: float = 1.9) -> list[Any]:
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground=colour), Normal()]


def _entry(quantity: Quantity, look: dict[str, Any]) -> list[Artist]:
    from matplotlib.lines import Line2D

    drawn = {name: value for name, value in look.items() if name != "halo"}
    return [Line2D([], [], label=f"equal {quantity.name}", path_effects=_halo(look["halo"]), **drawn)]


def _names(lines: QuadContourSet, quantity: Quantity) -> dict[float, str]:
    """Return what to write on each line, by its height."""
    rounded = {height: float(f"{np.exp(height):.3g}") for height in lines.levels}
    return {height: f"{formats.number(value)} {quantity.unit.name}" for height, value in rounded.items()}


def _name_at_ends(ax: Axes, lines: QuadContourSet, quantity: Quantity) -> None:
    """Write what a line stands for where it leaves the map: at the right, else at the top."""
    names = _names(lines, quantity)
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    look: dict[str, Any] = {"textcoords": "offset points", "fontsize": 6.5, "color": "black"}
    for height, path in zip(lines.levels, lines.get_paths(), strict=True):
        points = np.asarray(path.vertices)
        at_right, at_top = (points[np.isclose(points[:, axis], edge)] for axis, edge in ((0, right), (1, top)))
        if len(at_right):
            ax.annotate(names[height], at_right[0], (2.0, 0.0), va="center", **look)
        elif len(at_top):
            note = ax.annotate(names[height], at_top[0], (2.0, -2.0), va="top", **look)
            note.set_path_effects(_halo("white"))


def _levels(table: FloatArray) -> FloatArray:
    """Return some round values within a table."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = float(np.nanmin(table)), float(np.nanmax(table))
    if low > 0.0 and high > 4.0 * low:
        subs = (1.0,) if high > 1000.0 * low else (1.0, 2.0, 5.0)
        ticks = LogLocator(subs=subs, numticks=20).tick_values(low, high)
    else:
        ticks = MaxNLocator(4).tick_values(low, high)
    # a line along the least or the greatest value would follow the noise
    return np.asarray([tick for tick in ticks if 1.02 * low < tick < 0.98 * high], dtype=np.float64)


def _draw_boundary(ax: Axes, shown: Cells) -> None:
    """Draw age = (size − 1) / rate, where the size is reached, in the mean, when the age is."""
    sizes, ages = np.array(shown.sizes, dtype=np.float64), np.array(shown.ages)
    if len(sizes) < 2 or len(ages) < 2:
        return
    size = np.geomspace(sizes[0], sizes[-1], 400)
    age = (size - 1.0) / shown.rate
    inside = (age >= ages[0]) & (age <= ages[-1]) & (age > 0.0)
    if not inside.any():
        return
    x = np.interp(np.log(size[inside]), np.log(sizes), np.arange(len(sizes)))
    # ages are on a log scale too, but for an age of 0
    y = np.interp(np.log(age[inside]), np.log(np.maximum(ages, 1e-9)), np.arange(len(ages)))
    ax.plot(x, y, color=_BOUNDARY, linewidth=1.6, linestyle=(0, (4, 2)), zorder=4, path_effects=_halo("white", 2.6))
    # in the corners that lie farthest from the line, off the numbers of their cells
    look: dict[str, Any] = {"fontsize": 7.5, "color": _BOUNDARY, "zorder": 6, "va": "top"}
    corners = (("size first", -0.45, len(ages) - 0.55, "left"), ("age first", len(sizes) - 0.55, 0.45, "right"))
    for text, column, row, ha in corners:
        ax.text(column, row, text, ha=ha, path_effects=_halo("white", 2.6), **look)


def write_numbers(ax: Axes, shown: Cells, quantity: Quantity, mesh: QuadMesh) -> None:
    """Write each value in its cell, below the middle, in a colour that can be read there."""
    for cell in shown.cells:
        column, row = shown.place(cell)
        value = quantity.scaled(cell.value.estimate)
        red, green, blue, _ = mesh.to_rgba(np.array([value]))[0]
        colour = "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"
        text = formats.number(value, 3)
        look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.0, "color": colour, "zorder": 5}
        # no line and no hatching runs through it
        ax.text(column, row - 0.25, text, path_effects=_halo((red, green, blue), 3.5), **look)


def draw_limits(ax: Axes, shown: Cells) -> list[Artist]:
    """Outline the policies that keep all limits, and hatch those of which that is undecided; return the key's part."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    key: list[Artist] = []
    verdicts = {cell.verdict for cell in shown.cells}
    if "pass" in verdicts:
        outline = LineCollection(_outline(shown), colors="black", linewidths=2.4, zorder=6, label="keeps all limits")
        outline.set(path_effects=_halo("white", 4.6), capstyle="projecting", clip_on=False)
        key.append(ax.add_collection(outline))
    for cell in shown.cells:
        if cell.verdict == "undecided":
            column, row = shown.place(cell)
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1.0, 1.0, zorder=2, facecolor="none", **_UNDECIDED))
    if "undecided" in verdicts:
        key.append(Rectangle((0.0, 0.0), 1.0, 1.0, facecolor="#8A8A8A", label="undecided", **_UNDECIDED))
    return key


_UNDECIDED: dict[str, Any] = {"edgecolor": "white", "hatch": "////", "linewidth": 0.0}


def _outline(shown: Cells) -> list[list[tuple[float, float]]]:
    """Return the sides that part a cell that passes from one that does not, or from the edge."""
    passing = {shown.place(cell) for cell in shown.cells if cell.verdict == "pass"}
    sides = []
    for column, row in passing:
        left, right, foot, top = column - 0.5, column + 0.5, row - 0.5, row + 0.5
        for neighbour, side in (
            ((column - 1, row), [(left, foot), (left, top)]),
            ((column + 1, row), [(right, foot), (right, top)]),
            ((column, row - 1), [(left, foot), (right, foot)]),
            ((column, row + 1), [(left, top), (right, top)]),
        ):
            if neighbour not in passing:
                sides.append(side)
    return sides


def draw_marks(ax: Axes, shown: Cells, chosen: str | None) -> list[Artist]:
    """Draw a star at what is done today, and a circle at the choice."""
    key: list[Artist] = []
    for cell in shown.cells:
        column, row = shown.place(cell)
        if cell.subject.is_today:
            key += ax.plot(column - _CORNER, row + _CORNER * 0.7, marker="*", markersize=12.0, label="today", **_MARK)
        if cell.subject.name == chosen:
            key += ax.plot(column + _CORNER, row + _CORNER * 0.7, marker="o", markersize=8.0, label="choice", **_MARK)
    return key


_MARK: dict[str, Any] = {
    "linestyle": "",
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 1.3,
    "zorder": 7,
}


def policy_map_frame(
    study_result: StudyResult,
    metric: str | Expression = "p99_wait",
    *,
    size: Sequence[int] | None = None,
    age: Sequence[float | str] | None = None,
    limits: str | Limit | Sequence[str | Limit] = (),
    load: float | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Return what `policy_map` draws: a metric and the flush rate of each policy of a size and an age.

    Returns
    -------
    DataFrame
        One row per policy: scenario, label, size (jobs), age (s), estimate, low, high (in the metric's unit),
        flush_rate (per s), first ("size" or "age": what comes first, in the mean), limits ("pass", "fail" or
        "undecided"; of all of them together), today, confidence, n.
    """
    shown = Cells.of(study_result, metric, size, age, limits, load, confidence)
    rows = [
        {
            "scenario": cell.subject.name,
            "label": cell.subject.label,
            "size": cell.size,
            "age": cell.age,
            "estimate": cell.value.estimate,
            "low": cell.value.low,
            "high": cell.value.high,
            "flush_rate": cell.flush_rate,
            "first": shown.comes_first(cell),
            "limits": cell.verdict,
            "today": cell.subject.is_today,
            "confidence": confidence,
            "n": cell.value.n,
        }
        for cell in shown.cells
    ]
    return pd.DataFrame(rows)


def policy_map(
    study_result: StudyResult,
    metric: str | Expression = "p99_wait",
    *,
    ax: Axes | None = None,
    size: Sequence[int] | None = None,
    age: Sequence[float | str] | None = None,
    limits: str | Limit | Sequence[str | Limit] = (),
    choice: str | FlushPolicy | None = None,
    load: float | None = None,
    confidence: float = 0.95,
) -> Axes:
    """Draw a metric of the policies ``FlushAtSize(size) | FlushAfterAge(age)`` as a map of sizes and ages.

    White lines join equal values of the metric, dotted ones equal flush rates. The outline is round the policies that
    keep all limits; those of which that is undecided are hatched. Above the dashed line, age = (size − 1) / arrival
    rate, the size comes first, below it the age. The star is what is done today.
    Sizes and ages stand at equal distances; between two of them the axes are log axes.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
    ax : Axes, optional
        Where to draw. None: a new figure.
    size, age : sequence, optional
        The sizes and ages to show; None: all.
    limits : sequence of str or Limit
        What must be kept, such as ``"p99_wait <= 2s"``.
    choice : str or FlushPolicy, optional
        A policy to mark with a circle.
    load : float, optional
        The scale of the arrivals, in a study of several; None: 1, or without it the lowest.
    confidence : float
        Of each interval by itself, and of the verdicts on limits together.

    Returns
    -------
    Axes
    """
    shown = Cells.of(study_result, metric, size, age, limits, load, confidence)
    chosen = None
    if choice is not None:
        chosen = subjects.find(choice, [cell.subject for cell in shown.cells], study_result).name
    (one,) = style.axes(ax, 1)
    quantity = Quantity.of(shown.expression, [cell.value.estimate for cell in shown.cells])
    set_axes(one, shown)
    mesh = draw_heat(one, shown, quantity)
    key = draw_lines(one, shown, quantity)
    draw_scale(one, mesh, quantity, apart=len(key) > 0)
    key += draw_limits(one, shown) if shown.limits else []
    if has_numbers(shown):
        write_numbers(one, shown, quantity, mesh)
    key += draw_marks(one, shown, chosen)
    style.wide_head(one, _title(shown, quantity), subtitle=_about(study_result, shown, confidence), key=key)
    return one


def _title(shown: Cells, quantity: Quantity) -> str:
    if not shown.limits:
        return f"{quantity.name} by size and age"
    passing = sum(cell.verdict == "pass" for cell in shown.cells)
    open_ = sum(cell.verdict == "undecided" for cell in shown.cells)
    told = " and ".join(limit_in_words(one) for one in shown.limits)
    keeping = f"{passing} of {len(shown.cells)} policies {'keeps' if passing == 1 else 'keep'} {told}"
    return f"{keeping}, {open_} undecided" if open_ else keeping


def _about(study_result: StudyResult, shown: Cells, confidence: float) -> str:
    what = f"verdicts, adjusted over {len(shown.cells)} policies" if shown.limits else "intervals in the frame"
    return subjects.about_study(study_result, confidence, load=shown.cells[0].subject.scale, what=what)
