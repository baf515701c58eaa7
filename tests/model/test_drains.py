from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim import DrainAll, DrainAtMost, InvalidTypeError, InvalidValueError

sizes = st.lists(st.integers(0, 6), min_size=1, max_size=9)


@given(sizes)
def test_drain_all_takes_all(nbytes: list[int]) -> None:
    assert DrainAll().count(nbytes) == len(nbytes)


@given(sizes, st.integers(1, 12))
def test_at_most_n_takes_the_n_oldest_or_all(nbytes: list[int], n: int) -> None:
    assert DrainAtMost(n).count(nbytes) == min(n, len(nbytes))


@given(sizes, st.none() | st.integers(1, 12), st.integers(1, 12))
def test_within_both_limits_it_takes_the_most_that_fits_and_at_least_one(
    nbytes: list[int], n: int | None, limit: int
) -> None:
    fitting = [k for k in range(len(nbytes) + 1) if sum(nbytes[:k]) <= limit and (n is None or k <= n)]
    assert DrainAtMost(n, limit).count(nbytes) == max(1, max(fitting))


def test_a_job_that_fits_no_limit_goes_alone() -> None:
    assert DrainAtMost(nbytes=10).count([99, 1, 1]) == 1


def test_a_job_that_just_fits_is_taken_and_empty_jobs_behind_it_too() -> None:
    assert DrainAtMost(nbytes=10).count([4, 6, 0, 1]) == 3


def test_they_are_values() -> None:
    for drain in (DrainAll(), DrainAtMost(5), DrainAtMost(nbytes="1 kB"), DrainAtMost(5, 1000)):
        assert pickle.loads(pickle.dumps(drain)) == drain
        assert hash(pickle.loads(pickle.dumps(drain))) == hash(drain)
        assert eval(repr(drain), {"DrainAll": DrainAll, "DrainAtMost": DrainAtMost}) == drain
    assert repr(DrainAtMost(nbytes="1 kB")) == "DrainAtMost(nbytes=1000)"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            DrainAtMost,
            InvalidValueError,
            "DrainAtMost needs n or nbytes, got neither; a flush that takes all is DrainAll()",
        ),
        (lambda: DrainAtMost(0), InvalidValueError, "n must be >= 1, got 0"),
        (lambda: DrainAtMost(nbytes=0), InvalidValueError, "nbytes must be >= 1, got 0"),
        (lambda: DrainAtMost(1.5), InvalidTypeError, "n must be a whole number, got 1.5"),
        (lambda: DrainAtMost(nbytes="lots"), InvalidValueError, "nbytes must be a number with a unit, such as "),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as raised:
        make()
    assert str(raised.value).startswith(message)
