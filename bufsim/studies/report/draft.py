"""A report while it is written: the answer, and what its sections share."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bufsim.errors import InvalidValueError
from bufsim.studies.evaluations import UndefinedError
from bufsim.studies.exactness import is_exact
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.labels import label
from bufsim.studies.limits import LimitVerdict
from bufsim.studies.plan_answer import PlanAnswer
from bufsim.studies.quantities import Quantity, limit_in_words
from bufsim.studies.report import pictures
from bufsim.studies.report.markup import Content, Markup, content, tag
from bufsim.studies.report.numbers import About, Numbers
from bufsim.studies.statistics import Interval
from bufsim.studies.study_result import StudyResult

MARKS: Mapping[LimitVerdict, str] = {"pass": "✓ pass", "fail": "✗ fail", "undecided": "? undecided"}
"""A verdict by word and symbol, so that no colour is needed."""
WIDE, TALL = 7.0, 3.6
"""The usual size of a figure, inches: the width of the text on A4."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plan comes from.

    Parameters
    ----------
    name : str
        The plan file.
    text : str
        What stands in it.
    command : str
        What repeats the report.
    inputs : sequence of (str, int, str)
        The plan file and the files that it names: name, rows, SHA-256 in hexadecimal.
    copy : str, optional
        What stands in the copy of the plan beside the report, if the paths in it must be others there.
    """

    name: str
    text: str
    command: str
    inputs: Sequence[tuple[str, int, str]]
    copy: str | None = None


@dataclass(slots=True)
class Draft:
    """A report while it is written.

    Parameters
    ----------
    answer : PlanAnswer
        What is reported.
    source : Source, optional
        Where the plan comes from; None: from Python.
    """

    answer: PlanAnswer
    source: Source | None = None
    numbers: Numbers = field(default_factory=Numbers)
    figures: dict[str, pd.DataFrame] = field(default_factory=dict)
    names: dict[str, str] = field(init=False)
    exact: dict[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        self.names = {option.name: label(option.name) for option in self.answer.options()}
        self.names |= {str(limit): limit_in_words(limit) for limit in self.answer.plan.limits}
        study = self.answer.study
        self.exact = {name: is_exact(list(study.tallies[name].values())) for name in study.finished}

    # words

    def label(self, option: str) -> str:
        """Return an option's name in few words, with what it stands for."""
        role = " (today)" if option == self.answer.today else ""
        return f"{self.names.get(option, label(option))}{role}"

    def told(self, sentence: str) -> str:
        """Return a sentence with policies and limits as they are called in the report."""
        for name in sorted(self.names, key=len, reverse=True):
            sentence = sentence.replace(name, self.names[name])
        return sentence

    @property
    def basis(self) -> str:
        """What the numbers of the study rest on."""
        plan = self.answer.plan
        return f"n = {self.answer.study.replications} replications, {100.0 * plan.confidence:g} % intervals"

    # numbers

    def quantity(self, asked: Expression, intervals: Sequence[Interval | None]) -> Quantity:
        """Return an expression in the unit that fits all of some intervals."""
        return Quantity.of(asked, [one.estimate for one in intervals if one is not None])

    def measured(
        self, about: About, asked: Expression, result: StudyResult, scenario: str, quantity: Quantity | None = None
    ) -> str:
        """Return an expression of a scenario with its interval, and keep it."""
        interval = interval_of(result, asked, scenario, self.answer.plan.confidence)
        shown = quantity or self.quantity(asked, [interval])
        exact = result is self.answer.study and self.exact[scenario]
        return self.numbers.interval(about, shown, interval, exact=exact)

    def written(self, metric: str, scenario: str) -> str:
        """Return a metric of a scenario of the study with its interval and unit, and keep it."""
        interval = interval_of(self.answer.study, expression(metric), scenario, self.answer.plan.confidence)
        shown = self.quantity(expression(metric), [interval])
        about = About("0 answer", scenario, self.answer.plan.load)
        return self.numbers.interval(about, shown, interval, exact=self.exact[scenario])

    # figures

    def figure(
        self,
        name: str,
        title: str,
        draw: Callable[[Any], Any],
        frame: Callable[[], pd.DataFrame],
        *,
        caption: Content = None,
        height: float = TALL,
        panels: tuple[int, int] = (1, 1),
    ) -> Markup:
        """Return a figure with its title and caption, and keep its numbers.

        Parameters
        ----------
        name : str
            A word for it, which no other figure has.
        title : str
            What stands over it.
        draw : callable
            Draws it on Axes.
        frame : callable
            Returns its numbers.
        caption : optional
            What stands under it.
        height : float
            In inches.
        panels : (int, int)
            Rows and columns of panels; with several, `draw` gets an array of Axes.
        """
        with pictures.settings():
            figure = pictures.new_figure(WIDE, height)
            try:
                draw(figure.subplots(*panels))
            except InvalidValueError as error:
                # what the study does not hold cannot be drawn, and the reader is told so
                why = error.reason if isinstance(error, UndefinedError) else str(error)
                return tag("p", tag("b", f"No picture: {title}. "), self.told(why), class_="note")
            image = pictures.svg(figure, name, title)
        self.figures[name] = frame()
        below = None if caption is None else tag("p", caption)
        return tag("figure", tag("figcaption", tag("b", title)), image, below)


def interval_of(result: StudyResult, asked: Expression, scenario: str, confidence: float) -> Interval | None:
    """Return an expression of a scenario with its interval; None where it is not defined."""
    try:
        return result.interval(asked, scenario, confidence=confidence)
    except InvalidValueError:
        return None


def verdict(word: LimitVerdict) -> Markup:
    """Return a verdict as word and symbol, in its look."""
    return tag("span", MARKS[word], class_=f"verdict {word}")


def sign(word: LimitVerdict) -> Markup:
    """Return a verdict as its symbol alone, in its look."""
    return tag("span", MARKS[word].split()[0], class_=f"verdict {word}")


def sentences(texts: Sequence[str]) -> Markup:
    """Return sentences, each in its own paragraph, without the spaces before them."""
    return content(tag("p", re.sub(r"^\s+", "", text)) for text in texts)


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV, the same on every machine."""
    written = io.StringIO()
    table.to_csv(written, index=False, lineterminator="\n")
    return written.getvalue()
