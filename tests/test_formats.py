from __future__ import annotations

import pytest

from bufsim import formats


@pytest.mark.parametrize(
    ("longest", "unit"),
    [
        (0.0, "ms"),
        (0.5, "ms"),
        (0.6, "s"),
        (600.0, "s"),
        (601.0, "min"),
        (14_400.0, "min"),
        (86_400.0, "h"),
        (1e6, "d"),
    ],
)
def test_a_time_is_written_in_the_unit_in_which_it_reads_well(longest, unit):
    assert formats.time_unit(longest).name == unit


@pytest.mark.parametrize(("most", "unit"), [(0, "bytes"), (9999, "bytes"), (1e4, "kB"), (1e6, "MB"), (1e9, "GB")])
def test_bytes_are_written_in_the_unit_in_which_they_read_well(most, unit):
    assert formats.byte_unit(most).name == unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1e6, "1,000,000"),
        (1999.6, "2,000"),
        (999.7, "1,000"),
        (0.5, "0.5"),
        (2 / 3, "0.667"),
        (-3.0, "-3"),
        (1e20, "100,000,000,000,000,000,000"),
        (float("nan"), "-"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_has_three_digits_or_is_whole(value, text):
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(8984, 2, "9,000"), (8984, 3, "8,980"), (12.345, 4, "12.3"), (0.0123, 2, "0.012")]
)
def test_a_number_is_rounded_to_digits_first(value, digits, text):
    assert formats.number(value, digits) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.25, "25 %"),
        (0.1234, "12.3 %"),
        (0.004, "0.4 %"),
        (0.0004, "0.04 %"),
        (0.996, "99.6 %"),
        (0.99951, "99.95 %"),
        (1e-9, "< 0.01 %"),
        (1 - 1e-9, "> 99.99 %"),
        (1.5, "150 %"),
        (float("nan"), "-"),
    ],
)
def test_a_share_reads_as_nothing_or_all_only_if_it_is(share, text):
    assert formats.percent(share) == text


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99, 0.9975, 1 - 0.05 / 7])
def test_a_level_is_written_in_full(level):
    assert formats.level(level) == f"{100.0 * level:g} %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.05, "50 ms"),
        (0.123, "123 ms"),
        (0.0123456, "12.3 ms"),
        (1.5, "1.5 s"),
        (45.0, "45 s"),
        (60.0, "1 min"),
        (90.0, "90 s"),
        (137.26, "137 s"),
        (300.0, "5 min"),
        (1000.0, "1,000 s"),
        (1000.4, "16.7 min"),
        (1470.0, "24.5 min"),
        (9030.0, "150.5 min"),
        (3600.0, "1 h"),
        (5400.0, "90 min"),
        (100_000.0, "27.8 h"),
        (172_800.0, "2 d"),
    ],
)
def test_a_duration_has_the_largest_unit_in_which_it_is_whole_or_one_in_which_it_reads_well(seconds, text):
    assert formats.duration(seconds) == text


def test_nearly_equal_durations_are_told_apart_by_more_digits():
    assert formats.duration(9.979, digits=6) == "9.979 s"
    assert formats.duration(10.0, digits=6) == "10 s"


def test_a_size_has_the_unit_in_which_it_reads_well():
    assert [formats.nbytes(size) for size in (0, 512, 67_108_864, 2.5e9)] == [
        "0 bytes",
        "512 bytes",
        "67.1 MB",
        "2.5 GB",
    ]
