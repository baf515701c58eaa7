"""Plans: a question of capacity planning, and its answer by a study, a second look and stress tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bufsim import checks
from bufsim.declared import settle
from bufsim.engines.randomness import fresh_seed
from bufsim.errors import InvalidTypeError, InvalidValueError, quoted
from bufsim.model.flush_policy import FlushPolicy
from bufsim.results.losses import can_lose
from bufsim.results.shown import SHOWN_OF_LOSS
from bufsim.simulation import Engine, Simulation
from bufsim.statistics.intervals import inner_probability
from bufsim.studies.expressions import Expression, Limit, metric
from bufsim.studies.formulas import limit, one_objective
from bufsim.studies.loss_rule import is_allowed
from bufsim.studies.progress import Progress
from bufsim.studies.recommendation import Recommendation
from bufsim.studies.scenarios import FIELDS, SCALE, Option, combination_name, grid, options, values_of
from bufsim.studies.sensitivity import Sensitivity, sensitivity
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult
from bufsim.studies.what_if import StressTest, scaling_sentences, stress_tests

PLANNED = "as planned"


@dataclass(frozen=True, init=False, slots=True, repr=False, eq=False)
class Plan:
    """A question of capacity planning: which of some flush policies, for which load, at what cost, under which limits.

    Parameters
    ----------
    simulation : Simulation
        The model, with today's arrivals and today's policy in its buffers.
    policies : sequence of FlushPolicy
        What can be chosen; each would be that of every buffer. What is done today is always tried too.
    vary : mapping of str to sequence, optional
        What else can be chosen: of each field (``capacity``, ``drain``, ``storage``, ``concurrency``, ...; see
        `bufsim.studies.scenarios.grid`) the values to try besides today's. Every combination is an option.
    minimise, maximise : str or Expression
        What is to be low, such as ``"0.4 * flush_rate_per_s + 0.01 * mean_buffer_size_jobs"``, or high.
    limits : sequence of str or Limit
        What must be kept, such as ``["p99_wait <= 2s"]``.
    today : FlushPolicy, optional
        What is done today; by default the policy that all buffers of the simulation have.
    loads : sequence of float
        At how many times today's arrivals all policies are run.
    load : float, optional
        The one to plan for: at all loads up to it the limits must be kept, and at it values count. None: the highest.
    replications : int
        Independent runs of each policy at each load, ≥ 2.
    seed : int, optional
        The root seed; None draws one, which stands in the answer.
    headroom : sequence of float
        At how many times today's arrivals the choice alone is checked too.
    allow_loss : bool
        Whether a policy that loses jobs qualifies although its loss has neither a price nor a limit.
    assumptions : sequence of str
        What was assumed without data, in your words.
    confidence : float
        Of the verdicts together, and of each interval.
    title : str
        What it is about.

    Raises
    ------
    InvalidValueError, InvalidTypeError
        If there is nothing to choose from, a load is not to be run, or a value breaks its rule.

    Examples
    --------
    >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer
    >>> plan = Plan(
    ...     Simulation(
    ...         producers=[Producer("edits", Poisson(10.0))],
    ...         buffers=[JobBuffer("search", policy=FlushAfterAge("30s"))],
    ...         until="5min",
    ...     ),
    ...     policies=[FlushAtSize(20) | FlushAfterAge("5s"), FlushAtSize(40) | FlushAfterAge("5s")],
    ...     minimise="flush_rate",
    ...     limits=["p95_wait <= 10s"],
    ...     replications=5,
    ...     seed=1,
    ... )
    >>> plan.run(progress=False).recommendation.choice.name
    'FlushAtSize(40) | FlushAfterAge(5.0)'
    """

    simulation: Simulation
    today: FlushPolicy
    policies: tuple[FlushPolicy, ...]
    vary: Mapping[str, tuple[object, ...]]
    objective: Expression
    is_cost: bool
    limits: tuple[Limit, ...]
    loads: tuple[float, ...]
    load: float
    replications: int
    seed: int
    headroom: tuple[float, ...]
    allow_loss: bool
    assumptions: tuple[str, ...]
    confidence: float
    title: str

    def __init__(
        self,
        simulation: Simulation,
        *,
        policies: Sequence[FlushPolicy] = (),
        vary: Mapping[str, Sequence[object]] | None = None,
        minimise: str | Expression | None = None,
        maximise: str | Expression | None = None,
        limits: Sequence[str | Limit] = (),
        today: FlushPolicy | None = None,
        loads: Sequence[float] = (1.0,),
        load: float | None = None,
        replications: int = 30,
        seed: int | None = None,
        headroom: Sequence[float] = (),
        allow_loss: bool = False,
        assumptions: Sequence[str] = (),
        confidence: float = 0.95,
        title: str = "a plan",
    ) -> None:
        objective, is_cost = one_objective(minimise, maximise)
        own = _todays(simulation) if today is None else _policy("today", today)
        scales, planned = _loads(loads, load)
        if checks.integer("replications", replications, at_least=0) < 2:
            raise InvalidValueError(
                f"replications must be >= 2, got {replications}: from one run nothing can be said about the noise"
            )
        settle(
            self,
            simulation=simulation.with_policy(own),
            today=own,
            policies=_choices(policies, own, needed=not vary),
            vary=_varied(simulation, {} if vary is None else vary),
            objective=objective,
            is_cost=is_cost,
            limits=tuple(map(limit, _list("limits", limits))),
            loads=scales,
            load=planned,
            replications=replications,
            seed=fresh_seed() if seed is None else checks.seed("seed", seed),
            headroom=_further(headroom, scales, planned),
            allow_loss=is_allowed(allow_loss),
            assumptions=tuple(checks.text("an assumption", text) for text in _list("assumptions", assumptions)),
            confidence=inner_probability("confidence", confidence),
            title=checks.text("title", title),
        )
        if self.headroom and not self.limits:
            raise InvalidValueError("headroom needs limits to break; give limits=[...], or leave out headroom")

    @property
    def options(self) -> tuple[FlushPolicy, ...]:
        """The policies that are tried: what is done today, and the others."""
        return (self.today, *self.policies)

    @property
    def tried(self) -> str:
        """The number of options: of policies, each with every combination of what else is varied."""
        if not self.vary:
            return f"{len(self.options)} policies"
        return f"{len(self.options) * math.prod(map(len, self.vary.values()))} options"

    @property
    def today_name(self) -> str:
        """The option of what is done today."""
        return combination_name({"policy": self.today} | {field: values[0] for field, values in self.vary.items()})

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The metrics that matter: those with limits, the objective, and the loss where the model can lose jobs."""
        loss = map(metric, SHOWN_OF_LOSS if any(map(can_lose, self._models())) else ())
        return tuple(dict.fromkeys([*(limit.expression for limit in self.limits), self.objective, *loss]))

    def _models(self) -> Iterable[Simulation]:
        """The model with every combination of what is varied besides policies and loads."""
        return grid(self.simulation, self.vary).values()

    def run(
        self,
        *,
        executor: int | Executor | None = None,
        store: str | Path | None = None,
        progress: bool | Progress | None = None,
        engine: Engine = "auto",
    ) -> PlanAnswer:
        """Run every policy at every load, choose, look at the choice again, and at what it rests on.

        Parameters
        ----------
        executor, store, progress, engine
            As for `Study.run`.

        Returns
        -------
        PlanAnswer
            The recommendation, the study of every policy at every load, and what moves the numbers.

        Raises
        ------
        KeyboardInterrupt
            If it is interrupted; with a store, what is finished is kept, and the next call goes on from there.

        Examples
        --------
        >>> from bufsim import FlushAfterAge, FlushAtSize, JobBuffer, Poisson, Producer
        >>> buffers = [JobBuffer("search", policy=FlushAfterAge("5s"))]
        >>> today = Simulation(producers=[Producer("edits", Poisson(10.0))], buffers=buffers, until="1min")
        >>> plan = Plan(today, policies=[FlushAtSize(20)], minimise="flush_rate", replications=5, seed=1)
        >>> plan.run(progress=False).recommendation.choice.name
        'FlushAfterAge(5.0)'
        """
        return _answer(self, engine, {"executor": executor, "store": store, "progress": progress})

    def __repr__(self) -> str:
        return (
            f"Plan(<{self.title}: {self.tried} x {len(self.loads)} loads x {self.replications} "
            f"replications, seed {self.seed}>)"
        )


