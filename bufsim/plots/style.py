"""The template of all plots: heads, units, limits, shades and empty plots that look the same everywhere."""

from __future__ import annotations

import functools
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

from bufsim.errors import InvalidTypeError, InvalidValueError, MissingExtraError, harmless, shortened

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


INK = "#333333"
LINE = "#51617A"
FAINT = "#767676"
SHADE = "#D9D9D9"
CROSS: dict[str, Any] = {"marker": "x", "color": "black", "markersize": 7.0, "markeredgewidth": 1.8, "zorder": 7}
POLICY_COLOURS = ("#332288", "#CC3311", "#44AA99", "#88CCEE", "#882255", "#DDAA33")
TODAY = "#000000"
"""The colour of what is done today, which no other policy has."""
POLICY_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1, 1)))

LABEL = 100
"""So many letters has a label at most: an entry of the key, a name beside a point or a row."""
_NO_BREAK = "\u00a0"
_SMALL = 8.0
_ROW = 12.0
_POINTS_PER_LETTER = 4.5
_MARK_LETTERS = 6.5
"""As wide as so many letters are a mark of a key and the room about it."""


def need_matplotlib() -> None:
    """Raise if there is no matplotlib, and say how to get it; all else works without it."""
    try:
        import matplotlib as mpl  # noqa: F401  # only whether it is there
    except ImportError:
        raise MissingExtraError("pictures need matplotlib: install it with pip install matplotlib") from None


def axes(
    ax: Axes | Sequence[Axes] | None, count: int, *, sharex: bool = True, share_of_height: float = 0.7, rows: int = 0
) -> list[Axes]:
    """Return `count` Axes: the given ones, or the panels of a new figure, one below the other.

    A new figure of one panel is as tall as so many named `rows` need.
    """
    need_matplotlib()
    from matplotlib.axes import Axes

    if ax is None:
        import matplotlib.pyplot as plt

        tall = max(4.0, 1.5 + 0.27 * rows) if count == 1 else 4.0 * share_of_height * count
        _, panels = plt.subplots(count, 1, figsize=(6.0, tall), layout="constrained", sharex=sharex, squeeze=False)
        return list(panels[:, 0])
    given = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
    for panel in given:
        if not isinstance(panel, Axes):
            raise InvalidTypeError(f"ax must be matplotlib Axes, got {panel!r}; take them from plt.subplots()")
    if len(given) != count:
        raise InvalidValueError(
            f"ax must hold {count} Axes, one for each panel, got {len(given)}; leave ax out, or choose a buffer"
        )
    return given


Drawn = TypeVar("Drawn", bound=Callable[..., Any])


def closes_what_fails(draw: Drawn) -> Drawn:
    """Decorator of a picture's `draw`: where it fails, as at a wrong name, no empty figure stays open."""

    @functools.wraps(draw)
    def drawn(picture: object, ax: object = None) -> object:
        before = _figures()
        try:
            return draw(picture, ax)
        except Exception:
            for number in _figures() - before:
                sys.modules["matplotlib.pyplot"].close(number)
            raise

    return cast("Drawn", drawn)


