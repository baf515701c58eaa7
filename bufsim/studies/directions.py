"""Which metrics are better when they are lower, which when they are higher, and which are neither."""

from __future__ import annotations

from typing import Literal

from bufsim.results.metrics import Metric

Better = Literal["lower", "higher"]
"""Where the better values lie."""

HIGHER = frozenset({"reduction_ratio", "work_saved_share", "completed_jobs", "throughput_per_s"})
"""More of these is better: work that is spared, and work that is done."""
NEUTRAL = frozenset(
    {
        "arrivals_jobs",
        "arrival_rate_per_s",
        "flush_count",
        "flush_rate_per_s",
        "mean_batch_size_jobs",
        "sd_batch_size_jobs",
        "mean_batch_size_seen_jobs",
        "mean_reduced_size_jobs",
        "flushes_by_size_share",
        "flushes_by_bytes_share",
        "flushes_by_age_share",
        "flushes_by_idle_share",
        "flushes_by_clock_share",
        "utilisation",
        "handed_jobs",
        "handed_rate_per_s",
        "mean_service_s",
        "mean_work_items",
        "passed_by_jobs",
    }
)
"""These are good or bad only by what they cost, which `cost` says."""
_NEUTRAL_QUANTILES = frozenset({"batch_size_jobs"})


def better(metric: Metric) -> Better | None:
    """Return where a metric's better values lie; None if neither is better. Waits, sizes and losses: lower.

    Examples
    --------
    >>> from bufsim.results.metrics import find
    >>> better(find("p99_wait")), better(find("work_saved")), better(find("flush_rate"))
    ('lower', 'higher', None)
    """
    if metric.quantile is not None:
        return None if metric.quantile.of in _NEUTRAL_QUANTILES else "lower"
    if metric.name in NEUTRAL:
        return None
    return "higher" if metric.name in HIGHER else "lower"


def opposite(direction: Better | None) -> Better | None:
    """Return the direction of the negative."""
    if direction is None:
        return None
    return "higher" if direction == "lower" else "lower"
