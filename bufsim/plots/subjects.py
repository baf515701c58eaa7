"""The subjects of pictures: buffers and queues of results, scenarios of studies, and the axes and limits they share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bufsim import checks, formats
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.flush_policy import FlushPolicy
from bufsim.plots import style
from bufsim.results.causes import short
from bufsim.results.result import Result
from bufsim.statistics import Interval
from bufsim.studies.expressions import Limit
from bufsim.studies.quantities import Quantity
from bufsim.studies.scenarios import labels as scenario_labels
from bufsim.studies.scenarios import options, without_common

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

    from bufsim.model.buffers import JobBuffer
    from bufsim.studies.study_result import StudyResult


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One part (a buffer, a queue) of one result.

    Attributes
    ----------
    label : str
        The result's.
    place : int
        The result's place among those that are shown; it sets the colour.
    result : Result
        The result.
    part : str
        The buffer's id, or the queue's name.
    """

    label: str
    place: int
    result: Result
    part: str


def of_buffers(results: Result | Sequence[Result], labels: Sequence[str] | None, buffer: str | None) -> list[Subject]:
    """Return the buffers of the results, or of each the one that is asked for."""
    results = listed_results(results)
    parts = [_buffer_ids(result) for result in results]
    if buffer is not None:
        checks.one_of("buffer", buffer, dict.fromkeys(part for known in parts for part in known))
    return _subjects(label(results, labels, buffer), results, parts, buffer)


def of_queues(results: Result | Sequence[Result], labels: Sequence[str] | None, queue: str | None) -> list[Subject]:
    """Return the queues of the results, or of each the one that is asked for."""
    results = listed_results(results)
    parts = [list(result.work["queue"].cat.categories) for result in results]
    if queue is not None:
        checks.one_of("queue", queue, dict.fromkeys(part for known in parts for part in known))
    return _subjects(label(results, labels), results, parts, queue)


def _buffer_ids(result: Result) -> list[str]:
    if isinstance(result.simulation, str):
        return list(result.tally.buffers)
    return [buffer.id for buffer in result.simulation.buffers]


def listed_results(results: Result | Sequence[Result]) -> list[Result]:
    """Return the results to draw, one or several."""
    results = [results] if isinstance(results, Result) else list(results)
    if not results:
        raise InvalidTypeError("a plot takes at least one result, got none; give what Simulation(...).run() returned")
    return results


def _subjects(names: list[str], results: Sequence[Result], parts: list[list[str]], wanted: str | None) -> list[Subject]:
    return [
        Subject(name, index, result, part)
        for index, (name, result) in enumerate(zip(names, results, strict=True))
        for part in parts[index]
        if wanted in (None, part)
    ]


