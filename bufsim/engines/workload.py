"""Jobs as columns, and the order in which several producers' jobs arrive."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bufsim import checks
from bufsim.checks import integer, positive, unique
from bufsim.engines.randomness import Draws, Reader, endless, stream
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.arrivals import Poisson, RunningSum, running_sum
from bufsim.model.distributions import BLOCK, FloatArray, sample
from bufsim.model.producers import Producer
from bufsim.model.recorded import recorded
from bufsim.model.traces import ScaledTrace, slices


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Jobs in the order of their arrival, one array a column.

    Parameters
    ----------
    time : float64 array
        Arrival times in seconds, non-decreasing.
    producer : int16 array
        Position of the producer.
    queue : int16 array
        Position of the queue in `Workload.queues`.
    key : int32 array
        Position of the key in `Workload.key_values`; -1 for none.
    nbytes : int64 array
        Sizes in bytes.

    Notes
    -----
    Arrays may be read-only. A column that is constant over all jobs may be one value with stride 0, which costs
    nothing; `numpy.ascontiguousarray` makes it an ordinary array.
    """

    time: npt.NDArray[np.float64]
    producer: npt.NDArray[np.int16]
    queue: npt.NDArray[np.int16]
    key: npt.NDArray[np.int32]
    nbytes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)

    def columns(self) -> list[npt.NDArray[Any]]:
        """Return the five columns."""
        return [getattr(self, column.name) for column in fields(self)]

    def rows(self, first: int, last: int) -> Jobs:
        """Return the jobs from position `first` up to `last`, without copying."""
        part = slice(first, last)
        return Jobs(self.time[part], self.producer[part], self.queue[part], self.key[part], self.nbytes[part])


