"""A metric of the policies of a size or an age, as a map of sizes and ages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks, formats
from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style, subjects
from bufsim.plots.closed_forms import size_and_age
from bufsim.plots.subjects import ScenarioSubject, is_wide, log_axis
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit, LimitVerdict, metric
from bufsim.studies.formulas import all_limits, expression
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.loss_rule import is_seen_to_lose
from bufsim.studies.quantities import Quantity, limit_in_words

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.contour import QuadContourSet
    from matplotlib.figure import Figure

    from bufsim.studies.study_result import StudyResult


FloatArray = npt.NDArray[np.float64]
Colour = str | tuple[float, float, float]

# a map with more sizes or ages has no numbers in its cells
_MOST_NUMBERS = 8
_MAP = "cividis"
_CORNER = 0.32
_BOUNDARY = "#B3123F"
_ISO: dict[str, Any] = {"color": "white", "linewidth": 1.2, "linestyle": "-", "halo": "#777777"}
_RATE: dict[str, Any] = {"color": "black", "linewidth": 0.9, "linestyle": (0, (1, 1.5)), "halo": "#C9C9C9"}
_UNDECIDED: dict[str, Any] = {"edgecolor": "white", "hatch": "////", "linewidth": 0.0}
_MARK: dict[str, Any] = {
    "linestyle": "",
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "markeredgewidth": 1.3,
    "zorder": 7,
}


@dataclass(frozen=True, slots=True)
class _Cell:
    """A policy that flushes at a size, jobs, or after an age, s, whichever comes first; its metric and limits."""

    subject: ScenarioSubject
    size: int
    age: float
    value: Interval
    flush_rate: float
    verdict: LimitVerdict
    loses: bool


@dataclass(frozen=True, eq=False)
class PolicyMap:
    """A metric of the policies ``FlushAtSize(size) | FlushAfterAge(age)`` as a map of sizes and ages.

    White lines join equal values of the metric, dotted ones equal flush rates. The outline is round the policies that
    keep all limits; those of which that is undecided are hatched; a cross is on those that lost jobs in any run. Above
    the dashed line, age = (size − 1) / arrival rate, the size comes first, below it the age. The star is what is done
    today.
    Sizes and ages stand at equal distances; between two of them the axes are log axes.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    metric : str or Expression
        What is drawn.
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
    """

    study_result: StudyResult
    metric: str | Expression = "p99_wait"
    _: KW_ONLY
    size: Sequence[int] | None = None
    age: Sequence[float | str] | None = None
    limits: str | Limit | Sequence[str | Limit] = ()
    choice: str | FlushPolicy | None = None
    load: float | None = None
    confidence: float = 0.95

    def frame(self) -> pd.DataFrame:
        """Return a metric and the flush rate of each policy of a size and an age.

        Returns
        -------
        DataFrame
            One row per policy: scenario, label, size (jobs), age (s), estimate, low, high (in the metric's unit),
            flush_rate (per s), first ("size" or "age": what comes first, in the mean), limits ("pass", "fail" or
            "undecided"; of all of them together), loses (whether any run lost a job), today, confidence, n.
        """
        return pd.DataFrame(
            {
                "scenario": cell.subject.name,
                "label": cell.subject.label,
                "size": cell.size,
                "age": cell.age,
                "estimate": cell.value.estimate,
                "low": cell.value.low,
                "high": cell.value.high,
                "flush_rate": cell.flush_rate,
                # the size, if so many jobs arrive, in the mean, before the oldest reaches the age
                "first": "size" if (cell.size - 1) / self._rate < cell.age else "age",
                "limits": cell.verdict,
                "loses": cell.loses,
                "today": cell.subject.is_today,
                "confidence": self.confidence,
                "n": cell.value.n,
            }
            for cell in self._cells
        )

    @style.closes_what_fails
    def draw(self, ax: Axes | None = None) -> Axes:
        """Draw on `ax`, or on a new figure."""
        chosen = None
        if self.choice is not None:
            chosen = subjects.find(self.choice, [cell.subject for cell in self._cells], self.study_result).name
        (axes,) = style.axes(ax, 1)
        self._set_axes(axes)
        mesh = self._draw_heat(axes)
        key = self._draw_lines(axes)
        self._draw_scale(axes, mesh, apart=len(key) > 0)
        key += self._draw_limits(axes) if self._limits else []
        if self._has_numbers:
            self._write_numbers(axes, mesh)
        key += self._draw_marks(axes, chosen)
        what = f"verdicts, adjusted over {len(self._cells)} policies" if self._limits else "intervals in the frame"
        load = self._cells[0].subject.scale
        about = subjects.about_study(self.study_result, self.confidence, load=load, what=what)
        style.wide_head(axes, self._title(), subtitle=about, key=key)
        return axes

    @cached_property
    def _limits(self) -> Sequence[Limit]:
        return all_limits(self.limits)

    @cached_property
    def _cells(self) -> list[_Cell]:
        """The policies, in the study's order; not every size need go with every age."""
        result, metric, limits = self.study_result, expression(self.metric), self._limits
        known = {subject: self._bounds(subject) for subject in subjects.at_load(result, self.load)}
        bounds = {subject: found for subject, found in known.items() if found is not None and self._is_shown(*found)}
        if not bounds:
            raise InvalidValueError(
                "policy_map needs policies FlushAtSize(size) | FlushAfterAge(age) of these sizes and ages, got none; "
                "give the study policy=policy_grid(size=[64, 256], age=[1, 5])"
            )
        names = [subject.name for subject in bounds]
        if len(set(bounds.values())) < len(bounds):
            raise InvalidValueError(
                f"policy_map needs one scenario for each size and age, got {', '.join(map(repr, names))}; leave out "
                "the others with result.without(...)"
            )
        checked = check_limits(limits, names, result.measured, confidence=self.confidence)
        return [
            _Cell(
                subject,
                *found,
                result.interval(metric, subject.name, confidence=self.confidence),
                result.interval("flush_rate", subject.name).estimate,
                joint(check for check in checked if check.scenario == subject.name),
                is_seen_to_lose(result.scenarios[subject.name], subject.name, result.measured),
            )
            for subject, found in bounds.items()
        ]

    def _bounds(self, subject: ScenarioSubject) -> tuple[int, float] | None:
        """Return the size and the age of a scenario whose buffers all have the same policy of that kind."""
        policies = {buffer.policy for buffer in self.study_result.scenarios[subject.name].buffers}
        return size_and_age(policies.pop()) if len(policies) == 1 else None

    def _is_shown(self, size: int, age: float) -> bool:
        sizes, ages = self._asked_sizes, self._asked_ages
        return (sizes is None or size in sizes) and (ages is None or age in ages)

    @cached_property
    def _asked_sizes(self) -> Sequence[int] | None:
        return None if self.size is None else checks.several("size", self.size, kind="a list of sizes")

    @cached_property
    def _asked_ages(self) -> Sequence[float] | None:
        return None if self.age is None else checks.several_seconds("age", self.age, kind="a list of ages")

    @cached_property
    def _rate(self) -> float:
        """The jobs that arrive a second."""
        return subjects.arrival_rate(self.study_result, self._cells[0].subject.name)

    @cached_property
    def _quantity(self) -> Quantity:
        return Quantity.of(expression(self.metric), [cell.value.estimate for cell in self._cells])

    @cached_property
    def _sizes(self) -> list[int]:
        return sorted({cell.size for cell in self._cells})

    @cached_property
    def _ages(self) -> list[float]:
        return sorted({cell.age for cell in self._cells})

    @property
    def _has_numbers(self) -> bool:
        """Whether the cells have room for numbers."""
        return max(len(self._sizes), len(self._ages)) <= _MOST_NUMBERS

    def _place(self, cell: _Cell) -> tuple[int, int]:
        """Return a cell's column and row."""
        return self._sizes.index(cell.size), self._ages.index(cell.age)

    def _table(self, values: Sequence[float]) -> FloatArray:
        """Return a value of each cell, a row an age and a column a size; nan where is none."""
        table = np.full((len(self._ages), len(self._sizes)), np.nan)
        for cell, value in zip(self._cells, values, strict=True):
            column, row = self._place(cell)
            table[row, column] = value
        return table

    def _title(self) -> str:
        if not self._limits:
            return f"{self._quantity.name} by size and age"
        verdicts = [cell.verdict for cell in self._cells]
        passing, undecided = verdicts.count("pass"), verdicts.count("undecided")
        limits = " and ".join(limit_in_words(limit) for limit in self._limits)
        keeping = f"{passing} of {len(verdicts)} policies {'keeps' if passing == 1 else 'keep'} {limits}"
        return f"{keeping}, {undecided} undecided" if undecided else keeping

    def _set_axes(self, ax: Axes) -> None:
        """Set the axes: every size and every age at equal distances."""
        ax.set_xlim(-0.5, len(self._sizes) - 0.5)
        ax.set_ylim(-0.5, len(self._ages) - 0.5)
        ax.set_xticks(range(len(self._sizes)), [f"{size:,}" for size in self._sizes])
        ax.set_yticks(range(len(self._ages)), [formats.duration(age) for age in self._ages])
        ax.set(xlabel="size, jobs", ylabel="age")

    def _draw_heat(self, ax: Axes) -> QuadMesh:
        """Draw the metric as colours."""
        from matplotlib.colors import LogNorm, Normalize

        values = self._table([cell.value.estimate for cell in self._cells]) / self._quantity.unit.size
        known = values[np.isfinite(values)]
        low, high = float(known.min()), float(known.max())
        norm = LogNorm(low, high) if is_wide(known.tolist()) else Normalize(low, high if high > low else low + 1.0)
        edges = [np.arange(count + 1) - 0.5 for count in (len(self._sizes), len(self._ages))]
        return ax.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=_MAP, norm=norm, zorder=1)

    def _draw_scale(self, ax: Axes, mesh: QuadMesh, *, apart: bool) -> None:
        """Draw the scale of the colours beside the map; `apart` if names of lines stand between them."""
        from matplotlib.colors import LogNorm

        bar = cast("Figure", ax.get_figure(root=True)).colorbar(mesh, ax=ax, pad=0.09 if apart else 0.02)
        bar.set_label(self._quantity.label, fontsize=9.0)
        if isinstance(mesh.norm, LogNorm):
            low, high = mesh.get_clim()
            log_axis(bar.ax, "y")
            bar.ax.set_ylim(low, high)
        bar.ax.tick_params(labelsize=8.0)

    def _draw_lines(self, ax: Axes) -> list[Artist]:
        """Draw lines of equal values and of equal flush rates, and where size and age come equally soon."""
        key: list[Artist] = []
        values, rates = [cell.value.estimate for cell in self._cells], [cell.flush_rate for cell in self._cells]
        lines = _draw_contours(ax, self._table(values), self._quantity, _ISO)
        if lines is not None:
            key += _entry(self._quantity, _ISO)
            if not self._has_numbers:
                ax.clabel(lines, fontsize=7.0, fmt=_names(lines, self._quantity))
        rate = Quantity.of(metric("flush_rate"), rates)
        lines = _draw_contours(ax, self._table(rates), rate, _RATE)
        if lines is not None:
            key += _entry(rate, _RATE)
            _name_at_ends(ax, lines, rate)
        self._draw_boundary(ax)
        return key

    def _draw_boundary(self, ax: Axes) -> None:
        """Draw age = (size − 1) / rate, where the size is reached, in the mean, when the age is."""
        sizes, ages = np.array(self._sizes, dtype=np.float64), np.array(self._ages)
        if len(sizes) < 2 or len(ages) < 2:
            return
        size = np.geomspace(sizes[0], sizes[-1], 400)
        age = (size - 1.0) / self._rate
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

    def _write_numbers(self, ax: Axes, mesh: QuadMesh) -> None:
        """Write each value in its cell, below the middle, in a colour that can be read there."""
        for cell in self._cells:
            column, row = self._place(cell)
            value = self._quantity.scaled(cell.value.estimate)
            red, green, blue, _ = mesh.to_rgba(np.array([value]))[0]
            colour = "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"
            text = formats.number(value, 3)
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.0, "color": colour, "zorder": 5}
            # no line and no hatching runs through it
            ax.text(column, row - 0.25, text, path_effects=_halo((red, green, blue), 3.5), **look)

    def _draw_limits(self, ax: Axes) -> list[Artist]:
        """Outline the policies that keep all limits, and hatch the undecided; return the key's part."""
        from matplotlib.collections import LineCollection
        from matplotlib.patches import Rectangle

        key: list[Artist] = []
        verdicts = {cell.verdict for cell in self._cells}
        if "pass" in verdicts:
            outline = LineCollection(
                self._outline(), colors="black", linewidths=2.4, zorder=6, label="keeps all limits"
            )
            outline.set(path_effects=_halo("white", 4.6), capstyle="projecting", clip_on=False)
            key.append(ax.add_collection(outline))
        for cell in self._cells:
            if cell.verdict == "undecided":
                column, row = self._place(cell)
                ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1.0, 1.0, zorder=2, facecolor="none", **_UNDECIDED))
        if "undecided" in verdicts:
            key.append(Rectangle((0.0, 0.0), 1.0, 1.0, facecolor="#8A8A8A", label="undecided", **_UNDECIDED))
        return key

    def _outline(self) -> list[list[tuple[float, float]]]:
        """Return the sides that part a cell that passes from one that does not, or from the edge."""
        passing = {self._place(cell) for cell in self._cells if cell.verdict == "pass"}
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

    def _draw_marks(self, ax: Axes, chosen: str | None) -> list[Artist]:
        """Draw a cross at what loses jobs, a star at what is done today, and a circle at the choice."""
        key: list[Artist] = []
        losing = [self._place(cell) for cell in self._cells if cell.loses]
        if losing:
            columns, rows = np.array(losing, dtype=np.float64).T
            key += ax.plot(columns, rows + _CORNER * 0.7, marker="X", markersize=8.0, label="loses jobs", **_MARK)
        for cell in self._cells:
            column, row = self._place(cell)
            if cell.subject.is_today:
                key += ax.plot(
                    column - _CORNER, row + _CORNER * 0.7, marker="*", markersize=12.0, label="today", **_MARK
                )
            if cell.subject.name == chosen:
                key += ax.plot(
                    column + _CORNER, row + _CORNER * 0.7, marker="o", markersize=8.0, label="choice", **_MARK
                )
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


def _halo(colour: Colour, width: float = 1.9) -> list[Any]:
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=width, foreground=colour), Normal()]


def _entry(quantity: Quantity, look: dict[str, Any]) -> list[Artist]:
    from matplotlib.lines import Line2D

    drawn = {name: value for name, value in look.items() if name != "halo"}
    return [Line2D([], [], label=f"equal {quantity.name}", path_effects=_halo(look["halo"]), **drawn)]


def _names(lines: QuadContourSet, quantity: Quantity) -> dict[float, str]:
    """The text on each line, by its height."""
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
