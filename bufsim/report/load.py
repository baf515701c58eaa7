"""Section 2, the load: what arrives, where that is known from, and what was assumed without data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bufsim import formats
from bufsim.engines.workload import Workload
from bufsim.plots import style
from bufsim.report.draft import About, Draft, interval_of
from bufsim.report.markup import Content, Markup, bullets, content, table, tag
from bufsim.simulation import Simulation
from bufsim.studies.formulas import expression
from bufsim.studies.scenarios import options

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SECTION = "2 load"
_BINS = 160
_WINDOWS = (0.1, 1.0, 10.0, 60.0)
_FEWEST_WINDOWS = 5


def section(draft: Draft) -> Markup:
    """Return the section."""
    plan, answer = draft.answer.plan, draft.answer
    model = answer.study.scenarios[answer.scenario(answer.favourite)]
    times = arrival_times(model, plan.seed)
    return content(
        table(("Producer", "Today's arrivals", "Queue", "Keys", "Bytes a job"), _producers(plan.simulation)),
        _rates(draft),
        [tag("p", sentence) for sentence in answer.scaling()],
        _files(draft),
        draft.figure(
            "arrivals",
            f"One run: arrivals at {plan.load:g} times today's load (replication 0)",
            lambda ax: draw(ax, times, model.until),
            lambda: rates(times, model.until),
            caption=_dispersion(draft, times, model.until),
            height=2.4,
        ),
        _assumed(draft),
    )


def _producers(simulation: Simulation) -> Iterator[tuple[Content, ...]]:
    for producer in simulation.producers:
        keys = repr(producer.keys) if producer.keys else "as recorded" if producer.trace is not None else "none"
        size = "as recorded" if producer.nbytes is None else repr(producer.nbytes)
        queue = producer.queue or ", ".join(producer.queues)
        yield producer.name, tag("code", repr(producer.arrivals)), queue, keys, size


def _rates(draft: Draft) -> Markup:
    """Return the arrival rate at each load."""
    study, plan = draft.answer.study, draft.answer.plan
    rate = expression("arrival_rate_per_s")
    every = options(study.scenarios, study.coordinates, study.finished)
    (today,) = (option for option in every if option.name == draft.answer.today)
    scenarios = {scale: name for scale, name in today.scenarios if name in study.finished}
    intervals = [interval_of(study, rate, name, plan.confidence) for name in scenarios.values()]
    quantity = draft.quantity(rate, intervals)
    cells = [
        draft.measured(About(_SECTION, "all producers", scale), rate, study, name, quantity)
        for scale, name in scenarios.items()
    ]
    head = ("Times today's load", *(f"{scale:g}" for scale in scenarios))
    return table(
        head, [(f"arrivals, jobs {quantity.unit.name}", *cells)], caption=f"Arrivals that were run; {draft.basis}"
    )


def _files(draft: Draft) -> Markup | None:
    if draft.source is None:
        return None
    rows = [
        (name, draft.numbers.exact(About(_SECTION, name), "lines", rows), tag("code", sha256[:16]))
        for name, rows, sha256 in draft.source.inputs
    ]
    return table(("File", "Lines (exact)", "SHA-256, first 16 of 64 digits"), rows, caption="What was read")


def _assumed(draft: Draft) -> Markup:
    lines = draft.answer.plan.assumptions
    if not lines:
        return tag("p", "The plan lists no assumption that was made without data.", class_="assumed")
    return tag("div", tag("b", "Assumed without data"), bullets(lines), class_="assumed")


def _dispersion(draft: Draft, times: npt.NDArray[np.float64], until: float) -> str:
    """Return in words how bursty the arrivals are."""
    found = dispersion(times, until)
    if not found:
        return "Too short to say how bursty it is."
    about = About(_SECTION, "one run", draft.answer.plan.load)
    sentences = []
    for window, value in found.items():
        over = f"over {formats.duration(window)}"
        sentences.append(f"{draft.numbers.exact(about, f'index of dispersion {over}', value)} {over}")
    return (
        "Index of dispersion of this one run (variance over mean of the arrivals in windows of that length; 1 for "
        f"Poisson arrivals): {', '.join(sentences)}."
    )


def arrival_times(simulation: Simulation, seed: int) -> npt.NDArray[np.float64]:
    """Return the arrival times of a simulation's first replication."""
    jobs = Workload(simulation.producers, seed=seed, until=simulation.until).jobs()
    return np.asarray(jobs.time)


def rates(times: npt.NDArray[np.float64], until: float) -> pd.DataFrame:
    """Return the arrival rate in equal bins of a run: time (s, the start of the bin) and rate (jobs/s)."""
    edges = np.linspace(0.0, until, _BINS + 1)
    counts, _ = np.histogram(times, edges)
    return pd.DataFrame({"time": edges[:-1], "rate": counts / np.diff(edges)})


def dispersion(times: npt.NDArray[np.float64], until: float) -> dict[float, float]:
    """Return the index of dispersion of the number of arrivals in windows of several lengths, s."""
    found = {}
    for window in _WINDOWS:
        count = int(until / window)
        if count < _FEWEST_WINDOWS or not len(times):
            continue
        counts, _ = np.histogram(times, np.arange(count + 1) * window)
        if counts.mean() > 0.0:
            found[window] = float(counts.var(ddof=1) / counts.mean())
    return found


def draw(ax: Axes, times: npt.NDArray[np.float64], until: float) -> None:
    """Draw the arrival rate over time, with its mean."""
    frame, unit = rates(times, until), formats.time_unit(until)
    at = frame["time"] / unit.size
    ax.fill_between(at, frame["rate"], step="post", color=style.LINE, alpha=0.2, linewidth=0.0)
    ax.step(at, frame["rate"], where="post", color=style.LINE, linewidth=0.8)
    ax.set_xlim(0.0, until / unit.size)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(f"time, {unit.name}")
    ax.set_ylabel("arrivals, jobs/s")
    mean = len(times) / until
    ax.axhline(mean, color="black", linewidth=0.9, linestyle=(0, (5, 3)))
    # not beside the line, where the rate is drawn
    key = f"dashed: their mean, {formats.number(mean, 3)} jobs/s"
    binned = f"{formats.jobs(len(times))} in bins of {formats.duration(until / _BINS)}"
    style.head(ax, "Arrivals", subtitle=f"one run · {binned} · {key}")
