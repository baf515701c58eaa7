"""What a metric is: a named number that follows from a tally."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

import pandas as pd

from bufsim.checks import did_you_mean, text
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.errors import InvalidValueError
from bufsim.results.measures import SIZES, TIMES
from bufsim.results.tallies import BufferTally, QueueTally, Tally

Kind = Literal["buffer", "queue", "model"]
"""What a metric is about: a buffer, a job queue, or the whole model."""
Average = Literal["time-weighted", "job-weighted", "flush-weighted", "work-weighted", "count", "extreme", "share"]
"""Over what a metric averages: time, jobs (rows of `jobs`), flushes, or works (rows of `work`), which must not be
mixed; or whether it is a count (or a rate), a largest value, or a ratio of two sums."""


class Quantile(NamedTuple):
    """Which quantile of what a metric is: 0.99 of "wait_s"."""

    of: str
    q: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A named number that follows from a tally.

    Parameters
    ----------
    name : str
        With its unit: ``"mean_wait_s"``.
    unit : str
        "" for ratios.
    kind : {"buffer", "queue", "model"}
        What it is about.
    average : str
        Over what it averages.
    meaning : str
        One sentence.
    function : callable
        From what is kept of one buffer, queue or model, and the span of the window in s, to the number.
    quantile : Quantile, optional
        Which quantile of what it is.

    Examples
    --------
    >>> from bufsim.results.metrics import METRICS
    >>> METRICS["mean_wait_s"].unit, METRICS["mean_wait_s"].average
    ('s', 'job-weighted')
    """

    name: str
    unit: str
    kind: Kind
    average: Average
    meaning: str
    function: Callable[[Any, float], float] = field(repr=False, compare=False)
    quantile: Quantile | None = None

    def __call__(self, tally: Tally, of: str | None = None) -> float:
        """Return the metric of a buffer or a queue, or (None) of all of them together; nan where it is undefined."""
        return float(self.function(self.part(tally, of), tally.window.span))

    def sums(self, tally: Tally, of: str | None = None) -> tuple[float, float] | None:
        """Return the two sums whose ratio the metric is; None for another kind of metric."""
        value = self.function(self.part(tally, of), tally.window.span)
        return (value.top, value.bottom) if isinstance(value, Ratio) else None

    def part(self, tally: Tally, of: str | None) -> object:
        """Return what is kept of the buffer or queue named, or of all; an InvalidValueError says when there is none."""
        if self.kind == "model":
            if of is not None:
                raise InvalidValueError(f"{self.name} is about the whole model, got of={of!r}; leave it out")
            return tally
        if self.kind == "buffer":
            return tally.all_buffers if of is None else _named(self, of, tally.buffers)
        return tally.all_queues if of is None else _named(self, of, tally.queues)


Part = TypeVar("Part")


def _named(metric: Metric, of: str, parts: Mapping[str, Part]) -> Part:
    if of in parts:
        return parts[of]
    listed = ", ".join(map(repr, parts))
    raise InvalidValueError(
        f"{metric.name} is about a {metric.kind}, one of {listed}, got of={of!r}{did_you_mean(of, parts)}"
    )


def metric(function: Callable[[Any, float], float], unit: str, kind: Kind, average: Average) -> Metric:
    """Return the metric that a function computes: its name is the function's, its meaning the docstring."""
    return Metric(function.__name__, unit, kind, average, (function.__doc__ or "").rstrip("."), function)


class Ratio(float):
    """A ratio of two sums, nan without anything to divide by, that knows its sums.

    Over several runs the sums are to be added first: a mean of ratios is biased where runs are short.
    """

    top: float
    bottom: float

    def __new__(cls, top: float, bottom: float) -> Ratio:
        """Return top / bottom."""
        one = super().__new__(cls, top / bottom if bottom else math.nan)
        one.top, one.bottom = float(top), float(bottom)
        return one


