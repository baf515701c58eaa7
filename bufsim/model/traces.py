"""Recorded arrivals: the times of a log, with the jobs' keys, sizes, queues and data where it has them."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import KW_ONLY, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from bufsim.checks import NBytes, Seconds, positive
from bufsim.declared import OptionalDuration, OptionalPeriod, Positive, Wide, default, instance, settle, value
from bufsim.errors import InvalidValueError, quoted
from bufsim.files import as_path
from bufsim.formats import duration
from bufsim.model import trace_columns
from bufsim.model.arrivals import Arrivals, Bulk, before
from bufsim.model.distributions import BLOCK, FloatArray
from bufsim.model.recorded import recorded

if TYPE_CHECKING:
    import pandas as pd

    from bufsim.model import trace_reading

IntArray = npt.NDArray[np.int64]
Keep = Literal["pattern", "independent"]
"""What stays of a recording when it is scaled: its pattern in time, or only what each copy is by itself."""
SHIFT = 60.0
"""How far a further copy of a job may lie before it where a trace does not say, s: the hours of a day stay."""


def _times(name: str, given: object) -> FloatArray:
    return trace_columns.times(given)


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
    keep : {"pattern", "independent"}, default "pattern"
        What stays when it is scaled (`scaled`, and wherever a study or a plan scales the load). "pattern": every job
        comes again close to its own time, so that hours and bursts stay where they are, and grow. "independent": whole
        copies are turned in time by chance, so that their hours and bursts do not coincide. See `ScaledTrace`.
    shift : float, str or timedelta, optional
        How far, at most, a job's copies lie before it under "pattern", s, >= 0; 0: at its own time. By default as far
        as the job before it, but at most a minute. One that is longer than the recording is warned of.
    length : float, str or timedelta, optional
        How long was recorded, s, > the last time. By default until just after the last job.

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
    keep: Literal["pattern", "independent"] = "pattern"
    shift: OptionalDuration = default(None)
    length: OptionalPeriod = default(None)

    def __post_init__(self) -> None:
        if self.shift is not None and self.keep != "pattern":
            raise InvalidValueError(f"shift goes with keep='pattern', got keep={self.keep!r}; leave shift out")
        if self.length is not None and self.length <= self.times[-1]:
            raise InvalidValueError(
                f"length must be > the last time = {float(self.times[-1])!r} s, so that all jobs lie within it, "
                f"got {quoted(self.length)}"
            )
        for name, checked in (
            ("keys", trace_columns.keys),
            ("nbytes", trace_columns.nbytes),
            ("queues", trace_columns.queues),
            ("data", tuple),
        ):
            given = getattr(self, name)
            if given is not None:
                settle(self, **{name: checked(trace_columns.column(name, given, len(self.times)))})

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
        keep: Keep = "pattern",
        shift: Seconds | None = None,
        length: Seconds | None = None,
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
        keep, shift, length
            As of the trace.

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
        from bufsim.model import trace_reading

        table = trace_reading.from_frame(df)
        return cls._from_table(
            table, time, unit, key, nbytes, queue, origin, {"keep": keep, "shift": shift, "length": length}
        )

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
        keep: Keep = "pattern",
        shift: Seconds | None = None,
        length: Seconds | None = None,
    ) -> Trace:
        """Return the trace that lies in a CSV file (with a header) or a Parquet file; see `from_frame`.

        Parameters
        ----------
        path : str or Path
            A file that ends in .csv, .csv.gz, .parquet or .pq.
        time, unit, key, nbytes, queue, origin, keep, shift, length
            As in `from_frame`.

        Raises
        ------
        InvalidValueError
            As `from_frame`; for a CSV file the message also says on which line.
        """
        from bufsim.model import trace_reading

        table = trace_reading.from_file(as_path(path))
        return cls._from_table(
            table, time, unit, key, nbytes, queue, origin, {"keep": keep, "shift": shift, "length": length}
        )

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
        scaling: dict[str, Any],
    ) -> Trace:
        from bufsim.model import trace_reading

        return cls(
            trace_reading.seconds(table, time, unit, origin),
            keys=None if key is None else table.column(key).tolist(),
            nbytes=None if nbytes is None else trace_reading.whole_numbers(table, nbytes),
            queues=None if queue is None else trace_reading.names(table, queue),
            **scaling,
        )

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        attributes = [name for name in ("keys", "nbytes", "queues", "data") if getattr(self, name) is not None]
        span = f"{self.times[0]:.6g} .. {self.times[-1]:.6g} s"
        scaling = {"shift": self.shift, "length": self.length}
        further = [f"keep={self.keep!r}"] if self.keep != "pattern" else []
        further += [f"{name}={held!r}" for name, held in scaling.items() if held is not None]
        content = f"<{len(self)} times, {span}{', with ' if attributes else ''}{', '.join(attributes)}>"
        return f"Trace({', '.join([content, *further])})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        return (
            np.array_equal(self.times, other.times)
            and (self.keys, self.queues, self.data) == (other.keys, other.queues, other.data)
            and (self.keep, self.shift, self.length) == (other.keep, other.shift, other.length)
            and (self.nbytes is None) == (other.nbytes is None)
            and (self.nbytes is None or other.nbytes is None or np.array_equal(self.nbytes, other.nbytes))
        )

    def __hash__(self) -> int:
        # of the times alone: keys that are equal may be written differently (1 and 1.0), and data need not be hashable
        return hash(self.times.tobytes())

    def __reduce__(self) -> tuple[functools.partial[Trace], tuple[FloatArray]]:
        # through the constructor: numpy restores arrays as writeable
        names = ("keys", "nbytes", "queues", "data", "keep", "shift", "length")
        return functools.partial(Trace, **{name: getattr(self, name) for name in names}), (self.times,)

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
    def end(self) -> float:
        """The end of the recording, s: its length, else the next double after the last time, so that its job counts."""
        return math.nextafter(float(self.times[-1]), math.inf) if self.length is None else self.length

    @property
    def span(self) -> tuple[float, float]:
        """From the first job on, up to the end of the recording."""
        return float(self.times[0]), self.end

    @property
    def mean_rate(self) -> float:
        """Jobs per second over the length of the recording, by default up to the last time; nan if that is 0."""
        return len(self) / self._period if self._period > 0.0 else math.nan

    @property
    def _period(self) -> float:
        return float(self.times[-1]) if self.length is None else self.length

    @property
    def scaling(self) -> str:
        """What becomes of the jobs when the load is scaled, in words."""
        if self.keep == "independent":
            return (
                "whole copies of the recording, each turned like a ring by a random time of its own, so that neither "
                "their hours nor their bursts coincide (keep='independent')"
            )
        reach = f"earlier by a random time of at most {duration(SHIFT if self.shift is None else self.shift)}"
        if self.shift is None:
            reach += " and not before the job before it"
        if self.shift is not None and self.shift >= self.end:
            return (
                f"each job comes again, {reach}, which is longer than the recording of {duration(self.end)}, so that "
                "copies crowd at its start and its hours do not stay (keep='pattern')"
            )
        when = "at its own time" if self.shift == 0.0 else reach
        return f"each job comes again, {when}, so that the hours of the recording stay (keep='pattern')"

    def expected(self, until: float) -> float:
        """The recorded jobs before `until`."""
        return float(np.searchsorted(self.times, until))

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the recorded times before `until` in blocks; draws nothing."""
        return slices(self.times, until)

    def keeping(self, keep: Keep | None = None, shift: Seconds | None = None) -> Trace:
        """The trace with another `keep` and `shift`; those that are None stay, as far as they fit."""
        if keep is None and shift is None:
            return self
        kept = self.keep if keep is None else keep
        return replace(self, keep=kept, shift=self.shift if shift is None and kept == "pattern" else shift)

    def scaled(self, factor: float, *, keep: Keep | None = None, shift: Seconds | None = None) -> Trace | ScaledTrace:
        """The recording with `factor` times as many arrivals, see `ScaledTrace`; the trace itself for 1.

        Parameters
        ----------
        factor : float
            > 0.
        keep, shift : optional
            In place of the trace's own.

        Examples
        --------
        >>> Trace([0.0, 0.5, 2.0]).scaled(2, keep="independent")
        ScaledTrace(Trace(<3 times, 0 .. 2 s>, keep='independent'), 2.0)
        """
        factor, trace = positive("factor", factor), self.keeping(keep, shift)
        return trace if factor == 1.0 else ScaledTrace(trace, factor)


