"""What the methods of plots say of themselves: what the functions say that draw for them, without what they fill in."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from bufsim.plots.batch_sizes import batch_sizes, batch_sizes_frame
from bufsim.plots.levels import SizeUnit, buffer_size, buffer_size_frame
from bufsim.plots.loss_at_stop import loss_at_stop, loss_at_stop_frame
from bufsim.plots.queue import queue, queue_frame
from bufsim.plots.waits import waits, waits_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bufsim.results.result import Result


_Method = TypeVar("_Method", bound=Callable[..., Any])
_PARAMETERS = re.compile(r"(?<=    Parameters\n    ----------\n).*?(?=\n\n|\n    $|\Z)", re.DOTALL)
_ENTRY = re.compile(r"\n(?=    \S)")


def drawn_by(function: Callable[..., Any]) -> Callable[[_Method], _Method]:
    """Give a method, behind its own first line, what the docstring of a function says of the arguments that both take.

    Examples
    --------
    >>> def draw(result, limit):
    ...     \"\"\"Draw.
    ...
    ...     Parameters
    ...     ----------
    ...     result : Result
    ...         The run.
    ...     limit : float
    ...         A line.
    ...     \"\"\"
    >>> @drawn_by(draw)
    ... def method(self, limit):
    ...     \"\"\"Draw the run.\"\"\"
    >>> inspect.getdoc(method).splitlines()[-2:]
    ['limit : float', '    A line.']
    """

    def decorate(method: _Method) -> _Method:
        # python -OO leaves none
        if method.__doc__ and function.__doc__:
            rest = function.__doc__.partition("\n\n")[2]
            names = inspect.signature(method).parameters
            method.__doc__ += "\n\n" + _PARAMETERS.sub(lambda found: _only(found.group(), names), rest)
        return method

    return decorate


def _only(entries: str, names: Collection[str]) -> str:
    """Return the entries of parameters that have one of these names."""
    kept = [entry for entry in _ENTRY.split(entries) if _named(entry) & set(names)]
    return "\n".join(kept)


def _named(entry: str) -> set[str]:
    return set(re.findall(r"\w+", entry.partition(" : ")[0]))


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
