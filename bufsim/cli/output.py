"""What a command leaves behind: tables and pictures in a directory, each whole or not at all."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bufsim.errors import InvalidValueError, MissingExtraError
from bufsim.results.result import Result
from bufsim.results.schemas import SCHEMAS

FORMATS = ("auto", "parquet", "csv")


class Folder:
    """A directory that files are written into: under a temporary name first, then renamed.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    table_format : {"auto", "parquet", "csv"}
        How tables are written; "auto" is Parquet if pyarrow is installed, else CSV.

    Attributes
    ----------
    written : list of Path
        The files, in order.
    """

    def __init__(self, path: Path, table_format: str) -> None:
        has_pyarrow = importlib.util.find_spec("pyarrow") is not None
        if table_format == "parquet" and not has_pyarrow:
            raise MissingExtraError(
                "--format parquet needs pyarrow: pip install 'bufsim[parquet]', or take --format csv"
            )
        if path.exists() and not path.is_dir():
            raise InvalidValueError(f"--out must be a directory, got the file {str(path)!r}")
        self.path = path
        self.suffix = ("parquet" if has_pyarrow else "csv") if table_format == "auto" else table_format
        self.written: list[Path] = []

    def write(self, name: str, write: Callable[[Path], object]) -> None:
        """Let `write` make the file of a name."""
        final = self.path / name
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{os.getpid()}-{final.name}")
        try:
            write(temporary)
            temporary.replace(final)
        finally:
            temporary.unlink(missing_ok=True)
        self.written.append(final)

    def table(self, name: str, table: pd.DataFrame, *, index: bool = False) -> None:
        """Write one table."""
        if self.suffix == "parquet":
            self.write(f"{name}.parquet", lambda path: _uniform(table).to_parquet(path, index=index))
        else:
            self.write(f"{name}.csv", lambda path: table.to_csv(path, index=index))

    def result(self, name: str, result: Result) -> None:
        """Write a result's tables into a directory of its own."""
        for table in SCHEMAS:
            self.table(f"{name}/{table}", getattr(result, table))

    def told(self) -> str:
        """Return in words what has been written."""
        pictures = sum(path.suffix == ".png" for path in self.written)
        tables = f"{len(self.written) - pictures} tables ({self.suffix})"
        return f"in {self.path}: {tables}{f', {pictures} pictures (png)' if pictures else ''}"


def _uniform(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with keys of several types as Python writes them: a Parquet column has one type."""
    for name, column in table.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            categories = column.cat.categories
            if len(set(map(type, categories))) > 1 or isinstance(categories, pd.MultiIndex):
                table = table.assign(**{str(name): column.cat.rename_categories([repr(key) for key in categories])})
    return table
