"""The simulations whose closed forms are recorded, with what is measured on a run of each.

`FAMILIES` says for each family what is simulated; `LEFT_OUT` which families are not, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import bufsim as bs
from bufsim import theory
from bufsim_tests.theory_measures import (
    CLOCK,
    CYCLES,
    GIVEN,
    LOSSES,
    PERIODIC,
    RACE,
    REDUCED,
    STANDARD,
    TIMER,
    WORKERS,
    Measures,
    Run,
    all_ticks,
    cost,
    empty_share,
    leftovers,
    settled,
)

Parameters = Mapping[str, Any]

LEFT_OUT = {
    "aged_only_drain": "no drain of ours takes only jobs of an age",
    "race_loss_exp_window": "a read-delete window of ours has a fixed length",
    "bulk_arrivals_size_N": "a bulk of ours is asked about job by job, so that a batch has exactly N jobs",
}
LEFT_OUT_QUANTITIES = {
    ("crash_loss", "loss_rate"): "a product of the mean loss and the rate of stops",
    ("crash_loss", "loss_fraction"): "a product of the mean loss and the rate of stops",
}
EXACT = {"root", "rho", "T_opt", "N_opt", "T_first_opt"}
"""Inputs of the formulas, not measured."""


@dataclass(frozen=True)
class Model:
    """What is simulated for a family: arrivals into one buffer, and perhaps workers."""

    arrivals: Any
    policy: bs.FlushPolicy | Callable[[np.random.Generator, float], bs.FlushPolicy]
    buffer: Mapping[str, Any] = field(default_factory=dict)
    producer: Mapping[str, Any] = field(default_factory=dict)
    workers: tuple[Any, ...] = ()
    storage: bs.Storage = bs.Storage()
    measures: Measures = field(default_factory=dict)
    period: float | None = None
    jobs: int = 20_000

    def run(self, seed: int) -> Run:
        """Run once, on the compiled engine."""
        until = self.jobs / self.arrivals.mean_rate
        if self.period is not None:
            # the last tick comes just before the end, and is in the run
            until = (round(until / self.period) + 0.5) * self.period
        policy = self.policy
        if not isinstance(policy, bs.FlushPolicy):
            policy = policy(np.random.default_rng([2026, seed]), until)
        simulation = bs.Simulation(
            producers=[bs.Producer("jobs", self.arrivals, **self.producer)],
            buffers=[bs.JobBuffer("buffer", policy=policy, **self.buffer)],
            workers=self.workers,
            storage=self.storage,
            until=until,
        )
        return Run(simulation.run(seed=seed, engine="compiled"), self.period or 1.0)

    alone: bool = True

    def measured(self) -> Measures:
        """Return how each quantity is measured; beside other models of its family, what is its own."""
        return STANDARD | self.measures if self.alone else self.measures


def random_times(gaps: Callable[[np.random.Generator, int], np.ndarray], mean: float) -> Callable[..., bs.FlushAt]:
    """Flush times that are drawn anew for every run."""

    def policy(generator: np.random.Generator, until: float) -> bs.FlushAt:
        times = np.cumsum(gaps(generator, int(1.5 * until / mean) + 100))
        return bs.FlushAt(times[times < until].tolist())

    return policy


def _stationary(p: Parameters) -> bs.Bursty:
    return bs.Bursty(p["l1"], p["l2"], 1.0 / p["q12"], 1.0 / p["q21"])


def _quarters(number: int) -> Callable[[Run], float]:
    """The mean batch of each cycle's n-th flush."""
    return lambda run: all_ticks(run)[number - 1 :: 4].mean()


def _single(**pool: Any) -> tuple[bs.PushWorkers]:
    return (bs.PushWorkers(pool.pop("concurrency", 1), **pool),)


def _costs(p: Parameters, name: str) -> Model:
    """The model of one of the policies whose best costs are compared."""
    arrivals = bs.Poisson(p["lam"])
    best = theory.best_policies(rate=p["lam"], cost_per_flush=p["K"], cost_per_job_second=p["h"])
    shown = {name: cost(p["K"], p["h"], every_tick=name == "cost_periodic_charged_always")}
    if name == "cost_size":
        return Model(arrivals, bs.FlushAtSize(int(best.best_size)), measures=shown, alone=False)
    if name == "cost_since_first":
        return Model(arrivals, bs.FlushAfterAge(best.best_age), measures=shown, alone=False)
    period = best_period(p)
    return Model(arrivals, bs.FlushEvery(period), measures=shown, alone=False, period=period)


def best_period(p: Parameters) -> float:
    """The best period of Harris (1913)."""
    return float(np.sqrt(2.0 * p["K"] / (p["h"] * p["lam"])))


def _at_period(p: Parameters, name: str, factor: float) -> Model:
    period = factor * best_period(p)
    shown = {name: cost(p["K"], p["h"], every_tick=True)}
    return Model(bs.Poisson(p["lam"]), bs.FlushEvery(period), measures=shown, alone=False, period=period)


