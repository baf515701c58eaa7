"""Files that appear whole or not at all, and take the place of nothing but an earlier file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bufsim.errors import InvalidTypeError, InvalidValueError, quoted

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 80
DAMAGE = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    EOFError,
    SyntaxError,
    zlib.error,
    struct.error,
    zipfile.BadZipFile,
)
"""The errors in which damage shows: each comes from bytes that nobody has written so."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, whose file gets the name of `path` at the end: no half-written file ever has it.

    Folders on the way are made. What is behind a symbolic link is replaced, not the link.

    Raises
    ------
    InvalidValueError
        If the name is that of a folder, a device or anything else but a file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a" / "b.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     (Path(folder) / "a" / "b.txt").read_text()
    'whole'
    """
    check_replaceable(path)
    final = Path(os.path.realpath(path))
    final.parent.mkdir(parents=True, exist_ok=True)
    # so short that any name that a file may have leaves room for it
    temporary = final.with_name(f".{uuid4().hex}{final.suffix[:8]}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def check_name(path: Path) -> None:
    """Raise unless a file can have this name on this system."""
    if "\0" in str(path):
        raise InvalidValueError(f"a file's name must not hold the character 0, got {quoted(str(path))}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise InvalidValueError(
            f"{quoted(str(path))} can be no file's name where names are {sys.getfilesystemencoding()}; "
            "set PYTHONUTF8=1, or give another"
        ) from None


def check_replaceable(path: Path) -> None:
    """Raise unless a file may be written there: there is none yet, or a regular one."""
    check_name(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidValueError(f"{quoted(str(path))} is no place for a file: {error.strerror}; give another") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise InvalidValueError(f"{quoted(str(path))} is {kind}, which is not replaced; give the name of a file")


def as_path(path: object) -> Path:
    """The path that a file's name gives.

    Examples
    --------
    >>> as_path("jobs.csv").suffix
    '.csv'
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(f"path must be the name of a file such as 'jobs.csv', got {quoted(path)}")
    return Path(path)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Context in which a file is read: that there is none, or that it cannot be read, is one sentence.

    Examples
    --------
    >>> with reading(Path("nowhere.csv")):
    ...     Path("nowhere.csv").read_text()
    Traceback (most recent call last):
    bufsim.errors.InvalidValueError: the file 'nowhere.csv' cannot be read: No such file or directory; give another
    """
    check_name(path)
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidValueError(f"the file {quoted(str(path))} cannot be read: {reason}; give another") from None


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def file_name(text: str) -> str:
    """A text as a part of a file's name: letters, digits, dots and dashes; what is changed has a digest at its end.

    Examples
    --------
    >>> file_name("search-plugin"), file_name("a/b")
    ('search-plugin', 'a_b-82badf67')
    """
    name = re.sub(r"[^\w.-]", "_", text)[:_LONGEST].lstrip(".")
    if name == text:
        return name
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts that a spreadsheet would run as formulas behind an apostrophe, as spreadsheets write them.

    Examples
    --------
    >>> import pandas as pd
    >>> list(without_formulas(pd.DataFrame({"buffer": ["=1+1", "a-b"]}))["buffer"])
    ["'=1+1", 'a-b']
    """
    import pandas as pd

    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name].dtype)]
    changed = {name: table[name].astype(object).map(_no_formula) for name in texts if _has_formula(table[name])}
    return table.assign(**changed) if changed else table


def _has_formula(column: pd.Series[Any]) -> bool:
    import pandas as pd

    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna().unique()
    return any(_no_formula(value) is not value for value in values)


def _no_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
