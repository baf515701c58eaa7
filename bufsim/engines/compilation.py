"""Compiling the kernel, once for all models, and keeping it on disk."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from bufsim.engines import (
    bins,
    kernel,
    kernel_arrivals,
    kernel_buffers,
    kernel_flushes,
    kernel_heap,
    kernel_levels,
    kernel_policy,
    kernel_queues,
    kernel_reduce,
    kernel_rows,
    kernel_state,
    kernel_stops,
    kernel_tally,
    kernel_ticks,
    kernel_work_tally,
    ticks,
)
from bufsim.errors import MissingExtraError
from bufsim.model import rules

# no reference counts: the kernel makes no arrays
_OPTIONS = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}
_MODULES = (
    rules,
    bins,
    ticks,
    kernel_state,
    kernel_rows,
    kernel_levels,
    kernel_policy,
    kernel_ticks,
    kernel_tally,
    kernel_work_tally,
    kernel_heap,
    kernel_queues,
    kernel_buffers,
    kernel_flushes,
    kernel_stops,
    kernel_arrivals,
    kernel_reduce,
    kernel,
)
# called from several places, and large: a call costs less than its copies take to compile
_APART: set[object] = {
    kernel_flushes.start_flush,
    kernel_ticks.close_gap,
    kernel_tally.change_level,
    kernel_levels.note_mark,
}


@functools.cache
def compiled() -> Callable[[kernel_state.State], int]:
    """Return the compiled kernel; it is compiled at its first call, and read from disk thereafter.

    Raises
    ------
    MissingExtraError
        If numba is not installed.
    """
    try:
        import numba
        from numba.extending import register_jitable
    except ImportError:
        raise MissingExtraError(
            'engine="compiled" needs numba: install it with pip install "bufsim[compiled]", or use engine="simpy"'
        ) from None
    for function in _functions():
        register_jitable(forceinline=function not in _APART, **_OPTIONS)(function)
    entry = _entry(_digest())
    njit: Any = numba.njit  # its types do not know _nrt
    compiled_entry: Callable[[kernel_state.State], int]
    try:
        compiled_entry = njit(cache=True, _nrt=False, error_model="numpy")(entry)
    except RuntimeError:
        # no folder to write to: compiled anew in every process
        compiled_entry = njit(_nrt=False, error_model="numpy")(entry)
    return compiled_entry


def _entry(digest: str) -> Callable[[kernel_state.State], int]:
    """Return the function that numba compiles.

    numba keeps it on disk by its name and does not see what it calls: so the name holds a digest of that, and a change
    of any rule compiles anew. It is `kernel.run` itself, since a function around it would be compiled on top.
    """
    entry = FunctionType(kernel.run.__code__, kernel.run.__globals__, f"run_{digest}")
    entry.__qualname__ = entry.__name__
    return entry


def _functions() -> Iterator[FunctionType]:
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                yield value


def _digest() -> str:
    text = "".join(map(inspect.getsource, _MODULES))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
