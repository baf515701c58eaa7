"""How each quantity that closed forms give is measured on a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

import bufsim as bs

Measures = dict[str, Callable[["Run"], float]]


@dataclass(frozen=True)
class Run:
    """One run, cut to whole cycles: after the first flush up to the last."""

    result: bs.Result
    period: float

    @property
    def flushes(self) -> pd.DataFrame:
        """All flushes but the first, with the time since the one before."""
        flushes = self.result.flushes
        return flushes.assign(gap=flushes.start.diff()).iloc[1:]

    @property
    def batch(self) -> np.ndarray:
        return self.flushes.batch_size.to_numpy(float)

    @property
    def ticks(self) -> int:
        """The ticks of the clock in the run, the one at 0 left out."""
        return int(self.result.simulation.until / self.period)

    @property
    def jobs(self) -> pd.DataFrame:
        jobs = self.result.jobs
        return jobs[jobs.flush_id.notna().to_numpy()].iloc[:]

    @property
    def waits(self) -> np.ndarray:
        jobs = self.jobs
        jobs = jobs[(jobs.flush_id > 0).to_numpy(bool)]
        return (jobs.flushed_at - jobs.created_at).to_numpy()

    def level(self, power: int = 1) -> float:
        """The mean of the buffer size's power, from the first flush to the last."""
        size = self.result.buffer_size
        times, values = size.time.to_numpy(), size["size"].to_numpy(float)
        first, last = self.result.flushes.start.iloc[[0, -1]]
        inside = (times >= first) & (times <= last)
        spans = np.diff(times[inside])
        return float((values[inside][:-1] ** power * spans).sum() / (last - first))

    def cause(self, kind: str) -> np.ndarray:
        return self.flushes.cause.astype(str).str.startswith(kind).to_numpy()


STANDARD: Measures = {
    "mean_batch": lambda run: run.batch.mean(),
    "mean_batch_nonempty": lambda run: run.batch.mean(),
    "var_batch": lambda run: run.batch.var(),
    "job_seen_batch": lambda run: (run.batch**2).sum() / run.batch.sum(),
    "mean_wait": lambda run: run.waits.mean(),
    "wait_second_moment": lambda run: (run.waits**2).mean(),
    "wait_p95": lambda run: np.quantile(run.waits, 0.95),
    "time_avg_buffer": lambda run: run.level(),
    "buffer_second_moment": lambda run: run.level(2),
    "mean_interflush": lambda run: run.flushes.gap.mean(),
    "var_interflush": lambda run: run.flushes.gap.var(ddof=0),
    "flush_rate": lambda run: 1.0 / run.flushes.gap.mean(),
    "p_size_trigger": lambda run: run.cause("FlushAtSize").mean(),
    "p_batch_1": lambda run: (run.batch == 1).mean(),
    "mean_first_job_wait": lambda run: run.flushes.oldest_age.mean(),
    "first_job_wait": lambda run: run.flushes.oldest_age.mean(),
    "mean_flush_duration": lambda run: (run.flushes.end - run.flushes.start).mean(),
    "busy_fraction": lambda run: (run.flushes.end - run.flushes.start).iloc[:-1].sum() / run.flushes.gap.iloc[1:].sum(),
}


def all_ticks(run: Run) -> np.ndarray:
    """What each tick of the clock took, 0 for those that found nothing."""
    taken = np.zeros(run.ticks)
    batches = run.result.flushes.batch_size.to_numpy(float)
    taken[: len(batches)] = batches
    return taken


PERIODIC: Measures = {
    "mean_batch": lambda run: all_ticks(run).mean(),
    "var_batch": lambda run: all_ticks(run).var(),
    "p_empty": lambda run: (all_ticks(run) == 0).mean(),
    "flush_rate": lambda run: 1.0 / run.period,
    "nonempty_flush_rate": lambda run: len(run.result.flushes) / (run.period * run.ticks),
}


