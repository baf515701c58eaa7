from __future__ import annotations

from dataclasses import replace

import pytest
from bufsim_tests.comparing import compare

from bufsim.statistics import Interval
from bufsim.studies.comparisons import against, percent, tie_in_words


def interval(estimate: float, low: float, high: float) -> Interval:
    return Interval(estimate, low, high, 0.95, 10, "t")


@pytest.mark.parametrize(
    ("difference", "exact", "told"),
    [
        (interval(-3.0, -4.0, -2.0), False, "3.0 [2.0, 4.0] s less than today's size 2"),
        (interval(3.0, 2.0, 4.0), False, "3.0 [2.0, 4.0] s more than today's size 2"),
        (interval(0.5, -0.5, 1.5), False, "not separable from today's size 2 (difference 0.5 [-0.5, 1.5] s)"),
        (interval(-3.0, -3.0, -3.0), True, "3 s less than today's size 2"),
        (interval(3.0, 3.0, 3.0), True, "3 s more than today's size 2"),
        # the same in every replication, but of what is drawn at random
        (interval(3.0, 3.0, 3.0), False, "3 [3, 3] s more than today's size 2"),
        (interval(0.0, 0.0, 0.0), True, "the same as today's size 2"),
    ],
)
def test_a_difference_is_told_with_its_side(difference: Interval, exact: bool, told: str) -> None:
    assert against(difference, " s", "size 2", exact) == told


def test_a_share_is_told_in_per_cent() -> None:
    assert str(percent(interval(-0.2, -0.25, -0.15))) == "-20 [-25, -15]"


def test_a_tie_says_how_many_replications_would_part_it() -> None:
    (near,) = compare({"a": [1.0, 1.2, 0.9, 1.1], "b": [1.1, 1.0, 1.0, 0.95]})
    assert tie_in_words(near, "s").startswith("a (difference 0.04 [")
    assert tie_in_words(near, "s").endswith(" replications would be needed)")
    gap = near.difference
    (same,) = compare({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    assert tie_in_words(same, "s") == "a (the same in every replication)"
    none = replace(near, difference=replace(gap, estimate=0.0))
    assert tie_in_words(none, "s").endswith(" s; no number of replications would show it)")
    tiny = replace(near, difference=replace(gap, estimate=1e-6))
    assert tie_in_words(tiny, "s").endswith(" s; more than a million replications would be needed)")
