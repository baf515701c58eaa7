"""What running costs, as an expression of metrics: prices times rates."""

from __future__ import annotations

from bufsim import checks
from bufsim.errors import InvalidValueError
from bufsim.studies.expressions import Expression, metric


def cost(
    *,
    per_flush: float = 0.0,
    per_empty_tick: float = 0.0,
    per_work: float = 0.0,
    per_job_second: float = 0.0,
    per_byte_second: float = 0.0,
    per_lost_job: float = 0.0,
    of: str | None = None,
) -> Expression:
    """Return the cost per second of running: each price times how often, or how long, a second of time sees it.

    All in one currency, which is yours; the result is in it, per second. Costs are weighed after a study has run, so
    that other prices need no other runs.

    Parameters
    ----------
    per_flush : float
        For each flush.
    per_empty_tick : float
        For each tick of a policy that finds nothing to flush.
    per_work : float
        For each job that reaches a queue, after reduce.
    per_job_second : float
        For one job that waits in the buffer for one second: the price of staleness. (λ jobs a second that wait w
        seconds cost λ·w of it a second, by Little's law.)
    per_byte_second : float
        For one byte in the buffer for one second: the price of memory.
    per_lost_job : float
        For each job lost, of whatever cause. A run without stops loses none to them: then add what a stop would lose,
        times the stops a second: ``0.05 / 86400 * metric("mean_loss_at_stop_jobs")``.
    of : str, optional
        Of which buffer; None: all together. (Not with `per_work`, which is about queues.)

    Examples
    --------
    >>> cost(per_flush=40.0, per_job_second=1.0).name
    'cost'
    >>> str(cost(per_flush=40.0, per_job_second=1.0).terms[1].metric)
    'mean_buffer_size_jobs'
    """
    prices = {
        "flush_rate_per_s": checks.not_negative("per_flush", per_flush),
        "empty_tick_rate_per_s": checks.not_negative("per_empty_tick", per_empty_tick),
        "handed_rate_per_s": checks.not_negative("per_work", per_work),
        "mean_buffer_size_jobs": checks.not_negative("per_job_second", per_job_second),
        "mean_buffer_nbytes": checks.not_negative("per_byte_second", per_byte_second),
        "lost_rate_per_s": checks.not_negative("per_lost_job", per_lost_job),
    }
    if of is not None and per_work:
        raise InvalidValueError(f"per_work is about queues, not about buffer {of!r}; leave out one of them")
    parts = [price * metric(name, of) for name, price in prices.items() if price]
    if not parts:
        raise InvalidValueError("cost needs at least one price, got none; give it per_flush=... or per_job_second=...")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.named("cost", unit="per s", better="lower")
