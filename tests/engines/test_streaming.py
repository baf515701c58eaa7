"""Runs that only count: the same whatever pieces the jobs come in, and no more in memory than what is alive."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import pytest
from bufsim_tests.compiled_models import simulations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bufsim import (
    Capacity,
    CollectQueues,
    DrainAtMost,
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    JobBuffer,
    Merge,
    NeverFlush,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Trace,
    UniqueByKey,
    Zipf,
)
from bufsim.engines import compiled_engine, streaming
from bufsim.engines.compilation import compiled
from bufsim.engines.kernel.state import State
from bufsim.engines.workload import Jobs, Workload
from bufsim.results import streamed
from bufsim.studies.store import packed

SEED = 5


class InPieces(Workload):
    """A workload whose jobs come in pieces that end at given positions; after the last, one by one."""

    cuts: Sequence[int] = ()

    def job_blocks(self) -> Iterator[Jobs]:
        jobs = self.jobs()
        ends = [*self.cuts, *range(max(self.cuts, default=0) + 1, len(jobs) + 1)]
        for first, last in itertools.pairwise([0, *ends]):
            yield jobs.rows(first, last)


def workload(simulation: Simulation, cuts: Sequence[int] | None = None) -> Workload:
    kind = Workload if cuts is None else InPieces
    made = kind(simulation.producers, seed=SEED, until=simulation.until)
    if isinstance(made, InPieces):
        made.cuts = cuts or ()
    return made


@pytest.fixture
def one_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "JOBS_AT_ONCE", 1)


def counted(simulation: Simulation, cuts: Sequence[int] | None = None) -> bytes:
    return packed(streamed.summary(simulation, workload(simulation, cuts)))


# in pieces


@pytest.mark.usefixtures("one_piece_at_a_time")
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(simulations())
def test_jobs_that_come_one_by_one_count_the_same_to_the_last_bit(simulation: Simulation) -> None:
    assert counted(simulation, ()) == counted(simulation)


@pytest.mark.usefixtures("one_piece_at_a_time")
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(simulations(), st.data())
def test_so_do_jobs_in_pieces_of_any_lengths(simulation: Simulation, data: st.DataObject) -> None:
    n = len(workload(simulation).jobs())
    cuts = data.draw(st.lists(st.integers(1, max(n - 1, 1)), unique=True, max_size=6).map(sorted))
    cuts = [cut for cut in cuts if cut < n] + ([n] if n else [])
    assert counted(simulation, cuts) == counted(simulation)


def tied() -> Simulation:
    """A model in which several jobs arrive at each instant, and flushes, stops and polls fall on them."""
    times = sorted([0.5 * k for k in range(12)] * 2 + [float(k) for k in range(6)] * 2)
    return Simulation(
        producers=[
            Producer("a", Trace(times, keys=[k % 3 for k in range(36)], nbytes=[k % 5 for k in range(36)])),
            Producer("b", Trace(times[::3]), queue="x"),
        ],
        buffers=[
            JobBuffer("one", policy=FlushEvery(1.0), reduce=UniqueByKey(), drain=DrainAtMost(5), flush_time=0.5),
            JobBuffer("two", policy=FlushAtSize(4), capacity=Capacity(3, on_full="drop_oldest"), flush_time=0.25),
        ],
        workers=[PollingWorkers(2, poll_interval=0.5), PushWorkers(1, queue="x", service=0.5, failure=0.3, retries=2)],
        until=7.0,
        stops=Stops(at=[3.0], downtime=0.5),
        durable_queue=False,
    )


@pytest.mark.usefixtures("one_piece_at_a_time")
def test_a_border_may_stand_before_any_job_also_among_those_of_one_instant() -> None:
    simulation = tied()
    n = len(workload(simulation).jobs())
    assert n > 40
    assert {counted(simulation, [cut, n]) for cut in range(1, n)} == {counted(simulation)}


def test_a_job_that_is_left_out_of_the_pieces_is_missed(one_piece_at_a_time: None) -> None:
    # negative control of the comparisons above
    simulation = tied()
    n = len(workload(simulation).jobs())
    assert counted(simulation, [n - 1]) == counted(simulation)

    class Short(InPieces):
        def job_blocks(self) -> Iterator[Jobs]:
            yield self.jobs().rows(0, n - 1)

    short = Short(simulation.producers, seed=SEED, until=simulation.until)
    assert packed(streamed.summary(simulation, short)) != counted(simulation)


@pytest.mark.usefixtures("one_piece_at_a_time")
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(simulations())
def test_the_flushes_that_are_kept_are_those_of_jobs_that_come_all_at_once(simulation: Simulation) -> None:
    (one, flushes), (other, expected) = (
        streamed.flushes(simulation, workload(simulation, cuts)) for cuts in ((), None)
    )
    assert packed(one) == packed(other)
    pd.testing.assert_frame_equal(flushes, expected, check_exact=True)


@pytest.mark.usefixtures("one_piece_at_a_time")
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(simulations())
def test_who_is_told_of_the_flushes_hears_of_each_once_and_in_order(simulation: Simulation) -> None:
    heard: list[tuple[list[float], list[int], list[float]]] = []
    compiled_engine.count(
        simulation, workload(simulation, ()), taken=lambda *columns: heard.append(tuple(c.tolist() for c in columns))
    )
    starts, sizes, arrivals = ([value for part in heard for value in part[column]] for column in range(3))
    record = compiled_engine.run(simulation, workload(simulation))
    assert starts == record.flush_start.tolist()
    assert sizes == record.flush_jobs.tolist()
    # the copies of a flush in the order in which they were stored
    taken = np.flatnonzero(record.copy_flush >= 0)
    taken = taken[np.argsort(record.copy_flush[taken], kind="stable")]
    assert arrivals == record.job_time[record.copy_job[taken]].tolist()


# in bounded memory


def held(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the most bytes that the kernel was given at once, but for what it counts, which has one size for all."""
    most = 0

    def watching() -> Callable[[State], int]:
        def call(state: State) -> int:
            nonlocal most
            most = max(most, size(state) - size(state.tally))
            return kernel(state)

        kernel = compiled()
        return call

    with monkeypatch.context() as patch:
        patch.setattr(streaming, "JOBS_AT_ONCE", 256)
        patch.setattr(compiled_engine, "compiled", watching)
        cuts = range(64, len(workload(simulation).jobs()), 64)
        compiled_engine.count(simulation, workload(simulation, [*cuts, len(workload(simulation).jobs())]))
    return most