def ratio(a: float, b: float) -> Ratio:
    """Return a / b, and nan when there is nothing to divide by."""
    return Ratio(a, b)


def known(value: float, count: int) -> float:
    """Return a largest value, and nan when it is the largest of none."""
    return value if count else math.nan


def deviation(total: float, squares: float, weight: float) -> float:
    """Return the standard deviation from a sum, a sum of squares and the sum of weights."""
    if not weight:
        return math.nan
    mean = total / weight
    return math.sqrt(max(squares / weight - mean * mean, 0.0))


def lost_by_cause(buffer: BufferTally, span: float, cause: int) -> float:
    """Return the jobs lost of one cause."""
    return buffer.lost[cause]


def share_by_cause(buffer: BufferTally, span: float, leaves: tuple[str, ...]) -> float:
    """Share of the flushes that started because a leaf of one kind was due."""
    caused = sum(count for cause, count in buffer.causes.items() if cause.startswith(leaves))
    return ratio(caused, buffer.flushes)


_CAUSES: Mapping[str, str] = {
    "capacity": "because the buffer was full",
    "buffer": "from a volatile buffer at a stop",
    "in_flight": "in flight at a stop",
    "queue": "from a volatile queue at a stop",
    "down": "because they arrived while the server was down",
    "race": "because they arrived between a flush's read and its delete",
    "storage": "because the storage strategy did not give them back",
}


LOSS_METRICS: tuple[Metric, ...] = tuple(
    Metric(
        f"lost_{cause}_jobs",
        "jobs",
        "buffer",
        "count",
        f"Jobs lost {_CAUSES[cause]}",
        functools.partial(lost_by_cause, cause=index),
    )
    for index, cause in enumerate(LOSS_CAUSES)
)


_LEAVES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "size": ("the buffer was large enough", ("FlushAtSize(",)),
    "bytes": ("the buffer had bytes enough", ("FlushAtBytes(",)),
    "age": ("the oldest job was old enough", ("FlushAfterAge(",)),
    "idle": ("no job had arrived for long enough", ("FlushWhenIdle(",)),
    "clock": ("a tick had come", ("FlushEvery(", "FlushAt(", "FlushCron(")),
}


CAUSE_METRICS: tuple[Metric, ...] = tuple(
    Metric(
        f"flushes_by_{kind}_share",
        "",
        "buffer",
        "flush-weighted",
        f"Share of the flushes that started because {why}",
        functools.partial(share_by_cause, leaves=leaves),
    )
    for kind, (why, leaves) in _LEAVES.items()
)


def mean_wait_s(buffer: BufferTally, span: float) -> float:
    """Mean wait of the jobs whose flush started in the window."""
    return ratio(buffer.waits.total, buffer.waits.count)


def sd_wait_s(buffer: BufferTally, span: float) -> float:
    """Standard deviation of those waits."""
    return deviation(buffer.waits.total, buffer.waits.squares, buffer.waits.count)


def max_wait_s(buffer: BufferTally, span: float) -> float:
    """Longest of those waits."""
    return known(buffer.waits.largest, buffer.waits.count)


def wait_quantile(buffer: BufferTally, span: float, q: float) -> float:
    """Quantile of the waits of the jobs whose flush started in the window."""
    return buffer.waits.histogram.quantile(TIMES, q, largest=buffer.waits.largest)


def mean_buffer_size_jobs(buffer: BufferTally, span: float) -> float:
    """Mean buffer size over time."""
    return buffer.levels.size.integral / span


def sd_buffer_size_jobs(buffer: BufferTally, span: float) -> float:
    """Standard deviation of the buffer size over time."""
    return deviation(buffer.levels.size.integral, buffer.levels.size.squares, span)


def peak_buffer_size_jobs(buffer: BufferTally, span: float) -> float:
    """Largest buffer size, even if it lasted no time."""
    return buffer.levels.size.peak


