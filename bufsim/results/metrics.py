"""The metrics of a run: one table, a row each, with all that bufsim knows of a metric."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

import pandas as pd

from bufsim import formats
from bufsim.checks import did_you_mean, text
from bufsim.engines.recording import LOSS_CAUSES
from bufsim.errors import InvalidValueError
from bufsim.results.causes import AGE, BYTES, CLOCK, GAP, IDLE, OTHER, SIZE, Family, family
from bufsim.results.losses import REASONS
from bufsim.results.measures import SIZES, TIMES, Grid, Histogram
from bufsim.results.records import TableName
from bufsim.results.tallies import BufferTally, QueueTally, Tally

Kind = Literal["buffer", "queue", "model"]
"""The part of a model that a metric is about: a buffer, a job queue, or the whole."""
Average = Literal["time-weighted", "job-weighted", "flush-weighted", "work-weighted", "count", "extreme", "share"]
"""Over what a metric averages: time, jobs (rows of `jobs`), flushes, or works (rows of `work`), which must not be
mixed; or whether it is a count (or a rate), a largest value, or a ratio of two sums."""
Better = Literal["lower", "higher"]
"""The side on which the better values lie."""


class Event(NamedTuple):
    """What a metric counts, where runs may see none of it though it can happen, such as jobs that are lost.

    Parameters
    ----------
    phrase : str
        What a run does that sees it: "lose jobs".
    causes : tuple of str
        What can bring it about: causes of losses, "failure", "tick" (that of a clock), "reduce", or a family of leaves.
    at_most : callable
        From what is kept of one buffer, queue or model, and the span of the window in s, to the metric's value if it
        had happened to everything that it can happen to. Of "tick" from the number of ticks, and the span.
    otherwise : str
        What a run does that does not see it alone, of a share that may be all: "flush for another reason".
    """

    phrase: str
    causes: tuple[str, ...]
    at_most: Callable[[Any, float], float]
    otherwise: str = ""


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
        The part of the model that it is about.
    average : str
        Over what it averages.
    better : {"lower", "higher"} or None
        Where its better values lie; None if it is good or bad only by what it costs, which `cost` says.
    meaning : str
        One sentence.
    function : callable
        From what is kept of one buffer, queue or model, and the span of the window in s, to the number.
    quantile : Quantile, optional
        Which quantile of what it is.
    percent : bool
        Whether its values read in per cent.
    most : float
        What it can be at most.
    tells_draws : bool
        Whether it is one of the few that together differ between two runs that drew anything differently.
    event : Event, optional
        What it counts, where that may be too rare to be seen.

    Examples
    --------
    >>> from bufsim.results.metrics import METRICS
    >>> METRICS["mean_wait_s"].unit, METRICS["mean_wait_s"].average, METRICS["mean_wait_s"].better
    ('s', 'job-weighted', 'lower')
    """

    name: str
    unit: str
    kind: Kind
    average: Average
    better: Better | None
    meaning: str
    function: Callable[[Any, float], float] = field(repr=False, compare=False)
    quantile: Quantile | None = None
    percent: bool = False
    most: float = math.inf
    tells_draws: bool = False
    event: Event | None = field(default=None, repr=False, compare=False)

    def __call__(self, tally: Tally, of: str | None = None) -> float:
        """Return the metric of a buffer or a queue, or (None) of all of them together; nan where it is undefined."""
        return float(self.function(self.part(tally, of), tally.window.span))

    def sums(self, tally: Tally, of: str | None = None) -> tuple[float, float] | None:
        """Return the two sums whose ratio the metric is; None for another kind of metric."""
        value = self.function(self.part(tally, of), tally.window.span)
        return (value.top, value.bottom) if isinstance(value, Ratio) else None

    def part(self, tally: Tally, of: str | None) -> object:
        """The tally of the buffer or queue named, or of all; an InvalidValueError says when there is none."""
        if self.kind == "model":
            if of is not None:
                raise InvalidValueError(f"{self.name} is about the whole model, got of={of!r}; leave it out")
            return tally
        if self.kind == "buffer":
            return tally.all_buffers if of is None else _named(self, of, tally.buffers)
        return tally.all_queues if of is None else _named(self, of, tally.queues)

    def written(self, value: float) -> str:
        """Return a value as it stands in a table for people, without its unit."""
        return formats.percent(value) if self.percent else formats.number(value)

    def __reduce__(self) -> tuple[Callable[[str], Metric], tuple[str]]:
        # the functions are anonymous: a metric is found again by its name
        return find, (self.name,)


