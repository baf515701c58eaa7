"""A journal of finished replications in one SQLite file, so that a study that is killed loses none of them.

SQLite, because each replication is one transaction of the operating system's file: what was committed survives a kill at
any moment, and two processes may write to one file. A folder of Parquet files would need a file for every replication.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import bufsim
from bufsim.errors import InvalidValueError
from bufsim.results.plain import built, plain
from bufsim.results.tallies import Tally

FORMAT = 1
_WAIT = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replications (
    simulation TEXT NOT NULL,
    seed TEXT NOT NULL,
    replication INTEGER NOT NULL,
    tally BLOB NOT NULL,
    PRIMARY KEY (simulation, seed, replication)
) WITHOUT ROWID;
"""


class Store:
    """A journal of finished replications, keyed by simulation, seed and replication.

    Parameters
    ----------
    path : str or Path
        The file; it is made if there is none.

    Raises
    ------
    InvalidValueError
        If the file is something else, or was written by another version of bufsim, whose numbers may differ.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir() or not self.path.absolute().parent.is_dir():
            raise InvalidValueError(f"store must be a file in a folder that is there, got {str(path)!r}")
        try:
            self._connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise InvalidValueError(
                f"store must be a file that bufsim has written, or a new one, got {str(path)!r}: {error}"
            ) from None

    def _prepare(self) -> None:
        # readers and a writer at once; a commit is in the operating system's hands and outlives the process
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)
        with closing(self._connection.cursor()) as cursor:
            for name, value in (("format", str(FORMAT)), ("bufsim", bufsim.__version__)):
                cursor.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, value))
                (written,) = cursor.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
                if written != value:
                    self.close()
                    raise InvalidValueError(
                        f"store {str(self.path)!r} was written by another version ({name} {written}, this is {value}), "
                        "whose numbers may differ; give a new file, or run with that version"
                    )

    def read(self, simulation: str, seed: int, replications: Iterable[int]) -> dict[int, Tally]:
        """Return the tallies of those replications that are there, by replication.

        Parameters
        ----------
        simulation : str
            Its `fingerprint`.
        seed : int
            The root seed.
        replications : iterable of int
            Which are asked for.
        """
        wanted = set(replications)
        rows = self._connection.execute(
            "SELECT replication, tally FROM replications WHERE simulation = ? AND seed = ? ORDER BY replication",
            (simulation, str(seed)),
        )
        return {number: _tally(data) for number, data in rows if number in wanted}

    def write(self, simulation: str, seed: int, replication: int, tally: Tally) -> None:
        """Write a finished replication; one that is there already stays, since it is the same."""
        data = zlib.compress(json.dumps(plain(tally), separators=(",", ":")).encode(), 1)
        self._connection.execute(
            "INSERT OR IGNORE INTO replications VALUES (?, ?, ?, ?)", (simulation, str(seed), replication, data)
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _tally(data: bytes) -> Tally:
    tally: Tally = built(Tally, json.loads(zlib.decompress(data)))
    return tally