def buffer_size_quantile(buffer: BufferTally, span: float, q: float) -> float:
    """Quantile of the buffer size over time."""
    return buffer.levels.size.time_at.quantile(SIZES, q, largest=buffer.levels.size.peak)


def mean_buffer_nbytes(buffer: BufferTally, span: float) -> float:
    """Mean of the bytes in the buffer over time."""
    return buffer.levels.nbytes.integral / span


def peak_buffer_nbytes(buffer: BufferTally, span: float) -> float:
    """Most bytes in the buffer, even if they were there for no time."""
    return buffer.levels.nbytes.peak


def mean_in_flight_jobs(buffer: BufferTally, span: float) -> float:
    """Mean number of jobs in a flush over time."""
    return buffer.levels.in_flight.integral / span


def peak_in_flight_jobs(buffer: BufferTally, span: float) -> float:
    """Most jobs in a flush at once."""
    return buffer.levels.in_flight.peak


def mean_in_flight_nbytes(buffer: BufferTally, span: float) -> float:
    """Mean of the bytes in a flush over time."""
    return buffer.levels.in_flight_nbytes.integral / span


def peak_in_flight_nbytes(buffer: BufferTally, span: float) -> float:
    """Most bytes in a flush at once."""
    return buffer.levels.in_flight_nbytes.peak


def arrivals_jobs(buffer: BufferTally, span: float) -> float:
    """Jobs that arrived, stored or not."""
    return buffer.arrivals


def arrival_rate_per_s(buffer: BufferTally, span: float) -> float:
    """Jobs that arrived, stored or not, a second."""
    return buffer.arrivals / span


def left_jobs(buffer: BufferTally, span: float) -> float:
    """Jobs in the buffer at the end of the run."""
    return buffer.left


def duplicates_jobs(buffer: BufferTally, span: float) -> float:
    """Arrivals of jobs that an earlier buffer collects too, so that they reach the queue once more."""
    return buffer.further_copies


def flush_count(buffer: BufferTally, span: float) -> float:
    """Flushes that started."""
    return buffer.flushes


def flush_rate_per_s(buffer: BufferTally, span: float) -> float:
    """Flushes that started, a second."""
    return buffer.flushes / span


def empty_tick_count(buffer: BufferTally, span: float) -> float:
    """Ticks of the policy that found nothing to flush."""
    return buffer.empty_ticks


def empty_tick_rate_per_s(buffer: BufferTally, span: float) -> float:
    """Ticks of the policy that found nothing to flush, a second."""
    return buffer.empty_ticks / span


def mean_batch_size_jobs(buffer: BufferTally, span: float) -> float:
    """Mean batch size over flushes."""
    return ratio(buffer.batch_jobs, buffer.flushes)


def sd_batch_size_jobs(buffer: BufferTally, span: float) -> float:
    """Standard deviation of the batch size over flushes."""
    return deviation(buffer.batch_jobs, buffer.batch_squares, buffer.flushes)


def largest_batch_size_jobs(buffer: BufferTally, span: float) -> float:
    """Largest batch size."""
    return known(buffer.largest_batch, buffer.flushes)


def batch_size_quantile(buffer: BufferTally, span: float, q: float) -> float:
    """Quantile of the batch size over flushes."""
    return buffer.batches.quantile(SIZES, q, largest=buffer.largest_batch)


def mean_batch_size_seen_jobs(buffer: BufferTally, span: float) -> float:
    """Mean over jobs of the size of the batch that took them."""
    return ratio(buffer.batch_squares, buffer.batch_jobs)


def largest_batch_nbytes(buffer: BufferTally, span: float) -> float:
    """Most bytes taken by one flush."""
    return known(buffer.largest_nbytes, buffer.flushes)


def mean_reduced_size_jobs(buffer: BufferTally, span: float) -> float:
    """Mean over flushes of the jobs left after reduce."""
    return ratio(buffer.reduced_jobs, buffer.ended)