def size(value: object) -> int:
    return sum(map(size, value)) if isinstance(value, tuple) else value.nbytes  # type: ignore[attr-defined]


KEYED = [Producer("edits", Poisson(40.0), keys=Zipf(50, 1.0), nbytes=Exponential(100.0))]
BOUNDED = {
    "one buffer that takes every job": ([Producer("edits", Poisson(40.0))], FlushEvery(2.0), {}, {}),
    "keys, and workers that serve in order": (
        KEYED,
        FlushAtSize(30) | FlushAfterAge(1.0),
        {"reduce": UniqueByKey()},
        {"workers": [PushWorkers(4, service=Exponential(0.05))]},
    ),
    "retries, which end out of order": (
        KEYED,
        FlushEvery(1.0),
        {"flush_time": Exponential(0.2)},
        {"workers": [PushWorkers(8, service=Exponential(0.05), failure=0.3, retries=3, backoff=1.0)]},
    ),
    "a full buffer that drops its oldest": (
        KEYED,
        FlushEvery(3.0),
        {"capacity": Capacity(50, on_full="drop_oldest"), "reduce": Merge()},
        {"workers": [PollingWorkers(10)]},
    ),
    "stops that lose what is there": (
        KEYED,
        FlushAtSize(40),
        {"flush_time": 0.3},
        {"stops": Stops(mean_time_between=20.0, downtime=1.0), "durable_queue": False, "workers": [PushWorkers(4)]},
    ),
    "jobs that pass by": (
        [*KEYED, Producer("mail", Poisson(40.0), queue="mail")],
        FlushEvery(2.0),
        {"collect": CollectQueues(["mail"])},
        {"workers": [PushWorkers(4, service=Exponential(0.02), queue="mail")]},
    ),
}


def of_length(until: float, name: str) -> Simulation:
    producers, policy, of_buffer, others = BOUNDED[name]
    return Simulation(producers=producers, buffers=[JobBuffer("b", policy=policy, **of_buffer)], until=until, **others)


@pytest.mark.parametrize("name", BOUNDED)
def test_what_is_held_does_not_grow_with_the_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = (held(of_length(until, name), monkeypatch) for until in (60.0, 3000.0))
    assert long <= 1.5 * short


def test_what_is_buffered_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    # negative control: nothing is ever flushed
    monkeypatch.setitem(BOUNDED, "never", (KEYED, NeverFlush(), {}, {}))
    short, long = (held(of_length(until, "never"), monkeypatch) for until in (60.0, 3000.0))
    assert long > 25 * short
