"""A flush policy in the words of other systems."""

from __future__ import annotations

from collections.abc import Iterator

from bufsim.model.flush_policy import AllOf, AnyOf, CheckedEvery, FlushPolicy
from bufsim.model.policies import (
    FlushAfterAge,
    FlushAt,
    FlushAtBytes,
    FlushAtSize,
    FlushEvery,
    FlushWhenIdle,
    NeverFlush,
)
from bufsim.results.plots.units import byte_unit, duration, number


def described(policy: FlushPolicy) -> str:
    """Return what a policy does, in words.

    Examples
    --------
    >>> described(FlushAtSize(400) | FlushAfterAge(10.0))
    'at 400 jobs, or when the oldest job is 10 s old'
    """
    match policy:
        case AnyOf():
            return ", or ".join(map(described, policy.members))
        case AllOf():
            return " and ".join(f"{described(member)}" for member in policy.members)
        case CheckedEvery():
            return f"{described(policy.policy)}, looked at every {duration(policy.period)}"
        case FlushAtSize():
            return f"at {number(policy.size)} jobs"
        case FlushAtBytes():
            return f"at {_bytes(policy.nbytes)}"
        case FlushAfterAge():
            return f"when the oldest job is {duration(policy.age)} old"
        case FlushWhenIdle():
            return f"when no job has come for {duration(policy.idle)}"
        case FlushEvery():
            return f"every {duration(policy.period)}"
        case FlushAt():
            return f"at {len(policy.times)} given times"
        case NeverFlush():
            return "never"
    return repr(policy)


def settings(policy: FlushPolicy) -> list[tuple[str, str]]:
    """Return where a policy is set, a system and what to write there; of other systems only those that say nearly it.

    Vendure has no flush policy of its own: somebody calls flush. Kafka counts bytes from a batch's first record, Vector
    and Ray Serve the age from it, OpenTelemetry Python the time from the last export's end.
    """
    leaves = policy.members if isinstance(policy, AnyOf) else (policy,)
    by_kind = {type(leaf): leaf for leaf in leaves}
    others = _elsewhere(by_kind) if len(by_kind) == len(leaves) == 2 else ()
    return [("bufsim", repr(policy)), ("Vendure", _vendure(policy)), *others]


def _vendure(policy: FlushPolicy) -> str:
    if isinstance(policy, FlushEvery):
        return f"a scheduled task that calls flush every {duration(policy.period)}"
    return f"call flush {described(policy)}; bufferSize tells the size (there is no such setting)"


def _elsewhere(leaves: dict[type[FlushPolicy], FlushPolicy]) -> Iterator[tuple[str, str]]:
    match leaves.get(FlushAtSize), leaves.get(FlushAtBytes), leaves.get(FlushAfterAge), leaves.get(FlushEvery):
        case FlushAtSize(size), None, FlushAfterAge(age), None:
            yield "Vector", f"batch.max_events = {size}, batch.timeout_secs = {age:g}"
            yield "Ray Serve", f"max_batch_size={size}, batch_wait_timeout_s={age:g}"
        case None, FlushAtBytes(nbytes), FlushAfterAge(age), None:
            yield "Kafka producer", f"batch.size={nbytes}, linger.ms={1e3 * age:.0f}"
        case FlushAtSize(size), None, None, FlushEvery(period, anchor="flush_end"):
            yield "OpenTelemetry", f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE={size}, OTEL_BSP_SCHEDULE_DELAY={1e3 * period:.0f}"


def _bytes(nbytes: float) -> str:
    unit = byte_unit(nbytes)
    return f"{number(nbytes / unit.size)} {unit.name}"
