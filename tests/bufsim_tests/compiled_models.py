"""Models full of ties of everything that the compiled engine takes, for Hypothesis, and the classes in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from hypothesis import strategies as st

from bufsim import Bulk, Constant, Renewal, Simulation, TimeVarying, Trace
from bufsim.model.arrivals import Arrivals
from bufsim.model.distributions import Distribution
from bufsim.model.traces import ScaledTrace
from bufsim.verification import parts
from bufsim.verification.models import UNITS, model
from bufsim_tests import generated
from bufsim_tests.generated import Steps


@cache
def distributions(unit: float) -> st.SearchStrategy[Distribution]:
    """Durations: mostly such that tie with everything else."""
    tied = st.integers(0, 3).map(lambda k: Constant(k * unit))
    return st.one_of(tied, st.just(Steps(unit)), generated.part(parts.DURATIONS, unit))


@cache
def arrivals(unit: float) -> st.SearchStrategy[Arrivals]:
    """Arrivals without attributes of their jobs, some of them on the grid."""
    drawn = {kind: make for kind, make in parts.ARRIVALS.items() if not issubclass(kind, Trace | ScaledTrace)}
    return generated.part(drawn, unit)


@st.composite
def simulations(draw: st.DrawFn) -> Simulation:
    """Models of everything that is built in, as `bufsim verify` draws them, so that examples shrink."""
    return model(generated.Drawn(draw, draw(st.sampled_from(UNITS))))


def classes(simulation: Simulation) -> Iterator[type]:
    """Yield the classes of which the simulation is made."""
    for producer in simulation.producers:
        yield from (type(producer.arrivals), type(producer.keys), type(producer.nbytes))
        if isinstance(producer.arrivals, Bulk):
            yield from (type(producer.arrivals.arrivals), type(producer.arrivals.size))
        if isinstance(producer.arrivals, Renewal):
            yield type(producer.arrivals.distribution)
        if isinstance(producer.arrivals, TimeVarying):
            yield type(producer.arrivals.rate)
    for buffer in simulation.buffers:
        yield from (type(buffer.collect), type(buffer.reduce), type(buffer.drain), type(buffer.capacity))
        yield from (type(buffer.flush_time.fixed), *map(type, buffer.policy.parts()))
    for pool in simulation.workers:
        yield from (type(pool), type(pool.service), type(pool.backoff))
