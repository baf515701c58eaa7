"""Recorded arrivals: the times of a log, with the jobs' keys, sizes, queues and data where it has them."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim.checks import NBytes, Seconds, positive
from bufsim.declared import Positive, Wide, default, instance, settle, value
from bufsim.model import trace_reading
from bufsim.model.arrivals import Arrivals, before
from bufsim.model.distributions import BLOCK, FloatArray

IntArray = npt.NDArray[np.int64]


def _times(name: str, given: object) -> FloatArray:
    return trace_reading.times(given)


@value(eq=False)
class Trace(Arrivals):
    """Recorded arrival times, with what else the log says about each job.

    Parameters
    ----------
    times : sequence of float, str or timedelta
        Seconds from the start of the run, also as in "1min"; >= 0 and non-decreasing; at least one.
    keys : sequence, optional
        One key a job, any hashable value; None or NaN for a job without a key.
    nbytes : sequence of int or str, optional
        One size in bytes a job, >= 0, also as in "2 KiB".
    queues : sequence of str, optional
        One queue name a job.
    data : sequence, optional
        One payload a job.

    Notes
    -----
    Two traces are equal if their contents are. The repr is a short description, not code: the one exception among the
    values that a model is made of. `digest` names the content.

    Examples
    --------
    >>> Trace([0.0, 0.5, 0.5, 2.0], keys=["a", "b", "a", "a"])
    Trace(<4 times, 0 .. 2 s, with keys>)
    """

    times: Annotated[Wide[npt.ArrayLike | Sequence[Seconds], FloatArray], _times]
    _: KW_ONLY
    keys: Wide[Sequence[Hashable] | None, tuple[Hashable, ...] | None] = default(None)
    nbytes: Wide[Sequence[NBytes] | IntArray | None, IntArray | None] = default(None)
    queues: Wide[Sequence[str] | None, tuple[str, ...] | None] = default(None)
    data: Wide[Sequence[Any] | None, tuple[Any, ...] | None] = default(None)

    def __post_init__(self) -> None:
        for name, checked in (
            ("keys", trace_reading.keys),
            ("nbytes", trace_reading.nbytes),
            ("queues", trace_reading.queues),
            ("data", tuple),
        ):
            given = getattr(self, name)
            if given is not None:
                settle(self, **{name: checked(trace_reading.column(name, given, len(self.times)))})

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        *,
        time: str = "time",
        unit: str = "s",
        key: str | None = None,
        nbytes: str | None = None,
        queue: str | None = None,
        origin: Any = None,
    ) -> Trace:
        """Return the trace that lies in a DataFrame, one row a job.

        Parameters
        ----------
        df : pandas.DataFrame
            At least one row, in the order of time.
        time : str, default "time"
            The column of the times: numbers, or datetimes (also as ISO 8601 text).
        unit : {"s", "ms", "us", "min", "h"}, default "s"
            The unit of times that are numbers.
        key, nbytes, queue : str, optional
            The columns of the jobs' keys, sizes in bytes and queue names. An empty key is none.
        origin : number, datetime or "first", optional
            The time that becomes 0 s: a number in the column's unit, or a datetime. By default 0 for numbers, and the
            first one for datetimes.

        Raises
        ------
        InvalidValueError
            If a time is missing, not a number, goes back or is negative, or if a column is missing; the message says in
            which row, counted from 0.

        Examples
        --------
        >>> import pandas as pd
        >>> Trace.from_frame(pd.DataFrame({"t": [1500, 2500], "id": [7, 7]}), time="t", unit="ms", key="id")
        Trace(<2 times, 1.5 .. 2.5 s, with keys>)
        """
        return cls._from_table(trace_reading.from_frame(df), time, unit, key, nbytes, queue, origin)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        time: str = "time",
        unit: str = "s",
        key: str | None = None,
        nbytes: str | None = None,
        queue: str | None = None,
        origin: Any = None,
    ) -> Trace:
        """Return the trace that lies in a CSV file (with a header) or a Parquet file; see `from_frame`.

        Parameters
        ----------
        path : str or Path
            A file that ends in .csv, .csv.gz, .parquet or .pq.
        time, unit, key, nbytes, queue, origin
            As in `from_frame`.

        Raises
        ------
        InvalidValueError
            As `from_frame`; for a CSV file the message also says on which line.
        """
        return cls._from_table(trace_reading.from_file(Path(path)), time, unit, key, nbytes, queue, origin)

    @classmethod
    def _from_table(
        cls,
        table: trace_reading.Table,
        time: str,
        unit: str,
        key: str | None,
        nbytes: str | None,
        queue: str | None,
        origin: Any,
    ) -> Trace:
        return cls(
            trace_reading.seconds(table, time, unit, origin),
            keys=None if key is None else table.column(key).tolist(),
            nbytes=None if nbytes is None else trace_reading.whole_numbers(table, nbytes),
            queues=None if queue is None else trace_reading.names(table, queue),
        )

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        attributes = [name for name in ("keys", "nbytes", "queues", "data") if getattr(self, name) is not None]
        span = f"{self.times[0]:.6g} .. {self.times[-1]:.6g} s"
        return f"Trace(<{len(self)} times, {span}{', with ' if attributes else ''}{', '.join(attributes)}>)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        return (
            np.array_equal(self.times, other.times)
            and (self.keys, self.queues, self.data) == (other.keys, other.queues, other.data)
            and (self.nbytes is None) == (other.nbytes is None)
            and (self.nbytes is None or other.nbytes is None or np.array_equal(self.nbytes, other.nbytes))
        )

    def __hash__(self) -> int:
        # of the times alone: keys that are equal may be written differently (1 and 1.0), and data need not be hashable
        return hash(self.times.tobytes())

    def __reduce__(self) -> tuple[functools.partial[Trace], tuple[FloatArray]]:
        # through the constructor: numpy restores arrays as writeable
        rest = functools.partial(Trace, keys=self.keys, nbytes=self.nbytes, queues=self.queues, data=self.data)
        return rest, (self.times,)

    @property
    def digest(self) -> str:
        """A name for the content in 32 hexadecimal digits: times, keys, sizes and queues, but not the data."""
        content = hashlib.blake2b(self.times.tobytes(), digest_size=16)
        for column in (self.keys, self.nbytes if self.nbytes is None else tuple(self.nbytes.tolist()), self.queues):
            content.update(repr(column).encode("utf-8", "surrogatepass"))
        return content.hexdigest()

    @property
    def has_attributes(self) -> bool:
        """Whether there are keys, sizes, queues or data."""
        return any(column is not None for column in (self.keys, self.nbytes, self.queues, self.data))

    @property
    def mean_rate(self) -> float:
        """Jobs per second up to the last time; nan if that is 0."""
        return len(self) / float(self.times[-1]) if self.times[-1] > 0.0 else math.nan

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the recorded times before `until` in blocks; draws nothing."""
        return _slices(self.times, until)

    def scaled(self, factor: float) -> Trace | ScaledTrace:
        """Return `factor` times as many arrivals, see `ScaledTrace`; the trace itself for 1."""
        factor = positive("factor", factor)
        return self if factor == 1.0 else ScaledTrace(self, factor)


