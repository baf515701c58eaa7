"""The samples of durations that the tables hold, from which quantiles are exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from bufsim.results.histograms import rank
from bufsim.results.schemas import TableName
from bufsim.results.window import Floats, Window


class _Source(NamedTuple):
    """The table that has a sample, the columns of its begin and end, and the column that groups it."""

    table: TableName
    begin: str
    end: str
    group: str


_SOURCES: Mapping[str, _Source] = {
    "wait_s": _Source("jobs", "created_at", "flushed_at", "buffer"),
    "end_to_end_s": _Source("jobs", "created_at", "finished_at", "queue"),
    "queue_wait_s": _Source("work", "queued_at", "started_at", "queue"),
}
SAMPLES = frozenset(_SOURCES)


def durations(table: Callable[[TableName], pd.DataFrame], window: Window, name: str, of: str | None) -> Floats:
    """Return the sorted durations whose end lies in the window, s.

    Parameters
    ----------
    table : callable
        Gives a table by its name.
    window : Window
        The part of the run that counts.
    name : str
        One of `SAMPLES`.
    of : str or None
        A buffer or a queue; None for all.
    """
    source = _SOURCES[name]
    rows = table(source.table)
    begin, end = rows[source.begin].to_numpy(), rows[source.end].to_numpy()
    seen = window.holds(end)
    if of is not None:
        seen &= (rows[source.group] == of).to_numpy()
    values: Floats = np.sort(end[seen] - begin[seen])
    return values


def quantile(values: Floats, q: float) -> float:
    """Return the q-quantile of sorted values: the least with at least a share q at or below it; nan of none.

    Examples
    --------
    >>> quantile(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
    2.0
    """
    return float(values[rank(q, len(values))]) if len(values) else float("nan")
