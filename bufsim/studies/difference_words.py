"""Differences in words, as a recommendation tells them: against what is done today, and of what is tied."""

from __future__ import annotations

from dataclasses import replace

from bufsim.studies.statistics import Comparison, Interval


def tie_in_words(tie: Comparison, unit: str) -> str:
    """Return a rival that is not separable from the choice, with the replications that would show the difference."""
    if tie.verdict == "identical":
        return f"{tie.first} (the same in every replication)"
    needed = tie.replications_needed()
    more = "no number of replications would show it"
    if needed is not None:
        count = "more than a million" if needed > 1_000_000 else f"about {float(f'{needed:.2g}'):,.0f}"
        more = f"{count} replications would be needed"
    return f"{tie.first} (difference {tie.interval} {unit}".rstrip() + f"; {more})"


def percent(share: Interval) -> Interval:
    """Return a share in per cent."""
    return replace(share, estimate=100.0 * share.estimate, low=100.0 * share.low, high=100.0 * share.high)


def against(difference: Interval, unit: str, today: str, exact: bool) -> str:
    """Return a difference as "3 [2, 4] % less than today's", or that its sign is not shown."""
    if exact and difference.low == difference.high == 0.0:
        return f"the same as today's {today}"
    if difference.low <= 0.0 <= difference.high:
        return f"not separable from today's {today} (difference {difference}{unit})"
    if difference.low > 0.0:
        return f"{_shown(difference, exact)}{unit} more than today's {today}"
    less = replace(difference, estimate=-difference.estimate, low=-difference.high, high=-difference.low)
    return f"{_shown(less, exact)}{unit} less than today's {today}"


def _shown(interval: Interval, exact: bool) -> str:
    """Return an interval; of a number without error the number alone."""
    return str(interval).split(" [")[0] if exact and interval.low == interval.high else str(interval)
