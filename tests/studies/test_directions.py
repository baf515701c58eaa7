from __future__ import annotations

import pytest

from bufsim.results.metrics import METRICS, find
from bufsim.studies.directions import HIGHER, NEUTRAL, better, opposite


def test_every_name_in_the_table_is_a_metric():
    assert set(METRICS) >= HIGHER | NEUTRAL
    assert not HIGHER & NEUTRAL


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("mean_wait", "lower"),
        ("p99.9_wait", "lower"),
        ("peak_buffer_nbytes", "lower"),
        ("lost_capacity_jobs", "lower"),
        ("p99_loss_at_stop", "lower"),
        ("longest_flush", "lower"),
        ("work_saved", "higher"),
        ("throughput", "higher"),
        ("flush_rate", None),
        ("p95_batch_size", None),
        ("utilisation", None),
    ],
)
def test_waits_sizes_and_losses_are_better_low_and_work_saved_high(name, direction):
    assert better(find(name)) == direction


def test_the_negative_has_the_opposite_direction():
    assert [opposite(direction) for direction in ("lower", "higher", None)] == ["higher", "lower", None]
