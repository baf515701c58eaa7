"""What a picture of a study is about: its scenarios at one load, with a label and a colour each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.plots import style
from bufsim.studies import labels, options
from bufsim.studies.options import Option

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult

_BRIGHT = 0.42
MOST_COLOURS = len(style.POLICY_COLOURS)
"""More policies than this, besides what is done today, cannot be told apart by colour."""


@dataclass(frozen=True, slots=True)
class Subject:
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


def all_options(study_result: StudyResult) -> tuple[Option, ...]:
    """Return what can be chosen in the study, each with its scenario at each load."""
    return options.options(study_result.scenarios, study_result.coordinates, study_result.finished)


def every(study_result: StudyResult) -> list[Subject]:
    """Return all finished scenarios, at whatever load; an error that says why if there is none."""
    _ = study_result.replications
    found = all_options(study_result)
    texts = labels.labels([option.name for option in found])
    today = [study_result.baseline in dict(option.scenarios).values() for option in found]
    places = itertools.accumulate((not is_today for is_today in today), initial=0)
    return [
        Subject(name, option.name, text, place, scale, is_today)
        for option, text, place, is_today in zip(found, texts, places, today, strict=False)
        for scale, name in option.scenarios
        if name in study_result.finished
    ]


def told_apart(shown: Sequence[Subject]) -> bool:
    """Whether all scenarios have colours of their own."""
    return sum(not one.is_today for one in shown) <= MOST_COLOURS


def at_load(
    study_result: StudyResult, load: float | None = None, scenarios: Sequence[str | FlushPolicy] | None = None
) -> list[Subject]:
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
    scales = sorted({one.scale for one in shown})
    wanted = (1.0 if 1.0 in scales else scales[0]) if load is None else checks.positive("load", load)
    if wanted not in scales:
        raise InvalidValueError(f"load must be one of {', '.join(f'{scale:g}' for scale in scales)}, got {load!r}")
    at = [one for one in shown if one.scale == wanted]
    return at if scenarios is None else [find(one, at, study_result) for one in listed(scenarios)]


def find(what: str | FlushPolicy, shown: Sequence[Subject], study_result: StudyResult) -> Subject:
    """Return the one that is meant by a scenario's name, that without its load, its label, or its policy."""
    text = what if isinstance(what, str) else repr(what)
    for one in shown:
        if text in (one.name, one.option, one.label):
            return one
    # a scenario at another load means its option
    options_of = {one.name: one.option for one in every(study_result)}
    for one in shown:
        if options_of.get(text) == one.option:
            return one
    names = [one.option for one in shown]
    return next(one for one in shown if one.option == checks.one_of("scenario", text, names))


def chosen(study_result: StudyResult, scenario: str | FlushPolicy | None, load: float | None) -> Subject:
    """Return the scenario that is asked for, at one load; None: what is done today, or the first."""
    shown = at_load(study_result, load)
    if scenario is not None:
        return find(scenario, shown, study_result)
    return next((one for one in shown if one.is_today), shown[0])


def listed(scenarios: Sequence[str | FlushPolicy]) -> list[str | FlushPolicy]:
    """Return the scenarios that are asked for, one or several, each once."""
    listed: list[str | FlushPolicy] = [scenarios] if isinstance(scenarios, str | FlushPolicy) else [*scenarios]
    if not listed:
        raise InvalidValueError("scenarios must hold at least one to show, got none; leave it out to show all")
    checks.unique("scenarios", [one if isinstance(one, str) else repr(one) for one in listed])
    return listed


def shortened(shown: Sequence[Subject]) -> tuple[list[str], str]:
    """Return the labels without what all of them, but for today's, have in common, and what was left out."""
    texts, template = labels.without_common([one.label for one in shown])
    if template:
        return texts, template
    others, template = labels.without_common([one.label for one in shown if not one.is_today])
    left = iter(others)
    return [one.label if one.is_today else next(left) for one in shown], template


def arrival_rate(study_result: StudyResult, scenario: str) -> float:
    """Return how many jobs a second come to be: as declared, or where that is not known as seen."""
    declared = sum(producer.arrivals.mean_rate for producer in study_result.scenarios[scenario].producers)
    return declared if math.isfinite(declared) else study_result.interval("arrival_rate", scenario).estimate


def about(
    study_result: StudyResult, confidence: float, *, load: float | None = None, what: str = "intervals, each by itself"
) -> str:
    """Return the line under a title: how many replications, what at which level, at which load; what did not finish."""
    parts = [f"n = {study_result.replications} replications"]
    missing = len(study_result.scenarios) - len(study_result.finished)
    # what could mislead comes first, where no line ends
    parts += ["INTERRUPTED: a part of the study"] * (not study_result.complete)
    parts += [f"{missing} {'scenario' if missing == 1 else 'scenarios'} not finished"] * (missing > 0)
    parts.append(f"{100.0 * confidence:g} % {what}")
    if load is not None and len({one.scale for one in every(study_result)}) > 1:
        parts.append("today's load" if load == 1.0 else f"{load:g} times today's load")
    return " · ".join([*parts, f"seed {study_result.seed}"])
