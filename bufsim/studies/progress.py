"""One bar for a study: replications done, and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with the replications done, and with all."""
PATIENCE = 1.0
"""A study that is done sooner, s, shows no bar."""


@contextmanager
def shown(progress: bool | Progress | None, total: int, done: int) -> Iterator[Callable[[], None]]:
    """Yield what to call after each replication.

    Parameters
    ----------
    progress : bool, callable or None
        Whether to show a bar, or what to call; None shows one if it takes long.
    total, done : int
        All replications, and those done already.
    """
    if callable(progress):
        yield _Caller(progress, total, done)
        return
    if progress is False:
        yield lambda: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        # a bar is a comfort: without the library there is none, unless it was asked for
        if progress:
            raise
        yield lambda: None
        return
    delay = 0.0 if progress else PATIENCE
    with tqdm(total=total, initial=done, desc="replications", unit="run", delay=delay, leave=bool(progress)) as bar:

        def advance() -> None:
            bar.update()

        yield advance


class _Caller:
    """Counts replications for a user's own function."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress, self._total, self._done = progress, total, done

    def __call__(self) -> None:
        self._done += 1
        self._progress(self._done, self._total)
