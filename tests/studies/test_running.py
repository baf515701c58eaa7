from __future__ import annotations

import builtins
import concurrent.futures as futures
import operator
import random
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass, replace

import pytest
import scipy.stats
from bufsim_tests.models import OwnSize, bits, bits_of, drawn, study_of, without

from bufsim import (
    BufsimError,
    FlushAtSize,
    InvalidTypeError,
    InvalidValueError,
    MissingExtraError,
    Poisson,
    Producer,
    PushWorkers,
)
from bufsim.studies import running, tasks
from bufsim.studies.running import execute, find_unpicklable, parallelism
from bufsim.studies.study import Study

ALL = study_of(*(FlushAtSize(n) for n in range(2, 8)), OwnSize(5))


@pytest.fixture(scope="module")
def alone():
    """What comes out when each replication runs by itself, sharing nothing."""
    return {
        name: {n: bits_of(simulation.run(ALL.seed, engine="auto", replication=n, record="summary")) for n in range(4)}
        for name, simulation in ALL.scenarios.items()
    }


def run_on(executor):
    return bits(ALL.run(4, executor=executor, progress=False))


class Spy(futures.Executor):
    """Runs at once or in a thread, in any order, and notes what is asked of it."""

    def __init__(self, seed: int | None = None):
        self.shut_down: list[dict[str, object]] = []
        self.chunks: list[int] = []
        self._order = random.Random(seed)
        self._waiting: list[tuple[futures.Future, object, tuple]] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, fn, /, *args, **kwargs):
        future: futures.Future = futures.Future()
        self.chunks.append(len(args[0]))
        with self._arrived:
            self._waiting.append((future, fn, args))
            self._arrived.notify()
        return future

    def _work(self):
        while True:
            with self._arrived:
                self._arrived.wait_for(lambda: self._waiting)
                future, fn, args = self._waiting.pop(self._order.randrange(len(self._waiting)))
            if future.set_running_or_notify_cancel():
                future.set_result(fn(*args))

    def shutdown(self, wait=True, **options):
        self.shut_down.append({"wait": wait, **options})


# the same to the bit, wherever


def test_here_the_results_are_those_of_single_runs(alone):
    assert run_on(None) == alone


def test_in_processes_of_our_own_the_results_are_the_same(alone):
    assert run_on(2) == alone


def test_in_threads_of_the_callers_the_results_are_the_same(alone):
    with futures.ThreadPoolExecutor(3) as executor:
        assert run_on(executor) == alone


def test_in_processes_of_the_callers_the_results_are_the_same(alone):
    with futures.ProcessPoolExecutor(2) as executor:
        assert run_on(executor) == alone


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("chunks", "most"), [(1, 64), (3, 2), (8, 1)])
def test_neither_chunks_nor_the_order_of_completion_matter(alone, monkeypatch, seed, chunks, most):
    monkeypatch.setattr(running, "CHUNKS_PER_WORKER", chunks)
    monkeypatch.setattr(running, "UNKNOWN_WORKERS", 1)
    monkeypatch.setattr(running, "MOST_IN_CHUNK", most)
    spy = Spy(seed)
    assert run_on(spy) == alone
    assert max(spy.chunks) <= most


def test_what_a_worker_hands_back_is_run_elsewhere(alone, monkeypatch):
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)
    monkeypatch.setattr(running, "UNKNOWN_WORKERS", 1)
    monkeypatch.setattr(running, "CHUNKS_PER_WORKER", 2)
    spy = Spy(1)
    assert run_on(spy) == alone
    # each worker ran one of its chunk: 14, 13, ... 1
    assert sorted(spy.chunks) == sorted(2 * list(range(1, 15)))


def test_scipys_distributions_draw_the_same_in_several_threads():
    # they are shared by all threads, and scipy's may hold a state of their own
    workers = [PushWorkers(2, service=scipy.stats.gamma(2.0, scale=0.02))]
    gaps = drawn(workers=workers, producers=[Producer("edits", Poisson(30.0), nbytes=scipy.stats.expon(scale=99.0))])
    here = Study(gaps, policy=[FlushAtSize(n) for n in range(2, 10)], seed=3)
    with futures.ThreadPoolExecutor(4) as executor:
        threads = here.run(4, executor=executor, progress=False)
    assert bits(threads) == bits(here.run(4, progress=False))


# what the caller made


def test_the_callers_executor_is_not_shut_down():
    spy = Spy()
    ALL.run(2, executor=spy, progress=False)
    assert spy.shut_down == []
    assert spy.submit(len, [1, 2]).result(10) == 2  # it still works


def test_nor_is_it_after_an_interrupt():
    spy = Spy()
    begun = []

    def interrupt(done, total):
        begun.append(done)
        raise KeyboardInterrupt

    result = ALL.run(50, executor=spy, progress=interrupt)
    assert not result.complete
    assert len(begun) == 1
    assert spy.shut_down == []


