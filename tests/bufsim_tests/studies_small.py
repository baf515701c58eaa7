"""Small studies, and what must be equal to the bit."""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass

from bufsim import (
    Exponential,
    FlushAfterAge,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    JobBuffer,
    Poisson,
    Producer,
    PushWorkers,
    Simulation,
)
from bufsim.studies.store import packed
from bufsim.studies.study import Study

POLICIES = (FlushAtSize(7), FlushAfterAge(2.0), FlushEvery(3.0) | FlushAtSize(20))


@dataclass(frozen=True, repr=False)
class OwnSize(FlushPolicy):
    """A policy of the user's own, which the compiled engine does not know."""

    size: int

    def due(self, view):
        return -math.inf if view.size >= self.size else math.inf

    def __repr__(self):
        return f"OwnSize({self.size})"


@dataclass(frozen=True, repr=False)
class Failing(FlushPolicy):
    """A policy that cannot be asked."""

    def due(self, view):
        raise RuntimeError("no idea when")

    def __repr__(self):
        return "Failing()"


def declare(policy: FlushPolicy = POLICIES[0], *, rate=10.0, until=60.0, **options) -> Simulation:
    """Return a simulation with one producer, one buffer and workers, which all draw."""
    options.setdefault("producers", [Producer("edits", Poisson(rate), nbytes=Exponential(100.0))])
    options.setdefault("workers", [PushWorkers(2, service=Exponential(0.05), failure=0.1, retries=1)])
    return Simulation(buffers=[JobBuffer("search", policy=policy)], until=until, **options)


def study(*policies: FlushPolicy, seed=7, **options) -> Study:
    """Return a study of these policies, or of the usual ones."""
    return Study(declare(**options), policy=list(policies or POLICIES), seed=seed)


def bits(result) -> dict[str, dict[int, bytes]]:
    """Return what came out of a study to the last bit, in order."""
    return {name: {number: packed(one) for number, one in found.items()} for name, found in result.tallies.items()}


def bits_of(result) -> bytes:
    """Return what came out of one run to the last bit."""
    return packed(result.tally)


def without(name):
    """Return an import that does not find a library."""
    found = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.partition(".")[0] == name:
            raise ImportError(name)
        return found(module, *args, **kwargs)

    return missing
