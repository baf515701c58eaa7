"""Results in files: a zip archive of Parquet tables and a JSON description, in which frozen values are plain data."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, MissingExtraError, quoted
from bufsim.files import DAMAGE, reading, replacing
from bufsim.results.contents import TABLES_OF, Kept, RecordLevel
from bufsim.results.records import SCHEMAS, TableName
from bufsim.results.tallies import Tally

Array = npt.NDArray[Any]


def plain(value: object, *, array: Callable[[Array], object] = np.ndarray.tolist) -> Any:
    """Return a dataclass of numbers, texts, tuples, dicts, arrays and such dataclasses as plain data.

    Parameters
    ----------
    array : callable
        What stands for an array; by default the list of its members.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name), array=array) for name in _names(type(value))}
    if isinstance(value, np.ndarray):
        return array(value)
    if isinstance(value, dict):
        return {key: plain(inner, array=array) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _listed(data: Any) -> Array:
    if not isinstance(data, list) or any(type(number) not in (int, float) for number in data):
        raise TypeError(f"{quoted(data)} is no list of numbers")
    return np.array(data, dtype=np.float64 if any(isinstance(number, float) for number in data) else np.int64)


def built(kind: Any, data: Any, *, array: Callable[[Any], Array] = _listed) -> Any:
    """Return the value of a kind that `plain` has made into `data`.

    Parameters
    ----------
    array : callable
        From what stands for an array to the array.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the data is not of this kind.
    """
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: built(hints[name], data[name], array=array) for name in _names(kind)})
    if get_origin(kind) is dict:
        _check_kind(dict, data)
        return {key: built(get_args(kind)[1], inner, array=array) for key, inner in data.items()}
    if get_origin(kind) is tuple:
        _check_kind(list, data)
        return tuple(built(get_args(kind)[0], inner, array=array) for inner in data)
    if kind in (int, float, str):
        _check_kind(kind, data)
        return kind(data)
    return array(data)


def _check_kind(kind: Any, data: object) -> None:
    """Raise unless data is of a kind; a whole number is a float too, and a truth value is no number."""
    if not isinstance(data, int | float if kind is float else kind) or isinstance(data, bool):
        raise TypeError(f"{quoted(data)} is no {kind.__name__}")


@functools.cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


FORMAT = 6
_DESCRIPTION = "result.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """The contents of a file: a description of the run, as plain data, and what came out of it."""

    about: Mapping[str, Any]
    contents: Kept


def write(path: Path, stored: Stored) -> None:
    """Write a file under a temporary name, then rename it: no half-written file ever has the name.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    InvalidTypeError
        If a job's key can not be written as text and read again.
    """
    parquet = _pyarrow("parquet")
    recorded = stored.contents.recorded
    tables = {name: stored.contents.table(name) for name in TABLES_OF[recorded]}
    categories = {name: _categories(table) for name, table in tables.items()}
    about = {"format": FORMAT, **stored.about, "recorded": recorded, "categories": categories}
    about["tally"] = plain(stored.contents.tally)
    about["tables"] = {}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        # a fixed date: the same result makes the same bytes
        for name, table in tables.items():
            with archive.open(zipfile.ZipInfo(f"{name}.parquet", _EPOCH), "w", force_zip64=True) as file:
                digesting = _Digesting(file)
                parquet.write_table(_to_arrow(name, table), digesting)
            about["tables"][name] = digesting.digest.hexdigest()
        about["digest"] = digest_of(about)
        with archive.open(zipfile.ZipInfo(_DESCRIPTION, _EPOCH), "w") as file:
            file.write(json.dumps(about, indent=1, allow_nan=False).encode())


class _Digesting(io.RawIOBase):
    """A file that is written, and the digest of what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.digest = hashlib.blake2b(digest_size=16)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)


def digest_of(about: Mapping[str, Any]) -> str:
    """The digest of a description, by which one that was changed since it was saved is told."""
    text = json.dumps({name: value for name, value in about.items() if name != "digest"}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def read(path: Path) -> Stored:
    """Read a file.

    Raises
    ------
    InvalidValueError
        If it cannot be read, is no result, has been changed since it was saved, or is of another format.
    MissingExtraError
        If pyarrow is not installed.
    """
    _pyarrow("parquet")
    with reading(path), path.open("rb") as file:
        if not path.is_file():
            raise InvalidValueError(f"{path} is no result that bufsim has saved: it is no regular file")
        try:
            with zipfile.ZipFile(file) as archive:
                about = json.loads(_part(archive, _DESCRIPTION))
                number = about["format"]
                if number == FORMAT:
                    return _stored(archive, about)
        except (BufsimError, _pyarrow().ArrowException, *DAMAGE) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise InvalidValueError(
                f"{path} is no result that bufsim has saved: {reason}; copy it anew, or run it again"
            ) from None
    way_out = "run it again" if number in range(FORMAT) else "update bufsim"
    raise InvalidValueError(f"{path} has format {quoted(number)}, this bufsim reads {FORMAT}; {way_out}")


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a part of the file, which are not compressed: few bytes cannot become many."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its part {name} is compressed")
    return archive.read(name)


