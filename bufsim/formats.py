"""How numbers and durations are written in texts and tables."""

from __future__ import annotations

import math
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit for an axis: its name, and what one of it is in the unit of the tables."""

    name: str
    size: float


def time_unit(longest: float) -> Unit:
    """Return the unit in which times up to `longest` seconds read well.

    Examples
    --------
    >>> time_unit(0.2).name, time_unit(90.0).name, time_unit(7200.0).name, time_unit(86400.0).name
    ('ms', 's', 'min', 'h')
    """
    for most, unit in ((0.5, Unit("ms", 1e-3)), (600.0, Unit("s", 1.0)), (14_400.0, Unit("min", 60.0))):
        if longest <= most:
            return unit
    return Unit("h", 3600.0) if longest <= 345_600.0 else Unit("d", 86_400.0)


def byte_unit(most: float) -> Unit:
    """Return the unit in which sizes up to `most` bytes read well.

    Examples
    --------
    >>> byte_unit(500.0).name, byte_unit(5e6).name
    ('bytes', 'MB')
    """
    for limit, unit in ((1e4, Unit("bytes", 1.0)), (1e6, Unit("kB", 1e3)), (1e9, Unit("MB", 1e6))):
        if most < limit:
            return unit
    return Unit("GB", 1e9)


def full_number(value: float) -> str:
    """Return a number in three digits, whole numbers in full, with commas at the thousands.

    Examples
    --------
    >>> number(4310.0), number(19.382), number(0.01234), number(1234.5)
    ('4,310', '19.4', '0.0123', '1,234')
    """
    if value == round(value) and abs(value) < 1e15:
        return f"{round(value):,}"
    if abs(value) >= 1000.0:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def jobs(count: float) -> str:
    """Return a number of jobs.

    Examples
    --------
    >>> jobs(1), jobs(4310.0)
    ('1 job', '4,310 jobs')
    """
    return f"{full_number(count)} {'job' if count == 1 else 'jobs'}"


def readable_duration(seconds: float) -> str:
    """Return a duration in the unit in which it reads well.

    Examples
    --------
    >>> duration(0.05), duration(90.0)
    ('50 ms', '90 s')
    """
    unit = time_unit(seconds)
    return f"{full_number(seconds / unit.size)} {unit.name}"


def careful_percent(share: float) -> str:
    """Return a share in percent that is 0 or 100 only if the share is 0 or 1.

    Examples
    --------
    >>> percent(0.123), percent(0.9999), percent(1.0)
    ('12 %', '99.99 %', '100 %')
    """
    if share in (0.0, 1.0):
        return f"{share * 100:.0f} %"
    for digits in (0, 1, 2):
        text = f"{share * 100:.{digits}f}"
        if 0.01 <= share <= 0.99 or (float(text) not in (0.0, 100.0) and digits > 0):
            return f"{text} %"
    return "< 0.01 %" if share < 0.5 else "> 99.99 %"
