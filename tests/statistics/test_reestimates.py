from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bufsim.errors import InvalidValueError
from bufsim.statistics import mean_interval, reestimate, select_best


def test_the_winner_of_ten_is_too_good_and_its_fresh_value_is_not(agrees):
    rng, selected, fresh, held = np.random.default_rng(151), [], [], 0
    for _ in range(300):
        study = {str(i): rng.normal(size=20) for i in range(10)}
        winner = study[select_best(study).chosen]
        made = reestimate(winner, rng.normal(size=20))
        selected.append(made.selected.estimate)
        fresh.append(made.fresh.estimate)
        held += 0.0 in made.fresh
    assert np.mean(selected) < -0.25
    assert abs(np.mean(fresh)) < 4 * np.std(fresh) / np.sqrt(300)
    assert agrees(held, 300, 0.95)


def test_the_optimism_has_welchs_interval():
    rng = np.random.default_rng(152)
    selected, fresh = rng.normal(0.0, 1.0, 10), rng.normal(1.0, 3.0, 25)
    made = reestimate(selected, fresh, confidence=0.9)
    oracle = stats.ttest_ind(fresh, selected, equal_var=False).confidence_interval(0.9)
    assert (made.optimism.low, made.optimism.high) == pytest.approx((oracle.low, oracle.high))
    assert made.fresh == mean_interval(fresh, confidence=0.9)
    assert made.selected == mean_interval(selected, confidence=0.9)


def test_constant_values_have_a_certain_optimism():
    assert str(reestimate([1.0, 1.0], [3.0, 3.0]).optimism) == "2 [2, 2]"


def test_a_single_fresh_replication_is_an_error():
    with pytest.raises(InvalidValueError, match="fresh must come from at least 2 replications, got 1; run more"):
        reestimate([1.0, 2.0], [1.0])
