from __future__ import annotations

import math
from dataclasses import replace

import pytest
from bufsim_tests.models import edits

from bufsim import (
    Capacity,
    FlushAtSize,
    FlushEvery,
    InvalidValueError,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Trace,
)
from bufsim.statistics import Interval
from bufsim.statistics.differences import UNSEEN
from bufsim.studies import running, tasks
from bufsim.studies.formulas import expression, limit
from bufsim.studies.sensitivity import BASE, Sensitivity, sensitivity

MODEL = edits(Poisson(10.0), policy=FlushAtSize(20), workers=[PushWorkers(1, service="50ms")], until=200.0)
WAIT, QUEUED = expression("mean_wait"), expression("utilisation")


@pytest.fixture(scope="module")
def found() -> Sensitivity:
    return sensitivity(
        MODEL, [WAIT, QUEUED], seed=3, limits=[limit("utilisation <= 0.6")], replications=8, progress=False
    )


def test_the_assumption_that_moves_a_metric_most_comes_first(found: Sensitivity) -> None:
    # the mean wait under a size is (N - 1)/2 over the rate, whatever the workers do
    first, *others = found.of(WAIT)
    assert first.variation.name == "arrivals"
    assert first.lower.estimate == pytest.approx(0.25 * found.base[WAIT].estimate, rel=0.05)
    assert first.higher.estimate == pytest.approx(-0.2 * found.base[WAIT].estimate, rel=0.05)
    assert [one.reach for one in others] == [0.0] * len(others)


def test_every_effect_has_its_interval_under_common_random_numbers(found: Sensitivity) -> None:
    service = next(one for one in found.of(QUEUED) if one.variation.name == "service time")
    assert service.higher.low < 0.25 * found.base[QUEUED].estimate < service.higher.high
    # the same arrivals: much narrower than the metric itself
    assert service.higher.half_width < found.base[QUEUED].half_width
    assert service.higher.n == 8


def test_whether_limits_are_still_kept_is_told_of_both_sides(found: Sensitivity) -> None:
    service = next(one for one in found.of(QUEUED) if one.variation.name == "service time")
    assert service.verdicts == ("pass", "fail")


def test_the_answer_is_told_and_has_a_table(found: Sensitivity) -> None:
    first, _ = found.sentences()
    assert first.startswith("mean_wait_s (0.9")
    assert "moves most with arrivals (10 jobs/s): by 0.2" in first
    assert "where it is divided by 1.25, by -0." in first
    table = found.table()
    assert len(table) == 2 * 2 * 2
    assert set(table["moved"]) == {"lower", "higher"}
    assert set(table["limits"]) <= {"pass", "fail", "undecided"}
    assert "mean_wait_s" in repr(found)


def test_one_seed_gives_one_answer_and_other_replications_another() -> None:
    one, same, other = (
        sensitivity(MODEL, [WAIT], seed=3, replications=4, first=first, progress=False) for first in (0, 0, 4)
    )
    assert one.table().equals(same.table())
    assert not one.table().equals(other.table())


def test_an_interrupt_is_not_half_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sensitivity(MODEL, [WAIT], seed=3, replications=4, progress=False)