def by_part(subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Return the subjects of each part together: one group a panel."""
    parts = dict.fromkeys(subject.part for subject in subjects)
    return [[subject for subject in subjects if subject.part == part] for part in parts]


def label(results: Sequence[Result], labels: Sequence[str] | None, buffer: str | None = None) -> list[str]:
    """Return one label a result: those given, else the policies, and the seeds where policies are the same.

    Given a buffer, its policy alone counts.
    """
    if labels is not None:
        given = [labels] if isinstance(labels, str) else checks.several("labels", labels, kind="a list of texts")
        if len(given) != len(results):
            raise InvalidValueError(f"labels must be as many as the results, {len(results)}, got {quoted(list(given))}")
        texts = [checks.text("labels", text) for text in given]
        checks.unique("labels", texts)
        return texts
    names = [policies(result, buffer) for result in results]
    if len(set(names)) < len(names):
        names = [f"{name}, seed {result.seed}" for name, result in zip(names, results, strict=True)]
    return [name if names.count(name) == 1 else f"{name}, run {index + 1}" for index, name in enumerate(names)]


def declared_buffer(result: Result, buffer: str) -> JobBuffer | None:
    """Return a buffer as declared; None if the result was loaded, and knows its simulation as text only."""
    if isinstance(result.simulation, str):
        return None
    return next(declared for declared in result.simulation.buffers if declared.id == buffer)


def concurrency(result: Result, queue: str) -> int:
    """Return the number of workers of a queue; 0 without workers."""
    if isinstance(result.simulation, str):
        return result.tally.queues[queue].concurrency
    workers = result.simulation.workers_of(queue)
    return 0 if workers is None else workers.concurrency


def policies(result: Result, buffer: str | None = None) -> str:
    """Return the flush policies of a result's buffers, or of one of them, in short."""
    if isinstance(result.simulation, str):
        return "loaded result"
    shown = [declared.policy for declared in result.simulation.buffers if buffer in (None, declared.id)]
    return short(", ".join(dict.fromkeys(short(repr(policy), 72) for policy in shown)), 72)


def about_results(results: Sequence[Result], buffer: str | None = None) -> str:
    """Return the line under a title: how many runs, and for one of them its seed and policy."""
    if len(results) > 1:
        return f"{len(results)} results, one run each"
    return f"one run, seed {results[0].seed} · {policies(results[0], buffer)}"


Which = Literal["x", "y"]

_WIDE, _TOO_WIDE = 20.0, 1e5
_ROOM = 0.12


def ends(intervals: Iterable[Interval]) -> list[float]:
    """Return the estimates of intervals, and their ends as far as they are not open."""
    return [
        end for interval in intervals for end in (interval.low, interval.estimate, interval.high) if math.isfinite(end)
    ]


def columns(name: str, interval: Interval) -> dict[str, float]:
    """Return an interval's estimate and ends, as the columns of a frame that have a name."""
    return {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}


def written(interval: Interval) -> str:
    """Return an interval as text, in which an end that is not known is called open.

    Examples
    --------
    >>> written(Interval(99.0, 97.0, math.inf, 0.95, 30, "order statistics"))
    '99 [97, open]'
    """
    return str(interval).replace("-inf", "open").replace("inf", "open")


def is_wide(values: Sequence[float]) -> bool:
    """Whether values are best shown on a log scale: the largest many times the smallest, and none as good as 0."""
    return min(values) > 0.0 and _WIDE * min(values) < max(values) < _TOO_WIDE * min(values)


def set_axis(ax: Axes, which: Which, quantity: Quantity, values: Iterable[float], *, log: bool | None = None) -> None:
    """Let an axis show values of a quantity, with some room; on a log axis, or (None) where the values span much.

    Parameters
    ----------
    values : iterable of float
        In the unit of the expression.
    """
    shown = [quantity.scaled(value) for value in values]
    low, high = min(shown), max(shown)
    if log and low <= 0.0:
        raise InvalidValueError(f"log needs values above 0, got {low:g} of {quantity.name}; leave log out")
    set_limits, set_label = (ax.set_xlim, ax.set_xlabel) if which == "x" else (ax.set_ylim, ax.set_ylabel)
    if log or (log is None and is_wide(shown)):
        margin = max(high / low, 1.5) ** _ROOM
        set_limits(low / margin, high * margin)
        log_axis(ax, which)
    else:
        room = _ROOM * (high - low) or 0.1 * abs(high) or 1.0
        # an axis of amounts does not go below 0 for the sake of room
        set_limits(max(low - room, 0.0) if low >= 0.0 else low - room, high + room)
    set_label(quantity.label)


def log_axis(ax: Axes, which: Which) -> None:
    """Make an axis a log axis whose ticks are plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = axis.get_view_interval()
    # few decades need the ticks between them
    subs = (1.0,) if high > 1000.0 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000.0 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


_FORBIDDEN: dict[str, Any] = {
    "facecolor": "#EFEFEF",
    "edgecolor": "#CFCFCF",
    "hatch": "///",
    "linewidth": 0.0,
    "zorder": 0,
}


def limit_values(limits: Sequence[Limit], quantity: Quantity) -> list[float]:
    """Return the bounds on a quantity."""
    return [limit.bound for limit in limits if limit.expression == quantity.expression]


def draw_limits(ax: Axes, which: Which, quantity: Quantity, limits: Sequence[Limit]) -> list[Annotation]:
    """Draw the limits on the quantity that an axis shows, and return what is written; the axis must have its limits."""
    found = [_draw(ax, which, quantity, limit) for limit in limits if limit.expression == quantity.expression]
    return [note for note in found if note is not None]


def _draw(ax: Axes, which: Which, quantity: Quantity, limit: Limit) -> Annotation | None:
    bound = quantity.scaled(limit.bound)
    low, high = ax.get_xlim() if which == "x" else ax.get_ylim()
    forbidden = (min(bound, high), high) if limit.side == "<=" else (low, max(bound, low))
    (ax.axvspan if which == "x" else ax.axhspan)(*forbidden, **_FORBIDDEN)
    (ax.axvline if which == "x" else ax.axhline)(bound, color="black", linewidth=0.9, linestyle=(0, (5, 3)), zorder=2)
    amount = quantity.bound(limit.bound)
    look: dict[str, Any] = {"textcoords": "offset points", "fontsize": 8.0, "zorder": 2.5}
    if which == "x":
        where = ax.get_xaxis_transform()
        look |= {"ha": "right", "va": "top", "rotation": 90}
        return ax.annotate(f"limit {amount}", (bound, 1.0), (-3.0, -3.0), where, **look)
    if low <= bound <= high:
        # outside, where no line runs
        return ax.annotate(f"limit\n{amount}", (1.0, bound), (3.0, 0.0), ax.get_yaxis_transform(), va="center", **look)
    return None


_BRIGHT = 0.42
MOST_COLOURS = len(style.POLICY_COLOURS)
"""More policies than this, besides what is done today, cannot be told apart by colour."""


@dataclass(frozen=True, slots=True)
class ScenarioSubject:
    """A finished scenario in a picture.

    Attributes
    ----------
    name : str
        The scenario's.
    option : str
        That without its load.
    label : str
        The option in few words.
    place : int
        The option's place in the study, what is done today not counted, which sets its colour.
    scale : float
        Its load: the scale of the arrivals.
    is_today : bool
        Whether it is what is done today, at this load.
    """

    name: str
    option: str
    label: str
    place: int
    scale: float
    is_today: bool

    @property
    def colour(self) -> str:
        """The policy's colour in every picture of studies; that of what is done today is black."""
        return style.TODAY if self.is_today else style.policy_colour(self.place)

    @property
    def ink(self) -> str:
        """That colour, dark enough for letters."""
        from matplotlib.colors import to_hex, to_rgb

        red, green, blue = to_rgb(self.colour)
        # of the brightest colours little is left (luminance by ITU-R BT.709)
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        dimmed = min(_BRIGHT / luminance, 1.0) if luminance else 1.0
        return to_hex((red * dimmed, green * dimmed, blue * dimmed))

    @property
    def dashes(self) -> Any:
        """The policy's line style in every picture."""
        # colours and line styles together come round after twelve: then the styles move on
        return "-" if self.is_today else style.policy_dashes(self.place + self.place // 12)


def every(study_result: StudyResult) -> list[ScenarioSubject]:
    """Return all finished scenarios, at whatever load; an error that says why if there is none."""
    _ = study_result.replications
    found = options(study_result.scenarios, study_result.coordinates, study_result.finished)
    texts = scenario_labels([option.name for option in found])
    today = [study_result.baseline in dict(option.scenarios).values() for option in found]
    places = itertools.accumulate((not is_today for is_today in today), initial=0)
    return [
        ScenarioSubject(name, option.name, text, index, scale, is_today)
        for option, text, index, is_today in zip(found, texts, places, today, strict=False)
        for scale, name in option.scenarios
        if name in study_result.finished
    ]


def told_apart(shown: Sequence[ScenarioSubject]) -> bool:
    """Whether all scenarios have colours of their own."""
    return sum(not subject.is_today for subject in shown) <= MOST_COLOURS


def at_load(
    study_result: StudyResult, load: float | None = None, scenarios: Sequence[str | FlushPolicy] | None = None
) -> list[ScenarioSubject]:
    """Return the scenarios at one load, in the study's order.

    Parameters
    ----------
    study_result : StudyResult
        The study.
    load : float, optional
        The scale of the arrivals; None: 1, or without it the lowest.
    scenarios : sequence of str or FlushPolicy, optional
        The scenarios or policies to show; None: all.
    """
    shown = every(study_result)
    scales = sorted({subject.scale for subject in shown})
    wanted = (1.0 if 1.0 in scales else scales[0]) if load is None else checks.positive("load", load)
    if wanted not in scales:
        raise InvalidValueError(f"load must be one of {', '.join(f'{scale:g}' for scale in scales)}, got {load!r}")
    at = [subject for subject in shown if subject.scale == wanted]
    return at if scenarios is None else [find(scenario, at, study_result) for scenario in listed(scenarios)]


def several_at_load(
    picture: str, study_result: StudyResult, load: float | None, scenarios: Sequence[str | FlushPolicy] | None
) -> list[ScenarioSubject]:
    """Return the scenarios at one load, of which a picture compares at least two."""
    shown = at_load(study_result, load, scenarios)
    if len(shown) < 2:
        raise InvalidValueError(
            f"{picture} needs at least 2 finished scenarios at one load, got {len(shown)}: {shown[0].name!r}; "
            "give the study more policies"
        )
    return shown


def find(what: str | FlushPolicy, shown: Sequence[ScenarioSubject], study_result: StudyResult) -> ScenarioSubject:
    """Return the one that is meant by a scenario's name, that without its load, its label, or its policy."""
    text = what if isinstance(what, str) else repr(what)
    for subject in shown:
        if text in (subject.name, subject.option, subject.label):
            return subject
    # a scenario at another load means its option
    options_of = {subject.name: subject.option for subject in every(study_result)}
    for subject in shown:
        if options_of.get(text) == subject.option:
            return subject
    names = [subject.option for subject in shown]
    return next(subject for subject in shown if subject.option == checks.one_of("scenario", text, names))


def chosen(study_result: StudyResult, scenario: str | FlushPolicy | None, load: float | None) -> ScenarioSubject:
    """Return the scenario that is asked for, at one load; None: what is done today, or the first."""
    shown = at_load(study_result, load)
    if scenario is not None:
        return find(scenario, shown, study_result)
    return next((subject for subject in shown if subject.is_today), shown[0])


def listed(scenarios: Sequence[str | FlushPolicy]) -> list[str | FlushPolicy]:
    """Return the scenarios that are asked for, one or several, each once."""
    if isinstance(scenarios, str | FlushPolicy):
        return [scenarios]
    listed = list(checks.several("scenarios", scenarios, kind="a list of scenarios"))
    if not listed:
        raise InvalidValueError("scenarios must hold at least one to show, got none; leave it out to show all")
    checks.unique("scenarios", [scenario if isinstance(scenario, str) else repr(scenario) for scenario in listed])
    return listed


def shortened(shown: Sequence[ScenarioSubject]) -> tuple[list[str], str]:
    """Return the labels without what all of them, but for today's, have in common, and what was left out."""
    texts, template = without_common([subject.label for subject in shown])
    if template:
        return texts, template
    others, template = without_common([subject.label for subject in shown if not subject.is_today])
    left = iter(others)
    return [subject.label if subject.is_today else next(left) for subject in shown], template


def arrival_rate(study_result: StudyResult, scenario: str) -> float:
    """Jobs created per second: as declared, or as seen where that is not known."""
    declared = sum(producer.arrivals.mean_rate for producer in study_result.scenarios[scenario].producers)
    return declared if math.isfinite(declared) else study_result.interval("arrival_rate", scenario).estimate


def about_study(
    study_result: StudyResult, confidence: float, *, load: float | None = None, what: str = "intervals, each by itself"
) -> str:
    """Return the line under a title: how many replications, what at which level, at which load; what did not finish."""
    parts = [f"n = {study_result.replications} replications"]
    missing = len(study_result.scenarios) - len(study_result.finished)
    # what could mislead comes first, where no line ends
    parts += ["INTERRUPTED: a part of the study"] * (not study_result.complete)
    parts += [f"{missing} {'scenario' if missing == 1 else 'scenarios'} not finished"] * (missing > 0)
    parts.append(f"{formats.level(confidence)} {what}")
    if load is not None and len({subject.scale for subject in every(study_result)}) > 1:
        parts.append("today's load" if load == 1.0 else f"{load:g} times today's load")
    return " · ".join([*parts, f"seed {study_result.seed}"])
