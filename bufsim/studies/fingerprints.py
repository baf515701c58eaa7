"""Fingerprints of declared values: of data by what it holds, of own code by what it does, of libraries by version.

cloudpickle's bytes are no such digest. Of a class they hold a number that is drawn anew in each process, of a set its
order there, and of equal values they differ by which of them are one object. Measured with cloudpickle 3.1.2: the bytes
of one policy class, the same source twice, differ within a process and between two; those of a function whose code or
globals hold ``{"a", "b"}`` differ with PYTHONHASHSEED; those of ``["ab cd", "ab cd"]`` differ by whether that is one
text or two; and a class of a module that can be imported is there by its name only, so that a change of it is not seen.
So functions and classes are read here: their code, and the values that it finds where it was defined.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import hashlib
import io
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


def fingerprint(value: object) -> str:
    """A digest of a declared value and all that it holds.

    Two simulations have the same fingerprint only if they are the same model. Arrays count with all their numbers.
    Functions and classes of the user's own count with what they do: their code, their defaults, what they have taken
    along from where they were defined, and the functions, classes and values of their modules that they name. Of
    installed libraries the version counts. What a function reads from elsewhere, such as a file or a module that it
    imports when it is called, is not seen. Another version of Python may make other code of the same source, which
    counts as a change.

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
    """The fingerprints of several values by their names; what they share is read once."""
    reader = _Reader()
    return {name: reader.digest(value).hex() for name, value in values.items()}


class _Reader:
    """Digests values, each object once.

    An object that holds itself is digested as "again, so many levels up". What lies within such a ring has a digest
    that depends on where the ring was entered, and so is not remembered: of ``a = [b]`` and ``b = [a]``, where a is
    read first, b is digested as [2 levels up] and forgotten, a as [[2 levels up]] and remembered. When b is read then,
    a must be read anew, since alone b is [[2 levels up]]: what is remembered of a ring holds where none of it is open.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, bytes, frozenset[int]]] = {}
        """By the id of an object: the object, its digest, and the ids of what is in a ring with it."""
        self._loose: list[int] = []
        """The ids of what has been read and not remembered, in the ring that is being read."""
        self._open: list[int] = []
        self._back = math.inf
        """The outermost open object that what was just read points back to, by its place among the open ones."""

    def digest(self, value: object) -> bytes:
        """The digest of a value."""
        if type(value) in _PLAIN:
            return _hashed([f"{type(value).__name__} {value!r}".encode("utf-8", "surrogatepass")])
        known = self._known.get(id(value))
        if known and known[2].isdisjoint(self._open):
            return known[1]
        if id(value) in self._open:
            depth = self._open.index(id(value))
            self._back = min(self._back, depth)
            return _hashed([b"again", str(len(self._open) - depth).encode()])
        outer, self._back = self._back, math.inf
        depth, loose = len(self._open), len(self._loose)
        self._open.append(id(value))
        head, members = _read(value)
        digests = map(self.digest, members)
        digest = _hashed([head, *(sorted(digests) if type(value) in (set, frozenset) else digests)])
        self._open.pop()
        if self._back >= depth:
            # all of it lies within: the digest is the same wherever it is met. Held, so that its id stays its own
            self._known[id(value)] = value, digest, frozenset(self._loose[loose:])
            self._back = math.inf
            del self._loose[loose:]
        else:
            self._loose.append(id(value))
        self._back = min(self._back, outer)
        return digest


def _hashed(parts: Iterable[bytes]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        # the length tells where a part ends
        digest.update(str(len(part)).encode() + b":" + part)
    return digest.digest()


_PLAIN = (type(None), bool, int, float, complex, str, bytes, range)
_HOLDING: Mapping[type, Callable[[Any], object]] = {
    kind: kind for kind in (tuple, list, dict, set, frozenset, str, bytes, int, float, complex)
} | {deque: tuple, MappingProxyType: dict, SimpleNamespace: vars}
"""Types that hold others, also under another name, such as a named tuple: and what they are then read as."""


def _read(value: object) -> tuple[bytes, Iterable[object]]:
    """A value's own bytes, and the values that it holds."""
    kind = type(value)
    if isinstance(value, np.ndarray) and kind is np.ndarray and not value.dtype.hasobject:
        return f"array {value.dtype.str} {value.shape} ".encode() + value.tobytes(), ()
    if isinstance(value, np.ndarray) and kind is np.ndarray and value.dtype == object:
        return f"array of objects {value.shape}".encode(), value.ravel().tolist()
    if isinstance(value, tuple | list) and kind in (tuple, list):
        if all(type(member) in _PLAIN for member in value):
            return f"{kind.__name__} {value!r}".encode("utf-8", "surrogatepass"), ()
        return kind.__name__.encode(), value
    if isinstance(value, dict) and kind is dict:
        return b"dict", (*value, *value.values())
    if isinstance(value, set | frozenset) and kind in (set, frozenset):
        return b"set", value
    if isinstance(value, type | FunctionType | MethodType | BuiltinFunctionType | ModuleType | CodeType):
        return _name(value).encode(), _of_code(value)
    return b"", (kind, *_of_object(value))


# objects


def _of_object(value: object) -> Iterator[object]:
    module = type(value).__module__
    held = [plain(value) for kind, plain in _HOLDING.items() if isinstance(value, kind)]
    yield from held
    if isinstance(value, functools.partial):
        yield value.func, value.args, value.keywords
    elif isinstance(value, Scipy):
        yield from _of_scipy(value)
    elif not is_library(module) or module.startswith("bufsim.") or dataclasses.is_dataclass(value):
        yield _state(value)
    elif hasattr(value, "__wrapped__"):
        yield value.__wrapped__  # such as a function whose values are cached
    elif not held or not _is_standard(module):
        yield _written(value)


