"""``bufsim metrics``: what can be compared, limited and minimised, a line a metric."""

from __future__ import annotations

import argparse

from bufsim.cli.command import DONE, Command, Console
from bufsim.results.metrics import METRICS

_DESCRIPTION = """\
List the metrics: name, unit and meaning. Each is understood without its unit too (mean_wait), any quantile besides
those listed (p99.9_wait_s, median_wait), and each for one buffer or queue alone (p99_wait[search]).
"""
_EXAMPLES = """\
examples:
  bufsim metrics
  bufsim metrics wait
"""


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", nargs="?", default="", metavar="PART", help="only names with this in them")


def _run(options: argparse.Namespace) -> int:
    console = Console.of(options)
    listed = [metric for metric in METRICS.values() if options.part in metric.name]
    width = max((len(metric.name) for metric in listed), default=0)
    for metric in listed:
        console.say(f"{metric.name:<{width}}  {metric.unit or '-':<6} {metric.meaning}")
    if not listed:
        console.say(f"no metric has {options.part!r} in its name")
    facts = [{"name": metric.name, "unit": metric.unit, "meaning": metric.meaning} for metric in listed]
    console.give({"metrics": facts})
    return DONE


COMMAND = Command(_DESCRIPTION, _EXAMPLES, _add_options, _run, without_seed="")
