"""What a command leaves behind: a folder of files, and summaries as text."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from bufsim.errors import InvalidValueError, MissingExtraError, shortened
from bufsim.files import replacing, without_formulas
from bufsim.results import metrics, shown
from bufsim.results.records import SCHEMAS
from bufsim.results.result import Result

_SUFFIXES = ("parquet", "csv")
FORMATS = ("auto", *_SUFFIXES)
_OF_COMMANDS = ("summary", "intervals")
"""The tables by which a folder is known as one that `bufsim run` or `bufsim compare` has written into."""
_TABLES = ("summary", "run", "backtest", "intervals", "differences", "replications")
_PICTURES = ("buffer_size", "batch_sizes", "waits", "loss_at_stop", "queue", "differences", "pareto")


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
        for folder in (path, *path.parents):
            if folder.exists() and not folder.is_dir():
                raise InvalidValueError(f"--out must be a directory, got the file {str(folder)!r}")
        self.path = path
        self.suffix = ("parquet" if has_pyarrow else "csv") if table_format == "auto" else table_format
        self.written: list[Path] = []
        self._has_earlier = any((path / f"{table}.{end}").exists() for table in _OF_COMMANDS for end in _SUFFIXES)

    def write(self, name: str, write: Callable[[Path], object]) -> None:
        """Let `write` make the file of a name."""
        final = self.path / name
        with replacing(final) as temporary:
            write(temporary)
        self.written.append(final)

    def table(self, name: str, table: pd.DataFrame, *, index: bool = False) -> None:
        """Write one table, in place of that of an earlier run in any format."""
        if self.suffix == "parquet":
            self.write(f"{name}.parquet", lambda path: _uniform(table).to_parquet(path, index=index))
        else:
            self.write(f"{name}.csv", lambda path: without_formulas(table).to_csv(path, index=index))
        self._clear(name, [suffix for suffix in _SUFFIXES if suffix != self.suffix])

    def result(self, name: str, result: Result) -> None:
        """Write a result's tables into a directory of its own."""
        for table in SCHEMAS:
            self.table(f"{name}/{table}", getattr(result, table))

    def clear_earlier(self) -> None:
        """Remove what an earlier command has written, and this one has not: its tables, and its pictures.

        Pictures of a folder without the tables of an earlier command are left as they are.
        """
        for name in _TABLES:
            for table in (name, *(f"{name}/{table}" for table in SCHEMAS)):
                self._clear(table, _SUFFIXES)
        for name in _PICTURES if self._has_earlier else ():
            for picture in (self.path / f"{name}.png", *self.path.glob(f"{name}-*.png")):
                if picture not in self.written:
                    picture.unlink(missing_ok=True)

    def _clear(self, name: str, suffixes: Iterable[str]) -> None:
        for path in (self.path / f"{name}.{suffix}" for suffix in suffixes):
            if path not in self.written:
                path.unlink(missing_ok=True)

    def summary(self) -> str:
        """The files that have been written, in words."""
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


def table(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return the summary's metrics, a row each, and the runs, a column each; of all buffers and queues together."""
    names = [name for line in shown.SHOWN_OF_RUN for name in line.metrics]
    frame = pd.DataFrame({label: [result.metric(name) for name in names] for label, result in results.items()}, names)
    return frame.rename_axis(index="metric")


def text(summary: pd.DataFrame) -> str:
    """Return the summary for people: one line a row, numbers in three digits; without workers nothing on the queue."""
    served = bool(summary.loc["utilisation"].notna().any())
    values = summary.to_dict(orient="index")
    lines = [["", *map(str, summary.columns)]]
    for line in shown.SHOWN_OF_RUN:
        if served or not line.served:
            cells = [[metrics.find(name).written(value) for value in values[name].values()] for name in line.metrics]
            lines.append([line.label, *(" / ".join(cell) for cell in zip(*cells, strict=True))])
    return columns(lines)


_WIDEST = 120
"""So many letters has a cell at most: names may be of any length."""


def columns(lines: list[list[str]]) -> str:
    """Return lines of cells in columns, the first to the left.

    Examples
    --------
    >>> print(columns([["", "a"], ["flushes", "41"]]))
              a
    flushes  41
    """
    cells = [[shortened(cell, _WIDEST) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = []
    for first, *others in cells:
        row = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        rows.append("  ".join(row).rstrip())
    return "\n".join(rows)
