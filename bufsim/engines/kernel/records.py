"""Arrays of records whose fields are declared by classes: what NumPy and the type checker know is written once.

Nothing here is compiled, and the kernel's functions may not call it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt


class Record:
    """A record of an array: a field is an attribute in the kernel, and stands in brackets elsewhere.

    The annotations of a subclass declare the fields, for NumPy and for the type checker. A field may not be called as
    an attribute of NumPy's own, such as nbytes: uncompiled, it would hide the field.
    """

    if TYPE_CHECKING:

        def __getitem__(self, field: str) -> Any: ...
        def __setitem__(self, field: str, value: object) -> None: ...


R = TypeVar("R", bound=Record)

if TYPE_CHECKING:

    class Records(npt.NDArray[np.void], Generic[R]):
        """An array of records."""

        @overload  # type: ignore[override]
        def __getitem__(self, key: int | tuple[int, int]) -> R: ...
        @overload
        def __getitem__(self, key: str) -> npt.NDArray[Any]: ...
        @overload
        def __getitem__(self, key: slice | npt.NDArray[Any]) -> Records[R]: ...
        def __getitem__(self, key: object) -> object: ...

else:
    Records = np.ndarray  # it stands in annotations only

_CODES = {"bool": "?", "int": "i8", "Count": "i8", "Largest": "i8", "float": "f8", "Seconds": "f8", "Longest": "f8"}


def records(kind: type[R], n: int | tuple[int, int]) -> Records[R]:
    """Return so many records whose fields are 0."""
    return cast("Records[R]", np.zeros(n, dtype_of(kind)))


_DTYPES: dict[type, np.dtype[np.void]] = {}


def dtype_of(kind: type[Record]) -> np.dtype[np.void]:
    """Return the dtype of a kind of records: the fields of its bases come first."""
    if kind not in _DTYPES:
        declared = [inspect.get_annotations(base) for base in reversed(kind.__mro__) if base is not object]
        fields = [(name, _CODES[word]) for some in declared for name, word in some.items()]
        _DTYPES[kind] = np.dtype(fields, align=True)
    return _DTYPES[kind]
