"""The plots of results: each function draws one or several results and returns matplotlib Axes.

Every plot takes ``ax=None``, never shows itself, and has a sibling ``<plot>_frame`` that returns the numbers that it
draws as a tidy DataFrame. ``result.plot.<plot>()`` draws one result. Where there are several panels (of buffers, of
queues, of results whose buffer sizes are compared) `ax` takes as many Axes, and an array of Axes comes back. In a
figure of your own, ``layout="constrained"`` makes room for titles, keys and the counts below an axis.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bufsim.results.plots.batch_sizes import batch_sizes, batch_sizes_frame
from bufsim.results.plots.buffer_size import SizeUnit, buffer_size, buffer_size_frame
from bufsim.results.plots.loss_at_stop import loss_at_stop, loss_at_stop_frame
from bufsim.results.plots.method_docs import drawn_by
from bufsim.results.plots.queue import queue, queue_frame
from bufsim.results.plots.waits import waits, waits_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bufsim.results.result import Result

__all__ = [
    "ResultPlots",
    "batch_sizes",
    "batch_sizes_frame",
    "buffer_size",
    "buffer_size_frame",
    "loss_at_stop",
    "loss_at_stop_frame",
    "queue",
    "queue_frame",
    "waits",
    "waits_frame",
]


@dataclass(frozen=True, slots=True, eq=False)
class ResultPlots:
    """The pictures of one result: ``result.plot.buffer_size()`` and its siblings.

    Each method draws what the function of the same name draws for this result alone; see there.

    Parameters
    ----------
    result : Result
        What is drawn.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, Simulation
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(10.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
    ...     until="1min",
    ... )
    >>> ax = simulation.run(seed=1).plot.buffer_size()
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('time, s', 'buffer size, jobs')
    """

    result: Result

    @drawn_by(buffer_size)
    def buffer_size(
        self,
        *,
        ax: Axes | Sequence[Axes] | None = None,
        buffer: str | None = None,
        unit: SizeUnit = "jobs",
        limit: float | None = None,
    ) -> Axes | npt.NDArray[np.object_]:
        """Draw the buffer size over time, with each flush and its cause."""
        return buffer_size(self.result, ax=ax, buffer=buffer, unit=unit, limit=limit)

    @drawn_by(batch_sizes)
    def batch_sizes(
        self, *, ax: Axes | Sequence[Axes] | None = None, buffer: str | None = None
    ) -> Axes | npt.NDArray[np.object_]:
        """Draw the distribution of the batch sizes by cause, before and after reduce."""
        return batch_sizes(self.result, ax=ax, buffer=buffer)

    @drawn_by(waits)
    def waits(
        self,
        *,
        ax: Axes | Sequence[Axes] | None = None,
        buffer: str | None = None,
        slo: float | str | dt.timedelta | None = None,
        tail: bool = False,
        log: bool = False,
    ) -> Axes | npt.NDArray[np.object_]:
        """Draw the distribution of the waits, and the share beyond an SLO."""
        return waits(self.result, ax=ax, buffer=buffer, slo=slo, tail=tail, log=log)

    @drawn_by(loss_at_stop)
    def loss_at_stop(self, *, ax: Axes | None = None, log: bool = False) -> Axes:
        """Draw the chance that more than so many jobs are lost if the server stops at a random moment."""
        return loss_at_stop(self.result, ax=ax, log=log)

    @drawn_by(queue)
    def queue(
        self, *, ax: Axes | Sequence[Axes] | None = None, queue: str | None = None
    ) -> Axes | npt.NDArray[np.object_]:
        """Draw the queue behind the flush and its workers over time."""
        # the argument hides the function's name
        return _queue(self.result, ax=ax, queue=queue)


_queue = queue
