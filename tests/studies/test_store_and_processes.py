"""Stores whose processes are killed, interrupted, or several at once: nothing is lost."""

from __future__ import annotations

import functools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest
from bufsim_tests.models import OwnSize, bits, study_of

from bufsim import FlushAtSize, InvalidValueError
from bufsim.studies import store as stores
from bufsim.studies.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "study.sqlite"


STUDY = """
    import sys
    from bufsim_tests.models import OwnSize, study_of
    from bufsim import FlushAtSize
    planned = study_of(*(FlushAtSize(n) for n in range(5, 11)), OwnSize(3), seed=1)
    executor = int(sys.argv[2]) if len(sys.argv) > 2 else None

    def tell(done, total):
        print(done, flush=True)

    result = planned.run(12, executor=executor, store=sys.argv[1], progress=tell, engine="simpy")
    print("complete" if result.complete else "part", flush=True)
"""


def start(path, *args, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STUDY), path, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def uninterrupted():
    planned = study_of(*(FlushAtSize(n) for n in range(5, 11)), OwnSize(3), seed=1)
    return planned, bits(planned.run(12, progress=False, engine="simpy"))


def go_on(planned, path):
    """Return how many replications were not in the store, and what came out."""
    counts = []
    result = planned.run(12, store=path, engine="simpy", progress=lambda done, total: counts.append(done))
    assert result.complete
    return len(counts), bits(result)


@pytest.mark.parametrize("executor", [[], ["2"]])
def test_a_study_killed_again_and_again_loses_nothing(path, uninterrupted, executor):
    planned, expected = uninterrupted
    moments = random.Random(1)
    told = 0
    kills = 0
    for _ in range(2):
        with start(path, *executor) as process:
            # it goes on where the last one was killed, and not before
            if not (line := process.stdout.readline()).strip().isdigit():
                break
            assert int(line) > told
            time.sleep(moments.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            kills += 1
            told = max(map(int, [line, *process.stdout.read().split()]))
            process.stderr.close()
    assert kills == 2
    left, came_out = go_on(planned, path)
    # all that was told of is there; a batch may have been written and not told
    assert left <= 84 - told
    assert came_out == expected


def test_two_processes_on_one_store_both_finish(path, uninterrupted):
    planned, expected = uninterrupted
    processes = [start(path) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert out.split()[-1] == "complete", err
    assert go_on(planned, path) == (0, expected)


OPENING = """
    import pathlib, sys
    from bufsim.studies.store import Store
    folder = pathlib.Path(sys.argv[1])
    (folder / sys.argv[2]).touch()
    while not (folder / "go").exists():
        pass
    for number in range(30):
        Store(folder / f"{number}.sqlite").close()
"""


def test_many_processes_may_open_a_new_store_at_once(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(OPENING), tmp_path]
    opening = [subprocess.Popen([*command, str(n)], stderr=subprocess.PIPE, text=True) for n in range(4)]
    while len(list(tmp_path.iterdir())) < 4:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [process.communicate(timeout=60)[1] for process in opening] == [""] * 4


def test_a_lock_that_passes_is_waited_for(path, monkeypatch):
    tries = []

    class Locked(sqlite3.Connection):
        """One for which SQLite does not wait by itself, twice."""

        def execute(self, statement, *values):
            if "journal_mode" in statement:
                tries.append(statement)
                if len(tries) < 3:
                    raise sqlite3.OperationalError("database is locked")
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Locked))
    Store(path).close()
    assert len(tries) == 3
    # negative control: one that waits for no time
    monkeypatch.setattr(stores, "WAIT", -1.0)
    tries.clear()
    with pytest.raises(InvalidValueError, match="locked"):
        Store(path)


@pytest.mark.usefixtures("interrupts_are_heard")
@pytest.mark.parametrize(("executor", "group"), [([], False), (["2"], False), (["2"], True)])
def test_an_interrupt_from_the_keyboard_gives_a_part_and_loses_nothing(path, uninterrupted, executor, group):
    planned, expected = uninterrupted
    # of the whole group, as a terminal sends it to the workers too
    with start(path, *executor, start_new_session=True) as process:
        process.stdout.readline()
        if group:
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        said = process.stdout.read().split()
        errors = process.stderr.read()
    assert said[-1] == "part", errors
    told = max([1, *map(int, said[:-1])])
    left, came_out = go_on(planned, path)
    assert 0 < left <= 84 - told
    assert came_out == expected
