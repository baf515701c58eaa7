"""The numbers of a report: each that is written is also kept, for the tables beside it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from bufsim import formats
from bufsim.errors import InvalidValueError
from bufsim.files import without_formulas
from bufsim.plots.style import need_matplotlib
from bufsim.report.markup import Content, Markup, content, tag
from bufsim.results.losses import can_lose
from bufsim.results.shown import SHOWN_OF_LOSS
from bufsim.statistics import Interval
from bufsim.studies.estimates import DETERMINISTIC, UndefinedError
from bufsim.studies.expressions import Expression, LimitVerdict
from bufsim.studies.formulas import expression
from bufsim.studies.plan import PlanAnswer
from bufsim.studies.quantities import Quantity, limit_in_words
from bufsim.studies.scenarios import in_words, label
from bufsim.studies.study_result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


COLUMNS = [
    "section",
    "subject",
    "quantity",
    "load",
    "estimate",
    "low",
    "high",
    "unit",
    "confidence",
    "n",
    "basis",
]


@dataclass(frozen=True, slots=True)
class About:
    """Subject of a number.

    Parameters
    ----------
    section : str
        Where it stands in the report.
    subject : str
        Of what it is: a policy, a load, a stress test.
    load : float
        At how many times today's arrivals; nan where that says nothing.
    """

    section: str
    subject: str
    load: float = math.nan


@dataclass(slots=True)
class Numbers:
    """All numbers of a report, in the order in which they were written."""

    rows: list[tuple[object, ...]] = field(default_factory=list)

    def interval(
        self, about: About, quantity: Quantity, interval: Interval | None, *, exact: bool = False, name: str = ""
    ) -> str:
        """Return an interval in the unit that is shown, and keep it in the metric's own.

        Parameters
        ----------
        about : About
            What it is about.
        quantity : Quantity
            What it is, and the unit in which it is shown.
        interval : Interval or None
            None: it is not defined.
        exact : bool
            Whether nothing was drawn at random.
        name : str
            What it is called, where that is not the metric's name.
        """
        called = name or quantity.expression.name
        if interval is None:
            self._keep(about, called, (math.nan,) * 3, quantity.expression.unit, math.nan, 0, "not defined")
            return "–"  # noqa: RUF001  # a dash for nothing
        ends = (interval.estimate, interval.low, interval.high)
        basis = DETERMINISTIC if exact else interval.method
        self._keep(about, called, ends, quantity.expression.unit, interval.confidence, interval.n, basis)
        shown = quantity.interval(interval)
        return f"{formats.number(shown.estimate)} exact" if exact else str(shown)

    def exact(self, about: About, name: str, value: float, unit: str = "") -> str:
        """Return a number that is known without error, and keep it."""
        self._keep(about, name, (value, value, value), unit, math.nan, 0, "exact")
        return f"{formats.number(value)} {unit}".rstrip()

    def _keep(
        self,
        about: About,
        name: str,
        ends: tuple[float, ...],
        unit: str,
        confidence: float,
        n: int,
        basis: str,
    ) -> None:
        self.rows.append((about.section, about.subject, name, about.load, *ends, unit, confidence, n, basis))

    def table(self) -> pd.DataFrame:
        """Return a row a number: the columns `COLUMNS`, in the units of the metrics."""
        return pd.DataFrame(self.rows, columns=COLUMNS)


_NOTHING = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_BEFORE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_NAMESPACES = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
_ID = re.compile(r'\bid="([^"]*)"')
_REFERENCE = re.compile(r'(xlink:href="#|url\(#)([^")]*)')
_OPENING = re.compile(r"<svg[^>]*>", re.DOTALL)
_PATH = re.compile(r'\bd="([^"]*)"')
_DECIMALS = re.compile(r"(\.\d{2})\d+")
_SIZE = re.compile(r'\s(?:width|height)="[^"]*"')


@contextmanager
def settings() -> Iterator[None]:
    """Let figures be drawn as matplotlib draws by default, whatever the user has set, and with ids that do not vary."""
    need_matplotlib()
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["svg.hashsalt"] = "bufsim"
        # letters as shapes: the page looks the same where the font is missing
        mpl.rcParams["svg.fonttype"] = "path"
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches that belongs to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an SVG element.

    Parameters
    ----------
    figure : Figure
        The figure.
    name : str
        A word that no other figure of the page has: it keeps their ids apart.
    description : str
        What is to be seen, for who cannot see it.
    """
    text = _METADATA.sub("", _BEFORE.sub("", _drawn(figure)))
    text = _ID.sub(rf'id="{name}-\1"', _NAMESPACES.sub("", text))
    text = _PATH.sub(_shortened, _REFERENCE.sub(rf"\g<1>{name}-\2", text)).strip()
    opening = _OPENING.match(text)
    assert opening is not None
    head = _SIZE.sub("", opening.group()).replace("<svg", f'<svg role="img" aria-labelledby="{name}-title"', 1)
    return Markup(head + tag("title", description, id=f"{name}-title") + text[opening.end() :])


def _drawn(figure: Figure) -> str:
    """Return what matplotlib writes of a figure, which is laid out first: `savefig` draws all of it for that alone."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas: Any = FigureCanvasSVG(figure)
    # as print_svg sets it: letters are as wide where the figure is laid out as where it is drawn
    figure.dpi = 72
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    written = io.StringIO()
    canvas.print_svg(written, metadata=_NOTHING)
    return written.getvalue()


def _shortened(path: re.Match[str]) -> str:
    """Return a path's coordinates in hundredths of a point: a long step function has many thousands."""
    return f'd="{_DECIMALS.sub(lambda number: number.group(1), path.group(1))}"'


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
        self.exact = {name: study.is_deterministic(name) for name in study.finished}

    def changes(self, option: str) -> str:
        """What is varied besides policies, as an option has it, in words."""
        return ", ".join(in_words(f"{field} {value!r}") for field, value in self.answer.changes(option).items())

    @property
    def loses(self) -> bool:
        """Whether any scenario can lose jobs, as declared."""
        return any(map(can_lose, self.answer.study.scenarios.values()))

    def losses(self) -> list[Expression]:
        """The metrics of loss that are shown beside the limits and the objective, of which none is one."""
        plan = self.answer.plan
        asked = [plan.objective, *(limit.expression for limit in plan.limits)]
        return [loss for loss in map(expression, SHOWN_OF_LOSS) if self.loses and loss not in asked]

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
        """Basis of the study's numbers."""
        plan = self.answer.plan
        return f"n = {self.answer.study.replications} replications, {formats.level(plan.confidence)} intervals"

    # numbers

    def quantity(self, asked: Expression, intervals: Sequence[Interval | None]) -> Quantity:
        """Return an expression in the unit that fits all of some intervals."""
        return Quantity.of(asked, [interval.estimate for interval in intervals if interval is not None])

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
        with settings():
            figure = new_figure(WIDE, height)
            try:
                draw(figure.subplots(*panels))
            except InvalidValueError as error:
                # what the study does not hold cannot be drawn, and the reader is told so
                why = error.reason if isinstance(error, UndefinedError) else str(error)
                return tag("p", tag("b", f"No picture: {title}. "), self.told(why), class_="note")
            image = svg(figure, name, title)
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
    without_formulas(table).to_csv(written, index=False, lineterminator="\n")
    return written.getvalue()
