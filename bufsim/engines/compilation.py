"""Compiling the kernel, once for all models, and keeping it on disk.

numba keeps the machine code beside the kernel, in `bufsim/engines/kernel/__pycache__`, or where that cannot be written,
in the user's cache folder; `NUMBA_CACHE_DIR` names another. Where nothing can be written, every process compiles anew.
What was kept of another version of the kernel is removed when this one is compiled. Since machine code is run as it is
read, a file of checksums is kept beside it: what does not agree with it is removed, and compiled anew.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from bufsim.engines import bins
from bufsim.engines.kernel import arrivals, buffers, empty_ticks, loop, policy, queues, reduce, state, tallies
from bufsim.errors import MissingExtraError
from bufsim.model import rules
from bufsim.model.arrivals import RunningSum
from bufsim.model.arrivals import running_sum as in_numpy

# no reference counts: the kernel makes no arrays
OPTIONS: dict[str, object] = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}
MODULES = (
    rules,
    bins,
    state,
    policy,
    tallies,
    empty_ticks,
    queues,
    buffers,
    arrivals,
    reduce,
    loop,
)
# called from several places, and large: a call costs less than its copies take to compile
APART: set[object] = {
    buffers.start_flush,
    empty_ticks.close_gap,
    tallies.change_buffer_level,
    tallies.note_ends,
    tallies.note_mark,
}

Kernel = Callable[[state.State], int]
Say = Callable[[str], None]

COMPILES = "bufsim compiles its engine, once: some 20 s"
COMPILES_ALWAYS = (
    "bufsim compiles its engine, some 20 s, and so in every process: there is no folder in which it can be kept; "
    "set NUMBA_CACHE_DIR to one"
)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


_SUMS = ".sums"
NOP = dis.opmap["NOP"]
_SAY: ContextVar[Say] = ContextVar("say", default=_to_stderr)
_FIRST_CALL = threading.Lock()


class _Entry(NamedTuple):
    """A function as numba calls it, whether it is kept on disk, and by which name, a digest apart."""

    call: Any
    kept: bool
    name: str


@contextmanager
def telling(say: Say) -> Iterator[None]:
    """Within this, `say` is told when the kernel is compiled; else it is a line on the standard error stream.

    Nothing is told where it is read from disk.
    """
    before = _SAY.set(say)
    try:
        yield
    finally:
        _SAY.reset(before)


def silent(text: str) -> None:
    """Tell nobody."""


def tell(text: str) -> None:
    """Tell whoever is to be told."""
    _SAY.get()(text)


def compiled() -> Kernel:
    """Return the compiled kernel; it is compiled at its first call, and read from disk thereafter.

    Where numba is told to compile nothing (`NUMBA_DISABLE_JIT`), it is the kernel itself.

    Raises
    ------
    MissingExtraError
        If numba is not installed.
    """
    entry = kernel_entry()
    if not hasattr(entry.call, "overloads"):
        return lambda given: loop.run(state.with_attributes(given))
    kernel_run: Kernel = _called(entry)
    return kernel_run


def running_sum() -> RunningSum:
    """Return the compiled running sum, kept likewise; where nothing is compiled, that of `model.running_sum`."""
    entry = _sum_entry()
    if not hasattr(entry.call, "overloads"):
        return in_numpy
    add_up: RunningSum = _called(entry)
    return add_up


def can_be_kept() -> bool:
    """Return whether there is a folder for the compiled kernel, so that other processes need not compile it."""
    return kernel_entry().kept


@functools.cache
def kernel_entry() -> _Entry:
    """The kernel as numba calls it."""
    try:
        from numba.extending import register_jitable
    except ImportError:
        raise MissingExtraError(
            'engine="compiled" needs numba: install it with pip install "bufsim[compiled]", or use engine="simpy"'
        ) from None
    for function in functions():
        register_jitable(forceinline=function not in APART, **OPTIONS)(function)
    return _jitted(loop.run, "loop.run")


@functools.cache
def _sum_entry() -> _Entry:
    return _jitted(arrivals.running_sum, "arrivals.running_sum")


def _jitted(function: Any, name: str) -> _Entry:
    import numba

    njit: Any = numba.njit  # its types do not know _nrt
    named = _named(function)
    try:
        return _Entry(njit(cache=True, _nrt=False, error_model="numpy")(named), True, name)
    except (RuntimeError, OSError, UnicodeError):  # no folder to write to, no source to read, a path that is no text
        return _Entry(njit(_nrt=False, error_model="numpy")(named), False, name)


def _named(function: FunctionType) -> FunctionType:
    """Return a function that numba compiles, by a name that says what it is.

    numba keeps it on disk by its name and does not see what it calls: so the name holds a digest of that, and a change
    of any rule compiles anew. It is the function itself, since another around it would be compiled on top.
    """
    named = FunctionType(function.__code__, function.__globals__, f"{function.__name__}_{_digest()}")
    named.__qualname__ = named.__name__
    return named


def _called(entry: _Entry) -> Any:
    return entry.call if entry.call.overloads else functools.partial(_first_call, entry)


def _first_call(entry: _Entry, *args: Any) -> Any:
    """Call a function, which compiles it or reads it from disk; say so if the kernel is compiled."""
    with _FIRST_CALL, _told(entry) as compilations:
        if not _is_sound(entry):
            _discard(entry)
        try:
            returned = entry.call(*args)
        except (OSError, EOFError, pickle.UnpicklingError):
            # if it is compiled by now, it could not be written; else what is on disk can not be read
            if not entry.call.overloads:
                _discard(entry)
            returned = entry.call(*args)
        if compilations:
            _remove(_kept(entry, own=False))
            _write_checksums(entry)
        return returned


@contextmanager
def _told(entry: _Entry) -> Iterator[list[object]]:
    """Tell of each compilation, before it begins; yield those that have begun."""
    from numba.core import event

    begun: list[object] = []

    class Compilations(event.Listener):
        def on_start(self, event: Any) -> None:
            if event.data["dispatcher"] is entry.call:
                begun.append(event)
                if entry is kernel_entry():
                    tell(COMPILES if entry.kept else COMPILES_ALWAYS)

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Compilations()):
        yield begun


def _kept(entry: _Entry, *, own: bool) -> list[Path]:
    """Return the files that are kept of this version of a function, or of others, for this version of Python."""
    if not entry.kept:
        return []
    version = f"py{sys.version_info.major}{sys.version_info.minor}{getattr(sys, 'abiflags', '')}"
    files = Path(entry.call.stats.cache_path).glob(f"{entry.name}_*-*.{version}.*")
    this = f"{entry.name.rpartition('.')[0]}.{entry.call.__name__}-"
    return sorted(path for path in files if path.name.startswith(this) == own)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # another process may use it, or have removed it
            path.unlink()


def _discard(entry: _Entry) -> None:
    """Remove what is kept of this version of a function; what cannot be removed is not read."""
    _remove(_kept(entry, own=True))
    if _kept(entry, own=True):
        entry.call._cache.disable()


def _checksums(entry: _Entry) -> tuple[dict[Path, str], list[Path]]:
    """Return the checksums of what is kept of this version of a function, and the files that hold such."""
    own = _kept(entry, own=True)
    sums = [path for path in own if path.suffix == _SUMS]
    return {path: hashlib.blake2b(path.read_bytes()).hexdigest() for path in own if path not in sums}, sums


def _is_sound(entry: _Entry) -> bool:
    """Return whether what is kept of this version of a function, if anything is, is what was written."""
    try:
        found, sums = _checksums(entry)
        return not (found or sums) or [path.read_text() for path in sums] == [_as_text(found)]
    except (OSError, UnicodeError):
        return False


def _write_checksums(entry: _Entry) -> None:
    with suppress(OSError):  # without them it is compiled again by the next process
        found, _ = _checksums(entry)
        for index in found:
            if index.suffix == ".nbi":
                index.with_suffix(_SUMS).write_text(_as_text(found))


def _as_text(checksums: dict[Path, str]) -> str:
    return "".join(f"{checksum} {path.name}\n" for path, checksum in checksums.items())


def functions() -> Iterator[FunctionType]:
    """The functions that are compiled."""
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, FunctionType) and value.__module__ == module.__name__:
                yield value


def _digest() -> str:
    """Return a digest of what is compiled: functions as they are in memory, constants, and how they are compiled.

    Not of the files, which may have changed since they were read.
    """
    apart = sorted(function.__qualname__ for function in functions() if function in APART)
    parts = [repr(OPTIONS), repr(apart), *constants()]
    for function in functions():
        parts += [function.__module__, repr(function.__defaults__), *_code(function.__code__)]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def constants() -> Iterator[str]:
    """Yield the constants of all modules, those that they import included: numba compiles their values in."""
    for module in MODULES:
        for name, value in vars(module).items():
            if isinstance(value, int | float | tuple | np.dtype) and not name.startswith("__"):
                yield f"{module.__name__}.{name} = {value!r}"


def _code(code: CodeType) -> Iterator[str]:
    """Yield what a function consists of, but its docstring: python -OO knows none, and compiles the same."""
    instructions, constants = [], []
    # two bytes an instruction; one that does nothing stands in place of a docstring, and constants are counted with it
    for opcode, argument in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        if opcode in dis.hasconst:
            constants.append(code.co_consts[argument])
            instructions += [opcode, 0]
        elif opcode != NOP:
            instructions += [opcode, argument]
    yield repr((code.co_name, code.co_argcount, code.co_varnames, code.co_names, bytes(instructions)))
    for constant in constants:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)
