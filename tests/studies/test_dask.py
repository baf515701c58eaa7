from __future__ import annotations

import math
from dataclasses import dataclass

import distributed
import pytest
from bufsim_tests.models import POLICIES, Failing, OwnSize, bits, drawn, study_of

from bufsim import BufsimError, FlushPolicy
from bufsim.studies.study import Study


@pytest.fixture(scope="module")
def client():
    """Two workers, each a process of its own, that are reached from this machine only."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            processes=True,
            threads_per_worker=1,
            # any free port: None still takes the usual one, which another run may have
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_study_on_dask_gives_the_same_to_the_bit(client):
    planned = study_of(*POLICIES, OwnSize(5), Failing())
    here = planned.run(4, progress=False)
    executor = client.get_executor()
    there = planned.run(4, executor=executor, progress=False)
    assert bits(there) == bits(here)
    assert there.failures.equals(here.failures)
    # it is the caller's, and still works
    assert executor.submit(math.sqrt, 9.0).result(10) == 3.0


def test_what_a_notebook_defines_goes_to_the_workers(client):
    @dataclass(frozen=True)
    class Local(FlushPolicy):
        size: int

        def due(self, view):
            return -math.inf if view.size >= self.size else math.inf

    planned = Study(drawn(), policy=[Local(3), Local(4)], seed=1)
    there = planned.run(2, executor=client.get_executor(), progress=False)
    assert bits(there) == bits(planned.run(2, progress=False))


def test_both_workers_take_part(client):
    client.run(_count_from, 0)
    study_of(*POLICIES, until=600.0).run(12, executor=client.get_executor(), progress=False, engine="simpy")
    counts = client.run(_tasks_done)
    assert all(count > 0 for count in counts.values())


def _count_from(number):
    from bufsim.studies import tasks

    run = tasks.Task.run
    tasks.done = number

    def counted(task, draws):
        tasks.done += 1
        return run(task, draws)

    tasks.Task.run = counted


def _tasks_done():
    from bufsim.studies import tasks

    return tasks.done


def test_an_interrupt_gives_a_part_and_leaves_the_cluster_as_it_was(client):
    def stop(done, total):
        raise KeyboardInterrupt

    executor = client.get_executor()
    part = study_of().run(200, executor=executor, progress=stop)
    assert not part.complete
    assert 0 < sum(map(len, part.tallies.values())) < 600
    assert executor.submit(math.sqrt, 4.0).result(30) == 2.0


def test_a_study_that_cannot_be_taken_there_says_why(client):
    class Unpicklable(OwnSize):
        def __reduce__(self):
            raise TypeError("this stays here")

    with pytest.raises(BufsimError, match=r"executor ClientExecutor failed: .*cannot take your classes and functions"):
        study_of(Unpicklable(3)).run(2, executor=client.get_executor(), progress=False)
