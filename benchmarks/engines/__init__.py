"""The engines that are measured: one module each, loaded only in the process that runs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.outcome import Outcome, Totals
from benchmarks.works import WORKS, Numbers, Work

Run = Callable[[], Callable[[], Outcome | Totals | None]]
"""Runs once; what it returns gives the outcome later, when the clock no longer runs."""


@dataclass(frozen=True)
class Engine:
    """An engine: its name in the tables, its module, and what it can express.

    Parameters
    ----------
    name, package, module : str
        Its name in the tables, the package that must be installed, and its module, with the function that makes a run.
    works : tuple of str
        The works that it can express.
    given : bool
        Whether it gets bufsim's numbers, drawn beforehand and in the form that it takes, at no cost.
    same : bool
        Whether its outcome must be that of the others.
    tolerance : float
        How far from it, relative to a column's largest value; 0 means equal to the last bit.
    note : str
        What to know about it.
    """

    name: str
    package: str
    module: str
    works: tuple[str, ...] = tuple(WORKS)
    given: bool = True
    same: bool = True
    tolerance: float = 0.0
    note: str = ""

    def prepare(self, work: Work, given: Numbers | int) -> Run:
        """Return what is timed, for the given numbers, or of an engine that draws its own for so many jobs."""
        module, function = self.module.split(":")
        prepare = getattr(importlib.import_module(f"benchmarks.engines.{module}"), function)
        run: Run = prepare(work, given)
        return run


PLAIN = "plain SimPy"
SIMPY = "bufsim, SimPy engine"
COMPILED = "bufsim, compiled"
SUMMARY = "bufsim, compiled, summary"
CIMBA = "Cimba"
CIMBA_OWN = "Cimba, own draws"
EXPONENTIALS = "NumPy exponentials alone"

ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            PLAIN,
            "simpy",
            "plain_simpy:prepare",
            note="one producer process and a dict; the three series in lists; for W4 a Store and 4 worker processes",
        ),
        Engine(
            "process-per-job SimPy",
            "simpy",
            "process_per_job:prepare",
            note="a process for each job, which waits for its flush; for W4 a Resource of 4",
        ),
        Engine(
            "salabim",
            "salabim",
            "with_salabim:prepare",
            note="as plain SimPy; the components' own monitors are off, and processes are generators (yieldless off)",
        ),
        Engine(
            "Ciw",
            "ciw",
            "with_ciw:prepare",
            works=("W1", "W4"),
            note="the buffer is a node with slotted service, its size a state tracker's; no service begins by size or "
            "age, and customers are not merged: W2 and W3 cannot be expressed",
        ),
        Engine(
            CIMBA,
            "cimba",
            "with_cimba:prepare",
            note="compiled model; the buffer is a captured Container beside an array of arrival times, waits and batch "
            "sizes are captured Datasets: a row for each change as in bufsim, and quicker than a captured Store",
        ),
        Engine(
            CIMBA_OWN,
            "cimba",
            "with_cimba:prepare_own",
            works=("W1", "W2", "W4"),
            given=False,
            same=False,
            note="the same model, which draws with its own generator: other numbers, so nothing to compare",
        ),
        Engine(SIMPY, "bufsim", "with_bufsim:prepare_simpy", given=False, note="draws, run, all four tables"),
        Engine(COMPILED, "numba", "with_bufsim:prepare_compiled", given=False, note="draws, run, all four tables"),
        Engine(
            SUMMARY,
            "numba",
            "with_bufsim:prepare_summary",
            given=False,
            tolerance=1e-12,
            note="draws and run; its counts and sums are compared; sums of floats depend on the order of summation",
        ),
        Engine(
            EXPONENTIALS,
            "numpy",
            "exponentials:prepare",
            given=False,
            same=False,
            note="Generator.exponential(size=n), and for W4 as many again for the service: the physical limit",
        ),
    )
}
