"""No job comes or goes unseen."""

from __future__ import annotations

from collections import Counter

from bufsim.engines.workload import Workload
from bufsim.results.result import Result
from bufsim.simulation import Simulation
from bufsim.verification.extent import Extent
from bufsim.verification.finding import Finding, found
from bufsim.verification.random_models import models

SUBJECT = "conservation"


def check(extent: Extent) -> Finding:
    """Count the jobs of random models in ways that have nothing in common, and compare."""
    wrong, rows = "", 0
    for number, simulation in enumerate(models(extent.seed, extent.models)):
        result = simulation.run(extent.seed)
        rows += len(result.jobs)
        broken = laws_broken(simulation, result)
        if broken and not wrong:
            wrong = f"model {number}: {broken[0]}"
    checked = f"{rows:,} jobs of {extent.models:,} random models, all of whose whereabouts add up"
    return found(SUBJECT, checked, wrong, rows)


def laws_broken(simulation: Simulation, result: Result) -> list[str]:
    """Return the laws of conservation that a result breaks, in words."""
    outcomes = Counter(result.jobs["outcome"].astype(str))
    drawn = Workload(simulation.producers, seed=result.seed, until=simulation.until).jobs()
    last = result.buffer_size.groupby("buffer", observed=True)["size"].last()
    lost_in_buffer = int((result.jobs["loss_cause"] == "buffer").sum())
    known = ("passed_by", "flushed", "buffered", "in_flight", "lost")
    laws = {
        "every job that arrived has a row": len(drawn) == result.jobs["job_id"].nunique(),
        "every row has one outcome": sum(outcomes[name] for name in known) == len(result.jobs),
        "what is buffered is the last buffer size": int(last.sum()) == outcomes["buffered"],
        "batch sizes are the rows flushed": int(result.flushes["batch_size"].sum())
        == int(result.jobs["flush_id"].notna().sum()),
        "a lost row has a cause": outcomes["lost"] == int(result.jobs["loss_cause"].notna().sum()) >= lost_in_buffer,
    }
    return [law for law, holds in laws.items() if not holds]
