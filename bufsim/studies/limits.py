"""Limits: what a metric must not exceed, or must at least reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.results.words import number
from bufsim.studies.amounts import amount
from bufsim.studies.statistics import Interval

Side = Literal["<=", ">="]
LimitVerdict = Literal["pass", "fail", "undecided"]

# a wait of t under an age limit of t comes out of floats as t·(1 ± 10⁻¹⁶): that is no breach
_ROUNDING = 1e-9
_SHARES = ("work_saved_share",)


class Limited(Protocol):  # an Expression, which is made of what is defined here
    """What a limit is on: an expression of metrics."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def unit(self) -> str:
        """Its unit."""

    @property
    def is_metric(self) -> bool:
        """Whether it is a metric as it stands, none of which is ever below 0."""


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """What the expected value of an expression must not exceed (``<=``), or must at least reach (``>=``).

    Written ``metric("p99_wait") <= "2s"``. It is a limit on what is expected of a run: for a quantile over all jobs,
    for a peak the mean of the peaks. How many of the runs went beyond it is told beside.

    Parameters
    ----------
    expression : Expression
        What is limited.
    side : {"<=", ">="}
        On which side of the bound it must stay.
    bound : float, str or timedelta
        A number in the expression's unit, or a text such as ``"2s"``, ``"64 MiB"`` or ``"40 %"``.

    Raises
    ------
    InvalidValueError
        If nothing can meet it, such as a wait below 0 or a share above 1.
    """

    expression: Limited
    side: Side
    bound: float

    def __post_init__(self) -> None:
        checks.one_of("side", self.side, ("<=", ">="))
        bound = amount(f"the limit of {self.expression.name}", self.bound, self.expression.unit)
        object.__setattr__(self, "bound", bound)
        if bound < 0.0 and self.side == "<=" and self.expression.is_metric:
            raise InvalidValueError(
                f"{self.expression.name} is never below 0, so that nothing can meet a limit <= {bound:g}; raise it"
            )
        if bound > 1.0 and self.side == ">=" and self.expression.name in _SHARES:
            raise InvalidValueError(
                f"{self.expression.name} is a share of at most 1, so that nothing can meet a limit >= {bound:g}; "
                "write '40 %' or 0.4"
            )

    def verdict(self, interval: Interval) -> LimitVerdict:
        """Return "pass" if the whole interval is on the allowed side, "fail" if none of it is, else "undecided"."""
        if self.allows(interval.low) and self.allows(interval.high):
            return "pass"
        return "undecided" if self.allows(interval.low) or self.allows(interval.high) else "fail"

    def allows(self, value: float) -> bool:
        """Whether a value is on the allowed side, or at the bound."""
        slack = _ROUNDING * abs(self.bound)
        return value <= self.bound + slack if self.side == "<=" else value >= self.bound - slack

    def room(self, value: float) -> float:
        """Return how far a value is on the allowed side, as a share of the bound (of 1 where the bound is 0)."""
        gap = self.bound - value if self.side == "<=" else value - self.bound
        return gap / (abs(self.bound) or 1.0)

    @property
    def shown_bound(self) -> str:
        """The bound with its unit."""
        return f"{number(self.bound)} {self.expression.unit}".rstrip()

    def __str__(self) -> str:
        return f"{self.expression.name} {self.side} {self.shown_bound}"

    def __repr__(self) -> str:
        return f"{self.expression!r} {self.side} {self.bound!r}"

    def __bool__(self) -> bool:
        raise InvalidTypeError(
            f"the limit {self} is neither true nor false before it is checked; for two limits on one metric write "
            "both: [low <= metric, metric <= high]"
        )
