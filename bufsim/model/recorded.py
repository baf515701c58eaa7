"""What follows from a recording alone, once for all its runs: its keys and queues as numbers, its instants."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from bufsim.model.traces import Trace


class Coded(NamedTuple):
    """A column as numbers.

    Parameters
    ----------
    values : tuple
        What there is, in order of first appearance; None, which is nothing, is left out.
    codes : array of int32
        The position of each row's value; -1 for None. Read-only.
    """

    values: tuple[Hashable, ...]
    codes: npt.NDArray[np.int32]

    @classmethod
    def of(cls, column: Sequence[Hashable]) -> Coded:
        """Return a column as numbers.

        Examples
        --------
        >>> Coded.of(["b", None, "a", "b"])
        Coded(values=('b', 'a'), codes=array([ 0, -1,  1,  0], dtype=int32))
        """
        table: dict[Hashable, int] = {}
        codes = [-1 if value is None else table.setdefault(value, len(table)) for value in column]
        column_of_codes = np.array(codes, dtype=np.int32)
        column_of_codes.flags.writeable = False
        return cls(tuple(table), column_of_codes)


class Instants(NamedTuple):
    """The instants at which jobs were recorded.

    Parameters
    ----------
    times : array of float64
        Each once, s, increasing.
    positions : array of int64
        The position of each job's.
    """

    times: npt.NDArray[np.float64]
    positions: npt.NDArray[np.int64]


class Recorded:
    """What follows from a trace alone; each is found when it is first asked for."""

    def __init__(self, trace: Trace) -> None:
        # the times are not held: with them it is forgotten
        self._keys, self._queues, self._times = trace.keys, trace.queues, weakref.ref(trace.times)

    @cached_property
    def keys(self) -> Coded:
        """The keys."""
        return Coded.of(self._keys or ())

    @cached_property
    def queues(self) -> Coded:
        """The queues' names."""
        return Coded.of(self._queues or ())

    @cached_property
    def instants(self) -> Instants:
        """The instants."""
        times = self._times()
        assert times is not None  # who asks has the trace
        return Instants(*np.unique(times, return_inverse=True))


_HELD: dict[int, Recorded] = {}


def recorded(trace: Trace) -> Recorded:
    """What follows from a trace alone; found once for each, and kept as long as the trace lives.

    Traces are told apart by identity: keys that are equal may be written differently (1 and 1.0).
    """
    # of the array, which no other trace has, and which, unlike the trace, can tell when it is gone
    name = id(trace.times)
    held = _HELD.get(name)
    if held is None:
        held = _HELD[name] = Recorded(trace)
        weakref.finalize(trace.times, _HELD.pop, name, None).atexit = False
    return held
