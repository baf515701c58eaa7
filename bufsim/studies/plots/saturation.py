"""Whether the workers of a scenario can do the work that comes."""

from __future__ import annotations

from collections.abc import Sequence

from bufsim.results.cautions import cautions
from bufsim.results.metrics import find
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.studies.expressions import Expression


def is_saturated(simulation: Simulation, tallies: Sequence[Tally]) -> bool:
    """Whether more work comes to a queue than its workers can do, in most of the replications."""
    unstable = sum(any(said.startswith("unstable") for said in cautions(simulation, tally)) for tally in tallies)
    return 2 * unstable > len(tallies)


def is_of_queue(expression: Expression) -> bool:
    """Whether an expression has a metric of the queue, which has no steady value when the workers are saturated."""
    return any(find(term.metric).kind == "queue" for term in expression.terms)
