"""A metric of each option at rising loads: what a picture of a load ramp shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim.errors import InvalidValueError
from bufsim.model.flush_policy import FlushPolicy
from bufsim.studies.expressions import Expression
from bufsim.studies.limits import Limit
from bufsim.studies.plots import saturation, subjects
from bufsim.studies.plots.crossings import Crossing, crossings
from bufsim.studies.plots.subjects import Subject
from bufsim.studies.statistics import Interval

if TYPE_CHECKING:
    from bufsim.studies.study_result import StudyResult


@dataclass(frozen=True, slots=True)
class Point:
    """An option at one load.

    Attributes
    ----------
    subject : Subject
        The scenario.
    rate : float
        Jobs that arrive a second.
    interval : Interval
        The metric.
    is_saturated : bool
        Whether its workers cannot do the work that comes.
    """

    subject: Subject
    rate: float
    interval: Interval
    is_saturated: bool


@dataclass(frozen=True, slots=True)
class Ramp:
    """An option at rising loads.

    Attributes
    ----------
    points : tuple of Point
        The lowest load first; at least two.
    ends : bool
        Whether the metric has no steady value once the workers are saturated.
    """

    points: tuple[Point, ...]
    ends: bool

    @property
    def subject(self) -> Subject:
        """The option, at its lowest load."""
        return self.points[0].subject

    @property
    def drawn(self) -> tuple[Point, ...]:
        """The points that have a steady value."""
        stop = self.stop
        return self.points if stop is None or not self.ends else self.points[: self.points.index(stop)]

    @property
    def stop(self) -> Point | None:
        """The lowest load at which the workers are saturated; None if they never are."""
        return next((point for point in self.points if point.is_saturated), None)

    def crossings(self, limit: Limit) -> list[Crossing]:
        """Return where the line crosses a limit, the lowest rate first."""
        drawn = self.drawn
        if len(drawn) < 2:
            return []
        values = [point.interval for point in drawn]
        log = limit.bound > 0.0 and all(one.estimate > 0.0 for one in values)
        return crossings([point.rate for point in drawn], values, limit.bound, log=log)

    def breaking(self, limit: Limit) -> Crossing | None:
        """Return where the line first goes beyond a limit that it keeps at the lowest load; None if it does nowhere."""
        found = self.crossings(limit)
        return found[0] if found and found[0].is_rising == (limit.side == "<=") else None

    @property
    def today(self) -> float:
        """The rate at a scale of 1."""
        return self.points[0].rate / self.subject.scale


def ramps(
    study_result: StudyResult, expression: Expression, scenarios: Sequence[str | FlushPolicy] | None, confidence: float
) -> list[Ramp]:
    """Return the options of a study that were run at several loads, or those of them that are asked for."""
    by_option: dict[str, list[Subject]] = {}
    for one in subjects.every(study_result):
        by_option.setdefault(one.option, []).append(one)
    several = {option: found for option, found in by_option.items() if len(found) > 1}
    if not several:
        loads = sum(map(len, by_option.values()))
        raise InvalidValueError(
            f"load_ramp needs a policy at several loads, got {loads} scenarios at one load each; "
            "give the study arrivals_scale=[1, 2, 4]"
        )
    if scenarios is not None:
        lowest = [found[0] for found in several.values()]
        asked = [subjects.find(one, lowest, study_result).option for one in subjects.listed(scenarios)]
        several = {option: several[option] for option in asked}
    return [_ramp(study_result, expression, found, confidence) for found in several.values()]


def _ramp(study_result: StudyResult, expression: Expression, found: Sequence[Subject], confidence: float) -> Ramp:
    points = []
    for one in found:
        tallies = list(study_result.tallies[one.name].values())
        rate = subjects.arrival_rate(study_result, one.name)
        interval = study_result.interval(expression, one.name, confidence=confidence)
        saturated = saturation.is_saturated(study_result.scenarios[one.name], tallies)
        points.append(Point(one, rate, interval, saturated))
    return Ramp(tuple(points), saturation.is_of_queue(expression))
