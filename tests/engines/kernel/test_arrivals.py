"""The compiled running sum is that of NumPy, to the last bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import FlushEvery, JobBuffer, Poisson, Producer, Simulation
from bufsim.engines import compilation, compiled_engine
from bufsim.engines.kernel import arrivals
from bufsim.engines.workload import Workload
from bufsim.model.arrivals import RunningSum, running_sum
from bufsim.model.distributions import BLOCK

Sums = tuple[float, list[float]]


def sums(add_up: RunningSum, gaps: list[float], scale: float, now: float) -> Sums:
    times = np.empty(len(gaps))
    last = add_up(np.array(gaps), scale, now, times)
    return float(last), times.tolist()


GAPS = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=20).map(lambda gaps: gaps * 2)
POSITIVE = st.floats(1e-9, 1e9)


@pytest.mark.parametrize("add_up", [arrivals.running_sum, compilation.running_sum()], ids=["in Python", "compiled"])
@given(gaps=GAPS, scale=POSITIVE, now=st.floats(0.0, 1e9))
def test_it_has_the_same_bits(add_up: RunningSum, gaps: list[float], scale: float, now: float) -> None:
    assert sums(add_up, gaps, scale, now) == sums(running_sum, gaps, scale, now)


def test_a_whole_block_has_the_same_bits() -> None:
    gaps = np.random.default_rng(1).standard_exponential(BLOCK).tolist()
    assert sums(compilation.running_sum(), gaps, 0.01, 1e6 / 3) == sums(running_sum, gaps, 0.01, 1e6 / 3)


def test_another_order_of_additions_is_seen() -> None:
    # negative control: one after the other, as a plain sum has it
    gaps = np.random.default_rng(1).standard_exponential(BLOCK)
    assert np.cumsum(gaps * 0.01).tolist() != sums(running_sum, gaps.tolist(), 0.01, 0.0)[1]


@pytest.mark.parametrize("run", [compiled_engine.run, compiled_engine.count])
def test_the_compiled_engine_adds_up_with_it(run: Callable[[Simulation, Workload], object]) -> None:
    simulation = Simulation(
        producers=[Producer("p", Poisson(5.0))], buffers=[JobBuffer("b", policy=FlushEvery(2.0))], until=9.0
    )
    workload = Workload(simulation.producers, seed=1, until=simulation.until)
    before = workload.jobs().time.tolist()
    run(simulation, workload)
    assert workload.add_up is compilation.running_sum()
    assert workload.jobs().time.tolist() == before
