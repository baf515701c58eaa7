from __future__ import annotations

import math

from bufsim.report.draft import COLUMNS, About, Numbers
from bufsim.statistics import Interval
from bufsim.studies.expressions import expression
from bufsim.studies.quantities import Quantity

WAIT = expression("mean_wait")
SHORT = Interval(0.01234, 0.0121, 0.0126, 0.95, 30, "t")


def test_an_interval_is_written_in_the_unit_shown_and_kept_in_the_metrics_own() -> None:
    numbers = Numbers()
    shown = Quantity.of(WAIT, [SHORT.estimate])
    assert numbers.interval(About("3 options", "size 200", 2.0), shown, SHORT) == "12.3 [12.1, 12.6]"
    (row,) = numbers.table().to_dict("records")
    assert list(row) == COLUMNS
    assert (row["section"], row["subject"], row["load"], row["quantity"]) == (
        "3 options",
        "size 200",
        2.0,
        "mean_wait_s",
    )
    assert (row["estimate"], row["low"], row["unit"], row["n"], row["basis"]) == (0.01234, 0.0121, "s", 30, "t")


def test_what_is_exact_says_so() -> None:
    numbers = Numbers()
    constant = Interval(1.5, 1.5, 1.5, 0.95, 30, "t")
    assert numbers.interval(About("a", "b"), Quantity.of(WAIT, [1.5]), constant, exact=True) == "1.5 exact"
    assert numbers.exact(About("a", "b"), "lines", 6661.0, "lines") == "6,661 lines"
    assert set(numbers.table()["basis"]) == {"exact: nothing is drawn at random", "exact"}


def test_what_is_not_defined_is_a_dash() -> None:
    numbers = Numbers()
    assert numbers.interval(About("a", "b"), Quantity.of(WAIT, []), None) == "–"  # noqa: RUF001
    (row,) = numbers.table().to_dict("records")
    assert math.isnan(row["estimate"])
    assert row["basis"] == "not defined"


def test_a_difference_has_a_name_of_its_own() -> None:
    numbers = Numbers()
    numbers.interval(About("a", "b"), Quantity.of(WAIT, [1.0]), SHORT, name="mean_wait_s, difference")
    assert numbers.table()["quantity"].tolist() == ["mean_wait_s, difference"]
