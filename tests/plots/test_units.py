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
    ("value", "text"), [(0, "0"), (1e6, "1,000,000"), (1999.6, "2,000"), (0.5, "0.5"), (2 / 3, "0.667"), (-3.0, "-3")]
)
def test_a_number_has_three_digits_or_is_whole(value, text):
    assert formats.full_number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.25, "25 %"),
        (0.004, "0.4 %"),
        (0.0004, "0.04 %"),
        (0.996, "99.6 %"),
        (1e-9, "< 0.01 %"),
        (1 - 1e-9, "> 99.99 %"),
    ],
)
def test_a_share_reads_as_nothing_or_all_only_if_it_is(share, text):
    assert formats.careful_percent(share) == text