Part = TypeVar("Part")


def _named(metric: Metric, of: str, parts: Mapping[str, Part]) -> Part:
    if of in parts:
        return parts[of]
    listed = ", ".join(map(repr, parts))
    raise InvalidValueError(
        f"{metric.name} is about a {metric.kind}, one of {listed}, got of={of!r}{did_you_mean(of, parts)}"
    )


class Ratio(float):
    """A ratio of two sums, nan without anything to divide by, that knows its sums.

    Over several runs the sums are to be added first: a mean of ratios is biased where runs are short.
    """

    top: float
    bottom: float

    def __new__(cls, top: float, bottom: float) -> Ratio:
        """Return top / bottom."""
        ratio = super().__new__(cls, top / bottom if bottom else math.nan)
        ratio.top, ratio.bottom = float(top), float(bottom)
        return ratio


def known(value: float, count: int) -> float:
    """Return a largest value, and nan when it is the largest of none."""
    return value if count else math.nan


def deviation(total: float, squares: float, weight: float) -> float:
    """Return the standard deviation from a sum, a sum of squares and the sum of weights."""
    if not weight:
        return math.nan
    mean = total / weight
    return math.sqrt(max(squares / weight - mean * mean, 0.0))


class Columns(NamedTuple):
    """The place of a sample in the tables: the columns of its begin and end, and the column that groups it."""

    table: TableName
    begin: str
    end: str
    group: str


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The metrics that are quantiles of one thing: ``p50_wait_s``, ``p99.9_wait_s``, ...

    Parameters
    ----------
    of : str
        Their names without the ``p50_``: ``"wait_s"``.
    unit, kind, average, better
        As in `Metric`.
    meaning : str
        Of what they are the quantiles.
    histogram : callable
        From what is kept of one buffer or queue to the histogram and the largest value.
    grid : Grid
        The histogram's grid.
    usual : tuple of str
        The per cents of those that `METRICS` lists.
    columns : Columns, optional
        Where the tables have the sample itself, from which a quantile is exact.
    """

    of: str
    unit: str
    kind: Kind
    average: Average
    better: Better | None
    meaning: str
    histogram: Callable[[Any], tuple[Histogram, float]] = field(repr=False, compare=False)
    grid: Grid
    usual: tuple[str, ...]
    columns: Columns | None = None

    def metric(self, percent: str) -> Metric:
        """Return the metric of one quantile: that of "99.9" per cent."""
        name, q = f"p{percent}_{self.of}", float(percent) / 100.0
        if not 0.0 < q < 1.0:
            raise InvalidValueError(f"a quantile must be above p0 and below p100, got {name!r}")

        def value(part: Any, span: float) -> float:
            histogram, largest = self.histogram(part)
            return histogram.quantile(self.grid, q, largest=largest)

        meaning = f"{percent} % quantile of {self.meaning}"
        quantile = Quantile(self.of, q)
        return Metric(name, self.unit, self.kind, self.average, self.better, meaning, value, quantile)


# the rows


def _buffer(
    name: str,
    unit: str,
    average: Average,
    better: Better | None,
    meaning: str,
    function: Callable[[BufferTally, float], float],
    **more: Any,
) -> Metric:
    return Metric(name, unit, "buffer", average, better, meaning, function, **more)


def _queue(
    name: str,
    unit: str,
    average: Average,
    better: Better | None,
    meaning: str,
    function: Callable[[QueueTally, float], float],
    **more: Any,
) -> Metric:
    return Metric(name, unit, "queue", average, better, meaning, function, **more)


def _lost(cause: str) -> Callable[[BufferTally, float], float]:
    index = LOSS_CAUSES.index(cause)
    return lambda b, span: b.lost[index]


def _share_by(kind: Family) -> Callable[[BufferTally, float], float]:
    return lambda b, span: Ratio(sum(n for cause, n in b.causes.items() if family(cause) is kind), b.flushes)


def _losing(at_most: Callable[[Any, float], float], *causes: str, phrase: str = "lose jobs") -> Event:
    return Event(phrase, causes or tuple(REASONS), at_most)


_EMPTY = "have ticks that find nothing", ("tick",)
LOW: Better = "lower"
HIGH: Better = "higher"

# a table reads best as one
# fmt: off
SHARES_BY_CAUSE: tuple[Metric, ...] = tuple(
    _buffer(f"flushes_by_{kind.name}_share", "", "flush-weighted", None,
        f"Share of the flushes that started because {kind.because}", _share_by(kind), percent=True, most=1.0,
        event=Event(f"flush because {kind.because}", (kind.name,), lambda b, span: 1.0, "flush for another reason"))
    for kind in (SIZE, BYTES, AGE, IDLE, GAP, CLOCK, OTHER)
)
_ROWS: tuple[Metric | Quantiles, ...] = (
    # name, unit, average, better, meaning, function
    _buffer("mean_wait_s", "s", "job-weighted", LOW, "Mean wait of the jobs whose flush started in the window",
        lambda b, span: Ratio(b.waits.total, b.waits.count)),
    _buffer("sd_wait_s", "s", "job-weighted", LOW, "Standard deviation of those waits",
        lambda b, span: deviation(b.waits.total, b.waits.squares, b.waits.count)),
    _buffer("max_wait_s", "s", "extreme", LOW, "Longest of those waits",
        lambda b, span: known(b.waits.largest, b.waits.count)),
    _buffer("mean_buffer_size_jobs", "jobs", "time-weighted", LOW, "Mean buffer size over time",
        lambda b, span: b.levels.size.integral / span, tells_draws=True),
    _buffer("sd_buffer_size_jobs", "jobs", "time-weighted", LOW, "Standard deviation of the buffer size over time",
        lambda b, span: deviation(b.levels.size.integral, b.levels.size.squares, span)),
    _buffer("peak_buffer_size_jobs", "jobs", "extreme", LOW, "Largest buffer size, even if it lasted no time",
        lambda b, span: b.levels.size.peak),
    _buffer("mean_buffer_nbytes", "bytes", "time-weighted", LOW, "Mean of the bytes in the buffer over time",
        lambda b, span: b.levels.nbytes.integral / span),
    _buffer("peak_buffer_nbytes", "bytes", "extreme", LOW,
        "Most bytes in the buffer, even if they were there for no time",
        lambda b, span: b.levels.nbytes.peak),
    _buffer("mean_in_flight_jobs", "jobs", "time-weighted", LOW, "Mean number of jobs in a flush over time",
        lambda b, span: b.levels.in_flight.integral / span, tells_draws=True),
    _buffer("peak_in_flight_jobs", "jobs", "extreme", LOW, "Most jobs in a flush at once",
        lambda b, span: b.levels.in_flight.peak),
    _buffer("mean_in_flight_nbytes", "bytes", "time-weighted", LOW, "Mean of the bytes in a flush over time",
        lambda b, span: b.levels.in_flight_nbytes.integral / span),
    _buffer("peak_in_flight_nbytes", "bytes", "extreme", LOW, "Most bytes in a flush at once",
        lambda b, span: b.levels.in_flight_nbytes.peak),
    _buffer("arrivals_jobs", "jobs", "count", None, "Jobs that arrived, stored or not",
        lambda b, span: b.arrivals, tells_draws=True),
    _buffer("arrival_rate_per_s", "1/s", "count", None, "Jobs that arrived, stored or not, a second",
        lambda b, span: b.arrivals / span),
    _buffer("buffered_at_end_jobs", "jobs", "count", LOW, "Jobs in the buffer at the end of the run",
        lambda b, span: b.left),
    _buffer("duplicates_jobs", "jobs", "count", LOW,
        "Arrivals of jobs that an earlier buffer collects too, so that they reach the queue once more",
        lambda b, span: b.further_copies),
    _buffer("repeated_jobs", "jobs", "count", LOW,
        "Jobs that further servers read in the same flush, so that they reach the queue once more for each of them",
        lambda b, span: b.repeated),
    _buffer("flush_count", "flushes", "count", None, "Flushes that started",
        lambda b, span: b.flushes),
    _buffer("flush_rate_per_s", "1/s", "count", None, "Flushes that started, a second",
        lambda b, span: b.flushes / span),
    *SHARES_BY_CAUSE,
    _buffer("empty_tick_count", "ticks", "count", LOW, "Ticks of the policy that found nothing to flush",
        lambda b, span: b.empty_ticks, event=Event(*_EMPTY, lambda ticks, span: ticks)),
    _buffer("empty_tick_rate_per_s", "1/s", "count", LOW, "Ticks of the policy that found nothing to flush, a second",
        lambda b, span: b.empty_ticks / span, event=Event(*_EMPTY, lambda ticks, span: ticks / span)),
    _buffer("mean_batch_size_jobs", "jobs", "flush-weighted", None, "Mean batch size over flushes",
        lambda b, span: Ratio(b.batch_jobs, b.flushes)),
    _buffer("sd_batch_size_jobs", "jobs", "flush-weighted", None, "Standard deviation of the batch size over flushes",
        lambda b, span: deviation(b.batch_jobs, b.batch_squares, b.flushes)),
    _buffer("largest_batch_size_jobs", "jobs", "extreme", LOW, "Largest batch size",
        lambda b, span: known(b.largest_batch, b.flushes)),
    _buffer("mean_batch_size_seen_jobs", "jobs", "job-weighted", None,
        "Mean over jobs of the size of the batch that took them",
        lambda b, span: Ratio(b.batch_squares, b.batch_jobs)),
    _buffer("largest_batch_nbytes", "bytes", "extreme", LOW, "Most bytes taken by one flush",
        lambda b, span: known(b.largest_nbytes, b.flushes)),
    _buffer("mean_reduced_size_jobs", "jobs", "flush-weighted", None, "Mean over flushes of the jobs left after reduce",
        lambda b, span: Ratio(b.reduced_jobs, b.ended)),
    _buffer("largest_reduced_size_jobs", "jobs", "extreme", LOW, "Most jobs left after reduce of one flush",
        lambda b, span: known(b.largest_reduced, b.ended)),
    _buffer("reduction_ratio", "", "share", HIGH, "Jobs taken by flushes for each job left after reduce",
        lambda b, span: Ratio(b.ended_jobs, b.reduced_jobs)),
    _buffer("work_saved_share", "", "share", HIGH, "Share of the jobs taken by flushes that reduce spared the queue",
        lambda b, span: Ratio(b.ended_jobs - b.reduced_jobs, b.ended_jobs), percent=True, most=1.0,
        event=Event("save work by reduce", ("reduce",), lambda b, span: 1.0)),
    _buffer("mean_flush_s", "s", "flush-weighted", LOW, "Mean time from a flush's start to its end",
        lambda b, span: Ratio(b.flush_time, b.ended)),
    _buffer("longest_flush_s", "s", "extreme", LOW, "Longest time from a flush's start to its end",
        lambda b, span: known(b.longest_flush, b.ended)),
    _buffer("lost_jobs", "jobs", "count", LOW, "Jobs lost, of all causes",
        lambda b, span: sum(b.lost), event=_losing(lambda b, span: b.arrivals)),
    _buffer("lost_rate_per_s", "1/s", "count", LOW, "Jobs lost, of all causes, a second",
        lambda b, span: sum(b.lost) / span, event=_losing(lambda b, span: b.arrivals / span)),
    _buffer("lost_share", "", "share", LOW, "Jobs lost for each that arrived",
        lambda b, span: Ratio(sum(b.lost), b.arrivals), percent=True, event=_losing(lambda b, span: 1.0)),
    *(_buffer(f"lost_{cause}_jobs", "jobs", "count", LOW, f"Jobs lost {why}", _lost(cause),
        event=_losing(lambda b, span: b.arrivals, cause, phrase=f"lose jobs {why}"))
      for cause, why in REASONS.items()),
    _buffer("mean_loss_at_stop_jobs", "jobs", "time-weighted", LOW,
        "Mean number of jobs that a stop at a random moment would lose",
        # the moments in which the server is up
        lambda b, span: Ratio(b.levels.exposed.integral, float(b.levels.exposed.time_at.amounts.sum()))),
    _buffer("largest_loss_at_stop_jobs", "jobs", "extreme", LOW, "Most jobs that a stop could have lost",
        lambda b, span: b.levels.exposed.peak),
    Quantiles("wait_s", "s", "buffer", "job-weighted", LOW, "the waits of the jobs whose flush started in the window",
        lambda b: (b.waits.histogram, b.waits.largest), TIMES, ("50", "95", "99"),
        Columns("jobs", "created_at", "flushed_at", "buffer")),
    Quantiles("buffer_size_jobs", "jobs", "buffer", "time-weighted", LOW, "the buffer size over time",
        lambda b: (b.levels.size.time_at, b.levels.size.peak), SIZES, ("50", "95", "99")),
    Quantiles("batch_size_jobs", "jobs", "buffer", "flush-weighted", None, "the batch size over flushes",
        lambda b: (b.batches, b.largest_batch), SIZES, ("50", "95")),
    Quantiles("loss_at_stop_jobs", "jobs", "buffer", "time-weighted", LOW,
        "the jobs that a stop at a random moment would lose",
        lambda b: (b.levels.exposed.time_at, b.levels.exposed.peak), SIZES, ("95", "99")),
    _queue("utilisation", "", "time-weighted", None,
        "Mean share of the workers that are in service, over time; undefined without workers",
        lambda q, span: Ratio(q.busy_time, q.concurrency * span), percent=True, most=1.0),
    _queue("mean_end_to_end_s", "s", "job-weighted", LOW,
        "Mean time from arrival to finish of the jobs finished in the window",
        lambda q, span: Ratio(q.end_to_end.total, q.end_to_end.count)),
    _queue("sd_end_to_end_s", "s", "job-weighted", LOW, "Standard deviation of those times",
        lambda q, span: deviation(q.end_to_end.total, q.end_to_end.squares, q.end_to_end.count)),
    _queue("max_end_to_end_s", "s", "extreme", LOW, "Longest of those times",
        lambda q, span: known(q.end_to_end.largest, q.end_to_end.count)),
    _queue("mean_queue_wait_s", "s", "work-weighted", LOW, "Mean time in the queue before the first start",
        lambda q, span: Ratio(q.waits.total, q.waits.count)),
    _queue("max_queue_wait_s", "s", "extreme", LOW, "Longest time in the queue before the first start",
        lambda q, span: known(q.waits.largest, q.waits.count)),
    _queue("mean_queue_size_jobs", "jobs", "time-weighted", LOW,
        "Mean number of jobs that wait for their first start, over time",
        lambda q, span: q.levels.waiting.integral / span),
    _queue("peak_queue_size_jobs", "jobs", "extreme", LOW, "Most jobs that wait for their first start at once",
        lambda q, span: q.levels.waiting.peak),
    _queue("mean_unfinished_jobs", "jobs", "time-weighted", LOW,
        "Mean number of jobs in the queue, in service or between attempts, over time",
        lambda q, span: q.levels.unfinished.integral / span, tells_draws=True),
    _queue("peak_unfinished_jobs", "jobs", "extreme", LOW,
        "Most jobs in the queue, in service or between attempts at once",
        lambda q, span: q.levels.unfinished.peak),
    _queue("enqueued_jobs", "jobs", "count", None, "Jobs that came to the queue",
        lambda q, span: q.enqueued, tells_draws=True),
    _queue("enqueued_rate_per_s", "1/s", "count", None, "Jobs that came to the queue, a second",
        lambda q, span: q.enqueued / span),
    _queue("completed_jobs", "jobs", "count", HIGH, "Jobs that were completed",
        lambda q, span: q.completed),
    _queue("throughput_per_s", "1/s", "count", HIGH, "Jobs that were completed, a second",
        lambda q, span: q.completed / span),
    _queue("failed_jobs", "jobs", "count", LOW, "Jobs that failed for good",
        lambda q, span: q.failed, event=Event("have jobs that fail", ("failure",), lambda q, span: q.enqueued)),
    _queue("lost_in_queue_jobs", "jobs", "count", LOW, "Jobs that were lost with the queue, after reduce",
        lambda q, span: q.lost, event=_losing(lambda q, span: q.enqueued, "queue")),
    _queue("mean_attempts", "", "work-weighted", LOW,
        "Mean number of attempts of the jobs completed or failed in the window",
        lambda q, span: Ratio(q.attempts, q.completed + q.failed)),
    _queue("mean_service_s", "s", "work-weighted", None, "Mean service time of those jobs, all attempts together",
        lambda q, span: Ratio(q.service_time, q.completed + q.failed)),
    _queue("longest_service_s", "s", "extreme", LOW, "Longest service time of those jobs, all attempts together",
        lambda q, span: known(q.longest_service, q.completed + q.failed)),
    _queue("mean_work_items", "items", "work-weighted", None, "Mean number of items that a job in the queue carries",
        lambda q, span: Ratio(q.items, q.enqueued)),
    _queue("largest_work_items", "items", "extreme", LOW, "Most items that one job in the queue carries",
        lambda q, span: known(q.largest_items, q.enqueued)),
    Quantiles("end_to_end_s", "s", "queue", "job-weighted", LOW,
        "the times from arrival to finish of the jobs finished in the window",
        lambda q: (q.end_to_end.histogram, q.end_to_end.largest), TIMES, ("50", "95", "99"),
        Columns("jobs", "created_at", "finished_at", "queue")),
    Quantiles("queue_wait_s", "s", "queue", "work-weighted", LOW, "the times in the queue before the first start",
        lambda q: (q.waits.histogram, q.waits.largest), TIMES, ("50", "95", "99"),
        Columns("work", "queued_at", "started_at", "queue")),
    Metric("bypassed_jobs", "jobs", "model", "count", None, "Jobs that arrived and that no buffer collects",
        lambda tally, span: tally.bypassed),
    Metric("bypassed_lost_jobs", "jobs", "model", "count", LOW, "Jobs lost of those that no buffer collects",
        lambda tally, span: sum(tally.bypassed_lost), event=_losing(lambda tally, span: tally.bypassed)),
)
# fmt: on


def _listed(rows: Iterable[Metric | Quantiles]) -> Iterable[Metric]:
    for row in rows:
        if isinstance(row, Metric):
            yield row
        else:
            yield from map(row.metric, row.usual)


METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _listed(_ROWS)}
"""All metrics by name. Of the quantiles the usual ones; `find` knows the others."""
QUANTILES: Mapping[str, Quantiles] = {row.of: row for row in _ROWS if isinstance(row, Quantiles)}
"""The families of quantiles, by their names without the ``p50_``."""


# names

_UNITS = ("s", "jobs", "per_s", "items", "share", "count")
"""The ends of names that may be left out; not nbytes, since ``mean_in_flight`` is the one in jobs."""
_QUANTILE = re.compile(r"(?:p(?P<percent>\d+(?:\.\d+)?)|median)_(?P<of>\w+)")


def find(name: str) -> Metric:
    """The metric of a name.

    Any quantile is understood (``"p99.9_wait_s"``, and ``"median_wait_s"`` for ``"p50_wait_s"``), and a name without
    its unit if only one metric has it (``"mean_wait"``).

    Raises
    ------
    InvalidValueError
        If there is no such metric; the message names the nearest.

    Examples
    --------
    >>> find("p99.9_wait").name, find("median_wait").name
    ('p99.9_wait_s', 'p50_wait_s')
    """
    text("metric", name)
    if name in METRICS:
        return METRICS[name]
    if (quantile := _QUANTILE.fullmatch(name)) and (of := _with_unit(quantile["of"], QUANTILES)):
        return QUANTILES[of].metric(quantile["percent"] or "50")
    full = _with_unit(name, METRICS)
    if full is not None:
        return METRICS[full]
    raise InvalidValueError(
        f"metric must be one of those that `bufsim metrics` lists (in Python: bufsim.results.metrics.METRICS), "
        f"got {name!r}{did_you_mean(name, METRICS)}"
    )


def _with_unit(name: str, names: Mapping[str, object]) -> str | None:
    """Return the name itself, or the only one that is this name and a unit; None without one."""
    if name in names:
        return name
    full = [f"{name}_{unit}" for unit in _UNITS if f"{name}_{unit}" in names]
    return full[0] if len(full) == 1 else None


def without_unit(name: str) -> str:
    """Return a metric's name as words, without its unit.

    Examples
    --------
    >>> without_unit("mean_wait_s"), without_unit("peak_buffer_nbytes")
    ('mean wait', 'peak buffer')
    """
    unit = max((unit for unit in (*_UNITS, "nbytes") if name.endswith(f"_{unit}")), key=len, default=None)
    return (name if unit is None else name.removesuffix(f"_{unit}")).replace("_", " ")


def table() -> pd.DataFrame:
    """The metrics, a row each: metric, unit, kind, average, meaning.

    Examples
    --------
    >>> table().set_index("metric").loc["mean_wait_s", ["unit", "kind", "average"]].tolist()
    ['s', 'buffer', 'job-weighted']
    """
    rows = [(metric.name, metric.unit, metric.kind, metric.average, metric.meaning) for metric in METRICS.values()]
    return pd.DataFrame(rows, columns=["metric", "unit", "kind", "average", "meaning"])
