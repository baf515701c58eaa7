"""What the compiled engine keeps of a run in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Accumulators:
    """What is kept of a run in bounded memory, from which `bufsim.results.streamed` makes a tally.

    Parameters
    ----------
    run : array of one record
        Of the dtype `kernel_state.RUN`: counts of the whole run.
    buffers, queues : arrays of records
        Of the dtypes `kernel_state.BUFFER` and `kernel_state.QUEUE`: their counts and sums.
    levels, samples : arrays of records
        Of the dtypes `kernel_levels.LEVEL` and `kernel_levels.SAMPLE`; they and the others say what stands where.
    counts : array of int64
        Rows lost by cause; for each buffer rows lost and flushes by cause, and batch sizes; durations; all by bins.
    seconds : array of float64
        The time at each value of a level, and integrals.
    flushes : dict of arrays, or None
        The columns of the flushes, as in `recording.Recording`, if they are kept.
    buffer_ids, queue_names, causes : sequence of str
        The names of what is numbered.
    """

    run: npt.NDArray[Any]
    buffers: npt.NDArray[Any]
    queues: npt.NDArray[Any]
    levels: npt.NDArray[Any]
    samples: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    flushes: dict[str, npt.NDArray[Any]] | None
    buffer_ids: Sequence[str]
    queue_names: Sequence[str]
    causes: Sequence[str]
