"""Jobs of several producers stand in one order, however they come."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bufsim.engines.workload import Jobs, constant, in_order, merged, no_jobs


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
PRODUCERS = st.lists(st.lists(st.integers(0, 6).map(float), max_size=25).map(sorted), min_size=1, max_size=4)


@given(PRODUCERS)
def test_jobs_stand_by_time_then_producer_then_number(times):
    parts = [jobs_of(code, own) for code, own in enumerate(times)]
    expected = sorted((row for part in parts for row in rows(part)), key=lambda row: (row[0], row[1], row[3]))
    assert rows(in_order(parts)) == expected


@given(PRODUCERS, st.lists(st.integers(1, 5), min_size=4, max_size=4))
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