def given_ticks(run: Run) -> np.ndarray:
    """What each of the given times took, 0 for those that found nothing."""
    times = np.array(run.result.simulation.buffers[0].policy.times)
    flushes = run.result.flushes
    taken = np.zeros(len(times))
    taken[np.searchsorted(times, flushes.start)] = flushes.batch_size
    return taken


GIVEN: Measures = {
    "mean_batch": lambda run: given_ticks(run).mean(),
    "var_batch": lambda run: given_ticks(run).var(),
    "p_empty": lambda run: (given_ticks(run) == 0).mean(),
    "flush_rate": lambda run: len(given_ticks(run)) / run.result.simulation.buffers[0].policy.times[-1],
    "job_seen_batch": lambda run: (given_ticks(run) ** 2).sum() / given_ticks(run).sum(),
    "job_seen_interval": lambda run: (
        (given_ticks(run) * np.diff(run.result.simulation.buffers[0].policy.times, prepend=0.0)).sum()
        / given_ticks(run).sum()
    ),
}


def timer_measures(run: Run) -> tuple[int, int]:
    """Flushes, and ticks of the timer that every flush restarts that found nothing."""
    gaps = run.flushes.gap.to_numpy()
    empty = np.maximum(np.ceil(gaps / run.period - 1e-9) - 1.0, 0.0).sum()
    return len(gaps), int(empty)


TIMER: Measures = {
    "mean_batch": lambda run: run.batch.sum() / sum(timer_measures(run)),
    "p_empty": lambda run: timer_measures(run)[1] / sum(timer_measures(run)),
    "mean_interflush": lambda run: run.flushes.gap.sum() / sum(timer_measures(run)),
    "p_size_trigger": lambda run: run.cause("FlushAtSize").sum() / sum(timer_measures(run)),
}
CLOCK: Measures = {
    "size_flushes_per_period": lambda run: (
        run.result.flushes.cause.astype(str).str.startswith("FlushAtSize").sum() / run.ticks
    ),
    "nonempty_ticks_fraction": lambda run: (
        run.result.flushes.cause.astype(str).str.startswith("FlushEvery").sum() / run.ticks
    ),
}


def cycles(run: Run) -> np.ndarray:
    """The flushes that begin a cycle: their oldest job started the timer, and has waited a whole period."""
    return np.flatnonzero(np.isclose(run.flushes.oldest_age.to_numpy(), run.period, rtol=0.0, atol=1e-6))


CYCLES: Measures = {
    "jobs_per_cycle": lambda run: run.batch[cycles(run)[0] : cycles(run)[-1]].sum() / (len(cycles(run)) - 1),
    "mean_cycle": lambda run: np.diff(run.flushes.start.to_numpy()[cycles(run)]).mean(),
    "nonempty_ticks_per_cycle": lambda run: np.diff(cycles(run)).mean(),
}


def offered(run: Run) -> pd.DataFrame:
    """The jobs up to the last flush, stored or not."""
    jobs = run.result.jobs
    return jobs[jobs.created_at <= run.result.flushes.start.iloc[-1]]


def lost_in_period(run: Run) -> np.ndarray:
    """How many jobs each whole period lost."""
    jobs = offered(run)
    lost = np.floor(jobs.created_at[(jobs.outcome == "lost").to_numpy()] / run.period).astype(int)
    return np.bincount(lost, minlength=run.ticks)[: run.ticks]


def lost_by_flush(run: Run) -> np.ndarray:
    """How many jobs each flush lost between read and delete, the last flush left out; not that of nothing at 0 s."""
    starts = run.result.flushes.start.to_numpy()
    lost = run.result.jobs.created_at[(run.result.jobs.loss_cause == "race").to_numpy()]
    lost = lost[lost >= starts[0]]
    return np.bincount(np.searchsorted(starts, lost, side="right") - 1, minlength=len(starts))[:-1]


