"""How a result shows itself: a header line, and a table of the main metrics with a column for each buffer and queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bufsim.results.copies import OUTCOMES
from bufsim.results.tallies import BufferTally, Tally
from bufsim.results.words import duration, number, percent

MetricOf = Callable[[str, str], float]
"""From a metric's name and a buffer or queue to the number."""
Cells = tuple[str, list[str]]
Table = tuple[list[str], list[Cells]]
"""The names over the columns, and rows of a label and a cell a column."""
_ALWAYS_SHOWN = ("flushed", "buffered", "lost")


def header(seed: int, replication: int, engine: str, tally: Tally) -> str:
    """Return the line that says what ran, and that no job came or went unseen."""
    counts = dict(zip(OUTCOMES, tally.outcomes, strict=True))
    parts = [f"{number(n)} {name.replace('_', ' ')}" for name, n in counts.items() if n or name in _ALWAYS_SHOWN]
    created = f"{number(tally.jobs)} jobs created"
    if tally.rows != tally.jobs:
        created += f", {number(tally.rows)} with their copies"
    run = [f"seed {seed}", f"replication {replication}" if replication else "", f"{engine} engine"]
    run.append(duration(tally.window.end))
    if tally.window.start:
        run.append(f"metrics from {duration(tally.window.start)} on")
    said = " · ".join([part for part in run if part])
    return f"Result  {said} · {created} = {' + '.join(parts)}   (conservation holds)"


def buffer_table(tally: Tally, metric: MetricOf) -> Table:
    """Return the buffers, and the rows of their table."""
    names = list(tally.buffers)

    def row(label: str, cell: Callable[[str], str]) -> Cells:
        return label, [cell(name) for name in names]

    def one(label: str, metric_name: str, write: Callable[[float], str] = number) -> Cells:
        return row(label, lambda name: write(metric(metric_name, name)))

    def pair(label: str, first: str, second: str) -> Cells:
        return row(label, lambda name: f"{number(metric(first, name))} / {number(metric(second, name))}")

    rows = [
        one("peak buffer size, jobs", "peak_buffer_size_jobs"),
        pair("wait, mean / p99, s", "mean_wait_s", "p99_wait_s"),
        row("flushes, by cause", lambda name: _flushes(tally.buffers[name])),
        one("empty ticks", "empty_tick_count"),
        one("largest batch, jobs", "largest_batch_size_jobs"),
        one("longest flush, s", "longest_flush_s"),
        row("jobs after reduce", lambda name: number(tally.buffers[name].reduced_jobs)),
        one("work saved by reduce", "work_saved_share", percent),
        one("lost, jobs", "lost_jobs"),
        pair("lost if stopped at a random moment, mean / p99, jobs", "mean_loss_at_stop_jobs", "p99_loss_at_stop_jobs"),
    ]
    return names, rows


def queue_table(tally: Tally, metric: MetricOf) -> Table:
    """Return the queues that have workers, and the rows of their table."""
    names = [name for name, queue in tally.queues.items() if queue.concurrency]

    def pair(label: str, first: str, second: str) -> Cells:
        return label, [f"{number(metric(first, name))} / {number(metric(second, name))}" for name in names]

    rows = [
        ("utilisation of workers", [percent(metric("utilisation", name)) for name in names]),
        pair("wait in the queue, mean / p99, s", "mean_queue_wait_s", "p99_queue_wait_s"),
        pair("arrival to finish, mean / p99, s", "mean_end_to_end_s", "p99_end_to_end_s"),
        ("largest job, items", [number(metric("largest_work_items", name)) for name in names]),
    ]
    return names, rows if names else []


def text(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Return the header, the tables and the notes as plain text."""
    width = max((len(label) for _, rows in tables for label, _ in rows), default=0)
    lines = [title]
    for names, rows in tables:
        widths = [max(map(len, column)) for column in zip(names, *(cells for _, cells in rows), strict=True)]
        for label, cells in [("", names), *rows] if rows else []:
            aligned = "  ".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
            lines.append(f"{label:<{width}}  {aligned}".rstrip())
    return "\n".join([*lines, *notes])


def page(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Return the header, the tables and the notes as HTML."""
    parts = [f"<p>{_escaped(title)}</p>"]
    for names, rows in tables:
        if rows:
            head = "".join(f"<th>{_escaped(name)}</th>" for name in names)
            body = "".join(_html_row(label, cells) for label, cells in rows)
            parts.append(f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>")
    parts.extend(f"<p>{_escaped(note)}</p>" for note in notes)
    return "".join(parts)


def _html_row(label: str, cells: list[str]) -> str:
    return f"<tr><th>{_escaped(label)}</th>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells) + "</tr>"


def _escaped(text: str) -> str:
    from html import escape  # late: its table of entities is slow to import

    return escape(text)


def _flushes(buffer: BufferTally) -> str:
    causes = ", ".join(f"{number(count)} {cause}" for cause, count in buffer.causes.items())
    return f"{number(buffer.flushes)} ({causes})" if len(buffer.causes) > 1 else number(buffer.flushes)
