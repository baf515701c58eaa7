from __future__ import annotations

import pytest

from bufsim.errors import InvalidValueError
from bufsim.statistics import Margin


def test_a_margin_is_absolute_or_a_share_of_the_size_beside_it():
    assert Margin(0.05).at(-10.0) == 0.05
    assert Margin(0.05, relative=True).at(-10.0) == 0.5


def test_a_margin_prints_in_its_unit():
    assert str(Margin(2)) == "2"
    assert str(Margin(0.125, relative=True)) == "12.5 %"


def test_a_margin_of_0_is_an_error():
    with pytest.raises(InvalidValueError, match="size must be > 0, got 0"):
        Margin(0)