def largest_reduced_size_jobs(buffer: BufferTally, span: float) -> float:
    """Most jobs left after reduce of one flush."""
    return known(buffer.largest_reduced, buffer.ended)


def reduction_ratio(buffer: BufferTally, span: float) -> float:
    """Jobs taken by flushes for each job left after reduce."""
    return ratio(buffer.ended_jobs, buffer.reduced_jobs)


def work_saved_share(buffer: BufferTally, span: float) -> float:
    """Share of the jobs taken by flushes that reduce spared the queue."""
    return ratio(buffer.ended_jobs - buffer.reduced_jobs, buffer.ended_jobs)


def mean_flush_s(buffer: BufferTally, span: float) -> float:
    """Mean time from a flush's start to its end."""
    return ratio(buffer.flush_time, buffer.ended)


def longest_flush_s(buffer: BufferTally, span: float) -> float:
    """Longest time from a flush's start to its end."""
    return known(buffer.longest_flush, buffer.ended)


def lost_jobs(buffer: BufferTally, span: float) -> float:
    """Jobs lost, of all causes."""
    return sum(buffer.lost)


def lost_rate_per_s(buffer: BufferTally, span: float) -> float:
    """Jobs lost, of all causes, a second."""
    return sum(buffer.lost) / span


def lost_share(buffer: BufferTally, span: float) -> float:
    """Jobs lost for each that arrived."""
    return ratio(sum(buffer.lost), buffer.arrivals)


def mean_loss_at_stop_jobs(buffer: BufferTally, span: float) -> float:
    """Mean number of jobs that a stop at a random moment would lose."""
    # the moments in which the server is up
    return ratio(buffer.levels.exposed.integral, float(buffer.levels.exposed.time_at.amounts.sum()))


def largest_loss_at_stop_jobs(buffer: BufferTally, span: float) -> float:
    """Most jobs that a stop could have lost."""
    return buffer.levels.exposed.peak


def loss_at_stop_quantile(buffer: BufferTally, span: float, q: float) -> float:
    """Quantile of the jobs that a stop at a random moment would lose."""
    return buffer.levels.exposed.time_at.quantile(SIZES, q, largest=buffer.levels.exposed.peak)


BUFFER_METRICS: tuple[Metric, ...] = (
    metric(mean_wait_s, "s", "buffer", "job-weighted"),
    metric(sd_wait_s, "s", "buffer", "job-weighted"),
    metric(max_wait_s, "s", "buffer", "extreme"),
    metric(mean_buffer_size_jobs, "jobs", "buffer", "time-weighted"),
    metric(sd_buffer_size_jobs, "jobs", "buffer", "time-weighted"),
    metric(peak_buffer_size_jobs, "jobs", "buffer", "extreme"),
    metric(mean_buffer_nbytes, "bytes", "buffer", "time-weighted"),
    metric(peak_buffer_nbytes, "bytes", "buffer", "extreme"),
    metric(mean_in_flight_jobs, "jobs", "buffer", "time-weighted"),
    metric(peak_in_flight_jobs, "jobs", "buffer", "extreme"),
    metric(mean_in_flight_nbytes, "bytes", "buffer", "time-weighted"),
    metric(peak_in_flight_nbytes, "bytes", "buffer", "extreme"),
    metric(arrivals_jobs, "jobs", "buffer", "count"),
    metric(arrival_rate_per_s, "1/s", "buffer", "count"),
    metric(left_jobs, "jobs", "buffer", "count"),
    metric(duplicates_jobs, "jobs", "buffer", "count"),
    metric(flush_count, "flushes", "buffer", "count"),
    metric(flush_rate_per_s, "1/s", "buffer", "count"),
    *CAUSE_METRICS,
    metric(empty_tick_count, "ticks", "buffer", "count"),
    metric(empty_tick_rate_per_s, "1/s", "buffer", "count"),
    metric(mean_batch_size_jobs, "jobs", "buffer", "flush-weighted"),
    metric(sd_batch_size_jobs, "jobs", "buffer", "flush-weighted"),
    metric(largest_batch_size_jobs, "jobs", "buffer", "extreme"),
    metric(mean_batch_size_seen_jobs, "jobs", "buffer", "job-weighted"),
    metric(largest_batch_nbytes, "bytes", "buffer", "extreme"),
    metric(mean_reduced_size_jobs, "jobs", "buffer", "flush-weighted"),
    metric(largest_reduced_size_jobs, "jobs", "buffer", "extreme"),
    metric(reduction_ratio, "", "buffer", "share"),
    metric(work_saved_share, "", "buffer", "share"),
    metric(mean_flush_s, "s", "buffer", "flush-weighted"),
    metric(longest_flush_s, "s", "buffer", "extreme"),
    metric(lost_jobs, "jobs", "buffer", "count"),
    metric(lost_rate_per_s, "1/s", "buffer", "count"),
    metric(lost_share, "", "buffer", "share"),
    *LOSS_METRICS,
    metric(mean_loss_at_stop_jobs, "jobs", "buffer", "time-weighted"),
    metric(largest_loss_at_stop_jobs, "jobs", "buffer", "extreme"),
)