def constant(value: int, n: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return `n` times the same value, in the space of one."""
    return np.broadcast_to(np.asarray(value, dtype=dtype), (n,))


def no_jobs() -> Jobs:
    """Return empty columns."""
    narrow = np.empty(0, dtype=np.int16)
    return Jobs(np.empty(0), narrow, narrow, np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))


def in_order(parts: Sequence[Jobs]) -> Jobs:
    """Return the jobs of several producers, given in producer order, by time, then producer, then number."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return no_jobs()
    if len(parts) == 1:
        return parts[0]
    times = np.concatenate([part.time for part in parts])
    # stable: at equal times the producers' order stands, and within a producer the jobs'
    order = np.argsort(times, kind="stable")
    others = zip(*(part.columns()[1:] for part in parts), strict=True)
    return Jobs(times[order], *(_joined(columns, order) for columns in others))


def merged(sources: Sequence[Iterator[Jobs]]) -> Iterator[Jobs]:
    """Yield the jobs of several producers, each given in blocks, in the order of `in_order`, in bounded memory.

    Notes
    -----
    The horizon is the least last job held of any producer that may have more, in the order of (time, producer). What
    lies up to it is complete; and the producer that sets it is then read out, and gives its next block.
    """
    held = [next(source, None) for source in sources]
    while any(held):
        last, first_producer = min((block.time[-1], code) for code, block in enumerate(held) if block)
        ready = []
        for code, block in enumerate(held):
            if not block:
                continue
            count = int(np.searchsorted(block.time, last, side="right" if code <= first_producer else "left"))
            ready.append(block.rows(0, count))
            held[code] = block.rows(count, len(block)) if count < len(block) else next(sources[code], None)
        yield in_order(ready)


def _joined(columns: Sequence[npt.NDArray[Any]], order: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """Return the columns one after the other, in the given order; still one value if it is the same in all."""
    first = columns[0]
    if all(column.strides == (0,) and column[0] == first[0] for column in columns):
        return np.broadcast_to(first[:1].reshape(()), order.shape)
    return np.concatenate(columns)[order]


__all__ = ["Jobs", "Workload"]

_Column = Callable[[int], npt.NDArray[Any]]

_MOST_JOBS = 2.0**50
_MOST_NAMES = 2**15 - 1
_WHAT = {
    "service": "service times of queue {!r}",
    "failure": "failure draws of queue {!r}",
    "flush": "flush times of buffer {!r}",
    "stops": "times between stops of {!r}",
}


class Workload:
    """All jobs and all random draws of one run; they depend on names and the seed, never on the policy.

    Parameters
    ----------
    producers : sequence of Producer
        Their names must differ.
    seed : int
        The root seed, >= 0.
    until : float
        End of the run in seconds, > 0; no job is created at or after it.
    replication : int, default 0
        Number of the replication.

    Attributes
    ----------
    queues : tuple of str
        Names of the queues, in the order in which the producers name them first.
    add_up : callable
        The running sum that makes arrivals of Poisson gaps; an engine may put a faster one here.

    Examples
    --------
    >>> from bufsim.model.arrivals import Deterministic
    >>> jobs = Workload([Producer("import", Deterministic(0.5))], seed=1, until=2.0).jobs()
    >>> jobs.time.tolist()
    [0.5, 1.0, 1.5]
    """

    def __init__(self, producers: Sequence[Producer], *, seed: int, until: float, replication: int = 0) -> None:
        self.producers = tuple(producers)
        for position, producer in enumerate(self.producers):
            if not isinstance(producer, Producer):
                raise InvalidTypeError(f"producers[{position}] must be a Producer, got {quoted(producer)}")
        unique("producer names", (producer.name for producer in self.producers))
        self.seed = checks.seed("seed", seed)
        self.until = positive("until", until)
        self.replication = integer("replication", replication, at_least=0)
        self.queues = tuple(dict.fromkeys(queue for producer in self.producers for queue in producer.queues))
        self.add_up: RunningSum = running_sum
        self._draws: dict[tuple[object, ...], tuple[object, Draws]] = {}
        self._expanded: dict[int, tuple[FloatArray, npt.NDArray[np.intp]]] = {}
        self._check_sizes()

    def _check_sizes(self) -> None:
        """Raise if the run would not fit: in its columns' types, or in the resolution of its clock."""
        for what, count in (("producers", len(self.producers)), ("queues", len(self.queues))):
            if count > _MOST_NAMES:
                raise InvalidValueError(f"{what} must be at most {_MOST_NAMES}, got {count}")
        for producer in self.producers:
            # gaps that short vanish beside the time: it would stand still
            if producer.arrivals.mean_rate * self.until > _MOST_JOBS:
                raise InvalidValueError(
                    f"arrivals of producer {producer.name!r} must be fewer than 2**50 until {self.until!r} s, "
                    f"got {quoted(producer.arrivals)}; shorten the run, or lower the rate"
                )

    def stream(self, name: str, purpose: str) -> np.random.Generator:
        """Return the generator of a name and a purpose, in its first state."""
        return stream(self.seed, name, purpose, self.replication)

    @property
    def key_values(self) -> Sequence[Hashable]:
        """The keys by their codes: first the whole numbers that are drawn, then recorded keys as they appear."""
        return self._key_codes[0]

    def jobs(self) -> Jobs:
        """Return all jobs by time, then producer, then number within the producer; drawn anew at every call."""
        parts = []
        for code, producer in enumerate(self.producers):
            arrivals, generator = producer.arrivals, self.stream(producer.name, "arrivals")
            if isinstance(arrivals, ScaledTrace):
                times = self._copies(code, arrivals)[0]
            elif isinstance(arrivals, Poisson):
                times = arrivals.all_times(generator, self.until, add_up=self.add_up)
            else:
                times = arrivals.all_times(generator, self.until)
            parts.append(self._attributes(code)(times))
        return in_order(parts)

    def job_blocks(self) -> Iterator[Jobs]:
        """Yield the same jobs in the same order in blocks of bounded memory, however many there are."""
        if len(self.producers) == 1:
            return self._blocks(0)
        return merged([self._blocks(code) for code in range(len(self.producers))])

    def draws(self, name: str, purpose: str, attempt: int, distribution: object) -> Draws:
        """Return the draws that belong to a name, a purpose and an attempt.

        Parameters
        ----------
        name : str
            Name of the queue or the buffer.
        purpose : str
            "service", "failure", "flush" or "stops".
        attempt : int
            Number of the attempt from 1; 1 where there are no attempts.
        distribution : array, number, Distribution, frozen scipy.stats distribution or None
            What is drawn; None means uniforms on [0, 1). An array is taken as it is; of one with two dimensions the
            column ``attempt - 1``.

        Returns
        -------
        Draws
            The same object whenever the same is asked for.
        """
        given = isinstance(distribution, np.ndarray | list)
        key = (name, purpose, attempt, id(distribution) if given else distribution)
        if key not in self._draws:
            # an array is held with its draws: its id stays its own
            self._draws[key] = distribution, self.new_draws(name, purpose, attempt, distribution)
        return self._draws[key][1]

    def new_draws(self, name: str, purpose: str, attempt: int, distribution: object) -> Draws:
        """Return the same draws as `draws` does in a new object, for who forgets what is used up."""
        integer("attempt", attempt, at_least=1)
        given = isinstance(distribution, np.ndarray | list)
        what = _WHAT.get(purpose, purpose + " draws of {!r}").format(name)
        generator = None if given else self.stream(name, f"{purpose} {attempt}")
        return Draws(_attempt(distribution, attempt, what), generator, what)

    @property
    def has_keys(self) -> bool:
        """Whether some producer gives its jobs keys."""
        return any(p.keys is not None or (p.trace is not None and p.trace.keys is not None) for p in self.producers)

    @property
    def has_sizes(self) -> bool:
        """Whether a job may have bytes."""
        return any(p.nbytes != 0 for p in self.producers)

    @property
    def has_data(self) -> bool:
        """Whether some producer gives its jobs a payload."""
        return any(p.data is not None or (p.trace is not None and p.trace.data is not None) for p in self.producers)

    def data(self, producer: int, index: int) -> Any:
        """Return the payload of a job: the producer's position, and the job's number within the producer."""
        given = self.producers[producer]
        trace = given.trace
        data = given.data if given.data is not None or trace is None else trace.data
        if data is None:
            return None
        if callable(data):
            return data(int(index))
        rows = self._rows(producer)
        position = int(index) if rows is None else int(rows[index])
        if position >= len(data):
            raise InvalidValueError(
                f"data of producer {given.name!r} must have a value for job {position}, got {len(data)} values; "
                "give more, or a function"
            )
        return data[position]

    def _blocks(self, code: int) -> Iterator[Jobs]:
        """Yield one producer's jobs in blocks."""
        arrivals, generator = self.producers[code].arrivals, self.stream(self.producers[code].name, "arrivals")
        if isinstance(arrivals, ScaledTrace):
            return map(self._attributes(code), slices(self._copies(code, arrivals)[0], self.until))
        if isinstance(arrivals, Poisson):
            return map(self._attributes(code), arrivals.blocks(generator, self.until, add_up=self.add_up))
        return map(self._attributes(code), arrivals.blocks(generator, self.until))

    def _attributes(self, code: int) -> Callable[[FloatArray], Jobs]:
        """Return the function that gives one producer's next jobs their attributes, block by block."""
        producer, queue = _constant(code, np.int16), self._queue_column(code)
        key, nbytes = self._key_column(code), self._nbytes_column(code)

        def jobs(times: FloatArray) -> Jobs:
            n = len(times)
            return Jobs(times, producer(n), queue(n), key(n), nbytes(n))

        return jobs

    def _queue_column(self, code: int) -> _Column:
        producer = self.producers[code]
        if producer.queue is not None:
            return _constant(self.queues.index(producer.queue), np.int16)
        assert producer.trace is not None
        assert producer.trace.queues is not None
        names, codes = recorded(producer.trace).queues
        return self._recorded(code, np.array([self.queues.index(str(name)) for name in names], np.int16)[codes])

    def _key_column(self, code: int) -> _Column:
        producer = self.producers[code]
        if producer.keys is not None:
            draw, generator = producer.keys.draw, self.stream(producer.name, "keys")
            return Reader(endless(lambda size: draw(generator, size))).take
        codes = self._key_codes[1].get(code)
        return _constant(-1, np.int32) if codes is None else self._recorded(code, codes)

    def _nbytes_column(self, code: int) -> _Column:
        producer = self.producers[code]
        if producer.nbytes is None:
            assert producer.trace is not None
            assert producer.trace.nbytes is not None
            return self._recorded(code, producer.trace.nbytes)
        if isinstance(producer.nbytes, int):
            return _constant(producer.nbytes, np.int64)
        distribution, generator = producer.nbytes, self.stream(producer.name, "nbytes")
        return Reader(endless(lambda size: _rounded(sample(distribution, generator, size), producer.name))).take

    def _recorded(self, code: int, column: npt.NDArray[Any]) -> _Column:
        """Return the column that reads one value for each row of a producer's trace."""
        rows = self._rows(code)
        return Reader(iter([column if rows is None else column[rows]])).take

    def _rows(self, code: int) -> npt.NDArray[np.intp] | None:
        """Return each job's row of a producer's scaled trace; None where the job's number is the row."""
        arrivals = self.producers[code].arrivals
        return self._copies(code, arrivals)[1] if isinstance(arrivals, ScaledTrace) else None

    def _copies(self, code: int, arrivals: ScaledTrace) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Return the times of a producer's copies of a trace, and each one's row."""
        if code not in self._expanded:
            generator = self.stream(self.producers[code].name, "arrivals")
            self._expanded[code] = arrivals.expanded(generator, self.until)
        return self._expanded[code]

    @cached_property
    def _key_codes(self) -> tuple[Sequence[Hashable], dict[int, npt.NDArray[np.int32]]]:
        """The keys by their codes, and for each producer with recorded keys the codes of its trace's rows."""
        drawn = range(max((producer.keys.n for producer in self.producers if producer.keys is not None), default=0))
        columns = {
            code: recorded(producer.trace).keys
            for code, producer in enumerate(self.producers)
            if producer.keys is None and producer.trace is not None and producer.trace.keys is not None
        }
        if not columns:
            return drawn, {}
        if len(columns) == 1 and not drawn:
            ((code, column),) = columns.items()
            return column.values, {code: column.codes}
        table: dict[Hashable, int] = dict(zip(drawn, drawn, strict=True))
        codes = {
            # the last place is that of no key, whose code is -1
            code: np.array([*(table.setdefault(key, len(table)) for key in keys.values), -1], np.int32)[keys.codes]
            for code, keys in columns.items()
        }
        return tuple(table), codes


def _constant(value: int, dtype: npt.DTypeLike) -> _Column:
    """Return the column that has one value for all jobs."""
    block = constant(value, BLOCK, dtype)
    return lambda n: block[:n] if n <= BLOCK else constant(value, n, dtype)


def _rounded(sizes: FloatArray, name: str) -> npt.NDArray[np.int64]:
    """Return drawn sizes as whole bytes."""
    if sizes.max() >= 2.0**53:
        raise InvalidValueError(f"nbytes of producer {name!r} must be < 2**53, got {quoted(float(sizes.max()))}")
    return np.rint(sizes).astype(np.int64)


def _attempt(distribution: object, attempt: int, what: str) -> object:
    """Return what one attempt draws from: of an array with two dimensions, its column."""
    if not isinstance(distribution, np.ndarray) or distribution.ndim != 2:
        return distribution
    if attempt > distribution.shape[1]:
        raise InvalidValueError(
            f"{what} must have a column for attempt {attempt}, got {distribution.shape[1]} columns; give one an attempt"
        )
    return distribution[:, attempt - 1]
