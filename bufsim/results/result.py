"""The result of a run: its tables, metrics and warnings; how it is saved; and how it is displayed."""

from __future__ import annotations

import functools
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bufsim import checks
from bufsim.engines.recording import Recording
from bufsim.engines.workload import Workload
from bufsim.errors import InvalidTypeError, InvalidValueError, harmless
from bufsim.files import as_path
from bufsim.formats import duration, number
from bufsim.model.declaration import Declaration
from bufsim.results import files, metrics, shown, warnings
from bufsim.results.contents import RECORD_LEVELS, TABLES_OF, Contents, FromRecording, Kept, RecordLevel, reduced
from bufsim.results.losses import loss_warnings
from bufsim.results.measures import Floats, Window, rank
from bufsim.results.records import OUTCOMES, SCHEMAS, TableName, check_conservation
from bufsim.results.tallies import BufferTally, Tally

if TYPE_CHECKING:
    from bufsim.plots import ResultPlots


MetricOf = Callable[[str, str], float]
"""From a metric's name and a buffer or queue to the number."""
Cells = tuple[str, list[str]]
Table = tuple[list[str], list[Cells]]
"""The names over the columns, and rows of a label and a cell a column."""
_ALWAYS_SHOWN = ("flushed", "buffered", "lost")


def header(seed: int, replication: int, engine: str, tally: Tally) -> str:
    """Return the line that says what ran, and that no job came or went unseen."""
    counts = dict(zip(OUTCOMES, tally.outcomes, strict=True))
    parts = [f"{number(n)} {name.replace('_', ' ')}" for name, n in counts.items() if n or name in _ALWAYS_SHOWN]
    created = f"{number(tally.jobs)} jobs created"
    if tally.rows != tally.jobs:
        created += f", {number(tally.rows)} with their copies"
    run = [f"seed {seed}", f"replication {replication}" if replication else "", f"{engine} engine"]
    run.append(duration(tally.window.end))
    if tally.window.start:
        run.append(f"metrics from {duration(tally.window.start)} on")
    about = " · ".join([part for part in run if part])
    return f"Result  {about} · {created} = {' + '.join(parts)}   (conservation holds)"


def buffer_table(tally: Tally, metric: MetricOf) -> Table:
    """Return the buffers, and the rows of their table."""
    return _table(shown.SHOWN_OF_BUFFER, tally.buffers, metric)


def queue_table(tally: Tally, metric: MetricOf) -> Table:
    """Return the queues that have workers, and the rows of their table."""
    queues = {name: queue for name, queue in tally.queues.items() if queue.concurrency}
    return _table(shown.SHOWN_OF_QUEUE if queues else (), queues, metric)


def _table(lines: Sequence[shown.Line], parts: Mapping[str, Any], metric: MetricOf) -> Table:
    rows = []
    for line in lines:
        cells = [
            " / ".join(metrics.find(row).written(metric(row, name)) for row in line.metrics)
            or _OTHER_CELLS[line.label](part)
            for name, part in parts.items()
        ]
        rows.append((line.label, cells))
    return list(parts), rows


def _flushes(buffer: BufferTally) -> str:
    causes = ", ".join(f"{number(count)} {cause}" for cause, count in buffer.causes.items())
    return f"{number(buffer.flushes)} ({causes})" if len(buffer.causes) > 1 else number(buffer.flushes)


_OTHER_CELLS: Mapping[str, Callable[[BufferTally], str]] = {
    "flushes, by cause": _flushes,
    "jobs after reduce": lambda buffer: number(buffer.reduced_jobs),
}
"""The cells of the lines that are no metrics."""


