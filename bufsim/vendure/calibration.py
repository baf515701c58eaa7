"""How long a store of the user's own takes to add, to count and to flush: measured, and fitted."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bufsim import checks, formats
from bufsim.checks import Seconds
from bufsim.errors import InvalidTypeError, StoreError
from bufsim.vendure import stored_job
from bufsim.vendure.job import Job
from bufsim.vendure.persistent import Claims, PersistentStorage
from bufsim.vendure.redis_storage import CLAIM, GIVE_BACK, TAKE, RedisJobBufferStorageStrategy
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
        From reading to deleting; None where a flush is atomic: there is none.
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
        About how long it may take, s, > 0. Sizes for which there is no time are left out.
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

    Notes
    -----
    Each round fills the scratch buffer, adds one job, asks for the buffer size, and flushes; up to 20 rounds a size.
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
        return _fitted(scratch.strategy, measurements)


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
            say(f"no time for buffers of {formats.jobs(size)} and more")
            return
        say(f"buffers of {formats.jobs(size)}")
        share = (end - time.perf_counter()) / (len(SIZES) - number)
        started = time.perf_counter()
        rounds = 0
        while rounds < FEWEST or (rounds < ROUNDS and time.perf_counter() < started + share):
            yield from scratch.round(job, size)
            rounds += 1
        expected, last = (time.perf_counter() - started) / rounds, size


@contextmanager
def _scratch(store: PersistentStorage | str, **options: bool) -> Iterator[_Scratch]:
    """A scratch table, or keys, beside a store; they are removed at the end."""
    made: Any = _ScratchOfRedis if _is_redis(store) else _ScratchOfSql
    scratch: _Scratch = made(store, **options)
    try:
        yield scratch
    finally:
        scratch.remove()


def _is_redis(store: object) -> bool:
    if isinstance(store, str):
        return store.startswith(("redis:", "rediss:", "unix:"))
    if not isinstance(store, SqlJobBufferStorageStrategy | RedisJobBufferStorageStrategy):
        raise InvalidTypeError(
            f"store must be a SqlJobBufferStorageStrategy, a RedisJobBufferStorageStrategy or a URL, got a "
            f"{type(store).__name__}; what lies in memory takes no time worth its name"
        )
    return isinstance(store, RedisJobBufferStorageStrategy)


def _taken(where: str, store: str) -> StoreError:
    return StoreError(
        f"{where} in {store} is there already, and whose it is is not known; rename it, or remove it if a calibration "
        "that was killed has left it"
    )


class _Scratch(ABC):
    """A storage strategy of its own on a store, and rounds of calls on it."""

    strategy: Any

    def __init__(self) -> None:
        # when each command of a flush was sent, and answered
        self.steps: list[tuple[float, float]] = []

    def round(self, job: Job, size: int) -> Iterator[Measurement]:
        """Fill the buffer up to `size` jobs, the last by an add, count them, and flush."""
        self.fill([stored_job.written(job)] * (size - 1))
        yield Measurement("add", size, _seconds(lambda: self.strategy.add(_BUFFER, job)))
        yield Measurement("buffer_size", size, _seconds(lambda: self.strategy.buffer_size([_BUFFER])))
        self.steps.clear()
        whole = _seconds(self.flush)
        yield Measurement("flush", size, whole)
        if not self.strategy.atomic:
            (sent, _), (_, answered) = self.steps[0], self.steps[-1]
            yield Measurement("window", size, answered - sent)
            yield Measurement("rest", size, whole - (answered - sent))

    def flush(self) -> None:
        """Flush, and confirm what is claimed: that is a part of what a flush costs."""
        jobs = self.strategy.flush([_BUFFER])[_BUFFER]
        self.strategy.confirm(_BUFFER, jobs)

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


class _OfItsOwn(SqlJobBufferStorageStrategy):
    """A strategy on a table that was not there before."""

    def _set_up(self) -> None:
        from sqlalchemy import inspect

        with self._connection("looking for the scratch table") as connection:
            inspector = inspect(connection)
            for table in (self._table, self._claimed):
                if inspector.has_table(table.name):
                    raise _taken(f"a table {table.name!r}", self.label)
        super()._set_up()


class _ScratchOfSql(_Scratch):
    def __init__(self, store: SqlJobBufferStorageStrategy | str, *, atomic: bool, acknowledged: bool) -> None:
        super().__init__()
        if isinstance(store, str):
            url = store
        else:
            atomic, acknowledged = store.atomic, store.acknowledged
            url = store._engine.url.render_as_string(hide_password=False)
        self.file = _new_file(url)
        try:
            self.strategy = _OfItsOwn(url, table=SCRATCH, atomic=atomic, acknowledged=acknowledged)
            self._listen()
        except BaseException:
            self._remove_file()
            raise

    def _listen(self) -> None:
        from sqlalchemy import event

        started: list[float] = []

        @event.listens_for(self.strategy._engine, "before_cursor_execute")
        def _(*of: Any) -> None:
            started.append(time.perf_counter())

        @event.listens_for(self.strategy._engine, "after_cursor_execute")
        def _(*of: Any) -> None:
            self.steps.append((started.pop(), time.perf_counter()))

    def fill(self, texts: list[str]) -> None:
        with self.strategy._transaction("filling the scratch table") as connection:
            for first in range(0, len(texts), _AT_ONCE):
                rows = [{"bufferId": _BUFFER, "job": text} for text in texts[first : first + _AT_ONCE]]
                connection.execute(self.strategy._statements.insert, rows)

    def remove(self) -> None:
        from sqlalchemy.schema import DropTable

        try:
            with self.strategy._connection("removing the scratch table") as connection:
                for table in (self.strategy._table, self.strategy._claimed):
                    connection.execute(DropTable(table, if_exists=True))
        finally:
            self.strategy.close()
            self._remove_file()

    def _remove_file(self) -> None:
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def _new_file(url: str) -> Path | None:
    """The file that SQLite would make for this URL, if it is not there yet."""
    from bufsim.vendure import sql_storage

    parsed = sql_storage._parsed(url)
    if parsed.drivername != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    path = Path(parsed.database)
    return None if path.exists() else path


class _ScratchOfRedis(_Scratch):
    def __init__(self, store: RedisJobBufferStorageStrategy | str, *, atomic: bool, acknowledged: bool) -> None:
        super().__init__()
        if isinstance(store, str):
            # one that acknowledges would take back at once what another has claimed under these keys
            self.strategy = RedisJobBufferStorageStrategy(store, prefix=SCRATCH, atomic=atomic)
            self.strategy.acknowledged, self.strategy.atomic = acknowledged, atomic or acknowledged
        else:
            self.strategy = _beside(store)
        try:
            if next(self._keys(), None) is not None:
                raise _taken(f"a key that begins with {SCRATCH!r}", self.strategy.label)
        except BaseException:
            self.strategy.close()
            raise
        for name in ("lrange", "delete"):
            setattr(self.strategy._redis, name, self._timed(getattr(self.strategy._redis, name)))

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*of: Any) -> Any:
            start = time.perf_counter()
            answer = call(*of)
            self.steps.append((start, time.perf_counter()))
            return answer

        return timed

    def _keys(self) -> Iterator[Any]:
        with self.strategy._speaking("looking for scratch keys"):
            yield from self.strategy._redis.scan_iter(f"{SCRATCH}*", count=1_000)

    def fill(self, texts: list[str]) -> None:
        with self.strategy._speaking("filling the scratch buffer"):
            for first in range(0, len(texts), _AT_ONCE):
                self.strategy._redis.lpush(self.strategy._key(_BUFFER), *texts[first : first + _AT_ONCE])

    def remove(self) -> None:
        try:
            with self.strategy._speaking("removing the scratch keys"):
                for key in list(self._keys()):
                    self.strategy._redis.unlink(key)
        finally:
            self.strategy.close()


def _beside(store: RedisJobBufferStorageStrategy) -> RedisJobBufferStorageStrategy:
    """A strategy that flushes as another does, with keys and a client of its own, over the same connections."""
    from redis import Redis

    made = copy(store)
    made._redis = Redis(connection_pool=store._redis.connection_pool)
    made._scripts = {text: made._redis.register_script(text) for text in (TAKE, CLAIM, GIVE_BACK)}
    made._prefix, made._registry, made._claims = SCRATCH, f"{SCRATCH}-claims:{store.server}", Claims()
    return made
