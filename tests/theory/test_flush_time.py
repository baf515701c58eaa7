from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import theory
from bufsim.errors import InvalidValueError


@given(load=st.floats(0.01, 0.98), mean_flush_time=st.floats(0.01, 10.0))
def test_flushes_of_one_job_are_m_m_1(load: float, mean_flush_time: float) -> None:
    form = theory.bulk_service(rate=load / mean_flush_time, mean_flush_time=mean_flush_time, at_least=1, at_most=1)
    assert form.root == pytest.approx(load, rel=1e-12)
    assert form.p_busy == pytest.approx(load, rel=1e-10)
    assert form.mean_queue == pytest.approx(load**2 / (1.0 - load), rel=1e-9)


@given(meanwhile=st.floats(0.01, 20.0), at_least=st.integers(1, 20), spare=st.integers(0, 20))
def test_bulk_service_solves_its_balance_equations(meanwhile: float, at_least: int, spare: int) -> None:
    at_most = max(at_least, int(meanwhile) + 1) + spare
    form = theory.bulk_service(rate=meanwhile, mean_flush_time=1.0, at_least=at_least, at_most=at_most)
    root = form.root
    assert sum(root**i for i in range(1, at_most + 1)) == pytest.approx(meanwhile, rel=1e-9)
    assert min(at_least, meanwhile) * (1.0 - 1e-9) <= form.mean_batch <= at_most * (1.0 + 1e-12)
    assert form.mean_batch * form.p_busy == pytest.approx(meanwhile, rel=1e-12)


def test_flushes_that_cannot_keep_up_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"the load, rate \* per_job, must be < 1, got 1.25: .* lower rate or"):
        theory.periodic_with_flush_time(rate=5.0, period=1.0, fixed=0.0, per_job=0.25)
    with pytest.raises(
        InvalidValueError, match=r"rate \* mean_flush_time / at_most, must be < 1, got 1.5: .* raise at"
    ):
        theory.bulk_service(rate=3.0, mean_flush_time=1.0, at_least=1, at_most=2)
    with pytest.raises(InvalidValueError, match="at_most must be >= 4, got 3"):
        theory.bulk_service(rate=1.0, mean_flush_time=1.0, at_least=4, at_most=3)
