from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import functools
import logging
import math
import os
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from bufsim_tests.models import POLICIES, OwnSize, drawn, study_of

from bufsim import (
    Exponential,
    FlushAtSize,
    FlushCron,
    FlushEvery,
    FlushPolicy,
    InvalidValueError,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
    Stops,
    Storage,
    TimeVarying,
    Trace,
)
from bufsim.studies.fingerprints import fingerprint, fingerprints
from bufsim.studies.study import Study


def made(text, name="Mine", **names):
    """What a text of a program defines under a name."""
    space = {"__name__": "notebook", **names}
    exec(compile(textwrap.dedent(text), "<string>", "exec", dont_inherit=True), space)  # as a notebook does its cells
    return space[name]


CLASS = """
    import math
    from bufsim import FlushPolicy
    class Mine(FlushPolicy):
        limit = 5
        def due(self, view):
            return -math.inf if view.size >= self.limit else math.inf
"""
FUNCTION = """
    LIMIT = 3
    def helper(job, limit=0):
        return job.nbytes > limit
    def Mine(job, *, limit=4):
        def inner(x):
            return x in {"a", "b", "c"} and helper(job) and LIMIT
        return inner(job)
"""


# the same


def test_the_same_model_has_the_same_fingerprint_however_it_is_written():
    one = drawn(until=60.0)
    assert fingerprint(one) == fingerprint(drawn(until="1min"))
    assert fingerprint(study_of().scenarios[repr(POLICIES[0])]) == fingerprint(drawn(POLICIES[0]))


def test_it_is_the_same_alone_and_among_others():
    own = made(CLASS)
    scenarios = {str(n): drawn(policy) for n, policy in enumerate([*POLICIES, own(), own(), OwnSize(3)])}
    assert fingerprints(scenarios) == {name: fingerprint(one) for name, one in scenarios.items()}
    backwards = dict(reversed(scenarios.items()))
    assert fingerprints(backwards) == fingerprints(scenarios)


def test_it_is_the_same_after_a_run():
    class Cached(OwnSize):
        @functools.cached_property
        def limit(self):
            return self.size

        def due(self, view):
            return -math.inf if view.size >= self.limit else math.inf

    simulation = drawn(Cached(3))
    before = fingerprint(simulation)
    simulation.run(1)
    assert simulation.buffers[0].policy.__dict__["limit"] == 3
    assert fingerprint(simulation) == before


