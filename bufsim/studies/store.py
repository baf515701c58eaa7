"""A journal of finished replications in one file: tallies as bytes, to the bit, and back. No code is read from it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import numpy as np

import bufsim
from bufsim import formats
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.errors import BufsimError, InvalidTypeError, InvalidValueError, quoted
from bufsim.files import DAMAGE, check_name
from bufsim.results.files import Array, built, plain
from bufsim.results.measures import SIZES, TIMES
from bufsim.results.records import OUTCOMES
from bufsim.results.steps import BINS
from bufsim.results.tallies import Tally

FORMAT = 4
"""To be raised where the same bytes or keys come to mean something else, and `layout` does not see it."""
_HEAD = 4
_FAST = 1
_LARGEST = 2**26
"""A tally is far smaller; a few bytes that say otherwise must not take all memory."""


def layout() -> str:
    """The way in which tallies are packed, as a word: a digest of their fields, and of what stands in them."""
    parts = [*_fields(Tally), repr((TIMES, SIZES, BINS, OUTCOMES, LOSS_CAUSES, _HEAD))]
    return f"{FORMAT}-{hashlib.blake2b(chr(10).join(parts).encode(), digest_size=6).hexdigest()}"


def _fields(kind: Any) -> Iterator[str]:
    """The fields of a dataclass, and of those in it, with their types."""
    if not dataclasses.is_dataclass(kind):
        for inner in get_args(kind):
            yield from _fields(inner)
        return
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield f"{field.name}: {field.type}"
        yield from _fields(hints[field.name])


def packed(tally: Tally) -> bytes:
    """A tally as bytes: JSON whose arrays stand behind it, compressed."""
    arrays: list[bytes] = []
    end = 0

    def behind(array: Array) -> tuple[str, int, int]:
        nonlocal end
        arrays.append(array.tobytes())
        begin, end = end, end + len(arrays[-1])
        return array.dtype.str, begin, len(array)

    text = json.dumps(plain(tally, array=behind), separators=(",", ":")).encode()
    return zlib.compress(b"".join([len(text).to_bytes(_HEAD, "little"), text, *arrays]), _FAST)


def unpacked(data: bytes) -> Tally:
    """The tally that `packed` has made into bytes.

    Raises
    ------
    KeyError, TypeError, ValueError, zlib.error
        If the bytes are no tally.
    """
    opened = zlib.decompressobj()
    whole = opened.decompress(data, _LARGEST)
    if not opened.eof:
        raise ValueError(f"it is cut off, or more than {formats.nbytes(_LARGEST)}")
    end = _HEAD + int.from_bytes(whole[:_HEAD], "little")

    def read(about: tuple[str, int, int]) -> Array:
        kind, begin, count = about
        # copied: an array of its own can be written to, as the one that was packed
        array: Array = np.frombuffer(whole, np.dtype(kind), count, end + begin).copy()
        return array

    about: Any = json.loads(whole[_HEAD:end])
    tally: Tally = built(Tally, about, array=read)
    return tally


_KIND = 0x62756673  # "bufs", in SQLite's place for an application's id
WAIT = 60.0
_PAUSE = 0.02
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS replications (
        simulation TEXT NOT NULL,
        engine TEXT NOT NULL,
        seed TEXT NOT NULL,
        replication INTEGER NOT NULL,
        tally BLOB NOT NULL,
        PRIMARY KEY (simulation, engine, seed, replication)
    ) WITHOUT ROWID""",
)


class Key(NamedTuple):
    """The key under which the replications of a scenario are kept.

    Parameters
    ----------
    simulation : str
        Its `fingerprint`.
    engine : str
        What runs it.
    seed : int
        The root seed.
    """

    simulation: str
    engine: str
    seed: int

    def row(self) -> tuple[str, str, str]:
        """The key as SQLite holds it, whose integers end at 2⁶³."""
        return self.simulation, self.engine, str(self.seed)