def test_after_an_interrupt_what_has_not_started_is_called_off(monkeypatch):
    monkeypatch.setattr(running, "MOST_IN_CHUNK", 1)
    spy = Spy()
    submitted = []
    submit = spy.submit
    monkeypatch.setattr(spy, "submit", lambda *args: submitted.append(submit(*args)) or submitted[-1])

    def interrupt(done, total):
        raise KeyboardInterrupt

    ALL.run(20, executor=spy, progress=interrupt)
    assert len(submitted) == 140
    assert sum(future.cancelled() for future in submitted) > 50


def test_what_was_done_when_an_interrupt_came_is_kept():
    class AtOnce(Spy):
        """All is done when it is submitted."""

        def submit(self, fn, /, *args, **kwargs):
            future: futures.Future = futures.Future()
            future.set_result(fn(*args))
            return future

    def interrupt(done, total):
        raise KeyboardInterrupt

    result = ALL.run(3, executor=AtOnce(), progress=interrupt)
    assert not result.complete
    assert [len(found) for found in result.tallies.values()] == [3] * 7


# classes of a notebook


SCRIPT = """
    import math, sys
    from dataclasses import dataclass
    from bufsim import *
    from bufsim.studies.study import Study
    from bufsim.studies.store import packed

    @dataclass(frozen=True)
    class Mine(FlushPolicy):
        size: int
        def due(self, view):
            return -math.inf if view.size >= self.size else math.inf

    buffers = [JobBuffer("search", policy=Mine(5))]
    simulation = Simulation(producers=[Producer("edits", Poisson(5.0))], buffers=buffers, until=20.0)
    study = Study(simulation, policy=[Mine(5), Mine(6)], seed=1)
    here, there = (study.run(3, executor=executor, progress=False) for executor in (None, 2))
    assert here.finished == there.finished == ("Mine(size=5)", "Mine(size=6)"), there
    for name, found in here.tallies.items():
        for number, tally in found.items():
            assert packed(tally) == packed(there.tallies[name][number])
    print("the same")
"""


def test_classes_of_the_main_program_go_to_processes(tmp_path):
    # no guard against being the main program: a notebook has none
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "the same\n", done.stderr


def test_causes_are_written_as_here_wherever_they_are_counted():
    # a class that is defined in a function is called otherwise where it is taken to
    @dataclass(frozen=True)
    class Local(OwnSize):
        def __repr__(self):
            return f"{type(self).__qualname__}({self.size})"

    here, there = (study_of(Local(3) | Local(9)).run(2, executor=ex, progress=False) for ex in (None, 2))
    assert bits(there) == bits(here)
    (found,) = there.tallies.values()
    assert all("<locals>.Local(3)" in cause for cause in found[0].buffers["search"].causes)


def test_processes_of_the_standard_library_refuse_what_they_cannot_pickle():
    @dataclass(frozen=True)
    class Local(OwnSize):
        pass

    with futures.ProcessPoolExecutor(1) as executor, pytest.raises(InvalidTypeError) as error:
        study_of(Local(3)).run(2, executor=executor, progress=False)
    assert "executor ProcessPoolExecutor cannot pickle the study" in str(error.value)
    assert "give executor=<number of processes>, which takes classes and functions defined anywhere" in str(error.value)


@dataclass(frozen=True)
class Unpicklable(OwnSize):
    def __reduce__(self):
        raise TypeError("this stays here")


def test_an_executor_that_cannot_take_the_study_says_why():
    # threads take anything, and the error is of the executor
    class Broken(futures.ThreadPoolExecutor):
        def submit(self, *arguments):
            raise RuntimeError("no room.")

    with pytest.raises(BufsimError, match=r"^executor Broken failed: RuntimeError: no room; either it cannot take"):
        study_of(Unpicklable(3)).run(2, executor=Broken(1), progress=False)


def test_what_cannot_be_pickled_is_named_with_its_place_and_the_way_out():
    lock = threading.Lock()

    def guarded(job):
        with lock:
            return True

    simulation = drawn(until=20.0)
    buffers = [replace(simulation.buffers[0], collect=guarded)]
    scenarios = {"free": simulation, "guarded": replace(simulation, buffers=buffers)}
    with pytest.raises(InvalidTypeError) as error:
        Study(scenarios, seed=1).run(2, executor=2, progress=False)
    assert str(error.value) == (
        "executor=2 cannot pickle the study: scenarios['guarded'].buffers[0].collect, which is the function "
        "test_what_cannot_be_pickled_is_named_with_its_place_and_the_way_out.<locals>.guarded: cannot pickle "
        "'_thread.lock' object; leave executor out: then they run in this process"
    )
    # the way out is one
    assert Study(scenarios, seed=1).run(2, progress=False).complete
    # processes of the standard library are told the same, for ours would not take it either
    with futures.ProcessPoolExecutor(1) as executor, pytest.raises(InvalidTypeError, match="leave executor out"):
        Study(scenarios, seed=1).run(2, executor=executor, progress=False)


