"""Policies side by side, as text: their metrics with intervals, and under them the paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bufsim.cli.summary import columns
from bufsim.studies.comparisons import Compared, Comparisons
from bufsim.studies.evaluations import UndefinedError
from bufsim.studies.exactness import is_exact
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.plots.quantities import ends
from bufsim.studies.quantities import Quantity
from bufsim.studies.statistics import Interval
from bufsim.studies.study_result import StudyResult

_WIDTH = 118
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letters(names: Sequence[str]) -> dict[str, str]:
    """Return a letter for each name, or a number where there are more names than letters.

    Examples
    --------
    >>> letters(["every(15min)", "size(200)"])
    {'every(15min)': 'A', 'size(200)': 'B'}
    """
    short = _LETTERS if len(names) <= len(_LETTERS) else [str(number) for number in range(1, len(names) + 1)]
    return dict(zip(names, short, strict=False))


def all_exact(result: StudyResult) -> bool:
    """Return whether nothing in any of the models is drawn at random."""
    return all(is_exact(list(result.tallies[name].values())) for name in result.finished)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The metrics of a study's policies, and how the policies differ.

    Parameters
    ----------
    result : StudyResult
        What ran.
    comparisons : Comparisons
        What was compared.
    metrics : tuple of str
        The metrics that are shown, also where there is nothing to compare.
    """

    result: StudyResult
    comparisons: Comparisons
    metrics: tuple[str, ...]

    def text(self) -> str:
        """Return a row a policy, then two rows a pair, in as many blocks of metrics as the width needs."""
        asked = dict.fromkeys(expression(metric) for metric in self.metrics)
        blocks = _blocks(self._labels(), [self._cells(one) for one in asked])
        return "\n\n".join(columns(block) for block in blocks)

    def _labels(self) -> list[str]:
        """Return what stands at the left of each row."""
        short = letters(self.result.finished)
        policies = [f"{letter}  {name}" for name, letter in short.items()]
        differences = [label for first, second in self._pairs() for label in (f"{short[first]} - {short[second]}", "")]
        return ["policy", *policies, *([""] if differences else []), *differences]

    def _pairs(self) -> list[tuple[str, str]]:
        """Return the pairs in the order of the policies; a metric without a value is not in all of them."""
        place = {name: number for number, name in enumerate(self.result.finished)}
        pairs = {(row.first, row.second) for row in self.comparisons.rows}
        return sorted(pairs, key=lambda pair: (place[pair[0]], place[pair[1]]))

    def _cells(self, metric: Expression) -> list[str]:
        """Return the column of a metric."""
        intervals = [self._interval(metric, name) for name in self.result.finished]
        quantity = Quantity.of(metric, ends([one for one in intervals if one is not None]))
        exact = all_exact(self.result)
        cells = [quantity.label, *(_written(quantity, one, exact) for one in intervals)]
        compared = {(row.first, row.second): row for row in self.comparisons.rows if row.expression == metric}
        pairs = self._pairs()
        cells += [""] if pairs else []
        for pair in pairs:
            row = compared.get(pair)
            shown = None if row is None else row.comparison.interval
            cells += [_written(quantity, shown, exact), "" if row is None else _verdict(row, exact)]
        return cells

    def _interval(self, metric: Expression, scenario: str) -> Interval | None:
        try:
            return self.result.interval(metric, scenario)
        except UndefinedError:
            return None


def _written(quantity: Quantity, interval: Interval | None, exact: bool) -> str:
    if interval is None:
        return "undefined"
    shown = quantity.interval(interval)
    return f"{shown.estimate:,.4g}" if exact else str(shown)


def _verdict(row: Compared, exact: bool) -> str:
    """Return the verdict, the replications needed, and what pairing gained where it gained anything."""
    needed, ratio = row.comparison.replications_needed(), row.comparison.difference.variance_ratio
    if exact or needed is None:
        return row.verdict
    count = ">1,000,000" if needed > 1_000_000 else f"≈{float(f'{needed:.2g}'):,.0f}"
    gained = "∞" if math.isinf(ratio) else f"{ratio:.2g}"
    return f"{row.verdict}, n{count}" + ("" if gained == "1" else f", ×{gained}")  # noqa: RUF001  # times, as books write it


def _blocks(labels: list[str], body: Sequence[list[str]]) -> Iterator[list[list[str]]]:
    """Yield the lines of each block: the labels, and as many of the columns as the width holds."""
    lines, used = [[label] for label in labels], max(map(len, labels))
    for column in body:
        width = 2 + max(map(len, column))
        if len(lines[0]) > 1 and used + width > _WIDTH:
            yield lines
            lines, used = [[label] for label in labels], max(map(len, labels))
        used += width
        lines = [[*line, cell] for line, cell in zip(lines, column, strict=True)]
    yield lines
