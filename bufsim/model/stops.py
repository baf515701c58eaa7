"""Stops: when the server stops, and for how long it is down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import declared


@dataclass(frozen=True, slots=True, repr=False)
class Stops:
    """When the server stops, and for how long it is down.

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

    at: tuple[float, ...] | None = None
    mean_time_between: float | None = None
    downtime: float = 0.0

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            at: Iterable[Seconds] | None = ...,
            mean_time_between: Seconds | None = ...,
            downtime: Seconds = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        if (self.at is None) == (self.mean_time_between is None):
            raise InvalidValueError("Stops needs either at or mean_time_between, got both or neither")
        object.__setattr__(self, "downtime", checks.not_negative("downtime", checks.seconds("downtime", self.downtime)))
        if self.mean_time_between is not None:
            mean = checks.positive("mean_time_between", checks.seconds("mean_time_between", self.mean_time_between))
            object.__setattr__(self, "mean_time_between", mean)
        if self.at is not None:
            object.__setattr__(self, "at", self._checked(self.at))

    def _checked(self, at: object) -> tuple[float, ...]:
        if isinstance(at, str) or not isinstance(at, Iterable):
            raise InvalidTypeError(f"at must be a list of times, got {at!r}; write [{at!r}]")
        times = tuple(checks.not_negative(f"at[{i}]", checks.seconds(f"at[{i}]", time)) for i, time in enumerate(at))
        if not times:
            raise InvalidValueError("at must not be empty; a server that never stops has stops=None")
        for i in range(1, len(times)):
            if times[i] < times[i - 1] + self.downtime or times[i] == times[i - 1]:
                raise InvalidValueError(
                    f"stops must not overlap, got at[{i}]={times[i]!r} before the restart of "
                    f"at[{i - 1}]={times[i - 1]!r} with downtime {self.downtime!r}; move it, or shorten the downtime"
                )
        return times

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

    __repr__ = declared.call
