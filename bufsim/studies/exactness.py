"""Whether a scenario draws nothing at random, so that every replication is the same and its numbers are exact."""

from __future__ import annotations

from collections.abc import Sequence

from bufsim.results.metrics import find
from bufsim.results.tallies import Tally

_TELLING = ("arrivals_jobs", "mean_buffer_size_jobs", "mean_in_flight_jobs", "handed_jobs", "mean_unfinished_jobs")


def is_exact(tallies: Sequence[Tally]) -> bool:
    """Return whether the replications are all the same, down to the last bit of what moves with every draw.

    Parameters
    ----------
    tallies : sequence of Tally
        What is kept of a scenario's replications, two at least.
    """
    return all(len({find(name)(tally) for tally in tallies}) == 1 for name in _TELLING)