def utilisation(queue: QueueTally, span: float) -> float:
    """Mean share of the workers that are in service, over time; undefined without workers."""
    return ratio(queue.busy_time, queue.concurrency * span)


def mean_end_to_end_s(queue: QueueTally, span: float) -> float:
    """Mean time from arrival to finish of the jobs finished in the window."""
    return ratio(queue.end_to_end.total, queue.end_to_end.count)


def sd_end_to_end_s(queue: QueueTally, span: float) -> float:
    """Standard deviation of those times."""
    return deviation(queue.end_to_end.total, queue.end_to_end.squares, queue.end_to_end.count)


def max_end_to_end_s(queue: QueueTally, span: float) -> float:
    """Longest of those times."""
    return known(queue.end_to_end.largest, queue.end_to_end.count)


def end_to_end_quantile(queue: QueueTally, span: float, q: float) -> float:
    """Quantile of the times from arrival to finish of the jobs finished in the window."""
    return queue.end_to_end.histogram.quantile(TIMES, q, largest=queue.end_to_end.largest)


def mean_queue_wait_s(queue: QueueTally, span: float) -> float:
    """Mean time in the queue before the first start."""
    return ratio(queue.waits.total, queue.waits.count)


def max_queue_wait_s(queue: QueueTally, span: float) -> float:
    """Longest time in the queue before the first start."""
    return known(queue.waits.largest, queue.waits.count)


def queue_wait_quantile(queue: QueueTally, span: float, q: float) -> float:
    """Quantile of the times in the queue before the first start."""
    return queue.waits.histogram.quantile(TIMES, q, largest=queue.waits.largest)


def mean_queue_size_jobs(queue: QueueTally, span: float) -> float:
    """Mean number of jobs that wait for their first start, over time."""
    return queue.levels.waiting.integral / span


def peak_queue_size_jobs(queue: QueueTally, span: float) -> float:
    """Most jobs that wait for their first start at once."""
    return queue.levels.waiting.peak


def mean_unfinished_jobs(queue: QueueTally, span: float) -> float:
    """Mean number of jobs in the queue, in service or between attempts, over time."""
    return queue.levels.unfinished.integral / span


def peak_unfinished_jobs(queue: QueueTally, span: float) -> float:
    """Most jobs in the queue, in service or between attempts at once."""
    return queue.levels.unfinished.peak


def handed_jobs(queue: QueueTally, span: float) -> float:
    """Jobs that came to the queue."""
    return queue.handed


def handed_rate_per_s(queue: QueueTally, span: float) -> float:
    """Jobs that came to the queue, a second."""
    return queue.handed / span