def test_it_is_the_same_in_another_process():
    # where strings, and sets of them, are hashed in another way
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from studies.test_fingerprints import CLASS, FUNCTION, fingerprint, made
        from bufsim_tests.models import OwnSize, drawn
        print(*map(fingerprint, (drawn(), drawn(OwnSize(3)), made(CLASS), made(FUNCTION))))
    """
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": other}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    values = (drawn(), drawn(OwnSize(3)), made(CLASS), made(FUNCTION))
    assert there == " ".join(map(fingerprint, values)) + "\n"


def test_a_class_that_is_defined_again_is_the_same_if_it_does_the_same():
    assert fingerprint(made(CLASS)()) == fingerprint(made("\n\n" + CLASS)())
    assert fingerprint(made(CLASS)()) == fingerprint(made(CLASS.replace("def due", "# as before\n        def due"))())


def test_a_trace_that_is_read_twice_is_the_same():
    one, two = (drawn(producers=[Producer("log", Trace([0.0, 1.0], keys=["a", 2]))]) for _ in range(2))
    assert fingerprint(one) == fingerprint(two)


def texts(*, one_object):
    """Two equal texts, as one object or as two."""
    first = "".join(["ab", " cd"])
    return [first, first if one_object else "".join(["ab", " cd"])]


@pytest.mark.parametrize(
    "hold",
    [
        list,
        tuple,
        lambda texts: dict(enumerate(texts)),
        lambda texts: np.array(texts, object),
        lambda texts: np.array([texts, texts], object),
        lambda texts: np.array([(texts,), (1.5,)], object),
        lambda texts: pd.Series(texts, dtype=object),
        lambda texts: pd.DataFrame({"key": pd.Series(texts, dtype=object), "n": [1, 2]}),
        lambda texts: Trace([0.0, 1.0], keys=texts, data=texts),
    ],
)
def test_equal_are_equal_whichever_of_their_parts_are_one_object(hold):
    one, two = texts(one_object=True), texts(one_object=False)
    assert one[0] is one[1]
    assert two[0] is not two[1]
    assert fingerprint(hold(one)) == fingerprint(hold(two))
    assert fingerprint(hold(["ab cd", "ab ce"])) != fingerprint(hold(one))


def test_sets_in_an_array_are_equal_in_whatever_order_they_are_read():
    # 0 and 8 take one place in a small table: the one that came first is read first
    one, two = {0, 8}, {8, 0}
    assert one == two
    assert [*one] != [*two]
    assert fingerprint(np.array([one, 1], object)) == fingerprint(np.array([two, 1], object))
    assert fingerprint(np.array([one, 1], object)) != fingerprint(np.array([{0, 9}, 1], object))


def ring(*labels):
    """A list a label, each of which holds the next, and the last the first."""
    made = [[label] for label in labels]
    for inner, outer in zip(made, [made[-1], *made[:-1]], strict=True):
        outer.append(inner)
    return made


def test_equal_rings_are_equal_wherever_else_they_have_been_met():
    one, two = ring("a", "b", "c"), ring("a", "b", "c")
    assert fingerprint(one[0]) == fingerprint(two[0])
    # alone, or after another member of the same ring
    assert fingerprints({"a": one[0], "b": one[1]}) == fingerprints({"b": two[1], "a": two[0]})
    assert fingerprints({"b": one[1], "a": one[0]})["a"] == fingerprint(two[0])
    held = [np.array([one[0], 1], object), np.array([two[0], 1], object)]
    assert fingerprint(held[0]) == fingerprint(held[1])
    for other in (ring("a", "b"), ring("a", "b", "d"), ring("b", "a", "c"), ring("a", "b", "c")[1:]):
        assert fingerprint(other[0]) != fingerprint(one[0])


def test_functions_that_call_each_other_are_the_same_from_wherever_they_are_read():
    text = """
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
    """
    even, odd = made(text, "even"), made(text, "odd")
    assert even.__globals__ is not odd.__globals__
    one, two = fingerprints({"even": even, "odd": odd}), fingerprints({"odd": odd, "even": even})
    assert one == two
    assert one["odd"] == fingerprint(made(text, "odd"))
    changed = made(text.replace("n != 0", "n > 0"), "even")
    assert fingerprint(changed) != one["even"]


# another


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int


class Table(dict):
    pass


class Name(str):
    __slots__ = ()


@functools.lru_cache
def cached(x):
    return x + 1


@functools.lru_cache
def cached_otherwise(x):
    return x + 2


# they are written alike
ALIKE = Trace([0.0, 1.0], keys=["a", "b"]), Trace([0.0, 1.0], keys=["a", "c"])


class Tagged(np.ndarray):
    """An array that is of another kind."""


class Noted(list):
    """A list with a note."""

    def __init__(self, values, note):
        super().__init__(values)
        self.note = note


PAIRS = {
    "a member of an enum": (Colour.RED, Colour.BLUE),
    "a number of an enum": (Level.LOW, Level.HIGH),
    "a named tuple": (Point(1), Point(2)),
    "what a dict with a name holds": (Table(a=1), Table(a=2)),
    "a text with a name": (Name("a"), Name("b")),
    "what a text is called": (Name("a"), "a"),
    "a cached function": (cached, cached_otherwise),
    "what a deque holds": (collections.deque([ALIKE[0]]), collections.deque([ALIKE[1]])),
    "what a counter holds": (collections.Counter("a"), collections.Counter("b")),
    "what a default dict holds": (
        collections.defaultdict(int, a=ALIKE[0]),
        collections.defaultdict(int, a=ALIKE[1]),
    ),
    "what a view of a dict holds": (types.MappingProxyType({1: ALIKE[0]}), types.MappingProxyType({1: ALIKE[1]})),
    "what a namespace holds": (types.SimpleNamespace(a=ALIKE[0]), types.SimpleNamespace(a=ALIKE[1])),
    "a number of numpy's": (np.float64(1.0), np.float64(2.0)),
    "what a partial takes along": (functools.partial(max, ALIKE[0]), functools.partial(max, ALIKE[1])),
    "a parameter": (FlushEvery(5.0), FlushEvery(5.000000001)),
    "a sign": (np.array([0.0]), np.array([-0.0])),
    "a class of the same parameters": (POLICIES[0] | POLICIES[1], POLICIES[0] & POLICIES[1]),
    "an order": (POLICIES[0] | POLICIES[1], POLICIES[1] | POLICIES[0]),
    "a type": (1, True),
    "another type": (1, 1.0),
    "a nesting": ((1, (2, 3)), ((1, 2), 3)),
    "where texts end": (("ab", "c"), ("a", "bc")),
    "a list for a tuple": ([1, 2], (1, 2)),
    "a key": ({"a": 1}, {"b": 1}),
    "a value": ({"a": 1}, {"a": 2}),
    "a member": ({1, 2}, {1, 3}),
    "a shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "a dtype": (np.zeros(2, np.int32), np.zeros(4, np.int16)),
    "an object in an array": (np.array([1, "a"], object), np.array([1, "b"], object)),
    "what a kind of list holds beside its members": (Noted([1, 2], "a"), Noted([1, 2], "b")),
    "the shape of an array of objects": (np.array([["a", "b"]], object), np.array([["a"], ["b"]], object)),
    "the kind of an array of objects": (np.array(["a", "b"], object), np.array(["a", "b"], object).view(Tagged)),
    "a time": (Trace([0.0, 1.0, 9.0]), Trace([0.0, 2.0, 9.0])),
    "a recorded key": (Trace([0.0], keys=["a"]), Trace([0.0], keys=["b"])),
    "a key's type": (Trace([0.0], keys=[1]), Trace([0.0], keys=["1"])),
    "a recorded payload": (Trace([0.0], data=[{"id": 1}]), Trace([0.0], data=[{"id": 2}])),
    "service times": (PushWorkers(service=[0.1, 0.2]), PushWorkers(service=[0.1, 0.3])),
    "a scipy parameter": (PushWorkers(service=scipy.stats.gamma(2.0)), PushWorkers(service=scipy.stats.gamma(2.5))),
    "a scipy distribution": (PushWorkers(service=scipy.stats.expon()), PushWorkers(service=scipy.stats.uniform())),
    "a stop": (Stops(at=[1.0]), Stops(at=[2.0])),
    "a cron": (
        FlushCron("*/5 * * * *", start=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        FlushCron("*/5 * * * *", start=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
    ),
    "a zone": (
        FlushCron("*/5 * * * *", start=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        FlushCron("*/5 * * * *", start=dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))),
    ),
    "the seed of a rate": (TimeVarying(math.sin, 1.0), TimeVarying(math.cos, 1.0)),
    "a buffer's own storage": (
        JobBuffer("a", policy=FlushAtSize(7)),
        JobBuffer("a", policy=FlushAtSize(7), storage=Storage()),
    ),
    "the names of durable queues": (drawn(durable_queue=True), drawn(durable_queue=["default"])),
    "a moment": (dt.timedelta(1), dt.timedelta(2)),
    "a bound method": (Trace([0.0]).scaled, Trace([1.0]).scaled),
    "a partial's argument": (functools.partial(max, 1), functools.partial(max, 2)),
    "a partial's function": (functools.partial(max, 1), functools.partial(min, 1)),
    "a module's function": (math.sin, math.cos),
    "a library's function": (scipy.stats.norm.pdf, scipy.stats.norm.cdf),
    "a table": (pd.DataFrame({"a": range(200)}), pd.DataFrame({"a": [*range(100), 0, *range(101, 200)]})),
    "a histogram of scipy's": (
        PushWorkers(service=scipy.stats.rv_histogram(([1, 2], [0.0, 1.0, 2.0]))()),
        PushWorkers(service=scipy.stats.rv_histogram(([1, 3], [0.0, 1.0, 2.0]))()),
    ),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_a_change_is_seen(one, other):
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(one)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Simulation)])
def test_every_field_of_a_simulation_counts(field):
    changed = {
        "producers": [Producer("edits", Poisson(10.0), nbytes=Exponential(100.1))],
        "buffers": [JobBuffer("other", policy=FlushAtSize(7))],
        "workers": [],
        "until": 61.0,
        "warm_up": 1.0,
        "storage": Storage(durable=True),
        "durable_queue": False,
        "stops": Stops(at=[3.0]),
    }
    one = drawn()
    assert fingerprint(dataclasses.replace(one, **{field: changed[field]})) != fingerprint(one)


SOURCES = {
    "a method": (CLASS, "self.limit else", "self.limit + 1 else"),
    "an operator": (CLASS, ">=", ">"),
    "a value of the class": (CLASS, "limit = 5", "limit = 6"),
    "a constant of the module": (FUNCTION, "LIMIT = 3", "LIMIT = 4"),
    "a function that it calls": (FUNCTION, "nbytes > limit", "nbytes >= limit"),
    "a default of that": (FUNCTION, "limit=0", "limit=1"),
    "a default by keyword": (FUNCTION, "limit=4", "limit=5"),
    "a function within": (FUNCTION, "and LIMIT", "or LIMIT"),
    "a set within": (FUNCTION, '"c"', '"d"'),
    "a base class": (
        "class Base:\n    def f(self):\n        return 1\nclass Mine(Base):\n    pass\n",
        "return 1",
        "return 2",
    ),
    "a property": ("class Mine:\n    @property\n    def f(self):\n        return 1\n", "return 1", "return 2"),
    "a static method": ("class Mine:\n    @staticmethod\n    def f():\n        return 1\n", "return 1", "return 2"),
    "a class method": ("class Mine:\n    @classmethod\n    def f(cls):\n        return 1\n", "return 1", "return 2"),
    "a cached property": (
        "import functools\nclass Mine:\n    @functools.cached_property\n    def f(self):\n        return 1\n",
        "return 1",
        "return 2",
    ),
    "a special method": ("class Mine:\n    def __call__(self, job):\n        return 1\n", "return 1", "return 2"),
    "a method of a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass Mine:\n    x: int = 3\n    def f(self):\n        return 1\n",
        "return 1",
        "return 2",
    ),
    "a lambda": ("Mine = lambda job: job.nbytes > 3\n", "> 3", "> 4"),
    "a handler": ("def Mine(job):\n    try:\n        f()\n    except KeyError:\n        pass\n", "KeyError", "OSError"),
}


@pytest.mark.parametrize(("text", "old", "new"), SOURCES.values(), ids=SOURCES)
def test_a_change_of_what_code_does_is_seen(text, old, new):
    assert old in text
    assert fingerprint(made(text)) != fingerprint(made(text.replace(old, new)))
    assert fingerprint(made(text)) == fingerprint(made(text))


def test_a_closure_counts():
    def above(limit):
        return lambda job: job.nbytes > limit

    assert fingerprint(above(1)) == fingerprint(above(1))
    assert fingerprint(above(1)) != fingerprint(above(2))


def test_a_closure_that_is_not_filled_yet_can_be_read():
    def outer():
        def inner():
            return later

        print_ = fingerprint(inner)
        later = 1
        return print_, fingerprint(inner), later

    before, after, _ = outer()
    assert before != after


def test_an_instance_with_slots_counts_with_them():
    class Slotted:
        __slots__ = ("__x", "y")

        def __init__(self, x):
            self.__x = x

    assert fingerprint(Slotted(1)) == fingerprint(Slotted(1))
    assert fingerprint(Slotted(1)) != fingerprint(Slotted(2))


def test_the_order_in_which_attributes_were_set_does_not_count():
    class Noted:
        pass

    one, other = Noted(), Noted()
    one.x, one.y = 1, 2
    other.y, other.x = 2, 1
    assert fingerprint(one) == fingerprint(other)


def test_an_attribute_beside_the_fields_of_a_dataclass_counts():
    @dataclasses.dataclass
    class Noted:
        x: int

    one, other = Noted(1), Noted(1)
    other.note = "more"
    assert fingerprint(one) != fingerprint(other)


def test_a_name_that_is_only_an_attribute_is_not_looked_for_in_the_module():
    text = "def Mine(view):\n    return view.size\n"
    assert fingerprint(made(text, size=1)) == fingerprint(made(text, size=threading.Lock()))


RATES = """
    LIMIT = 3
    def rate(x):
        return x + LIMIT
    def other(x):
        return x