def _todays(simulation: Simulation) -> FlushPolicy:
    policies = list(dict.fromkeys(buffer.policy for buffer in simulation.buffers))
    if len(policies) > 1:
        listed = ", ".join(map(repr, policies))
        raise InvalidValueError(f"today must be given where buffers have different policies, got {listed}")
    return policies[0]


def _policy(name: str, value: object) -> FlushPolicy:
    if not isinstance(value, FlushPolicy):
        raise InvalidTypeError(f"{name} must be a flush policy, got {quoted(value)}")
    return value


def _varied(simulation: Simulation, vary: object) -> dict[str, tuple[object, ...]]:
    """The values of each field that is varied, today's first, each as the field holds it."""
    if not isinstance(vary, Mapping):
        raise InvalidTypeError(f"vary must hold the values of fields, such as {{'drain': [...]}}, got {quoted(vary)}")
    return {field: _values(simulation, field, given) for field, given in vary.items()}


def _values(simulation: Simulation, field: object, given: object) -> tuple[object, ...]:
    if field in _NOT_VARIED:
        raise InvalidValueError(f"vary cannot have {field}: {_NOT_VARIED[str(field)]}")
    name = checks.one_of("a field of vary", field, [name for name in FIELDS if name not in _NOT_VARIED])
    tried = [model for model in grid(simulation, {name: _list(f"vary {name}", given)}).values()]  # noqa: C416
    own = values_of(simulation, name)
    if len(own) != 1:
        listed = ", ".join(map(repr, own))
        raise InvalidValueError(
            f"vary {name} needs one value that all have today, so that it is known what is done today, got {listed}; "
            "leave it out, or let all have one"
        )
    others = {repr(value): value for model in tried for value in values_of(model, name)}
    others.pop(repr(own[0]), None)
    if not others:
        raise InvalidValueError(f"vary {name} must hold at least one value other than today's {own[0]!r}")
    return (own[0], *others.values())


