from __future__ import annotations

from bufsim import (
    Bursty,
    Constant,
    FlushEvery,
    JobBuffer,
    Poisson,
    PollingWorkers,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
)
from bufsim.model.arrivals import Arrivals
from bufsim.model.workers import GivenTimes, Workers
from bufsim.studies.what_if import StressTest, stress_tests

NAMES = [
    "half as many jobs again",
    "bursts twice as long",
    "workers twice as slow",
    "half of the workers gone",
    "a stop of 10 s in the middle",
]
NO_WORKERS = "not looked at, because the model has no workers"


def simulation(*workers: Workers, arrivals: Arrivals | None = None, stops: Stops | None = None) -> Simulation:
    return Simulation(
        producers=[Producer("edits", arrivals or Poisson(10.0)), Producer("imports", Poisson(1.0), queue="slow")],
        buffers=[JobBuffer("search", policy=FlushEvery(5.0))],
        workers=workers,
        until=120.0,
        warm_up=20.0,
        stops=stops,
    )


def by_name(model: Simulation) -> dict[str, StressTest]:
    return {one.name: one for one in stress_tests(model)}


def of(model: Simulation, name: str) -> Simulation:
    found = by_name(model)[name].simulation
    assert found is not None
    return found


def test_each_is_looked_at_or_says_why_not() -> None:
    found = stress_tests(simulation())
    assert [one.name for one in found] == NAMES
    assert [one.simulation is None for one in found] == [False, True, True, True, False]
    assert [one.meaning for one in found[1:4]] == [
        "not looked at, because no arrivals are recorded or Bursty",
        NO_WORKERS,
        NO_WORKERS,
    ]


def test_more_load_and_slower_workers() -> None:
    model = simulation(PollingWorkers(service=Constant(0.02), per_item=0.005))
    assert of(model, "half as many jobs again") == model.scaled(arrivals=1.5)
    (slow,) = of(model, "workers twice as slow").workers
    assert isinstance(slow, PollingWorkers)
    assert (slow.service.expected_value(), slow.per_item, slow.poll_interval) == (0.04, 0.01, 0.4)  # type: ignore[union-attr]


def test_given_times_are_doubled() -> None:
    (slow,) = of(simulation(PushWorkers(1, service=GivenTimes([0.1, 0.2] * 1000))), "workers twice as slow").workers
    assert slow.service == GivenTimes([0.2, 0.4] * 1000)


def test_half_of_the_workers_rounded_down_are_gone_and_a_single_one_stays() -> None:
    pools = [PushWorkers(5, queue="default"), PollingWorkers(1, queue="slow")]
    found = by_name(simulation(*pools))["half of the workers gone"]
    assert found.simulation is not None
    assert [pool.concurrency for pool in found.simulation.workers] == [3, 1]
    assert found.meaning == "of 5 workers of a queue 3 are left, for the whole run"
    two = by_name(simulation(PushWorkers(2)))["half of the workers gone"]
    assert two.meaning == "of 2 workers of a queue 1 is left, for the whole run"


def test_the_workers_that_are_left_work_longer() -> None:
    model = simulation(PushWorkers(4, service=0.05))
    busy, busier = (one.run(1).metric("utilisation") for one in (model, of(model, "half of the workers gone")))
    assert busier > 1.9 * busy


def test_with_one_worker_a_queue_none_can_go() -> None:
    found = by_name(simulation(PollingWorkers()))["half of the workers gone"]
    assert found.simulation is None
    assert found.meaning == (
        "not looked at, because no queue has more than one worker, and without it nothing of the queue is served"
    )


def test_longer_bursts_say_what_they_are() -> None:
    found = by_name(simulation(arrivals=Bursty(50.0, 0.0, 1.0, 4.0)))["bursts twice as long"]
    assert found.simulation is not None
    assert found.simulation.producers[0].arrivals == Bursty(50.0, 0.0, 2.0, 4.0)
    assert found.meaning == "edits: high phases last 2 s on average, in place of 1 s, at the same rates"


def test_a_stop_loses_jobs_in_the_middle_of_what_is_counted() -> None:
    stopped = of(simulation(), NAMES[-1])
    assert stopped.stops == Stops(at=[70.0], downtime=10.0)
    assert stopped.run(1).metric("lost_jobs") > 0
    assert by_name(simulation())[NAMES[-1]].meaning.startswith("the server stops at 70 s; ")


def test_a_model_that_stops_already_gets_no_other_stop() -> None:
    found = by_name(simulation(stops=Stops(at=[30.0], downtime=1.0)))[NAMES[-1]]
    assert found == StressTest(NAMES[-1], "not looked at, because the model has stops of its own", None)
