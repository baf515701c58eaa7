"""Tables of recorded jobs, from a DataFrame or a file, and their columns as numbers and names."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import gzip
import math
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import checks
from bufsim.checks import did_you_mean, one_of
from bufsim.errors import InvalidTypeError, InvalidValueError, MissingExtraError, quoted
from bufsim.files import DAMAGE, reading
from bufsim.model.distributions import FloatArray
from bufsim.model.trace_columns import Place, check_times, first

IntArray = npt.NDArray[np.int64]


# the second number divides: 1/1000 is not a double, and x / 1000 is the double nearest to x ms
# pandas 3 reads floats exactly, and warns when told to; pandas 2 must be told
_OPTIONS: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__.startswith("2.") else {}
# else the first column would name the rows where those have more cells than the header, and all others would move
_OPTIONS |= {"low_memory": False, "index_col": False}

_UNITS = {"s": (1.0, 1.0), "ms": (1.0, 1e3), "us": (1.0, 1e6), "min": (60.0, 1.0), "h": (3600.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Table:
    """A table and how to say where one of its rows is.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    place : callable
        Names a row, counted from 0: "row 5 (line 7 of trace.csv)".
    """

    frame: pd.DataFrame
    place: Place

    def column(self, name: str) -> pd.Series[Any]:
        """Return the one column of that name."""
        columns = [str(each) for each in self.frame.columns]
        if name not in self.frame.columns:
            raise InvalidValueError(
                f"column {name!r} is missing; there are {', '.join(map(repr, columns))}{did_you_mean(name, columns)}"
            )
        column = self.frame[name]
        if not isinstance(column, pd.Series):
            raise InvalidValueError(f"column {name!r} must be there once, got it {column.shape[1]} times; rename one")
        return column

    def reject(self, column: pd.Series[Any], row: int, rule: str) -> NoReturn:
        """Raise the error of one cell."""
        value = column.iloc[[row]].tolist()[0]
        raise InvalidValueError(f"{column.name} in {self.place(row)} {rule}, got {quoted(value)}")


def from_frame(frame: object) -> Table:
    """Return a DataFrame as a table with at least one row."""
    if not isinstance(frame, pd.DataFrame):
        raise InvalidTypeError(f"df must be a pandas DataFrame, got {type(frame).__name__}; for a file use Trace.read")
    return _not_empty(Table(frame, lambda row: f"row {row}"), "df")


def from_file(path: Path) -> Table:
    """Return a CSV or Parquet file as a table with at least one row."""
    kind = path.name.lower()
    with reading(path):
        if kind.endswith((".parquet", ".pq")):
            return _not_empty(Table(_parquet(path), lambda row: f"row {row} of {path.name}"), path.name)
        if kind.endswith((".csv", ".csv.gz")):
            return _not_empty(Table(_csv(path), lambda row: f"row {row} ({_line(path, row)}{path.name})"), path.name)
    raise InvalidValueError(f"path must end in .csv, .csv.gz, .parquet or .pq, got {quoted(path.name)}")


def seconds(table: Table, name: str, unit: str, origin: Any) -> FloatArray:
    """Return a column of times as checked seconds from the origin."""
    one_of("unit", unit, _UNITS)
    column = table.column(name)
    if column.dtype == object or pd.api.types.is_string_dtype(column):
        column = _parsed(table, column)
    kind = column.dtype.kind
    if kind == "M" or isinstance(column.dtype, pd.DatetimeTZDtype):
        times = _since(name, column, unit, origin)
    elif pd.api.types.is_numeric_dtype(column) and not _has_truth_values(column) and kind != "c":
        times = _numbers(table, name, column, unit, origin)
    else:
        raise InvalidTypeError(f"column {name!r} must hold numbers or datetimes, got {column.dtype}")
    check_times(times, lambda row: f"{name} in {table.place(row)}", lambda row: column.iloc[row])
    return times


def whole_numbers(table: Table, name: str) -> npt.NDArray[np.int64]:
    """Return a column of sizes as checked int64."""
    column = table.column(name)
    values = _as_numbers(column)
    row = first(~((values >= 0.0) & (values == np.floor(values))))
    if row is not None:
        table.reject(column, row, "must be a whole number >= 0")
    row = first(values > checks.LARGEST)
    if row is not None:
        table.reject(column, row, f"must be <= {checks.LARGEST:,}")
    return values.astype(np.int64)


def durations(table: Table, name: str, unit: str) -> FloatArray:
    """A column of durations as checked seconds."""
    column = table.column(name)
    values = _as_numbers(column)
    row = first(~((values >= 0.0) & np.isfinite(values)))
    if row is not None:
        table.reject(column, row, "must be a number >= 0")
    factor, divisor = _UNITS[unit]
    return values * factor / divisor


def names(table: Table, name: str) -> list[str]:
    """Return a column of queue names."""
    column = table.column(name)
    values = column.tolist()
    for row, value in enumerate(values):
        if not isinstance(value, str) or not value:
            table.reject(column, row, "must be a queue's name")
    return values


def _not_empty(table: Table, name: str) -> Table:
    if table.frame.empty:
        raise InvalidValueError(f"{name} must have at least one row, got none")
    return table


def _csv(path: Path) -> pd.DataFrame:
    try:
        header = _header(path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # only an empty cell is missing: a key may well be called "NA"
            frame: pd.DataFrame = pd.read_csv(path, keep_default_na=False, na_values=[""], **_OPTIONS)
    except pd.errors.EmptyDataError:
        raise InvalidValueError(f"{path.name} must have a header and at least one row, got an empty file") from None
    except pd.errors.ParserWarning:
        raise InvalidValueError(
            f"{path.name} must have a name for each column, got rows of more cells than the header"
        ) from None
    except (pd.errors.ParserError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidValueError(f"{path.name} must be a CSV file in UTF-8: {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidValueError(f"{path.name} must be a whole gzip file: {error}; unpack or copy it anew") from None
    if len(header) == len(frame.columns):
        # pandas gives the second of two columns of one name another
        frame.columns = pd.Index(header)
    return frame


def _header(path: Path) -> list[str]:
    """The names of the columns as they stand in a CSV file."""
    with _opened(path) as file:
        return next(filter(None, csv.reader(file)), [])


def _opened(path: Path) -> TextIO:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    # with the mark of byte order that some programs write
    return cast("TextIO", opened(path, "rt", encoding="utf-8-sig", newline=""))


def _parquet(path: Path) -> pd.DataFrame:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError("Parquet files need pyarrow: pip install 'bufsim[parquet]'") from None
    try:
        # of this file alone: what pandas calls would read names of folders as columns, and refuses doubled ones
        with parquet.ParquetFile(path) as file:
            frame: pd.DataFrame = file.read().to_pandas()
        return frame
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except (ArrowException, OSError, *DAMAGE) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InvalidValueError(f"{path.name} must be a whole Parquet file: {reason}; copy it anew") from None


def _line(path: Path, row: int) -> str:
    """Return the line on which a data row starts; quoted line breaks and blank lines count."""
    start, data_row = 1, -1
    with _opened(path) as file, contextlib.suppress(csv.Error):
        reader = csv.reader(file)
        for record in reader:
            # pandas skips blank lines; the first record is the header
            data_row += bool(record)
            if data_row == row + 1:
                return f"line {start} of "
            start = reader.line_num + 1
    # a cell that csv does not read, since it is too long
    return ""


def _has_truth_values(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_bool_dtype(column)


def _as_numbers(column: pd.Series[Any]) -> FloatArray:
    """The cells of a column as floats, nan for what is none: a truth value is no number."""
    return _numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)


def _numeric(column: pd.Series[Any]) -> pd.Series[Any]:
    if _has_truth_values(column):
        return pd.Series(np.full(len(column), np.nan))
    if column.dtype == object:
        column = _only(column, _may_be_a_number)
    try:
        return pd.to_numeric(column, errors="coerce")
    except OverflowError:
        # whole numbers of more digits than a float has
        return column.map(_float).astype(np.float64)


def _only(column: pd.Series[Any], keep: Callable[[object], bool]) -> pd.Series[Any]:
    """A column of objects without those that are not to be kept; its cells stay what they are."""
    kept = np.empty(len(column), dtype=object)
    kept[:] = [cell if keep(cell) else None for cell in column.tolist()]
    return pd.Series(kept, index=column.index, name=column.name)


def _may_be_a_number(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.isascii()
    return bool(pd.api.types.is_scalar(cell)) and not isinstance(cell, bool | np.bool_ | complex | np.complexfloating)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        return math.nan


def _parsed(table: Table, column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of text as numbers or, if its first value is no number, as datetimes."""
    numbers = _numeric(column)
    dated = bool(pd.isna(numbers.iloc[0])) and _is_dated(column.iloc[0])
    values = _dated(column) if dated else numbers
    row = first((values.isna() & column.notna()).to_numpy())
    if row is not None:
        rule = (
            "must be a number, or an ISO 8601 datetime"
            if row == 0
            else f"must be a {'datetime' if dated else 'number'}"
        )
        table.reject(column, row, rule)
    return values


