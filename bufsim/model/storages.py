"""Storage: where buffered jobs lie until a flush, and what a stop or a flush can lose there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bufsim import checks
from bufsim.checks import Seconds
from bufsim.errors import InvalidTypeError
from bufsim.model import reprs
from bufsim.vendure import InMemoryJobBufferStorageStrategy, JobBufferStorageStrategy


@dataclass(frozen=True, slots=True, repr=False)
class Storage:
    """Where buffered jobs lie until a flush.

    Parameters
    ----------
    durable : bool
        Whether buffered jobs outlive a stop of the server. Vendure's default, in memory, is not durable. Batches in
        flight are lost at a stop with either, as recorded.
    read_delete_window : float, str or timedelta
        Between reading a batch and deleting it, s, ≥ 0. A store that reads, then deletes, without a transaction loses
        the jobs that arrive in between (recorded on SQL and on Redis); the flush takes that much longer.
    strategy : callable
        Makes the storage strategy that holds the jobs during a run: a class, or any function without arguments.

    Notes
    -----
    Two things differ from what was recorded of Vendure's own stores (SQL and Redis):

    - An empty buffer is never flushed here, so that such a flush loses nothing. The real ones read and delete at every
      flush that is called: one that reads nothing deletes what comes within its window. Where a period brings few jobs,
      a run therefore loses less than the real store and than `bufsim.theory.race_loss_periodic`.
    - A stop during a flush loses the whole batch here, since jobs reach the queue at the flush's end. Recorded was that
      of 50 jobs, killed when the queue had accepted k, 50 − k were lost with every strategy: those queued were saved.

    Examples
    --------
    >>> Storage(durable=True, read_delete_window="30ms")  # SQL, as recorded
    Storage(durable=True, read_delete_window=0.03)
    """

    durable: bool = False
    read_delete_window: float = 0.0
    strategy: Callable[[], JobBufferStorageStrategy] = InMemoryJobBufferStorageStrategy

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            durable: bool = ...,
            read_delete_window: Seconds = ...,
            strategy: Callable[[], JobBufferStorageStrategy] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        window: Seconds = self.read_delete_window
        window = checks.not_negative("read_delete_window", checks.seconds("read_delete_window", window))
        object.__setattr__(self, "read_delete_window", window)
        if not isinstance(self.durable, bool):
            raise InvalidTypeError(f"durable must be True or False, got {self.durable!r}")
        if not callable(self.strategy):
            raise InvalidTypeError(
                f"strategy must make a storage strategy when called, got {self.strategy!r}; "
                "give the class, or lambda: your_storage"
            )

    __repr__ = reprs.call
