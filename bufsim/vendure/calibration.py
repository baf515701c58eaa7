"""How long a store of the user's own takes to add, to count and to flush: measured, and fitted."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bufsim import checks, formats
from bufsim.checks import Seconds
from bufsim.errors import InvalidTypeError, InvalidValueError, StoreError
from bufsim.vendure import sql_failures, stored_job
from bufsim.vendure.job import Job
from bufsim.vendure.persistent import PersistentStorage
from bufsim.vendure.redis_storage import RedisJobBufferStorageStrategy
from bufsim.vendure.sql_storage import SqlJobBufferStorageStrategy

if TYPE_CHECKING:
    from bufsim.statistics.lines import Line

SCRATCH = "bufsim_calibration"
"""The table, or what the keys begin with, that a calibration makes and removes."""
SIZES = (1, 10, 100, 1_000, 10_000, 100_000)
ROUNDS, FEWEST = 20, 3
_BUFFER = "scratch"
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """One call that was timed.

    Parameters
    ----------
    operation : {"add", "buffer_size", "flush", "window", "rest"}
        What was called. Of a flush that reads, then deletes, also its two parts: the window, from when the read is sent
        to when the delete has been answered, and the rest.
    size : int
        Jobs in the buffer.
    seconds : float
        How long it took.
    """

    operation: str
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a store's calls take, as measured, and the line fixed + per_job × size of each.

    Parameters
    ----------
    store : str
        Which store: without user and password.
    atomic, acknowledged : bool
        How it flushes.
    measurements : tuple of Measurement
        All calls, in order.
    add, buffer_size, flush : Line
        Their durations by the buffer size; that of a flush with its window.
    rest : Line
        What a flush takes beside its window: the flush time of a model.
    window : Line or None
        From sending the read to the answer to the delete: the window is at most that long. None where a flush is
        atomic: there is none.
    """

    store: str
    atomic: bool
    acknowledged: bool
    measurements: tuple[Measurement, ...]
    add: Line
    buffer_size: Line
    flush: Line
    rest: Line
    window: Line | None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The buffer sizes at which was measured."""
        return tuple(dict.fromkeys(one.size for one in self.measurements))

    @property
    def way(self) -> str:
        """How the store flushes, in words."""
        if self.acknowledged:
            return "acknowledged"
        return "atomic" if self.atomic else "as shipped: it reads, then deletes"

    def read_delete_window(self, batch: int) -> float:
        """The window of a flush of so many jobs, s: 0.0 where there is none, of more than were measured that of most.

        A model has one window for all batches of a storage; take a usual one.
        """
        return self.window.at(min(batch, max(self.sizes))) if self.window else 0.0


def calibrate(
    store: PersistentStorage | str,
    *,
    most: Seconds = "30s",
    nbytes: int = 700,
    atomic: bool = False,
    acknowledged: bool = False,
    say: Callable[[str], None] | None = None,
) -> Calibration:
    """Measure a store at buffer sizes from 1 to 100,000 jobs, in a table or under keys of its own.

    Parameters
    ----------
    store : SqlJobBufferStorageStrategy, RedisJobBufferStorageStrategy, or str
        The store, or its URL. Of a strategy nothing but its place and the way it flushes is taken: its jobs are not
        touched.
    most : float, str or timedelta
        About how long it may measure, s, > 0. Sizes for which there is no time are left out, but the first two: 1 and
        10. What is measured is fitted afterwards, in some seconds.
    nbytes : int
        Of the data of each job, ≥ 1: recorded were 709.
    atomic, acknowledged : bool
        With a URL: how the strategy flushes.
    say : callable, optional
        Is told what is being measured.

    Raises
    ------
    StoreError
        If the store cannot be reached, or has a table or keys named `SCRATCH`: whose they are is not known.
    InvalidTypeError
        If the store is neither.
    InvalidValueError
        If a strategy is given together with `atomic` or `acknowledged`.

    Notes
    -----
    Each round fills the scratch buffer, adds one job, asks for the buffer size, and flushes; 3 to 20 rounds a size.
    Whatever happens, the table, or the keys, are removed at the end.

    Examples
    --------
    >>> found = calibrate("sqlite://", most="0.5s")
    >>> found.store, found.atomic, found.sizes[:2]
    ('SQLite in memory', False, (1, 10))
    """
    seconds = checks.positive("most", checks.seconds("most", most))
    job = Job(queue_name="calibration", data="x" * checks.integer("nbytes", nbytes, at_least=1))
    with _scratch(store, atomic=atomic, acknowledged=acknowledged) as scratch:
        measurements = tuple(_measured(scratch, job, seconds, say or (lambda text: None)))
        return _fitted(scratch, measurements)


def _fitted(strategy: PersistentStorage, measurements: tuple[Measurement, ...]) -> Calibration:
    from bufsim.statistics.lines import fit_line

    def line(operation: str) -> Line:
        of = [one for one in measurements if one.operation == operation]
        return fit_line([one.size for one in of], [one.seconds for one in of])

    return Calibration(
        store=strategy.label,
        atomic=strategy.atomic,
        acknowledged=strategy.acknowledged,
        measurements=measurements,
        add=line("add"),
        buffer_size=line("buffer_size"),
        flush=line("flush"),
        rest=line("flush" if strategy.atomic else "rest"),
        window=None if strategy.atomic else line("window"),
    )


def _measured(scratch: _Scratch, job: Job, most: float, say: Callable[[str], None]) -> Iterator[Measurement]:
    """Yield what rounds at growing sizes take, as long as there is time."""
    end = time.perf_counter() + most
    list(scratch.round(job, 1))  # connections are opened
    expected, last = 0.0, 0
    for number, size in enumerate(SIZES):
        # two sizes at least, whatever they take
        if number > 1 and time.perf_counter() + FEWEST * expected * size / last > end:
            say(f"no time to measure buffers of {formats.jobs(size)} and more")
            return
        say(f"measuring buffers of {formats.jobs(size)}")
        share = (end - time.perf_counter()) / (len(SIZES) - number)
        started = time.perf_counter()
        rounds = 0
        while rounds < FEWEST or (rounds < ROUNDS and time.perf_counter() < started + share):
            yield from scratch.round(job, size)
            rounds += 1
        expected, last = (time.perf_counter() - started) / rounds, size


@contextmanager
def _scratch(store: PersistentStorage | str, *, atomic: bool, acknowledged: bool) -> Iterator[_Scratch]:
    """A scratch table, or keys, on a store; they are removed at the end."""
    if not isinstance(store, str | SqlJobBufferStorageStrategy | RedisJobBufferStorageStrategy):
        raise InvalidTypeError(
            f"store must be a SqlJobBufferStorageStrategy, a RedisJobBufferStorageStrategy or a URL, got a "
            f"{type(store).__name__}; what lies in memory takes no time worth its name"
        )
    if isinstance(store, str):
        url = store
    elif atomic or acknowledged:
        raise InvalidValueError("atomic and acknowledged go with a URL: a strategy is measured as it flushes")
    else:
        url, atomic, acknowledged = store._url, store.atomic, store.acknowledged
    with _made(url, atomic, acknowledged) as scratch:
        try:
            yield scratch
        finally:
            scratch.remove()


def _made(url: str, atomic: bool, acknowledged: bool) -> _Scratch:
    if url.startswith(("redis:", "rediss:", "unix:")):
        return _RedisScratch(url, prefix=SCRATCH, atomic=atomic, acknowledged=acknowledged)
    return _SqlScratch(url, table=SCRATCH, atomic=atomic, acknowledged=acknowledged)


class _Scratch(PersistentStorage):
    """A storage strategy on a table, or on keys, that were not there before, and rounds of calls on it."""

    steps: list[tuple[float, float]]
    """When each command of a flush was sent, and answered."""

    def round(self, job: Job, size: int) -> Iterator[Measurement]:
        """Fill the buffer up to `size` jobs, the last by an add, count them, and flush."""
        self.fill([stored_job.written(job)] * (size - 1))
        yield Measurement("add", size, _seconds(lambda: self.add(_BUFFER, job)))
        yield Measurement("buffer_size", size, _seconds(lambda: self.buffer_size([_BUFFER])))
        self.steps.clear()
        whole = _seconds(self.empty)
        yield Measurement("flush", size, whole)
        if not self.atomic:
            (sent, _), (_, answered) = self.steps[0], self.steps[-1]
            yield Measurement("window", size, answered - sent)
            yield Measurement("rest", size, whole - (answered - sent))

    def empty(self) -> None:
        """Flush, and confirm what is claimed: that is a part of what a flush costs."""
        self.confirm(_BUFFER, self.flush([_BUFFER])[_BUFFER])

    def refuse(self, what: str) -> StoreError:
        """The error for what is there already under the name of the scratch."""
        return StoreError(
            f"{what} in {self.label} is there already, and whose it is is not known; rename it, or remove it if a "
            "calibration that was killed has left it"
        )

    @abstractmethod
    def fill(self, texts: list[str]) -> None:
        """Store jobs, many at once."""

    @abstractmethod
    def remove(self) -> None:
        """Remove what was made."""


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class _SqlScratch(_Scratch, SqlJobBufferStorageStrategy):
    _new_file: Path | None = None

    def _set_up(self) -> None:
        from sqlalchemy import inspect

        url = self._engine.url
        if url.drivername == "sqlite" and not sql_failures.is_in_memory(url):
            path = Path(str(url.database))
            # SQLite makes the file
            self._new_file = None if path.exists() else path
        with self._connection("looking for the scratch table") as connection:
            inspector = inspect(connection)
            for table in (self._table, self._claimed):
                if inspector.has_table(table.name):
                    raise self.refuse(f"a table {table.name!r}")
        try:
            super()._set_up()
        except BaseException:
            self.remove()
            raise
        self._listen()

    def _listen(self) -> None:
        from sqlalchemy import event

        self.steps, sent = [], []

        @event.listens_for(self._engine, "before_cursor_execute")
        def _(*of: Any) -> None:
            sent.append(time.perf_counter())

        @event.listens_for(self._engine, "after_cursor_execute")
        def _(*of: Any) -> None:
            self.steps.append((sent.pop(), time.perf_counter()))

    def fill(self, texts: list[str]) -> None:
        with self._transaction("filling the scratch table") as connection:
            for first in range(0, len(texts), _AT_ONCE):
                rows = [{"bufferId": _BUFFER, "job": text} for text in texts[first : first + _AT_ONCE]]
                connection.execute(self._statements.insert, rows)

    def remove(self) -> None:
        from sqlalchemy import inspect
        from sqlalchemy.schema import DropTable

        with self._connection("removing the scratch table") as connection:
            for table in (self._table, self._claimed):
                connection.execute(DropTable(table, if_exists=True))
            if inspect(connection).get_table_names():
                # another program has come to use the file
                self._new_file = None

    def _disconnect(self) -> None:
        super()._disconnect()
        if self._new_file is not None:
            self._new_file.unlink(missing_ok=True)


class _RedisScratch(_Scratch, RedisJobBufferStorageStrategy):
    def _set_up(self) -> None:
        super()._set_up()
        if next(self._keys(), None) is not None:
            raise self.refuse(f"a key that begins with {SCRATCH!r}")
        self.steps = []
        for name in ("lrange", "delete"):
            setattr(self._redis, name, self._timed(getattr(self._redis, name)))

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*of: Any) -> Any:
            start = time.perf_counter()
            answer = call(*of)
            self.steps.append((start, time.perf_counter()))
            return answer

        return timed

    def _keys(self) -> Iterator[Any]:
        with self._speaking("looking for scratch keys"):
            yield from self._redis.scan_iter(f"{SCRATCH}*", count=1_000)

    def fill(self, texts: list[str]) -> None:
        with self._speaking("filling the scratch buffer"):
            for first in range(0, len(texts), _AT_ONCE):
                self._redis.lpush(self._key(_BUFFER), *texts[first : first + _AT_ONCE])

    def remove(self) -> None:
        with self._speaking("removing the scratch keys"):
            for key in list(self._keys()):
                self._redis.unlink(key)
