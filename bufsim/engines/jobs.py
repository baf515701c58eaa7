"""Jobs as columns, and the order in which several producers' jobs arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt


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
