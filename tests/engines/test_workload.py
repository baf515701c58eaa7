"""A workload depends on names and the seed, and on nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim.engines.workload import Jobs, Workload, constant, in_order, merged, no_jobs
from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.arrivals import Bulk, Bursty, Deterministic, Poisson, Renewal
from bufsim.model.distributions import BLOCK, Exponential, Gamma, Geometric, Uniform
from bufsim.model.producers import Producer, UniformKeys, Zipf
from bufsim.model.time_varying import Sinusoid, TimeVarying
from bufsim.model.traces import Trace

TIMES = np.cumsum(np.random.default_rng(3).exponential(0.01, 20_000)).round(2)
LOG = Trace(
    TIMES,
    keys=[None if i % 7 == 0 else f"sku-{i % 50}" if i % 3 else i % 50 for i in range(20_000)],
    nbytes=np.arange(20_000),
    queues=["search" if i % 2 else "collections" for i in range(20_000)],
    data=[{"row": i} for i in range(20_000)],
)
PRODUCERS = [
    Producer("edits", Poisson(100.0), keys=Zipf(1000, 0.9), nbytes=Gamma(500.0, 2.0)),
    Producer("ticks", Deterministic(0.01), queue="clock", keys=UniformKeys(30), nbytes=64),
    Producer("import", Bulk(Deterministic(1.0), Geometric(100.0)), queue="search"),
    Producer("log", LOG),
    Producer("more", LOG.scaled(2.5), queue="default", nbytes=3),
    Producer("shop", Bursty(1000.0, 0.0, 0.5, 1.0), nbytes=Uniform(0.0, 3.0)),
    Producer("day", TimeVarying(Sinusoid(50.0, 50.0, 30.0), 100.0), keys=Zipf(20, 0.0)),
]


def workload(*producers: Producer, until: float = 150.0, seed: int = 1, replication: int = 0) -> Workload:
    return Workload(producers, seed=seed, until=until, replication=replication)


def columns(jobs: Jobs) -> dict[str, list]:
    return {name: getattr(jobs, name).tolist() for name in ("time", "producer", "queue", "key", "nbytes")}


def together(blocks: list[Jobs]) -> dict[str, list]:
    return {name: [value for block in blocks for value in columns(block)[name]] for name in columns(blocks[0])}


def own(work: Workload, name: str) -> list[tuple]:
    """Return what one producer's jobs are, in words rather than codes."""
    jobs = work.jobs()
    code = [producer.name for producer in work.producers].index(name)
    mine = jobs.producer == code
    keys = work.key_values
    return [
        (time, work.queues[queue], None if key < 0 else keys[key], nbytes)
        for time, queue, key, nbytes in zip(
            *(column[mine].tolist() for column in (jobs.time, jobs.queue, jobs.key, jobs.nbytes)), strict=True
        )
    ]