def _figures() -> set[int]:
    """The numbers of the figures that pyplot holds."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set() if pyplot is None else set(pyplot.get_fignums())


def one_or_all(all_axes: list[Axes]) -> Axes | npt.NDArray[np.object_]:
    """Return the Axes of a single panel, or an array of those of several."""
    return all_axes[0] if len(all_axes) == 1 else np.array(all_axes, dtype=object)


def plain(text: str, most: int = 400) -> str:
    r"""The text of a picture, whatever people call their buffers and policies: no mathematics, no control characters.

    Examples
    --------
    >>> print(plain("$^$ & \x1b[2J"))
    \$^\$ & \x1b[2J
    """
    # a dollar sign begins a formula, unless a backslash stands before it
    return shortened(harmless(text, keep="\n"), most).replace("$", r"\$")


def head(ax: Axes, title: str, *, subtitle: str = "", key: Sequence[Artist] = (), share: float | None = None) -> None:
    """Write above the plot: the title, what is shown, and the key, which so never covers the data.

    Lines are as long as a `share` of the figure's width; by default as the plot is wide.
    """
    figure = cast("Figure", ax.get_figure(root=True))
    # a layout engine will widen the plot when the figure is drawn
    wider = 1.0 if figure.get_layout_engine() is None else 1.14
    width = figure.get_figwidth() * 72.0 * (ax.get_position().width * wider if share is None else share)
    rise = 4.0 + _ROW * _key(ax, key, width)
    for line in reversed(_lines(plain(subtitle), int(width / _POINTS_PER_LETTER))):
        note = ax.annotate(
            line, (0.0, 1.0), (0.0, rise), "axes fraction", "offset points", fontsize=_SMALL, color=FAINT
        )
        # its width must not narrow the plot; the title keeps its room
        note.set_in_layout(False)
        rise += _ROW
    wrapped = "\n".join(_lines(plain(title), int(width / 6.6)))
    ax.set_title(wrapped, loc="left", fontsize=10.5, fontweight="bold", color=INK, pad=rise + 2.0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=_SMALL, color=FAINT)
    ax.xaxis.label.set_fontsize(9.0)
    ax.yaxis.label.set_fontsize(9.0)
    ax.set_axisbelow(True)


def _lines(text: str, letters: int) -> list[str]:
    """Return a text in lines: a number is not torn from its name or its unit, and no line begins with a dot."""
    tied = re.sub(r" (?=[\d%·])|(?<=\d) (?=[A-Za-z]+(?:,|$))", _NO_BREAK, text)
    return [line.replace(_NO_BREAK, " ") for line in textwrap.wrap(tied, letters)]


def _key(ax: Axes, key: Sequence[Artist], width: float) -> int:
    """Set the key above the plot, in as many columns as fit; return how many rows it takes."""
    if not key:
        return 0
    for artist in key:
        artist.set_label(plain(str(artist.get_label()), LABEL))
    columns = _columns([len(str(artist.get_label())) for artist in key], width / _POINTS_PER_LETTER)
    legend = ax.legend(
        handles=list(key),
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        fontsize=_SMALL,
        frameon=False,
        borderpad=0.0,
        borderaxespad=0.4,
        handlelength=1.6,
        handletextpad=0.5,
        columnspacing=1.4,
        labelspacing=0.35,
    )
    legend.set_in_layout(False)
    return -(-len(key) // columns)


def _columns(lengths: Sequence[int], room: float) -> int:
    """Return in how many columns labels of so many letters fit, beside their marks; a key fills column by column."""
    for columns in range(len(lengths), 1, -1):
        if sum(max(part) + _MARK_LETTERS for part in np.array_split(lengths, columns)) <= room:
            return columns
    return 1


def limit(ax: Axes, value: float, text: str, *, side: str = "right") -> None:
    """Draw a horizontal limit as a thin black dashed line, its value written on it at one side.

    A limit out of sight is named at the top.
    """
    seen = value <= ax.get_ylim()[1]
    if seen:
        ax.axhline(value, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=3)
    x, outwards = (1.0, -2.0) if side == "right" else (0.0, 2.0)
    ax.annotate(
        text if seen else f"↑ {text}",
        (x, value if seen else ax.get_ylim()[1]),
        (outwards, 2.0 if seen else -2.0),
        ax.get_yaxis_transform(),
        "offset points",
        ha=side,
        va="bottom" if seen else "top",
        fontsize=_SMALL,
        zorder=6,
    )


def tag(
    ax: Axes,
    text: str,
    x: float,
    y: float,
    *,
    rising: bool | None = None,
    below: bool = False,
    left: bool | None = None,
    row: int = 0,
) -> None:
    """Write a value beside its point, on the side that has more room, and off a curve that rises or falls there.

    A value in a later `row` stands lower, off one at the same height.
    """
    # where the point lies on the screen, whatever the scale
    along = ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[0]
    at_left = along > 0.6 if left is None else left
    above = not below and (rising is None or rising == at_left)
    ax.annotate(
        plain(text),
        (x, y),
        (-4.0 if at_left else 4.0, (3.0 if above else -3.0) - _ROW * row),
        textcoords="offset points",
        ha="right" if at_left else "left",
        va="bottom" if above else "top",
        fontsize=_SMALL,
        color=INK,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5},
        zorder=6,
    )


def span(ax: Axes, low: float, high: float, at: float, *, which: Literal["x", "y"] = "x", **look: Any) -> None:
    """Draw an interval along an axis, at a value of the other; an end that is open, or out of sight, is an arrow.

    The limits of the axes must be set before.
    """
    along_x = which == "x"
    first, last = ax.get_xlim() if along_x else ax.get_ylim()
    (ax.hlines if along_x else ax.vlines)(at, max(low, first), min(high, last), **look)
    arrow: dict[str, Any] = {"markersize": 4.0, "clip_on": False} | {key: look[key] for key in ("color", "zorder")}
    for marker, is_beyond, edge in (("<v", low < first, first), (">^", high > last, last)):
        if is_beyond:
            ax.plot(*((edge, at) if along_x else (at, edge)), marker=marker[not along_x], **arrow)


def shade_warm_up(ax: Axes, until: float) -> list[Artist]:
    """Shade the warm-up, which no number counts; return its entry of the key."""
    if until <= 0.0:
        return []
    return [ax.axvspan(0.0, until, label="warm-up, not counted", zorder=0, **_HATCHED, hatch="///")]


def shade_down(ax: Axes, start: float, end: float) -> None:
    """Shade a time in which the server is down."""
    ax.axvspan(start, end, zorder=0.6, **_HATCHED, hatch="xxxx")


_HATCHED: dict[str, Any] = {"facecolor": "#F4F4F4", "edgecolor": "#C9C9C9", "linewidth": 0.0}


def blank(ax: Axes, sentence: str) -> None:
    """Say in the middle of the plot why there is nothing to see."""
    ax.set_xticks([])
    ax.set_yticks([])
    note(ax, sentence, 0.5, 0.5)


def note(ax: Axes, sentence: str, x: float, y: float) -> None:
    """Say something in the plot, centred at a point given in parts of its width and height."""
    ax.text(
        x,
        y,
        textwrap.fill(plain(sentence), 44),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=9.0,
        color=FAINT,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none"},
        zorder=8,
    )


def count_axis(ax: Axes, which: Literal["x", "y"]) -> None:
    """Let an axis count: whole numbers only, with commas at the thousands."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 0.0 else ""))


def percent_axis(ax: Axes) -> None:
    """Write the shares on a y axis in percent."""
    from matplotlib.ticker import FuncFormatter

    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100.0 * share:g} %"))


