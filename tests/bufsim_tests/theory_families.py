"""Which function of `bufsim.theory` computes a recorded family, from which of its parameters, under which names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bufsim import theory

Parameters = Mapping[str, Any]

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
