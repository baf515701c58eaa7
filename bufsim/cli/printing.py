"""Commands of the command line: their words and options, where they print, and the files that they write."""

from __future__ import annotations

import argparse
import codecs
import contextlib
import importlib.util
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import pandas as pd

from bufsim.errors import LONGEST, InvalidValueError, MissingExtraError, harmless, quoted, shortened
from bufsim.files import replacing, without_formulas
from bufsim.results import metrics, shown
from bufsim.results.records import SCHEMAS
from bufsim.results.result import Result

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction["Parser"]

DONE, NOTHING_QUALIFIES, WRONG_INPUT, OWN_FAULT, INTERRUPTED = 0, 1, 2, 3, 130


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line, without all that would be right."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and end."""
        self.exit(WRONG_INPUT, shortened(f"bufsim: error: {message}", LONGEST) + f"; see {self.prog} --help\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            write(file or sys.stderr, message.removesuffix("\n"))


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the command line.

    Parameters
    ----------
    name : str
        The word behind ``bufsim``.
    summary : str
        What it does, in one line.
    description : str
        What its --help says first.
    examples : str
        What its --help says last.
    add_options : callable
        Adds the command's own options to its parser.
    run : callable
        Takes the options, and returns the exit code.
    without_seed : str
        What it does without a root seed; empty: it takes none.
    """

    name: str
    summary: str
    description: str
    examples: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    without_seed: str = "one is drawn and told"

    def add_to(self, commands: Subparsers) -> None:
        """Add the command, with its own options and those that every command has."""
        parser = commands.add_parser(
            self.name,
            help=self.summary,
            description=self.description,
            epilog=self.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_options(parser)
        common = parser.add_argument_group("every command")
        if self.without_seed:
            meaning = f"root seed, 0 or more; without it, {self.without_seed}"
            common.add_argument("--seed", type=_seed, metavar="N", help=meaning)
        common.add_argument("--json", action="store_true", help="print one JSON object in place of tables")
        common.add_argument("--quiet", action="store_true", help="print nothing but errors")
        common.add_argument("--debug", action="store_true", help="show where in bufsim an error comes from")
        parser.set_defaults(command=self)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, got {quoted(text)}")
    return int(text)


@dataclass(frozen=True, slots=True)
class Console:
    """The place where a command prints: text for people, or one JSON object for programs, or nothing.

    Parameters
    ----------
    as_json : bool
        Whether programs read it.
    quiet : bool
        Whether nothing is printed.
    """

    as_json: bool
    quiet: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> Console:
        """Return the console that the options ask for."""
        return cls(options.json, options.quiet)

    def say(self, text: str = "") -> None:
        """Print text for people."""
        if not (self.quiet or self.as_json):
            write(sys.stdout, text)

    def give(self, answer: Mapping[str, Any]) -> None:
        """Print the whole answer for programs."""
        if self.as_json and not self.quiet:
            # JSON has escapes of its own: no name can be anything but text in it
            write(sys.stdout, json.dumps(_plain(answer), indent=2, allow_nan=False))


_SPELLED = {
    **dict(zip("\u2264\u2265\u2212\u00d7\u00f7\u00b7", ("<=", ">=", "-", "x", "/", "."), strict=True)),
    **dict.fromkeys("\u2013\u2014", "-"),
    **dict.fromkeys("\u00b5\u03bc", "u"),
    "\u2026": "...",
    "\u2192": "->",
    "\u25b8": ">",
    "\u2502": "|",
    "\u00b1": "+-",
}
"""What stands in place of a sign where the output's encoding has none."""


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding does not have: signs of mathematics in ASCII, other letters by their number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_SPELLED.get(letter, ascii(letter)[1:-1]) for letter in letters), error.end


codecs.register_error("bufsim", _spell)


def write(stream: TextIO | None, text: str) -> None:
    """Print lines on a stream, whatever it can take: another encoding, or nothing since nobody reads it any more.

    Who has read enough (``| head``) does not stop the run: the files are still wanted.
    """
    if stream is None:
        # Python has none where the terminal gave none
        return
    lines = "\n".join(map(harmless, text.split("\n"))) + "\n"
    if stream.encoding:
        lines = lines.encode(stream.encoding, errors="bufsim").decode(stream.encoding)
    # a closed stream gives a ValueError
    with contextlib.suppress(BrokenPipeError, ValueError):
        stream.write(lines)
        stream.flush()
        return
    _give_up(stream)


def _give_up(stream: TextIO) -> None:
    """Let whatever else is written to a stream go nowhere, also what Python still holds when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
