"""How a recommendation is found: judge the options, select among those that pass, and look again with fresh runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.simulation import Simulation
from bufsim.studies.considered import consider
from bufsim.studies.evaluations import Evaluation, UndefinedError
from bufsim.studies.expressions import Expression
from bufsim.studies.head_room import HeadRoom, head_room
from bufsim.studies.limit_checks import LimitCheck, check_limits
from bufsim.studies.options import Coordinates, Option, option_name, options
from bufsim.studies.quantities import limit_in_words
from bufsim.studies.recommendation import Choice, Origin, Question, Recommendation
from bufsim.studies.statistics import paired_difference, select_best


class Studied(Protocol):
    """What a recommendation takes from a study's result."""

    @property
    def scenarios(self) -> Mapping[str, Simulation]:
        """What ran, by name."""

    @property
    def coordinates(self) -> Coordinates:
        """What was varied."""

    @property
    def seed(self) -> int:
        """The root seed."""

    @property
    def baseline(self) -> str | None:
        """What is done today."""

    @property
    def finished(self) -> tuple[str, ...]:
        """The scenarios that finished."""

    @property
    def replications(self) -> int:
        """The replications of each."""

    def measured(self, metric: str | Expression, scenario: str) -> Evaluation:
        """Return an expression of one scenario over the replications."""


Rerun = Callable[[Mapping[str, Simulation], int], Studied]
"""Runs scenarios on so many replications that nobody has seen."""


@dataclass(frozen=True, slots=True)
class Further:
    """What is to be run for an answer, beyond the study.

    Parameters
    ----------
    rerun : callable
        Runs it.
    fresh : int
        On how many fresh replications the choice is looked at again; 0: on none.
    scales : tuple of float
        At how many times today's load its limits are checked too.
    """

    rerun: Rerun
    fresh: int
    scales: tuple[float, ...]


def recommend(
    study: Studied,
    question: Question,
    further: Further,
    *,
    up_to: float | None = None,
    load: float | None = None,
) -> Recommendation:
    """Choose the option with the best value among those that keep every limit at every load.

    Parameters
    ----------
    study : Studied
        The result of a study.
    question : Question
        What is asked.
    further : Further
        What may be run for it.
    up_to : float, optional
        The highest load at which the limits must be kept; None: all of the study.
    load : float, optional
        The load at which the options' values count; None: today's.
    """
    choices = options(study.scenarios, study.coordinates, study.finished, up_to=up_to, load=load)
    considered = consider(choices, question.objective, question.limits, study.measured, question.confidence)
    allowed = [one.option for one in considered if one.verdict == "pass"]
    origin, today = _origin(study, choices, load), _today(study, choices)
    if not allowed:
        return Recommendation(question, origin, considered, None, None)
    samples = {one.name: study.measured(question.objective, one.base()).values() for one in allowed}
    selection = select_best(samples, confidence=question.confidence, lower_is_better=question.is_cost)
    option = next(one for one in allowed if one.name == selection.chosen)
    choice, notes = _looked_at_again(study, question, further, option, today)
    room = _head_room(study, question, further, option)
    return Recommendation(question, origin, considered, selection, choice, room, notes)


def further(rerun: Rerun, fresh: int | None, scales: Sequence[float], question: Question, replications: int) -> Further:
    """Return what is to be run, checked."""
    count = replications if fresh is None else checks.integer("fresh", fresh, at_least=0)
    if count == 1:
        raise InvalidValueError("fresh must be 0 or >= 2, got 1: from one run nothing can be said about the noise")
    if not isinstance(scales, list | tuple):
        raise InvalidTypeError(f"head_room must be a list of loads such as [1.5, 2, 3], got {scales!r}")
    found = tuple(checks.positive("a load of head_room", scale) for scale in scales)
    if found and not question.limits:
        raise InvalidValueError("head_room needs limits to break; give subject_to=[...]")
    return Further(rerun, count, found)


def _today(study: Studied, choices: Sequence[Option]) -> str | None:
    """Return the scenario of what is done today, at the load that counts."""
    if study.baseline is None:
        return None
    name = option_name(study.baseline, study.scenarios[study.baseline], study.coordinates)
    return next((option.base() for option in choices if option.name == name), study.baseline)


def _origin(study: Studied, choices: Sequence[Option], load: float | None) -> Origin:
    today = study.baseline
    return Origin(
        options=len(choices),
        loads=max(len(option.scenarios) for option in choices),
        runs=study.replications * sum(len(option.scenarios) - len(option.missing) for option in choices),
        replications=study.replications,
        seed=study.seed,
        baseline=today and option_name(today, study.scenarios[today], study.coordinates),
        load=load,
    )


def _looked_at_again(
    study: Studied, question: Question, further: Further, option: Option, today: str | None
) -> tuple[Choice, tuple[str, ...]]:
    """Return the choice as it does on fresh replications, beside what is done today on the same."""
    names = dict.fromkeys([name for _, name in option.scenarios])
    if today in study.finished:
        names[today] = None
    if not further.fresh:
        return _choice(study, question, option, 0, today), ()
    fresh = further.rerun({name: study.scenarios[name] for name in names}, further.fresh)
    if not set(names) <= set(fresh.finished):
        return _choice(study, question, option, 0, today), ("The fresh replications did not finish.",)
    try:
        choice = _choice(fresh, question, option, fresh.replications, today)
    except UndefinedError as error:
        return _choice(study, question, option, 0, today), (f"On fresh replications {error.reason}.",)
    return choice, _broken(choice)


def _choice(seen: Studied, question: Question, option: Option, fresh: int, today: str | None) -> Choice:
    names = [name for _, name in option.scenarios]
    kept = check_limits(question.limits, names, seen.measured, confidence=question.confidence, family=1)
    value = seen.measured(question.objective, option.base())
    choice = Choice(option.name, value.interval(question.confidence), fresh, kept, is_exact=value.is_exact)
    if today is None or today in names or today not in seen.finished:
        return choice
    try:
        other = seen.measured(question.objective, today).values()
    except UndefinedError:
        return choice
    gap = paired_difference(value.values(), other, names=(option.name, today))
    gain = gap.relative_interval(question.confidence) if gap.second_mean else None
    return replace(choice, gain=gain, difference=gap.interval(question.confidence))


def _broken(choice: Choice) -> tuple[str, ...]:
    """Return what to say of limits that the fresh replications do not confirm."""
    return tuple(
        f"The fresh replications do not confirm that {check.scenario} keeps {limit_in_words(check.limit)}: "
        f"{check.shown()}."
        for check in choice.checks
        if check.verdict != "pass"
    )


def _head_room(study: Studied, question: Question, further: Further, option: Option) -> HeadRoom | None:
    """Return what becomes of the limits at the loads of the study, and at the further ones."""
    if not question.limits or (not further.scales and len(option.scenarios) == 1):
        return None
    base, scale_of_base = study.scenarios[option.base()], option.base_scale()
    names = {f"{option.name} at {scale:g} times the load": scale for scale in further.scales}
    loads = [(scale, _at(study, question, name)) for scale, name in option.scenarios if scale >= 1.0]
    if names:
        scenarios = {name: base.scaled(arrivals=scale / scale_of_base) for name, scale in names.items()}
        more = further.rerun(scenarios, further.fresh or study.replications)
        loads += [(scale, _at(more, question, name)) for name, scale in names.items() if name in more.finished]
    return head_room(option.name, loads)


def _at(seen: Studied, question: Question, name: str) -> tuple[LimitCheck, ...]:
    return check_limits(question.limits, [name], seen.measured, confidence=question.confidence)