@value
class ScaledTrace(Arrivals):
    """Several copies of a trace: close to the recorded times, or each turned by chance, as its `keep` says.

    Parameters
    ----------
    trace : Trace
        What was recorded, and what stays of it.
    factor : float
        How many copies, > 0: the whole part in full, and one more in which each job stays with the probability of the
        rest. 2.5 is two copies and half of a third.

    Notes
    -----
    keep="pattern": the first copy is the recording. In each further one the jobs come earlier than recorded, by a
    random time that is uniform from 0 to the trace's `shift`, or, where it has none, to the time since the recorded
    instant before, but at most a minute. Jobs of one instant stay together, as those of a request. What changes more
    slowly than the shift, such as the hours of a day, is kept and multiplied, and so are bursts: the same hours with
    more customers. Since copies come earlier, none lies beyond the recording's end.

    keep="independent": every copy is turned like a ring by a time that is uniform over the trace's length (its
    `length`, else its last time); what is shifted out at the end comes in at the start. The hours and bursts of the
    copies do not coincide: more sources of the same kind, each with hours of its own. Where a recording has a busy
    hour, this spreads it over the day, and too few jobs come in it.

    All is drawn anew in every replication. A job keeps its key, size, queue and data.

    Examples
    --------
    >>> ScaledTrace(Trace([1.0, 2.0, 3.0], shift=0), 2).all_times(np.random.default_rng(1), 4.0).tolist()
    [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    """

    trace: Annotated[Trace, instance(Trace, "a Trace")]
    factor: Positive

    def expanded(self, generator: np.random.Generator, until: float) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Return the arrival times before `until`, and each one's position in the trace."""
        copies = math.floor(self.factor)
        shares = [1.0] * copies + ([self.factor - copies] if self.factor > copies else [])
        parts = [self._copy(number, generator, until, share) for number, share in enumerate(shares)]
        times, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(times, kind="stable")
        return times[order], rows[order]

    def _copy(
        self, number: int, generator: np.random.Generator, until: float, share: float
    ) -> tuple[FloatArray, npt.NDArray[np.intp]]:
        """Return one copy's times before `until`, not yet in order, and their positions."""
        if self.trace.keep == "independent":
            times = self._turned(generator)
        else:
            times = self._earlier(generator) if number else self.trace.times
        kept = times < until
        if share < 1.0:
            kept &= generator.random(len(times)) < share
        return times[kept], np.flatnonzero(kept)

    def _turned(self, generator: np.random.Generator) -> FloatArray:
        """The times of the trace as a ring that is turned by chance."""
        length = self.trace._period
        times: FloatArray = self.trace.times + generator.random() * length
        times[times >= length] -= length
        return times

    # With the default, times 10, 12, 12, 15 and uniforms 0.5, 0.25, 0 (one an instant) make 10 - 0.5·10 = 5,
    # 12 - 0.25·2 = 11.5 twice, and 15: within any (a, b] whose ends are recorded instants a copy has as many jobs as
    # the recording.
    def _earlier(self, generator: np.random.Generator) -> FloatArray:
        """The times of the trace, each instant a random time earlier."""
        instants, positions = recorded(self.trace).instants
        earliest = self._earliest(instants)
        earlier = instants - generator.random(len(instants)) * (instants - earliest)
        # not before, by rounding
        times: FloatArray = np.maximum(earlier, earliest)[positions]
        return times

    def _earliest(self, instants: FloatArray) -> FloatArray:
        """The earliest time of a copy of the jobs of each recorded instant."""
        shift = SHIFT if self.trace.shift is None else self.trace.shift
        earliest: FloatArray = np.maximum(instants - shift, 0.0)
        if self.trace.shift is None:
            earliest[1:] = np.maximum(earliest[1:], instants[:-1])
        return earliest

    @property
    def has_attributes(self) -> bool:
        """Whether the trace has keys, sizes, queues or data."""
        return self.trace.has_attributes

    @property
    def mean_rate(self) -> float:
        """The factor times the trace's rate."""
        return self.trace.mean_rate * self.factor

    @property
    def span(self) -> tuple[float, float]:
        """From the earliest copy of the first job on, for turned copies from 0, up to the end of the recording."""
        if self.trace.keep == "independent":
            return 0.0, self.trace.end
        first = self.trace.times[:1] if self.factor <= 1.0 else self._earliest(self.trace.times[:1])
        return float(first[0]), self.trace.end

    def expected(self, until: float) -> float:
        """The factor times the recorded jobs before `until`; of turned copies those of the whole, in proportion."""
        if self.trace.keep == "independent":
            return self.drawn(until) * min(1.0, until / self.trace.end)
        return self.factor * self.trace.expected(until)

    def drawn(self, until: float) -> float:
        """The jobs of all copies."""
        return self.factor * len(self.trace)

    def blocks(self, generator: np.random.Generator, until: float) -> Iterator[FloatArray]:
        """Yield the arrival times before `until` in blocks; all copies lie in memory."""
        return slices(self.expanded(generator, until)[0], until)

    def scaled(self, factor: float, *, keep: Keep | None = None, shift: Seconds | None = None) -> Trace | ScaledTrace:
        """Return the same trace with both factors in one."""
        return self.trace.scaled(self.factor * positive("factor", factor), keep=keep, shift=shift)