def text(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Return the header, the tables and the notes as plain text."""
    width = max((len(label) for _, rows in tables for label, _ in rows), default=0)
    lines = [title]
    for names, rows in tables:
        widths = [max(map(len, column)) for column in zip(names, *(cells for _, cells in rows), strict=True)]
        for label, cells in [("", names), *rows] if rows else []:
            aligned = "  ".join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))
            lines.append(f"{label:<{width}}  {aligned}".rstrip())
    return "\n".join([*lines, *notes])


def page(title: str, tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Return the header, the tables and the notes as HTML."""
    parts = [f"<p>{_escaped(title)}</p>"]
    for names, rows in tables:
        if rows:
            head = "".join(f"<th>{_escaped(name)}</th>" for name in names)
            body = "".join(_html_row(label, cells) for label, cells in rows)
            parts.append(f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>")
    parts.extend(f"<p>{_escaped(note)}</p>" for note in notes)
    return "".join(parts)


def _html_row(label: str, cells: list[str]) -> str:
    return f"<tr><th>{_escaped(label)}</th>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells) + "</tr>"


def _escaped(text: str) -> str:
    from html import escape  # late: its table of entities is slow to import

    return escape(text)


def durations(table: Callable[[TableName], pd.DataFrame], window: Window, name: str, of: str | None) -> Floats:
    """Return the sorted durations whose end lies in the window, s.

    Parameters
    ----------
    table : callable
        Gives a table by its name.
    window : Window
        The part of the run that counts.
    name : str
        What they are, in `metrics.QUANTILES` with columns.
    of : str or None
        A buffer or a queue; None for all.
    """
    source = metrics.QUANTILES[name].columns
    assert source is not None
    rows = table(source.table)
    begin, end = rows[source.begin].to_numpy(), rows[source.end].to_numpy()
    seen = window.holds(end)
    if of is not None:
        seen &= (rows[source.group] == of).to_numpy()
    values: Floats = np.sort(end[seen] - begin[seen])
    return values


def quantile(values: Floats, q: float) -> float:
    """Return the q-quantile of sorted values: the least with at least a share q at or below it; nan of none.

    Examples
    --------
    >>> quantile(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)
    2.0
    """
    return float(values[rank(q, len(values))]) if len(values) else float("nan")


_DURATIONS = frozenset({"oldest_age", "mean_age", "busy_time"})
"""The columns in seconds that are not times of the run."""


def sample(buffer_size: pd.DataFrame, step: float, until: float) -> pd.DataFrame:
    """Return the step functions of `buffer_size` at 0, step, 2·step, ... before `until`, after all events of a time."""
    grid = np.arange(math.ceil(until / step) + 1) * step
    grid = grid[grid < until]
    buffers = buffer_size["buffer"].cat
    codes, count = buffers.codes.to_numpy(), len(buffers.categories)
    changed_at = buffer_size["time"].to_numpy()
    rows = np.empty((len(grid), count), np.intp)
    for code in range(count):
        own = np.flatnonzero(codes == code)
        rows[:, code] = own[np.searchsorted(changed_at[own], grid, side="right") - 1]
    sampled = buffer_size.iloc[rows.ravel()].reset_index(drop=True)
    sampled["time"] = np.repeat(grid, count)
    return sampled


def dated(name: TableName, table: pd.DataFrame, origin: datetime | str | None) -> pd.DataFrame:
    """Return a table with its times as timedeltas; if the run began at `origin`, as dates and times."""
    try:
        start = None if origin is None else pd.Timestamp(origin)
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"origin must be a datetime, or a text such as '2026-03-29 08:00', got {origin!r}"
        ) from None
    columns = {}
    for column in SCHEMAS[name]:
        if column.unit == "s":
            # a column without any time would get another resolution
            span = pd.to_timedelta(table[column.name], unit="s").astype("timedelta64[ns]")
            columns[column.name] = span if start is None or column.name in _DURATIONS else start + span
    return table.assign(**columns)


_LIBRARY_OF_ENGINE = {"simpy": "simpy", "compiled": "numba"}


@functools.cache
def versions_of(engine: str) -> dict[str, str]:
    """Return the versions of bufsim, Python, NumPy, pandas and the library that an engine runs on.

    Examples
    --------
    >>> list(versions_of("simpy"))
    ['bufsim', 'python', 'numpy', 'pandas', 'simpy']
    """
    from importlib.metadata import version  # late: slow to import

    from bufsim import __version__  # late: the package itself imports this module

    libraries = ["numpy", "pandas", *filter(None, [_LIBRARY_OF_ENGINE.get(engine)])]
    return {
        "bufsim": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in libraries},
    }


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """The outcome of one run: its tables and metrics, and what made them.

    Tables and tally are made when they are first asked for. Each access gives a shallow copy of a table, so that adding
    a column changes no result.

    Attributes
    ----------
    simulation : Simulation, or str
        What ran; of a result that was loaded from a file, the text that would make it.
    seed, replication : int
        Its randomness: the root seed, and which of its independent replications.
    engine : str
        Which engine ran: "simpy" or "compiled".
    versions : dict of str to str
        The versions of bufsim, Python and the libraries that made it.

    Examples
    --------
    >>> from bufsim import FlushEvery, JobBuffer, Poisson, Producer, Simulation
    >>> simulation = Simulation(
    ...     producers=[Producer("edits", Poisson(100.0))],
    ...     buffers=[JobBuffer("search", policy=FlushEvery(5.0))],
    ...     until=600.0,
    ...     warm_up=100.0,
    ... )
    >>> result = simulation.run(seed=1)
    >>> round(result.metric("mean_wait"), 1)
    2.5
    """

    simulation: Declaration | str
    seed: int
    replication: int
    engine: str
    versions: Mapping[str, str]
    _contents: Contents
    _warnings: tuple[str, ...] | None = None

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
        """Return the result of what an engine wrote down, after a check that no job came or went unseen.

        Parameters
        ----------
        simulation : Declaration
            What ran.
        workload : Workload
            Its jobs and draws.
        engine : str
            Which engine ran.
        record : Recording
            What the engine wrote down.
        recorded : {"all", "flushes", "summary"}
            Which tables to keep: all, the flushes, or none; the tally is kept always.
        """
        checks.one_of("recorded", recorded, RECORD_LEVELS)
        contents = FromRecording(simulation, workload, record)
        check_conservation(contents.copies)
        kept = contents if recorded == "all" else reduced(contents, recorded)
        return cls(simulation, workload.seed, workload.replication, engine, dict(versions_of(engine)), kept)

    @classmethod
    def from_tally(
        cls,
        simulation: Declaration,
        seed: int,
        replication: int,
        engine: str,
        tally: Tally,
        *,
        flushes: pd.DataFrame | None = None,
    ) -> Result:
        """Return the result of a run that kept its tally only, or also its `flushes`."""
        contents = Kept("summary", {}, tally) if flushes is None else Kept("flushes", {"flushes": flushes}, tally)
        return cls(simulation, seed, replication, engine, dict(versions_of(engine)), contents)

    # the tables

    @property
    def recorded(self) -> RecordLevel:
        """Which tables there are: "all", "flushes" (only these), or "summary" (none)."""
        return self._contents.recorded

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
        """One row per task: a job that came to a queue, in that order."""
        return self._table("work")

    @property
    def attempts(self) -> pd.DataFrame:
        """One row per attempt at a task that has started, task by task."""
        return self._table("attempts")

    def _table(self, name: TableName) -> pd.DataFrame:
        return self._contents.table(name).copy(deep=False)

    def sample(self, dt: float | str | timedelta) -> pd.DataFrame:
        """Sizes and bytes at 0, dt, 2·dt, ... before `until`, just after all events of each time.

        Parameters
        ----------
        dt : float, str or timedelta
            Between samples, s, > 0.

        Returns
        -------
        DataFrame
            A row per time and buffer: time, buffer, size, nbytes.

        Examples
        --------
        >>> from bufsim import FlushAtSize, JobBuffer, Producer, Simulation, Trace
        >>> producers, buffers = [Producer("edits", Trace([1, 2, 4]))], [JobBuffer("search", policy=FlushAtSize(2))]
        >>> result = Simulation(producers=producers, buffers=buffers, until=5.0).run()
        >>> result.sample("1s")["size"].tolist()
        [0, 1, 0, 0, 1]
        """
        step = checks.positive("dt", checks.seconds("dt", dt))
        return sample(self.buffer_size, step, self.window.end)

    def to_timedelta(self, origin: datetime | str | None = None) -> dict[TableName, pd.DataFrame]:
        """Copies of the tables with times as timedeltas; given the moment of second 0, as dates and times.

        Durations, such as ages, are timedeltas in either case.
        """
        return {name: dated(name, self._table(name), origin) for name in TABLES_OF[self.recorded]}

    # the metrics

    @property
    def window(self) -> Window:
        """The part of the run that metrics look at, [warm_up, until)."""
        return self._contents.window

    @property
    def tally(self) -> Tally:
        """The accumulators of the run, in bounded memory, from which every metric follows."""
        return self._contents.tally

    def metric(self, name: str, of: str | None = None) -> float:
        """A metric of a buffer or a queue, or of all together; nan where it is undefined.

        Parameters
        ----------
        name : str
            One of `bufsim.results.metrics.METRICS`, any quantile (``"p99.9_wait_s"``), or a name without its unit.
        of : str, optional
            The buffer or the queue. None: counts and sums of all together, levels of the sum over them.

        Notes
        -----
        Quantiles of waits and times are exact where the tables are there (the least value with at least such a share at
        or below it), else they are read from the tally's histogram, which errs by less than 0.1 %, or by less than
        1 ns below it, and by nothing where its bin holds one value alone. Quantiles of levels and batch sizes are exact
        below 256 jobs, and err by less than 0.4 % above.

        Examples
        --------
        >>> from bufsim import FlushAtSize, JobBuffer, Producer, Simulation, Trace
        >>> producers, buffers = [Producer("edits", Trace([1, 2, 4]))], [JobBuffer("search", policy=FlushAtSize(2))]
        >>> result = Simulation(producers=producers, buffers=buffers, until=5.0).run()
        >>> result.metric("mean_wait"), result.metric("peak_buffer_size", of="search")
        (0.5, 2.0)
        """
        metric = metrics.find(name)
        if metric.quantile is None or metrics.QUANTILES[metric.quantile.of].columns is None or self.recorded != "all":
            return metric(self.tally, of)
        metric.part(self.tally, of)  # refuses a name that is not there
        return quantile(self._durations(metric.quantile.of, of), metric.quantile.q)

    def summary(self) -> pd.DataFrame:
        """All metrics of each buffer, each queue and the model.

        Returns
        -------
        DataFrame
            A row per metric of each: scope ("buffer", "queue" or "model"), name, metric, value, unit.

        Examples
        --------
        >>> from bufsim import FlushAtSize, JobBuffer, Producer, Simulation, Trace
        >>> producers, buffers = [Producer("edits", Trace([1, 2, 4]))], [JobBuffer("search", policy=FlushAtSize(2))]
        >>> result = Simulation(producers=producers, buffers=buffers, until=5.0).run()
        >>> result.summary().query("metric == 'mean_wait_s'")[["scope", "name", "value", "unit"]].values.tolist()
        [['buffer', 'search', 0.5, 's']]
        """
        buffers, queues = self.tally.buffers, self.tally.queues
        scopes = [*(("buffer", name) for name in buffers), *(("queue", name) for name in queues), ("model", None)]
        rows = [
            (kind, name or "", metric.name, self.metric(metric.name, name), metric.unit)
            for kind, name in scopes
            for metric in metrics.METRICS.values()
            if metric.kind == kind
        ]
        return pd.DataFrame(rows, columns=["scope", "name", "metric", "value", "unit"])

    def warnings(self) -> list[str]:
        """A sentence for each thing about this run that can mislead."""
        if self._warnings is not None:
            return list(self._warnings)
        assert isinstance(self.simulation, Declaration)
        return [*loss_warnings([self.tally]), *warnings.sentences(self.simulation, self.tally)]

    def _durations(self, name: str, of: str | None) -> Floats:
        if (name, of) not in self._sorted:
            self._sorted[name, of] = durations(self._contents.table, self.window, name, of)
        return self._sorted[name, of]

    @cached_property
    def _sorted(self) -> dict[tuple[str, str | None], Floats]:
        return {}

    # files

    def save(self, path: str | Path) -> Path:
        """Write the result to one file: a zip archive of Parquet tables and a JSON description. Return its path.

        The file gets its name when it is complete. The simulation is kept as text: no code is stored.

        Parameters
        ----------
        path : str or Path
            Where; a file of that name is replaced.

        Returns
        -------
        Path
            The file, for `load`.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed.

        Examples
        --------
        >>> from bufsim import FlushAtSize, JobBuffer, Producer, Simulation, Trace
        >>> producers, buffers = [Producer("edits", Trace([1, 2, 4]))], [JobBuffer("search", policy=FlushAtSize(2))]
        >>> result = Simulation(producers=producers, buffers=buffers, until=5.0).run()
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Result.load(result.save(f"{folder}/run.zip")).metric("mean_wait")
        0.5
        """
        about = {name: getattr(self, name) for name in ("seed", "replication", "engine")}
        about |= {"versions": dict(self.versions), "simulation": str(self.simulation), "warnings": self.warnings()}
        files.write(Path(path), files.Stored(about, self._kept()))
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, simulation: Declaration | None = None) -> Result:
        """Read a result from a file that `save` has written.

        Parameters
        ----------
        path : str or Path
            The file.
        simulation : Simulation, optional
            What ran, which the file knows as text only; it must have this text.
        """
        stored = files.read(as_path(path))
        about = stored.about
        if simulation is not None and repr(simulation) != about["simulation"]:
            raise InvalidValueError(f"simulation must be that of {path}, {about['simulation']}, got {simulation!r}")
        made_by = about["simulation"] if simulation is None else simulation
        run = (about["seed"], about["replication"], about["engine"], about["versions"])
        return cls(made_by, *run, stored.contents, tuple(about["warnings"]))

    def _kept(self) -> Kept:
        return self._contents if isinstance(self._contents, Kept) else reduced(self._contents, self.recorded)

    def __reduce__(self) -> tuple[Any, ...]:
        # what made the tables holds generators, which cannot be pickled; the tables can
        run = (self.seed, self.replication, self.engine, self.versions)
        return Result, (self.simulation, *run, self._kept(), self._warnings)

    # how it looks

    @property
    def plot(self) -> ResultPlots:
        """The pictures of this result."""
        # late: the plots are made of results, and matplotlib is slow to import
        from bufsim.plots import ResultPlots

        return ResultPlots(self)

    def __repr__(self) -> str:
        return harmless(text(*self._displayed()), keep="\n")

    def _repr_html_(self) -> str:
        return page(*self._displayed())

    def _displayed(self) -> tuple[str, list[Table], list[str]]:
        title = header(self.seed, self.replication, self.engine, self.tally)
        loaded = ["Loaded from a file: the simulation is known as text only."] * isinstance(self.simulation, str)
        tables = [buffer_table(self.tally, self.metric), queue_table(self.tally, self.metric)]
        return title, tables, [*loaded, *self.warnings()]
