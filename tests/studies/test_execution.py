from __future__ import annotations

import builtins
import concurrent.futures as futures
import operator
import pickle
import random
import subprocess
import sys
import textwrap
import threading
from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.stats
from bufsim_tests.studies_small import OwnSize, bits, declare, study

from bufsim import (
    BufsimError,
    Exponential,
    FlushAfterAge,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    Gamma,
    InvalidTypeError,
    InvalidValueError,
    KeepAll,
    MissingExtraError,
    Poisson,
    Producer,
    PushWorkers,
    Renewal,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.model.distributions import Distribution
from bufsim.studies import running
from bufsim.studies.running import Task, at_once, execute, run, run_for_a_while
from bufsim.studies.study import Study

ALL = study(*(FlushAtSize(n) for n in range(2, 8)), OwnSize(5))


@pytest.fixture(scope="module")
def alone():
    """What comes out when each replication runs by itself, sharing nothing."""
    return {
        name: {n: bits_of(simulation.run(ALL.seed, engine="auto", replication=n, record="summary")) for n in range(4)}
        for name, simulation in ALL.scenarios.items()
    }


def bits_of(result):
    from bufsim.studies.store import packed

    return packed(result.tally)


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
    monkeypatch.setattr(running, "PATIENCE", 0.0)
    monkeypatch.setattr(running, "UNKNOWN_WORKERS", 1)
    monkeypatch.setattr(running, "CHUNKS_PER_WORKER", 2)
    spy = Spy(1)
    assert run_on(spy) == alone
    # each worker ran one of its chunk: 14, 13, ... 1
    assert sorted(spy.chunks) == sorted(2 * list(range(1, 15)))


def test_scipys_distributions_draw_the_same_in_several_threads():
    # they are shared by all threads, and scipy's may hold a state of their own
    workers = [PushWorkers(2, service=scipy.stats.gamma(2.0, scale=0.02))]
    gaps = declare(workers=workers, producers=[Producer("edits", Poisson(30.0), nbytes=scipy.stats.expon(scale=99.0))])
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

    here, there = (study(Local(3) | Local(9)).run(2, executor=ex, progress=False) for ex in (None, 2))
    assert bits(there) == bits(here)
    (found,) = there.tallies.values()
    assert all("<locals>.Local(3)" in cause for cause in found[0].buffers["search"].causes)


def test_processes_of_the_standard_library_refuse_what_they_cannot_pickle():
    @dataclass(frozen=True)
    class Local(OwnSize):
        pass

    with futures.ProcessPoolExecutor(1) as executor, pytest.raises(InvalidTypeError) as error:
        study(Local(3)).run(2, executor=executor, progress=False)
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
        study(Unpicklable(3)).run(2, executor=Broken(1), progress=False)


def test_what_cannot_be_pickled_is_named_with_its_place_and_the_way_out():
    lock = threading.Lock()

    def guarded(job):
        with lock:
            return True

    simulation = declare(until=20.0)
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
        study().run(2, executor=executor, progress=False)


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
        study().run(3, executor=Fragile(), store=tmp_path / "study.sqlite", progress=False)
    counts = []
    study().run(3, store=tmp_path / "study.sqlite", progress=lambda done, total: counts.append(done))
    assert counts == [4, 5, 6, 7, 8, 9]


# what is asked for


@pytest.mark.parametrize("wrong", ["two", 2.0, True, object()])
def test_an_executor_is_a_number_or_an_executor(wrong):
    with pytest.raises(InvalidTypeError, match=r"executor must be a number of processes or a concurrent.futures.Exec"):
        study().run(2, executor=wrong, progress=False)


def test_there_is_at_least_one_process():
    with pytest.raises(InvalidValueError, match="executor must be >= 1, got 0"):
        study().run(2, executor=0, progress=False)


def test_a_number_of_processes_needs_loky(monkeypatch):
    monkeypatch.setattr(builtins, "__import__", without("loky"))
    with pytest.raises(MissingExtraError, match="executor=<number of processes> needs loky: install it with pip"):
        study().run(2, executor=2, progress=False)


def without(name):
    """Return an import that does not find a library."""
    found = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.partition(".")[0] == name:
            raise ImportError(name)
        return found(module, *args, **kwargs)

    return missing


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
    result = study(*policies).run(5, progress=False)
    assert result.complete
    assert pools == []


def test_how_many_run_at_once_is_known_as_far_as_the_executor_says():
    assert at_once(3, 1.0) == 3
    assert at_once(None, 1.0) == 1
    assert at_once(None, 1000.0) == running.cores()
    assert at_once(Spy(), 1.0) == 1
    with futures.ThreadPoolExecutor(5) as executor:
        assert at_once(executor, 1.0) == 5


def test_nothing_to_do_starts_nothing():
    execute([], Spy(), keep=operator.not_, tell=operator.not_)


# what is shared, and what crosses


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_neighbours_share_what_is_drawn(monkeypatch, engine):
    drawn = []
    stream = running.Workload.stream

    def noted(self, name, purpose):
        if purpose == "arrivals":
            drawn.append(self.replication)
        return stream(self, name, purpose)

    monkeypatch.setattr(running.Workload, "stream", noted)
    fresh = Study(declare(workers=[]), policy=[FlushAtSize(n) for n in (2, 3, 4)], arrivals_scale=[1, 2], seed=1)
    fresh.run(3, progress=False, engine=engine)
    # once for each load and replication, whatever the order in the grid
    assert drawn == [0, 0, 1, 1, 2, 2]


def test_what_is_shared_in_several_blocks_gives_the_same_to_the_bit():
    producers = [
        Producer("edits", Poisson(20.0), keys=Zipf(500, 1.1), nbytes=Exponential("2 KiB")),
        Producer("imports", Renewal(Gamma(0.05, 4.0)), queue="other"),
    ]
    policies = [FlushAtSize(9), FlushAfterAge(2.0), FlushAtBytes(9000), FlushEvery(3.0)]
    workers = [PushWorkers(3, service=Exponential(0.02), failure=0.2, retries=2)]
    simulation = declare(producers=producers, workers=workers, until=1500.0)
    many = Study(simulation, policy=policies, reduce=[KeepAll(), UniqueByKey()], seed=5)
    found = bits(many.run(2, progress=False))
    for name, one in many.scenarios.items():
        for number in range(2):
            assert found[name][number] == bits_of(one.run(5, engine="compiled", replication=number, record="summary"))


def test_what_takes_much_room_is_not_kept(monkeypatch):
    monkeypatch.setattr(running, "MOST_KEPT", 10)
    tasks = [Task(str(n), one, 1, 0, "compiled") for n, one in enumerate(ALL.scenarios.values())][:3]
    drawn = running.Drawn()
    workload = drawn.workload(tasks[0])
    assert drawn.workload(tasks[1]) is workload
    assert workload.jobs() is not workload.jobs()
    first, again = list(workload.job_blocks()), list(workload.job_blocks())
    assert all(one is not other for one, other in zip(first, again, strict=True))


def test_blocks_of_jobs_are_kept_too():
    producers = [Producer(name, Poisson(300.0)) for name in ("edits", "imports")]
    simulation = declare(producers=producers, until=120.0)
    workload = running.Drawn().workload(Task("a", simulation, 1, 0, "compiled"))
    fresh = running.Workload(simulation.producers, seed=1, until=120.0)
    begun = next(workload.job_blocks())  # what is not read to its end is not kept
    first, again = list(workload.job_blocks()), list(workload.job_blocks())
    assert len(first) > 1
    assert begun is not first[0]
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert [block.time.tolist() for block in again] == [block.time.tolist() for block in fresh.job_blocks()]


@pytest.mark.parametrize(
    "other",
    [
        lambda one: Task("b", one.simulation, 2, 0, "simpy"),
        lambda one: Task("b", one.simulation, 1, 1, "simpy"),
        lambda one: Task("b", declare(), 1, 0, "simpy"),
        lambda one: Task("b", one.simulation.scaled(arrivals=2.0), 1, 0, "simpy"),
    ],
)
def test_what_meets_other_draws_shares_nothing(other):
    one = Task("a", declare(), 1, 0, "simpy")
    drawn = running.Drawn()
    workload = drawn.workload(one)
    assert drawn.workload(other(one)) is not workload


class Stumbling(Distribution):
    """Draws that fail at the second block, once."""

    def __init__(self):
        self.blocks = 0

    def draw(self, generator, size):
        draws = generator.random(size)
        self.blocks += 1
        if self.blocks == 2:
            raise ArithmeticError("stumbled")
        return draws

    def expected_value(self):
        return 0.5


def test_after_an_error_draws_are_made_anew():
    # a block that was drawn and not kept would shift those that follow
    workers = [PushWorkers(500, service=Stumbling())]
    simulation = declare(workers=workers, rate=200.0)
    first, second = run([Task(str(n), simulation, 1, 0, "simpy") for n in range(2)])
    assert first.error.startswith("ArithmeticError: stumbled")
    assert second.tally == simulation.run(1, engine="simpy", record="summary").tally


def test_a_chunk_holds_what_its_scenarios_share_once():
    generator = np.random.default_rng(1)
    rows = 100_000
    trace = Trace(np.sort(generator.uniform(0.0, 3600.0, rows)), keys=generator.integers(0, 9000, rows).tolist())
    recorded = declare(producers=[Producer("log", trace)], until=3600.0)
    many = Study(recorded, policy=[FlushAtSize(n) for n in range(2, 22)], arrivals_scale=[1, 1.5, 2], seed=1)
    tasks = [Task(name, one, 1, 0, "compiled") for name, one in many.scenarios.items()]
    one, all_ = len(pickle.dumps(tasks[:1])), len(pickle.dumps(tasks))
    assert one < 12 * rows  # 8 for a time, 3 for a key
    # 59 more scenarios cost less than 1 kB each
    assert all_ - one < 59_000


def test_what_comes_back_is_small():
    result = declare(until=3600.0, rate=20.0).run(1, engine="compiled", record="summary")
    assert len(pickle.dumps(result.tally)) < 150_000


def test_a_worker_runs_for_a_while_but_at_least_once(monkeypatch):
    tasks = [Task("a", declare(until=5.0), 1, number, "simpy") for number in range(5)]
    assert run_for_a_while(tasks) == list(run(tasks))
    monkeypatch.setattr(running, "PATIENCE", 0.0)
    assert run_for_a_while(tasks) == list(run(tasks))[:1]
