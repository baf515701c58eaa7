"""Policies side by side, as text: their metrics with intervals, and under them the paired differences."""

from __future__ import annotations

import argparse
import itertools
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bufsim import checks, formats, spelling
from bufsim.cli import inputs
from bufsim.cli.command import DONE, Command, Console
from bufsim.cli.printing import FORMATS, Folder, columns
from bufsim.engines.randomness import fresh_seed
from bufsim.errors import InvalidValueError
from bufsim.model.buffers import FlushTime
from bufsim.model.reducers import KeepAll
from bufsim.plots.style import need_matplotlib
from bufsim.plots.subjects import ends
from bufsim.results.losses import can_lose
from bufsim.results.shown import SHOWN_OF_LOSS, shown_of_comparison
from bufsim.simulation import Simulation
from bufsim.spelling import naming
from bufsim.statistics import Interval
from bufsim.studies.comparisons import Compared, Comparisons
from bufsim.studies.estimates import UndefinedError
from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.quantities import Quantity
from bufsim.studies.scenarios import grid
from bufsim.studies.study import Study
from bufsim.studies.study_numbers import IncompleteError
from bufsim.studies.study_result import StudyResult
from bufsim.studies.varied import Choice, read

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_WIDTH = 118
_PLURAL = {"policy": "policies", "scenario": "scenarios"}
_JOINT = " · "
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
    """Whether nothing in any of the models is drawn at random."""
    return all(map(result.is_deterministic, result.finished))


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
    kind : {"policy", "scenario"}
        What is compared: policies alone, or something else too.
    """

    result: StudyResult
    comparisons: Comparisons
    metrics: tuple[str, ...]
    kind: str = "policy"

    def text(self) -> str:
        """Return a row a policy, then two rows a pair, in as many blocks of metrics as the width needs."""
        columns_of = dict.fromkeys(expression(metric) for metric in self.metrics)
        blocks = _blocks(self._labels(), [self._cells(metric) for metric in columns_of])
        return "\n\n".join(columns(block) for block in blocks)

    def _labels(self) -> list[str]:
        """The labels at the left of the rows."""
        short = letters(self.result.finished)
        policies = [f"{letter}  {name}" for name, letter in short.items()]
        differences = [label for first, second in self._pairs() for label in (f"{short[first]} - {short[second]}", "")]
        return [self.kind, *policies, *([""] if differences else []), *differences]

    def _pairs(self) -> list[tuple[str, str]]:
        """Return the pairs in the order of the policies; a metric without a value is not in all of them."""
        index = {name: number for number, name in enumerate(self.result.finished)}
        pairs = {(row.first, row.second) for row in self.comparisons.rows}
        return sorted(pairs, key=lambda pair: (index[pair[0]], index[pair[1]]))

    def _cells(self, metric: Expression) -> list[str]:
        """Return the column of a metric."""
        intervals = [self._interval(metric, name) for name in self.result.finished]
        quantity = Quantity.of(metric, ends([interval for interval in intervals if interval is not None]))
        exact = all_exact(self.result)
        cells = [quantity.label, *(_written(quantity, interval, exact) for interval in intervals)]
        compared = {(row.first, row.second): row for row in self.comparisons.rows if row.expression == metric}
        pairs = self._pairs()
        cells += [""] if pairs else []
        for pair in pairs:
            row = compared.get(pair)
            difference = None if row is None else row.comparison.interval
            cells += [_written(quantity, difference, exact), "" if row is None else _verdict(row, exact)]
        return cells

    def _interval(self, metric: Expression, scenario: str) -> Interval | None:
        try:
            return self.result.interval(metric, scenario)
        except UndefinedError:
            return None


def _written(quantity: Quantity, interval: Interval | None, exact: bool) -> str:
    if interval is None:
        return "undefined"
    scaled = quantity.interval(interval)
    return f"{scaled.estimate:,.4g}" if exact else str(scaled)


def _verdict(row: Compared, exact: bool) -> str:
    """Return the verdict, the replications needed, and what pairing gained where it gained anything."""
    needed, ratio = row.comparison.replications_needed(), row.comparison.difference.variance_ratio
    if exact or needed is None:
        return row.verdict
    count = ">1,000,000" if needed > 1_000_000 else f"≈{formats.number(needed, 2)}"
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


DOTS_PER_INCH = 110
_MOST_ROWS = 40


def write(folder: Folder, result: StudyResult, metrics: Sequence[str], margin: object) -> list[str]:
    """Draw the forest of differences and the Pareto front of the first two metrics, and write a PNG for each.

    Returns
    -------
    list of str
        Why a picture could not be drawn, for each that could not.
    """
    need_matplotlib()
    import matplotlib as mpl

    mpl.use("Agg")
    count = len(result.finished)
    pairs = count - 1 if result.baseline is not None else count * (count - 1) // 2
    # of a loss that a policy does not have no difference is a share, and one that nobody has is no objective
    losses = {name: result.values(name).to_numpy() for name in metrics if name in SHOWN_OF_LOSS}
    shares = [name for name in metrics if name not in losses or losses[name].all()]
    objectives = [name for name in metrics if name not in losses or losses[name].any()]
    drawable = shares[: max(_MOST_ROWS // max(pairs, 1), 1)]
    drawn: dict[str, Callable[[], Axes]] = {"differences": lambda: result.plot.differences(drawable, margin=margin)}
    if len(objectives) > 1:
        drawn["pareto"] = lambda: result.plot.pareto(objectives[0], objectives[1])
    return [problem for name, draw in drawn.items() if (problem := _save(folder, name, draw))]


def _save(folder: Folder, name: str, draw: Callable[[], Axes]) -> str:
    import matplotlib.pyplot as plt

    try:
        figure = draw().get_figure(root=True)
    except InvalidValueError as error:
        why = error.reason if isinstance(error, UndefinedError) else error
        return f"no picture {name}.png: {why}"
    assert figure is not None
    folder.write(f"{name}.png", lambda path: figure.savefig(path, dpi=DOTS_PER_INCH, format="png"))
    plt.close(figure)
    return ""


_DESCRIPTION = """\
Compare flush policies, or other values (--vary): each runs as often as asked, and all meet the same arrivals and draws.
Prints every metric with its confidence interval, and for every two policies the paired difference, with a verdict that
is adjusted for all the comparisons made: better, worse, equivalent (with --margin), identical, or not separable; with
the replications that would show the difference, and how many times as many without pairing.
"""
_EXAMPLES = """\
examples:
  bufsim compare data/scenarios/reference.toml --policy "every(15min)" --policy "size(200) | age(30s)"
  bufsim compare shop.toml --policy "size(200) | age(30s)"         (against the policy that the file has)
  bufsim compare shop.toml --policy "size(100)" --policy "size(200)" --metric p99_wait --metric utilisation --margin 5%
  bufsim compare --arrivals poisson:80 --until 1h --policy "every(5s)" --policy "age(5s)" --policy "size(400)" -n 50
  bufsim compare shop.toml --vary "capacity=2048,6144,none"        (under the policy that the file has)
  bufsim compare shop.toml --policy "age(5s)" --vary "drain=all,at_most(512)" --vary "concurrency=1,2,4"

