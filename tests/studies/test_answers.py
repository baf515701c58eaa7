from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bufsim.studies.answers import Answer


@dataclass(frozen=True, repr=False)
class Two(Answer):
    def sentences(self):
        return ["a < b", "and b < c"]

    def table(self):
        return pd.DataFrame({"first": ["<a>"]})


def test_an_answer_shows_its_sentences_and_in_a_notebook_its_table():
    assert repr(Two()) == "a < b\nand b < c"
    page = Two()._repr_html_()
    assert page.startswith("<p>a &lt; b</p><p>and b &lt; c</p><table")
    assert "&lt;a&gt;" in page
