"""Capacity: what a buffer can hold, and which job goes when it is full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bufsim import checks
from bufsim.checks import NBytes
from bufsim.errors import InvalidValueError
from bufsim.model import reprs


@dataclass(frozen=True, slots=True, repr=False)
class Capacity:
    """What a buffer can hold, tested when a job arrives and before it is stored; jobs in flight do not count.

    Parameters
    ----------
    jobs : int, optional
        The most jobs, ≥ 1.
    nbytes : int or str, optional
        The most bytes, ≥ 1; ``"64 MiB"`` is understood. A job larger than this is itself dropped under both rules.
    on_full : {"drop_newest", "drop_oldest"}
        Which job is lost: the one that arrives, or as many of the oldest as make room for it.

    Examples
    --------
    >>> Capacity(jobs=2048, on_full="drop_oldest")  # a bounded deque
    Capacity(jobs=2048, on_full='drop_oldest')
    """

    jobs: int | None = None
    nbytes: int | None = None
    on_full: Literal["drop_newest", "drop_oldest"] = "drop_newest"

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            jobs: int | None = ...,
            nbytes: NBytes | None = ...,
            on_full: Literal["drop_newest", "drop_oldest"] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.jobs is None and self.nbytes is None:
            raise InvalidValueError(
                "Capacity needs jobs or nbytes, got neither; a buffer without a limit has no Capacity"
            )
        if self.jobs is not None:
            object.__setattr__(self, "jobs", checks.integer("jobs", self.jobs, at_least=1))
        if self.nbytes is not None:
            object.__setattr__(self, "nbytes", checks.nbytes("nbytes", self.nbytes, at_least=1))
        checks.one_of("on_full", self.on_full, ("drop_newest", "drop_oldest"))

    __repr__ = reprs.call
