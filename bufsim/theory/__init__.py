"""Closed forms, with their sources: what theory says about a policy, to test and to teach with.

Every function takes keywords in jobs, seconds and jobs per second and returns a `ClosedForm`; a duration may be written
as elsewhere, ``"30s"``. Arrivals are Poisson and
flushes take no time unless its first lines say otherwise; a wait is the flush's start − the arrival.
"""

from bufsim.theory.closed_form import QUANTITIES, ClosedForm, Quantity
from bufsim.theory.flushing import (
    bulk_service,
    flush_when_free,
    group_commit,
    periodic_with_flush_time,
    retries,
    stop_loss_periodic,
    stop_loss_size,
    unique_keys_of_batch,
    unique_keys_periodic,
)
from bufsim.theory.optimal import best_period, best_policies, cost_of_age, cost_of_period, cost_of_size
from bufsim.theory.races import (
    race_loss_exponential_window,
    race_loss_periodic,
    race_loss_size,
    race_two_flushers,
    race_two_free_flushers,
)
from bufsim.theory.timers import (
    age_checked_every,
    aged_only_drain,
    periodic,
    periodic_with_jitter,
    random_flush,
    repeating_timer,
    size_or_clock,
    size_or_timer,
    size_until,
)
from bufsim.theory.traffic import (
    bulks_by_size,
    bursty_periodic,
    bursty_size_or_age,
    bytes_only,
    periodic_at_most,
    periodic_with_capacity,
    sinusoidal_periodic,
)
from bufsim.theory.triggers import (
    age_only,
    idle_only,
    idle_or_age,
    min_and_max,
    size_only,
    size_only_renewal,
    size_or_age,
)
from bufsim.theory.workers import (
    bulks_and_one_worker,
    bulks_and_workers,
    bulks_and_workers_from_empty,
    mean_in_system_at,
    periodic_then_one_worker,
    size_then_workers,
)

__all__ = [
    "QUANTITIES",
    "ClosedForm",
    "Quantity",
    "age_checked_every",
    "age_only",
    "aged_only_drain",
    "best_period",
    "best_policies",
    "bulk_service",
    "bulks_and_one_worker",
    "bulks_and_workers",
    "bulks_and_workers_from_empty",
    "bulks_by_size",
    "bursty_periodic",
    "bursty_size_or_age",
    "bytes_only",
    "cost_of_age",
    "cost_of_period",
    "cost_of_size",
    "flush_when_free",
    "group_commit",
    "idle_only",
    "idle_or_age",
    "mean_in_system_at",
    "min_and_max",
    "periodic",
    "periodic_at_most",
    "periodic_then_one_worker",
    "periodic_with_capacity",
    "periodic_with_flush_time",
    "periodic_with_jitter",
    "race_loss_exponential_window",
    "race_loss_periodic",
    "race_loss_size",
    "race_two_flushers",
    "race_two_free_flushers",
    "random_flush",
    "repeating_timer",
    "retries",
    "sinusoidal_periodic",
    "size_only",
    "size_only_renewal",
    "size_or_age",
    "size_or_clock",
    "size_or_timer",
    "size_then_workers",
    "size_until",
    "stop_loss_periodic",
    "stop_loss_size",
    "unique_keys_of_batch",
    "unique_keys_periodic",
]
