"""The contents of a result: tables and a tally, made when they are asked for, or already there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Protocol, get_args

import pandas as pd

from bufsim.engines.randomness import stop_times
from bufsim.engines.recording import Recording
from bufsim.engines.workload import Workload
from bufsim.errors import BufsimError
from bufsim.model.declaration import Declaration
from bufsim.model.workers import service_source
from bufsim.results import tallying
from bufsim.results.measures import Floats, Window
from bufsim.results.records import SCHEMAS, Copies, TableName, Tables
from bufsim.results.tallies import Tally

RecordLevel = Literal["all", "flushes", "summary"]
"""The record level of a run: all tables; the flushes, and the tally; the tally alone."""
RECORD_LEVELS: tuple[RecordLevel, ...] = get_args(RecordLevel)
TABLES_OF: Mapping[RecordLevel, tuple[TableName, ...]] = {
    "all": tuple(SCHEMAS),
    "flushes": ("flushes",),
    "summary": (),
}


class Contents(Protocol):
    """The tables and the tally of a run."""

    @property
    def recorded(self) -> RecordLevel:
        """Which tables there are."""

    @property
    def window(self) -> Window:
        """The part of the run that metrics look at."""

    @property
    def tally(self) -> Tally:
        """The accumulators in bounded memory, from which every metric follows."""

    def table(self, name: TableName) -> pd.DataFrame:
        """Return a table; a BufsimError says why there is none."""


class FromRecording:
    """The recording of an engine; tables and tally are made at their first use."""

    recorded: RecordLevel = "all"

    def __init__(self, simulation: Declaration, workload: Workload, record: Recording) -> None:
        self.simulation = simulation
        self.workload = workload
        self.tables = Tables(record, self._service)
        self.window = Window(simulation.warm_up, simulation.until)

    @property
    def copies(self) -> Copies:
        """The rows of `jobs`, with the fate of each."""
        return self.tables.copies

    def table(self, name: TableName) -> pd.DataFrame:
        """Return a table."""
        table: pd.DataFrame = getattr(self.tables, name)
        return table

    @cached_property
    def tally(self) -> Tally:
        """The accumulators in bounded memory, from which every metric follows."""
        workload = self.workload
        downtimes = stop_times(
            self.simulation.stops, seed=workload.seed, replication=workload.replication, until=self.simulation.until
        )
        return tallying.tally(self.simulation, self.tables, downtimes)

    def _service(self, queue: int, attempt: int, n: int) -> tuple[Floats, float]:
        name = self.tables.record.queues[queue]
        workers = self.simulation.workers_of(name)
        assert workers is not None
        draws = self.workload.draws(name, "service", attempt, service_source(workers))
        return draws.at_least(n), workers.per_item


class Kept:
    """Tables and a tally that are already made."""

    def __init__(self, recorded: RecordLevel, tables: Mapping[TableName, pd.DataFrame], tally: Tally) -> None:
        self.recorded = recorded
        self.tally = tally
        self._tables = {name: tables[name] for name in TABLES_OF[recorded]}

    @property
    def window(self) -> Window:
        """The part of the run that metrics look at."""
        return self.tally.window

    def table(self, name: TableName) -> pd.DataFrame:
        """Return a table."""
        if name not in self._tables:
            raise BufsimError(
                f"{name} was left out at the record level {self.recorded!r}; "
                "run again with record='all', or use tally, summary() and metric()"
            )
        return self._tables[name]


def reduced(contents: Contents, recorded: RecordLevel) -> Kept:
    """Return the part of the contents that a record level keeps."""
    return Kept(recorded, {name: contents.table(name) for name in TABLES_OF[recorded]}, contents.tally)
