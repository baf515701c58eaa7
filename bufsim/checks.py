"""Checks of arguments: each returns the value in its final type, or says what is wrong and how to mend it."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from numbers import Integral, Real

from bufsim.errors import InvalidTypeError, InvalidValueError

Seconds = float | str | dt.timedelta
"""A duration as people write it: seconds, a text such as "15min", or a timedelta."""
NBytes = int | str
"""A size as people write it: bytes, or a text such as "64 MiB"."""
Measure = Seconds
"""A duration or a size as people write it."""


def finite(name: str, value: object) -> float:
    """Return `value` as a finite float."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidTypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise InvalidValueError(f"{name} must be finite, got {value!r}")
    return number


def positive(name: str, value: object) -> float:
    """Return `value` as a finite float above 0."""
    number = finite(name, value)
    if number <= 0.0:
        raise InvalidValueError(f"{name} must be > 0, got {value!r}")
    return number


def not_negative(name: str, value: object) -> float:
    """Return `value` as a finite float of at least 0."""
    number = finite(name, value)
    if number < 0.0:
        raise InvalidValueError(f"{name} must be >= 0, got {value!r}")
    # -0.0 would print as such in reprs and compare unequal in byte-wise tests
    return number + 0.0


def probability(name: str, value: object) -> float:
    """Return `value` as a float in [0, 1]."""
    number = finite(name, value)
    if not 0.0 <= number <= 1.0:
        raise InvalidValueError(f"{name} must be between 0 and 1, got {value!r}")
    return number


def integer(name: str, value: object, *, at_least: int) -> int:
    """Return `value` as an int of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InvalidTypeError(f"{name} must be a whole number, got {value!r}")
    number = int(value)
    if number < at_least:
        raise InvalidValueError(f"{name} must be >= {at_least}, got {value!r}")
    return number


def text(name: str, value: object) -> str:
    """Return `value` as a non-empty str."""
    if not isinstance(value, str):
        raise InvalidTypeError(f"{name} must be a str, got {value!r}")
    if not value:
        raise InvalidValueError(f"{name} must not be empty; give it a name")
    return value


def unique(name: str, values: Iterable[str]) -> None:
    """Raise if a value occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InvalidValueError(f"{name} must be unique, got {value!r} twice; rename one")
        seen.add(value)


def one_of(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of the names in `allowed`; else suggest the nearest."""
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    listed = ", ".join(map(repr, names))
    raise InvalidValueError(f"{name} must be one of {listed}, got {value!r}{did_you_mean(value, names)}")


def did_you_mean(value: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest name, or an empty str."""
    import difflib  # late: slow to import, and for errors only

    near = difflib.get_close_matches(str(value), list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def seconds(name: str, value: object) -> float:
    """Return a duration in seconds, from a number, a text such as ``"15min"`` or ``"1h30min"``, or a timedelta."""
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _measure(name, value, _SECONDS, example="'30s', '15min' or '1h30min'")
    return finite(name, value)


def nbytes(name: str, value: object, *, at_least: int) -> int:
    """Return a size in whole bytes, from an int or a text such as ``"64 MiB"``."""
    if isinstance(value, str):
        value = round(_measure(name, value, _BYTES, example="'64 MiB' or '500 kB'"))
    return integer(name, value, at_least=at_least)


def measure(name: str, value: object) -> object:
    """Return a text or timedelta as seconds or bytes, for what may be either; anything else as it is, to be checked."""
    if isinstance(value, str) and value.rstrip().endswith("B"):
        return _measure(name, value, _BYTES, example="'64 MiB' or '500 kB'")
    return seconds(name, value) if isinstance(value, str | dt.timedelta) else value


# a numerator and a denominator
_SECONDS = {
    "us": (1, 1_000_000),
    "µs": (1, 1_000_000),
    "ms": (1, 1000),
    "s": (1, 1),
    "sec": (1, 1),
    "min": (60, 1),
    "h": (3600, 1),
    "d": (86400, 1),
}
_BYTES = {
    "B": (1, 1),
    "kB": (10**3, 1),
    "MB": (10**6, 1),
    "GB": (10**9, 1),
    "KiB": (2**10, 1),
    "MiB": (2**20, 1),
    "GiB": (2**30, 1),
}
_PART = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-zµ]+)\s*")


def _measure(name: str, value: str, units: dict[str, tuple[int, int]], *, example: str) -> float:
    from fractions import Fraction  # late: slow to import

    total = Fraction(0)
    position = 0
    while (part := _PART.match(value, position)) is not None:
        number, unit = part.groups()
        if unit not in units:
            known = ", ".join(units)
            raise InvalidValueError(f"{name} has the unknown unit {unit!r} in {value!r}; the units are {known}")
        total += Fraction(number) * Fraction(*units[unit])
        position = part.end()
    if position == 0 or position != len(value):
        raise InvalidValueError(f"{name} must be a number with a unit, such as {example}, got {value!r}")
    try:
        # rounded once, at the end: "7ms" is 0.007
        return float(total)
    except OverflowError:
        raise InvalidValueError(f"{name} must be finite, got {value!r}") from None
