"""Which metrics are shown by default: of a run, of a study, of a comparison, and in the report."""

from __future__ import annotations

from typing import NamedTuple

from bufsim.results.metrics import SHARES_BY_CAUSE


class Line(NamedTuple):
    """A line of what is shown by default: the metrics in it, and its label where that is not made of their names.

    `served`: only where a queue has workers. `if_any`: only where a value is not 0.
    """

    metrics: tuple[str, ...]
    label: str = ""
    served: bool = False
    if_any: bool = False


SHOWN_OF_BUFFER: tuple[Line, ...] = (
    Line(("peak_buffer_size_jobs",), "peak buffer size, jobs"),
    Line(("mean_wait_s", "p99_wait_s"), "wait, mean / p99, s"),
    Line((), "flushes, by cause"),
    Line(("empty_tick_count",), "empty ticks"),
    Line(("largest_batch_size_jobs",), "largest batch, jobs"),
    Line(("longest_flush_s",), "longest flush, s"),
    Line((), "jobs after reduce"),
    Line(("work_saved_share",), "work saved by reduce"),
    Line(("lost_jobs",), "lost, jobs"),
    Line(("mean_loss_at_stop_jobs", "p99_loss_at_stop_jobs"), "lost if stopped at a random moment, mean / p99, jobs"),
)
"""The lines of a `Result` for each buffer; two are no metrics."""
SHOWN_OF_QUEUE: tuple[Line, ...] = (
    Line(("utilisation",), "utilisation of workers"),
    Line(("mean_queue_wait_s", "p99_queue_wait_s"), "wait in the queue, mean / p99, s"),
    Line(("mean_end_to_end_s", "p99_end_to_end_s"), "arrival to finish, mean / p99, s"),
    Line(("largest_work_items",), "largest job, items"),
)
"""The lines of a `Result` for each queue that has workers."""
SHOWN_OF_RUN: tuple[Line, ...] = (
    Line(("arrivals_jobs",), "jobs that arrived"),
    Line(("mean_buffer_size_jobs", "peak_buffer_size_jobs"), "buffer size, average / peak, jobs"),
    Line(("mean_wait_s", "p99_wait_s"), "wait, mean / p99, s"),
    Line(("flush_count",), "flushes"),
    Line(("mean_batch_size_jobs", "largest_batch_size_jobs"), "batch size, mean / largest, jobs"),
    Line(("longest_flush_s",), "longest flush, s"),
    Line(("enqueued_jobs",), "jobs enqueued"),
    Line(("work_saved_share",), "work saved by reduce"),
    Line(("largest_work_items",), "items in one job of the queue, largest"),
    Line(("mean_queue_size_jobs", "peak_queue_size_jobs"), "queue size, average / peak, jobs", served=True),
    Line(("utilisation",), "workers in service", served=True),
    Line(("mean_end_to_end_s", "p99_end_to_end_s"), "arrival to finish, mean / p99, s", served=True),
    Line(("mean_loss_at_stop_jobs", "p99_loss_at_stop_jobs"), "lost if stopped at random, mean / p99, jobs"),
    Line(("lost_jobs",), "jobs lost"),
)
"""The lines that `bufsim run` prints, of all buffers and queues together."""
SHOWN_OF_LOSS = ("lost_share",)
"""The metrics that are shown wherever a declared model can lose jobs (see `bufsim.results.losses.can_lose`)."""


def shown_of_study(*, loses: bool) -> tuple[str, ...]:
    """The metrics that a `StudyResult` shows of each scenario; `loses`: whether any of them can lose jobs."""
    shown = ("mean_wait_s", "p99_wait_s", "mean_buffer_size_jobs", "peak_buffer_size_jobs", "flush_rate_per_s")
    return (*shown, *(SHOWN_OF_LOSS if loses else ()))


def shown_of_comparison(*, takes_time: bool, reduces: bool, loses: bool) -> list[str]:
    """The metrics that `bufsim compare` prints.

    Of models whose flushes take time, whose reduce saves work, or that can lose jobs.
    """
    return [
        *(SHOWN_OF_LOSS if loses else ()),
        "p99_wait_s",
        "peak_buffer_size_jobs",
        "longest_flush_s" if takes_time else "flush_rate_per_s",
        "work_saved_share" if reduces else "mean_wait_s",
    ]


REPORTED_FLUSHES: tuple[Line, ...] = (
    Line(("flush_rate_per_s",)),
    Line(("mean_batch_size_jobs",)),
    Line(("largest_batch_size_jobs",)),
    Line(("longest_flush_s",)),
    Line(("work_saved_share",)),
    *(Line((share.name,), if_any=True) for share in SHARES_BY_CAUSE),
)
"""The lines of the report on the flushes of each option on the short list."""
REPORTED_USE: tuple[Line, ...] = (
    Line(("mean_buffer_size_jobs",)),
    Line(("peak_buffer_size_jobs",)),
    Line(("peak_buffer_nbytes",), if_any=True),
    Line(("mean_wait_s",)),
    Line(("p99_wait_s",)),
    Line(("utilisation",)),
    Line(("peak_queue_size_jobs",)),
    Line(("p99_end_to_end_s",)),
    Line(("lost_jobs",), if_any=True),
)
"""The lines of the report on what each option on the short list holds and uses."""
REPORTED_AT_A_STOP = ("mean_loss_at_stop_jobs", "p95_loss_at_stop_jobs", "p99_loss_at_stop_jobs")
REPORTED_UNDER_STRESS = ("peak_buffer_size_jobs", "peak_queue_size_jobs", "lost_jobs")
"""The metrics that the report gives of a stop at a random moment, and of stress tests."""
