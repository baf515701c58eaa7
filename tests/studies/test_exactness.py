from __future__ import annotations

from bufsim import Exponential, FlushEvery, JobBuffer, Poisson, Producer, PushWorkers, Simulation, Trace
from bufsim.model.arrivals import Arrivals
from bufsim.studies.estimates import is_deterministic
from bufsim.studies.study import Study


def replicated(arrivals: Arrivals, service: object = "10ms") -> bool:
    simulation = Simulation(
        producers=[Producer("edits", arrivals)],
        buffers=[JobBuffer("search", policy=FlushEvery("5s"))],
        workers=[PushWorkers(1, service=service)],
        until="1min",
    )
    result = Study({"today": simulation}, seed=1).run(3, progress=False)
    return is_deterministic(list(result.tallies["today"].values()))


def test_a_trace_with_constant_service_is_the_same_in_every_replication() -> None:
    assert replicated(Trace([0.5 * number for number in range(100)]))


def test_random_arrivals_service_times_or_shifts_of_a_trace_are_not() -> None:
    trace = Trace([0.5 * number for number in range(100)])
    assert not replicated(Poisson(2.0))
    assert not replicated(trace, Exponential(0.01))
    assert not replicated(trace.scaled(2.0))
