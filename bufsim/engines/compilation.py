"""Compiling the kernel, once for all models, and keeping it on disk."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType

from bufsim.engines import kernel, kernel_buffers, kernel_policy, kernel_queues, kernel_reduce, kernel_state
from bufsim.errors import MissingExtraError
from bufsim.model import rules

# no reference counts: the kernel makes no arrays
_OPTIONS = {"_nrt": False, "error_model": "numpy", "forceinline": True}
_MODULES = (rules, kernel_state, kernel_policy, kernel_queues, kernel_buffers, kernel_reduce, kernel)


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
        register_jitable(**_OPTIONS)(function)
    entry = _entry(_digest())
    try:
        return numba.njit(cache=True, _nrt=False, error_model="numpy")(entry)  # type: ignore[no-any-return]  # numba has no types
    except RuntimeError:
        # no folder to write to: compiled anew in every process
        return numba.njit(_nrt=False, error_model="numpy")(entry)  # type: ignore[no-any-return]  # numba has no types


def _entry(digest: str) -> Callable[[kernel_state.State], int]:
    """Return the function that numba compiles.

    numba keeps it on disk by its name and does not see what it calls: so the name holds a digest of that, and a change
    of any rule compiles anew.
    """

    def run_kernel(state: kernel_state.State) -> int:
        return kernel.run(state)

    run_kernel.__name__ = run_kernel.__qualname__ = f"run_kernel_{digest}"
    return run_kernel


def _functions() -> Iterator[FunctionType]:
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                yield value


def _digest() -> str:
    text = "".join(map(inspect.getsource, _MODULES))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
