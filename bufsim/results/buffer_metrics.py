"""The metrics of a job buffer."""

from __future__ import annotations

from bufsim.results.cause_metrics import CAUSE_METRICS, LOSS_METRICS
from bufsim.results.histograms import SIZES, TIMES
from bufsim.results.metric import Metric, deviation, known, metric, ratio
from bufsim.results.tallies import BufferTally


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
