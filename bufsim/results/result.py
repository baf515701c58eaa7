"""The result of a run."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pandas as pd

from bufsim.engines.recording import Recording
from bufsim.engines.workload import Workload
from bufsim.model.declaration import Declaration
from bufsim.model.workers import service_source
from bufsim.results import records


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What came out of one run: its tables, and what made them."""

    simulation: Declaration
    seed: int
    replication: int
    engine: str
    tables: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, simulation: Declaration, workload: Workload, engine: str, record: Recording) -> Result:
        """Return the result of what an engine wrote down."""
        records.check_conservation(record)

        def service(queue, attempt, n):
            name = record.queues[queue]
            workers = simulation.workers_of(name)
            return workload.draws(name, "service", attempt, service_source(workers)).at_least(n), workers.per_item

        tables = {
            "jobs": records.jobs_table(record),
            "flushes": records.flushes_table(record),
            "buffer_size": records.buffer_size_table(record),
            "work": records.work_table(record, service),
        }
        return cls(simulation, workload.seed, workload.replication, engine, tables)

    def __getattr__(self, name):
        if name != "tables" and name in self.tables:
            return self.tables[name]
        raise AttributeError(name)
