"""The cases of the closed forms: a call of each, the recorded values with the function of each family, and a replay."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bufsim import theory

DATA = Path(__file__).parents[1] / "data"


@cache
def closed_forms() -> list[dict[str, Any]]:
    return list(json.loads((DATA / "theory" / "closed_forms.json").read_text()))


@cache
def problems() -> dict[str, dict[str, Any]]:
    known = json.loads((DATA / "decisions" / "problems.json").read_text())
    return {problem["name"]: problem for problem in known["problems"]}


# one call of every function that returns a closed form
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
        theory.race_two_flushers(period=5.0, window=0.05, offset=0.01),
        theory.race_two_free_flushers(period=5.0, window=0.05),
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

Parameters = Mapping[str, Any]

# which function computes a recorded family, from which of its parameters
FAMILIES: dict[str, Callable[[Parameters], theory.ClosedForm]] = {
    "periodic": lambda p: theory.periodic(rate=p["lam"], period=p["T"]),
    "periodic_jitter": lambda p: theory.periodic_with_jitter(rate=p["lam"], period=p["T"], jitter=p["J"]),
    "random_flush": lambda p: theory.random_flush(rate=p["lam"], flush_rate=p["mu"]),
    "size_N": lambda p: theory.size_only(rate=p["lam"], size=p["N"]),
    "size_N_renewal": lambda p: theory.size_only_renewal(rate=p["lam"], size=p["N"], scv=p["scv"]),
    "size_or_max_age": lambda p: theory.size_or_age(rate=p["lam"], size=p["N"], age=p["T"]),
    "size_or_timer_reset": lambda p: theory.size_or_timer(rate=p["lam"], size=p["N"], period=p["T"]),
    "size_or_timer_fixed_phase": lambda p: theory.size_or_clock(rate=p["lam"], size=p["N"], period=p["T"]),
    "celery_phase_from_first": lambda p: theory.repeating_timer(rate=p["lam"], period=p["T"]),
    "debounce": lambda p: theory.idle_only(rate=p["lam"], idle=p["g"]),
    "debounce_max_wait": lambda p: theory.idle_or_age(rate=p["lam"], idle=p["g"], age=p["M"]),
    # "more than mr jobs" there is "at least min_size jobs" here
    "min_and_or_max": lambda p: theory.min_and_max(
        rate=p["lam"], min_size=p["mr"] + 1, min_age=p["mt"], max_size=p["Mr"] + 1, max_age=p["Mt"]
    ),
    "poll_granularity": lambda p: theory.age_checked_every(rate=p["lam"], age=p["T"], tick=p["tau"]),
    "aged_only_drain": lambda p: theory.aged_only_drain(rate=p["lam"], age=p["A"], tick=p["tick"]),
    "periodic_capacity": lambda p: theory.periodic_with_capacity(rate=p["lam"], period=p["T"], capacity=p["C"]),
    "periodic_max_batch": lambda p: theory.periodic_at_most(rate=p["lam"], period=p["T"], at_most=p["b"]),
    "flush_duration_linear": lambda p: theory.periodic_with_flush_time(
        rate=p["lam"], period=p["T"], fixed=p["d0"], per_job=p["d1"]
    ),
    "natural_batching": lambda p: theory.flush_when_free(rate=p["lam"], flush_time=p["d"]),
    "group_commit_delay": lambda p: theory.group_commit(rate=p["lam"], flush_time=p["d"], delay=p["c"]),
    "bulk_service_ab": lambda p: theory.bulk_service(
        rate=p["lam"], mean_flush_time=1.0 / p["mu"], at_least=p["a"], at_most=p["b"]
    ),
    "dedupe_fixed_n": lambda p: theory.unique_keys_of_batch(batch_size=p["n"], keys=p["K"], exponent=p["s"]),
    "dedupe_periodic": lambda p: theory.unique_keys_periodic(
        rate=p["lam"], period=p["T"], keys=p["K"], exponent=p["s"]
    ),
    "crash_loss": lambda p: theory.stop_loss_periodic(
        rate=p["lam"], period=p["T"], flush_time=p["d"], stop_rate=p["theta"]
    ),
    "crash_loss_size_N": lambda p: theory.stop_loss_size(rate=p["lam"], size=p["N"]),
    "race_loss_periodic": lambda p: theory.race_loss_periodic(rate=p["lam"], period=p["T"], window=p["d"]),
    "race_loss_exp_window": lambda p: theory.race_loss_exponential_window(rate=p["lam"], mean_window=p["d"]),
    "race_loss_size_N": lambda p: theory.race_loss_size(rate=p["lam"], size=p["N"], window=p["d"]),
    "eoq_periodic": lambda p: theory.best_period(rate=p["lam"], cost_per_flush=p["K"], cost_per_job_second=p["h"]),
    "opt_policies_compared": lambda p: theory.best_policies(
        rate=p["lam"], cost_per_flush=p["K"], cost_per_job_second=p["h"]
    ),
    "downstream_MX_M_1": lambda p: theory.bulks_and_one_worker(
        bulk_rate=p["Lam"], mean_bulk=p["k"], bulk_scv=0.0, mean_service=1.0 / p["mu"], service_scv=1.0
    ),
    "downstream_MX_G_1": lambda p: theory.bulks_and_one_worker(
        bulk_rate=p["Lam"], mean_bulk=1.0 / p["p"], bulk_scv=1.0 - p["p"], mean_service=p["s"], service_scv=0.0
    ),
    "downstream_sizeN_M_c": lambda p: theory.size_then_workers(
        rate=p["lam"], size=p["N"], mean_service=1.0 / p["mu"], concurrency=p["c"]
    ),
    "downstream_periodic_D_1": lambda p: theory.periodic_then_one_worker(
        rate=p["lam"], period=p["T"], served_per_period=p["c"]
    ),
    "mmpp2_periodic": lambda p: theory.bursty_periodic(
        high_rate=p["l1"], low_rate=p["l2"], mean_high=1.0 / p["q12"], mean_low=1.0 / p["q21"], period=p["T"]
    ),
    "sinusoidal_periodic": lambda p: theory.sinusoidal_periodic(mean_rate=p["lam0"], amplitude=p["A"], cycle=p["Pd"]),
    "bulk_arrivals_size_N": lambda p: theory.bulks_by_size(bulk_rate=p["Lam"], mean_bulk=1.0 / p["p"], size=p["N"]),
    "bytes_trigger_exp": lambda p: theory.bytes_only(rate=p["lam"], mean_nbytes=p["m"], nbytes=p["B"]),
    "retry_backoff": lambda p: theory.retries(
        p_failure=p["p"], most=p["R"], first=p["r"], factor=p["base"], longest=p["cap"]
    ),
}

# recorded name -> name here; every other quantity keeps its recorded name
RENAMED = {
    ("eoq_periodic", "T_opt"): "best_period",
    ("eoq_periodic", "cost_opt"): "cost_at_best_period",
    ("eoq_periodic", "cost_at_half_T"): "cost_at_half_period",
    ("eoq_periodic", "cost_at_double_T"): "cost_at_double_period",
    ("opt_policies_compared", "N_opt"): "best_size",
    ("opt_policies_compared", "T_first_opt"): "best_age",
    ("opt_policies_compared", "cost_since_first"): "cost_age",
    ("opt_policies_compared", "cost_periodic_charged_always"): "cost_period_charged_always",
}

# --- a plain replay of one batch after another under Poisson arrivals: an oracle that shares no formula --------------

# from the arrival times since the first job (which is at 0) to the flush time
FlushRule = Callable[[np.ndarray], float]


def waits_and_batches(rule: FlushRule, *, rate: float, batches: int, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Per batch, the sum of its waits and its size."""
    generator = np.random.default_rng(20240519)
    totals, sizes = np.empty(batches), np.empty(batches)
    for i in range(batches):
        count = generator.poisson(rate * longest)
        times = np.concatenate([[0.0], np.sort(generator.uniform(0.0, longest, count))])
        end = rule(times)
        taken = times[times <= end]
        totals[i], sizes[i] = (end - taken).sum(), len(taken)
    return totals, sizes


def mean_wait(totals: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The ratio of the means and its standard error."""
    ratio = totals.mean() / sizes.mean()
    return ratio, float((totals - ratio * sizes).std(ddof=1) / sizes.mean() / np.sqrt(len(sizes)))
