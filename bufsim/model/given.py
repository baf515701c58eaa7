"""What users give themselves in place of draws: times of services and flushes, and which attempts fail."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.declared import Value, Wide, settle, value
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted


def _times(name: str, given: Any) -> np.ndarray:
    rows = isinstance(given, list | tuple) and any(isinstance(row, list | tuple | np.ndarray) for row in given)
    numbers = (
        [checks.all_seconds(f"given {name}", row) for row in given]
        if rows
        else checks.all_seconds(f"given {name}", given)
    )
    try:
        times = np.array(numbers, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidTypeError(f"given {name} must be numbers, a row each, got {quoted(given)}") from None
    _check_shape(name, times)
    wrong = ~(np.isfinite(times) & (times >= 0.0))
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise InvalidValueError(
            f"given {name} must be finite and >= 0, got {quoted(times[wrong][0].item())} in row {row}"
        )
    return _kept(times)


def _failures(name: str, given: Any) -> np.ndarray:
    checks.fits(f"given {name}", given, each=1)
    try:
        failures = np.array(given)
    except ValueError:
        raise InvalidTypeError(f"given {name} must have as many columns in each row, got {quoted(given)}") from None
    _check_shape(name, failures)
    if failures.dtype != np.bool_:
        raise InvalidTypeError(f"given {name} must be True or False each, got {quoted(given)}")
    return _kept(failures)


def _check_shape(name: str, array: np.ndarray) -> None:
    if array.ndim not in (1, 2) or not array.size:
        raise InvalidValueError(
            f"given {name} must be one row a job, with one column or one an attempt, and at least one row, "
            f"got shape {array.shape}"
        )


def _kept(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _digest(array: np.ndarray) -> bytes:
    return hashlib.blake2b(repr(array.shape).encode() + array.tobytes(), digest_size=16).digest()


def _size(array: np.ndarray) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, array.shape))


@value(eq=False)
class GivenTimes(Value):
    """Times as given: of services in the order in which jobs come to the queue, or of a buffer's flushes in theirs.

    Parameters
    ----------
    times : array of float, shape (rows,) or (rows, attempts), or sequence of str or timedelta
        s, ≥ 0, finite; texts as in "20ms". Row i is for the i-th job or flush; with several columns attempt a takes
        the a-th, with one each attempt takes the same. A run that needs more of them than there are is refused.

    Examples
    --------
    >>> GivenTimes([0.5, 0.25])
    GivenTimes(<2 times>)
    """

    times: Annotated[Wide[npt.ArrayLike | Sequence[Seconds], np.ndarray], _times]
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        settle(self, digest=_digest(self.times))

    def expected_value(self) -> float:
        """Return the mean."""
        return float(self.times.mean())

    def __reduce__(self) -> tuple[type[GivenTimes], tuple[np.ndarray]]:
        # through the constructor: numpy restores arrays as writeable
        return GivenTimes, (self.times,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenTimes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"GivenTimes(<{_size(self.times)} times>)"


@value(eq=False)
class GivenFailures(Value):
    """Which attempts fail, as given, in the order in which jobs come to the queue.

    Parameters
    ----------
    failures : array of bool, shape (jobs,) or (jobs, attempts)
        Row i is for the i-th job; with several columns attempt a takes the a-th, with one each attempt takes the same.
        A run that needs more of them than there are is refused.

    Examples
    --------
    >>> GivenFailures([[True, False], [False, False]])  # the first job fails once
    GivenFailures(<2 × 2 attempts>)
    """

    failures: Annotated[Wide[npt.ArrayLike, np.ndarray], _failures]
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        settle(self, digest=_digest(self.failures))

    def __reduce__(self) -> tuple[type[GivenFailures], tuple[np.ndarray]]:
        return GivenFailures, (self.failures,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenFailures) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"GivenFailures(<{_size(self.failures)} attempts>)"