What --vary takes besides: storage=in_memory,durable  flush_time=50ms,100ms  workers=push(3),polling  service=20ms,40ms
poll_interval  per_item  failure  retries  backoff  reduce  collect  stops  durable_queue  until  warm_up; in the words
of a scenario file. A single value is compared with what the model has.

The words for policies are those of bufsim run --help. A metric is a name (p99_wait, work_saved_share, p99_wait[search])
or an expression of them ("0.4 * flush_rate_per_s + 0.01 * mean_buffer_size_jobs"); bufsim metrics lists the names.
"""


def _add_options(parser: argparse.ArgumentParser) -> None:
    inputs.add_options(parser, several=True)
    inputs.add_vary(parser, "every combination is compared")
    question = parser.add_argument_group("what is asked")
    inputs.add_replications(question, 30)
    question.add_argument("--metric", action="append", metavar="NAME", help="what is compared (default: what fits)")
    question.add_argument(
        "--baseline", metavar="WORDS", help="compare all others with this policy (default: every two with each other)"
    )
    question.add_argument(
        "--margin",
        action="append",
        metavar="[METRIC=]SIZE",
        help="a difference that does not matter: 5%%, p99_wait=50ms; smaller ones are equivalent",
    )
    inputs.add_study_options(parser)
    output = parser.add_argument_group("what comes out")
    output.add_argument("--out", type=Path, metavar="DIR", help="write tables and pictures there")
    output.add_argument("--format", choices=FORMATS, default="auto", help="of tables (as for bufsim run)")
    output.add_argument("--no-pictures", action="store_true", help="write no PNG files")


def _run(options: argparse.Namespace) -> int:
    console = Console.of(options)
    folder = None if options.out is None else Folder(options.out, options.format)
    title, scenarios = _scenarios(options)
    seed = fresh_seed() if options.seed is None else options.seed
    study = Study(scenarios, seed=seed, baseline=options.baseline)
    metrics = options.metric or usual_metrics(*scenarios.values())
    result = study.run(options.replications, engine=options.engine, **inputs.how(options))
    margin = _margin(options.margin)
    if not result.finished and not result.complete:
        raise KeyboardInterrupt
    comparisons = _compared(result, metrics, margin)
    kind = "scenario" if options.vary else "policy"
    _tell(console, title, result, comparisons, metrics, kind)
    answer = _answer(title, result, comparisons, metrics)
    if folder is not None:
        _write(folder, result, comparisons, metrics)
        if not options.no_pictures:
            for problem in write(folder, result, metrics, margin):
                console.say(_wrapped(problem))
        folder.clear_earlier()
        answer["files"] = [str(path) for path in folder.written]
        console.say(f"\n{folder.summary()}")
    console.give(answer)
    if not result.complete:
        raise KeyboardInterrupt
    return DONE


def _compared(result: StudyResult, metrics: Sequence[str], margin: str | dict[str, str] | None) -> Comparisons:
    """Return the comparisons; none where an interrupt left too little."""
    try:
        return result.compare(*metrics, pairs=_pairs(result), margin=margin, where_defined=True)
    except IncompleteError:
        return Comparisons(())


def _scenarios(options: argparse.Namespace) -> tuple[str, dict[str, Simulation]]:
    """Return the title of what is asked, and a simulation for each policy, and each value varied, by its words."""
    policies: list[str] = options.policy or []
    checks.unique("--policy", policies)
    own = options.scenario is not None and len(policies) == 1
    first = argparse.Namespace(**(vars(options) | {"policy": None if own or not policies else policies[0]}))
    scenario, words = inputs.scenario_of(first)
    simulations = {words: scenario.simulation}
    # variations of one simulation, so that they share what is drawn
    for other in policies if own else policies[1:]:
        simulations[other] = scenario.simulation.with_policy(spelling.policy(other, name="--policy"))
    if len(simulations) < 2 and not options.vary:
        raise InvalidValueError(
            f"a comparison needs two different policies at least, got {words!r} alone; give --policy again, such as "
            '--policy "size(200) | age(30s)", or vary something else, such as --vary "capacity=100,1000"'
        )
    return scenario.title, _varied(simulations, options.vary or [])


def _varied(simulations: dict[str, Simulation], texts: Sequence[str]) -> dict[str, Simulation]:
    """Return every simulation with every combination of the values; one value alone, and as declared."""
    varied = [read(text) for text in texts]
    checks.unique("fields of --vary", [field for field, _ in varied])
    steps = list(itertools.product(*map(_steps, varied)))
    found: dict[str, Simulation] = {}
    for (policy, simulation), chosen in itertools.product(simulations.items(), steps):
        parts = [words for words, _ in chosen]
        name = _JOINT.join([policy, *parts] if len(simulations) > 1 or not parts else parts)
        over = {field: [value] for _, step in chosen for field, value in step.items()}
        with naming("--vary"):
            (found[name],) = grid(simulation, over).values() if over else [simulation]
    return found


def _steps(varied: tuple[str, list[Choice]]) -> list[tuple[str, dict[str, object]]]:
    """Return the values of a field, each with its words; of a single one also that the field stays as it is."""
    field, values = varied
    as_declared: list[tuple[str, dict[str, object]]] = [(f"{field} as declared", {})] if len(values) == 1 else []
    return [*as_declared, *((f"{field} {choice.words}", {field: choice.value}) for choice in values)]


def usual_metrics(*simulations: Simulation) -> list[str]:
    """Return the metrics that a planner asks first, of those that say something about any of these models."""
    buffers = [buffer for simulation in simulations for buffer in simulation.buffers]
    return shown_of_comparison(
        takes_time=any(buffer.flush_time != FlushTime(0.0) for buffer in buffers),
        reduces=any(buffer.reduce != KeepAll() for buffer in buffers),
        loses=any(map(can_lose, simulations)),
    )


def _pairs(result: StudyResult) -> list[tuple[str, str]] | None:
    """Return every two policies, the later one first; None where there is a baseline."""
    names = result.finished
    if result.baseline is not None or len(names) < 2:
        return None
    return [(names[later], names[earlier]) for later in range(len(names)) for earlier in range(later)]


def _margin(given: Sequence[str] | None) -> str | dict[str, str] | None:
    """Return the margin for all metrics, or those by metric."""
    if not given:
        return None
    named = [text.rpartition("=") for text in given]
    if all(name for name, _, _ in named):
        return {name.strip(): size.strip() for name, _, size in named}
    if len(given) > 1:
        raise InvalidValueError(f"--margin must be one size, or METRIC=SIZE for each metric, got {', '.join(given)}")
    return given[0]


def _tell(
    console: Console, title: str, result: StudyResult, comparisons: Comparisons, metrics: Sequence[str], kind: str
) -> None:
    engines = " and ".join(sorted({result.engines[name] for name in result.finished}))
    part = ""
    if not result.complete:
        part = f", INTERRUPTED: this is what was finished (replications: {result.replication_counts()})"
    console.say(
        f"{title}: {len(result.finished)} {_PLURAL[kind]}, {result.replications} replications each under common random "
        f"numbers, seed {result.seed}, {engines} engine{part}\n"
    )
    console.say(f"{SideBySide(result, comparisons, tuple(metrics), kind).text()}\n")
    console.say(_wrapped(basis(result, comparisons, _PLURAL[kind])))
    for row in comparisons.rows:
        if row.verdict in ("not separable", "equivalent"):
            console.say(_wrapped(row.sentence()))
    for sentence in [*_left_out(result, metrics), *_doubts(result)]:
        console.say("\n" + _wrapped(sentence))


def basis(result: StudyResult, comparisons: Comparisons, kinds: str = "policies") -> str:
    """The basis of the numbers, in words."""
    if not comparisons.rows:
        if not result.complete:
            return f"Nothing is compared: it was interrupted before two {kinds} had two replications in common."
        return f"Nothing is compared: no two {kinds} have a value of any of these metrics."
    level = f"{formats.level(comparisons.rows[0].comparison.interval.confidence)}"
    count = len(comparisons.rows)
    together = f"together (Holm over {count} comparisons)" if count > 1 else "(one comparison)"
    if all_exact(result):
        return (
            "All numbers are exact: nothing in this model is drawn at random, and every replication is the same. They "
            "say what would have been on the recorded day, and nothing of other days."
        )
    return (
        f"Paired differences over {result.replications} replications. The intervals of {kinds} hold at {level} each, "
        f"those of differences and the verdicts at {level} {together}. Under each difference stand its verdict, n≈ the "
        "replications that would show it, and × how many times as many without pairing, where that is not 1."  # noqa: RUF001  # times, as books write it
    )


def _left_out(result: StudyResult, metrics: Sequence[str]) -> list[str]:
    """Return why a metric of a policy has no value, so that it is in no comparison."""
    table = result.intervals(*metrics)
    return [f"{reason}; it is left out of the comparisons" for reason in table["method"][table["estimate"].isna()]]


def _doubts(result: StudyResult) -> list[str]:
    failed = result.failures.drop_duplicates("scenario").itertuples()
    return [*(f"failed: {failure.scenario}: {failure.error}" for failure in failed), *result.warnings()]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 110)


def _answer(title: str, result: StudyResult, comparisons: Comparisons, metrics: Sequence[str]) -> dict[str, Any]:
    """Return the whole answer for programs."""
    return {
        "title": title,
        "seed": result.seed,
        "replications": result.replications,
        "complete": result.complete,
        "engines": dict(result.engines),
        "intervals": result.intervals(*metrics).to_dict("records"),
        "differences": comparisons.table().to_dict("records"),
        "sentences": comparisons.sentences(),
        "failures": result.failures.to_dict("records"),
        "warnings": result.warnings(),
    }


def _write(folder: Folder, result: StudyResult, comparisons: Comparisons, metrics: Sequence[str]) -> None:
    folder.table("intervals", result.intervals(*metrics))
    folder.table("differences", comparisons.table())
    folder.table("replications", result.metrics(*metrics))


COMMAND = Command(_DESCRIPTION, _EXAMPLES, _add_options, _run)
