"""How the tally of a run is made from what an engine wrote down; see `bufsim.results.tallies` for what it means."""

from __future__ import annotations

import numpy as np

from bufsim.model.declaration import Declaration
from bufsim.results.buffer_tallying import Buffers, Downtimes
from bufsim.results.copies import OUTCOMES, Copies, Floats
from bufsim.results.queue_tallying import Works, end_to_end
from bufsim.results.series import Series
from bufsim.results.tallies import QueueTally, Tally
from bufsim.results.window import Window


def tally(simulation: Declaration, copies: Copies, busy_times: Floats, downtimes: Downtimes) -> Tally:
    """Return the tally of a run.

    Parameters
    ----------
    simulation : Declaration
        What ran.
    copies : Copies
        What the engine wrote down, and what became of each row.
    busy_times : array of float64
        The busy time of each work, s.
    downtimes : sequence of (stop, restart)
        When the server was down, s.
    """
    window = Window(simulation.warm_up, simulation.until)
    record = copies.record
    buffers = Buffers(simulation, copies, downtimes, window)
    of_buffers = {name: buffers.tally(index) for index, name in enumerate(record.buffers)}
    of_queues = _queues(simulation, copies, busy_times, window)
    all_works = Works(record, busy_times, window, slice(None))
    return Tally(
        window=window,
        jobs=len(record.job_time),
        rows=len(copies),
        outcomes=tuple(np.bincount(copies.outcome, minlength=len(OUTCOMES)).tolist()),
        passed_by=int(buffers.arrivals[0]),
        passed_by_lost=tuple(buffers.lost[0].tolist()),
        buffers=of_buffers,
        queues=of_queues,
        buffer_levels=buffers.all_levels([one.levels for one in of_buffers.values()]),
        queue_levels=all_works.levels() if len(of_queues) > 1 else next(iter(of_queues.values())).levels,
        buffered=buffers.series(),
        unfinished=_unfinished(simulation, copies, busy_times, window),
    )


def _unfinished(simulation: Declaration, copies: Copies, busy_times: Floats, window: Window) -> Series:
    """Return the series of the works of the queues that have workers: in the others they only gather."""
    record = copies.record
    served = [index for index, name in enumerate(record.queues) if simulation.workers_of(name)]
    rows = slice(None) if len(served) == len(record.queues) else np.flatnonzero(np.isin(record.work_queue, served))
    return Works(record, busy_times, window, rows).series()


def _queues(simulation: Declaration, copies: Copies, busy_times: Floats, window: Window) -> dict[str, QueueTally]:
    record = copies.record
    times = end_to_end(copies, window, len(record.queues))
    tallies = {}
    for index, name in enumerate(record.queues):
        rows = slice(None) if len(record.queues) == 1 else np.flatnonzero(record.work_queue == index)
        workers = simulation.workers_of(name)
        works = Works(record, busy_times, window, rows)
        tallies[name] = works.tally(workers.concurrency if workers else 0, times[index])
    return tallies