def test_an_executor_that_takes_no_more_says_why():
    executor = futures.ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(BufsimError, match="failed: RuntimeError: cannot schedule new futures after shutdown"):
        study_of().run(2, executor=executor, progress=False)


def test_what_came_in_before_an_executor_failed_is_in_the_store(tmp_path, monkeypatch):
    class Fragile(Spy):
        """Takes three chunks."""

        def submit(self, fn, /, *args, **kwargs):
            if len(self.chunks) == 3:
                raise MemoryError("full")
            future = super().submit(fn, *args)
            future.result(10)
            return future

    monkeypatch.setattr(running, "MOST_IN_CHUNK", 1)
    with pytest.raises(BufsimError, match="failed: MemoryError: full"):
        study_of().run(3, executor=Fragile(), store=tmp_path / "study.sqlite", progress=False)
    counts = []
    study_of().run(3, store=tmp_path / "study.sqlite", progress=lambda done, total: counts.append(done))
    assert counts == [4, 5, 6, 7, 8, 9]


# what is asked for


@pytest.mark.parametrize("wrong", ["two", 2.0, True, object()])
def test_an_executor_is_a_number_or_an_executor(wrong):
    with pytest.raises(InvalidTypeError, match=r"executor must be a number of processes or a concurrent.futures.Exec"):
        study_of().run(2, executor=wrong, progress=False)


def test_there_is_at_least_one_process():
    with pytest.raises(InvalidValueError, match="executor must be >= 1, got 0"):
        study_of().run(2, executor=0, progress=False)


def test_a_number_of_processes_needs_loky(monkeypatch):
    monkeypatch.setattr(builtins, "__import__", without("loky"))
    with pytest.raises(MissingExtraError, match="executor=<number of processes> needs loky: install it with pip"):
        study_of().run(2, executor=2, progress=False)


# where it pays


def long_enough(monkeypatch):
    """Let the least work be worth a pool, once three are done."""
    monkeypatch.setattr(running, "WORTH_A_POOL", 0.0)
    # each look at the clock is a second later
    seconds = iter(range(10**6))
    monkeypatch.setattr(running, "monotonic", lambda: float(next(seconds)))


def went_to(monkeypatch):
    pools = []
    processes = running.processes
    monkeypatch.setattr(running, "processes", lambda count: pools.append(count) or processes(count))
    return pools


def test_short_work_stays_here(monkeypatch):
    pools = went_to(monkeypatch)
    ALL.run(2, progress=False)
    assert pools == []


def test_long_work_goes_to_processes_and_changes_nothing(alone, monkeypatch):
    pools = went_to(monkeypatch)
    monkeypatch.setattr(running, "cores", lambda: 2)
    with monkeypatch.context() as patched:
        long_enough(patched)
        assert run_on(None) == alone
    assert pools == [2]


@pytest.mark.parametrize("reason", ["no loky", "one core", "a part that stays here"])
def test_long_work_stays_where_it_must(monkeypatch, reason):
    pools = went_to(monkeypatch)
    long_enough(monkeypatch)
    monkeypatch.setattr(running, "cores", lambda: 1 if reason == "one core" else 2)
    if reason == "no loky":
        monkeypatch.setattr(builtins, "__import__", without("loky"))
    policies = [Unpicklable(3)] if reason.startswith("a part") else [FlushAtSize(3), FlushAtSize(4)]
    result = study_of(*policies).run(5, progress=False)
    assert result.complete
    assert pools == []


def test_how_many_run_at_once_is_known_as_far_as_the_executor_says():
    assert parallelism(3, 1.0) == 3
    assert parallelism(None, 1.0) == 1
    assert parallelism(None, 1000.0) == running.cores()
    assert parallelism(Spy(), 1.0) == 1
    with futures.ThreadPoolExecutor(5) as executor:
        assert parallelism(executor, 1.0) == 5


def test_nothing_to_do_starts_nothing():
    execute([], Spy(), keep=operator.not_, advance=operator.not_)


# what cannot go there


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, min, 3], "it[1], which is the function min"),
        ({"a": (1, {"b": -7})}, "it['a'][1]['b'], which is -7"),
        (-1, "it, which is -1"),
        (drawn(rate=3.0), "it.producers[0].arrivals.rate, which is 3.0"),
    ],
)
def test_the_innermost_part_that_cannot_be_pickled_is_named_by_its_place(value, words):
    def dumps(part):
        if any(mark in repr(part) for mark in ("-", "min", "3.0")):
            raise TypeError

    assert find_unpicklable(value, "it", dumps) == words


def test_a_whole_that_cannot_be_pickled_though_its_parts_can_is_itself_named():
    def dumps(part):
        if part == [len]:
            raise TypeError

    assert find_unpicklable([len], "it", dumps) == "it, which is [<built-in function len>]"
