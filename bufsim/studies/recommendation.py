"""The recommendation: options judged by their limits, the best of those that pass, and a second look at it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import pandas as pd

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.simulation import Simulation
from bufsim.statistics import Comparison, Interval, Selection, select_best
from bufsim.studies.answers import Answer
from bufsim.studies.comparisons import against, percent, tie_in_words
from bufsim.studies.estimates import UndefinedError, deterministic_text
from bufsim.studies.expressions import Limit
from bufsim.studies.judging import JudgedOption, Question, judge_options, some
from bufsim.studies.limit_checks import COLUMNS, Headroom, LimitCheck, check_limits, hopeless, nearest
from bufsim.studies.loss_rule import LOSES, WAY_OUT, loss_sentence
from bufsim.studies.quantities import limit_in_words
from bufsim.studies.scenarios import Option, in_words, option_name, options
from bufsim.studies.study_numbers import StudyNumbers
from bufsim.studies.what_if import kept_of_recordings


def _verdict_counts(judged: Sequence[JudgedOption]) -> str:
    """The numbers of options that pass, fail and are undecided, in words."""
    counts = Counter(option.verdict for option in judged)
    text = f"pass {counts['pass']} · fail {counts['fail']} · undecided {counts['undecided']}"
    if not counts["undecided"]:
        return text
    needed = [option.replications_needed for option in judged if option.replications_needed is not None]
    settle = f"; about {max(needed):,} replications would decide {len(needed)} of them" if needed else ""
    return f"{text} (undecided counts as not allowed{settle})"


@dataclass(frozen=True, slots=True)
class Origin:
    """The evidence that an answer rests on.

    Parameters
    ----------
    options, loads, runs, replications, seed : int
        How much was tried, at the loads that count.
    baseline : str or None
        The option that stands for what is done today.
    load : float or None
        At how many times today's load the options' values count; None: at today's.
    """

    options: int
    loads: int
    runs: int
    replications: int
    seed: int
    baseline: str | None
    load: float | None = None

    def sentence(self) -> str:
        """The whole in a sentence."""
        tried = f"{self.options:,} options" + (f" x {self.loads} loads" if self.loads > 1 else "")
        each = f"{self.replications} replications each, common random numbers, seed {self.seed}"
        return f"Of {tried} ({self.runs:,} runs, {each}):"


@dataclass(frozen=True, slots=True)
class Choice:
    """The option that is chosen, as it did on replications that had no part in choosing it.

    Parameters
    ----------
    name : str
        The option.
    value : Interval
        The objective at the load that counts.
    fresh : int
        On how many fresh replications; 0 if on those that chose it, where it looks better than it is.
    checks : tuple of LimitCheck
        Its limits, load by load.
    gain : Interval or None
        (value − today's) / |today's|; None where there is no difference, or today's is 0.
    difference : Interval or None
        value − today's; None without a baseline, for the baseline itself, or where that has no value.
    is_deterministic : bool
        Whether nothing is drawn at random at the load that counts, so that the value has no error.
    loss : str
        What it loses at the load at which it loses most, or that it lost nothing though it could; "" if it cannot.
    """

    name: str
    value: Interval
    fresh: int
    checks: tuple[LimitCheck, ...]
    gain: Interval | None = None
    difference: Interval | None = None
    is_deterministic: bool = False
    loss: str = ""

    @property
    def binding(self) -> LimitCheck | None:
        """The limit that is nearest to breaking; None without limits."""
        return nearest(self.checks)


@dataclass(frozen=True, slots=True, repr=False)
class Recommendation(Answer):
    """The option to choose, and how sure that is: the answer to ``study_result.recommend(...)``.

    Parameters
    ----------
    question : Question
        The objective and the limits.
    origin : Origin
        What it rests on.
    judged_options : tuple of JudgedOption
        Every option, with its limits and its value, in the study's order.
    selection : Selection or None
        Among those that pass: the best and what is not separable from it; None if none passes.
    choice : Choice or None
        The chosen one; None if none passes.
    headroom : Headroom or None
        How much more load it bears, if that was requested.
    notes : tuple of str
        What else the reader should know.
    """

    question: Question
    origin: Origin
    judged_options: tuple[JudgedOption, ...]
    selection: Selection | None
    choice: Choice | None
    headroom: Headroom | None = None
    notes: tuple[str, ...] = ()

    @property
    def qualifies(self) -> bool:
        """Whether any option passes."""
        return self.choice is not None

    @property
    def exit_status(self) -> int:
        """0, or 1 if no option qualifies."""
        return 0 if self.qualifies else 1

    @property
    def nearest_miss(self) -> JudgedOption | None:
        """Where none passes, the option that is nearest to passing: an undecided one before one that fails."""
        if self.qualifies:
            return None

        def passing(option: JudgedOption) -> tuple[bool, float, str]:
            return option.verdict == "undecided" and not option.reason, option.room, option.name

        return max(self.judged_options, key=passing)

    @property
    def ties(self) -> tuple[Comparison, ...]:
        """The options that are not separable from the choice, each compared with it."""
        return () if self.selection is None else self.selection.ties

    @property
    def losing(self) -> tuple[JudgedOption, ...]:
        """The options that do not qualify since they lose jobs."""
        return tuple(option for option in self.judged_options if option.losses)

    def _of_losses(self) -> Iterator[str]:
        """The options that lose jobs, and what would let them qualify."""
        losing = [(option.name, nearest(option.losses)) for option in self.losing]
        if losing:
            listed = [f"{name} ({check.text()})" for name, check in losing if check is not None]
            yield f"Lose jobs, and so do not qualify: {some(listed)}. {WAY_OUT}."

    @property
    def never_seen_to_lose(self) -> tuple[JudgedOption, ...]:
        """The options of which no run lost a job, and that only lack runs to qualify, where the choice loses jobs."""
        if self.choice is None:
            return ()
        chosen = next(option for option in self.judged_options if option.name == self.choice.name)
        if not chosen.is_seen_to_lose and not self.choice.loss.startswith(LOSES):
            return ()
        return tuple(option for option in self.judged_options if option.runs_to_settle is not None)

    def _of_never_seen(self) -> Iterator[str]:
        """The options that may lose nothing, to be settled before one that loses is chosen."""
        assert self.choice is not None
        unit = self.question.objective.unit
        listed = [
            f"{option.name} ({f'{option.value} {unit}'.rstrip()}; {option.runs_to_settle:,} runs, none with a loss, "
            "would settle it)"
            for option in self.never_seen_to_lose
        ]
        if listed:
            yield (
                f"Never seen to lose a job, and undecided for lack of runs alone: {some(listed)}. "
                f"Settle that first: {self.choice.name} does lose jobs."
            )

    @property
    def better_but_undecided(self) -> tuple[JudgedOption, ...]:
        """The options with a better value than the choice's, on the same replications, of which a limit is open."""
        if self.choice is None:
            return ()
        chosen = next(option.value for option in self.judged_options if option.name == self.choice.name)
        assert chosen is not None
        sign = 1.0 if self.question.is_cost else -1.0
        return tuple(
            option
            for option in self.judged_options
            if option.verdict == "undecided"
            and option.value is not None
            and sign * option.value.estimate < sign * chosen.estimate
        )

    def _of_undecided(self) -> Iterator[str]:
        """The options that might be better than the choice, with the limits that they may or may not keep."""
        unit = self.question.objective.unit
        listed = [
            f"{option.name} ({f'{option.value} {unit}'.rstrip()}; {_open_limits(option)})"
            for option in self.better_but_undecided
        ]
        if listed:
            yield f"Better, but undecided: {some(listed)}."

    def sentence(self) -> str:
        """The whole answer."""
        return "\n".join(self.sentences())

    def sentences(self) -> list[str]:
        """The answer, a line an element; policies and limits stand in few words, as in reports."""
        lines = self._of_choice() if self.choice is not None else self._of_none()
        return [self.origin.sentence(), *(f"  {in_words(line)}" for line in lines)]

    def _of_choice(self) -> Iterator[str]:
        assert self.choice is not None
        yield from self._of_never_seen()
        yield f"{self.choice.name} {self._kept()}{self._value()}{self._gain()}{self._basis()}."
        if self.choice.loss:
            yield f"{self.choice.loss}."
        if self.ties:
            listed = "; ".join(tie_in_words(tie, self.question.objective.unit) for tie in self.ties)
            yield f"Not separable from it at n = {self.origin.replications}: {listed}."
        yield from self._of_rare()
        if self.choice.binding is not None:
            yield f"Binding limit: {self._binding(self.choice.binding)}."
        if self.headroom is not None:
            yield from self.headroom.sentences()
        if self.question.limits or self.losing:
            yield f"{_capitalised(_verdict_counts(self.judged_options))}."
        yield from self._of_undecided()
        yield from self._of_losses()
        yield from self.notes

    def _of_rare(self) -> Iterator[str]:
        """What to do where options are not separable only because a part of the objective was seldom seen."""
        assert self.selection is not None
        if not self.selection.way_out:
            return
        rare = [tie.difference.rare for tie in self.ties if tie.difference.rare and tie.difference.rest]
        phrases = " or ".join(dict.fromkeys(part.phrase for part in rare))
        such = " (lost_share <= 1 % in place of per_lost_job)" if phrases == "lose jobs" else ""
        yield (
            f"These differences allow for runs that {phrases}, each as much as it can: {self.selection.way_out}{such}."
        )

    def _loads(self) -> tuple[tuple[float, str], ...]:
        """The loads at which the choice was looked at, times today's, and its scenarios there."""
        assert self.choice is not None
        return next(judged.option.scenarios for judged in self.judged_options if judged.name == self.choice.name)

    def _binding(self, check: LimitCheck) -> str:
        named = self._loads()
        at = "".join(_at(scale) for scale, name in named if name == check.scenario) if len(named) > 1 else ""
        return f"{limit_in_words(check.limit)}{at}: {check.text()}"

    def _kept(self) -> str:
        limits = len(self.question.limits)
        kept = f"keeps {'its limit' if limits == 1 else f'all {limits} limits'}" if limits else ""
        if limits and self.origin.loads > 1:
            kept += f" at every load up to {max(scale for scale, _ in self._loads()):g} times today's"
        assert self.selection is not None
        of = " of those that do" if limits else ""
        if self.losing:
            of = f"{of} and lose no jobs" if limits else " of those that lose no jobs"
        has = f"has {self.question.wanted}{of}"
        if self.selection.winner is None:
            has = f"is one of {len(self.selection.tie_set)} with {self.question.wanted}{of}"
        return f"{kept} and {has}" if kept else has

    def _value(self) -> str:
        assert self.choice is not None
        load, unit = self.origin.load, self.question.objective.unit
        value = (
            deterministic_text(self.choice.value, unit)
            if self.choice.is_deterministic
            else f"{self.choice.value} {unit}".rstrip()
        )
        return f": {value}{'' if load in (None, 1.0) else _at(load)}"

    def _gain(self) -> str:
        assert self.choice is not None
        today, gain, difference = self.origin.baseline, self.choice.gain, self.choice.difference
        if today is None:
            return ""
        if self.choice.name == today:
            return ", and is what is done today"
        if gain is not None and math.isfinite(gain.half_width):
            return f", {against(percent(gain), ' %', today, self.choice.is_deterministic)}"
        if difference is None:
            return f", and there is no value of today's {today} to compare it with"
        return (
            f", {against(difference, f' {self.question.objective.unit}'.rstrip(), today, self.choice.is_deterministic)}"
        )

    def _basis(self) -> str:
        assert self.choice is not None
        if self.choice.fresh:
            return f" (on {self.choice.fresh} fresh replications)"
        return " (on the replications that chose it, which flatter it; fresh=None re-estimates it)"

    def _of_none(self) -> Iterator[str]:
        yield f"No option qualifies: {_verdict_counts(self.judged_options)}."
        near = self.nearest_miss
        if near is not None:
            yield f"Nearest is {near.name}: {_open_limits(near) or near.reason}."
        for limit in self.question.limits:
            checks = [check for option in self.judged_options for check in option.checks if check.limit == limit]
            if checks and all(check.verdict == "fail" for check in checks):
                yield f"{_capitalised(hopeless(checks))}."
        yield from self._of_losses()
        yield from self.notes

    def table(self) -> pd.DataFrame:
        """A row an option.

        Returns
        -------
        DataFrame
            option, verdict, in_tie_set, value, low, high, unit (on the study's replications), difference,
            difference_low, difference_high (from the choice, adjusted), replications_needed (to show it), room,
            binding, reason.
        """
        rivals = {} if self.selection is None else {rival.first: rival for rival in self.selection.rivals}
        return pd.DataFrame([self._row(option, rivals.get(option.name)) for option in self.judged_options])

    def _row(self, option: JudgedOption, rival: Comparison | None) -> dict[str, object]:
        needed = rival.replications_needed() if rival else None
        return {
            "option": option.name,
            "verdict": option.verdict,
            "in_tie_set": self.selection is not None and option.name in self.selection.tie_set,
            **_ends("value", "low", "high", option.value),
            "unit": self.question.objective.unit,
            **_ends("difference", "difference_low", "difference_high", rival.interval if rival else None),
            "replications_needed": math.nan if needed is None else needed,
            "room": option.room,
            "binding": str(option.binding.limit) if option.binding else "",
            "reason": option.reason,
        }

    def checks(self) -> pd.DataFrame:
        """A row for each option, load and limit: option, and the columns of a table of limit checks."""
        rows = [(option.name, *check.row()) for option in self.judged_options for check in option.checks]
        return pd.DataFrame(rows, columns=["option", *COLUMNS])


def _ends(estimate: str, low: str, high: str, interval: Interval | None) -> dict[str, float]:
    """An interval as cells of a row; missing ones without it."""
    numbers = (interval.estimate, interval.low, interval.high) if interval else (math.nan,) * 3
    return dict(zip((estimate, low, high), numbers, strict=True))


def _at(load: float) -> str:
    return " at today's load" if load == 1.0 else f" at {load:g} times today's load"


def _capitalised(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _worst(checks: Iterable[LimitCheck]) -> list[LimitCheck]:
    """The check with the least room of each limit."""
    worst: dict[Limit, LimitCheck] = {}
    for check in checks:
        if check.limit not in worst or check.room < worst[check.limit].room:
            worst[check.limit] = check
    return list(worst.values())


def _open_limits(option: JudgedOption) -> str:
    """The limits that an option breaks, or of which that is open, each with its verdict."""
    worst = _worst(check for check in option.checks if check.verdict != "pass")
    return "; ".join(f"{limit_in_words(check.limit)} ({check.verdict}: {check.text()})" for check in worst)


Rerun = Callable[[Mapping[str, Simulation], int], StudyNumbers]
"""Runs scenarios on so many replications that nobody has seen."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The runs that an answer may make beyond the study.

    Parameters
    ----------
    rerun : callable
        Makes them.
    fresh : int
        On how many fresh replications the choice is looked at again; 0: on none.
    scales : tuple of float
        At how many times today's load its limits are checked too.
    """

    rerun: Rerun
    fresh: int
    scales: tuple[float, ...]

    @classmethod
    def of(
        cls, rerun: Rerun, fresh: int | None, headroom: Sequence[float], question: Question, replications: int
    ) -> Self:
        """The follow-up runs, validated; by default as many fresh ones as the study had replications."""
        count = replications if fresh is None else checks.integer("fresh", fresh, at_least=0)
        if count == 1:
            raise InvalidValueError("fresh must be 0 or >= 2, got 1: from one run nothing can be said about the noise")
        if not isinstance(headroom, list | tuple):
            raise InvalidTypeError(f"headroom must be a list of loads such as [1.5, 2, 3], got {quoted(headroom)}")
        scales = tuple(checks.positive("a load of headroom", scale) for scale in headroom)
        if scales and not question.limits:
            raise InvalidValueError("headroom needs limits to break; give subject_to=[...]")
        return cls(rerun, count, scales)


# Of four options, with 30 replications each: "size 10" costs 0.9 but breaks a limit, and "size 20" costs 1.0 but its
# interval lies astride of the bound. Neither is allowed: the best of them may be the best because it breaks the limit.
# "size 30" costs 1.1 and "size 40" 1.2, and both pass. "size 30" is chosen; that 1.1 is the least of two noisy means,
# and so lower on average than what "size 30" costs. Therefore it runs again, on replications 30 to 59, together with
# what is done today: the value, the gain over today and the limits that the answer shows are those of these runs, and
# a limit that they do not confirm is noted. Last, "size 30" alone runs at the loads of the headroom.
def recommend(
    study: StudyNumbers,
    question: Question,
    follow_up: FollowUp,
    *,
    up_to: float | None = None,
    load: float | None = None,
) -> Recommendation:
    """Choose the option with the best value among those that keep every limit at every load.

    Parameters
    ----------
    study : StudyNumbers
        The result of a study.
    question : Question
        The objective and the limits.
    follow_up : FollowUp
        What may be run for the answer.
    up_to : float, optional
        The highest load at which the limits must be kept; None: all of the study.
    load : float, optional
        The load at which the options' values count; None: today's.
    """
    choices = options(study.scenarios, study.coordinates, study.finished, up_to=up_to, load=load)
    judged = judge_options(choices, question, study.scenarios, study.measured)
    baseline = study.baseline and option_name(study.baseline, study.scenarios[study.baseline], study.coordinates)
    origin = _origin(study, choices, baseline, load)
    allowed = [option.option for option in judged if option.verdict == "pass"]
    if not allowed:
        return Recommendation(question, origin, judged, None, None)
    level = question.confidence
    samples = {option.name: study.measured(question.objective, option.base()).sample(level) for option in allowed}
    selection = select_best(samples, confidence=level, lower_is_better=question.is_cost)
    option = next(option for option in allowed if option.name == selection.chosen)
    # what is done today, at the load that counts
    today = next((option.base() for option in choices if option.name == baseline), study.baseline)
    choice, notes = _look_again(study, question, follow_up, option, today)
    looked_at = [study.scenarios[name] for option in choices for name in option.names]
    kept = kept_of_recordings([*looked_at, *(looked_at[0].scaled(arrivals=scale) for scale in follow_up.scales)])
    notes += (f"{_capitalised(kept)}.",) if kept else ()
    return Recommendation(
        question, origin, judged, selection, choice, _headroom(study, question, follow_up, option), notes
    )


def _origin(study: StudyNumbers, choices: Sequence[Option], baseline: str | None, load: float | None) -> Origin:
    return Origin(
        options=len(choices),
        loads=max(len(option.scenarios) for option in choices),
        runs=study.replications * sum(len(option.scenarios) - len(option.missing) for option in choices),
        replications=study.replications,
        seed=study.seed,
        baseline=baseline,
        load=load,
    )


def _look_again(
    study: StudyNumbers, question: Question, follow_up: FollowUp, option: Option, today: str | None
) -> tuple[Choice, tuple[str, ...]]:
    """The choice on fresh replications, beside what is done today on the same, and notes on these runs."""
    if not follow_up.fresh:
        return _choice(study, question, option, 0, today), ()
    names = dict.fromkeys(option.names)
    if today in study.finished:
        names[today] = None
    fresh = follow_up.rerun({name: study.scenarios[name] for name in names}, follow_up.fresh)
    if not set(names) <= set(fresh.finished):
        return _choice(study, question, option, 0, today), ("The fresh replications did not finish.",)
    try:
        choice = _choice(fresh, question, option, fresh.replications, today)
    except UndefinedError as error:
        return _choice(study, question, option, 0, today), (f"On fresh replications {error.reason}.",)
    return choice, tuple(
        f"The fresh replications do not confirm that {check.scenario} keeps {limit_in_words(check.limit)}: "
        f"{check.text()}."
        for check in choice.checks
        if check.verdict != "pass"
    )


def _choice(numbers: StudyNumbers, question: Question, option: Option, fresh: int, today: str | None) -> Choice:
    """The choice by the numbers of some replications, compared with today where that can be."""
    names, confidence = option.names, question.confidence
    kept = check_limits(question.limits, names, numbers.measured, confidence=confidence, family=1)
    kept += question.check_losses(names, numbers.scenarios, numbers.measured)
    value = numbers.measured(question.objective, option.base())
    choice = Choice(
        option.name,
        value.interval(confidence),
        fresh,
        kept,
        is_deterministic=value.is_deterministic,
        loss=_loss(numbers, question, option),
    )
    if today is None or today in names or today not in numbers.finished:
        return choice
    try:
        todays = numbers.measured(question.objective, today)
        gap = value.against(todays, names=(option.name, today), confidence=confidence)
    except UndefinedError:
        return choice
    gain = gap.relative_interval(confidence) if gap.second_mean else None
    return replace(choice, gain=gain, difference=gap.interval(confidence))


def _loss(numbers: StudyNumbers, question: Question, option: Option) -> str:
    """What the choice loses at the load at which it loses most."""
    several = len(option.scenarios) > 1
    text = loss_sentence(
        [
            (_at(scale) if several else "", numbers.scenarios[name], numbers.measured(question.objective, name).tallies)
            for scale, name in option.scenarios
        ]
    )
    if not text or text.startswith(LOSES):
        return text
    # none seen is not none that can be: at the highest load the bounds say how far it is
    scale, name = option.scenarios[-1]
    note = numbers.interval("lost_jobs", name, confidence=question.confidence).note
    return f"{text};{_at(scale) if several else ''} {note}" if note else text


def _headroom(study: StudyNumbers, question: Question, follow_up: FollowUp, option: Option) -> Headroom | None:
    """The limits' checks at the loads of the study, and at the further ones."""
    if not question.limits or (not follow_up.scales and len(option.scenarios) == 1):
        return None

    def at_load(numbers: StudyNumbers, name: str) -> tuple[LimitCheck, ...]:
        kept = check_limits(question.limits, [name], numbers.measured, confidence=question.confidence)
        return kept + question.check_losses([name], numbers.scenarios, numbers.measured)

    loads = [(scale, at_load(study, name)) for scale, name in option.scenarios if scale >= 1.0]
    if follow_up.scales:
        base, scale_of_base = study.scenarios[option.base()], option.base_scale()
        names = {f"{option.name} at {scale:g} times the load": scale for scale in follow_up.scales}
        scenarios = {name: base.scaled(arrivals=scale / scale_of_base) for name, scale in names.items()}
        more = follow_up.rerun(scenarios, follow_up.fresh or study.replications)
        loads += [(scale, at_load(more, name)) for name, scale in names.items() if name in more.finished]
    return Headroom(option.name, tuple(sorted(loads, key=lambda load: load[0])))
