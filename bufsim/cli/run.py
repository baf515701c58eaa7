"""``bufsim run``: a model, run once, with its tables and pictures."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bufsim.backtest import Backtest, backtest
from bufsim.cli import inputs, printing
from bufsim.cli.command import DONE, Command, Console
from bufsim.cli.printing import FORMATS, Folder
from bufsim.engines.randomness import fresh_seed
from bufsim.files import file_name
from bufsim.plots.style import need_matplotlib
from bufsim.results.result import Result
from bufsim.simulation import Simulation

DOTS_PER_INCH = 110


def write(folder: Folder, simulation: Simulation, results: Mapping[str, Result]) -> None:
    """Draw the runs, side by side where there are several, and write a PNG for each question.

    buffer_size, batch_sizes and waits come once for each buffer, queue once for each queue with workers.
    """
    need_matplotlib()
    import matplotlib as mpl

    mpl.use("Agg")
    from bufsim.plots import BatchSizes, BufferSize, LossAtStop, Queue, Waits

    runs, labels = list(results.values()), list(results)
    for buffer in simulation.buffers:
        part = f"-{file_name(buffer.id)}" if len(simulation.buffers) > 1 else ""
        for name, picture in (("buffer_size", BufferSize), ("batch_sizes", BatchSizes), ("waits", Waits)):
            _save(folder, f"{name}{part}", picture(runs, labels=labels, buffer=buffer.id).draw())
    _save(folder, "loss_at_stop", LossAtStop(runs, labels=labels).draw())
    if simulation.workers:
        _save(folder, "queue", Queue(runs, labels=labels).draw())


def _save(folder: Folder, name: str, axes: Any) -> None:
    import matplotlib.pyplot as plt

    figure = np.atleast_1d(axes)[0].figure
    folder.write(f"{name}.png", lambda path: figure.savefig(path, dpi=DOTS_PER_INCH, format="png"))
    plt.close(figure)


AS_RECORDED = "as recorded"

_DESCRIPTION = """\
Run a model once: one that a scenario file declares, or one that the options declare. Prints a summary, and writes the
tables of the run and pictures into a directory.

A scenario with a [backtest] table is run twice: once under the recorded flush times, where each predicted batch is
compared with the recorded one, and once under the flush policy that the file, or --policy, gives.
"""
_EXAMPLES = """\
flush policies in words, joined by | (the first due) and & (all due):
  size(200)  bytes(64 MiB)  age(30s)  idle(2s)  gap(10s)  every(15min)  at(1.0, 2.5)  never
  cron('*/15 * * * *', start='2026-03-29T00:00:00+01:00')  size(100).checked_every(5s)
  size(500) & age(0s) takes whole requests: jobs that come at one instant are not split, as size(500) alone does

examples:
  bufsim run data/scenarios/vendure-catalogue.toml
  bufsim run data/scenarios/vendure-catalogue.toml --policy "every(15min)" --out rare
  bufsim run --arrivals poisson:80 --policy "size(200) | age(30s)" --until 2h
  bufsim run --arrivals "trace('jobs.csv', time='ts', unit='ms', key='sku')" --reduce unique_by_key \\
             --policy "every(15min)" --workers "polling(service=20ms)"       (as long as was recorded)

The tables are jobs, flushes, buffer_size, work and attempts, in DIR/run and, of a back-test, in DIR/backtest. All
that a scenario file can say stands in data/scenarios/reference.toml.
"""


def _add_options(parser: argparse.ArgumentParser) -> None:
    inputs.add_options(parser)
    output = parser.add_argument_group("what comes out")
    output.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where to write (default: out)")
    output.add_argument(
        "--format", choices=FORMATS, default="auto", help="of tables (default: Parquet where pyarrow is, else CSV)"
    )
    output.add_argument("--no-pictures", action="store_true", help="write no PNG files")
    output.add_argument(
        "--engine", choices=("simpy", "compiled", "auto"), default="simpy", help="both give the same (default: simpy)"
    )


def _run(options: argparse.Namespace) -> int:
    console, folder = Console.of(options), Folder(options.out, options.format)
    scenario, policies = inputs.scenario_of(options)
    seed = fresh_seed() if options.seed is None else options.seed
    results: dict[str, Result] = {}
    answer: dict[str, Any] = {"title": scenario.title, "seed": seed, "out": str(folder.path)}
    console.say(f"{scenario.title}, seed {seed}")
    if scenario.flushes is not None:
        tested = backtest(scenario.simulation, scenario.flushes, seed=seed)
        results[AS_RECORDED] = tested.result
        answer["backtest"] = _tell_backtest(console, folder, tested)
    results[policies] = scenario.simulation.run(seed=seed, engine=options.engine)
    answer |= _tell_runs(console, folder, results)
    if not options.no_pictures:
        write(folder, scenario.simulation, results)
    folder.clear_earlier()
    answer["files"] = [str(path) for path in folder.written]
    console.say(f"\n{folder.summary()}")
    console.give(answer)
    return DONE


def _tell_backtest(console: Console, folder: Folder, tested: Backtest) -> dict[str, Any]:
    """Print and write the back-test; return it for programs."""
    table = tested.summary()
    lines = [["back-test", *map(str, table.columns)]]
    lines += [[str(name), *(f"{value:,.0f}" for value in row)] for name, row in table.iterrows()]
    console.say(f"\n{printing.columns(lines)}\n\n{textwrap.fill(tested.why(), 110)}")
    folder.table("backtest", tested.flushes)
    folder.result("backtest", tested.result)
    return {"flushes": len(tested.flushes), "differ": len(tested.differing), "why": tested.why()}


def _tell_runs(console: Console, folder: Folder, results: dict[str, Result]) -> dict[str, Any]:
    """Print and write the runs side by side; return them for programs."""
    metrics = printing.table(results)
    *_, result = results.values()
    console.say(f"\n{printing.text(metrics)}")
    warnings = {label: run.warnings() for label, run in results.items()}
    for label, sentences in warnings.items():
        for warning in sentences:
            console.say("\n" + textwrap.fill(f"{label}: {warning}", 110))
    folder.table("summary", metrics, index=True)
    folder.result("run", result)
    return {"engine": result.engine, "runs": metrics.to_dict(), "warnings": warnings}


COMMAND = Command(_DESCRIPTION, _EXAMPLES, _add_options, _run)