class TestJobs:
    def test_come_by_time_then_producer_then_number(self):
        jobs = workload(*PRODUCERS).jobs()
        order = list(zip(jobs.time.tolist(), jobs.producer.tolist(), strict=True))
        assert order == sorted(order)
        assert len(order) > 8 * BLOCK
        # the model is full of ties
        assert len(set(jobs.time.tolist())) < len(order) - 10_000
        assert jobs.time[-1] < 150.0

    def test_have_their_declared_types(self):
        for jobs in (workload(*PRODUCERS).jobs(), next(workload(*PRODUCERS).job_blocks()), workload().jobs()):
            assert [column.dtype for column in jobs.columns()] == [
                np.float64,
                np.int16,
                np.int16,
                np.int32,
                np.int64,
            ]

    def test_in_blocks_are_the_same(self):
        work = workload(*PRODUCERS)
        blocks = list(work.job_blocks())
        jobs = columns(work.jobs())
        assert together(blocks) == jobs
        assert len(blocks) > 8
        assert max(map(len, blocks)) <= len(PRODUCERS) * 65_536

    @pytest.mark.parametrize("producer", PRODUCERS, ids=lambda producer: producer.name)
    def test_of_a_single_producer_in_blocks_are_the_same(self, producer):
        work = workload(producer)
        blocks = list(work.job_blocks())
        jobs = columns(work.jobs())
        assert together(blocks) == jobs

    def test_are_the_same_at_every_call(self):
        work = workload(*PRODUCERS)
        assert columns(work.jobs()) == columns(work.jobs()) == columns(workload(*PRODUCERS).jobs())

    @pytest.mark.parametrize("until", [0.005, 3.0, 99.99])
    def test_of_a_shorter_run_are_the_first_of_a_longer_one(self, until):
        long, short = workload(*PRODUCERS).jobs(), workload(*PRODUCERS, until=until).jobs()
        n = len(short)
        assert columns(short) == {name: values[:n] for name, values in columns(long).items()}
        assert n == np.searchsorted(long.time, until)

    @pytest.mark.parametrize("producer", PRODUCERS, ids=lambda producer: producer.name)
    def test_do_not_depend_on_other_producers(self, producer):
        alone, among = workload(producer), workload(*PRODUCERS[::-1])
        assert own(alone, producer.name) == own(among, producer.name)

    @pytest.mark.parametrize("change", [{"seed": 2}, {"replication": 1}])
    def test_depend_on_the_seed_and_the_replication(self, change):
        producer = PRODUCERS[0]
        first, other = workload(producer).jobs(), workload(producer, **change).jobs()
        assert not set(first.time.tolist()) & set(other.time.tolist())
        assert first.key[:100].tolist() != other.key[:100].tolist()

    def test_depend_on_the_producers_name(self):
        first = workload(Producer("a", Poisson(10.0))).jobs()
        other = workload(Producer("b", Poisson(10.0))).jobs()
        assert not set(first.time.tolist()) & set(other.time.tolist())

    def test_keep_their_times_when_their_attributes_change(self):
        plain = workload(Producer("a", Poisson(10.0))).jobs()
        rich = workload(Producer("a", Poisson(10.0), queue="q", keys=Zipf(9, 1.0), nbytes=Exponential(9.0))).jobs()
        assert plain.time.tolist() == rich.time.tolist()

    def test_stay_the_same_from_one_version_to_the_next(self):
        producers = (
            Producer("edits", Poisson(1.0), keys=Zipf(100, 1.0), nbytes=Exponential(100.0)),
            Producer("shop", Bulk(Renewal(Gamma(1.0, 2.0)), Geometric(2.0)), queue="search"),
        )
        jobs = workload(*producers, until=4.0, seed=2025).jobs()
        found = columns(jobs)
        # logarithms may differ in the last bit from one machine to another
        assert found.pop("time") == pytest.approx(GOLDEN["time"], rel=1e-12)
        assert found == {name: values for name, values in GOLDEN.items() if name != "time"}

    def test_that_are_all_alike_cost_nothing(self):
        jobs = workload(Producer("a", Poisson(1000.0))).jobs()
        for column, value in ((jobs.producer, 0), (jobs.queue, 0), (jobs.key, -1), (jobs.nbytes, 0)):
            assert column.strides == (0,)
            assert column[-1] == value

    def test_have_keys_and_sizes_of_their_distributions(self):
        jobs = workload(Producer("a", Poisson(1000.0), keys=Zipf(10, 1.0), nbytes=Exponential(200.0))).jobs()
        n = len(jobs)
        share = np.mean(jobs.key == 0)
        p = Zipf(10, 1.0).probabilities()[0]
        assert abs(share - p) <= 4.0 * math.sqrt(p * (1.0 - p) / n)
        assert abs(jobs.nbytes.mean() - 200.0) <= 4.0 * 200.0 / math.sqrt(n) + 0.01
        # key, size and time are independent
        for first, second in ((jobs.key, jobs.nbytes), (jobs.key[1:], np.diff(jobs.time)), (jobs.nbytes, jobs.time)):
            assert abs(np.corrcoef(first, second)[0, 1]) <= 4.0 / math.sqrt(n)

    def test_of_a_trace_are_its_rows(self):
        work = workload(Producer("log", LOG))
        jobs = work.jobs()
        n = len(jobs)
        assert jobs.time.tolist() == LOG.times[:n].tolist()
        assert [None if key < 0 else work.key_values[key] for key in jobs.key.tolist()] == list(LOG.keys[:n])
        assert [work.queues[queue] for queue in jobs.queue.tolist()] == list(LOG.queues[:n])
        assert jobs.nbytes.tolist() == LOG.nbytes[:n].tolist()
        assert work.data(0, 123) == {"row": 123}

    def test_of_a_scaled_trace_keep_their_rows_attributes(self):
        work = workload(Producer("log", LOG.scaled(2.5)))
        jobs = work.jobs()
        rows = [work.data(0, number)["row"] for number in range(len(jobs))]
        assert jobs.nbytes.tolist() == rows
        assert [None if key < 0 else work.key_values[key] for key in jobs.key.tolist()] == [
            LOG.keys[row] for row in rows
        ]
        assert [work.queues[queue] for queue in jobs.queue.tolist()] == [LOG.queues[row] for row in rows]

    def test_of_no_producer_are_none(self):
        assert len(workload().jobs()) == 0
        assert list(workload().job_blocks()) == []
        assert len(workload(Producer("a", Deterministic(1000.0))).jobs()) == 0

    @settings(max_examples=25)
    @given(
        st.lists(
            st.tuples(st.sampled_from([0.5, 1.0, 1.5, 2.0]), st.sampled_from([0.0, 0.5]), st.integers(1, 4)),
            min_size=1,
            max_size=4,
        )
    )
    def test_full_of_ties_stand_in_order(self, grids):
        producers = [
            Producer(f"p{i}", Bulk(Deterministic(interval, offset), size))
            for i, (interval, offset, size) in enumerate(grids)
        ]
        expected = sorted(
            (offset + k * interval, code)
            for code, (interval, offset, size) in enumerate(grids)
            for k in range(1, 200)
            for _ in range(size)
            if offset + k * interval < 20.0
        )
        work = workload(*producers, until=20.0)
        for jobs in ([work.jobs()], list(work.job_blocks())):
            found = [row for part in jobs for row in zip(part.time, part.producer, strict=True)]
            assert found == expected

    def test_without_end_are_streamed(self):
        blocks = workload(Producer("a", Poisson(1e6)), Producer("b", Poisson(1e3)), until=1e9).job_blocks()
        sizes = [len(next(blocks)) for _ in range(20)]
        assert max(sizes) < 2 * BLOCK


