"""Figures as Markdown tables, which read well in a terminal too."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.engines import ENGINES, PLAIN
from benchmarks.measuring import Measurement, Results
from benchmarks.targets import Target
from benchmarks.works import WORKS

MISSING = "-"
_POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PACKAGES = ("bufsim", "numpy", "pandas", "numba", "simpy", "salabim", "ciw", "cimba")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table, its first columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if number < left else "-" * (width - 1) + ":" for number, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def of_work(results: Results, work: str) -> str:
    """Return the tables of one work: CPU time, how often quicker than plain SimPy, and peak memory."""
    sizes = sorted({n for _, of, n in results if of == work})
    engines = [engine for engine in ENGINES if any((engine, work, n) in results for n in sizes)]

    def times_plain(measurement: Measurement) -> str:
        plain = results.get((PLAIN, work, measurement.jobs))
        return MISSING if plain is None else f"{plain.median / measurement.median:.3g}"

    parts = [f"### {work}: {WORKS[work].meaning}"]
    for title, cell in (
        ("CPU time, ms", lambda m: _digits(1e3 * m.median)),
        ("of it in the operating system, ms", lambda m: _digits(1e3 * m.in_system)),
        ("CPU time of the first run, ms", lambda m: _digits(1e3 * m.first)),
        (f"times as quick as {PLAIN}", times_plain),
        ("peak memory, MB", lambda m: f"{m.peak:.0f}"),
    ):
        parts.append(_by_size(results, work, engines, sizes, title, cell))
    return "\n\n".join(parts)


def _by_size(
    results: Results,
    work: str,
    engines: Sequence[str],
    sizes: Sequence[int],
    title: str,
    cell: Callable[[Measurement], str],
) -> str:
    rows = []
    for engine in engines:
        measured = [results.get((engine, work, n)) for n in sizes]
        checks = dict.fromkeys(m.check for m in measured if m is not None)
        rows.append([engine, "; ".join(checks), *(MISSING if m is None else cell(m) for m in measured)])
    return table([title, "results", *(_size(n) for n in sizes)], rows, left=2)


def of_targets(targets: Sequence[Target]) -> str:
    """Return the figures beside their bounds."""
    return table(["target", "measured", "must be", ""], [target.row() for target in targets])


def machine() -> str:
    """Return in words what this ran on."""
    cpu = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    packages = ", ".join(versions)
    return f"{os.cpu_count()} cores of {cpu}, {platform.system()}, Python {platform.python_version()}, {packages}"


def load() -> str:
    """Return how busy the machine was."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _size(n: int) -> str:
    exponent = len(str(n)) - 1
    return "10" + str(exponent).translate(_POWERS) if n == 10**exponent else f"{n:,}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
