from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bufsim.report.markup import BREAK, Markup, bullets, content, paragraphs, table, tag


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_no_text_comes_through_as_markup(text: str) -> None:
    written = content(text)
    assert "<" not in written
    assert ">" not in written
    assert '"' not in tag("p", "", title=text).removeprefix('<p title="').removesuffix('"></p>').removesuffix("<p></p>")


def test_markup_stays_and_nothing_is_nothing() -> None:
    assert content(Markup("<br>"), None, ["a", 1], "&") == "<br>a1&amp;"
    assert tag("p", None) == "<p></p>"
    assert tag("td", "x", class_="", colspan="2") == '<td colspan="2">x</td>'


def test_the_end_of_a_line_is_one_element() -> None:
    assert content("a", BREAK, "b") == "a<br>b"


def test_lists_and_paragraphs_have_an_element_each() -> None:
    assert bullets(["a", "b"]) == "<ul><li>a</li><li>b</li></ul>"
    assert paragraphs(["a", "<"], class_="note") == '<p class="note">a</p><p class="note">&lt;</p>'


def test_a_table_has_a_head_and_a_class_for_each_row() -> None:
    written = table(("a", "b"), [(1, 2), (3, 4)], caption="of <them>", classes=["first"])
    assert written.startswith('<table><caption>of &lt;them&gt;</caption><thead><tr><th scope="col">a</th>')
    assert '<tr class="first"><th scope="row">1</th><td>2</td></tr><tr><th scope="row">3</th>' in written