_NOT_VARIED = {
    "policy": "give the policies as policies",
    SCALE: "give the loads as loads",
    "producers": "the load is given; scale it with loads",
    "buffers": "vary what they have, such as capacity",
    "until": "it is the length of the runs, and no choice",
    "warm_up": "it is the start of the runs, and no choice",
}
"""The fields of a study that are nothing to choose in a plan, and what to do instead."""


def _choices(policies: object, today: FlushPolicy, *, needed: bool) -> tuple[FlushPolicy, ...]:
    """The policies without repetition, and without what is done today."""
    given = [_policy("a policy in policies", policy) for policy in _list("policies", policies)]
    others = tuple(dict.fromkeys(policy for policy in given if policy != today))
    if not others and needed:
        raise InvalidValueError(f"policies must hold at least one other than today's {today!r}, got {quoted(given)}")
    return others


def _loads(loads: object, load: float | None) -> tuple[tuple[float, ...], float]:
    """The loads, and the one that is planned for: by default the highest."""
    scales = _scales("loads", loads)
    if not scales:
        raise InvalidValueError("loads must have at least one load, got none; write loads=[1] for today's")
    planned = max(scales) if load is None else checks.positive("load", load)
    if planned not in scales:
        listed = ", ".join(f"{scale:g}" for scale in scales)
        raise InvalidValueError(f"load must be one of the loads, {listed}, got {quoted(load)}; add it to them")
    return scales, planned


def _scales(name: str, values: object) -> tuple[float, ...]:
    return tuple(sorted({checks.positive(f"a load of {name}", scale) for scale in _list(name, values)}))


def _further(given: object, loads: Sequence[float], load: float) -> tuple[float, ...]:
    """The loads above the one that is planned for at which the choice is checked; not those run anyway."""
    further = _scales("headroom", given)
    for scale in further:
        if scale <= load:
            raise InvalidValueError(f"a load of headroom must be above the load planned for, {load:g}, got {scale:g}")
    return tuple(sorted({*further, *(scale for scale in loads if scale > load)}))


