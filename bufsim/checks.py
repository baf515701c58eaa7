"""Checks of arguments: each returns the value in its final type, or says what is wrong and how to mend it."""

from __future__ import annotations

import datetime as dt
import math
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from bufsim import memory
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.formats import nbytes as in_bytes

if TYPE_CHECKING:
    from fractions import Fraction

Written = str | dt.timedelta | np.timedelta64
"""A duration that is not a number: a text such as "15min", or a timedelta of Python, numpy or pandas."""
Seconds = float | Written
"""A duration as people write it: seconds, a text such as "15min", or a timedelta."""
NBytes = int | str
"""A size as people write it: bytes, or a text such as "64 MiB"."""
Measure = Seconds
"""A duration or a size as people write it."""
NUMBER = r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
"""Pattern of a number without a sign."""
LARGEST = 2**53
"""The largest whole number that is taken: above it, floats and the engines' columns tell no neighbours apart."""
_PLAIN = re.compile(rf"\s*([-+]?{NUMBER})\s*(\S*)\s*")
_EXPONENT = re.compile(r"[eE][-+]?0*([0-9]{1,9})")
_MOST_DIGITS = 400
"""So many characters has a number at most, and so large is its exponent; no float needs more."""
DEEPEST = 50
"""So deep may policies, brackets and tables lie within each other."""
MOST_PARTS = 1_000
"""Of so many parts a policy is made at most."""
_MOST_VALUES = 2**38
"""So many values has a sequence at most, also where the system does not say how much memory it has."""
_BYTES_OF_AN_OBJECT = 32
"""So many bytes takes a number of Python in a list, at least."""