def completed_jobs(queue: QueueTally, span: float) -> float:
    """Jobs that were completed."""
    return queue.completed


def throughput_per_s(queue: QueueTally, span: float) -> float:
    """Jobs that were completed, a second."""
    return queue.completed / span


def failed_jobs(queue: QueueTally, span: float) -> float:
    """Jobs that failed for good."""
    return queue.failed


def lost_in_queue_jobs(queue: QueueTally, span: float) -> float:
    """Jobs that were lost with the queue, after reduce."""
    return queue.lost


def mean_attempts(queue: QueueTally, span: float) -> float:
    """Mean number of attempts of the jobs completed or failed in the window."""
    return ratio(queue.attempts, queue.completed + queue.failed)


def mean_service_s(queue: QueueTally, span: float) -> float:
    """Mean service time of those jobs, all attempts together."""
    return ratio(queue.service_time, queue.completed + queue.failed)


def longest_service_s(queue: QueueTally, span: float) -> float:
    """Longest service time of those jobs, all attempts together."""
    return known(queue.longest_service, queue.completed + queue.failed)


def mean_work_items(queue: QueueTally, span: float) -> float:
    """Mean number of items that a job in the queue carries."""
    return ratio(queue.items, queue.handed)


def largest_work_items(queue: QueueTally, span: float) -> float:
    """Most items that one job in the queue carries."""
    return known(queue.largest_items, queue.handed)


def passed_by_jobs(tally: Tally, span: float) -> float:
    """Jobs that arrived and that no buffer collects."""
    return tally.passed_by


def passed_by_lost_jobs(tally: Tally, span: float) -> float:
    """Jobs lost of those that no buffer collects."""
    return sum(tally.passed_by_lost)


QUEUE_METRICS: tuple[Metric, ...] = (
    metric(utilisation, "", "queue", "time-weighted"),
    metric(mean_end_to_end_s, "s", "queue", "job-weighted"),
    metric(sd_end_to_end_s, "s", "queue", "job-weighted"),
    metric(max_end_to_end_s, "s", "queue", "extreme"),
    metric(mean_queue_wait_s, "s", "queue", "work-weighted"),
    metric(max_queue_wait_s, "s", "queue", "extreme"),
    metric(mean_queue_size_jobs, "jobs", "queue", "time-weighted"),
    metric(peak_queue_size_jobs, "jobs", "queue", "extreme"),
    metric(mean_unfinished_jobs, "jobs", "queue", "time-weighted"),
    metric(peak_unfinished_jobs, "jobs", "queue", "extreme"),
    metric(handed_jobs, "jobs", "queue", "count"),
    metric(handed_rate_per_s, "1/s", "queue", "count"),
    metric(completed_jobs, "jobs", "queue", "count"),
    metric(throughput_per_s, "1/s", "queue", "count"),
    metric(failed_jobs, "jobs", "queue", "count"),
    metric(lost_in_queue_jobs, "jobs", "queue", "count"),
    metric(mean_attempts, "", "queue", "work-weighted"),
    metric(mean_service_s, "s", "queue", "work-weighted"),
    metric(longest_service_s, "s", "queue", "extreme"),
    metric(mean_work_items, "items", "queue", "work-weighted"),
    metric(largest_work_items, "items", "queue", "extreme"),
)
MODEL_METRICS: tuple[Metric, ...] = (
    metric(passed_by_jobs, "jobs", "model", "count"),
    metric(passed_by_lost_jobs, "jobs", "model", "count"),
)


class _Quantiles(NamedTuple):
    """The quantiles of something: ``p50_wait_s``, ``p99.9_wait_s``, ..."""

    unit: str
    kind: Kind
    average: Average
    function: Callable[..., float]
    usual: tuple[str, ...]


