"""Intervals of 95 % hold the truth in 95 % of the studies, as far as so many studies can tell."""

from __future__ import annotations

from bufsim import theory
from bufsim.model.arrivals import Poisson
from bufsim.model.buffers import JobBuffer
from bufsim.model.policies import FlushAfterAge, FlushAtSize
from bufsim.model.producers import Producer
from bufsim.simulation import Simulation
from bufsim.studies.evaluations import Evaluation
from bufsim.studies.formulas import expression
from bufsim.studies.study import Study
from bufsim.verification.extent import Extent
from bufsim.verification.finding import Finding, found

SUBJECT = "intervals"
_CONFIDENCE = 0.95
_EACH = 10
_CHANCE = 0.001


def check(extent: Extent) -> Finding:
    """Make so many studies of one model, and count how many of their intervals hold the closed form."""
    counts = covered(extent.seed, extent.studies)
    low, high = bounds(extent.studies, len(counts))
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    checked = (
        f"{extent.studies:,} studies of {_EACH} runs, 95 % intervals that hold the truth: {listed} (due {low}-{high})"
    )
    out = [name for name, count in counts.items() if not low <= count <= high]
    wrong = f"{', '.join(out)} outside" if out else ""
    return found(SUBJECT, checked, wrong, extent.studies * len(counts))


def covered(seed: int, studies: int) -> dict[str, int]:
    """Return of each metric how many studies' intervals hold its expected value."""
    form = theory.size_or_age(rate=10.0, size=40, age=5.0)
    truths = {
        "mean_wait": form.mean_wait,
        "p99_wait": form.wait_p99,
        "mean_batch_size": form.mean_batch,
        "mean_buffer_size": form.time_avg_buffer,
    }
    simulation = Simulation(
        producers=[Producer("jobs", Poisson(10.0))],
        buffers=[JobBuffer("buffer", policy=FlushAtSize(40) | FlushAfterAge(5.0))],
        warm_up=20.0,
        until=220.0,
    )
    result = Study({"one": simulation}, seed=seed).run(studies * _EACH, progress=False)
    tallies = [result.tallies["one"][number] for number in range(studies * _EACH)]
    groups = [tallies[first : first + _EACH] for first in range(0, len(tallies), _EACH)]
    return {
        metric: sum(truth in Evaluation(expression(metric), group).interval(_CONFIDENCE) for group in groups)
        for metric, truth in truths.items()
    }


def bounds(studies: int, metrics: int) -> tuple[int, int]:
    """Return between which counts each of so many metrics lies, but for one chance in a thousand, at a true 95 %."""
    from scipy.stats import binom  # late: slow to import

    tail = _CHANCE / metrics / 2.0
    return int(binom.ppf(tail, studies, _CONFIDENCE)), int(binom.isf(tail, studies, _CONFIDENCE))
