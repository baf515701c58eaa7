"""What identifies a simulation: the same text for the same model, another for any change."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import pickle
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np

from bufsim.errors import InvalidValueError
from bufsim.model.distribution import Scipy
from bufsim.studies import codes

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
        elif not codes.is_library(type(value).__module__) or dataclasses.is_dataclass(value):
            state = _state(value)
            yield from map(self.digest, state)
            yield from map(self.digest, state.values())
        elif hasattr(value, "__wrapped__"):
            yield self.digest(value.__wrapped__)  # such as a function whose values are cached
        elif not held or not codes.is_standard(type(value).__module__):
            yield _written(value)

    def _of_scipy(self, value: Scipy) -> Iterator[bytes]:
        frozen = value.frozen
        yield from map(self.digest, (type(frozen.dist), frozen.dist.name, frozen.args, frozen.kwds))
        # such as the bins of a histogram
        given = frozen.dist._updated_ctor_param()
        yield from (self.digest(given.get(name)) for name in ("histogram", "density", "values"))

    def _of_code(self, value: object) -> Iterator[bytes]:
        yield codes.name_of(value).encode()
        if isinstance(value, MethodType):
            yield self.digest(value.__self__)
            yield self.digest(value.__func__)
        elif isinstance(value, CodeType):
            yield from map(self.digest, codes.of_code(value))
        elif isinstance(value, FunctionType) and not codes.is_library(value.__module__):
            yield from map(self.digest, codes.of_function(value))
        elif isinstance(value, type) and not codes.is_library(value.__module__):
            yield from map(self.digest, codes.of_class(value))


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
    if codes.is_standard(type(value).__module__):
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