def _of_scipy(value: Scipy) -> Iterator[object]:
    frozen = value.frozen
    yield from (type(frozen.dist), frozen.dist.name, frozen.args, frozen.kwds)
    # such as the bins of a histogram
    given = frozen.dist._updated_ctor_param()
    yield from (given.get(name) for name in ("histogram", "density", "values"))


def _state(value: object) -> dict[str, object]:
    """The attributes of an object by name, without what follows from others and is only kept."""
    state = object.__getstate__(value)
    # those in its dict, and, if it has any, those in slots
    parts = [part for part in (state if isinstance(state, tuple) else (state,)) if part]
    named = {name: member for part in parts for name, member in part.items()}
    kind = type(value)
    kept = {name for name in named if isinstance(getattr(kind, name, None), functools.cached_property)}
    return {name: named[name] for name in sorted(named.keys() - kept)}


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def _written(value: object) -> bytes:
    """A library's object as bytes: its repr, if that says which one it is, else as it is pickled."""
    text = repr(value)
    if _is_standard(type(value).__module__):
        if not _ADDRESS.search(text):
            return text.encode("utf-8", "surrogatepass")
    else:
        try:
            return _pickled(value)
        except Exception:  # whatever it raises, it cannot be written
            pass
    raise InvalidValueError(
        f"{text} cannot be told from another of its kind, so that a store would not see a change of it; "
        "use numbers, texts, arrays and dataclasses in its place, or leave store out"
    )


def _pickled(value: object) -> bytes:
    """A value as it is pickled, if possible without telling which of its parts are one object."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=5)
    pickler.fast = True
    try:
        pickler.dump(value)
    except (ValueError, RecursionError):  # it holds itself
        return pickle.dumps(value, protocol=5)
    return file.getvalue()


# functions, classes and modules

_STANDARD = frozenset(sys.stdlib_module_names) - {"__main__"}
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_NOT_CODE = frozenset({"__dict__", "__weakref__", "__annotate__", "__annotate_func__"})


@functools.cache
def is_library(module: str | None) -> bool:
    """Whether a module belongs to bufsim, the standard library or an installed package, known by its version."""
    top = (module or "").partition(".")[0]
    if top == "bufsim" or _is_standard(module):
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    return file is not None and bool(_INSTALLED & set(Path(file).parts))


def _is_standard(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _STANDARD


def _module_of(value: object) -> str:
    return str(getattr(value, "__module__", None) or getattr(value, "__name__", ""))


def _name(value: object) -> str:
    """The name of a function, class, module or code; of an installed package with its version."""
    module = _module_of(value)
    name = getattr(value, "__qualname__", "") or getattr(value, "__name__", "")
    if not is_library(module):
        return f"{type(value).__name__} {name}"
    version = getattr(sys.modules.get(module.partition(".")[0]), "__version__", "")
    return f"{type(value).__name__} {module}.{name} {version}"


def _of_code(value: object) -> Iterator[object]:
    """Yield what a function, class or code does; of a library's nothing, for its version tells that."""
    if isinstance(value, MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, CodeType):
        # all but where it stands
        yield from (value.co_code, value.co_exceptiontable, value.co_consts, value.co_names, value.co_varnames)
        yield from (value.co_freevars, value.co_cellvars, value.co_flags)
        yield from (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
    elif isinstance(value, FunctionType) and not is_library(value.__module__):
        yield from _of_function(value)
    elif isinstance(value, type) and not is_library(value.__module__):
        yield from _of_class(value)


def _of_function(function: FunctionType) -> Iterator[object]:
    """Yield what a function does: its code, and the values that it finds where it was defined."""
    yield from (function.__code__, function.__defaults__, function.__kwdefaults__)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            yield "not yet known"
    codes = list(_codes(function.__code__))
    loads = {step.argval for code in codes for step in dis.get_instructions(code) if step.opname in _GLOBALS}
    names = {name for code in codes for name in code.co_names}
    yield from _found(function.__globals__, loads, names)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _found(space: Mapping[str, object], loads: set[str], names: set[str]) -> Iterator[object]:
    """Yield names with the values that they have in a module, and from its modules what may be taken from those.

    Of ``helpers.rate(x) * LIMIT`` in a module of the user's own, these are ``helpers``, ``LIMIT``, and, since that is
    the user's own too, ``rate`` in ``helpers``.
    """
    for name in sorted(loads & space.keys()):
        value = space[name]
        yield from (name, value)
        if isinstance(value, ModuleType) and not is_library(value.__name__):
            yield from _found(vars(value), names - {name}, names - {name})


def _of_class(kind: type) -> Iterator[object]:
    """Yield what a class does: its bases, and its functions and values."""
    yield from kind.__mro__[1:]
    for name, value in sorted(vars(kind).items()):
        if _is_made(kind, name, value):
            continue
        yield name
        if isinstance(value, property):
            yield from (value.fget, value.fset, value.fdel)
        elif isinstance(value, staticmethod | classmethod):
            yield value.__func__
        else:
            yield value.func if isinstance(value, functools.cached_property) else value


def _is_made(kind: type, name: str, value: object) -> bool:
    """Whether Python has made an attribute of a class out of the others."""
    if isinstance(value, MemberDescriptorType | GetSetDescriptorType) or name in _NOT_CODE or name.startswith("_abc_"):
        return True
    if not (name.startswith("__") and name.endswith("__")):
        return False
    if not isinstance(value, FunctionType):
        return not isinstance(value, staticmethod | classmethod | property)
    # a dataclass's own methods hold sentinels; they follow from the fields, which each value has
    by_dataclass = value.__code__.co_filename == "<string>" or value.__module__ == "dataclasses"
    return dataclasses.is_dataclass(kind) and by_dataclass
