"""How numbers and durations are written in texts and tables."""

from __future__ import annotations

import math

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def number(value: float) -> str:
    """Return a number with three digits at least, thousands apart; a dash for nan.

    Examples
    --------
    >>> number(8984), number(0.012345), number(1234.5), number(float("nan"))
    ('8,984', '0.0123', '1,234', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100.0 or float(value).is_integer() else f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> percent(0.7123)
    '71.2 %'
    """
    return "-" if math.isnan(share) else f"{100.0 * share:.3g} %"


def duration(seconds: float) -> str:
    """Return a duration in the largest unit in which it is at least one and has one decimal at most, else in seconds.

    Examples
    --------
    >>> duration(7200.0), duration(90.0), duration(1000.0), duration(0.25)
    ('2 h', '1.5 min', '1,000 s', '0.25 s')
    """
    for length, unit in _UNITS:
        if seconds >= length and math.isclose(seconds / length, round(seconds / length, 1)):
            return f"{seconds / length:.1f}".removesuffix(".0") + f" {unit}"
    return f"{number(seconds)} s"