def test_a_variation_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run_on = tasks.run_on

    def failing(simulation: Simulation, *arguments: object, **named: object) -> object:
        if simulation.workers[0].service != MODEL.workers[0].service:
            raise RuntimeError("too slow")
        return run_on(simulation, *arguments, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(tasks, "run_on", failing)
    with pytest.raises(InvalidValueError, match=r"with service time, (lower|higher) the model failed: RuntimeError"):
        sensitivity(MODEL, [WAIT], seed=3, replications=2, progress=False)


def test_without_limits_everything_passes() -> None:
    clocked = edits(Poisson(10.0), policy=FlushEvery(5.0), until=100.0)
    found = sensitivity(clocked, [WAIT], seed=3, replications=3, progress=False)
    assert {effect.verdicts for effect in found.effects} == {("pass", "pass")}
    assert BASE == "as assumed"


def test_what_moves_nothing_in_any_replication_is_left_out_of_what_moves_it(found: Sensitivity) -> None:
    assert [effect.variation.name for effect in found.moving(WAIT)] == ["arrivals"]
    assert {effect.variation.name for effect in found.moving(QUEUED)} == {"arrivals", "service time"}


@pytest.mark.parametrize(
    ("difference", "method", "moves"),
    [
        ((0.0, 0.0, 0.0), "paired t", False),
        ((0.0, -0.1, 0.1), "paired t", True),
        # an open end says nothing, nor does how far what no run saw may go
        ((0.0, -math.inf, math.inf), "too few flushes", False),
        ((0.0, -0.3, 0.3), UNSEEN, False),
        ((0.1, -0.3, 0.3), UNSEEN, True),
    ],
)
def test_an_assumption_moves_what_is_another_in_any_replication(
    found: Sensitivity, difference: tuple[float, float, float], method: str, moves: bool
) -> None:
    none = Interval(0.0, 0.0, 0.0, 0.95, 8, "paired t")
    gap = Interval(*difference, 0.95, 8, method)
    for ends in ({"lower": gap, "higher": none}, {"lower": none, "higher": gap}):
        assert replace(found.effects[0], **ends).moves == moves


def test_the_other_way_to_scale_recorded_jobs_stands_beside_the_one_that_was_used() -> None:
    # 10 jobs a second in the first 6 s of 60,000, twice: each of 6 flushes loses 20 - 15; turned copies miss each other
    burst = Trace([*(k / 10 for k in range(1, 61)), 60_000.0])
    buffer = JobBuffer("b", policy=FlushEvery(1.0), capacity=Capacity(15))
    simulation = Simulation(producers=[Producer("log", burst)], buffers=[buffer]).scaled(arrivals=2)
    lost, limits = expression("lost_jobs"), [limit("lost_jobs <= 10")]
    found = sensitivity(simulation, [lost], seed=1, limits=limits, replications=4, progress=False)
    assert found.base[lost].estimate == 30.0
    (other,) = found.otherwise
    # none lost in four runs is no proof that few ever are
    assert (other.difference.estimate, other.verdict) == (-30.0, "undecided")
    assert found.sentences()[-1].startswith(
        "With keep='independent' for the recorded jobs, in place of keep='pattern', lost_jobs differs by -30"
    )
    assert found.sentences()[-1].endswith("jobs: the limits are undecided.")
    row = found.table().iloc[-1]
    assert (row["assumption"], row["value"], row["moved"]) == (
        "scaling of recorded jobs",
        "keep='pattern'",
        "independent",
    )
    assert (row["difference"], row["limits"]) == (-30.0, "undecided")
    as_recorded = Simulation(producers=[Producer("log", burst)], buffers=[buffer])
    assert sensitivity(as_recorded, [lost], seed=1, replications=2, progress=False).otherwise == ()


def test_a_loss_that_no_run_saw_under_the_other_scaling_is_bounded() -> None:
    # room for ten times what is in the buffer: nothing is lost, though the copies are drawn
    buffer = JobBuffer("b", policy=FlushEvery(10.0), capacity=Capacity(200))
    log = Producer("log", Trace([float(second) for second in range(1, 101)]))
    simulation = Simulation(producers=[log], buffers=[buffer]).scaled(arrivals=2)
    found = sensitivity(simulation, [expression("lost_share")], seed=1, replications=3, progress=False)
    (gap,) = [other.difference for other in found.otherwise]
    # at 97.5 % each, for both hold together, up to so large a share of runs may lose all of their jobs
    most = 1.0 - 0.025 ** (1.0 / 3.0)
    assert (gap.estimate, gap.low, gap.high) == pytest.approx((0.0, -most, most))
    assert "lost_share differs by 0.0 [-0.7, 0.7]" in " ".join(found.sentences())
    # nor does that make an assumption one that moves it
    assert found.moving(expression("lost_share")) == ()
