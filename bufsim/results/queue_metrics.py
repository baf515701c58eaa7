"""The metrics of a job queue and its workers, and those of the whole model."""

from __future__ import annotations

from bufsim.results.histograms import TIMES
from bufsim.results.metric import Metric, deviation, known, metric, ratio
from bufsim.results.tallies import QueueTally, Tally


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
