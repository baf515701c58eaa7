from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from bufsim_tests.compiled_models import classes

import bufsim
from bufsim import FlushPolicy
from bufsim.model.arrivals import Arrivals
from bufsim.model.buffers import Drain
from bufsim.model.distributions import Distribution
from bufsim.model.policies import LEAVES
from bufsim.model.producers import Keys
from bufsim.model.reducers import Reduce
from bufsim.model.time_varying import Rate
from bufsim.results.causes import FAMILIES
from bufsim.spelling import policy
from bufsim.verification import parts
from bufsim.verification.models import models

LISTS: dict[str, tuple[Callable[[type, str], bool], Mapping[Any, Any]]] = {
    "leaves": (lambda kind, name: issubclass(kind, FlushPolicy), parts.LEAVES),
    "drains": (lambda kind, name: issubclass(kind, Drain), parts.DRAINS),
    "reduces": (lambda kind, name: issubclass(kind, Reduce), parts.REDUCES),
    "collects": (lambda kind, name: name.startswith("Collect"), parts.COLLECTS),
    "keys": (lambda kind, name: issubclass(kind, Keys), parts.KEYS),
    "durations": (lambda kind, name: issubclass(kind, Distribution), parts.DURATIONS),
    "rates": (lambda kind, name: issubclass(kind, Rate), parts.RATES),
    "arrivals": (lambda kind, name: issubclass(kind, Arrivals), parts.ARRIVALS),
    "workers": (lambda kind, name: name.endswith("Workers"), parts.WORKERS),
}


def public(of_kind: Callable[[type, str], bool]) -> set[type]:
    """Return the public classes of a kind, without those that users derive from."""
    found = {name: getattr(bufsim, name) for name in bufsim.__all__}
    classes = {value for name, value in found.items() if isinstance(value, type) and of_kind(value, name)}
    return classes - {FlushPolicy, Drain, Arrivals, Reduce, Keys, Distribution, Rate}


@pytest.mark.parametrize("kind", LISTS)
def test_every_public_part_is_in_the_one_list_of_its_kind(kind: str) -> None:
    of_kind, listed = LISTS[kind]
    assert public(of_kind) - set(listed) == set()


def test_the_leaves_that_are_listed_are_those_that_the_words_and_colours_know() -> None:
    assert set(LEAVES) == set(parts.LEAVES)
    assert {leaf.family for leaf in LEAVES} <= {family.name for family in FAMILIES}


def test_bufsim_verify_draws_every_part() -> None:
    seen = {kind for simulation in models(5, 400) for kind in classes(simulation)}
    everything = {kind for of_kind, listed in LISTS.values() for kind in listed}
    assert everything - seen == set()


class _First(parts.Chooser):
    def whole(self, low: int, high: int) -> int:
        return low


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.word)
def test_a_leaf_declares_its_facts(leaf: type[FlushPolicy]) -> None:
    made = parts.LEAVES[leaf](_First(0.5))
    assert made.lowered(100.0) is not None
    assert policy(repr(made)) == made
    assert leaf.word
    assert made.reads < bufsim.model.flush_policy.ALL_FIELDS
    assert set(made.steps) <= made.reads & {"size", "nbytes"}
