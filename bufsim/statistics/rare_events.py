"""Exact bounds where runs show no event, or few: nothing seen is not zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bufsim import formats
from bufsim.checks import integer
from bufsim.errors import InvalidValueError
from bufsim.statistics.intervals import inner_probability

FEW = 5
"""With fewer runs than these that saw an event, a mean over runs has no t interval worth its name.

Runs that see it with probability p each: in n = 30, the t interval of p covers it in 79 % at
p = 0.05 and 26 % at p = 0.01; with the bounds below for fewer than 5, in 94 % or more.
"""
WORTH_KNOWING = 0.01
"""The share of runs for which a sentence says how many runs would bound it."""


def most_runs(events: int, runs: int, *, confidence: float = 0.95) -> float:
    """The upper bound of the share of runs that see an event, when `events` of `runs` did: Clopper and Pearson's.

    It is one-sided: the true share is above it with probability 1 − confidence at most.

    Parameters
    ----------
    events : int
        Runs that saw one or more.
    runs : int
        Runs in all.
    confidence : float, default 0.95
        Of the bound.

    Notes
    -----
    It is over runs, which are independent, and not over jobs, which are not: jobs that come together are lost together.
    Without any event it is 1 − α^(1/n), some 3/n at 95 %: the rule of three.

    References
    ----------
    Clopper and Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26, 404-413; Hanley and Lippman-Hand (1983), If nothing goes wrong, is everything all right?, JAMA 249,
    1743-1745 (the rule of three).

    Examples
    --------
    >>> round(most_runs(0, 10), 3), round(most_runs(0, 300), 4), round(most_runs(1, 10), 3)
    (0.259, 0.0099, 0.394)
    """
    from scipy.special import betaincinv

    level, count = inner_probability("confidence", confidence), integer("runs", runs, at_least=1)
    seen = integer("events", events, at_least=0)
    if seen > count:
        raise InvalidValueError(f"events must be <= runs = {count}, got {seen}")
    return 1.0 if seen == count else float(betaincinv(seen + 1, count - seen, level))


def runs_to_bound(share: float = WORTH_KNOWING, *, confidence: float = 0.95) -> int:
    """The fewest runs, none of which sees an event, that bound the share of runs that do by `share`.

    Examples
    --------
    >>> runs_to_bound(0.01), runs_to_bound(0.26)
    (299, 10)
    """
    level, most = inner_probability("confidence", confidence), inner_probability("share", share)
    return math.ceil(math.log1p(-level) / math.log1p(-most))


@dataclass(frozen=True, slots=True)
class RareEvents:
    """A mean over runs that counts events which few of them saw, with its exact bounds.

    Parameters
    ----------
    seen, runs : int
        How many runs saw any, of how many.
    estimate : float
        The mean over these runs.
    most : float
        The value of a run in which the event happens to everything that it can happen to.
    phrase : str
        What a run does that sees it: "lose jobs".
    is_all : bool, default False
        Whether the value is a share that is all, `most`, in every run, and the event makes it less.
    is_certain : bool, default False
        Whether the value is known without runs, such as a loss where nothing can be lost.

    Examples
    --------
    >>> RareEvents(0, 10, 0.0, 1.0, "lose jobs").bounds(0.95)[1].__round__(3)
    0.259
    """

    seen: int
    runs: int
    estimate: float
    most: float
    phrase: str
    is_all: bool = False
    is_certain: bool = False

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Between these the mean lies: one of them is certain, the other holds with `confidence`."""
        if self.is_certain:
            return self.estimate, self.estimate
        share = most_runs(self.seen, self.runs, confidence=confidence)
        if self.is_all:
            return self.most * (1.0 - share), self.most
        return 0.0, max(share * self.most, self.estimate)

    def text(self, confidence: float) -> str:
        """How many were seen, and up to how large a share of runs may see one."""
        return few_in_words(self.seen, self.runs, self.phrase, confidence=confidence)


def few_in_words(events: int, runs: int, what: str, *, confidence: float = 0.95) -> str:
    """How few events were seen, up to how large a share of runs may see one, and how many runs would say more.

    Examples
    --------
    >>> few_in_words(0, 10, "lose jobs")
    'none seen in 10 runs; up to 26 % of runs may lose jobs; 300 runs would bound it at 1 %'
    >>> few_in_words(2, 30, "lose jobs")
    'seen in 2 of 30 runs only; up to 20 % of runs may lose jobs'
    """
    share = most_runs(events, runs, confidence=confidence)
    most = f"up to {formats.number(100.0 * share, 2)} % of runs may {what}"
    if events:
        return f"seen in {events} of {runs:,} runs only; {most}"
    needed = runs_to_bound(confidence=confidence)
    text = f"none seen in {runs:,} runs; {most}"
    if needed <= runs:
        return text
    return f"{text}; {formats.number(needed, 2)} runs would bound it at {formats.number(100.0 * WORTH_KNOWING)} %"


def constant_in_words(runs: int, *, confidence: float = 0.95) -> str:
    """How large a share of runs may have another value, where all have had the same.

    Examples
    --------
    >>> constant_in_words(10)
    'the same in each of 10 runs; up to 26 % of runs may have another value'
    """
    share = most_runs(0, runs, confidence=confidence)
    return (
        f"the same in each of {runs:,} runs; up to {formats.number(100.0 * share, 2)} % of runs may have another value"
    )
