"""Measure bufsim beside other engines, and print the tables: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence

from benchmarks import import_time, readme, small_runs, tables, targets
from benchmarks.engines import ENGINES
from benchmarks.measuring import Results, measure
from benchmarks.works import WORKS

SIZES = (10**4, 10**5, 10**6, 10**7)


def main(words: Sequence[str] | None = None) -> None:
    options = parser().parse_args(words)
    engines = [name for name in options.engines or ENGINES if installed(name)]
    results = measure(
        engines,
        options.works,
        options.sizes,
        rounds=options.rounds,
        budget=options.budget,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    text = "\n\n".join(report(results, options))
    print(text)
    if options.write:
        readme.put("measured", text)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS), metavar="W", help="W1, W2, W3, W4")
    made.add_argument("--sizes", nargs="+", type=lambda text: int(float(text)), default=SIZES, metavar="N", help="jobs")
    made.add_argument("--engines", nargs="+", choices=ENGINES, metavar="NAME", help=", ".join(ENGINES))
    made.add_argument("--rounds", type=int, default=5, help="runs of each engine, of which the median counts (5)")
    made.add_argument("--budget", type=float, default=20.0, help="the longest run that is waited for, s (20)")
    made.add_argument("--write", action="store_true", help="write the tables into benchmarks/README.md")
    return made


def installed(engine: str) -> bool:
    """Return whether an engine's package is there; say so if it is not."""
    package = ENGINES[engine].package
    if importlib.util.find_spec(package) is not None:
        return True
    print(f'{engine} is left out: pip install "bufsim[benchmarks]" installs {package}', file=sys.stderr)
    return False


def report(results: Results, options: argparse.Namespace) -> Iterator[str]:
    """Yield the parts of the report."""
    yield f"{tables.machine()}. Medians of {options.rounds}; load average at the end {tables.load()}."
    yield (f"A dash: not run, for the size before it tells that a run would take more than {options.budget:g} s.")
    for work in options.works:
        yield tables.of_work(results, work)
    yield "### Import, and small runs"
    imports, small = import_time.measure(), small_runs.measure()
    yield import_time.table(imports)
    yield small_runs.table(small)
    yield "### Targets"
    found = [*targets.of_engines(results), *targets.of_simpy_engine(results)]
    yield tables.of_targets([*found, *import_time.targets(imports), *small_runs.targets(small)])


if __name__ == "__main__":
    main()
