from __future__ import annotations

import pytest

from bufsim import FlushAfterAge, FlushAt, FlushAtBytes, FlushAtSize, FlushEvery, FlushWhenIdle, NeverFlush
from bufsim.studies.scenarios import differ_in_one, in_words, label, labels, without_common


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (FlushAtSize(1000), "size 1,000"),
        (FlushAtBytes("64 MiB"), "bytes 67.1 MB"),
        (FlushAfterAge("15min"), "age 15 min"),
        (FlushWhenIdle(0.25), "idle 250 ms"),
        (FlushEvery(5.0), "every 5 s"),
        (FlushEvery(5.0, phase=2.5), "every 5 s + 2.5 s"),
        (FlushEvery(5.0, anchor="flush_end"), "every 5 s after its flush end"),
        (FlushAtSize(3) & FlushAfterAge(2.0), "size 3 & age 2 s"),
        (FlushAtSize(100).checked_every(5.0), "size 100 checked every 5 s"),
        (NeverFlush(), "never"),
        (FlushAt([1.0, 2.0, 3.0, 4.0]), "FlushAt(4 times)"),
    ],
)
def test_a_policy_is_said_in_few_words(policy, text):
    assert label(repr(policy)) == text


def test_a_name_of_the_users_own_stays():
    assert label("today") == "today"


def test_other_fields_of_a_grid_stay():
    times = "\N{MULTIPLICATION SIGN}0.5"
    assert label(f"FlushEvery(5.0) · concurrency 3 · arrivals {times}") == f"every 5 s · concurrency 3 · {times}"


def test_a_long_label_ends_in_dots():
    assert label("a scenario with a name that goes on and on and on") == "a scenario with a name that goes on and…"


def test_labels_that_would_look_the_same_are_names():
    names = ["a scenario with a name that goes on and on, one", "a scenario with a name that goes on and on, two"]
    assert labels([*names, "FlushEvery(5.0)"]) == [*names, "every 5 s"]


def test_what_all_labels_have_in_common_is_left_out():
    assert without_common(["size 2 | age 1 s", "size 4 | age 1 s"]) == (["2 | 1 s", "4 | 1 s"], "size | age")
    assert without_common(["size 2"]) == (["size 2"], "")
    assert without_common(["size 2", "never"]) == (["size 2", "never"], "")


def test_labels_of_a_family_differ_in_one_number():
    assert differ_in_one(["size 2 | age 1 s", "size 4 | age 1 s"])
    assert not differ_in_one(["size 2 | age 1 s", "size 4 | age 2 s"])
    assert not differ_in_one(["size 2", "every 2 s"])


def test_nearly_equal_times_are_told_apart():
    assert label("FlushEvery(9.979) | FlushAfterAge(4.9021)") == "every 9.979 s | age 4.9021 s"
    assert label("FlushAfterAge(0.0015)") == "age 1.5 ms"


def test_only_policies_of_a_sentence_are_put_in_words():
    said = "FlushAtSize(2) is better than my own by -1.0 s (FlushAt([3.0]), NeverFlush())"
    assert in_words(said) == "size 2 is better than my own by -1.0 s (FlushAt([3.0]), never)"
