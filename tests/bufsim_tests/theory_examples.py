"""One call of every function of `bufsim.theory` that returns a closed form."""

from __future__ import annotations

from bufsim import theory

COST = {"rate": 4.0, "cost_per_flush": 47.5, "cost_per_job_second": 1.0}
QUEUE = {"bulk_rate": 0.5, "mean_bulk": 3.0, "mean_service": 1.0, "concurrency": 2}
BURSTS = {"high_rate": 6.0, "low_rate": 0.5, "mean_high": 5.0, "mean_low": 10.0}

EXAMPLES = {
    form.family: form
    for form in (
        theory.age_checked_every(rate=0.5, age=4.0, tick=1.0),
        theory.age_only(rate=1.5, age=4.0),
        theory.aged_only_drain(rate=2.0, age=30.0, tick=5.0),
        theory.best_period(**COST),
        theory.best_policies(**COST),
        theory.bulk_service(rate=3.0, mean_flush_time=1.0, at_least=4, at_most=8),
        theory.bulks_and_one_worker(bulk_rate=0.5, mean_bulk=4.0, bulk_scv=0.0, mean_service=0.25, service_scv=1.0),
        theory.bulks_and_workers(**QUEUE),
        theory.bulks_and_workers_from_empty(**QUEUE, until=50.0),
        theory.bulks_by_size(bulk_rate=1.0, mean_bulk=4.0, size=20),
        theory.bursty_periodic(**BURSTS, period=4.0),
        theory.bursty_size_or_age(**BURSTS, size=10, age=4.0),
        theory.bytes_only(rate=2.0, mean_nbytes=100.0, nbytes=1000.0),
        theory.cost_of_age(age=3.0, **COST),
        theory.cost_of_period(period=3.0, **COST),
        theory.cost_of_size(size=3, **COST),
        theory.flush_when_free(rate=4.0, flush_time=0.5),
        theory.group_commit(rate=4.0, flush_time=0.3, delay=0.2),
        theory.idle_only(rate=1.0, idle=1.5),
        theory.idle_or_age(rate=2.0, idle=0.8, age=4.0),
        theory.min_and_max(rate=2.0, min_size=7, min_age=2.0, max_size=13, max_age=8.0),
        theory.periodic(rate=2.0, period=5.0),
        theory.periodic_at_most(rate=2.0, period=4.0, at_most=10),
        theory.periodic_then_one_worker(rate=2.0, period=4.0, served_per_period=10),
        theory.periodic_with_capacity(rate=2.0, period=5.0, capacity=10),
        theory.periodic_with_flush_time(rate=5.0, period=2.0, fixed=0.5, per_job=0.08),
        theory.periodic_with_jitter(rate=3.0, period=5.0, jitter=1.0),
        theory.race_loss_exponential_window(rate=20.0, mean_window=0.05),
        theory.race_loss_periodic(rate=20.0, period=5.0, window=0.05),
        theory.race_loss_size(rate=20.0, size=50, window=0.05),
        theory.random_flush(rate=4.0, flush_rate=0.5),
        theory.repeating_timer(rate=0.4, period=3.0),
        theory.retries(p_failure=0.4, most=5, first=1.0, factor=2.0, longest=10.0),
        theory.sinusoidal_periodic(mean_rate=5.0, amplitude=0.8, cycle=40.0),
        theory.size_only(rate=2.0, size=10),
        theory.size_only_renewal(rate=2.0, size=8, scv=4.0),
        theory.size_or_age(rate=10.0, size=40, age=5.0),
        theory.size_or_clock(rate=2.0, size=10, period=5.0),
        theory.size_or_timer(rate=2.0, size=10, period=5.0),
        theory.size_then_workers(rate=2.0, size=5, mean_service=1.25, concurrency=4),
        theory.size_until(rate=40.0, size=500, until=139.0),
        theory.stop_loss_periodic(rate=30.0, period=20.0),
        theory.stop_loss_size(rate=30.0, size=600),
        theory.unique_keys_of_batch(batch_size=100, keys=200, exponent=1.1),
        theory.unique_keys_periodic(rate=50.0, period=10.0, keys=1000, exponent=1.1),
    )
}
