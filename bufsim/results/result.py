"""The result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from bufsim import checks
from bufsim.engines.recording import Recording
from bufsim.engines.workload import Workload
from bufsim.model.declaration import Declaration
from bufsim.results.contents import RECORD_LEVELS, Contents, FromRecording, RecordLevel, reduced
from bufsim.results.records import check_conservation
from bufsim.results.schemas import TableName
from bufsim.results.tallies import Tally
from bufsim.results.versions import versions_of
from bufsim.results.window import Window

if TYPE_CHECKING:
    from bufsim.results.plots import ResultPlots


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What came out of one run: its tables and metrics, and what made them."""

    simulation: Declaration | str
    seed: int
    replication: int
    engine: str
    versions: Mapping[str, str]
    _contents: Contents

    @classmethod
    def of(
        cls,
        simulation: Declaration,
        workload: Workload,
        engine: str,
        record: Recording,
        *,
        recorded: RecordLevel = "all",
    ) -> Result:
        """Return the result of what an engine wrote down, after a check that no job came or went unseen."""
        checks.one_of("recorded", recorded, RECORD_LEVELS)
        contents = FromRecording(simulation, workload, record)
        check_conservation(contents.copies)
        kept = contents if recorded == "all" else reduced(contents, recorded)
        return cls(simulation, workload.seed, workload.replication, engine, dict(versions_of(engine)), kept)

    def _table(self, name: TableName) -> pd.DataFrame:
        return self._contents.table(name).copy(deep=False)

    @property
    def jobs(self) -> pd.DataFrame:
        """One row per job and collecting buffer; one row, buffer missing, if none collects it."""
        return self._table("jobs")

    @property
    def flushes(self) -> pd.DataFrame:
        """One row per flush, in the order of their starts."""
        return self._table("flushes")

    @property
    def buffer_size(self) -> pd.DataFrame:
        """The exact step function of each buffer: a row per change, (0, buffer, 0, 0) first."""
        return self._table("buffer_size")

    @property
    def work(self) -> pd.DataFrame:
        """One row per job handed to a queue, in that order."""
        return self._table("work")

    @property
    def tally(self) -> Tally:
        """What is kept in bounded memory, from which every metric follows."""
        return self._contents.tally

    @property
    def window(self) -> Window:
        """The part of the run that metrics look at."""
        return self._contents.window

    @property
    def plot(self) -> ResultPlots:
        """The pictures of this result."""
        # late: the plots are made of results, and matplotlib is slow to import
        from bufsim.results.plots import ResultPlots

        return ResultPlots(self)
