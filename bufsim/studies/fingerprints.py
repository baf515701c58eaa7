"""What functions and classes of the user's own do, as values that can be compared; of libraries, which it is."""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import math
import pickle
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np

from bufsim.errors import InvalidValueError
from bufsim.model.distributions import Scipy

_STANDARD = frozenset(sys.stdlib_module_names) - {"__main__"}
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_NOT_CODE = frozenset({"__dict__", "__weakref__", "__annotate__", "__annotate_func__"})


@functools.cache
def is_library(module: str | None) -> bool:
    """Return whether a module belongs to bufsim, the standard library or an installed package, known by its version."""
    top = (module or "").partition(".")[0]
    if top == "bufsim" or is_standard(module):
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and bool(_INSTALLED & set(Path(file).parts))


def is_standard(module: str | None) -> bool:
    """Return whether a module belongs to the standard library."""
    return (module or "").partition(".")[0] in _STANDARD


def name_of(value: object) -> str:
    """Return what a function, class, module or code is called; of an installed package with its version."""
    module = str(getattr(value, "__module__", None) or getattr(value, "__name__", ""))
    name = getattr(value, "__qualname__", "") or getattr(value, "__name__", "")
    if not is_library(module):
        return f"{type(value).__name__} {name}"
    version = getattr(sys.modules.get(module.partition(".")[0]), "__version__", "")
    return f"{type(value).__name__} {module}.{name} {version}"


def of_function(function: FunctionType) -> Iterator[object]:
    """Yield what a function does: its code, and the values that it finds where it was defined."""
    yield function.__code__
    yield function.__defaults__
    yield function.__kwdefaults__
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            yield "not yet known"
    for name in sorted(set(_globals(function.__code__))):
        if name in function.__globals__:
            yield name
            yield function.__globals__[name]


def of_code(code: CodeType) -> Iterator[object]:
    """Yield what a code does, wherever it stands."""
    yield code.co_code
    yield code.co_exceptiontable
    yield code.co_consts
    yield (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    yield (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)


def of_class(kind: type) -> Iterator[object]:
    """Yield what a class does: its bases, and its functions and values."""
    yield from kind.__mro__[1:]
    for name, value in sorted(vars(kind).items()):
        if not _is_made(kind, name, value):
            yield name
            yield from _of_attribute(value)


def _of_attribute(value: object) -> Iterator[object]:
    if isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, functools.cached_property):
        yield value.func
    else:
        yield value


def _is_made(kind: type, name: str, value: object) -> bool:
    """Return whether Python has made an attribute of a class out of the others."""
    if isinstance(value, MemberDescriptorType | GetSetDescriptorType) or name in _NOT_CODE or name.startswith("_abc_"):
        return True
    if not (name.startswith("__") and name.endswith("__")):
        return False
    if not isinstance(value, FunctionType | staticmethod | classmethod | property):
        return True
    # a dataclass's own methods hold sentinels; they follow from the fields, which each value has
    return dataclasses.is_dataclass(kind) and isinstance(value, FunctionType) and _is_written_by_dataclass(value)


def _is_written_by_dataclass(function: FunctionType) -> bool:
    return function.__code__.co_filename == "<string>" or function.__module__ == "dataclasses"


def _globals(code: CodeType) -> Iterator[str]:
    """Yield the names that a code, and the codes in it, look for in the module."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBALS:
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals(constant)


_PLAIN = (type(None), bool, int, float, complex, str, bytes, range)
_HOLDING: Mapping[type, Callable[[Any], object]] = {
    kind: kind for kind in (tuple, list, dict, set, frozenset, str, bytes, int, float, complex)
} | {deque: tuple, MappingProxyType: dict, SimpleNamespace: vars}
"""What holds others, also under another name, such as a named tuple: and what it is then read as."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def fingerprint(value: object) -> str:
    """Return a digest of a declared value and all that it holds.

    Two simulations have the same fingerprint only if they are the same model. Arrays count with all their numbers.
    Functions and classes of the user's own count with what they do: their code, their defaults, what they have taken
    along from where they were defined, and the functions, classes and values of their module that they name. Of
    installed libraries the version counts. What a function reads from elsewhere, such as a file, is not seen. Another
    version of Python may make other code of the same source, which counts as a change.

    Raises
    ------
    InvalidValueError
        If a part cannot be told from another one of its kind.

    Examples
    --------
    >>> from bufsim import FlushEvery
    >>> fingerprint(FlushEvery(5.0)) == fingerprint(FlushEvery("5s"))
    True
    >>> fingerprint(FlushEvery(5.0)) == fingerprint(FlushEvery(5.1))
    False
    """
    return _Reader().digest(value).hex()


def fingerprints(values: Mapping[str, object]) -> dict[str, str]:
    """Return the fingerprints of several values by their names; what they share is read once."""
    reader = _Reader()
    return {name: reader.digest(value).hex() for name, value in values.items()}


