"""Levels: the step functions of time that plots show, made from the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim.engines.stop_times import stop_times as engines_stop_times
from bufsim.results.steps import Steps
from bufsim.results.window import Window

if TYPE_CHECKING:
    from bufsim.results.result import Result

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_LOST_AT_A_STOP = ("buffer", "in_flight", "queue")


def rows_of(table: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    """Return the rows of a table whose category in `column` is `name`."""
    codes = table[column].cat.codes.to_numpy()
    wanted = codes == table[column].cat.categories.get_indexer(pd.Index([name]))[0]
    return table if wanted.all() else table[wanted]


# stops


def stop_times(result: Result) -> list[tuple[float, float]]:
    """Return when the server stopped and restarted in the run, s.

    A result that was loaded knows its simulation as text only: then the stops are those that lost a job, and the
    restarts, which are not known, the same times.
    """
    if isinstance(result.simulation, str):
        times, _ = losses(result)
        return [(time, time) for time in np.unique(times).tolist()]
    return engines_stop_times(
        result.simulation.stops, seed=result.seed, replication=result.replication, until=result.window.end
    )


def losses(result: Result) -> tuple[FloatArray, IntArray]:
    """Return the times of the stops that lost jobs, s, and how many jobs each lost."""
    jobs = result.jobs
    times = jobs["lost_at"].to_numpy()[jobs["loss_cause"].isin(_LOST_AT_A_STOP).to_numpy()]
    return np.unique(times, return_counts=True)


def next_stop(result: Result, times: FloatArray) -> FloatArray:
    """Return the first stop after each of the `times`, or infinity, s."""
    stops = np.array([stop for stop, _ in stop_times(result)] + [np.inf])
    # what happens at the instant of a stop comes after it
    return stops[np.searchsorted(stops, times, side="right")]


def before(steps: Steps, times: npt.ArrayLike) -> IntArray:
    """Return the levels just before the `times`."""
    return np.append(0, steps.levels)[np.searchsorted(steps.times, times)]


# levels


def buffered(result: Result, buffer: str, column: str = "size") -> Steps:
    """Return how many jobs, or with the column ``"nbytes"`` bytes, are in a buffer."""
    rows = rows_of(result.buffer_size, "buffer", buffer)
    return Steps(rows["time"].to_numpy(), rows[column].to_numpy())


def in_flight(result: Result) -> Steps:
    """Return how many jobs are taken from a buffer but not yet in the queue, in all buffers."""
    start, end, jobs = (result.flushes[name].to_numpy() for name in ("start", "end", "batch_size"))
    end = np.where(np.isnan(end), next_stop(result, start), end)
    ended = np.isfinite(end)
    return Steps.of_changes((start, jobs), (end[ended], -jobs[ended]))


def queued(result: Result) -> Steps:
    """Return how many jobs lie in the queues or are in service; each of the jobs that a work carries counts."""
    jobs, flushes = result.jobs, result.flushes
    # the last place is for jobs without a flush, and a flush that handed over nothing brought no job to a queue
    end = np.append(flushes["end"].to_numpy(), np.nan)
    handed = result.work["flush_id"].dropna().to_numpy(dtype=np.int64)
    end[np.setdiff1d(np.arange(len(flushes)), handed)] = np.nan
    passed_by = jobs["buffer"].isna().to_numpy() & jobs["work_id"].notna().to_numpy()
    flush = jobs["flush_id"].to_numpy(dtype=np.int64, na_value=-1)
    entered = np.where(passed_by, jobs["created_at"].to_numpy(), end[flush])
    lost = np.where((jobs["loss_cause"] == "queue").to_numpy(), jobs["lost_at"].to_numpy(), np.nan)
    return _between(entered, np.where(np.isnan(lost), jobs["finished_at"].to_numpy(), lost))


def waiting(result: Result, queue: str) -> Steps:
    """Return how many jobs of a queue have not been started yet, a step an instant."""
    work = rows_of(result.work, "queue", queue)
    return lasting(_between(work["queued_at"].to_numpy(), _else_lost(result, work, "started_at")))


def in_service(result: Result, queue: str) -> Steps:
    """Return how many jobs of a queue have been started and are not finished, a step an instant."""
    work = rows_of(result.work, "queue", queue)
    return lasting(_between(work["started_at"].to_numpy(), _else_lost(result, work, "finished_at")))


def _else_lost(result: Result, work: pd.DataFrame, end: str) -> FloatArray:
    """Return the times in a column of `work`; where there is none, that of the stop that lost the work, or NaN."""
    times = work[end].to_numpy()
    lost = np.isnan(times) & (work["outcome"] == "lost").to_numpy()
    return np.where(lost, next_stop(result, work["queued_at"].to_numpy()), times)


def _between(start: FloatArray, end: FloatArray) -> Steps:
    """Return how many intervals are open; NaN starts none, or ends none."""
    end = end[~np.isnan(start) & ~np.isnan(end)]
    start = start[~np.isnan(start)]
    return Steps.of_changes((start, np.ones(len(start), np.int64)), (end, -np.ones(len(end), np.int64)))


def lasting(steps: Steps) -> Steps:
    """Return the level from 0 s on with one step an instant: the last, which holds."""
    last = np.append(steps.times[1:] != steps.times[:-1], np.ones(min(len(steps.times), 1), dtype=bool))
    times, levels = steps.times[last], steps.levels[last]
    if len(times) and times[0] == 0.0:
        return Steps(times, levels)
    return Steps(np.append(0.0, times), np.append(np.int64(0), levels))


# time


def shares(steps: Steps, window: Window, gaps: Sequence[tuple[float, float]] = ()) -> tuple[IntArray, FloatArray]:
    """Return the levels of a window that last, in order, and the share of the time without the gaps spent at each.

    Both are empty if the gaps leave no time.
    """
    levels, bounds = steps.within(window)
    spans = np.diff(bounds) - np.diff(_gone(bounds, gaps))
    heights, place = np.unique(levels, return_inverse=True)
    weights = np.bincount(place, weights=spans, minlength=len(heights))
    # a level that lasts for the rounding of a gap's bounds does not last
    held = weights > 1e-12 * window.span
    return heights[held], weights[held] / weights[held].sum()


def _gone(times: FloatArray, gaps: Sequence[tuple[float, float]]) -> FloatArray:
    """Return how much of the gaps, which do not overlap, has passed at each of the times."""
    if not len(gaps):
        return np.zeros_like(times)
    lengths = np.array([[0.0, end - start] for start, end in gaps])
    gone: FloatArray = np.interp(times, np.ravel(gaps), np.cumsum(lengths))
    return gone