"""
READER = """
    def Mine(view):
        return helpers.rates.rate(view.size)
"""


@pytest.fixture
def own_modules(monkeypatch):
    """A module of the user's own, in a package that refers to itself, from a text."""

    def build(text):
        package, module = types.ModuleType("helpers"), types.ModuleType("helpers.rates")
        package.helpers, package.rates = package, module
        exec(textwrap.dedent(text), vars(module))
        for one in (package, module):
            monkeypatch.setitem(sys.modules, one.__name__, one)
        return package

    return build


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [("x + LIMIT", "x - LIMIT", True), ("LIMIT = 3", "LIMIT = 4", True), ("return x\n", "return 2 * x\n", False)],
)
def test_what_a_function_takes_from_a_module_of_the_users_own_counts_and_no_more(own_modules, old, new, seen):
    assert old in RATES
    before = fingerprint(made(READER, helpers=own_modules(RATES)))
    assert before == fingerprint(made(READER, helpers=own_modules(RATES)))
    assert (before != fingerprint(made(READER, helpers=own_modules(RATES.replace(old, new))))) == seen


def test_a_policy_that_refers_to_itself_can_be_read():
    class Ring(FlushPolicy):
        def __init__(self, size):
            self.me, self.size = self, size

        def due(self, view):
            return super().due(view)

    assert fingerprint(Ring(1)) == fingerprint(Ring(1))
    assert fingerprint(Ring(1)) != fingerprint(Ring(2))


