"""The summary of one or several runs: what a planner asks first, side by side."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bufsim.results.metrics import find
from bufsim.results.result import Result
from bufsim.results.words import number, percent

ROWS: Mapping[str, tuple[str, ...]] = {
    "jobs that arrived": ("arrivals_jobs",),
    "buffer size, average / peak, jobs": ("mean_buffer_size_jobs", "peak_buffer_size_jobs"),
    "wait, mean / p99, s": ("mean_wait_s", "p99_wait_s"),
    "flushes": ("flush_count",),
    "batch size, mean / largest, jobs": ("mean_batch_size_jobs", "largest_batch_size_jobs"),
    "longest flush, s": ("longest_flush_s",),
    "jobs handed to the queue": ("handed_jobs",),
    "work saved by reduce": ("work_saved_share",),
    "items in one job of the queue, largest": ("largest_work_items",),
    "queue size, average / peak, jobs": ("mean_queue_size_jobs", "peak_queue_size_jobs"),
    "workers in service": ("utilisation",),
    "arrival to finish, mean / p99, s": ("mean_end_to_end_s", "p99_end_to_end_s"),
    "lost if stopped at random, mean / p99, jobs": ("mean_loss_at_stop_jobs", "p99_loss_at_stop_jobs"),
    "jobs lost": ("lost_jobs",),
}
"""The rows of the summary, and the metrics in each; of all buffers and queues together."""
_BEHIND_THE_FLUSH = ("mean_queue_size_jobs", "utilisation", "mean_end_to_end_s")


def table(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return the summary's metrics, a row each, and the runs, a column each."""
    names = [name for row in ROWS.values() for name in row]
    frame = pd.DataFrame({label: [result.metric(name) for name in names] for label, result in results.items()}, names)
    return frame.rename_axis(index="metric")


def text(metrics: pd.DataFrame) -> str:
    """Return the summary for people: one line a row, numbers in three digits; without workers nothing on the queue."""
    served = bool(metrics.loc["utilisation"].notna().any())
    values = metrics.to_dict(orient="index")
    lines = [["", *map(str, metrics.columns)]]
    for row, names in ROWS.items():
        if served or names[0] not in _BEHIND_THE_FLUSH:
            cells = [[_written(name, value) for value in values[name].values()] for name in names]
            lines.append([row, *(" / ".join(cell) for cell in zip(*cells, strict=True))])
    return columns(lines)


def columns(lines: list[list[str]]) -> str:
    """Return lines of cells in columns, the first to the left.

    Examples
    --------
    >>> print(columns([["", "a"], ["flushes", "41"]]))
              a
    flushes  41
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = []
    for first, *others in lines:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        rows.append("  ".join(cells).rstrip())
    return "\n".join(rows)


def _written(name: str, value: float) -> str:
    return percent(value) if find(name).unit == "" else number(value)