def tooth_width(teeth: int) -> float:
    """Return a line width at which so many teeth of a step function stay teeth."""
    return 1.1 if teeth < 60 else 0.5


def policy_colour(index: int) -> str:
    """Return the colour of the policy of this index in every figure."""
    return POLICY_COLOURS[index % len(POLICY_COLOURS)]


def policy_dashes(index: int) -> Any:
    """Return the line style of the policy of this index in every figure."""
    return POLICY_DASHES[index % len(POLICY_DASHES)]


def wide_head(ax: Axes, title: str, *, subtitle: str, key: Sequence[Artist] = ()) -> None:
    """Write title, subtitle and key as `style.head` does, in lines over the plot and all that is at its right.

    In a figure of several panels they end where the plot ends.
    """
    figure = cast("Figure", ax.get_figure(root=True))
    engine = figure.get_layout_engine()
    # where the plot begins follows from its labels: they must be laid out before lines are broken
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    box = ax.get_position()
    is_alone = all(axes is ax or axes.get_label() == "<colorbar>" for axes in figure.axes)
    head(ax, title, subtitle=subtitle, key=key, share=1.0 - box.x0 if is_alone else box.width)
    figure.set_layout_engine(engine)


FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """A step function seen through columns of time: its least, greatest and average level in each.

    Attributes
    ----------
    edges : array of float, shape (columns + 1,)
        Where the columns begin, and where the last one ends, s.
    low, high, mean : array of float, shape (columns,)
        The least and the greatest level, levels of no duration included, and the time average.
    """

    edges: FloatArray
    low: FloatArray
    high: FloatArray
    mean: FloatArray


