"""A copy of the tree in which one module at a time is broken, and tests that run there, each time in a new process."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import ROOT
from benchmarks.mutation.breaking import Mutant

COPIED = ("bufsim", "tests", "data", "docs", "benchmarks", "pyproject.toml", "README.md", "CHANGELOG.md")
MEMORY = 6 * 2**30
"""What a process may take: a broken bufsim may ask for all."""


def copy(tree: Path) -> None:
    """Make the copy, or bring it up to date; a file that has not changed stays as it is."""
    for name in COPIED:
        for source in [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*")):
            target = tree / source.relative_to(ROOT)
            if source.is_dir() or "__pycache__" in source.parts:
                continue
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        _remove_what_is_gone(tree, name)


def _remove_what_is_gone(tree: Path, name: str) -> None:
    for target in (tree / name).rglob("*.py"):
        if not (ROOT / target.relative_to(tree)).exists():
            target.unlink()


@contextmanager
def broken(tree: Path, mutant: Mutant) -> Iterator[None]:
    """Within this the module of the copy is broken; its time is another, so that what is compiled of it is not used."""
    path = tree / mutant.module
    source, stat = path.read_bytes(), path.stat()
    try:
        path.write_bytes(mutant.of(source))
        os.utime(path, (stat.st_atime, stat.st_mtime + 7))
        yield
    finally:
        path.write_bytes(source)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def load() -> None:
    """Import what tests need beside bufsim, so that the processes that are forked need not; numba compiles nothing."""
    os.environ |= {"NUMBA_DISABLE_JIT": "1", "MPLBACKEND": "agg"}
    import matplotlib.pyplot
    import numba
    import pyarrow.parquet
    import pytest
    import scipy.integrate
    import scipy.optimize
    import scipy.stats
    import simpy

    del matplotlib, numba, pyarrow, pytest, scipy, simpy
    assert not any(name.split(".")[0] == "bufsim" for name in sys.modules)


def in_process(tree: Path, work: Callable[[], int], seconds: float, log: Path) -> int | None:
    """Return what some work in a process of its own returns, in the copy; None if it takes longer than it may."""
    sys.stdout.flush()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(tree, work, seconds, log))
    process.start()
    # others may hold the machine: the time of the process itself is bounded by the operating system
    process.join(6 * seconds + 60)
    if process.is_alive():
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return None
    assert process.exitcode is not None
    return None if process.exitcode == -signal.SIGXCPU else process.exitcode


def _run(tree: Path, work: Callable[[], int], seconds: float, log: Path) -> None:
    os.setsid()
    os.chdir(tree)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["PYTHONPATH"] = str(tree)
    here = {Path.cwd(), ROOT, Path()}
    sys.path[:] = [str(tree), *(place for place in sys.path if Path(place) not in here)]
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]
    most = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (most, most + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    code = 1
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Hasty:
    """A plugin of pytest: Hypothesis looks for no simpler example of what fails."""

    def pytest_configure(self) -> None:
        from hypothesis.internal.conjecture import engine

        engine.MAX_SHRINKS = 0


def first_failure(tests: Sequence[str]) -> int:
    """Run tests until one fails; return pytest's code."""
    import pytest

    sys.dont_write_bytecode = True
    # the marks of what is named leave nothing of it out
    words = ["-q", "-x", "-n0", "--tb=line", "-p", "no:cacheprovider", "-m", "not fuzz", *tests]
    return int(pytest.main(words, plugins=[Hasty()]))


def elapsed(since: float) -> float:
    """Return how long ago a moment was, s."""
    return time.monotonic() - since
