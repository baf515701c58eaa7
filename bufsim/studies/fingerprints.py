"""What identifies a simulation: the same text for the same model, another for any change."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Iterator

import numpy as np

from bufsim.errors import InvalidValueError


def fingerprint(value: object) -> str:
    """Return a digest of a declared value and all that it holds.

    Two simulations have the same fingerprint only if they are the same model: arrays count with all their numbers, and
    classes and functions of the user's own with their source.

    Raises
    ------
    InvalidValueError
        If a part has no source to read, so that a change of it could not be seen.

    Examples
    --------
    >>> from bufsim import FlushEvery
    >>> fingerprint(FlushEvery(5.0)) == fingerprint(FlushEvery("5s"))
    True
    >>> fingerprint(FlushEvery(5.0)) == fingerprint(FlushEvery(5.1))
    False
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(value):
        digest.update(str(len(part)).encode() + b":" + part)
    return digest.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        yield f"{type(value).__name__} {value!r}".encode()
    elif isinstance(value, np.ndarray):
        yield f"array {value.dtype.str} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes() if value.dtype != object else repr(value.tolist()).encode()
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} {len(value)}".encode()
        for member in value:
            yield from _parts(member)
    elif isinstance(value, dict):
        yield f"dict {len(value)}".encode()
        for key, member in value.items():
            yield from _parts(key)
            yield from _parts(member)
    else:
        yield from _of_object(value)


def _of_object(value: object) -> Iterator[bytes]:
    if isinstance(value, type) or inspect.isroutine(value):
        yield from _of_code(value)
        return
    yield from _of_code(type(value))
    if isinstance(value, functools.partial):
        state: object = (value.func, value.args, value.keywords)
    elif dataclasses.is_dataclass(value):
        state = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    else:
        state = getattr(value, "__dict__", None) or repr(value)
    yield from _parts(state)


def _of_code(code: object) -> Iterator[bytes]:
    """Yield the name of a class or a function, and what it does where that can change: in the user's own code."""
    module = getattr(code, "__module__", "") or ""
    yield f"{module}.{getattr(code, '__qualname__', code)}".encode()
    bound = getattr(code, "__self__", None)
    if bound is not None and not inspect.ismodule(bound):
        yield from _parts(bound)
    # what a function has taken along from where it was defined
    yield from _parts(getattr(code, "__defaults__", None))
    yield from _parts([cell.cell_contents for cell in getattr(code, "__closure__", None) or ()])
    # the store knows bufsim's version, and the standard library's and numpy's values mean what they say
    if module.split(".")[0] in {"bufsim", "builtins", "datetime", "zoneinfo", "numpy", "scipy"}:
        return
    try:
        yield inspect.getsource(code).encode()  # type: ignore[arg-type]  # a class or a function
    except (OSError, TypeError):
        raise InvalidValueError(
            f"{code!r} has no source to read, so that a change of it could not be seen; define it in a file or a notebook"
        ) from None