def envelope(times: FloatArray, values: npt.ArrayLike, *, start: float, end: float, columns: int = 600) -> Envelope:
    """Return the least, greatest and average level of a step function in each of `columns` equal parts of the time.

    Parameters
    ----------
    times : array of float
        When the level changes, s, non-decreasing; the first at or before `start`.
    values : array
        The level from then on.
    start, end : float
        The time that is seen, s.
    columns : int
        How many parts.

    Examples
    --------
    >>> seen = envelope(np.array([0.0, 1.0, 3.0]), [0, 4, 1], start=0.0, end=4.0, columns=2)
    >>> seen.low, seen.high, seen.mean
    (array([0., 1.]), array([4., 4.]), array([2. , 2.5]))
    """
    levels = np.asarray(values, dtype=np.float64)
    edges = np.linspace(start, end, columns + 1)
    first = np.searchsorted(times, edges)
    # the level that was there before the column begins counts, unless it changes at that very instant
    at_edge = times[np.minimum(first[:-1], len(times) - 1)] == edges[:-1]
    from_row = np.maximum(np.where(at_edge, first[:-1], first[:-1] - 1), 0)
    to_row = np.maximum(first[1:], from_row + 1)
    # reduceat takes the rows between each two positions; every other one is a column
    ends = np.column_stack((from_row, to_row)).ravel()
    padded = np.append(levels, levels[-1])
    low = np.minimum.reduceat(padded, ends)[::2]
    high = np.maximum.reduceat(padded, ends)[::2]
    return Envelope(edges, low, high, np.diff(_area(times, levels, edges)) / np.diff(edges))


def _area(times: FloatArray, levels: FloatArray, at: FloatArray) -> FloatArray:
    """Return the area under a step function up to each of the times `at`."""
    areas = np.concatenate(([0.0], np.cumsum(levels[:-1] * np.diff(times))))
    row = np.maximum(np.searchsorted(times, at, side="right") - 1, 0)
    area: FloatArray = areas[row] + levels[row] * (at - times[row])
    return area


def rows_to_draw(x: FloatArray, y: npt.ArrayLike, *, columns: int = 2000) -> IntArray:
    """Return the rows that draw the same line: of each column of x the first, the last, the least and the greatest.

    All rows, if there are no more than four for each column.

    Parameters
    ----------
    x : array of float
        Non-decreasing.
    y : array
        As long as `x`.
    columns : int
        How many equal parts of the range of x; as many as the picture has pixels are enough.

    References
    ----------
    U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl, "M4: a visualization-oriented time series data aggregation",
    Proceedings of the VLDB Endowment 7 (2014).

    Examples
    --------
    >>> x = np.arange(9.0)
    >>> rows_to_draw(x, [0, 1, 7, 1, 2, 3, -5, 3, 3], columns=1)
    array([0, 2, 6, 8])
    """
    if len(x) <= 4 * columns:
        return np.arange(len(x))
    levels = np.asarray(y)
    first = np.unique(np.searchsorted(x, np.linspace(x[0], x[-1], columns + 1)[:-1]))
    last = np.append(first[1:], len(x)) - 1
    column = np.repeat(np.arange(len(first)), last - first + 1)
    extremes = [first, last]
    for extreme in (np.minimum.reduceat(levels, first), np.maximum.reduceat(levels, first)):
        rows = np.flatnonzero(levels == extreme[column])
        extremes.append(rows[np.unique(column[rows], return_index=True)[1]])
    return np.unique(np.concatenate(extremes))