LOSSES: Measures = {
    "loss_fraction": lambda run: (offered(run).outcome == "lost").mean(),
    "mean_delivered_batch": lambda run: all_ticks(run).mean(),
    "p_any_loss": lambda run: (lost_in_period(run) > 0).mean(),
}
RACE: Measures = {
    "mean_lost_per_flush": lambda run: lost_by_flush(run).mean(),
    "p_loss_in_flush": lambda run: (lost_by_flush(run) > 0).mean(),
    "loss_fraction": lambda run: (offered(run).outcome == "lost").mean(),
}
REDUCED: Measures = {
    "mean_distinct": lambda run: run.flushes.reduced_size.mean(),
    "var_distinct": lambda run: run.flushes.reduced_size.to_numpy(float).var(),
    "dedupe_ratio": lambda run: run.flushes.reduced_size.sum() / run.batch.sum(),
    "output_rate": lambda run: run.flushes.reduced_size.sum() / run.flushes.gap.sum(),
    "p_top_key_present": lambda run: (
        run.jobs[(run.jobs.key == 0).to_numpy()].flush_id.nunique() / len(run.result.flushes)
    ),
}


def served(run: Run) -> pd.DataFrame:
    """The works from the run's first quarter on that were finished, up to its last tenth."""
    work = run.result.work
    until = run.result.simulation.until
    return work[work.queued_at.between(0.25 * until, 0.9 * until)]


def in_system(run: Run) -> float:
    """The mean number of works in queue or service, from the first quarter of the run on."""
    return run.result.metric("mean_unfinished_jobs")


WORKERS: Measures = {
    "mean_in_system": in_system,
    "mean_in_workers": in_system,
    "mean_sojourn": lambda run: (served(run).finished_at - served(run).queued_at).mean(),
    "mean_worker_sojourn": lambda run: (served(run).finished_at - served(run).queued_at).mean(),
    "mean_queue_wait": lambda run: (served(run).started_at - served(run).queued_at).mean(),
    "mean_in_queue": lambda run: run.result.metric("mean_queue_size_jobs"),
    "mean_total_sojourn": lambda run: run.result.metric("mean_end_to_end"),
    "mean_unfinished_before_flush": lambda run: unfinished_at_ticks(run).mean(),
}


def unfinished_at_ticks(run: Run) -> np.ndarray:
    """The works that are not finished just before each tick, from the first on."""
    work = run.result.work
    ticks = run.period * np.arange(2, run.ticks + 1)
    queued, finished = np.sort(work.queued_at), np.sort(work.finished_at.dropna())
    # a work that ends at the tick has had all its service
    return np.searchsorted(queued, ticks, side="left") - np.searchsorted(finished, ticks + 1e-9, side="right")


def cost(flush: float, job_second: float, *, every_tick: bool) -> Callable[[Run], float]:
    """What flushes and waiting cost a second; with or without the ticks that find nothing."""

    def measured(run: Run) -> float:
        rate = 1.0 / run.period if every_tick else 1.0 / run.flushes.gap.mean()
        return flush * rate + job_second * run.level()

    return measured


def settled(run: Run) -> pd.DataFrame:
    """The works that came early enough to be settled whatever became of them."""
    work = run.result.work
    return work[work.queued_at < run.result.simulation.until - 100.0]


def leftovers(run: Run) -> np.ndarray:
    """What each flush left in the buffer."""
    size = run.result.buffer_size
    after = size[size.time.isin(run.result.flushes.start) & (size["size"].diff() < 0)]
    return after["size"].to_numpy(float)


def empty_share(run: Run) -> float:
    """The share of time, from the first flush to the last, in which the buffer is empty."""
    size = run.result.buffer_size
    times, values = size.time.to_numpy(), size["size"].to_numpy()
    first, last = run.result.flushes.start.iloc[[0, -1]]
    inside = (times >= first) & (times <= last)
    return float(np.diff(times[inside])[values[inside][:-1] == 0].sum() / (last - first))
