"""The metrics by name, and how a name is understood."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from bufsim.checks import did_you_mean, text
from bufsim.errors import InvalidValueError
from bufsim.results import buffer_metrics as of_buffer
from bufsim.results import queue_metrics as of_queue
from bufsim.results.buffer_metrics import BUFFER_METRICS
from bufsim.results.metric import Average, Kind, Metric, Quantile
from bufsim.results.queue_metrics import MODEL_METRICS, QUEUE_METRICS


class _Quantiles(NamedTuple):
    """The quantiles of something: ``p50_wait_s``, ``p99.9_wait_s``, ..."""

    unit: str
    kind: Kind
    average: Average
    function: Callable[..., float]
    usual: tuple[str, ...]


_QUANTILES: Mapping[str, _Quantiles] = {
    "wait_s": _Quantiles("s", "buffer", "job-weighted", of_buffer.wait_quantile, ("50", "95", "99")),
    "buffer_size_jobs": _Quantiles(
        "jobs", "buffer", "time-weighted", of_buffer.buffer_size_quantile, ("50", "95", "99")
    ),
    "batch_size_jobs": _Quantiles("jobs", "buffer", "flush-weighted", of_buffer.batch_size_quantile, ("50", "95")),
    "loss_at_stop_jobs": _Quantiles("jobs", "buffer", "time-weighted", of_buffer.loss_at_stop_quantile, ("95", "99")),
    "end_to_end_s": _Quantiles("s", "queue", "job-weighted", of_queue.end_to_end_quantile, ("50", "95", "99")),
    "queue_wait_s": _Quantiles("s", "queue", "work-weighted", of_queue.queue_wait_quantile, ("50", "95", "99")),
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
