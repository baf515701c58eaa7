"""Columns of a recording, in which what is the same in all rows may be one value with stride 0."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bufsim.results.measures import Floats

Generic = TypeVar("Generic", bound=np.generic)
Positions = npt.NDArray[np.intp]


def at(values: Floats, positions: npt.NDArray[np.int64]) -> Floats:
    """Return values[positions], and NaN where the position is −1."""
    if not len(values):
        return np.full(len(positions), np.nan)
    taken = values.take(positions, mode="clip")
    taken[positions < 0] = np.nan
    return taken


def missing(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return where there is no position, −1."""
    return one_value(positions < 0, len(positions)) if is_one_value(positions) else positions < 0


def is_one_value(column: npt.NDArray[Generic]) -> bool:
    """Return whether a column is one value for all rows, with stride 0."""
    return column.strides == (0,) and len(column) > 0


def distinct(column: npt.NDArray[Generic]) -> npt.NDArray[Generic]:
    """Return a column's values; of one that is the same in all rows, only the first."""
    return column[:1] if is_one_value(column) else column


def one_value(value: npt.NDArray[Generic], n: int) -> npt.NDArray[Generic]:
    """Return the first of the given values n times, in the space of one."""
    return np.broadcast_to(value[0], (n,))