def finite(name: str, value: object) -> float:
    """Return `value` as a finite float."""
    # numpy counts its timedeltas among the integers
    if type(value) is not float and (isinstance(value, bool | np.timedelta64) or not isinstance(value, Real)):
        raise InvalidTypeError(f"{name} must be a number, got {quoted(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidValueError(f"{name} must be finite, got {quoted(value)}")
    return number


def positive(name: str, value: object) -> float:
    """Return `value` as a finite float above 0."""
    number = finite(name, value)
    if number <= 0.0:
        raise InvalidValueError(f"{name} must be > 0, got {quoted(value)}")
    return number


def not_negative(name: str, value: object) -> float:
    """Return `value` as a finite float of at least 0."""
    number = finite(name, value)
    if number < 0.0:
        raise InvalidValueError(f"{name} must be >= 0, got {quoted(value)}")
    # -0.0 would print as such in reprs and compare unequal in byte-wise tests
    return number + 0.0


def probability(name: str, value: object) -> float:
    """Return `value` as a float in [0, 1]."""
    number = finite(name, value)
    if not 0.0 <= number <= 1.0:
        raise InvalidValueError(f"{name} must be between 0 and 1, got {quoted(value)}")
    return number


def integer(name: str, value: object, *, at_least: int, at_most: int = LARGEST) -> int:
    """Return `value` as an int of at least `at_least`."""
    if type(value) is not int and (isinstance(value, bool | np.timedelta64) or not isinstance(value, Integral)):
        raise InvalidTypeError(f"{name} must be a whole number, got {quoted(value)}")
    number = int(value)
    if number < at_least:
        raise InvalidValueError(f"{name} must be >= {at_least}, got {quoted(value)}")
    if number > at_most:
        raise InvalidValueError(f"{name} must be <= {at_most:,}, got {quoted(value)}")
    return number


def seed(name: str, value: object) -> int:
    """Return `value` as a root seed: an int of at least 0, of at most 1,000 bits."""
    return integer(name, value, at_least=0, at_most=2**1000)


def text(name: str, value: object) -> str:
    """Return `value` as a non-empty str."""
    if not isinstance(value, str):
        raise InvalidTypeError(f"{name} must be a str, got {quoted(value)}")
    if not value:
        raise InvalidValueError(f"{name} must not be empty; give it a name")
    encodable(name, value)
    return value


def encodable(name: str, value: object) -> None:
    """Raise if a text is none that UTF-8 can hold, as half of a pair of surrogates."""
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidValueError(f"{name} must be text that UTF-8 can hold, got {quoted(value)}; leave surrogates out")


def unique(name: str, values: Iterable[str], *, way_out: str = "rename one") -> None:
    """Raise if a value occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InvalidValueError(f"{name} must be unique, got {quoted(value)} twice; {way_out}")
        seen.add(value)


def fits(name: str, values: object, *, each: int = _BYTES_OF_AN_OBJECT) -> None:
    """Raise if memory cannot hold what a sequence yields, such as a range, at so many bytes each."""
    try:
        count: float = len(values)  # type: ignore[arg-type]  # an iterator does not say how many it yields
    except TypeError:
        return
    except OverflowError:
        count = math.inf
    room = memory.physical()
    if count > min(_MOST_VALUES, room / each):
        held = f"the {in_bytes(room)} of memory of this machine" if room < math.inf else "memory"
        values_in_words = f"{count:,.0f}" if count < math.inf else f"more than {sys.maxsize:,}"
        raise InvalidValueError(f"{name} must fit into {held}, got {values_in_words} values; give fewer")


def several(name: str, value: object, *, kind: str) -> tuple[Any, ...]:
    """Return the members of a list; `kind` says of what it is one."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidTypeError(f"{name} must be {kind}, got {quoted(value)}; write [{quoted(value)}]")
    fits(name, value)
    return tuple(value)


def several_seconds(name: str, value: object, *, kind: str) -> tuple[float, ...]:
    """Return the members of a list as seconds, >= 0."""
    given = several(name, value, kind=kind)
    return tuple(not_negative(f"{name}[{i}]", seconds(f"{name}[{i}]", member)) for i, member in enumerate(given))


def names(name: str, value: object, *, kind: str = "a list of names", way_out: str) -> tuple[str, ...]:
    """Return one name, or several that differ, as a tuple; `way_out` says what to do where there is none."""
    if not isinstance(value, Iterable):
        raise InvalidTypeError(f"{name} must be {kind}, got {quoted(value)}")
    fits(name, value)
    given = (value,) if isinstance(value, str) else tuple(value)
    if not given:
        raise InvalidValueError(f"{name} must not be empty; {way_out}")
    for each in given:
        text(name, each)
    unique(name, given)
    return given


def one_of(name: str, value: object, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of the names in `allowed`; else suggest the nearest."""
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    listed = ", ".join(map(repr, names))
    raise InvalidValueError(f"{name} must be one of {listed}, got {quoted(value)}{did_you_mean(value, names)}")


def did_you_mean(value: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest name, or an empty str."""
    import difflib  # late: slow to import, and for errors only

    near = difflib.get_close_matches(value if isinstance(value, str) else quoted(value), list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def seconds(name: str, value: object) -> float:
    """Return a duration in seconds, from a number, a text such as ``"15min"`` or ``"1 hour"``, or a timedelta."""
    if isinstance(value, np.timedelta64):
        return _timedelta64(name, value)
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _measure(name, value, _SECONDS)
    return finite(name, value)


def _is_no_time(value: object) -> bool:
    return isinstance(value, bool | np.bool_ | complex)


def all_seconds(name: str, values: object) -> object:
    """Return a sequence with texts or timedeltas in it in seconds; anything else as it is, to be checked."""
    fits(name, values, each=_BYTES_OF_AN_OBJECT if isinstance(values, range) else 8)
    try:
        column = np.asarray(values)
    except ValueError:
        # a ragged list
        return values
    # numpy takes truth values for 0 and 1, and drops what is imaginary
    if column.dtype.kind in "bc" or (isinstance(values, list | tuple) and any(map(_is_no_time, values))):
        raise InvalidTypeError(f"{name} must be a sequence of numbers, got {quoted(values)}")
    if column.ndim == 1 and column.dtype.kind == "m":
        return column / np.timedelta64(1, "s")
    if column.ndim != 1 or column.dtype.kind not in "OU" or not isinstance(values, Iterable):
        return values
    given = list(values)
    if not any(isinstance(value, Written) for value in given):
        return values
    return np.array([seconds(f"{name}[{row}]", value) for row, value in enumerate(given)])


def nbytes(name: str, value: object, *, at_least: int) -> int:
    """Return a size in whole bytes, from an int or a text such as ``"64 MiB"``."""
    if isinstance(value, str):
        value = round(_measure(name, value, _BYTES))
    return integer(name, value, at_least=at_least)


def measure(name: str, value: object) -> object:
    """Return a text or timedelta as seconds or bytes, for what may be either; anything else as it is, to be checked."""
    if isinstance(value, str) and value.rstrip().lower().endswith(("b", "byte", "bytes")):
        return _measure(name, value, _BYTES)
    return seconds(name, value) if isinstance(value, Written) else value


def amount(name: str, value: object, unit: str) -> float:
    """Return an amount as a number in `unit`, which is that of a metric.

    Parameters
    ----------
    name : str
        Its name, for messages.
    value : float, str or timedelta
        A number in the unit; a text with a number and, if it has one, that unit; for seconds also ``"1h30min"`` or a
        timedelta, for bytes ``"64 MiB"``, for shares ``"5 %"``.
    unit : str
        The metric's unit.

    Examples
    --------
    >>> amount("limit", "50ms", "s"), amount("limit", "64 MiB", "bytes"), amount("limit", "40 %", "")
    (0.05, 67108864.0, 0.4)
    """
    if isinstance(value, Written) and not isinstance(value, str) and unit == "s":
        return seconds(name, value)
    if not isinstance(value, str):
        return finite(name, value)
    plain = _PLAIN.fullmatch(value)
    if plain and plain.group(2) in ("", unit):
        return written_number(name, plain.group(1))
    if plain and plain.group(2) == "%" and unit == "":
        return written_number(name, plain.group(1)) / 100.0
    if unit == "s":
        return seconds(name, value)
    if unit == "bytes":
        return float(nbytes(name, value, at_least=0))
    raise InvalidValueError(f"{name} must be a number{unit and ' of ' + unit}, got {quoted(value)}")


def written_number(name: str, written: str) -> float:
    """Return a number that is written in digits; none becomes 0 or infinite in silence.

    Examples
    --------
    >>> written_number("rate", "1_000.5"), written_number("rate", "-2e-3")
    (1000.5, -0.002)
    """
    return _float(name, _fraction(name, written), written)


def _fraction(name: str, written: str) -> Fraction:
    """Return a number as it is written, before it is rounded; a huge exponent would take hours to expand."""
    from fractions import Fraction  # late: slow to import

    exponent = _EXPONENT.search(written)
    if len(written) > _MOST_DIGITS or (exponent is not None and int(exponent.group(1)) > _MOST_DIGITS):
        raise InvalidValueError(f"{name} must lie between 1e-300 and 1e300, or be 0, got {quoted(written)}")
    return Fraction(written)


def _float(name: str, exact: Fraction, value: str) -> float:
    try:
        # rounded once, at the end: "7ms" is 0.007
        number = float(exact)
    except OverflowError:
        raise InvalidValueError(f"{name} must be finite, got {quoted(value)}") from None
    if exact and not number:
        raise InvalidValueError(f"{name} must lie between 1e-300 and 1e300, or be 0, got {quoted(value)}")
    return number


def _timedelta64(name: str, value: np.timedelta64) -> float:
    # a month or a year is no fixed time, and a bare count has no unit
    if np.datetime_data(value.dtype)[0] in ("Y", "M", "generic") or np.isnat(value):
        raise InvalidValueError(f"{name} must be a timedelta in weeks, days or less, got {quoted(value)}")
    return float(value / np.timedelta64(1, "s"))


@dataclass(frozen=True)
class _Units:
    """The units of a quantity: from a spelling, in lower case, to a numerator and a denominator."""

    factors: dict[str, tuple[int, int]]
    listed: str
    example: str
    meant: dict[str, str]

    def factor(self, name: str, value: str, number: str, unit: str) -> tuple[int, int]:
        if unit.lower() in self.factors:
            return self.factors[unit.lower()]
        meant = self.meant.get(unit.lower())
        names = (known for known in self.factors if len(known) > 4)
        hint = f"; did you mean '{number}{meant}'?" if meant else did_you_mean(unit, names)
        raise InvalidValueError(
            f"{name} has the unknown unit {unit!r} in {quoted(value)}; the units are {self.listed}{hint}"
        )


_SECONDS = _Units(
    {
        **dict.fromkeys(("us", "\u00b5s", "\u03bcs", "microsecond", "microseconds"), (1, 1_000_000)),
        **dict.fromkeys(("ms", "millisecond", "milliseconds"), (1, 1000)),
        **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (1, 1)),
        **dict.fromkeys(("min", "mins", "minute", "minutes"), (60, 1)),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), (3600, 1)),
        **dict.fromkeys(("d", "day", "days"), (86400, 1)),
        **dict.fromkeys(("week", "weeks"), (604_800, 1)),
    },
    listed="us, ms, s, min, h, d, or second, minute, hour, day, week",
    example="'30s', '15min' or '1h30min'",
    # a minute, a month or a metre
    meant={"m": "min"},
)
_BYTES = _Units(
    {
        **dict.fromkeys(("b", "byte", "bytes"), (1, 1)),
        "kb": (10**3, 1),
        "mb": (10**6, 1),
        "gb": (10**9, 1),
        "kib": (2**10, 1),
        "mib": (2**20, 1),
        "gib": (2**30, 1),
    },
    listed="B or bytes, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024)",
    example="'64 MiB' or '500 kB'",
    meant={"k": " kB", "m": " MB", "g": " GB", "ki": " KiB", "mi": " MiB", "gi": " GiB"},
)
_PART = re.compile(rf"\s*({NUMBER})\s*([A-Za-z\u00b5\u03bc]+)\s*")


def _measure(name: str, value: str, units: _Units) -> float:
    from fractions import Fraction  # late: slow to import

    total = Fraction(0)
    position = 0
    while (part := _PART.match(value, position)) is not None:
        number, unit = part.groups()
        total += _fraction(name, number) * Fraction(*units.factor(name, value, number, unit))
        position = part.end()
    if position == 0 or position != len(value):
        raise InvalidValueError(f"{name} must be a number with a unit, such as {units.example}, got {quoted(value)}")
    return _float(name, total, value)
