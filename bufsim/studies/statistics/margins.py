"""Margins: how large a difference, or how wide an interval, does not matter."""

from __future__ import annotations

from dataclasses import dataclass

from bufsim.checks import positive


@dataclass(frozen=True, slots=True)
class Margin:
    """A size that does not matter: absolute, or relative to the value beside it.

    Parameters
    ----------
    size : float
        > 0; in the metric's unit, or as a share where `relative` (0.05 is 5 %).
    relative : bool, default False
        Whether `size` is a share of the absolute value beside it.

    Examples
    --------
    >>> print(Margin(0.05), Margin(0.05, relative=True), Margin(0.05, relative=True).at(2.5))
    0.05 5 % 0.125
    """

    size: float
    relative: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", positive("size", self.size))

    def at(self, value: float) -> float:
        """The margin in the metric's unit, beside `value`."""
        return self.size * abs(value) if self.relative else self.size

    def __str__(self) -> str:
        return f"{100.0 * self.size:g} %" if self.relative else f"{self.size:g}"