def test_histograms_of_scipys_are_different_values():
    one, other = (PushWorkers(service=scipy.stats.rv_histogram((n, [0.0, 1.0, 2.0]))()) for n in ([1, 2], [1, 3]))
    assert one == one
    assert one != other


# what cannot be told


@pytest.mark.parametrize(
    "value",
    [threading.Lock(), np.random.default_rng(1).bit_generator.lock, iter([1]), logging.StreamHandler().lock],
    ids=["a lock", "a generator's lock", "an iterator", "a handler's lock"],
)
def test_what_cannot_be_told_from_another_is_refused(value):
    with pytest.raises(InvalidValueError) as error:
        fingerprint(value)
    assert "cannot be told from another of its kind, so that a store would not see a change of it; " in str(error.value)
    assert "use numbers, texts, arrays and dataclasses in its place, or leave store out" in str(error.value)


def test_what_a_library_cannot_write_is_refused():
    with pytest.raises(InvalidValueError, match="cannot be told from another of its kind"):
        fingerprint(pd.Series([threading.Lock()]))


def test_such_a_study_runs_without_a_store(tmp_path):
    class Locked(OwnSize):
        lock = threading.Lock()

        def due(self, view):
            with self.lock:
                return super().due(view)

        def __repr__(self):
            return "Locked()"

    planned = Study({"locked": drawn(Locked(3))}, seed=1)
    assert planned.run(2, progress=False).finished == ("locked",)
    with pytest.raises(InvalidValueError, match="or leave store out"):
        planned.run(2, progress=False, store=tmp_path / "study.sqlite")
