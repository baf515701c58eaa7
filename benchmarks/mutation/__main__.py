"""Break bufsim one operator at a time, and count what the tests notice: ``python -m benchmarks.mutation``.

What becomes of each change is written down at once: a run that is cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.measuring import ROOT
from benchmarks.mutation import reaching, trying
from benchmarks.mutation.breaking import Mutant, is_another, mutants

PARTS = {
    "rules": ("model/rules.py",),
    "policies": ("model/policies.py", "model/flush_policy.py"),
    "drains and buffers": ("model/buffers.py",),
    "kernel": ("engines/kernel/*.py",),
    "engines": ("engines/[!_]*.py", "!engines/compilation.py"),
    "stores": ("studies/store.py",),
    "fingerprints": ("studies/fingerprints.py",),
    "statistics": ("statistics/*.py",),
    "limits": ("studies/limit_checks.py", "studies/judging.py", "studies/loss_rule.py"),
    "recommendations": ("studies/recommendation.py",),
    "traces": ("model/traces.py", "model/trace_reading.py", "vendure_trace.py"),
    "theory": ("theory/*.py",),
}
# the tests of modules that have no mirrored ones, or of which others see more; without JIT the kernel is compared with
# itself where the compiled engine stands in for it, and the tests that compare it with SimPy are those that see it
FIRST = {
    "engines/kernel/policy.py": ("engines/kernel/test_policy.py",),
    "engines/kernel/arrivals.py": ("engines/kernel/test_arrivals.py",),
    # these run models of many jobs, which takes minutes uncompiled
    "engines/compiled_engine.py": (),
    "engines/streaming.py": (),
    "engines/counts.py": ("results/test_tallies.py",),
    "engines/order.py": ("engines/test_environment.py", "engines/test_simpy_engine.py"),
    "engines/recording.py": ("engines/test_simpy_engine.py",),
    "engines/simpy_buffers.py": ("engines/test_simpy_engine.py", "engines/test_stops_and_losses.py"),
    "statistics/families.py": ("statistics/test_comparisons.py",),
    "studies/judging.py": ("studies/test_limit_checks.py",),
    "vendure_trace.py": ("test_vendure_trace.py",),
}
# beside those, of all modules of a package
NEAR = {"theory": ("theory/test_recorded_values.py", "theory/test_laws.py")}
# with the processor time that they take where all is well, s; they are not traced
COMPARING = {
    "tests/engines/test_equality.py::test_engines_give_the_same_tables_on_models_of_every_built_in_part": 25.0,
    "tests/results/test_streamed.py::test_what_is_counted_on_the_way_is_what_follows_from_the_tables": 20.0,
    "tests/results/test_streamed.py::test_what_is_counted_of_works_in_order_is_what_follows_from_the_tables": 20.0,
    "tests/engines/kernel/test_coverage.py": 90.0,
}
COMPARED = (
    *("engines/kernel/", "engines/arrays.py", "engines/lowering.py", "engines/order.py", "model/rules.py"),
    *("engines/compiled_engine.py", "engines/streaming.py"),
)
# what takes long and tells little of these modules: pictures, reports, commands, notebooks, other processes
NOT_ASKED = (
    *("benchmarks/*", "plots/*", "report/*", "cli/*", "test_notebooks.py", "test_readme.py", "test_docs.py"),
    *("test_layers.py", "test_docstrings.py", "test_public_names.py", "test_surroundings.py"),
    *("studies/test_dask.py", "studies/test_processes.py", "engines/test_compilation.py"),
    *("engines/kernel/test_coverage.py", "engines/kernel/test_loop.py", "engines/test_equality.py"),
    *("results/test_streamed.py", "engines/test_compiled_engine.py", "engines/test_streaming.py"),
)
FOLDER = ROOT / "build" / "mutation"
SEED = 1
SECONDS = 90.0
"""Of the tests that reach a line those are asked that take so long in all, s of processor time."""
NOTICED, SURVIVED, HUNG = "noticed", "survived", "hung"


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    folder = options.folder.resolve()
    tree = folder / "tree"
    chosen = sample(options.sample, options.seed, options.parts)
    outcomes = Outcomes(folder / "outcomes.jsonl")
    if not options.report:
        trying.copy(tree)
        trying.load()
        reach = Reach(folder / "reached", tree)
        ask(chosen, outcomes, reach, again=options.again)
        if options.all:
            reach.measure(all_files(tree))
            ask(chosen, outcomes, reach, again=True)
    print("\n\n".join(report(chosen, outcomes)))
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    made.add_argument("--sample", type=int, default=400, help="how many of all changes, drawn by chance (400)")
    made.add_argument("--seed", type=int, default=SEED, help=f"of the sample ({SEED})")
    made.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="P", help=", ".join(PARTS))
    made.add_argument("--again", action="store_true", help="try again what survived, after tests were added")
    made.add_argument(
        "--all", action="store_true", help="ask all tests of what those that stand nearest did not notice"
    )
    made.add_argument("--report", action="store_true", help="only print what is known so far")
    made.add_argument("--folder", type=Path, default=FOLDER, help="where it works (build/mutation)")
    return made


def modules(part: str) -> list[str]:
    """Return the paths of the modules of a part."""
    out = {path for pattern in PARTS[part] if pattern[0] == "!" for path in (ROOT / "bufsim").glob(pattern[1:])}
    found = {path for pattern in PARTS[part] if pattern[0] != "!" for path in (ROOT / "bufsim").glob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in found - out)


def sample(n: int, seed: int, parts: Sequence[str]) -> list[Mutant]:
    """Return some of all changes in an order by chance: if a module is changed, those of others stay where they are."""
    sources = {module: (ROOT / module).read_bytes() for part in PARTS for module in modules(part)}
    whole = [mutant for module, data in sources.items() for mutant in mutants(module, data)]
    whole.sort(key=lambda one: hashlib.sha256(f"{seed} {one.module} {one.name}".encode()).digest())
    drawn = itertools.islice((one for one in whole if is_another(one, sources[one.module])), n)
    asked = {module for part in parts for module in modules(part)}
    return [one for one in drawn if one.module in asked]


def first_files(mutant: Mutant) -> list[str]:
    """Return the files of the tests that stand nearest to a module."""
    path = Path(mutant.module).relative_to("bufsim")
    mirrored = (str(path.with_name(f"test_{path.name}")),)
    names = (*FIRST.get(str(path), mirrored), *NEAR.get(path.parts[0], ()))
    return [f"tests/{name}" for name in names if (ROOT / "tests" / name).exists()]


def all_files(tree: Path) -> list[str]:
    """Return the files of all tests that are asked."""
    left_out = {path for pattern in NOT_ASKED for path in (tree / "tests").glob(pattern)}
    return [str(path.relative_to(tree)) for path in (tree / "tests").rglob("test_*.py") if path not in left_out]


class Reach:
    """Which tests reach which lines, of the files of tests that have been measured: each is, once."""

    def __init__(self, folder: Path, tree: Path) -> None:
        self.folder = folder
        self.tree = tree
        self.known = reaching.Map()
        self.modules = [module for part in PARTS for module in modules(part)]
        self._read: set[str] = set()
        folder.mkdir(exist_ok=True)

    def measure(self, files: Sequence[str]) -> None:
        """Measure what is not known yet."""
        for file in files:
            if file in self._read:
                continue
            digest = hashlib.sha256((self.tree / file).read_bytes()).hexdigest()[:8]
            path = self.folder / f"{file.replace('/', '.')}.{digest}.json"
            if not path.exists():
                self._measure(file, path)
            self.known.add(path)
            self._read.add(file)

    def _measure(self, file: str, path: Path) -> None:
        begun = time.monotonic()
        work = partial(reaching.measure, file, self.modules, path)
        trying.in_process(self.tree, work, 900.0, self.folder.parent / "log.txt")
        if not path.exists():
            path.write_text(json.dumps({"tests": {}, "failed": ["all"], "reached": {}}))
        of = json.loads(path.read_text())
        text = f"{file}: {len(of['tests'])} tests, {sum(of['tests'].values()):.0f} s, {len(of['failed'])} left out"
        tell(f"{text}; {trying.elapsed(begun):.0f} s")


def ask(chosen: Sequence[Mutant], outcomes: Outcomes, reach: Reach, *, again: bool) -> None:
    """Ask the tests of each change of which it is not known what becomes of it; `again`: or that it survives."""
    for number, mutant in enumerate(chosen):
        before = outcomes.of(mutant)
        if before is None or (again and before["outcome"] == SURVIVED):
            reach.measure(first_files(mutant))
            asked = set() if before is None else set(before["asked"])
            outcomes.add(mutant, tried(mutant, reach.known, asked, reach.tree, reach.tree.parent / "log.txt"))
            tell(f"{number + 1} of {len(chosen)}: {_line(outcomes.of(mutant))}")


def tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def tried(mutant: Mutant, known: reaching.Map, asked: set[str], tree: Path, log: Path) -> dict[str, Any]:
    """Return what becomes of a change: those tests are asked that reach it, and have not been asked."""
    begun, outcome, by = time.monotonic(), SURVIVED, ""
    asked = set(asked)
    with trying.broken(tree, mutant):
        for tests in rounds(mutant, known, asked):
            asked.update(map(known.name, tests))
            seconds = 20.0 + 5.0 * sum(known.seconds.get(test, 0.0) or COMPARING.get(test, 0.0) for test in tests)
            code = trying.in_process(tree, partial(trying.first_failure, tests), seconds, log)
            if code != 0:
                outcome = HUNG if code is None else NOTICED
                by = "".join(re.findall(r"^(?:FAILED|ERROR) (\S+)", log.read_text(errors="replace"), re.M)[:1])
                break
    asked = sorted(asked) if outcome == SURVIVED else []
    return {"outcome": outcome, "by": by, "asked": asked, "seconds": round(trying.elapsed(begun), 1)}


def rounds(mutant: Mutant, known: reaching.Map, asked: set[str]) -> Iterator[list[str]]:
    """Yield the tests that are asked: of the files that stand nearest, others, and those that compare the engines."""
    found = [test for test in known.tests(mutant.module, mutant.lines) if known.name(test) not in asked]
    first = first_files(mutant)
    own = [test for test in found if test.partition("::")[0] in first]
    others, spent = [], 0.0
    for test in found:
        spent += known.seconds[test]
        if test not in own and (spent <= SECONDS or len(others) < 5):
            others.append(test)
    compared = mutant.module.removeprefix("bufsim/").startswith(COMPARED)
    comparing = [[test] for test in COMPARING if compared and test not in asked]
    yield from (tests for tests in (own, others[:20], *comparing, others[20:]) if tests)


@dataclass
class Outcomes:
    """What became of changes, in a file with a line for each."""

    path: Path

    def __post_init__(self) -> None:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.known = {(of["digest"], of["name"]): of for of in map(json.loads, lines)}

    def of(self, mutant: Mutant) -> dict[str, Any] | None:
        return self.known.get((_digest(mutant.module), mutant.name))

    def add(self, mutant: Mutant, outcome: dict[str, Any]) -> None:
        of = {
            "digest": _digest(mutant.module),
            "name": mutant.name,
            "where": f"{mutant.module}:{mutant.line}",
            "kind": mutant.kind,
            "before": mutant.before[:200],
            "after": mutant.after[:200],
            **outcome,
        }
        with self.path.open("a") as file:
            file.write(json.dumps(of) + "\n")
        self.known[of["digest"], of["name"]] = of


def _digest(module: str) -> str:
    return hashlib.sha256((ROOT / module).read_bytes()).hexdigest()[:12]


def report(chosen: Sequence[Mutant], outcomes: Outcomes) -> Iterator[str]:
    """Yield how many were noticed, by part, and what survived."""
    found = {mutant: of for mutant in chosen if (of := outcomes.of(mutant)) is not None}
    rows = []
    for part in PARTS:
        counts = Counter(of["outcome"] for mutant, of in found.items() if mutant.module in modules(part))
        rows.append(_row(part, counts))
    rows.append(_row("all", Counter(of["outcome"] for of in found.values())))
    yield tables.table(["part", "broken", "noticed", "of these hung", "survived", "noticed, %"], rows)
    yield "\n".join(_line(of) for of in found.values() if of["outcome"] == SURVIVED)


def _row(name: str, counts: Counter[str]) -> list[str]:
    noticed = counts[NOTICED] + counts[HUNG]
    share = f"{100 * noticed / counts.total():.1f}" if counts else "-"
    return [name, str(counts.total()), str(noticed), str(counts[HUNG]), str(counts[SURVIVED]), share]


def _line(of: dict[str, Any]) -> str:
    before, after = (" ".join(of[key].split()) for key in ("before", "after"))
    told = f"{of['where']}: {of['kind']}: {before!r} -> {after!r}: {of['outcome']}"
    return f"{told} ({of['by'] or len(of['asked'])}, {of['seconds']:g} s) [{of['name']}]"


if __name__ == "__main__":
    sys.exit(main())