def _list(name: str, values: object) -> Sequence[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidTypeError(f"{name} must be a list, got {quoted(values)}; write [{quoted(values)}]")
    return values


@dataclass(frozen=True, slots=True, eq=False)
class PlanAnswer:
    """The answer to a plan: what to do, and how far it can be trusted.

    Parameters
    ----------
    plan : Plan
        The question.
    study : StudyResult
        Every policy at every load.
    recommendation : Recommendation
        The choice, or why none qualifies.
    favourite : str
        The option that is looked at closely: the choice, or what came nearest to qualifying.
    sensitivity : Sensitivity
        What moves the favourite's numbers at the load planned for.
    stressed : StudyResult
        The favourite at that load as planned, and where something goes wrong.
    """

    plan: Plan
    study: StudyResult
    recommendation: Recommendation
    favourite: str
    sensitivity: Sensitivity
    stressed: StudyResult

    @property
    def exit_status(self) -> int:
        """0, or 1 if no policy qualifies."""
        return self.recommendation.exit_status

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The metrics that matter: those with limits, the objective, and the loss where the model can lose jobs."""
        return self.plan.expressions

    def options(self) -> tuple[Option, ...]:
        """The options, each with its scenarios at the loads that count."""
        return _options(self.plan, self.study)

    def scenario(self, option: str) -> str:
        """An option's scenario at the load planned for."""
        return _scenario(self.plan, self.study, option)

    def stress_tests(self) -> tuple[StressTest, ...]:
        """The stress tests of the favourite, each with what it means, or why it was left out."""
        return stress_tests(self.study.scenarios[self.scenario(self.favourite)])

    def scaling(self) -> list[str]:
        """How recorded jobs were scaled to other loads, a sentence for each producer that has some."""
        return scaling_sentences(self.plan.simulation)

    @property
    def today(self) -> str:
        """The option of what is done today."""
        return self.plan.today_name

    def policy(self, option: str) -> FlushPolicy:
        """The flush policy of an option."""
        policy = self.study.coordinates[self.scenario(option)]["policy"]
        assert isinstance(policy, FlushPolicy)
        return policy

    def changes(self, option: str) -> dict[str, object]:
        """What is varied besides policies and loads, as an option has it."""
        return {field: self.study.coordinates[self.scenario(option)][field] for field in self.plan.vary}

    def alike(self, option: str) -> StudyResult:
        """The study without the scenarios that have another value than an option in what is varied besides policies."""
        mine = list(map(repr, self.changes(option).values()))
        others = [
            name
            for name, where in self.study.coordinates.items()
            if [repr(where[field]) for field in self.plan.vary] != mine
        ]
        return self.study.without(*others)


# With 30 replications: the study runs replications 0 to 29 of every policy at every load. The choice runs again on 30
# to 59, which had no part in choosing it, also at the loads of the headroom. The favourite, at the load planned for,
# then runs on 60 to 89 with each assumption moved, and under each stress test: neither the choice nor its second look
# has seen these, so that what chose it cannot flatter it here either.
def _answer(plan: Plan, engine: Engine, how: Mapping[str, Any]) -> PlanAnswer:
    over: dict[str, Sequence[object]] = {"policy": plan.options, **plan.vary, SCALE: plan.loads}
    study = Study(plan.simulation, seed=plan.seed, baseline=plan.today_name, **over)
    result = _whole(study.run(plan.replications, engine=engine, **how))
    recommendation = _recommendation(plan, result, how)
    best = recommendation.choice or recommendation.nearest_miss
    assert best is not None
    model = result.scenarios[_scenario(plan, result, best.name)]
    unseen = {"replications": plan.replications, "first": 2 * plan.replications, "engine": engine, **how}
    moved = sensitivity(
        model, plan.expressions, seed=plan.seed, limits=plan.limits, confidence=plan.confidence, **unseen
    )
    stressed = {test.name: test.simulation for test in stress_tests(model) if test.simulation is not None}
    seen = _whole(Study({PLANNED: model, **stressed}, seed=plan.seed).run(**unseen))
    return PlanAnswer(plan, result, recommendation, best.name, moved, seen)


def _recommendation(plan: Plan, result: StudyResult, how: Mapping[str, Any]) -> Recommendation:
    """The recommendation; an interrupt of what is run for it ends the plan."""
    recommendation = result.recommend(
        minimise=plan.objective if plan.is_cost else None,
        maximise=None if plan.is_cost else plan.objective,
        subject_to=plan.limits,
        allow_loss=plan.allow_loss,
        confidence=plan.confidence,
        headroom=list(plan.headroom),
        up_to=plan.load,
        load=plan.load,
        **how,
    )
    if recommendation.choice is not None:
        loads = {scale for scale, _ in recommendation.headroom.loads} if recommendation.headroom else set()
        if not recommendation.choice.fresh or not set(plan.headroom) <= loads:
            raise KeyboardInterrupt
    return recommendation


def _options(plan: Plan, study: StudyResult) -> tuple[Option, ...]:
    return options(study.scenarios, study.coordinates, study.finished, up_to=plan.load, load=plan.load)


def _scenario(plan: Plan, study: StudyResult, option: str) -> str:
    return next(choice.base() for choice in _options(plan, study) if choice.name == option)


def _whole(result: StudyResult) -> StudyResult:
    if not result.complete:
        raise KeyboardInterrupt
    return result
