"""Samples: what the replications of one scenario tell of a value, and what they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import ArrayLike

from bufsim.statistics.intervals import FloatArray, Interval, mean_interval, replication_values
from bufsim.statistics.quantiles import TooFew
from bufsim.statistics.rare_events import RareEvents


@dataclass(frozen=True, slots=True, eq=False)
class RareTerm:
    """A term of a value that counts events which few runs saw: factor · their mean.

    Parameters
    ----------
    factor : float
        What it is multiplied by.
    events : RareEvents
        What it counts.
    values : array, shape (n,)
        The term in each replication, already multiplied.
    """

    factor: float
    events: RareEvents
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the replications of one scenario tell of a value: one number each, and how far it may be from their mean.

    Wherever numbers are compared, an array of them stands for a sample of which no more is known.

    Parameters
    ----------
    values : array, shape (n,)
        One value per replication.
    below, above : float, default 0.0
        How far the value may lie below and above their mean, because it is known to its bin alone.
    few : TooFew, optional
        Why nothing bounds it, where it is a quantile of too few flushes.
    rare : mapping of hashable to RareTerm, default none
        Its terms that count events which few runs saw, or that are known without runs, by what they are.
    exact : bool, default False
        Whether nothing is drawn at random, so that even two replications are proof.
    """

    values: FloatArray
    below: float = 0.0
    above: float = 0.0
    few: TooFew | None = None
    rare: Mapping[Any, RareTerm] = field(default_factory=dict)
    exact: bool = False

    @classmethod
    def of(cls, name: str, given: Sample | ArrayLike) -> Sample:
        """A sample, or that of an array, with its values checked; the name is for messages."""
        if not isinstance(given, Sample):
            return cls(replication_values(name, given))
        return replace(given, values=replication_values(name, given.values))

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return float(self.values.mean())

    def interval(self, confidence: float) -> Interval:
        """The interval of the mean by itself, open where it is a quantile of too few flushes."""
        interval = mean_interval(self.values, confidence=confidence)
        if self.few is None:
            return interval
        return self.few.interval(interval.estimate, interval.confidence, interval.n)
