"""Small runs with times written by hand."""

from __future__ import annotations

from bufsim import FlushAtSize, FlushPolicy, JobBuffer, Producer, Result, Simulation, Trace


def declare(times=(1.0,), *, policy: FlushPolicy | None = None, until=20.0, buffers=None, trace=None, **options):
    """Return a simulation of jobs at the given times in a buffer "b", or in the buffers given."""
    buffer_options = {k: options.pop(k) for k in ("reduce", "flush_time", "drain", "capacity", "items") if k in options}
    declared = buffers or [JobBuffer("b", policy=policy or FlushAtSize(2), **buffer_options)]
    producers = [Producer("p", Trace(times, **(trace or {})))]
    return Simulation(producers=producers, buffers=declared, until=until, **options)


def run(*args, seed=1, **options) -> Result:
    """Run such a simulation."""
    return declare(*args, **options).run(seed=seed)


def rows(table, *columns):
    """Return columns of a table as tuples, None for what is missing."""
    plain = table[list(columns)].astype(object)
    return list(plain.where(plain.notna(), None).itertuples(index=False, name=None))