class _Reader:
    """Reads values, each object once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, bytes]] = {}
        self._open: list[int] = []
        self._back = math.inf
        """The outermost open object that what was just read points back to, by its place among the open ones."""

    def digest(self, value: object) -> bytes:
        """Return the digest of a value."""
        if type(value) in _PLAIN:
            return _hashed([f"{type(value).__name__} {value!r}".encode("utf-8", "surrogatepass")])
        if id(value) in self._known:
            return self._known[id(value)][1]
        if id(value) in self._open:
            place = self._open.index(id(value))
            self._back = min(self._back, place)
            return _hashed([b"again", str(len(self._open) - place).encode()])
        outer, self._back = self._back, math.inf
        place = len(self._open)
        self._open.append(id(value))
        digest = _hashed(self._parts(value))
        self._open.pop()
        if self._back >= place:
            # all of it lies within: the digest is the same wherever it is met. Held, so that its id stays its own
            self._known[id(value)] = value, digest
            self._back = math.inf
        self._back = min(self._back, outer)
        return digest

    def _parts(self, value: object) -> Iterator[bytes]:
        if isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType | ModuleType | CodeType):
            yield from self._of_code(value)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            yield f"array {value.dtype.str} {value.shape}".encode()
            yield np.ascontiguousarray(value).tobytes()
        elif type(value) in (tuple, list):
            yield from self._of_members(value)  # type: ignore[arg-type]  # its type is tested
        elif type(value) is dict:
            yield b"dict"
            yield from map(self.digest, value)
            yield from map(self.digest, value.values())
        elif type(value) in (set, frozenset):
            yield b"set"
            yield from sorted(map(self.digest, value))  # type: ignore[call-overload]  # its type is tested
        else:
            yield self.digest(type(value))
            yield from self._of_object(value)

    def _of_members(self, values: tuple[object, ...] | list[object]) -> Iterator[bytes]:
        yield type(values).__name__.encode()
        if all(type(member) in _PLAIN for member in values):
            yield repr(values).encode("utf-8", "surrogatepass")
        else:
            yield from map(self.digest, values)

    def _of_object(self, value: object) -> Iterator[bytes]:
        held = [self.digest(plain(value)) for kind, plain in _HOLDING.items() if isinstance(value, kind)]
        yield from held
        if isinstance(value, functools.partial):
            yield self.digest((value.func, value.args, value.keywords))
        elif isinstance(value, Scipy):
            yield from self._of_scipy(value)
        elif not is_library(type(value).__module__) or dataclasses.is_dataclass(value):
            state = _state(value)
            yield from map(self.digest, state)
            yield from map(self.digest, state.values())
        elif hasattr(value, "__wrapped__"):
            yield self.digest(value.__wrapped__)  # such as a function whose values are cached
        elif not held or not is_standard(type(value).__module__):
            yield _written(value)

    def _of_scipy(self, value: Scipy) -> Iterator[bytes]:
        frozen = value.frozen
        yield from map(self.digest, (type(frozen.dist), frozen.dist.name, frozen.args, frozen.kwds))
        # such as the bins of a histogram
        given = frozen.dist._updated_ctor_param()
        yield from (self.digest(given.get(name)) for name in ("histogram", "density", "values"))

    def _of_code(self, value: object) -> Iterator[bytes]:
        yield name_of(value).encode()
        if isinstance(value, MethodType):
            yield self.digest(value.__self__)
            yield self.digest(value.__func__)
        elif isinstance(value, CodeType):
            yield from map(self.digest, of_code(value))
        elif isinstance(value, FunctionType) and not is_library(value.__module__):
            yield from map(self.digest, of_function(value))
        elif isinstance(value, type) and not is_library(value.__module__):
            yield from map(self.digest, of_class(value))


def _hashed(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        # the length tells where a part ends
        digest.update(str(len(part)).encode() + b":" + part)
    return digest.digest()


def _state(value: object) -> dict[str, object]:
    """Return the attributes of an object, without what follows from others and is only kept."""
    kind = type(value)
    names = [name for base in kind.__mro__ for name in _slots(base) if hasattr(value, name)]
    if dataclasses.is_dataclass(value):
        names += [field.name for field in dataclasses.fields(value)]
    names += [
        name
        for name in getattr(value, "__dict__", ())
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    ]
    return {name: getattr(value, name) for name in dict.fromkeys(names)}


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _written(value: object) -> bytes:
    """Return a library's object as bytes: its repr, if that says which one it is, else as it is pickled."""
    written = repr(value)
    if is_standard(type(value).__module__):
        if not _ADDRESS.search(written):
            return written.encode("utf-8", "surrogatepass")
    else:
        try:
            return pickle.dumps(value, protocol=5)
        except Exception:  # whatever it raises, it cannot be written
            pass
    raise InvalidValueError(
        f"{written} cannot be told from another of its kind, so that a store would not see a change of it; "
        "use numbers, texts, arrays and dataclasses in its place, or leave store out"
    )
