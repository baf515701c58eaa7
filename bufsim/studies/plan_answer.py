"""The answer to a plan: the study, the recommendation, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bufsim.studies.expressions import Expression
from bufsim.studies.mishaps import Mishap, mishaps
from bufsim.studies.options import Option, options
from bufsim.studies.recommendation import Recommendation
from bufsim.studies.sensitivity import Sensitivity, sensitivity
from bufsim.studies.study import Study
from bufsim.studies.study_result import StudyResult

if TYPE_CHECKING:
    from bufsim.studies.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class PlanAnswer:
    """What came out of a plan.

    Parameters
    ----------
    plan : Plan
        The question.
    study : StudyResult
        Every policy at every load.
    recommendation : Recommendation
        The choice, or that none qualifies.
    favourite : str
        The option that is looked at closely: the choice, or what came nearest to qualifying.
    sensitivity : Sensitivity
        What moves the favourite's numbers at the load planned for.
    mishaps : StudyResult
        The favourite at that load as planned, and where something goes wrong.
    """

    plan: Plan
    study: StudyResult
    recommendation: Recommendation
    favourite: str
    sensitivity: Sensitivity
    mishaps: StudyResult

    @property
    def exit_status(self) -> int:
        """0, or 1 if no policy qualifies."""
        return self.recommendation.exit_status

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What is asked about: what is limited, and the objective."""
        return asked(self.plan)

    def options(self) -> tuple[Option, ...]:
        """Return what can be chosen, each with its scenarios at the loads that count."""
        return _options(self.plan, self.study)

    def scenario(self, option: str) -> str:
        """Return an option's scenario at the load planned for."""
        return _scenario(self.plan, self.study, option)

    def may_go_wrong(self) -> tuple[Mishap, ...]:
        """Return each mishap that was thought of, with what it means, or why it was left out."""
        return mishaps(self.study.scenarios[self.scenario(self.favourite)])

    @property
    def today(self) -> str:
        """The option of what is done today."""
        return repr(self.plan.today)


PLANNED = "as planned"


def asked(plan: Plan) -> tuple[Expression, ...]:
    """Return what is limited, and the objective, each once."""
    limited: list[Any] = [one.expression for one in plan.limits]
    return tuple(dict.fromkeys([*limited, plan.objective]))


def answer(plan: Plan, *, engine: Any = "auto", **how: Any) -> PlanAnswer:
    """Run a plan; see `Plan.run`."""
    study = Study(
        plan.simulation, policy=list(plan.options), arrivals_scale=list(plan.loads), seed=plan.seed, baseline=plan.today
    )
    result = _whole(study.run(plan.replications, engine=engine, **how))
    recommendation = _recommended(plan, result, how)
    favourite = _favourite(recommendation)
    model = result.scenarios[_scenario(plan, result, favourite)]
    # replications that neither the choice nor its second look has seen
    unseen = {"replications": plan.replications, "first": 2 * plan.replications, "engine": engine, **how}
    moved = sensitivity(model, asked(plan), seed=plan.seed, limits=plan.limits, confidence=plan.confidence, **unseen)
    wrong = {one.name: one.simulation for one in mishaps(model) if one.simulation is not None}
    seen = _whole(Study({PLANNED: model, **wrong}, seed=plan.seed).run(**unseen))
    return PlanAnswer(plan, result, recommendation, favourite, moved, seen)


def _options(plan: Plan, study: StudyResult) -> tuple[Option, ...]:
    return options(study.scenarios, study.coordinates, study.finished, up_to=plan.load, load=plan.load)


def _scenario(plan: Plan, study: StudyResult, option: str) -> str:
    return next(one.base() for one in _options(plan, study) if one.name == option)


def _recommended(plan: Plan, result: StudyResult, how: Mapping[str, Any]) -> Recommendation:
    found = result.recommend(
        minimise=plan.objective if plan.is_cost else None,
        maximise=None if plan.is_cost else plan.objective,
        subject_to=plan.limits,
        confidence=plan.confidence,
        head_room=list(plan.head_room),
        up_to=plan.load,
        load=plan.load,
        **how,
    )
    if found.choice is not None:
        loads = [scale for scale, _ in found.head_room.loads] if found.head_room else []
        if not found.choice.fresh or not set(plan.head_room) <= set(loads):
            # what was run beyond the study did not finish
            raise KeyboardInterrupt
    return found


def _favourite(recommendation: Recommendation) -> str:
    if recommendation.choice is not None:
        return recommendation.choice.name
    assert recommendation.nearest_miss is not None
    return recommendation.nearest_miss.name


def _whole(result: StudyResult) -> StudyResult:
    if not result.complete:
        raise KeyboardInterrupt
    return result
