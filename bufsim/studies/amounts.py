"""Amounts as people write them, read by the unit of what they bound: "2s", "64 MiB", "5 %", 1000."""

from __future__ import annotations

import re

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.studies.statistics import Margin

_PLAIN = re.compile(r"\s*([-+]?(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(\S*)\s*")


def amount(name: str, value: object, unit: str) -> float:
    """Return an amount as a number in `unit`.

    Parameters
    ----------
    name : str
        What it is, for messages.
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
    if isinstance(value, checks.Written) and not isinstance(value, str) and unit == "s":
        return checks.seconds(name, value)
    if not isinstance(value, str):
        return checks.finite(name, value)
    plain = _PLAIN.fullmatch(value)
    if plain and plain.group(2) in ("", unit):
        return checks.finite(name, float(plain.group(1)))
    if plain and plain.group(2) == "%" and unit == "":
        return checks.finite(name, float(plain.group(1)) / 100.0)
    if unit == "s":
        return checks.seconds(name, value)
    if unit == "bytes":
        return float(checks.nbytes(name, value, at_least=0))
    raise InvalidValueError(f"{name} must be a number{unit and ' of ' + unit}, got {value!r}")


def margin(name: str, value: object, unit: str) -> Margin:
    """Return what does not matter beside a value: an amount in `unit`, or a share of the value for a text in per cent.

    Examples
    --------
    >>> print(margin("margin", "5 %", "s"), margin("margin", "50ms", "s"))
    5 % 0.05
    """
    if isinstance(value, Margin):
        return value
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return Margin(checks.positive(name, amount(name, value, "")), relative=True)
    return Margin(checks.positive(name, amount(name, value, unit)))
