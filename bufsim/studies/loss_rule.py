"""The rule on loss: an option that loses jobs does not qualify, unless the question says what that is worth."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence

from bufsim.engines.recording import LOSS_CAUSES
from bufsim.errors import InvalidTypeError, quoted
from bufsim.formats import jobs
from bufsim.results.losses import SURVIVORS, can_lose, loss_text, lost_share, possible_causes
from bufsim.results.metrics import find
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.studies.estimates import Evaluation, UndefinedError
from bufsim.studies.expressions import Expression, Limit, Term, metric
from bufsim.studies.limit_checks import LimitCheck

WAY_OUT = (
    "A price for a lost job (per_lost_job), a limit on the loss (lost_share <= 1 %), or allow_loss, lets options "
    "qualify that lose jobs"
)
LOSES = "It loses"
"""So begins the sentence of one that was seen to lose jobs."""
# what arrives while the server is down is lost under every policy alike
_NOT_ITS_DOING = ("down",)


def is_allowed(allow_loss: object) -> bool:
    """Whether loss is allowed, as a user says it."""
    if not isinstance(allow_loss, bool):
        raise InvalidTypeError(
            f"allow_loss must be true or false, got {quoted(allow_loss)}; how much may be lost is a limit, such as "
            "'lost_share <= 1 %'"
        )
    return allow_loss


def loss_terms(objective: Expression, is_cost: bool, limits: Iterable[Limit]) -> Iterator[Term]:
    """The terms of a question by which a lost job costs something, or is bounded."""
    asked = [(objective, is_cost), *((limit.expression, limit.side == "<=") for limit in limits)]
    for expression, low in asked:
        for term in expression.terms:
            if _causes(term) and (term.factor > 0.0) is low:
                yield term


# Two buffers, "search" with a capacity and "email" without one, in a server that stops. A plan that limits
# lost_share[email] says nothing of "search", whose losses, when it is full and at a stop, must then be none:
# lost_capacity_jobs[search] + lost_buffer_jobs[search] <= 0. A plan that says nothing of loss at all must have
# lost_share <= 0, and one that limits lost_share may lose what that limit lets it.
def implied_limit(simulation: Simulation, named: Sequence[Term]) -> Limit | None:
    """The limit that a model must keep unsaid: no loss, of whatever cause and buffer no term of the question names.

    Parameters
    ----------
    simulation : Simulation
        The model.
    named : sequence of Term
        The terms of the question that price or bound lost jobs.

    Returns
    -------
    Limit or None
        None where the model cannot lose such jobs.
    """
    causes = {buffer.id: possible_causes(simulation, buffer) for buffer in simulation.buffers}
    own = [(name, cause) for name, known in causes.items() for cause in known if cause not in _NOT_ITS_DOING]
    left = [(name, cause) for name, cause in own if not any(_counts(term, name, cause) for term in named)]
    if not left:
        return None
    if len(left) == sum(map(len, causes.values())):
        return metric("lost_share") <= 0.0
    parts = [metric(f"lost_{cause}_jobs", name) for name, cause in left]
    return functools.reduce(operator.add, parts) <= 0.0


def _counts(term: Term, buffer: str, cause: str) -> bool:
    is_of_buffer = term.of is None or (find(term.metric).kind == "buffer" and term.of == buffer)
    return is_of_buffer and cause in _causes(term)


def _causes(term: Term) -> set[str]:
    """The causes by which a term counts jobs that buffers lose."""
    row = find(term.metric)
    return set() if row.event is None or row.kind == "model" else set(row.event.causes) & set(LOSS_CAUSES)


def counts_lost_jobs(expression: Expression) -> bool:
    """Whether an expression counts jobs that buffers lose."""
    return any(_causes(term) for term in expression.terms)


def is_seen_to_lose(simulation: Simulation, scenario: str, evaluate: Callable[[Expression, str], Evaluation]) -> bool:
    """Whether any run of a scenario lost a job, but for those that came while the server was down."""
    limit = implied_limit(simulation, ())
    return limit is not None and bool((evaluate(limit.expression, scenario).raw() > 0.0).any())


def check_loss(
    limit: Limit | None, scenario: str, evaluate: Callable[[Expression, str], Evaluation], confidence: float
) -> LimitCheck | None:
    """The check of the limit that a scenario does not keep; None where no run of it lost such a job.

    That none was seen to be lost is no proof that none can be: the limit is not said to be kept.
    """
    if limit is None:
        return None
    evaluation = evaluate(limit.expression, scenario)
    lost = int((evaluation.raw() > 0.0).sum())
    if not lost:
        return None
    try:
        interval, reason = evaluation.interval(confidence), ""
    except UndefinedError as error:
        interval, reason = None, error.reason
    return LimitCheck(limit, scenario, "fail", interval, lost, reason, evaluation.is_deterministic)


def loss_sentence(scenarios: Sequence[tuple[str, Simulation, Sequence[Tally]]]) -> str:
    """What was lost where the most was, or that jobs could be lost and none was; "" if none can be.

    Parameters
    ----------
    scenarios : sequence of (str, Simulation, sequence of Tally)
        At which load, in words that may be empty, the model, and what is kept of its replications.
    """
    lost = {load: (lost_share(tallies), loss_text(tallies)) for load, _, tallies in scenarios if loss_text(tallies)}
    if lost:
        load = max(lost, key=lambda load: lost[load][0])
        return f"{LOSES}{load} {lost[load][1]}; {SURVIVORS}"
    if not any(can_lose(simulation) for _, simulation, _ in scenarios):
        return ""
    kept = [tally for _, _, tallies in scenarios for tally in tallies]
    arrived = jobs(sum(tally.all_buffers.arrivals for tally in kept))
    return f"None of the {arrived} that came in its {len(kept)} runs was lost"
