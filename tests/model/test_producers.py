"""Producers: a trace's own attributes unless others are given."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from bufsim.errors import InvalidTypeError, InvalidValueError
from bufsim.model.arrivals import Poisson
from bufsim.model.distributions import Constant, Gamma
from bufsim.model.producers import Producer, UniformKeys, Zipf
from bufsim.model.traces import ScaledTrace, Trace

TRACE = Trace([1.0, 2.0, 3.0], keys=["a", "b", "a"], nbytes=[1, 2, 3], queues=["q", "p", "q"], data=["x", "y", "z"])


def test_jobs_go_to_the_default_queue_and_have_no_size():
    producer = Producer("edits", Poisson(10.0))
    assert (producer.queue, producer.queues, producer.keys, producer.nbytes, producer.data) == (
        "default",
        ("default",),
        None,
        0,
        None,
    )
    assert producer.trace is None


def test_a_trace_keeps_its_own_queues_in_order_of_first_appearance():
    producer = Producer("log", TRACE)
    assert producer.queue is None
    assert producer.nbytes is None
    assert producer.queues == ("q", "p")
    assert producer.trace == TRACE
    assert producer.scaled(2.0).trace == TRACE
    assert producer.scaled(2.0).queues == ("q", "p")


def test_what_is_given_goes_before_the_trace():
    producer = Producer("log", TRACE, queue="mine", nbytes=7, data=[1, 2, 3])
    assert producer.queues == ("mine",)
    assert producer.nbytes == 7
    assert producer.data == (1, 2, 3)


def test_a_trace_without_attributes_gets_the_defaults():
    producer = Producer("log", Trace([1.0]))
    assert producer.queues == ("default",)
    assert producer.nbytes == 0


def test_scaling_keeps_everything_but_the_arrivals():
    producer = Producer("edits", Poisson(10.0), queue="q", keys=Zipf(5, 1.0), nbytes=Gamma(100, 1), data=str)
    assert producer.scaled(3.0) == Producer(
        "edits", Poisson(30.0), queue="q", keys=Zipf(5, 1.0), nbytes=Gamma(100, 1), data=str
    )
    assert Producer("log", TRACE).scaled(2.0) == Producer("log", ScaledTrace(TRACE, 2.0))


def test_sizes_may_be_text_or_a_distribution():
    assert Producer("edits", Poisson(1.0), nbytes="2 KiB").nbytes == 2048
    assert Producer("edits", Poisson(1.0), nbytes=1.5).nbytes == Constant(1.5)
    assert (
        repr(Producer("edits", Poisson(1.0), nbytes=scipy.stats.expon(scale=9.0)).nbytes)
        == "scipy.stats.expon(scale=9.0)"
    )


@pytest.mark.parametrize(
    "producer",
    [
        Producer("edits", Poisson(10.0)),
        Producer("edits", Poisson(10.0), queue="q", keys=UniformKeys(5), nbytes=scipy.stats.expon(scale=9.0)),
        Producer("edits", Poisson(10.0), data=[{"id": 1}, {"id": 2}]),
    ],
    ids=repr,
)
def test_a_producer_is_a_value(producer):
    assert eval(repr(producer), {**globals(), "scipy": scipy}) == producer
    assert pickle.loads(pickle.dumps(producer)) == producer
    assert hash(pickle.loads(pickle.dumps(producer))) == hash(producer)
    with pytest.raises(AttributeError):
        producer.name = "other"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Producer("", Poisson(1.0)), InvalidValueError, "name must not be empty; give it a name"),
        (lambda: Producer(3, Poisson(1.0)), InvalidTypeError, "name must be a str, got 3"),
        (lambda: Producer("a", 3.0), InvalidTypeError, r"arrivals must be an arrival process .*, got 3\.0"),
        (lambda: Producer("a", Poisson(1.0), queue=""), InvalidValueError, "queue must not be empty; give it a name"),
        (
            lambda: Producer("a", Poisson(1.0), keys=["a"]),
            InvalidTypeError,
            r"keys must be Zipf or UniformKeys, got \['a'\]; recorded keys go into a Trace",
        ),
        (lambda: Producer("a", Poisson(1.0), nbytes=-1), InvalidValueError, "nbytes must be >= 0, got -1"),
        (lambda: Producer("a", Poisson(1.0), nbytes=True), InvalidTypeError, "nbytes must be a whole number, got True"),
        (lambda: Producer("a", Poisson(1.0), nbytes=[1]), InvalidTypeError, r"nbytes must be a number, .*, got \[1\]"),
        (
            lambda: Producer("a", Poisson(1.0), data="abc"),
            InvalidTypeError,
            "data must be a function of the job's number or a sequence, got 'abc'",
        ),
        (lambda: Producer("a", Poisson(1.0), data=5), InvalidTypeError, "data must be a function .*, got 5"),
        (
            lambda: Producer("a", TRACE, data=[1, 2]),
            InvalidValueError,
            "data must have one value a row of the trace = 3, got 2",
        ),
        (lambda: Producer("a", Poisson(1.0)).scaled(0.0), InvalidValueError, r"factor must be > 0, got 0\.0"),
    ],
)
def test_a_wrong_value_is_named_when_it_is_written(make, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        make()


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
