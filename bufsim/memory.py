"""Memory for long columns: that of results which nobody holds any more is lent to the next run.

To get memory from the operating system costs as much as to fill it: each page is cleared before it is given. So a piece
is kept when the last array in it is gone, and marked as free (``MADV_FREE``): the system may take its pages when it is
short of memory. Where the system cannot do that, as on Windows, memory is NumPy's own.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

_PAGE = 2**21
"""A huge page, as most processors have them: an array that begins at one needs fewer of them."""
_LARGE = 2**19
"""Smaller arrays are NumPy's own."""
MOST_KEPT = 2**32
"""So many bytes of address space are kept at most; those that have been kept for longest go first."""


def empty(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return an array whose elements are not set; what is never written costs no memory.

    Examples
    --------
    >>> empty((2, 3), "int64").shape
    (2, 3)
    """
    kind = np.dtype(dtype)
    size = kind.itemsize * (math.prod(shape) if isinstance(shape, tuple) else shape)
    if size < _LARGE or not can_lend():
        return np.empty(shape, kind)
    return np.asarray(_Loan(_taken(-(-size // _PAGE) * _PAGE)))[:size].view(kind).reshape(shape)


def physical() -> float:
    """Bytes of memory that this machine has; inf where the system does not say.

    Examples
    --------
    >>> physical() > 2**20
    True
    """
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def counted(n: int) -> npt.NDArray[np.int64]:
    """Return the whole numbers below `n`; they may be read-only.

    Examples
    --------
    >>> counted(3).tolist()
    [0, 1, 2]
    """
    if n < _COUNTED[0]:
        return np.arange(n)
    if n <= _COUNTED[1]:
        return _few()[:n]
    numbers = empty(n, np.int64)
    for first in range(0, n, _COUNTED[0]):
        part = numbers[first : first + _COUNTED[0]]
        np.add(_few()[: len(part)], first, out=part)
    return numbers


_COUNTED = 2**13, 2**20
"""Fewer numbers than the first of these cost nothing to make; up to the second they are made once, for all runs."""


@cache
def _few() -> npt.NDArray[np.int64]:
    numbers = np.arange(_COUNTED[1])
    numbers.flags.writeable = False
    return numbers


@cache
def can_lend() -> bool:
    """Return whether the system takes back memory that is kept."""
    if not (hasattr(mmap, "MADV_FREE") and hasattr(mmap, "MADV_HUGEPAGE")):
        return False
    try:
        _Piece(_PAGE).free()
    except OSError:  # it knows the words, and refuses
        return False
    return True


class _Piece:
    """A piece of memory that begins at a huge page."""

    __slots__ = ("_memory", "address", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._memory = mmap.mmap(-1, size + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory.madvise(mmap.MADV_HUGEPAGE)
        start = np.frombuffer(self._memory, np.uint8).ctypes.data
        self.address = start + -start % _PAGE

    def free(self) -> None:
        """Let the system take the pages if it needs them."""
        self._memory.madvise(mmap.MADV_FREE)


class _Loan:
    """A piece on loan: the arrays that lie in it hold it, and with the last of them it goes back."""

    __slots__ = ("__array_interface__", "__weakref__")

    def __init__(self, piece: _Piece) -> None:
        self.__array_interface__ = {
            "shape": (piece.size,),
            "typestr": "|u1",
            "data": (piece.address, False),
            "version": 3,
        }
        weakref.finalize(self, _kept_back, piece).atexit = False


# other threads, and the garbage collector in the midst of anything, may take from it and add to it
_kept: list[_Piece] = []


def _taken(size: int) -> _Piece:
    """Return a piece of this size: the one kept last, or a new one."""
    for piece in _kept[::-1]:
        if piece.size == size:
            try:
                _kept.remove(piece)
            except ValueError:  # another thread was quicker
                continue
            return piece
    return _Piece(size)


def _kept_back(piece: _Piece) -> None:
    """Keep a piece for the next that asks for its size."""
    piece.free()
    _kept.append(piece)
    while sum(kept.size for kept in _kept) > MOST_KEPT:
        _kept[:1] = []