def _dated(column: pd.Series[Any]) -> pd.Series[Any]:
    """Datetimes of a column of text, missing for what is none: pandas would take "now" for the time of the reading."""
    written = _only(column, _is_dated)
    try:
        return pd.to_datetime(written, errors="coerce", format="ISO8601", utc=True)
    except (TypeError, ValueError, OverflowError):
        return pd.Series(pd.NaT, index=column.index)


def _is_dated(cell: object) -> bool:
    return (
        cell.isascii() and cell.strip()[:4].isdecimal()
        if isinstance(cell, str)
        else isinstance(cell, dt.date | np.datetime64)
    )


def _numbers(table: Table, name: str, column: pd.Series[Any], unit: str, origin: Any) -> FloatArray:
    """Return numbers as seconds; the origin is in the column's unit."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan) if column.hasnans else column.to_numpy()
    if isinstance(origin, str) and origin == "first":
        origin = values[0]
    if origin is not None:
        if isinstance(origin, bool) or not isinstance(origin, int | float | np.number):
            raise InvalidTypeError(
                f"origin must be a number in {unit}, as column {name!r} is, or 'first', got {quoted(origin)}"
            )
        if abs(checks.finite("origin", origin)) > 2.0**62:
            # as a whole number it may not fit
            origin = float(origin)
        values = values - origin
    factor, divisor = _UNITS[unit]
    return values.astype(np.float64) * factor / divisor


def _since(name: str, column: pd.Series[Any], unit: str, origin: Any) -> FloatArray:
    """Return datetimes as seconds since the origin, by default the first of them."""
    if unit != "s":
        raise InvalidValueError(
            f"unit is for numbers, and column {name!r} holds datetimes, got {quoted(unit)}; leave it out"
        )
    try:
        if isinstance(origin, str) and origin != "first" and not origin.strip()[:1].isdecimal():
            raise ValueError("it names no date")
        start = (
            column.iloc[0]
            if origin is None or (isinstance(origin, str) and origin == "first")
            else pd.Timestamp(origin)
        )
        passed = (column - start).to_numpy(dtype="timedelta64[ns]")
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidTypeError(
            f"origin must be a datetime as column {name!r} is, got {quoted(origin)}: {error}"
        ) from None
    return passed / np.timedelta64(1, "s")
