"""What functions and classes of the user's own do, as values that can be compared; of libraries, which it is."""

from __future__ import annotations

import dataclasses
import dis
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType

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
