"""The plots of a result: numbers first, then a picture that answers one question at a glance."""

from __future__ import annotations

from bufsim.results.plots.batch_sizes import batch_sizes, batch_sizes_frame
from bufsim.results.plots.buffer_size import buffer_size, buffer_size_frame
from bufsim.results.plots.loss_at_stop import loss_at_stop, loss_at_stop_frame
from bufsim.results.plots.queue import queue, queue_frame
from bufsim.results.plots.waits import waits, waits_frame

__all__ = [
    "batch_sizes",
    "batch_sizes_frame",
    "buffer_size",
    "buffer_size_frame",
    "loss_at_stop",
    "loss_at_stop_frame",
    "queue",
    "queue_frame",
    "waits",
    "waits_frame",
]
