"""Section 7, one page per short-listed policy: its buffer, batches and waits, why it flushes, what it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bufsim.results import plots
from bufsim.results.cause_metrics import CAUSE_METRICS
from bufsim.studies.formulas import expression
from bufsim.studies.report.draft import Draft
from bufsim.studies.report.head_room import shown_options
from bufsim.studies.report.markup import Content, Markup, content, table, tag
from bufsim.studies.report.numbers import About
from bufsim.studies.report.options import written
from bufsim.studies.report.single_runs import SingleRun, SingleRuns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SECTION = "7 short list"
_PAGES = 3
_FLUSHES = (
    "flush_rate_per_s",
    "mean_batch_size_jobs",
    "largest_batch_size_jobs",
    "longest_flush_s",
    "work_saved_share",
)
_USE = (
    "mean_buffer_size_jobs",
    "peak_buffer_size_jobs",
    "peak_buffer_nbytes",
    "mean_wait_s",
    "p99_wait_s",
    "utilisation",
    "peak_queue_size_jobs",
    "p99_end_to_end_s",
    "lost_jobs",
)
_IF_ANY = ("peak_buffer_nbytes", "lost_jobs")


def section(draft: Draft, runs: SingleRuns) -> Markup:
    """Return the section."""
    options = shown_options(draft)[:_PAGES]
    return content(_page(draft, runs, option, place) for place, option in enumerate(options, 1))


def _page(draft: Draft, runs: SingleRuns, option: str, place: int) -> Markup:
    median, worst = runs.median(option), runs.worst(option)
    buffer = busiest(median)
    return tag(
        "div",
        tag("h3", f"7.{place} {draft.label(option)}"),
        tag("p", _what(draft, runs, median, worst, buffer)),
        tag(
            "div",
            _table(draft, option, _flush_metrics(draft, option), "Flushes, and what causes them"),
            _table(draft, option, _USE, "What it holds and uses"),
            class_="side-by-side",
        ),
        _sizes(draft, median, worst, buffer, place),
        _batches(draft, median, buffer, place),
        _waits(draft, median, buffer, place),
        class_="policy",
    )


def busiest(run: SingleRun) -> str:
    """Return the buffer that the most jobs come to."""
    return str(run.result.jobs["buffer"].value_counts().index[0])


def _what(draft: Draft, runs: SingleRuns, median: SingleRun, worst: SingleRun, buffer: str) -> str:
    of = f"Pictures are of buffer {buffer}. " if len(draft.answer.plan.simulation.buffers) > 1 else ""
    name = draft.quantity(runs.by, []).name
    return (
        f"{of}Replications are ordered by {name}: the median is replication {median.number}, the worst {worst.number}. "
        f"At {draft.answer.plan.load:g} times today's load."
    )


def _sizes(draft: Draft, median: SingleRun, worst: SingleRun, buffer: str, place: int) -> Markup:
    shown = {f"median run, replication {median.number}": median.result}
    shown |= {f"worst run, replication {worst.number}": worst.result}
    labels, results = list(shown), list(shown.values())
    return draft.figure(
        f"size-{place}",
        "One run in each panel: the buffer size, with every flush and its cause",
        lambda panels: plots.buffer_size(*results, ax=panels, labels=labels, buffer=buffer),
        lambda: plots.buffer_size_frame(*results, labels=labels, buffer=buffer).query("mark != 'size'"),
        height=2.25 * len(results),
        panels=(len(results), 1),
    )


def _batches(draft: Draft, median: SingleRun, buffer: str, place: int) -> Markup:
    return draft.figure(
        f"batches-{place}",
        f"One run: batch sizes by cause (the median run, replication {median.number})",
        lambda ax: plots.batch_sizes(median.result, ax=ax, buffer=buffer),
        lambda: plots.batch_sizes_frame(median.result, buffer=buffer),
        height=2.7,
    )


def _waits(draft: Draft, median: SingleRun, buffer: str, place: int) -> Markup:
    def draw(ax: Axes) -> None:
        plots.waits(median.result, ax=ax, buffer=buffer)
        ax.set_ylabel("share of jobs")

    return draft.figure(
        f"waits-{place}",
        f"One run: the share of jobs with at most this wait (the median run, replication {median.number})",
        draw,
        lambda: plots.waits_frame(median.result, buffer=buffer).iloc[:: max(len(median.result.jobs) // 200, 1)],
        height=2.6,
    )


def _flush_metrics(draft: Draft, option: str) -> list[str]:
    """Return the metrics of flushes, with the shares of those causes that occur."""
    study, scenario = draft.answer.study, draft.answer.scenario(option)
    shares = [metric.name for metric in CAUSE_METRICS]
    seen = [name for name in shares if study.measured(name, scenario).raw().max() > 0.0]
    return [*_FLUSHES, *seen]


def _table(draft: Draft, option: str, metrics: list[str] | tuple[str, ...], title: str) -> Markup:
    answer, study = draft.answer, draft.answer.study
    scenario = answer.scenario(option)
    rows: list[tuple[Content, ...]] = []
    for name in metrics:
        asked = expression(name)
        values = study.measured(asked, scenario).raw()
        if np.isnan(values).any() or (name in _IF_ANY and not values.any()):
            continue
        shown = draft.quantity(asked, [study.interval(asked, scenario)])
        text = draft.measured(About(_SECTION, option, answer.plan.load), asked, study, scenario, shown)
        rows.append((shown.label, written(text)))
    return table(("Metric, all buffers", "Value"), rows, caption=f"{title}; {draft.basis}", class_="half")