_KINDS: Mapping[str, Any] = {
    "simulation": str,
    "seed": int,
    "replication": int,
    "engine": str,
    "versions": dict[str, str],
    "warnings": tuple[str, ...],
}


def _stored(archive: zipfile.ZipFile, about: dict[str, Any]) -> Stored:
    if about.pop("digest") != digest_of(about):
        raise ValueError("it has been changed since it was saved")
    recorded = cast("RecordLevel", about["recorded"])
    tables = {name: _table(archive, name, about) for name in TABLES_OF[recorded]}
    described = {name: built(kind, about[name]) for name, kind in _KINDS.items()}
    return Stored(described, Kept(recorded, tables, built(Tally, about["tally"])))


def _table(archive: zipfile.ZipFile, name: TableName, about: Mapping[str, Any]) -> pd.DataFrame:
    data = _part(archive, f"{name}.parquet")
    if hashlib.blake2b(data, digest_size=16).hexdigest() != about["tables"][name]:
        raise ValueError(f"the table {name} has been changed since it was saved")
    # of these bytes alone: nothing else can be named in a table
    arrow = _pyarrow("parquet").ParquetFile(_pyarrow().BufferReader(data)).read()
    return _from_arrow(name, arrow, about["categories"][name])


def _to_arrow(name: TableName, table: pd.DataFrame) -> Any:
    arrow = _pyarrow()
    arrays, fields = [], []
    for column in SCHEMAS[name]:
        array = _column_to_arrow(table[column.name])
        arrays.append(array)
        fields.append(arrow.field(column.name, array.type, metadata={"unit": column.unit, "meaning": column.meaning}))
    return arrow.Table.from_arrays(arrays, schema=arrow.schema(fields))


def _column_to_arrow(column: pd.Series[Any]) -> Any:
    arrow = _pyarrow()
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = np.ascontiguousarray(column.cat.codes.to_numpy())
        names = arrow.array(_written(column.cat.categories)["values"])
        return arrow.DictionaryArray.from_arrays(arrow.array(codes, mask=codes < 0), names)
    if column.dtype == "Int64":
        values = _whole(column)
        return arrow.array(values, mask=values < 0)
    return arrow.array(np.ascontiguousarray(column.to_numpy()))


def _from_arrow(name: TableName, table: Any, categories: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    columns: dict[str, object] = {}
    for column in SCHEMAS[name]:
        array = table[column.name].combine_chunks()
        if column.dtype == "category":
            columns[column.name] = _categorical(array, categories[column.name])
        elif column.dtype == "Int64":
            values = array.fill_null(-1).to_numpy()
            columns[column.name] = pd.arrays.IntegerArray(values, values < 0)
        else:
            columns[column.name] = array.to_numpy()
    return pd.DataFrame(columns, copy=False)


def _categories(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the categories of each such column: Parquet keeps neither their order nor those that do not occur."""
    return {
        str(name): _written(column.cat.categories)
        for name, column in table.items()
        if isinstance(column.dtype, pd.CategoricalDtype)
    }


def _written(names: pd.Index[Any]) -> dict[str, Any]:
    """Return categories as plain data: texts and whole numbers as they are, others as text that evaluates to them."""
    values = names.tolist()
    if all(type(value) is str for value in values) or all(type(value) is int for value in values):
        return {"as": "values", "values": values}
    for value in values:
        if not _is_literal(value):
            raise InvalidTypeError(f"a key must be a text, a number or a tuple of them to be saved, got {value!r}")
    return {"as": "literals", "values": [repr(value) for value in values]}


def _is_literal(value: object) -> bool:
    try:
        again = ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        return False
    return type(again) is type(value) and again == value


def _categorical(array: Any, written: Mapping[str, Any]) -> pd.Categorical[Any]:
    arrow = _pyarrow()
    values = written["values"]
    if not arrow.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    # the positions of the file's own dictionary among the categories; the last place is for what is missing
    places = np.append(pd.Index(values).get_indexer(array.dictionary.to_pylist()), -1)
    codes = places[array.indices.fill_null(-1).to_numpy()]
    names = values if written["as"] == "values" else [ast.literal_eval(value) for value in values]
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(names))


def _whole(column: pd.Series[Any]) -> npt.NDArray[np.int64]:
    return column.to_numpy(dtype=np.int64, na_value=-1)


def _pyarrow(part: str = "") -> Any:
    import importlib

    try:
        return importlib.import_module(f"pyarrow.{part}" if part else "pyarrow")
    except ImportError:
        raise MissingExtraError(
            "results are saved as Parquet, which needs pyarrow; install it with pip install 'bufsim[parquet]'"
        ) from None
