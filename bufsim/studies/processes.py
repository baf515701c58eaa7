"""Processes of our own: loky's, kept between studies, deaf to the keyboard, and gone when their parent is."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from multiprocessing import resource_tracker
from typing import Any

from bufsim.errors import MissingExtraError

IDLE = 300.0
"""Processes without work for so long, s, end; longer than the pauses within a study, where an end would be an alarm."""


class _Pool(threading.local):
    """The processes of this thread."""

    key: tuple[int, int] | None = None
    executor: Executor | None = None


_POOL = _Pool()


def processes(count: int) -> Executor:
    """So many processes: those of the last study, if they are still there.

    They are not loky's reusable executor, which is one for all, and which the caller may use.

    Raises
    ------
    MissingExtraError
        If loky is not installed.
    """
    loky = _loky()
    # a process that was forked has none of its own yet
    key = (os.getpid(), count)
    if _POOL.executor is None or _POOL.key != key:
        if _POOL.executor is not None and _POOL.key is not None and _POOL.key[0] == os.getpid():
            _POOL.executor.shutdown()
        _POOL.executor = loky.ProcessPoolExecutor(
            max_workers=count, timeout=IDLE, initializer=_end_with, initargs=(os.getpid(),)
        )
        _POOL.key = key
        with _interrupts_held_back():
            _POOL.executor.submit(os.getpid)
    return _POOL.executor


def pickled(value: object) -> object:
    """The bytes in which a value goes to these processes; whatever its parts raise if it cannot go there."""
    return _loky().backend.reduction.dumps(value)


def _loky() -> Any:
    try:
        import loky
        import loky.backend.reduction
    except ImportError:
        raise MissingExtraError(
            'executor=<number of processes> needs loky: install it with pip install "bufsim[studies]", '
            "or leave executor out"
        ) from None
    return loky


def end_processes() -> None:
    """End the processes of the last study at once, whatever they do."""
    executor, _POOL.executor = _POOL.executor, None
    if executor is not None:
        executor.shutdown(wait=False, kill_workers=True)  # type: ignore[call-arg]  # loky's


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let processes that are started here not hear an interrupt before they can ignore it: it waits for the parent."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # its start would undo what is blocked here
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """Let this process end when its parent does, also if that was killed: it would wait for ever to be read.

    An interrupt from the keyboard, which all processes get, is the parent's to hear.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
