"""What is known of each job of a trace, checked: times, keys, sizes and queue names, one value a job."""

from __future__ import annotations

import math
import reprlib
import sys
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.distributions import FloatArray

IntArray = npt.NDArray[np.int64]
Place = Callable[[int], str]


def times(times: object) -> FloatArray:
    """Return a checked, read-only copy."""
    numbers = checks.all_seconds("times", times)
    try:
        given = np.asarray(numbers)
    except ValueError:
        # a ragged list
        given = np.empty(0, dtype=object)
    # truth values are no times
    if given.dtype.kind not in "iuf":
        raise InvalidTypeError(f"times must be a sequence of numbers, got {_listed(times)}")
    if given.ndim != 1 or not given.size:
        raise InvalidValueError(f"times must be one sequence of at least one number, got shape {given.shape}")
    checked = given.astype(np.float64)
    check_times(checked, lambda row: f"times[{row}]", lambda row: float(checked[row]))
    # turns -0.0 into 0.0: equal traces have equal bytes
    checked += 0.0
    checked.setflags(write=False)
    return checked


def column(name: str, values: Sequence[Any] | npt.NDArray[Any], n: int) -> tuple[Any, ...]:
    """Return one value a job as a tuple of Python's own objects."""
    if isinstance(values, str | type) or not hasattr(values, "__len__"):
        raise InvalidTypeError(f"{name} must be a sequence with one value a job, got {_listed(values)}")
    checks.fits(name, values, each=8)
    if len(values) != n:
        raise InvalidValueError(f"{name} must have one value a job, got {len(values)} values for {n} times")
    return tuple(values.tolist() if hasattr(values, "tolist") else values)


def _listed(values: object) -> str:
    """The first of many values, for a message."""
    try:
        return reprlib.repr(values)
    except ValueError:
        # a number of more than 4,300 digits
        return quoted(values)


def keys(keys: tuple[Any, ...]) -> tuple[Hashable, ...]:
    """Return the keys with every missing value as None."""
    for row, key in enumerate(keys):
        try:
            hash(key)
        except TypeError:
            raise InvalidTypeError(
                f"keys[{row}] must be hashable, got {quoted(key)}; give its id, or a tuple"
            ) from None
        checks.encodable(f"keys[{row}]", key)
    return tuple(None if _missing(key) else key for key in keys)


def nbytes(sizes: tuple[Any, ...]) -> IntArray:
    """Return the sizes as a read-only array."""
    checked = np.array(
        [
            # a check costs more than all else, and a trace may have many millions of sizes
            size
            if type(size) is int and 0 <= size <= checks.LARGEST
            else checks.nbytes(f"nbytes[{row}]", size, at_least=0)
            for row, size in enumerate(sizes)
        ],
        dtype=np.int64,
    )
    checked.setflags(write=False)
    return checked


def queues(queues: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the queue names."""
    for row, queue in enumerate(queues):
        if not isinstance(queue, str) or not queue:
            raise InvalidValueError(f"queues[{row}] must be a queue's name, got {quoted(queue)}")
        checks.encodable(f"queues[{row}]", queue)
    return queues


def _missing(key: object) -> bool:
    """Return whether a key stands for none."""
    # pandas is not imported for its missing values: who has one has imported it
    pandas = sys.modules.get("pandas")
    return (
        key is None
        or (isinstance(key, float) and math.isnan(key))
        or (pandas is not None and (key is pandas.NA or key is pandas.NaT))
    )


def check_times(times: FloatArray, place: Place, value: Callable[[int], object]) -> None:
    """Raise unless the times are finite, non-decreasing and >= 0; say which one is not."""
    row = first(~np.isfinite(times))
    if row is not None:
        missing = "is missing" if np.isnan(times[row]) else f"must be finite, got {value(row)!s}"
        raise InvalidValueError(f"{place(row)} {missing}")
    row = first(np.diff(times) < 0.0)
    if row is not None:
        raise InvalidValueError(
            f"{place(row + 1)} goes back: {value(row + 1)!s} after {value(row)!s}; sort the jobs by time first"
        )
    if times[0] < 0.0:
        raise InvalidValueError(f"{place(0)} must be >= 0 s, got {value(0)!s}; give an earlier origin, or leave it out")


def first(wrong: npt.NDArray[np.bool_]) -> int | None:
    """Return the position of the first true value, if there is one."""
    return int(np.argmax(wrong)) if wrong.any() else None
