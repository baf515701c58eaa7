"""Arrival processes: the same values however long the run is, and the counts of the closed forms."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model import arrivals as module
from bufsim.model.arrivals import Arrivals, Bulk, Bursty, Deterministic, Poisson, Renewal, running_sum
from bufsim.model.distributions import BLOCK, Constant, Distribution, Exponential, Gamma, Geometric, LogNormal, Uniform
from bufsim.model.time_varying import Sinusoid, StepRate, TimeVarying
from bufsim.model.traces import ScaledTrace, Trace

RECORDED = Trace(np.cumsum(np.random.default_rng(3).exponential(0.01, 20_000)))
PROCESSES = [
    Poisson(200.0),
    Renewal(Gamma(0.005, 0.25)),
    Renewal(scipy.stats.lognorm(0.5, scale=0.005)),
    Deterministic(0.003, 0.5),
    TimeVarying(Sinusoid(200.0, 100.0, 10.0), 300.0),
    TimeVarying(StepRate([0.0, 1.0, 3.0], [50.0, 400.0], repeat=True), 400.0),
    Bursty(1000.0, 10.0, 0.5, 2.0),
    Bursty(5000.0, 0.0, 0.01, 0.03, start="high"),
    Bulk(Poisson(20.0), 10),
    Bulk(Renewal(Exponential(0.05)), Geometric(10.0)),
    Bulk(Bulk(Poisson(20.0), 2), Uniform(0.0, 9.0)),
    RECORDED,
]


def generator(seed: int = 5) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(seed))


def times(process: Arrivals, until: float, seed: int = 5) -> np.ndarray:
    return process.all_times(generator(seed), until)


def counts(process: Arrivals, until: float, replications: int) -> np.ndarray:
    return np.array([len(times(process, until, seed)) for seed in range(replications)])


def assert_mean(values: np.ndarray, expected: float) -> None:
    assert abs(values.mean() - expected) <= 4.0 * values.std(ddof=1) / math.sqrt(len(values))


def assert_variance(values: np.ndarray, expected: float) -> None:
    squares = (values - values.mean()) ** 2
    assert abs(squares.mean() - expected) <= 4.0 * squares.std(ddof=1) / math.sqrt(len(values))


@pytest.mark.parametrize("process", [*PROCESSES, ScaledTrace(RECORDED, 2.5)], ids=repr)
class TestEveryProcess:
    def test_yields_non_decreasing_blocks_below_until(self, process):
        blocks = list(process.blocks(generator(), 100.0))
        together = np.concatenate(blocks)
        assert all(block.size and block.dtype == np.float64 for block in blocks)
        assert (np.diff(together) >= 0.0).all()
        assert together[0] >= 0.0
        assert together[-1] < 100.0

    def test_gives_in_one_array_what_it_gives_in_blocks(self, process):
        blocks = list(process.blocks(generator(), 100.0))
        assert times(process, 100.0).tolist() == np.concatenate(blocks).tolist()

    @pytest.mark.parametrize("until", [0.001, 1.0, 41.3, 99.999])
    def test_does_not_depend_on_how_long_the_run_is(self, process, until):
        long = times(process, 200.0)
        assert times(process, until).tolist() == long[long < until].tolist()

    def test_hands_out_arrays_that_later_draws_leave_alone(self, process):
        kept, copies = [], []
        for block in process.blocks(generator(), 100.0):
            kept.append(block)
            copies.append(block.copy())
        assert all(np.array_equal(block, copy) for block, copy in zip(kept, copies, strict=True))

    def test_can_be_pickled_and_hashed(self, process):
        again = pickle.loads(pickle.dumps(process))
        assert again == process
        assert hash(again) == hash(process)
        assert times(again, 10.0).tolist() == times(process, 10.0).tolist()


@pytest.mark.parametrize("process", PROCESSES[:-1], ids=repr)
def test_repr_is_code(process):
    assert eval(repr(process), {**globals(), "scipy": scipy}) == process


@pytest.mark.parametrize("process", PROCESSES[:-1], ids=repr)
def test_scaling_multiplies_the_rate(process):
    assert process.scaled(2.0).mean_rate == pytest.approx(2.0 * process.mean_rate, nan_ok=True)
    differences = counts(process.scaled(2.5), 20.0, 60) - 2.5 * counts(process, 20.0, 60)
    # of thousands of jobs, up to three may fall on the other side of the end by rounding
    assert abs(differences.mean()) <= 3.0 + 4.0 * differences.std() / math.sqrt(60)


def test_scaling_a_poisson_process_only_changes_its_clock():
    assert (2.0 * times(Poisson(6.0), 50.0)).tolist() == times(Poisson(3.0), 100.0).tolist()


@pytest.mark.parametrize("process", PROCESSES, ids=repr)
def test_a_factor_that_is_not_positive_is_an_error(process):
    with pytest.raises(InvalidValueError, match=r"^factor must be > 0, got -2\.0$"):
        process.scaled(-2.0)


def test_poisson_counts_have_equal_mean_and_variance():
    sizes = counts(Poisson(3.0), 10.0, 2000)
    assert_mean(sizes, 30.0)
    assert_variance(sizes, 30.0)


def test_poisson_gaps_are_independent_exponentials():
    gaps = np.diff(times(Poisson(4.0), 10_000.0), prepend=0.0)
    assert len(gaps) > 4 * BLOCK
    assert scipy.stats.kstest(gaps, scipy.stats.expon(scale=0.25).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) <= 4.0 / math.sqrt(len(gaps))


def test_poisson_times_are_the_running_sums_of_the_draws():
    draws = generator().standard_exponential(2 * BLOCK) / 8.0
    # the first half of a block has the even draws, the second half the odd ones
    order = np.concatenate([np.r_[0:BLOCK:2, 1:BLOCK:2], np.r_[BLOCK : 2 * BLOCK : 2, BLOCK + 1 : 2 * BLOCK : 2]])
    found = times(Poisson(8.0), math.fsum(draws))
    assert found == pytest.approx(np.cumsum(draws[order])[: len(found)], rel=1e-12)
    assert len(found) in (2 * BLOCK - 1, 2 * BLOCK)


def test_poisson_makes_room_for_more_than_it_expected(monkeypatch):
    class Fast:
        """Draws gaps a thousand times too short."""

        def __init__(self):
            self.generator = generator()

        def standard_exponential(self, *, out):
            self.generator.standard_exponential(out=out)
            out *= 1e-3

    process = Poisson(1.0)
    blocks = np.concatenate(list(process.blocks(Fast(), 100.0)))
    assert len(blocks) > 10 * BLOCK
    assert process.all_times(Fast(), 100.0).tolist() == blocks.tolist()


def test_renewal_counts_are_those_of_renewal_theory():
    # Var N(t) ~ scv t / mean, and E N(t) ~ t/mean + (scv - 1)/2 (Cox 1962)
    sizes = counts(Renewal(Gamma(0.1, 4.0)), 200.0, 1000)
    assert_mean(sizes, 2000.0 + 1.5)
    assert abs(sizes.var() / 8000.0 - 1.0) < 0.2


def test_renewal_of_exponential_gaps_is_poisson():
    sizes = counts(Renewal(Exponential(0.5)), 10.0, 2000)
    assert_mean(sizes, 20.0)
    assert_variance(sizes, 20.0)


def test_renewal_accepts_a_number():
    assert times(Renewal(2), 7.0).tolist() == [2.0, 4.0, 6.0]


@given(interval=st.floats(1e-3, 1e3), offset=st.floats(0.0, 1e3), k=st.integers(1, 30_000))
def test_deterministic_times_are_computed_from_their_number(interval, offset, k):
    process = Deterministic(interval, offset)
    until = offset + k * interval
    found = times(process, until)
    assert found.tolist()[-3:] == [offset + i * interval for i in range(max(1, k - 3), k)][-3:]
    assert len(found) <= k - 1


def test_deterministic_times_do_not_drift():
    found = times(Deterministic(0.1), 100_000.05)
    assert len(found) == 1_000_000
    assert found[-1] == 1_000_000 * 0.1
    # a negative control: added up, they would
    assert np.cumsum(np.full(1_000_000, 0.1))[-1] != found[-1]


def test_an_arrival_at_until_is_not_in_the_run():
    assert times(Deterministic(0.5), 2.0).tolist() == [0.5, 1.0, 1.5]
    assert times(Deterministic(0.5), 0.5).tolist() == []
    assert times(Deterministic("30s", "1min"), 121.0).tolist() == [90.0, 120.0]


def test_bulk_repeats_each_time_as_often_as_its_size():
    assert times(Bulk(Deterministic(1.0), 3), 2.5).tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert times(Bulk(Deterministic(1.0), 2.6), 1.5).tolist() == [1.0, 1.0, 1.0]
    assert times(Bulk(Deterministic(1.0), 0.2), 1.5).tolist() == [1.0]


def test_bulk_sizes_follow_their_distribution():
    _, sizes = np.unique(times(Bulk(Poisson(10.0), Geometric(4.0)), 5000.0), return_counts=True)
    assert_mean(sizes, 4.0)
    assert_variance(sizes, 12.0)


def test_bulks_arrive_when_single_jobs_would():
    single = times(Poisson(100.0), 300.0)
    assert np.unique(times(Bulk(Poisson(100.0), Geometric(4.0)), 300.0)).tolist() == single.tolist()


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=30),
    piece=st.integers(1, 40),
)
def test_bulks_are_cut_into_pieces_of_bounded_size(sizes, piece):
    class Given(Distribution):
        def draw(self, generator: np.random.Generator, size: int) -> np.ndarray:
            return np.resize(sizes, size)

        def expected_value(self) -> float:
            return float(np.mean(sizes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", piece)
        pieces = list(Bulk(Deterministic(1.0), Given()).blocks(generator(), len(sizes) + 0.5))
    assert max(map(len, pieces)) <= piece
    assert np.concatenate(pieces).tolist() == np.repeat(np.arange(1, len(sizes) + 1), sizes).tolist()


def test_a_bulk_larger_than_memory_would_hold_is_streamed():
    blocks = Bulk(Deterministic(1.0), 10**12).blocks(generator(), 10.0)
    assert [len(next(blocks)) for _ in range(3)] == [65_536] * 3


@pytest.mark.parametrize(
    ("process", "rate"),
    [
        (Poisson(3.0), 3.0),
        (Renewal(Gamma(0.5, 2.0)), 2.0),
        (Deterministic(0.25), 4.0),
        (Bulk(Poisson(2.0), 5), 10.0),
        (Bulk(Poisson(2.0), Geometric(1.5)), 3.0),
        (Bulk(Poisson(2.0), Constant(2.6)), 6.0),
        (Bulk(Poisson(2.0), Uniform(0.0, 9.0)), math.nan),
    ],
    ids=repr,
)
def test_mean_rate_is_jobs_per_second(process, rate):
    assert process.mean_rate == pytest.approx(rate, nan_ok=True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Poisson(-1), InvalidValueError, "rate must be > 0, got -1"),
        (lambda: Poisson(0), InvalidValueError, "rate must be > 0, got 0"),
        (lambda: Poisson(math.inf), InvalidValueError, "rate must be finite, got inf"),
        (lambda: Poisson("10"), InvalidTypeError, "rate must be a number, got '10'"),
        (
            lambda: Renewal(0),
            InvalidValueError,
            r"distribution must have a mean > 0, so that time goes on, got Constant\(0\.0\)",
        ),
        (lambda: Renewal("x"), InvalidValueError, "distribution must be a number with a unit, .*, got 'x'"),
        (lambda: Renewal([1.0]), InvalidTypeError, r"distribution must be a number, .*, got \[1.0\]"),
        (lambda: Deterministic(0.0), InvalidValueError, r"interval must be > 0, got 0\.0"),
        (lambda: Deterministic(1.0, -1.0), InvalidValueError, r"offset must be >= 0, got -1\.0"),
        (
            lambda: Bulk(3.0, 2),
            InvalidTypeError,
            r"arrivals must be an arrival process such as Poisson\(rate=10\.0\) or a Trace, got 3\.0",
        ),
        (lambda: Bulk(Poisson(1.0), 0), InvalidValueError, "size must be >= 1, got 0"),
        (lambda: Bulk(Poisson(1.0), True), InvalidTypeError, "size must be a number, .*, got True"),
        (
            lambda: Bulk(Trace([1.0], keys=["a"]), 2),
            InvalidTypeError,
            r"arrivals of a Bulk must not have their jobs' attributes, got Trace\(.*\); "
            "repeat the time in the trace, once for each job",
        ),
    ],
)
def test_a_wrong_value_is_named_when_it_is_written(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()


def test_a_renewal_whose_draws_are_negative_is_an_error_that_names_it():
    with pytest.raises(InvalidValueError, match=r"^draws of scipy.stats.norm\(1.0, 2.0\) must be finite and >= 0"):
        times(Renewal(scipy.stats.norm(1.0, 2.0)), 100.0)


def test_lognormal_renewals_have_their_rate():
    assert_mean(counts(Renewal(LogNormal(0.01, 0.5)), 50.0, 200), 5000.0 - 0.25)


def counts_of_phases(process: Bursty, until: float, replications: int) -> np.ndarray:
    return np.array(
        [
            len(process.all_times(np.random.Generator(np.random.SFC64(seed)), until))
            for seed in range(1000, 1000 + replications)
        ]
    )


@pytest.mark.parametrize("process", [Bursty(30.0, 3.0, 2.0, 5.0), Bursty(50.0, 0.0, 0.3, 0.9)], ids=repr)
@pytest.mark.parametrize("until", [1.0, 20.0])
def test_stationary_counts_have_the_mean_and_variance_of_the_closed_form(process, until):
    # Var N(t) = m t + 2 p q (a - b)² (r t - 1 + exp(-r t)) / r², r the sum of the switching rates (Fischer 1993)
    r = 1.0 / process.mean_high + 1.0 / process.mean_low
    p = process.mean_high / (process.mean_high + process.mean_low)
    spread = 2.0 * p * (1.0 - p) * (process.high_rate - process.low_rate) ** 2
    variance = process.mean_rate * until + spread * (r * until - 1.0 + math.exp(-r * until)) / r**2
    sizes = counts_of_phases(process, until, 1500)
    assert_mean(sizes, process.mean_rate * until)
    squares = (sizes - process.mean_rate * until) ** 2
    assert_mean(squares, variance)
    # a negative control: it is no Poisson process
    assert squares.mean() - 4.0 * squares.std() / math.sqrt(len(sizes)) > process.mean_rate * until


@pytest.mark.parametrize("start", ["high", "low"])
def test_a_given_start_fades_at_the_rate_of_the_phases(start):
    process = Bursty(40.0, 4.0, 1.0, 3.0, start=start)
    r = 1.0 / process.mean_high + 1.0 / process.mean_low
    first = process.high_rate if start == "high" else process.low_rate
    expected = process.mean_rate * 2.0 + (first - process.mean_rate) * (1.0 - math.exp(-2.0 * r)) / r
    assert_mean(counts_of_phases(process, 2.0, 2000), expected)


def test_nothing_arrives_in_an_off_phase():
    gaps = np.diff(Bursty(1000.0, 0.0, 1.0, 9.0).all_times(np.random.Generator(np.random.SFC64(5)), 2000.0))
    # between bursts: exponential silences of 9 s, about 200 of them
    silences = gaps[gaps > 0.1]
    assert 140 < len(silences) < 260
    assert_mean(silences, 9.0)


def test_equal_rates_are_a_poisson_process():
    sizes = counts_of_phases(Bursty(5.0, 5.0, 1.0, 1.0), 10.0, 1500)
    assert_mean(sizes, 50.0)
    assert_mean((sizes - 50.0) ** 2, 50.0)


def test_scaling_keeps_the_phases():
    process = Bursty(100.0, 0.0, 1.0, 20.0, start="low")
    first = process.all_times(np.random.Generator(np.random.SFC64(5)), 500.0)[0]
    denser = process.scaled(1000.0).all_times(np.random.Generator(np.random.SFC64(5)), 500.0)[0]
    assert 0.0 < first - denser < 0.1


def test_a_very_fast_burst_is_streamed():
    blocks = Bursty(1e12, 0.0, 1e6, 1.0, start="high").blocks(np.random.Generator(np.random.SFC64(5)), 10.0)
    assert len(next(blocks)) == 8192


def test_a_run_without_a_burst_ends():
    assert len(Bursty(1.0, 0.0, 1.0, 1e6, start="low").all_times(np.random.Generator(np.random.SFC64(5)), 10.0)) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.0, 1.0, 1.0), r"high_rate must be > 0, got 0\.0"),
        ((1.0, -1.0, 1.0, 1.0), r"low_rate must be >= 0, got -1\.0"),
        ((1.0, 2.0, 1.0, 1.0), r"low_rate must be <= high_rate = 1\.0, got 2\.0"),
        ((1.0, 0.0, 0.0, 1.0), r"mean_high must be > 0, got 0\.0"),
        ((1.0, 0.0, 1.0, -1.0), r"mean_low must be > 0, got -1\.0"),
    ],
)
def test_a_wrong_value_is_named(arguments, message):
    with pytest.raises(InvalidValueError, match=f"^{message}$"):
        Bursty(*arguments)


def test_an_unknown_start_is_an_error_with_a_suggestion():
    with pytest.raises(
        InvalidValueError, match=r"^start must be one of 'stationary', 'high', 'low', got 'hihg'; did you"
    ):
        Bursty(1.0, 0.0, 1.0, 1.0, start="hihg")


def test_durations_may_be_text():
    assert Bursty(1.0, 0.0, "1min", "2min") == Bursty(1.0, 0.0, 60.0, 120.0)


@given(st.lists(st.floats(0.0, 100.0), min_size=2, max_size=40), st.sampled_from((0.25, 1.0, 2.0)), st.floats(0.0, 1e3))
def test_gaps_in_even_places_come_first_and_then_those_in_odd_ones(gaps, scale, now):
    gaps = gaps[: len(gaps) // 2 * 2]
    expected = accumulate((Fraction(gap) * Fraction(scale) for gap in gaps[::2] + gaps[1::2]), initial=Fraction(now))
    times = np.empty(len(gaps))
    assert running_sum(np.array(gaps), scale, now, times) == times[-1]
    np.testing.assert_allclose(times, [float(time) for time in expected][1:], rtol=1e-14, atol=1e-300)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40))
def test_sums_of_whole_numbers_are_exact(gaps):
    gaps = gaps[: len(gaps) // 2 * 2]
    times = np.empty(len(gaps))
    running_sum(np.array(gaps, dtype=np.float64), 1.0, 7.0, times)
    assert times.tolist() == list(accumulate(gaps[::2] + gaps[1::2], initial=7))[1:]
