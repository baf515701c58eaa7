"""Section 4, why this one: the front, the map, and the paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bufsim.studies.expressions import Expression
from bufsim.studies.formulas import expression
from bufsim.studies.plots.differences import differences, differences_frame
from bufsim.studies.plots.pareto import pareto, pareto_frame
from bufsim.studies.plots.policy_map import policy_map, policy_map_frame
from bufsim.studies.report.draft import Draft
from bufsim.studies.report.markup import Markup, content, tag
from bufsim.studies.report.options import ranking

_MOST_RIVALS = 8


def section(draft: Draft) -> Markup:
    """Return the section."""
    return content(_front(draft), _map(draft), _gaps(draft), _against_the_choice(draft))


def first_limited(draft: Draft) -> Expression:
    """Return what the limit that is nearest to breaking is on; without limits the mean wait."""
    found = draft.answer.recommendation
    binding = found.choice.binding if found.choice else found.nearest_miss.binding if found.nearest_miss else None
    if binding is None:
        return expression("mean_wait")
    assert isinstance(binding.limit.expression, Expression)
    return binding.limit.expression


def _front(draft: Draft) -> Markup:
    plan, study = draft.answer.plan, draft.answer.study
    x, y = first_limited(draft), plan.objective
    asked: dict[str, Any] = {"limits": plan.limits, "load": plan.load, "confidence": plan.confidence}
    choice = _choice(draft)
    ring = "; the ring is about the choice" if choice else ""
    return draft.figure(
        "pareto",
        f"{y.name} against {draft.quantity(x, []).name}, every policy",
        lambda ax: pareto(study, x, y, ax=ax, choice=choice, **asked),
        lambda: pareto_frame(study, x, y, **asked),
        caption=f"Policies on the steps are beaten by no other in both. The star is today's{ring}.",
        height=3.9,
    )


def _choice(draft: Draft) -> str | None:
    return draft.answer.favourite if draft.answer.recommendation.qualifies else None


def _map(draft: Draft) -> Markup:
    plan, study = draft.answer.plan, draft.answer.study
    x = first_limited(draft)
    choice = _choice(draft)
    asked: dict[str, Any] = {"limits": plan.limits, "load": plan.load, "confidence": plan.confidence}
    return draft.figure(
        "map",
        f"{draft.quantity(x, []).name} by size and age",
        lambda ax: policy_map(study, x, ax=ax, choice=choice, **asked),
        lambda: policy_map_frame(study, x, **asked),
        caption="Outlined: all limits kept. Hatched: undecided. Circle: the choice.",
        height=3.9,
    )


def _gaps(draft: Draft) -> Markup:
    """Return how the value of each option differs from today's."""
    shown = [one.name for one in ranking(draft) if one.name != draft.answer.today][:_MOST_RIVALS]
    title = f"{draft.answer.plan.objective.name}: difference from today's policy"
    return _forest(draft, "today", draft.answer.today, shown, title)


def _against_the_choice(draft: Draft) -> Markup | None:
    """Return how the value of the choice's nearest rivals differs from its own."""
    found = draft.answer.recommendation
    if found.choice is None or found.selection is None:
        return None
    rivals = [rival.first for rival in found.selection.rivals][:_MOST_RIVALS]
    if not rivals:
        return tag("p", "No other policy passes, so that there is no runner-up to compare the choice with.")
    title = f"{draft.answer.plan.objective.name}: difference of the other policies that pass from the choice"
    return _forest(draft, "rivals", found.choice.name, rivals, title)


def _forest(draft: Draft, name: str, baseline: str, rivals: Sequence[str], title: str) -> Markup:
    plan, result = draft.answer.plan, draft.answer.study

    def asked() -> dict[str, Any]:
        names = [baseline, *rivals]
        return {"baseline": baseline, "scenarios": names, "load": plan.load, "confidence": plan.confidence}

    return draft.figure(
        f"differences-{name}",
        title,
        lambda ax: differences(result, plan.objective, ax=ax, **asked()),
        lambda: differences_frame(result, plan.objective, **asked()),
        height=1.7 + 0.24 * len(rivals),
    )