class TestKeys:
    def test_that_are_drawn_are_their_own_codes(self):
        work = workload(
            Producer("a", Poisson(1.0), keys=Zipf(5, 1.0)), Producer("b", Poisson(1.0), keys=UniformKeys(7))
        )
        assert list(work.key_values) == [0, 1, 2, 3, 4, 5, 6]

    def test_are_one_by_value_whatever_producer_they_come_from(self):
        first = Trace([0.5, 1.5, 2.5], keys=["x", 2, None])
        second = Trace([1.0, 2.0, 3.0], keys=[9, "x", 0.0])
        work = workload(Producer("a", first), Producer("b", Poisson(1.0), keys=Zipf(3, 1.0)), Producer("c", second))
        assert list(work.key_values) == [0, 1, 2, "x", 9]
        jobs = work.jobs()
        assert jobs.key[jobs.producer == 0].tolist() == [3, 2, -1]
        assert jobs.key[jobs.producer == 2].tolist() == [4, 3, 0]

    def test_of_a_trace_are_not_used_when_others_are_given(self):
        work = workload(Producer("a", Trace([1.0], keys=["x"]), keys=Zipf(1, 1.0)))
        assert list(work.key_values) == [0]
        assert work.jobs().key.tolist() == [0]

    def test_there_may_be_none(self):
        assert not workload(Producer("a", Poisson(1.0))).key_values


