"""Whether a scenario draws nothing at random, so that every replication is the same and its numbers are exact."""

from __future__ import annotations

from collections.abc import Sequence

from bufsim.results.metrics import find
from bufsim.results.tallies import Tally
from bufsim.studies.statistics import Interval

EXACT = "exact: nothing is drawn at random"

_TELLING = ("arrivals_jobs", "mean_buffer_size_jobs", "mean_in_flight_jobs", "handed_jobs", "mean_unfinished_jobs")


def is_exact(tallies: Sequence[Tally]) -> bool:
    """Return whether the replications are all the same, down to the last bit of what moves with every draw.

    Parameters
    ----------
    tallies : sequence of Tally
        What is kept of a scenario's replications; of one alone that cannot be told.
    """
    return len(tallies) > 1 and all(len({find(name)(tally) for tally in tallies}) == 1 for name in _TELLING)


def exactly(interval: Interval, unit: str) -> str:
    """Return a number that is known without error, with its unit, and why it has no interval.

    Examples
    --------
    >>> exactly(Interval(14.9099, 14.9099, 14.9099, 0.95, 30, "t over replications"), "s")
    '14.9099 s (exact: nothing is drawn at random)'
    """
    return f"{str(interval).split(' [')[0]} {unit}".rstrip() + f" ({EXACT})"
