"""What the compiled engine cannot take is named, with the way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from bufsim_tests.models import edits, served

from bufsim import (
    BufferView,
    BufsimError,
    FlushAtSize,
    FlushEvery,
    FlushPolicy,
    JobBuffer,
    KeepAll,
    NotLoweredError,
    Poisson,
    Simulation,
    Storage,
)
from bufsim.engines import compiled_engine
from bufsim.model import rules
from bufsim.model.buffers import Drain
from bufsim.model.reducers import Assignment, Reduce
from bufsim.simulation import Engine
from bufsim.vendure import InMemoryJobBufferStorageStrategy, Job


class FlushSooner(FlushPolicy):
    def due(self, view: BufferView) -> float:
        return view.oldest_at + 5.0 / view.size


class DrainHalf(Drain):
    def count(self, sizes: Sequence[int], nbytes: int) -> int:
        return (len(sizes) + 1) // 2

    def __repr__(self) -> str:
        return "DrainHalf()"


class KeepNone(Reduce):
    def assign(self, queues: Sequence[Any], keys: Sequence[Any]) -> Assignment:
        return KeepAll().assign(queues, keys)

    def __repr__(self) -> str:
        return "KeepNone()"


class OwnStorage(InMemoryJobBufferStorageStrategy):
    pass


def collect_all(job: Job) -> bool:
    return True


def keep(jobs: list[Job]) -> list[Job]:
    return jobs


def simulation(**options: Any) -> Simulation:
    return edits(Poisson(2.0), until=20.0, **{"policy": FlushEvery(5.0)} | options)


UNKNOWN = {
    "policy FlushSooner() of buffer 'search'": simulation(policy=FlushSooner() | FlushAtSize(3)),
    f"collect {collect_all!r} of buffer 'search'": simulation(collect=collect_all),
    f"reduce {keep!r} of buffer 'search'": simulation(reduce=keep),
    "reduce KeepNone() of buffer 'search'": simulation(reduce=KeepNone()),
    "drain DrainHalf() of buffer 'search'": simulation(drain=DrainHalf()),
    f"storage strategy {OwnStorage!r}": simulation(storage=Storage(strategy=OwnStorage)),
    f"storage strategy {OwnStorage!r} of buffer 'own'": replace(
        simulation(), buffers=[JobBuffer("own", policy=FlushAtSize(3), storage=Storage(strategy=OwnStorage))]
    ),
}


# an id must be the same in every process: no address of a function
NAMES = [" ".join(part.split()[:2]).split("<")[0] + str(number) for number, part in enumerate(UNKNOWN)]


@pytest.mark.parametrize(("part", "model"), UNKNOWN.items(), ids=NAMES)
def test_a_part_that_cannot_be_lowered_is_named_with_the_way_out(part: str, model: Simulation) -> None:
    with pytest.raises(NotLoweredError) as error:
        model.run(seed=1, engine="compiled")
    assert str(error.value) == (
        f'the compiled engine does not know the {part}; run it with engine="simpy", or use a built-in one'
    )


@pytest.mark.parametrize("model", UNKNOWN.values(), ids=NAMES)
def test_auto_takes_the_simpy_engine_for_what_cannot_be_lowered_and_says_so(model: Simulation) -> None:
    assert not compiled_engine.can_run(model)
    assert model.run(seed=1, engine="auto").engine == "simpy"


def test_a_storage_strategy_that_no_buffer_has_can_be_lowered() -> None:
    model = simulation(storage=Storage(strategy=OwnStorage))
    assert compiled_engine.can_run(replace(model, buffers=[replace(model.buffers[0], storage=Storage())]))


def test_auto_takes_the_compiled_engine_for_what_can_be_lowered_and_says_so() -> None:
    assert compiled_engine.can_run(simulation())
    assert simulation().run(seed=1, engine="auto").engine == "compiled"


class FlushAtTwice(FlushAtSize):
    """A leaf that the compiled engine can take, and of which it is not declared what it reads."""

    def due(self, view: BufferView) -> float:
        return rules.at_size(view.size, 2 * self.size)

    def lowered(self, until: float) -> rules.Operation:
        return rules.Operation(rules.SIZE, whole=2 * self.size)


class FlushAtTwiceUnasked(FlushAtTwice):
    """The same leaf, of which too little is declared."""

    reads = frozenset({"oldest_at"})


class FlushByAnUnknownRule(FlushAtSize):
    """A leaf with a rule that the kernel's stack machine does not know."""

    def lowered(self, until: float) -> rules.Operation:
        return rules.Operation(99)


def test_a_leaf_whose_rule_the_kernel_does_not_know_is_refused_and_not_taken_for_never() -> None:
    with pytest.raises(BufsimError, match=r"no branch for the rule of Operation\(rule=99.*a bug in bufsim"):
        simulation(policy=FlushByAnUnknownRule(1)).run(seed=1, engine="compiled")


def flushed(policy: FlushPolicy, engine: Engine) -> list[float]:
    return served(policy, rate=2.0).run(3, engine=engine).flushes["start"].tolist()


def test_a_leaf_of_which_nothing_is_declared_is_asked_after_every_arrival() -> None:
    due = flushed(FlushAtSize(10), "simpy")
    assert flushed(FlushAtTwice(5), "compiled") == flushed(FlushAtTwice(5), "simpy") == due
    # the negative control: not asked after arrivals it is never due, on either engine
    assert flushed(FlushAtTwiceUnasked(5), "compiled") == flushed(FlushAtTwiceUnasked(5), "simpy") == []
    assert due != []
