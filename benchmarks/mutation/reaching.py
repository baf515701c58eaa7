"""Which test reaches which line of the modules that are broken: measured once, a test file after the other."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LONGEST = 20.0
"""A test that takes longer, s of processor time, is not asked."""
AT_IMPORT = ""


class _TooLongError(BaseException):
    """Of a kind that no test catches."""


def processor_time() -> float:
    """Return the processor time of this process and those that it started, s."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


class Watch:
    """A plugin of pytest: what each test function takes, whether it passes, and which lines it reaches.

    What a fixture reaches counts for all tests of the file, for one may share what it makes with the others.
    """

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(_file(item))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        name = function(item.nodeid)
        self.coverage.switch_context(name)
        begun = processor_time()
        try:
            with _ringing():
                return (yield)
        finally:
            self.seconds[name] += processor_time() - begun
            self.coverage.switch_context(_file(item))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.skipped:
            self.failed.add(function(report.nodeid))


class _ringing:  # noqa: N801 - a context manager
    def __enter__(self) -> None:
        def ring(*_: object) -> None:
            raise _TooLongError

        self.before = signal.signal(signal.SIGVTALRM, ring)
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, self.before)


def function(nodeid: str) -> str:
    """Return the test function of which a test is a case."""
    return nodeid.partition("[")[0]


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def measure(file: str, modules: list[str], path: Path) -> int:
    """Run the tests of a file, and write what they reach of some modules; in a process of its own."""
    import coverage

    include = [str(Path(module).resolve()) for module in modules]
    watched = coverage.Coverage(data_file=None, include=include, config_file=False)
    watched.start()
    watch = Watch(watched)
    pytest.main(["-q", "-n0", "-p", "no:cacheprovider", file], plugins=[watch])
    watched.stop()
    data, reached = watched.get_data(), defaultdict(dict)
    for module in modules:
        lines: dict[str, list[int]] = defaultdict(list)
        for line, contexts in sorted(data.contexts_by_lineno(str(Path(module).resolve())).items()):
            for context in contexts:
                lines[context].append(line)
        for context, of in lines.items():
            reached[context][module] = of
    tests = {name: round(seconds, 4) for name, seconds in watch.seconds.items() if name not in watch.failed}
    text = json.dumps({"tests": tests, "failed": sorted(watch.failed), "reached": reached})
    written = path.with_suffix(f".{os.getpid()}")
    written.write_text(text)
    written.replace(path)
    return 0


class Map:
    """Which tests reach a line."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.reached: dict[str, dict[str, set[int]]] = {}
        self.digests: dict[str, str] = {}

    def add(self, path: Path) -> None:
        """Add what was measured of a file of tests."""
        of = json.loads(path.read_text())
        self.seconds |= of["tests"]
        self.digests |= dict.fromkeys(of["tests"], path.name.split(".")[-2])
        for context, modules in of["reached"].items():
            known = self.reached.setdefault(context or AT_IMPORT, {})
            for module, lines in modules.items():
                known.setdefault(module, set()).update(lines)

    def name(self, test: str) -> str:
        """Return a test's name with a digest of its file: changed, it is another."""
        return f"{test} {self.digests[test]}" if test in self.digests else test

    def tests(self, module: str, lines: tuple[int, int]) -> list[str]:
        """Return the tests that reach one of the lines, the cheapest first.

        What is run at the import alone is reached by every test that reaches the module.
        """
        span = set(range(lines[0], lines[1] + 1))

        def reaches(context: str, wanted: set[int] | None) -> bool:
            found = self.reached.get(context, {}).get(module, set())
            return bool(found & wanted) if wanted is not None else bool(found)

        def all_that_reach(wanted: set[int] | None) -> list[str]:
            return [test for test in self.seconds if reaches(test, wanted) or reaches(test.partition("::")[0], wanted)]

        found = all_that_reach(span) or (all_that_reach(None) if reaches(AT_IMPORT, span) else [])
        return sorted(found, key=lambda test: (self.seconds[test], test))
