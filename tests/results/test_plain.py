from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from bufsim_tests.results_small import run

from bufsim.results.files import built, plain
from bufsim.results.measures import Histogram


@dataclass(frozen=True)
class Part:
    number: int
    share: float
    counts: tuple[int, ...]
    by_name: dict[str, Histogram]


VALUE = Part(3, 0.1, (1, 2), {"a": Histogram.of(np.array([0, 0, 1, 2])), "b": Histogram.of(np.array([0.5, 2.0]))})


def test_values_come_back_from_json_as_they_were():
    again = built(Part, json.loads(json.dumps(plain(VALUE))))
    assert again == VALUE
    assert [again.by_name[name].counts.dtype.kind for name in "ab"] == ["i", "f"]


def test_a_whole_tally_comes_back():
    tally = run([1.0, 2.0, 3.0]).tally
    assert built(type(tally), json.loads(json.dumps(plain(tally)))) == tally


@pytest.mark.parametrize("data", [{}, {"number": 3}, []])
def test_data_of_another_kind_is_refused(data):
    with pytest.raises((KeyError, TypeError)):
        built(Part, data)
