"""The numbers of a report: each that is written is also kept, for the tables beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from bufsim.results.words import number
from bufsim.studies.exactness import EXACT
from bufsim.studies.quantities import Quantity
from bufsim.studies.statistics import Interval

COLUMNS = [
    "section",
    "subject",
    "quantity",
    "load",
    "estimate",
    "low",
    "high",
    "unit",
    "confidence",
    "n",
    "basis",
]


@dataclass(frozen=True, slots=True)
class About:
    """What a number is about.

    Parameters
    ----------
    section : str
        Where it stands in the report.
    subject : str
        Of what it is: a policy, a load, a mishap.
    load : float
        At how many times today's arrivals; nan where that says nothing.
    """

    section: str
    subject: str
    load: float = math.nan


@dataclass(slots=True)
class Numbers:
    """All numbers of a report, in the order in which they were written."""

    rows: list[tuple[object, ...]] = field(default_factory=list)

    def interval(
        self, about: About, quantity: Quantity, interval: Interval | None, *, exact: bool = False, name: str = ""
    ) -> str:
        """Return an interval in the unit that is shown, and keep it in the metric's own.

        Parameters
        ----------
        about : About
            What it is about.
        quantity : Quantity
            What it is, and the unit in which it is shown.
        interval : Interval or None
            None: it is not defined.
        exact : bool
            Whether nothing was drawn at random.
        name : str
            What it is called, where that is not the metric's name.
        """
        called = name or quantity.expression.name
        if interval is None:
            self._keep(about, called, (math.nan,) * 3, quantity.expression.unit, math.nan, 0, "not defined")
            return "–"  # noqa: RUF001  # a dash for nothing
        ends = (interval.estimate, interval.low, interval.high)
        basis = EXACT if exact else interval.method
        self._keep(about, called, ends, quantity.expression.unit, interval.confidence, interval.n, basis)
        shown = quantity.interval(interval)
        return f"{number(shown.estimate)} exact" if exact else str(shown)

    def exact(self, about: About, name: str, value: float, unit: str = "") -> str:
        """Return a number that is known without error, and keep it."""
        self._keep(about, name, (value, value, value), unit, math.nan, 0, "exact")
        return f"{number(value)} {unit}".rstrip()

    def _keep(
        self,
        about: About,
        name: str,
        ends: tuple[float, ...],
        unit: str,
        confidence: float,
        n: int,
        basis: str,
    ) -> None:
        self.rows.append((about.section, about.subject, name, about.load, *ends, unit, confidence, n, basis))

    def table(self) -> pd.DataFrame:
        """Return a row a number: the columns `COLUMNS`, in the units of the metrics."""
        return pd.DataFrame(self.rows, columns=COLUMNS)
