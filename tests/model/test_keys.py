"""Keys follow their law, and one uniform makes one key."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.producers import UniformKeys, Zipf


def generator() -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(5))


@pytest.mark.parametrize("keys", [Zipf(50, 0.9), Zipf(50, 2.0), Zipf(50, 0.0), UniformKeys(50)], ids=repr)
def test_each_key_has_its_probability(keys):
    n = 200_000
    probabilities = keys.probabilities() if isinstance(keys, Zipf) else np.full(50, 0.02)
    counts = np.bincount(keys.draw(generator(), n), minlength=50)
    # 50 comparisons: 4.5 standard errors
    assert (abs(counts - n * probabilities) <= 4.5 * np.sqrt(n * probabilities * (1.0 - probabilities))).all()
    assert len(counts) == 50


def test_zipfs_probabilities_are_the_formula():
    harmonic = math.fsum((k + 1) ** -1.1 for k in range(10_000))
    probabilities = Zipf(10_000, 1.1).probabilities()
    assert probabilities[0] == pytest.approx(1.0 / harmonic, rel=1e-12)
    assert probabilities[9_999] == pytest.approx(10_000**-1.1 / harmonic, rel=1e-12)


@given(n=st.integers(1, 3000), exponent=st.floats(0.0, 6.0), seed=st.integers(0, 2**32))
def test_zipf_is_the_inverse_of_its_distribution_function(n, exponent, seed):
    law = Zipf(n, exponent)
    cumulated = np.cumsum(law.probabilities())
    cumulated[-1] = 1.0
    uniforms = np.random.default_rng(seed).random(500)
    expected = np.searchsorted(cumulated, uniforms, side="right")
    assert law.draw(np.random.default_rng(seed), 500).tolist() == expected.tolist()


class Fixed:
    def __init__(self, uniforms):
        self.uniforms = np.array(uniforms)

    def random(self, size):
        return self.uniforms


def test_zipf_takes_the_extreme_uniforms():
    largest = 1.0 - 2.0**-53
    assert Zipf(1000, 3.0).draw(Fixed([0.0, largest]), 2).tolist()[0] == 0
    assert Zipf(1000, 0.0).draw(Fixed([0.0, largest]), 2).tolist() == [0, 999]
    assert Zipf(1, 1.0).draw(Fixed([0.0, largest]), 2).tolist() == [0, 0]


@pytest.mark.parametrize("keys", [Zipf(50, 0.9), UniformKeys(50)], ids=repr)
def test_keys_are_values(keys):
    assert eval(repr(keys)) == keys
    assert pickle.loads(pickle.dumps(keys)) == keys
    assert hash(pickle.loads(pickle.dumps(keys))) == hash(keys)
    assert keys.draw(generator(), 3).dtype == np.int32


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Zipf(0, 1.0), InvalidValueError, "n must be >= 1, got 0"),
        (lambda: Zipf(10, -1.0), InvalidValueError, r"exponent must be >= 0, got -1\.0"),
        (lambda: Zipf(10, math.nan), InvalidValueError, "exponent must be finite, got nan"),
        (lambda: UniformKeys(2.5), InvalidTypeError, r"n must be a whole number, got 2\.5"),
        (lambda: UniformKeys(2**31), InvalidValueError, "n must be <= 2147483647, got 2147483648"),
    ],
)
def test_a_wrong_value_is_named(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()
