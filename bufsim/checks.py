"""Checks of arguments: each returns the value in its final type, or says what is wrong and how to mend it."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Iterable
from numbers import Integral, Real

from bufsim.errors import InvalidTypeError, InvalidValueError


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


_SECONDS = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_BYTES = {
    "B": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
}
_PART = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-zµ]+)\s*")


def _measure(name: str, value: str, units: dict[str, float], *, example: str) -> float:
    total = 0.0
    position = 0
    while (part := _PART.match(value, position)) is not None:
        number, unit = part.groups()
        if unit not in units:
            known = ", ".join(units)
            raise InvalidValueError(f"{name} has the unknown unit {unit!r} in {value!r}; the units are {known}")
        total += float(number) * units[unit]
        position = part.end()
    if position == 0 or position != len(value):
        raise InvalidValueError(f"{name} must be a number with a unit, such as {example}, got {value!r}")
    return total
