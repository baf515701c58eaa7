"""Producers: what creates jobs, and with which attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bufsim import checks
from bufsim.checks import NBytes
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import reprs
from bufsim.model.arrivals import Arrivals, as_arrivals
from bufsim.model.distribution import DistributionLike
from bufsim.model.keys import Keys
from bufsim.model.sampling import as_distribution
from bufsim.model.traces import ScaledTrace, Trace


@dataclass(frozen=True, slots=True, repr=False)
class Producer:
    """What creates jobs over time: an arrival process and the jobs' attributes.

    Parameters
    ----------
    name : str
        The producer's name; its random draws depend on it, and on nothing else in the model.
    arrivals : Arrivals
        When jobs are created.
    queue : str, optional
        The job queue for which the jobs are meant; by default what the trace says, else "default".
    keys : Keys, optional
        `Zipf` or `UniformKeys`; by default what the trace says, else jobs have no keys.
    nbytes : int, str, Distribution or frozen scipy.stats distribution, optional
        Size of a job in bytes, >= 0, also as in "2 KiB"; draws are rounded to whole numbers. By default what the trace
        says, else 0.
    data : callable or sequence, optional
        The jobs' payload: a function of the job's number within the producer, from 0, or one value a job (with a trace:
        a row of the trace). By default what the trace says, else None.

    Examples
    --------
    >>> from bufsim.model.arrivals import Poisson
    >>> from bufsim.model.keys import Zipf
    >>> Producer("edits", Poisson(10), keys=Zipf(9000, 0.9)).queues
    ('default',)
    """

    name: str
    arrivals: Arrivals
    queue: str | None = field(default=None, kw_only=True)
    keys: Keys | None = field(default=None, kw_only=True)
    nbytes: int | DistributionLike | None = field(default=None, kw_only=True)
    data: Callable[[int], Any] | Sequence[Any] | None = field(default=None, kw_only=True, hash=False)

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            name: str,
            arrivals: Arrivals,
            *,
            queue: str | None = ...,
            keys: Keys | None = ...,
            nbytes: NBytes | DistributionLike | None = ...,
            data: Callable[[int], Any] | Sequence[Any] | None = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        checks.text("name", self.name)
        as_arrivals("arrivals", self.arrivals)
        if self.keys is not None and not isinstance(self.keys, Keys):
            raise InvalidTypeError(
                f"keys must be Zipf or UniformKeys, got {self.keys!r}; recorded keys go into a Trace"
            )
        trace = self.trace
        object.__setattr__(self, "queue", self._queue(trace))
        object.__setattr__(self, "nbytes", self._nbytes(trace))
        object.__setattr__(self, "data", self._data(trace))

    @property
    def trace(self) -> Trace | None:
        """The trace from which the jobs come, if they do."""
        if isinstance(self.arrivals, ScaledTrace):
            return self.arrivals.trace
        return self.arrivals if isinstance(self.arrivals, Trace) else None

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of the queues for which jobs are meant, in order of first appearance."""
        if self.queue is not None:
            return (self.queue,)
        trace = self.trace
        return () if trace is None else tuple(dict.fromkeys(trace.queues or ()))

    def scaled(self, factor: float) -> Producer:
        """Return the producer with `factor` times as many jobs."""
        return replace(self, arrivals=self.arrivals.scaled(factor))

    def _queue(self, trace: Trace | None) -> str | None:
        if self.queue is not None:
            return checks.text("queue", self.queue)
        return None if trace is not None and trace.queues is not None else "default"

    def _nbytes(self, trace: Trace | None) -> int | DistributionLike | None:
        if self.nbytes is None:
            return None if trace is not None and trace.nbytes is not None else 0
        if isinstance(self.nbytes, int | np.integer | str):
            return checks.nbytes("nbytes", self.nbytes, at_least=0)
        return as_distribution("nbytes", self.nbytes)

    def _data(self, trace: Trace | None) -> Callable[[int], Any] | tuple[Any, ...] | None:
        if self.data is None or callable(self.data):
            return self.data
        if isinstance(self.data, str | bytes) or not isinstance(self.data, Sequence):
            raise InvalidTypeError(f"data must be a function of the job's number or a sequence, got {self.data!r}")
        if trace is not None and len(self.data) != len(trace):
            raise InvalidValueError(f"data must have one value a row of the trace = {len(trace)}, got {len(self.data)}")
        return tuple(self.data)

    __repr__ = reprs.call