def _capacity(p: Parameters, on_full: str, names: tuple[str, ...]) -> Model:
    measures = {name: measure for name, measure in LOSSES.items() if name in names}
    measures[f"mean_wait_{on_full}"] = STANDARD["mean_wait"]
    if on_full == "drop_newest":
        measures["time_avg_buffer"] = STANDARD["time_avg_buffer"]
    buffer = {"capacity": bs.Capacity(jobs=p["C"], on_full=on_full)}
    return Model(bs.Poisson(p["lam"]), bs.FlushEvery(p["T"]), buffer, measures=measures, period=p["T"], alone=False)


def _keys(keys: int, exponent: float) -> Any:
    return bs.Zipf(keys, exponent) if exponent else bs.UniformKeys(keys)


FAMILIES: dict[str, Callable[[Parameters], list[Model]]] = {
    "periodic": lambda p: [Model(bs.Poisson(p["lam"]), bs.FlushEvery(p["T"]), measures=PERIODIC, period=p["T"])],
    "periodic_jitter": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            random_times(lambda g, n: p["T"] + p["J"] * g.random(n), p["T"] + p["J"] / 2),
            measures=GIVEN,
        )
    ],
    "random_flush": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            random_times(lambda g, n: g.exponential(1.0 / p["mu"], n), 1.0 / p["mu"]),
            measures=GIVEN,
        )
    ],
    "celery_phase_from_first": lambda p: [
        Model(bs.Poisson(p["lam"]), bs.FlushEvery(p["T"], anchor="activation"), measures=CYCLES, period=p["T"])
    ],
    "size_N": lambda p: [Model(bs.Poisson(p["lam"]), bs.FlushAtSize(p["N"]))],
    "size_N_renewal": lambda p: [Model(bs.Renewal(bs.Gamma(1.0 / p["lam"], p["scv"])), bs.FlushAtSize(p["N"]))],
    "size_or_max_age": lambda p: [Model(bs.Poisson(p["lam"]), bs.FlushAtSize(p["N"]) | bs.FlushAfterAge(p["T"]))],
    "size_or_timer_reset": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtSize(p["N"]) | bs.FlushEvery(p["T"], anchor="flush_start"),
            measures=TIMER,
            period=p["T"],
        )
    ],
    "size_or_timer_fixed_phase": lambda p: [
        Model(bs.Poisson(p["lam"]), bs.FlushAtSize(p["N"]) | bs.FlushEvery(p["T"]), measures=CLOCK, period=p["T"])
    ],
    "debounce": lambda p: [Model(bs.Poisson(p["lam"]), bs.FlushWhenIdle(p["g"]))],
    "debounce_max_wait": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushWhenIdle(p["g"]) | bs.FlushAfterAge(p["M"]),
            measures={"p_max_trigger": lambda run: run.cause("FlushAfterAge").mean()},
        )
    ],
    # "more than mr jobs" there is "at least mr + 1" here
    "min_and_or_max": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            (bs.FlushAfterAge(p["mt"]) & bs.FlushAtSize(p["mr"] + 1))
            | bs.FlushAfterAge(p["Mt"])
            | bs.FlushAtSize(p["Mr"] + 1),
            measures={
                "p_count_max_trigger": lambda run: (run.batch == p["Mr"] + 1).mean(),
                "p_age_max_trigger": lambda run: run.cause(f"FlushAfterAge({p['Mt']})").mean(),
            },
            jobs=100_000,
        )
    ],
    "poll_granularity": lambda p: [Model(bs.Poisson(p["lam"]), bs.FlushAfterAge(p["T"]).checked_every(p["tau"]))],
    "periodic_capacity": lambda p: [
        _capacity(p, "drop_newest", ("loss_fraction", "mean_delivered_batch", "p_any_loss")),
        _capacity(p, "drop_oldest", ("loss_fraction", "mean_delivered_batch", "p_any_loss")),
    ],
    "periodic_max_batch": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushEvery(p["T"]),
            {"drain": bs.DrainAtMost(p["b"])},
            measures={
                "mean_batch": lambda run: all_ticks(run).mean(),
                "mean_leftover": lambda run: leftovers(run).sum() / run.ticks,
            },
            period=p["T"],
            jobs=60_000,
        )
    ],
    "flush_duration_linear": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushEvery(p["T"], anchor="flush_end"),
            {"flush_time": bs.FlushTime(p["d0"], per_job=p["d1"])},
        )
    ],
    "natural_batching": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtSize(1),
            {"flush_time": p["d"]},
            measures={"mean_time_to_durable": lambda run: run.waits.mean() + p["d"]},
        )
    ],
    "group_commit_delay": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAfterAge(p["c"]) & bs.FlushEvery(p["c"], anchor="flush_end"),
            {"flush_time": p["d"]},
        )
    ],
    "bulk_service_ab": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtSize(p["a"]),
            {"drain": bs.DrainAtMost(p["b"]), "flush_time": bs.FlushTime(bs.Exponential(1.0 / p["mu"]))},
            measures={"mean_queue": lambda run: run.level(), "p_busy": STANDARD["busy_fraction"]},
            jobs=60_000,
        )
    ],
    "dedupe_fixed_n": lambda p: [
        Model(
            bs.Poisson(1.0),
            bs.FlushAtSize(p["n"]),
            {"reduce": bs.UniqueByKey()},
            {"keys": _keys(p["K"], p["s"])},
            measures=REDUCED,
        )
    ],
    "dedupe_periodic": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushEvery(p["T"]),
            {"reduce": bs.UniqueByKey()},
            {"keys": _keys(p["K"], p["s"])},
            measures=REDUCED,
            period=p["T"],
        )
    ],
    "crash_loss": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushEvery(p["T"]),
            {"flush_time": p["d"]},
            measures={
                "mean_loss_buffer": lambda run: run.level(),
                "mean_loss_with_in_flight": lambda run: run.result.metric("mean_loss_at_stop"),
            },
            period=p["T"],
            jobs=100_000,
        )
    ],
    "crash_loss_size_N": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtSize(p["N"]),
            measures={
                "mean_loss_buffer": lambda run: run.level(),
                "loss_second_moment": lambda run: run.level(2),
                "p_no_loss": lambda run: empty_share(run),
            },
        )
    ],
    "race_loss_periodic": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushEvery(p["T"]),
            storage=bs.Storage(durable=True, read_delete_window=p["d"]),
            measures=RACE,
            period=p["T"],
        )
    ],
    "race_loss_size_N": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtSize(p["N"]),
            storage=bs.Storage(durable=True, read_delete_window=p["d"]),
            measures=RACE,
        )
    ],
    "eoq_periodic": lambda p: [
        _at_period(p, "cost_opt", 1.0),
        _at_period(p, "cost_at_half_T", 0.5),
        _at_period(p, "cost_at_double_T", 2.0),
    ],
    "opt_policies_compared": lambda p: [
        _costs(p, name) for name in ("cost_size", "cost_since_first", "cost_periodic_charged_always")
    ],
    "downstream_MX_M_1": lambda p: [
        Model(
            bs.Bulk(bs.Poisson(p["Lam"]), p["k"]),
            bs.FlushAtSize(1),
            workers=_single(service=bs.Exponential(1.0 / p["mu"])),
            measures=WORKERS,
            jobs=100_000,
        )
    ],
    "downstream_MX_G_1": lambda p: [
        Model(
            bs.Bulk(bs.Poisson(p["Lam"]), bs.Geometric(1.0 / p["p"])),
            bs.FlushAtSize(1),
            workers=_single(service=p["s"]),
            measures=WORKERS,
            jobs=100_000,
        )
    ],
    "downstream_sizeN_M_c": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtSize(p["N"]),
            workers=_single(concurrency=p["c"], service=bs.Exponential(1.0 / p["mu"])),
            measures=WORKERS,
            jobs=100_000,
        )
    ],
    "downstream_periodic_D_1": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushEvery(p["T"]),
            workers=_single(service=p["T"] / p["c"]),
            measures=WORKERS,
            period=p["T"],
            jobs=100_000,
        )
    ],
    "mmpp2_periodic": lambda p: [
        Model(
            _stationary(p),
            bs.FlushEvery(p["T"]),
            measures=PERIODIC
            | {
                "mean_rate": lambda run: all_ticks(run).mean() / p["T"],
                "index_of_dispersion": lambda run: all_ticks(run).var() / all_ticks(run).mean(),
            },
            period=p["T"],
        )
    ],
    "sinusoidal_periodic": lambda p: [
        Model(
            bs.TimeVarying(bs.Sinusoid(p["lam0"], p["A"] * p["lam0"], p["Pd"]), p["lam0"] * (1.0 + p["A"])),
            bs.FlushEvery(p["Pd"] / 4),
            measures={f"mean_batch_q{number}": _quarters(number) for number in (1, 2, 3, 4)},
            period=p["Pd"] / 4,
        )
    ],
    # bytes are whole numbers here, so that sizes are taken ten thousand times as large
    "bytes_trigger_exp": lambda p: [
        Model(
            bs.Poisson(p["lam"]),
            bs.FlushAtBytes(int(p["B"]) * 10_000),
            producer={"nbytes": bs.Exponential(p["m"] * 10_000)},
            measures={"mean_batch_bytes": lambda run: run.flushes.nbytes.mean() / 10_000},
        )
    ],
    "retry_backoff": lambda p: [
        Model(
            bs.Poisson(1.0),
            bs.FlushAtSize(1),
            workers=_single(
                concurrency=100_000,
                service=1.0,
                failure=p["p"],
                retries=p["R"],
                backoff=bs.Backoff(p["r"], factor=p["base"], longest=p["cap"]),
            ),
            measures={
                "p_drop": lambda run: (settled(run).outcome == "failed").mean(),
                "mean_attempts": lambda run: settled(run).attempts.mean(),
                "mean_backoff": lambda run: (
                    settled(run).finished_at - settled(run).started_at - settled(run).busy_time
                ).mean(),
            },
        )
    ],
}