class TestDraws:
    def test_are_the_same_object_whenever_the_same_is_asked_for(self):
        work = workload()
        frozen = scipy.stats.expon(scale=2.0)
        array = np.array([1.0, 2.0])
        for distribution in (Exponential(2.0), frozen, array, None, 0.5):
            assert work.draws("q", "service", 1, distribution) is work.draws("q", "service", 1, distribution)

    def test_belong_to_a_name_a_purpose_and_an_attempt(self):
        keys = [
            (name, purpose, attempt)
            for name in ("q", "p")
            for purpose in ("service", "failure", "flush", "stops")
            for attempt in (1, 2, 11)
        ]
        work = workload()
        assert len({work.draws(*key, Exponential(1.0)).at_least(1)[0] for key in keys}) == len(keys)

    def test_do_not_depend_on_producers_or_on_what_was_drawn_before(self):
        busy = workload(*PRODUCERS)
        busy.draws("p", "service", 1, Exponential(1.0)).at_least(5)
        busy.jobs()
        first = busy.draws("q", "service", 2, Exponential(1.0)).at_least(100)
        assert np.array_equal(first, workload().draws("q", "service", 2, Exponential(1.0)).at_least(100))

    def test_of_another_distribution_share_the_random_numbers(self):
        work = workload()
        one = work.draws("q", "service", 1, Exponential(1.0)).at_least(9)
        assert work.draws("q", "service", 1, Exponential(3.0)).at_least(9) == pytest.approx(3.0 * one)

    def test_without_a_distribution_are_uniform(self):
        values = workload().draws("q", "failure", 1, None).at_least(BLOCK)
        assert 0.0 <= values.min() < 0.01
        assert 0.99 < values.max() < 1.0

    def test_of_an_array_are_its_values_or_the_column_of_the_attempt(self):
        work = workload()
        flat, table = np.array([1.0, 2.0]), np.array([[1.0, 10.0], [2.0, 20.0]])
        assert work.draws("q", "service", 2, flat).at_least(2).tolist() == [1.0, 2.0]
        assert work.draws("q", "service", 1, table).at_least(2).tolist() == [1.0, 2.0]
        assert work.draws("q", "service", 2, table).at_least(2).tolist() == [10.0, 20.0]
        with pytest.raises(
            InvalidValueError,
            match=r"^service times of queue 'q' must have a column for attempt 3, got 2 columns; give one an attempt$",
        ):
            work.draws("q", "service", 3, table)

    @pytest.mark.parametrize(
        ("purpose", "what"),
        [
            ("service", "service times of queue 'q'"),
            ("flush", "flush times of buffer 'q'"),
            ("failure", "failure draws of queue 'q'"),
            ("stops", "times between stops of 'q'"),
            ("backoff", "backoff draws of 'q'"),
        ],
    )
    def test_that_are_too_few_say_what_they_are(self, purpose, what):
        with pytest.raises(InvalidValueError, match=f"^{what} must be at least 2 values .* got 1: row 1 is missing; "):
            workload().draws("q", purpose, 1, np.array([1.0])).at_least(2)

    def test_of_an_attempt_before_the_first_are_an_error(self):
        with pytest.raises(InvalidValueError, match=r"^attempt must be >= 1, got 0$"):
            workload().draws("q", "service", 0, 1.0)


class TestData:
    def test_is_nothing_by_default(self):
        assert workload(Producer("a", Poisson(1.0))).data(0, 0) is None

    def test_is_what_the_function_says_of_the_jobs_number(self):
        work = workload(Producer("a", Poisson(1.0), data=lambda number: {"id": number, "type": type(number)}))
        assert work.data(0, np.int64(5)) == {"id": 5, "type": int}

    def test_is_what_the_producer_says_before_what_the_trace_says(self):
        trace = Trace([1.0, 2.0], data=["x", "y"])
        work = workload(Producer("a", trace), Producer("b", trace, data=["z", None]))
        assert [work.data(0, 1), work.data(1, 0), work.data(1, 1)] == ["y", "z", None]

    def test_that_is_too_short_is_an_error_that_names_the_producer(self):
        work = workload(Producer("a", Poisson(1.0), data=["x"]))
        assert work.data(0, 0) == "x"
        with pytest.raises(
            InvalidValueError,
            match=r"^data of producer 'a' must have a value for job 1, got 1 values; give more, or a function$",
        ):
            work.data(0, 1)


