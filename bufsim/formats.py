"""Numbers, shares and durations in words: each is written here, for tables, sentences and pictures alike."""

from __future__ import annotations

import math
from dataclasses import dataclass


def number(value: float, digits: int | None = None) -> str:
    """Three digits of a number at least, whole numbers in full, thousands apart; a dash for nan.

    Parameters
    ----------
    value : float
        Any number.
    digits : int, optional
        To so many digits it is rounded first.

    Examples
    --------
    >>> number(8984), number(0.012345), number(1234.5), number(float("nan")), number(8984, 2)
    ('8,984', '0.0123', '1,234', '-', '9,000')
    """
    if math.isnan(value):
        return "-"
    if digits is not None:
        value = float(f"{value:.{digits}g}")
    # + 0.0 turns -0.0 into 0.0
    return f"{value + 0.0:,.0f}" if abs(value) >= 100.0 or float(value).is_integer() else f"{value:.3g}"


def in_full(value: float) -> str:
    """A number with as many digits as tell it from others, thousands apart: for bounds, which are given.

    Examples
    --------
    >>> in_full(2.0), in_full(2.8996), in_full(1234.5), in_full(67108864.0), in_full(1.5e-12)
    ('2', '2.8996', '1,234.5', '67,108,864', '1.5e-12')
    """
    if abs(value) >= 1e15 or 0.0 < abs(value) < 1e-6:
        return f"{value:.10g}"
    # what is computed, as 0.1 + 0.2 is, is told by 9 digits
    texts = (f"{value + 0.0:,.{decimals}f}" for decimals in range(16))
    return next(text for text in texts if math.isclose(float(text.replace(",", "")), value, rel_tol=1e-9))


def jobs(count: float) -> str:
    """A number of jobs.

    Examples
    --------
    >>> jobs(1), jobs(4310.0)
    ('1 job', '4,310 jobs')
    """
    return f"{number(count)} {'job' if count == 1 else 'jobs'}"


def percent(share: float) -> str:
    """A share in per cent, which is 0 or 100 only if the share is 0 or 1; a dash for nan.

    Examples
    --------
    >>> percent(0.7123), percent(0.00042), percent(0.9999), percent(1.0), percent(1e-9)
    ('71.2 %', '0.042 %', '99.99 %', '100 %', '< 0.01 %')
    """
    if 0.0 < share < 1e-4:
        return "< 0.01 %"
    if 0.9995 <= share < 1.0:
        return f"{100.0 * share:.2f} %" if share < 0.99995 else "> 99.99 %"
    text = number(100.0 * share)
    return text if text == "-" else f"{text} %"


def level(confidence: float) -> str:
    """A level of confidence in per cent, in full.

    Examples
    --------
    >>> level(0.95), level(0.9975)
    ('95 %', '99.75 %')
    """
    return f"{100.0 * confidence:g} %"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that values are shown in: its name, and what one of it is in the unit of the tables."""

    name: str
    size: float


def time_unit(longest: float) -> Unit:
    """The unit in which times up to `longest` seconds read well.

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
    """The unit in which sizes up to `most` bytes read well.

    Examples
    --------
    >>> byte_unit(500.0).name, byte_unit(5e6).name
    ('bytes', 'MB')
    """
    for limit, unit in ((1e4, Unit("bytes", 1.0)), (1e6, Unit("kB", 1e3)), (1e9, Unit("MB", 1e6))):
        if most < limit:
            return unit
    return Unit("GB", 1e9)


_WHOLE_UNITS = (Unit("d", 86_400.0), Unit("h", 3600.0), Unit("min", 60.0))
_MANY_SECONDS = 10_000.0


def duration(seconds: float, digits: int = 3) -> str:
    """A duration in the largest unit in which it is whole, else in the unit in which it reads well.

    Parameters
    ----------
    seconds : float
        How long, ≥ 0.
    digits : int
        Of one that is not a whole number of seconds, nor of tenths of that unit.

    Examples
    --------
    >>> duration(7200.0), duration(90.0), duration(1000.0), duration(0.05), duration(1000.4), duration(0.0)
    ('2 h', '90 s', '1,000 s', '50 ms', '16.7 min', '0 s')
    >>> duration(9.979), duration(9.979, digits=6)
    ('9.98 s', '9.979 s')
    """
    if seconds == 0.0:
        return "0 s"
    for unit in _WHOLE_UNITS:
        if seconds >= unit.size and seconds % unit.size == 0.0:
            return f"{number(seconds / unit.size)} {unit.name}"
    unit = time_unit(seconds)
    amount = seconds / unit.size
    # 0.123 s is 123.00000000000001 of a millisecond in floats
    if math.isclose(amount, round(amount, 1)):
        return f"{amount:,.1f}".removesuffix(".0") + f" {unit.name}"
    if seconds < _MANY_SECONDS and float(seconds).is_integer():
        return f"{number(seconds)} s"
    return f"{number(amount) if digits == 3 else f'{amount:.{digits}g}'} {unit.name}"


def nbytes(size: float) -> str:
    """A size in the unit in which it reads well.

    Examples
    --------
    >>> nbytes(512), nbytes(67_108_864)
    ('512 bytes', '67.1 MB')
    """
    unit = byte_unit(size)
    return f"{number(size / unit.size)} {unit.name}"