_QUANTILES: Mapping[str, _Quantiles] = {
    "wait_s": _Quantiles("s", "buffer", "job-weighted", wait_quantile, ("50", "95", "99")),
    "buffer_size_jobs": _Quantiles("jobs", "buffer", "time-weighted", buffer_size_quantile, ("50", "95", "99")),
    "batch_size_jobs": _Quantiles("jobs", "buffer", "flush-weighted", batch_size_quantile, ("50", "95")),
    "loss_at_stop_jobs": _Quantiles("jobs", "buffer", "time-weighted", loss_at_stop_quantile, ("95", "99")),
    "end_to_end_s": _Quantiles("s", "queue", "job-weighted", end_to_end_quantile, ("50", "95", "99")),
    "queue_wait_s": _Quantiles("s", "queue", "work-weighted", queue_wait_quantile, ("50", "95", "99")),
}
_UNITS = ("s", "jobs", "per_s", "items", "share", "count")
_NAME_OF_QUANTILE = re.compile(r"p(\d+(?:\.\d+)?)_(\w+)")


def quantile_metric(percent: str, stem: str) -> Metric:
    """Return the metric of a quantile: ``quantile_metric("99.9", "wait_s")``."""
    q = float(percent) / 100.0
    if not 0.0 < q < 1.0:
        raise InvalidValueError(f"a quantile must be above p0 and below p100, got {f'p{percent}_{stem}'!r}")
    unit, kind, average, function, _ = _QUANTILES[stem]
    meaning = f"{percent} % " + (function.__doc__ or "").rstrip(".").lower()
    name = f"p{percent}_{stem}"
    return Metric(name, unit, kind, average, meaning, functools.partial(function, q=q), Quantile(stem, q))


def _all() -> Iterable[Metric]:
    yield from BUFFER_METRICS
    for kind, others in (("buffer", QUEUE_METRICS), ("queue", MODEL_METRICS)):
        for stem, quantiles in _QUANTILES.items():
            if quantiles.kind == kind:
                yield from (quantile_metric(percent, stem) for percent in quantiles.usual)
        yield from others


METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _all()})
"""All metrics by name. Of the quantiles the usual ones; `find` knows the others."""


def find(name: str) -> Metric:
    """Return the metric of a name.

    Any quantile is understood (``"p99.9_wait_s"``), and a name without its unit if only one metric has it
    (``"mean_wait"``).

    Raises
    ------
    InvalidValueError
        If there is no such metric; the message names the nearest.

    Examples
    --------
    >>> find("p99.9_wait").name
    'p99.9_wait_s'
    """
    text("metric", name)
    if name in METRICS:
        return METRICS[name]
    if quantile := _NAME_OF_QUANTILE.fullmatch(name):
        percent, stem = quantile.groups()
        full = _with_unit(stem, _QUANTILES)
        if full is not None:
            return METRICS.get(f"p{percent}_{full}") or quantile_metric(percent, full)
    full = _with_unit(name, METRICS)
    if full is not None:
        return METRICS[full]
    raise InvalidValueError(
        f"metric must be one of those that `bufsim metrics` lists (in Python: bufsim.results.metrics.METRICS), "
        f"got {name!r}{did_you_mean(name, METRICS)}"
    )


def _with_unit(name: str, names: Mapping[str, Any]) -> str | None:
    """Return the name itself, or the only one that is this name and a unit; None without one."""
    if name in names:
        return name
    full = [f"{name}_{unit}" for unit in _UNITS if f"{name}_{unit}" in names]
    return full[0] if len(full) == 1 else None


def table() -> pd.DataFrame:
    """Return the metrics, a row each: metric, unit, kind, average, meaning.

    Examples
    --------
    >>> table().set_index("metric").loc["mean_wait_s", ["unit", "kind", "average"]].tolist()
    ['s', 'buffer', 'job-weighted']
    """
    rows = [(metric.name, metric.unit, metric.kind, metric.average, metric.meaning) for metric in METRICS.values()]
    return pd.DataFrame(rows, columns=["metric", "unit", "kind", "average", "meaning"])
