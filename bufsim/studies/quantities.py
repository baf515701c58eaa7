"""Quantities: an expression of metrics, in a unit in which its values read well."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bufsim import formats
from bufsim.formats import Unit
from bufsim.results import metrics
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit

PERCENT = Unit("%", 0.01)
_RATE_UNITS = (Unit("per s", 1.0), Unit("per min", 1.0 / 60.0), Unit("per h", 1.0 / 3600.0))
_SIGNS = {"<=": "≤", ">=": "≥"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """An expression of metrics, and the unit in which it is shown.

    Attributes
    ----------
    expression : Expression
        The expression.
    unit : Unit
        What one of it is in the expression's unit.
    """

    expression: Expression
    unit: Unit

    @classmethod
    def of(cls, expression: Expression, values: Iterable[float]) -> Quantity:
        """Return a quantity in the unit that fits the largest of some values."""
        largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        return cls(expression, _unit(expression, largest))

    @property
    def name(self) -> str:
        """Its name, in words."""
        expression = self.expression
        if expression.title or not expression.is_metric:
            return expression.name
        (term,) = expression.terms
        words = metrics.without_unit(term.metric)
        return words if term.of is None else f"{words} of {term.of}"

    @property
    def label(self) -> str:
        """Its name and unit, for an axis."""
        return f"{self.name}, {self.unit.name}" if self.unit.name else self.name

    def scaled(self, value: float) -> float:
        """Return a value in the unit that is shown."""
        return value / self.unit.size

    def interval(self, interval: Interval) -> Interval:
        """Return an interval in the unit that is shown."""
        size = self.unit.size
        return replace(interval, estimate=interval.estimate / size, low=interval.low / size, high=interval.high / size)

    def written(self, value: float) -> str:
        """Return a value by itself, in the unit in which it reads well."""
        unit = _unit(self.expression, abs(value))
        return f"{formats.number(value / unit.size, 4)} {unit.name}".rstrip()

    def bound(self, value: float) -> str:
        """Return a bound in full, in the unit in which it reads well: two bounds that differ read differently."""
        unit = _unit(self.expression, abs(value))
        return f"{formats.in_full(value / unit.size)} {unit.name}".rstrip()

    def beyond(self, value: float, *, up: bool) -> str:
        """Return a value in three digits, rounded up or down: so that a limit there is kept."""
        unit = _unit(self.expression, abs(value))
        scaled = value / unit.size
        step = 10.0 ** (math.floor(math.log10(abs(scaled))) - 2) if scaled else 1.0
        rounded = (math.ceil if up else math.floor)(scaled / step) * step
        return f"{formats.number(rounded, 3)} {unit.name}".rstrip()


def _unit(expression: Expression, largest: float) -> Unit:
    if expression.unit == "s":
        return formats.time_unit(largest)
    if expression.unit == "bytes":
        return formats.byte_unit(largest)
    if expression.unit in ("1/s", "per s"):
        return next((unit for unit in _RATE_UNITS if largest >= 0.1 * unit.size), _RATE_UNITS[-1])
    if expression.is_metric and metrics.find(expression.terms[0].metric).percent:
        return PERCENT
    return Unit(expression.unit, 1.0)


def limit_in_words(limit: Limit) -> str:
    """Return a limit in words.

    Examples
    --------
    >>> from bufsim.studies.formulas import limit
    >>> limit_in_words(limit("p99_wait <= 2s"))
    'p99 wait ≤ 2 s'
    """
    quantity = Quantity.of(limit.expression, [limit.bound])
    return f"{quantity.name} {_SIGNS[limit.side]} {quantity.bound(limit.bound)}"
