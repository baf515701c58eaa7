"""Stops of the server, at given or at random times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np

from bufsim.checks import Seconds, several_seconds
from bufsim.declared import Duration, OptionalPeriod, Value, Wide, default, either, value
from bufsim.errors import InvalidValueError


def _times(name: str, given: object) -> tuple[float, ...]:
    times = several_seconds(name, given, kind="a list of times")
    if not times:
        raise InvalidValueError(f"{name} must not be empty; a server that never stops has stops=None")
    return times


@value
class Stops(Value):
    """The times at which the server stops, and how long it is down.

    A stop loses the buffers of a storage that is not durable, the batches in flight of every storage, and the jobs of a
    job queue that is not durable. Jobs that arrive while it is down are lost.

    Parameters
    ----------
    at : sequence of float, optional
        The times of the stops, s, ≥ 0, increasing; a stop may fall on the restart of the one before, not earlier.
    mean_time_between : float, str or timedelta, optional
        In place of `at`: the mean of the exponential time from a restart (or the start) to the next stop, s, > 0.
    downtime : float, str or timedelta
        From a stop to its restart, s, ≥ 0.

    Examples
    --------
    >>> Stops(at=[3600.0], downtime="30s")
    Stops(at=(3600.0,), downtime=30.0)
    """

    at: Annotated[Wide[Iterable[Seconds] | None, tuple[float, ...] | None], either(_times)] = default(None)
    mean_time_between: OptionalPeriod = default(None)
    downtime: Duration = default(0.0)

    def __post_init__(self) -> None:
        if (self.at is None) == (self.mean_time_between is None):
            raise InvalidValueError("Stops needs either at or mean_time_between, got both or neither")
        at = self.at or ()
        for i in range(1, len(at)):
            if at[i] < at[i - 1] + self.downtime or at[i] == at[i - 1]:
                raise InvalidValueError(
                    f"stops must not overlap, got at[{i}]={at[i]!r} before the restart of "
                    f"at[{i - 1}]={at[i - 1]!r} with downtime {self.downtime!r}; move it, or shorten the downtime"
                )

    def times(self, generator: np.random.Generator, until: float) -> list[tuple[float, float]]:
        """Return the (stop, restart) times of a run, for stops before `until`."""
        stops = self.at if self.at is not None else self._drawn(generator)
        pairs: list[tuple[float, float]] = []
        for stop in stops:
            if stop >= until:
                break
            pairs.append((stop, stop + self.downtime))
        return pairs

    def _drawn(self, generator: np.random.Generator) -> Iterator[float]:
        assert self.mean_time_between is not None
        at = 0.0
        while True:
            at = at + generator.exponential(self.mean_time_between)
            yield at
            at = at + self.downtime