@value
class ScaledTrace(Arrivals):
    """Several copies of a trace, each turned like a ring by a random shift of its own.

    Parameters
    ----------
    trace : Trace
        What was recorded.
    factor : float
        How many copies, > 0: the whole part in full, and one more in which each job stays with the probability of the
        rest. 2.5 is two copies and half of a third.

    Notes
    -----
    The shift is uniform over the trace's length, from 0 to its last time, and is drawn anew in every replication. What
    is shifted out at the end comes in at the start. A job keeps its key, size, queue and data. The bursts of the copies
    do not coincide: this models more customers of the same kind, not the same customers twice as fast.
    """

    trace: Annotated[Trace, instance(Trace, "a Trace")]
    factor: Positive

    def expanded(self, generator: np.random.Generator, until: float) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Return the arrival times before `until`, and each one's position in the trace."""
        copies = math.floor(self.factor)
        rest = self.factor - copies
        parts = [self._copy(generator, until, 1.0) for _ in range(copies)]
        if rest > 0.0:
            parts.append(self._copy(generator, until, rest))
        times, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(times, kind="stable")
        return times[order], rows[order]

    def _copy(
        self, generator: np.random.Generator, until: float, share: float
    ) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Return one copy's times before `until`, not yet in order, and their positions."""
        length = float(self.trace.times[-1])
        times = self.trace.times + generator.random() * length
        times[times >= length] -= length
        kept = times < until
        if share < 1.0:
            kept &= generator.random(len(times)) < share
        return times[kept], np.flatnonzero(kept)

    @property
    def has_attributes(self) -> bool:
        """Whether the trace has keys, sizes, queues or data."""
        return self.trace.has_attributes

    @property
    def mean_rate(self) -> float:
        """The factor times the trace's rate."""
        return self.trace.mean_rate * self.factor

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks; all copies lie in memory."""
        return _slices(self.expanded(generator, until)[0], until)

    def scaled(self, factor: float) -> Trace | ScaledTrace:
        """Return the same trace with both factors in one."""
        return self.trace.scaled(self.factor * positive("factor", factor))


def _slices(times: FloatArray, until: float) -> Iterator[FloatArray]:
    """Yield the times before `until` in slices."""
    for first in range(0, len(times), BLOCK):
        piece = times[first : first + BLOCK]
        yield from before(until, piece)
        if piece[-1] >= until:
            return
