from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from bufsim import (
    FlushAfterAge,
    FlushAfterGap,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    FlushWhenIdle,
)
from bufsim.model.policies import FlushCron
from bufsim.plots.style import POLICY_COLOURS
from bufsim.results.causes import AGE, BYTES, CLOCK, FAMILIES, GAP, IDLE, OTHER, SIZE, Causes, family, short

# what people without red or green receptors see of linear RGB: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes,
# "A physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15 (2009), severity 1
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


class FlushOnFridays(FlushPolicy):
    def due(self, view):
        return view.oldest_at


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (FlushAtSize(40), SIZE),
        (FlushAfterAge(5.0), AGE),
        (FlushEvery(5.0), CLOCK),
        (FlushEvery(5.0, anchor="flush_end"), CLOCK),
        (FlushAt([1.0, 2.0]), CLOCK),
        (FlushCron("0 3 * * *", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)), CLOCK),
        (FlushWhenIdle(5.0), IDLE),
        (FlushAtBytes(100), BYTES),
        (FlushAfterGap(5.0), GAP),
        (FlushOnFridays(), OTHER),
    ],
    ids=str,
)
def test_a_cause_belongs_to_the_family_of_what_its_leaf_watches(policy, expected):
    assert family(repr(policy)) is expected


def test_a_manual_flush_has_the_colour_of_the_others():
    assert family("manual") is OTHER


def test_families_differ_in_colour_and_in_marker():
    assert len({one.colour for one in FAMILIES}) == len({one.marker for one in FAMILIES}) == len(FAMILIES)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("colours", [[one.colour for one in FAMILIES], POLICY_COLOURS], ids=["causes", "policies"])
def test_colours_are_told_apart_by_the_colour_blind(sight, colours):
    seen = [lab(SIGHTS[sight] @ linear(colour)) for colour in colours]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 15.0


def test_the_measure_of_colours_finds_pairs_that_the_colour_blind_confuse():
    red, green = (lab(SIGHTS["deuteranopia"] @ linear(colour)) for colour in ("#9A6A2C", "#7A7A2C"))
    assert np.linalg.norm(red - green) < 15.0


def linear(colour: str) -> np.ndarray:
    """Return the linear RGB of an sRGB colour (IEC 61966-2-1)."""
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB (CIE 1976, white D65), in which a distance of about 2 is just seen."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = to_xyz @ np.clip(rgb, 0.0, 1.0) / np.array([0.9505, 1.0, 1.089])
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16.0 / 116.0 for v in (x, y, z))
    return np.array([116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)])


def test_a_long_list_of_times_is_counted():
    assert short(repr(FlushAt([float(time) for time in range(1200)]))) == "FlushAt(1,200 times)"
    assert short(f"{FlushAt([1.0, 2.0, 3.0, 4.0])} | FlushAtSize(9)", 40) == "FlushAt(4 times) | FlushAtSize(9)"


def test_a_few_times_are_written_out():
    assert short(repr(FlushAt([2.0]))) == "FlushAt((2.0,))"


def test_a_long_name_is_cut():
    assert short("x" * 99, 10) == "x" * 9 + "…"


def test_causes_are_put_together_by_family():
    causes = ["FlushAfterAge(5.0)", "FlushAtSize(3)", "FlushAtSize(4)", "FlushAtSize(3)"]
    found = Causes.of(pd.Series(causes, dtype="category"))
    assert found.families == (SIZE, AGE)
    assert found.names == ("FlushAtSize(3), FlushAtSize(4)", "FlushAfterAge(5.0)")
    assert found.place.tolist() == [1, 0, 0, 0]
    assert found.counts().tolist() == [3, 1]


def test_many_rules_of_a_family_are_counted():
    causes = pd.Series([f"FlushAtSize({size})" for size in range(5)], dtype="category")
    assert Causes.of(causes).names == ("size, 5 rules",)


def test_no_flush_has_no_cause():
    found = Causes.of(pd.Series([], dtype=pd.CategoricalDtype(["FlushAtSize(3)"])))
    assert (found.families, found.counts().tolist()) == ((), [])
