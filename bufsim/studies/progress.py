"""The progress of a study: one bar, with the replications done and the time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bufsim.errors import InvalidTypeError, MissingExtraError, quoted

Progress = Callable[[int, int], None]
"""A function that is called with the replications done, and with all."""
PATIENCE = 1.0
"""A study that is done sooner, s, shows no bar."""


class Bar:
    """A bar for the replications of a study; this one is quiet."""

    speaks = False
    """Whether it shows what it is given to say."""

    def advance(self, count: int) -> None:
        """Take note of so many more."""

    def say(self, text: str) -> None:
        """Say something, in a line of its own."""


@contextmanager
def show_progress(progress: bool | Progress | None, total: int, done: int) -> Iterator[Bar]:
    """Show a bar, or what else takes note of the replications that come in, while they do.

    Parameters
    ----------
    progress : bool, callable or None
        Whether to show a bar, or what to call; None shows one if it takes long.
    total, done : int
        All replications, and those done already.
    """
    if progress is not None and not callable(progress) and not isinstance(progress, bool):
        raise InvalidTypeError(
            f"progress must be True, False or a function of the replications done and all, got {quoted(progress)}"
        )
    if callable(progress):
        yield _Calls(progress, total, done)
        return
    if progress is False:
        yield Bar()
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress:
            raise MissingExtraError(
                'progress=True needs tqdm: install it with pip install "bufsim[studies]", or give a function'
            ) from None
        yield _Lines()  # a bar is a comfort: it was not asked for
        return
    delay = 0.0 if progress else PATIENCE
    with tqdm(total=total, initial=done, desc="replications", unit="run", delay=delay, leave=bool(progress)) as bar:
        yield _Tqdm(bar)


class _Lines(Bar):
    """Lines without a bar."""

    speaks = True

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)


class _Tqdm(Bar):
    """A bar of tqdm's."""

    speaks = True

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._has_spoken = False

    def advance(self, count: int) -> None:
        if self._has_spoken:
            # what was said, such as that the engine compiles, took its time, and no run did: else days would be left
            self._bar.unpause()
            self._has_spoken = False
        self._bar.update(count)

    def say(self, text: str) -> None:
        self._bar.write(text, file=sys.stderr)
        self._has_spoken = True


class _Calls(Bar):
    """Calls of a user's own function, which has its own way to say things."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress, self._total, self._done = progress, total, done

    def advance(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)
