"""Single runs for pictures: of a policy the median and the worst of its replications."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from bufsim.plots import BatchSizes, BufferSize, Waits
from bufsim.report.draft import About, Draft
from bufsim.report.markup import Content, Markup, content, table, tag
from bufsim.report.options import shown_options, written
from bufsim.results.result import Result
from bufsim.results.shown import REPORTED_FLUSHES, REPORTED_USE, Line
from bufsim.simulation import Engine
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.plan import PlanAnswer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SingleRun(NamedTuple):
    """One replication, run again with all its tables."""

    number: int
    result: Result


@dataclass(slots=True)
class SingleRuns:
    """The median and the worst replication of some policies, at the load planned for.

    Parameters
    ----------
    answer : PlanAnswer
        What is reported.
    by : Expression
        What replications are ordered by: more of it is worse, unless more of it is better.
    """

    answer: PlanAnswer
    by: Expression
    kept: dict[tuple[str, int], SingleRun] = field(default_factory=dict)

    def median(self, option: str) -> SingleRun:
        """Return the replication in the middle, of two the lower."""
        order = self._order(option)
        return self._run(option, order[(len(order) - 1) // 2])

    def worst(self, option: str) -> SingleRun:
        """Return the replication that did worst."""
        return self._run(option, self._order(option)[-1])

    def _order(self, option: str) -> list[int]:
        """Return the replications of an option, the best first."""
        scenario = self.answer.scenario(option)
        study = self.answer.study
        values = study.measured(self.by, scenario).raw()
        sign = -1.0 if self.by.better == "higher" else 1.0
        order = np.argsort(np.nan_to_num(sign * values, nan=np.inf), kind="stable")
        return [list(study.tallies[scenario])[index] for index in order]

    def _run(self, option: str, number: int) -> SingleRun:
        if (option, number) not in self.kept:
            study, scenario = self.answer.study, self.answer.scenario(option)
            engine = cast("Engine", study.engines[scenario])
            result = study.scenarios[scenario].run(study.seed, engine=engine, replication=number)
            self.kept[option, number] = SingleRun(number, result)
        return self.kept[option, number]


_SECTION = "7 short list"
_PAGES = 3


def section(draft: Draft, runs: SingleRuns) -> Markup:
    """Return the section."""
    options = shown_options(draft)[:_PAGES]
    return content(_page(draft, runs, option, number) for number, option in enumerate(options, 1))


def _page(draft: Draft, runs: SingleRuns, option: str, number: int) -> Markup:
    median, worst = runs.median(option), runs.worst(option)
    buffer = busiest(median)
    return tag(
        "div",
        tag("h3", f"7.{number} {draft.label(option)}"),
        tag("p", _what(draft, runs, median, worst, buffer)),
        tag(
            "div",
            _table(draft, option, REPORTED_FLUSHES, "Flushes, and what causes them"),
            _table(draft, option, REPORTED_USE, "What it holds and uses"),
            class_="side-by-side",
        ),
        _sizes(draft, median, worst, buffer, number),
        _batches(draft, median, buffer, number),
        _waits(draft, median, buffer, number),
        class_="policy",
    )


def busiest(run: SingleRun) -> str:
    """Return the buffer that the most jobs come to."""
    return str(run.result.jobs["buffer"].value_counts().index[0])


def _what(draft: Draft, runs: SingleRuns, median: SingleRun, worst: SingleRun, buffer: str) -> str:
    of = f"Pictures are of buffer {buffer}. " if len(draft.answer.plan.simulation.buffers) > 1 else ""
    name = draft.quantity(runs.by, []).name
    return (
        f"{of}Replications are ordered by {name}: the median is replication {median.number}, the worst {worst.number}. "
        f"At {draft.answer.plan.load:g} times today's load."
    )


def _sizes(draft: Draft, median: SingleRun, worst: SingleRun, buffer: str, number: int) -> Markup:
    shown = {f"median run, replication {median.number}": median.result}
    shown |= {f"worst run, replication {worst.number}": worst.result}
    labels, results = list(shown), list(shown.values())
    picture = BufferSize(results, labels=labels, buffer=buffer)
    return draft.figure(
        f"size-{number}",
        "One run in each panel: the buffer size, with every flush and its cause",
        picture.draw,
        lambda: picture.frame().query("mark != 'size'"),
        height=2.25 * len(results),
        panels=(len(results), 1),
    )


def _batches(draft: Draft, median: SingleRun, buffer: str, number: int) -> Markup:
    picture = BatchSizes(median.result, buffer=buffer)
    return draft.figure(
        f"batches-{number}",
        f"One run: batch sizes by cause (the median run, replication {median.number})",
        picture.draw,
        picture.frame,
        height=2.7,
    )


def _waits(draft: Draft, median: SingleRun, buffer: str, number: int) -> Markup:
    picture = Waits(median.result, buffer=buffer)

    def draw(ax: Axes) -> None:
        picture.draw(ax)
        ax.set_ylabel("share of jobs")

    return draft.figure(
        f"waits-{number}",
        f"One run: the share of jobs with at most this wait (the median run, replication {median.number})",
        draw,
        lambda: picture.frame().iloc[:: max(len(median.result.jobs) // 200, 1)],
        height=2.6,
    )


def _table(draft: Draft, option: str, lines: tuple[Line, ...], title: str) -> Markup:
    answer, study = draft.answer, draft.answer.study
    scenario = answer.scenario(option)
    rows: list[tuple[Content, ...]] = []
    for name, if_any in ((name, line.if_any) for line in lines for name in line.metrics):
        asked = expression(name)
        values = study.measured(asked, scenario).raw()
        if np.isnan(values).any() or (if_any and not values.any()):
            continue
        shown = draft.quantity(asked, [study.interval(asked, scenario)])
        text = draft.measured(About(_SECTION, option, answer.plan.load), asked, study, scenario, shown)
        rows.append((shown.label, written(text)))
    return table(("Metric, all buffers", "Value"), rows, caption=f"{title}; {draft.basis}", class_="half")