def test_queues_stand_in_the_order_in_which_they_are_named():
    assert workload(*PRODUCERS).queues == ("default", "clock", "search", "collections")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: workload(Poisson(1.0)), InvalidTypeError, r"producers\[0\] must be a Producer, got Poisson\(1\.0\)"),
        (
            lambda: workload(Producer("a", Poisson(1.0)), Producer("a", Poisson(2.0))),
            InvalidValueError,
            "producer names must be unique, got 'a' twice; rename one",
        ),
        (lambda: workload(seed=-1), InvalidValueError, "seed must be >= 0, got -1"),
        (lambda: workload(until=0.0), InvalidValueError, r"until must be > 0, got 0\.0"),
        (lambda: workload(until=math.inf), InvalidValueError, "until must be finite, got inf"),
        (lambda: workload(replication=-1), InvalidValueError, "replication must be >= 0, got -1"),
        (
            lambda: workload(Producer("a", Deterministic(1e-15))),
            InvalidValueError,
            r"arrivals of producer 'a' must be fewer than 2\*\*50 until 150\.0 s, got Deterministic\(1e-15\); "
            "shorten the run, or lower the rate",
        ),
        (
            lambda: workload(*(Producer(str(i), Poisson(1.0)) for i in range(32_768))),
            InvalidValueError,
            "producers must be at most 32767, got 32768",
        ),
        (
            lambda: workload(Producer("a", Poisson(1.0), nbytes=1e18)).jobs(),
            InvalidValueError,
            r"nbytes of producer 'a' must be < 2\*\*53, got 1e\+18",
        ),
    ],
)
def test_a_wrong_value_is_named(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()


# made with numpy 2.4: its generators may change their methods from one version to another, though they seldom do
GOLDEN: dict[str, list] = {
    "time": [
        0.05465706091138982,
        0.6909031106726911,
        0.8689137545976195,
        1.423352564236763,
        2.2154866752410345,
        2.2154866752410345,
        2.2154866752410345,
        2.2154866752410345,
        2.2154866752410345,
        2.2154866752410345,
        2.216807329070018,
        2.216807329070018,
        2.216807329070018,
        2.216807329070018,
        3.3866534520909486,
        3.9093478916169673,
    ],
    "producer": [1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
    "queue": [1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
    "key": [-1, 0, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 5, 27],
    "nbytes": [0, 27, 27, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 76, 14],
}


# jobs of several producers stand in one order, however they come


def jobs_of(code: int, times: list[float], first: int = 0) -> Jobs:
    n = len(times)
    return Jobs(
        np.array(times, dtype=np.float64),
        constant(code, n, np.int16),
        constant(code % 2, n, np.int16),
        # the job's number within its producer, so that the order shows
        np.arange(first, first + n, dtype=np.int32) * 10 + code,
        constant(7, n, np.int64),
    )


def rows(jobs: Jobs) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in jobs.columns()), strict=True))


# few distinct times: ties within and between producers
TIMES_OF_PRODUCERS = st.lists(st.lists(st.integers(0, 6).map(float), max_size=25).map(sorted), min_size=1, max_size=4)


@given(TIMES_OF_PRODUCERS)
def test_jobs_stand_by_time_then_producer_then_number(times):
    parts = [jobs_of(code, own) for code, own in enumerate(times)]
    expected = sorted((row for part in parts for row in rows(part)), key=lambda row: (row[0], row[1], row[3]))
    assert rows(in_order(parts)) == expected


@given(TIMES_OF_PRODUCERS, st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_blocks_are_merged_into_the_same_order(times, sizes):
    parts = [jobs_of(code, own) for code, own in enumerate(times)]
    sources = [
        iter([jobs_of(code, own[i : i + size], i) for i in range(0, len(own), size)])
        for (code, own), size in zip(enumerate(times), sizes, strict=False)
    ]
    blocks = list(merged(sources))
    assert all(len(block) for block in blocks)
    assert [row for block in blocks for row in rows(block)] == rows(in_order(parts))
    # bounded: no more than one block of each producer at once
    assert max(map(len, blocks), default=0) <= sum(sizes)


def test_a_great_bulk_at_one_instant_is_not_held_back():
    read = []

    def blocks(code: int):
        for i in range(100):
            read.append(code)
            yield jobs_of(code, [1.0, 1.0], 2 * i)

    stream = merged([blocks(0), blocks(1)])
    for _ in range(50):
        next(stream)
    # producer 0 goes first; of producer 1, whose jobs come after, one block waits
    assert read.count(0) <= 52
    assert read.count(1) == 1


def test_constant_columns_stay_one_value():
    jobs = in_order([jobs_of(0, [1.0, 2.0]), jobs_of(2, [1.5])])
    assert jobs.nbytes.strides == (0,)
    assert jobs.queue.strides == (0,)
    assert jobs.producer.tolist() == [0, 2, 0]
    assert [column.dtype for column in jobs.columns()] == [np.float64, np.int16, np.int16, np.int32, np.int64]


def test_without_jobs_there_are_empty_columns():
    assert rows(in_order([])) == []
    assert rows(in_order([no_jobs()])) == []
    assert list(merged([])) == []
    assert [column.dtype for column in no_jobs().columns()] == [column.dtype for column in jobs_of(0, [1.0]).columns()]
