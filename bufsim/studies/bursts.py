"""Bursts that last twice as long, at the rate that they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bufsim.model.arrivals import Arrivals, Bulk
from bufsim.model.bursty import Bursty
from bufsim.model.producers import Producer
from bufsim.model.traces import ScaledTrace, Trace
from bufsim.results.words import duration, number
from bufsim.simulation import Simulation

SHARE = 0.1
"""The burst of a recording is the busiest part of it that is so long, as a share of the recording's length."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The busiest part of a trace: the jobs at first ≤ row < last, in [start, start + length).

    Parameters
    ----------
    start, length : float
        s.
    first, last : int
        Rows of the trace.
    """

    start: float
    length: float
    first: int
    last: int


def with_longer_bursts(simulation: Simulation) -> tuple[Simulation, str] | None:
    """Return the model with every burst twice as long at its own rate, and in words what that is; None without bursts.

    Of `Bursty` arrivals, also in `Bulk`, the mean length of a high phase is doubled; both rates, and the low phases,
    stay. Of recorded arrivals the burst is what `busiest` returns; its jobs come once more right after it, with the
    same keys, sizes and data, and all later jobs come by its length later. A run of a trace as recorded is longer by
    that length, so that nothing drops out at its end; the copies of a scaled trace, which are rings, each hold the
    longer burst.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer
    >>> edits = Producer("edits", Bursty(100.0, 1.0, mean_high=2.0, mean_low=8.0))
    >>> simulation = Simulation(producers=[edits], buffers=[JobBuffer("search", policy=FlushEvery("5s"))], until="1min")
    >>> model, said = with_longer_bursts(simulation)
    >>> model.producers[0].arrivals, said
    (Bursty(100.0, 1.0, 4.0, 8.0), 'edits: high phases last 4 s on average, in place of 2 s, at the same rates')
    """
    changed = [_longer(producer, simulation.until) for producer in simulation.producers]
    said = [words for _, words, _ in changed if words]
    if not said:
        return None
    producers = tuple(producer for producer, _, _ in changed)
    until = simulation.until + max(added for _, _, added in changed)
    return replace(simulation, producers=producers, until=until), "; ".join(said)


def busiest(times: Sequence[float] | np.ndarray, length: float) -> Burst:
    """Return the window of a length that starts at an arrival and holds the most of them, the first of equals.

    Parameters
    ----------
    times : array of float
        Sorted, s.
    length : float
        Of the window, which is open at its end, s.

    Examples
    --------
    >>> busiest([0.0, 4.0, 5.0, 5.5, 9.0, 9.5, 9.9], 2.0)
    Burst(start=4.0, length=2.0, first=1, last=4)
    """
    arrivals = np.asarray(times, dtype=np.float64)
    ends = np.searchsorted(arrivals, arrivals + length)
    first = int(np.argmax(ends - np.arange(len(arrivals))))
    return Burst(float(arrivals[first]), length, first, int(ends[first]))


def _longer(producer: Producer, until: float) -> tuple[Producer, str, float]:
    """Return a producer with longer bursts, in words what they are, and by how much the run gets longer."""
    trace = producer.trace
    if trace is not None:
        return _repeated(producer, trace, until)
    arrivals, words = _longer_phases(producer.arrivals)
    return replace(producer, arrivals=arrivals), words and f"{producer.name}: {words}", 0.0


def _longer_phases(arrivals: Arrivals) -> tuple[Arrivals, str]:
    if isinstance(arrivals, Bulk):
        inner, words = _longer_phases(arrivals.arrivals)
        return replace(arrivals, arrivals=inner), words
    if not isinstance(arrivals, Bursty):
        return arrivals, ""
    longer = replace(arrivals, mean_high=2.0 * arrivals.mean_high)
    before, now = duration(arrivals.mean_high), duration(longer.mean_high)
    return longer, f"high phases last {now} on average, in place of {before}, at the same rates"


def _repeated(producer: Producer, trace: Trace, until: float) -> tuple[Producer, str, float]:
    is_scaled = isinstance(producer.arrivals, ScaledTrace)
    # a ring is turned, so that any of it may come; of a trace as recorded the run sees the beginning
    seen = trace.times if is_scaled else trace.times[trace.times < until]
    length = SHARE * float(seen[-1]) if len(seen) else 0.0
    if not length:
        return producer, "", 0.0
    burst = busiest(seen, length)
    longer = _with_twice(trace, burst)
    arrivals = replace(producer.arrivals, trace=longer) if isinstance(producer.arrivals, ScaledTrace) else longer
    data = producer.data
    if isinstance(data, Sequence):
        data = _taken(data, _rows(burst, len(trace)))
    words = (
        f"{producer.name}: the busiest {duration(burst.length)} of the recording, from {duration(burst.start)} on with "
        f"{number(burst.last - burst.first)} jobs, come twice, one after the other"
    )
    return replace(producer, arrivals=arrivals, data=data), words, 0.0 if is_scaled else burst.length


def _with_twice(trace: Trace, burst: Burst) -> Trace:
    rows = _rows(burst, len(trace))
    later = np.arange(len(rows)) >= burst.last
    times = trace.times[rows] + np.where(later, burst.length, 0.0)
    columns = {name: getattr(trace, name) for name in ("keys", "queues", "data")}
    kept = {name: None if column is None else _taken(column, rows) for name, column in columns.items()}
    return Trace(times, nbytes=None if trace.nbytes is None else trace.nbytes[rows], **kept)


def _rows(burst: Burst, count: int) -> np.ndarray:
    """Return the rows of a trace in the order in which they come, those of the burst twice."""
    return np.concatenate((np.arange(burst.last), np.arange(burst.first, count)))


def _taken(column: Sequence[Any], rows: np.ndarray) -> tuple[Any, ...]:
    return tuple(column[row] for row in rows.tolist())