def recording(arrivals: Arrivals) -> Trace | None:
    """The trace from which arrivals come, also in bulks; None where they are drawn."""
    if isinstance(arrivals, Bulk):
        return recording(arrivals.arrivals)
    if isinstance(arrivals, ScaledTrace):
        return arrivals.trace
    return arrivals if isinstance(arrivals, Trace) else None


def is_shifted_too_far(arrivals: Arrivals) -> bool:
    """Whether copies of a recording may lie farther before their jobs than it is long: they crowd at its start."""
    trace = recording(arrivals)
    if trace is None or not is_scaled(arrivals):
        return False
    return trace.keep == "pattern" and trace.shift is not None and trace.shift >= trace.end


def is_scaled(arrivals: Arrivals) -> bool:
    """Whether arrivals are copies of a recording, also in bulks."""
    return is_scaled(arrivals.arrivals) if isinstance(arrivals, Bulk) else isinstance(arrivals, ScaledTrace)


def keeping(arrivals: Arrivals, keep: Keep | None, shift: Seconds | None = None) -> Arrivals:
    """Arrivals whose recording, if there is one, has another `keep` and `shift`."""
    if isinstance(arrivals, Bulk):
        return replace(arrivals, arrivals=keeping(arrivals.arrivals, keep, shift))
    if isinstance(arrivals, ScaledTrace):
        return replace(arrivals, trace=arrivals.trace.keeping(keep, shift))
    return arrivals.keeping(keep, shift) if isinstance(arrivals, Trace) else arrivals


def slices(times: FloatArray, until: float) -> Iterator[FloatArray]:
    """Yield the times before `until` in slices."""
    for first in range(0, len(times), BLOCK):
        piece = times[first : first + BLOCK]
        yield from before(until, piece)
        if piece[-1] >= until:
            return
