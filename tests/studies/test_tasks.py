from __future__ import annotations

import pickle

import numpy as np
import pytest
from bufsim_tests.models import bits, bits_of, drawn, study_of

from bufsim import (
    Exponential,
    FlushAfterAge,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    Gamma,
    KeepAll,
    Poisson,
    Producer,
    PushWorkers,
    Renewal,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.model.distributions import Distribution
from bufsim.studies import tasks
from bufsim.studies.study import Study
from bufsim.studies.tasks import SharedDraws, Task, run, run_for_a_while


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_neighbours_share_what_is_drawn(monkeypatch, engine):
    replications = []
    stream = tasks.Workload.stream

    def noted(self, name, purpose):
        if purpose == "arrivals":
            replications.append(self.replication)
        return stream(self, name, purpose)

    monkeypatch.setattr(tasks.Workload, "stream", noted)
    fresh = Study(drawn(workers=[]), policy=[FlushAtSize(n) for n in (2, 3, 4)], arrivals_scale=[1, 2], seed=1)
    fresh.run(3, progress=False, engine=engine)
    # once for each load and replication, whatever the order in the grid
    assert replications == [0, 0, 1, 1, 2, 2]


def test_what_is_shared_in_several_blocks_gives_the_same_to_the_bit():
    producers = [
        Producer("edits", Poisson(20.0), keys=Zipf(500, 1.1), nbytes=Exponential("2 KiB")),
        Producer("imports", Renewal(Gamma(0.05, 4.0)), queue="other"),
    ]
    policies = [FlushAtSize(9), FlushAfterAge(2.0), FlushAtBytes(9000), FlushEvery(3.0)]
    workers = [PushWorkers(3, service=Exponential(0.02), failure=0.2, retries=2)]
    simulation = drawn(producers=producers, workers=workers, until=1500.0)
    many = Study(simulation, policy=policies, reduce=[KeepAll(), UniqueByKey()], seed=5)
    found = bits(many.run(2, progress=False))
    for name, one in many.scenarios.items():
        for number in range(2):
            assert found[name][number] == bits_of(one.run(5, engine="compiled", replication=number, record="summary"))


def test_what_takes_much_room_is_not_kept(monkeypatch):
    monkeypatch.setattr(tasks, "MOST_KEPT", 10)
    some = [Task(name, one, 1, 0, "compiled") for name, one in study_of().scenarios.items()]
    draws = SharedDraws()
    workload = draws.workload(some[0])
    assert draws.workload(some[1]) is workload
    assert workload.jobs() is not workload.jobs()
    first, again = list(workload.job_blocks()), list(workload.job_blocks())
    assert all(one is not other for one, other in zip(first, again, strict=True))


def test_blocks_of_jobs_are_kept_too():
    producers = [Producer(name, Poisson(300.0)) for name in ("edits", "imports")]
    simulation = drawn(producers=producers, until=120.0)
    workload = SharedDraws().workload(Task("a", simulation, 1, 0, "compiled"))
    fresh = tasks.Workload(simulation.producers, seed=1, until=120.0)
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
        lambda one: Task("b", drawn(), 1, 0, "simpy"),
        lambda one: Task("b", one.simulation.scaled(arrivals=2.0), 1, 0, "simpy"),
    ],
)
def test_what_meets_other_draws_shares_nothing(other):
    one = Task("a", drawn(), 1, 0, "simpy")
    draws = SharedDraws()
    workload = draws.workload(one)
    assert draws.workload(other(one)) is not workload


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
    simulation = drawn(workers=workers, rate=200.0)
    first, second = run([Task(str(n), simulation, 1, 0, "simpy") for n in range(2)])
    assert first.error.startswith("ArithmeticError: stumbled")
    assert second.tally == simulation.run(1, engine="simpy", record="summary").tally


def test_a_chunk_holds_what_its_scenarios_share_once():
    generator = np.random.default_rng(1)
    rows = 100_000
    trace = Trace(np.sort(generator.uniform(0.0, 3600.0, rows)), keys=generator.integers(0, 9000, rows).tolist())
    recorded = drawn(producers=[Producer("log", trace)], until=3600.0)
    many = Study(recorded, policy=[FlushAtSize(n) for n in range(2, 22)], arrivals_scale=[1, 1.5, 2], seed=1)
    some = [Task(name, one, 1, 0, "compiled") for name, one in many.scenarios.items()]
    one, all_ = len(pickle.dumps(some[:1])), len(pickle.dumps(some))
    assert one < 12 * rows  # 8 for a time, 3 for a key
    # 59 more scenarios cost less than 1 kB each
    assert all_ - one < 59_000


def test_what_comes_back_is_small():
    result = drawn(until=3600.0, rate=20.0).run(1, engine="compiled", record="summary")
    assert len(pickle.dumps(result.tally)) < 150_000


def test_a_worker_runs_for_a_while_but_at_least_once(monkeypatch):
    some = [Task("a", drawn(until=5.0), 1, number, "simpy") for number in range(5)]
    assert run_for_a_while(some) == list(run(some))
    monkeypatch.setattr(tasks, "PATIENCE", 0.0)
    assert run_for_a_while(some) == list(run(some))[:1]
