from __future__ import annotations

import math
import re

import matplotlib as mpl
import matplotlib.pyplot as plt

from bufsim.report import draft
from bufsim.report.draft import COLUMNS, About, Numbers
from bufsim.statistics import Interval
from bufsim.studies.formulas import expression
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


# --- pictures ---------------------------------------------------------------------------------------------------------


def drawn(name: str = "one") -> str:
    with draft.settings():
        figure = draft.new_figure(3.0, 2.0)
        ax = figure.subplots()
        ax.plot([0.0, 1.0, 2.0], [1.123456789, 3.0, 2.0], label="a")
        ax.fill_between([0.0, 1.0], [0.0, 1.0], hatch="///")
        ax.legend()
        ax.set_title("a < b")
        return str(draft.svg(figure, name, "what is < to be seen"))


def test_a_picture_is_always_the_same_and_has_no_date() -> None:
    first, second = drawn(), drawn()
    assert first == second
    assert first.startswith('<svg role="img" aria-labelledby="one-title"')
    assert first.endswith("</svg>")
    for word in ("metadata", "xmlns", "http", "<?xml", "DOCTYPE", "Date"):
        assert word not in first


def test_it_is_described_for_who_cannot_see_it() -> None:
    assert '<title id="one-title">what is &lt; to be seen</title>' in drawn()


def test_two_pictures_share_no_id() -> None:
    def ids(text: str) -> set[str]:
        return set(re.findall(r'\bid="([^"]*)"', text))

    one, other = drawn("one"), drawn("other")
    assert not ids(one) & ids(other)
    for text in (one, other):
        assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', text)) <= ids(text)


def test_it_has_no_size_of_its_own_but_its_shape() -> None:
    opening = drawn().partition(">")[0]
    assert "viewBox" in opening
    assert " width=" not in opening
    assert " height=" not in opening


def test_coordinates_are_short() -> None:
    for path in re.findall(r' d="([^"]*)"', drawn()):
        assert not re.search(r"\.\d{3}", path)


def test_the_users_settings_neither_matter_nor_change() -> None:
    others, before = plt.get_fignums(), drawn()
    with mpl.rc_context({"font.size": 20.0, "lines.linewidth": 5.0}):
        assert drawn() == before
        assert mpl.rcParams["font.size"] == 20.0
    assert plt.get_fignums() == others
