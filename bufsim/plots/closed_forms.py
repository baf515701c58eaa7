"""The closed forms of simple scenarios, as functions of what runs along an axis of a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bufsim import theory
from bufsim.model.arrivals import Poisson
from bufsim.model.buffers import CollectAll, DrainAll, FlushTime, Storage
from bufsim.model.distributions import Constant
from bufsim.model.flush_policy import AnyOf, FlushPolicy
from bufsim.model.policies import FlushAfterAge, FlushAtSize, FlushEvery
from bufsim.model.producers import UniformKeys, Zipf
from bufsim.model.reducers import Merge, UniqueByKey
from bufsim.simulation import Simulation
from bufsim.studies.expressions import Expression
from bufsim.theory import ClosedForm

_QUANTITIES: Mapping[str, tuple[str, ...]] = {
    "mean_wait_s": ("mean_wait",),
    "p95_wait_s": ("wait_p95",),
    "p99_wait_s": ("wait_p99",),
    "mean_buffer_size_jobs": ("time_avg_buffer",),
    # of the flushes on a clock a run records those that take a job
    "mean_batch_size_jobs": ("mean_batch_nonempty", "mean_batch"),
    "flush_rate_per_s": ("nonempty_flush_rate", "flush_rate"),
    "mean_batch_size_seen_jobs": ("job_seen_batch",),
}
_MOST_KEYS = 2000


def by_rate(simulation: Simulation, expression: Expression) -> Callable[[float], float] | None:
    """Return an expression's steady value as a function of the arrival rate, jobs/s; None where no form is known.

    Known are single metrics of one buffer that takes everything, at flushes that take no time, under a size, an age,
    both, or a period, with Poisson arrivals.
    """
    if not expression.is_metric or not _is_simple(simulation):
        return None
    form = _form(simulation.buffers[0].policy)
    names = _QUANTITIES.get(expression.terms[0].metric, ())
    if form is None or not any(name in form(1.0).quantities for name in names):
        return None

    def value(rate: float) -> float:
        known = form(rate).quantities
        return next(known[name] for name in names if name in known)

    return value


def saved_by_batch(simulations: Sequence[Simulation]) -> Callable[[float], float] | None:
    """Return the share of the jobs that a reduce to one job per key saves, as a function of the mean batch size.

    None where no form is known. A batch merged into one job saves all jobs but one, under every policy. The others are
    for keys by Zipf's law, or all equally likely, of one Poisson producer and one simple buffer, flushed at a size
    (batches of exactly so many jobs), or on a clock (a Poisson number of jobs).
    """
    if all(_merges(simulation) for simulation in simulations):
        return lambda batch: 1.0 - 1.0 / batch
    laws = {_law(simulation) for simulation in simulations}
    if len(laws) != 1 or None in laws:
        return None
    (law,) = laws
    assert law is not None
    policy, keys, exponent = law
    if policy is FlushEvery:
        return lambda batch: (
            theory.unique_keys_periodic(rate=1.0, period=batch, keys=keys, exponent=exponent).saved_fraction
        )
    # its variance takes keys² steps
    if policy is not FlushAtSize or keys > _MOST_KEYS:
        return None

    def saved(batch: float) -> float:
        return 1.0 - theory.unique_keys_of_batch(batch_size=round(batch), keys=keys, exponent=exponent).dedupe_ratio

    return saved


def _merges(simulation: Simulation) -> bool:
    """Whether each batch becomes one job: those of one queue do."""
    queues = {queue for producer in simulation.producers for queue in producer.queues}
    return len(queues) == 1 and all(buffer.reduce == Merge() for buffer in simulation.buffers)


def _law(simulation: Simulation) -> tuple[type[FlushPolicy], int, float] | None:
    """Return the kind of policy, the number of keys and the exponent of their law; None for another model."""
    keys, policy = simulation.producers[0].keys, simulation.buffers[0].policy
    if isinstance(policy, FlushEvery) and policy.anchor == "activation":
        return None  # the job that starts the timer is in the batch beside a Poisson number of others
    if not _is_simple(simulation) or len(simulation.producers) > 1 or simulation.buffers[0].reduce != UniqueByKey():
        return None
    if isinstance(keys, Zipf):
        return type(simulation.buffers[0].policy), keys.n, keys.exponent
    return (type(simulation.buffers[0].policy), keys.n, 0.0) if isinstance(keys, UniformKeys) else None


def _is_simple(simulation: Simulation) -> bool:
    """Whether one buffer holds all jobs, which are Poisson, until flushes that take no time take them all."""
    buffer = simulation.buffers[0]
    if len(simulation.buffers) > 1 or simulation.stops is not None or simulation.storage_of(buffer) != Storage():
        return False
    is_plain = buffer.drain == DrainAll() and buffer.capacity is None and buffer.flush_time == FlushTime(Constant(0.0))
    are_poisson = all(isinstance(producer.arrivals, Poisson) for producer in simulation.producers)
    return is_plain and buffer.collect == CollectAll() and are_poisson


def _form(policy: FlushPolicy) -> Callable[[float], ClosedForm] | None:
    """Return the closed form of a policy, as a function of the arrival rate."""
    if isinstance(policy, FlushAtSize):
        return lambda rate: theory.size_only(rate=rate, size=policy.size)
    if isinstance(policy, FlushAfterAge):
        return lambda rate: theory.age_only(rate=rate, age=policy.age)
    if isinstance(policy, FlushEvery) and policy.anchor == "clock":
        return lambda rate: theory.periodic(rate=rate, period=policy.period)
    bounds = size_and_age(policy)
    if bounds is None:
        return None
    size, age = bounds
    return lambda rate: theory.size_or_age(rate=rate, size=size, age=age)


def size_and_age(policy: FlushPolicy) -> tuple[int, float] | None:
    """Return the size and the age of ``FlushAtSize(size) | FlushAfterAge(age)``; None for another policy."""
    if not isinstance(policy, AnyOf) or len(policy.members) != 2:
        return None
    sizes = [member.size for member in policy.members if isinstance(member, FlushAtSize)]
    ages = [member.age for member in policy.members if isinstance(member, FlushAfterAge)]
    return (sizes[0], ages[0]) if sizes and ages else None
