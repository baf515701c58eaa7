from __future__ import annotations

import re

import matplotlib as mpl
import matplotlib.pyplot as plt

from bufsim.report import draft


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
    before = drawn()
    with mpl.rc_context({"font.size": 20.0, "lines.linewidth": 5.0}):
        assert drawn() == before
        assert mpl.rcParams["font.size"] == 20.0
    assert plt.get_fignums() == []