class Store:
    """A journal of finished replications, keyed by simulation, engine, seed and replication.

    Parameters
    ----------
    path : str or Path
        The file, on a disk of this machine; it is made if there is none.

    Raises
    ------
    InvalidValueError
        If the file is something else, cannot be written, or was written by another version of bufsim or of a library
        that draws, whose numbers may differ.
    """

    def __init__(self, path: str | Path) -> None:
        if not isinstance(path, str | os.PathLike):
            raise InvalidTypeError(f"store must be the path of a file such as 'study.sqlite', got {quoted(path)}")
        self.path = Path(path)
        check_name(self.path)
        try:
            is_place = self.path.absolute().parent.is_dir() and not self.path.is_dir()
        except OSError:
            # a name that no file can have
            is_place = False
        if not is_place:
            raise InvalidValueError(f"store must be a file in a folder that is there, got {quoted(str(path))}")
        try:
            self._connection = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from None
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            self._check_kind()
            # a writer and readers at once; a commit is in the operating system's hands and outlives the process
            self._patiently("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with self._transaction():
                self._connection.execute(f"PRAGMA application_id = {_KIND}")
                for statement in SCHEMA:
                    self._connection.execute(statement)
                self._check_versions()
        except sqlite3.OperationalError as error:
            raise self._unwritable(error) from None
        except sqlite3.DatabaseError as error:
            raise self._foreign(str(error)) from None

    def _check_kind(self) -> None:
        """Refuse another program's file before anything is written to it."""
        # both as they are at one moment: another process may be making the file
        with self._transaction("DEFERRED"):
            (kind,) = self._connection.execute("PRAGMA application_id").fetchone()
            (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if kind != _KIND and (kind or tables):
            raise self._foreign("it is another program's database")

    def _check_versions(self) -> None:
        versions = _versions()
        try:
            written = dict(self._connection.execute("SELECT name, value FROM about"))
        except sqlite3.OperationalError:
            # a table of other columns
            written = {"": ""}
        if not written:
            self._connection.executemany("INSERT INTO about VALUES (?, ?)", versions.items())
            return
        for name, value in versions.items():
            if (other := written.get(name, "unknown")) != value:
                raise self._of_another_version(f"{name} {other}, this is {value}")

    def read(self, key: Key, replications: Iterable[int]) -> dict[int, Tally]:
        """The tallies of those replications of a scenario that are there, by replication."""
        numbers = set(replications)
        try:
            rows = self._connection.execute(
                "SELECT replication, tally FROM replications WHERE simulation = ? AND engine = ? AND seed = ? "
                "ORDER BY replication",
                key.row(),
            )
            return {number: self._tally(data) for number, data in rows if number in numbers}
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from None

    def rows(self, order: str) -> Iterator[tuple[Any, ...]]:
        """The rows in one order of their keys, up to the first that SQLite cannot reach."""
        with contextlib.suppress(sqlite3.DatabaseError):
            yield from self._connection.execute(
                "SELECT * FROM replications ORDER BY "
                + ", ".join(f"{name} {order}" for name in ("simulation", "engine", "seed", "replication"))
            )

    def write(self, finished: Sequence[tuple[Key, int, Tally]]) -> None:
        """Write finished replications, all or none; one that is there already stays, since it is the same.

        Raises
        ------
        BufsimError
            If it cannot be written; what was written before is there.
        """
        self.write_rows([(*key.row(), replication, packed(tally)) for key, replication, tally in finished])

    def write_rows(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows as they are, all or none."""
        try:
            with self._transaction():
                self._connection.executemany("INSERT OR IGNORE INTO replications VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError as error:
            raise BufsimError(
                f"store {str(self.path)!r} could not be written: {error}; make room for it, and run the study again: "
                "what was written before is kept"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self, lock: str = "IMMEDIATE") -> Iterator[None]:
        self._connection.execute(f"BEGIN {lock}")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # some errors, such as a full disk, have ended it already
                self._connection.execute("ROLLBACK")
            raise

    def _patiently(self, statement: str) -> None:
        """Execute what SQLite does not wait for by itself while another process opens the file."""
        end = time.monotonic() + WAIT
        while True:
            try:
                self._connection.execute(statement)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def _tally(self, data: bytes) -> Tally:
        try:
            return unpacked(data)
        except KeyError as error:
            raise self._of_another_version(f"of a tally, without {error}") from None
        except DAMAGE as error:
            raise self._damaged(f"a replication in it cannot be read ({error})") from None

    def _of_another_version(self, difference: str) -> InvalidValueError:
        return InvalidValueError(
            f"store {str(self.path)!r} was written by another version ({difference}), "
            "whose numbers may differ; give a new file, or run with that version"
        )

    def _foreign(self, cause: str) -> InvalidValueError:
        return InvalidValueError(
            f"store must be a file that bufsim has written, or a new one, got {quoted(str(self.path))}: {cause}"
        )

    def _damaged(self, cause: str) -> InvalidValueError:
        copy = str(self.path.with_suffix(".salvaged.sqlite"))
        return InvalidValueError(
            f"store {str(self.path)!r} is damaged: {cause}; bufsim.salvage({str(self.path)!r}, {copy!r}) copies what "
            "can be read, and a study that goes on with the copy runs the rest"
        )

    def _unwritable(self, error: sqlite3.OperationalError) -> InvalidValueError:
        way_out = (
            "wait until the other program has let go of it" if "locked" in str(error) else "copy it to where it can"
        )
        return InvalidValueError(
            f"store must be a file that can be written, got {quoted(str(self.path))}: {error}; {way_out}"
        )


class Salvaged(NamedTuple):
    """The outcome of saving what can be read of a damaged store.

    Parameters
    ----------
    kept : int
        Replications that are in the copy.
    lost : int
        Rows that could not be read; what SQLite itself cannot reach is not counted.
    """

    kept: int
    lost: int


def salvage(path: str | Path, into: str | Path) -> Salvaged:
    """Copy of a damaged store's readable replications into a new one; the damaged file stays as it is.

    Parameters
    ----------
    path : str or Path
        The damaged file.
    into : str or Path
        The new one, of which there is none yet.

    Returns
    -------
    Salvaged
        How many replications were kept, and how many could not be read.

    Raises
    ------
    InvalidValueError
        If `into` is there already, or `path` is no store of this version.

    Examples
    --------
    >>> import tempfile
    >>> from bufsim.studies.store import Store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Store(f"{folder}/study.sqlite").close()
    ...     salvage(f"{folder}/study.sqlite", f"{folder}/copy.sqlite")
    Salvaged(kept=0, lost=0)
    """
    if Path(into).exists():
        raise InvalidValueError(f"into must be a new file, got {quoted(str(into))}, which is there; give another name")
    if not Path(path).is_file():
        raise InvalidValueError(f"path must be a store, got {quoted(str(path))}, which is no file")
    with tempfile.TemporaryDirectory() as folder:
        # opening a store writes to it, and what it has in its log is in a file of its own
        for name in (str(path), f"{path}-wal"):
            if Path(name).exists():
                shutil.copyfile(name, Path(folder) / Path(name).name)
        return _salvaged(Path(folder) / Path(path).name, into)


def _salvaged(path: Path, into: str | Path) -> Salvaged:
    with Store(path) as damaged, Store(into) as copy:
        rows = {row[:-1]: row[-1] for order in ("ASC", "DESC") for row in damaged.rows(order)}
        readable = {key: data for key, data in rows.items() if _is_readable(data)}
        copy.write_rows([(*key, data) for key, data in readable.items()])
    return Salvaged(len(readable), len(rows) - len(readable))


def _is_readable(data: bytes) -> bool:
    try:
        unpacked(data)
    except DAMAGE:
        return False
    return True


def _versions() -> dict[str, str]:
    """The versions that numbers depend on: of a library that draws the one that may change its streams."""
    libraries = {name: ".".join(version(name).split(".")[:2]) for name in ("numpy", "scipy")}
    tables = hashlib.blake2b("".join(SCHEMA).encode(), digest_size=3).hexdigest()
    return {"format": f"{layout()}-{tables}", "bufsim": bufsim.__version__, **libraries}
