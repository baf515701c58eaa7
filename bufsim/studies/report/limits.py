"""Section 9, limits of this report: what is not modelled, what is undecided, and which assumption matters most."""

from __future__ import annotations

from collections.abc import Iterator

from bufsim.studies.expressions import Expression
from bufsim.studies.report.draft import Draft, verdict
from bufsim.studies.report.markup import Content, Markup, bullets, content, table, tag
from bufsim.studies.report.numbers import About
from bufsim.studies.report.options import written
from bufsim.studies.report.tornado import MOST, tornado, tornado_frame

_SECTION = "9 limits"
_NOT_MODELLED = (
    "One server, and one flush of a buffer at a time: no contention between servers for a shared storage.",
    "A policy's effect on the load itself (a server that is slower while it flushes): arrivals are given.",
    "Storage that fails, and a job queue that refuses jobs; a job does not create jobs.",
    "Network, CPU and memory, but for the times and sizes that the plan gives.",
)


def section(draft: Draft) -> Markup:
    """Return the section."""
    found = draft.answer.sensitivity
    shown = [one for one in dict.fromkeys([most_threatened(draft), *draft.answer.expressions]) if one in found.base]
    return content(
        tag("h3", "Which assumption moves the answer most"),
        tag("p", _how(draft)),
        (_picture(draft, expression, place) for place, expression in enumerate(shown, 1)),
        _effects(draft, shown) if shown else None,
        (tag("p", said) for said in _unmoved(draft, shown)),
        (tag("p", f"{draft.told(said)}.") for said in found.undefined),
        tag("h3", "Not decided"),
        _undecided(draft),
        tag("h3", "Not modelled"),
        bullets(_NOT_MODELLED),
    )


def most_threatened(draft: Draft) -> Expression:
    """Return what is limited and comes nearest to its limit, or farthest beyond it, where an assumption is moved.

    Without limits it is the objective.
    """
    found, plan = draft.answer.sensitivity, draft.answer.plan
    left = {}
    for limit in plan.limits:
        expression = limit.expression
        assert isinstance(expression, Expression)
        if expression not in found.base:
            continue
        base = found.base[expression].estimate
        moves = [gap.estimate for effect in found.of(expression) for gap in (effect.lower, effect.higher)]
        left[expression] = min(limit.room(base + move) for move in moves)
    return min(left, key=lambda one: left[one], default=plan.objective)


def _how(draft: Draft) -> str:
    found = draft.answer.sensitivity
    return (
        f"Each assumption alone was divided and multiplied by {found.factor:g}, for "
        f"{draft.label(draft.answer.favourite)} at {draft.answer.plan.load:g} times today's load, on fresh "
        "replications under common random numbers. What would have been chosen under other assumptions was not looked "
        "at: change the plan, and run it again."
    )


def _picture(draft: Draft, expression: Expression, place: int) -> Markup:
    found = draft.answer.sensitivity
    if not found.moving(expression):
        return content()
    bounds = [limit for limit in draft.answer.plan.limits if limit.expression == expression]
    return draft.figure(
        f"tornado-{place}",
        f"What moves {draft.quantity(expression, []).name} most",
        lambda ax: tornado(found, expression, ax=ax, limit=bounds[0] if bounds else None),
        lambda: tornado_frame(found, expression),
        height=1.5 + 0.32 * min(len(found.moving(expression)), MOST),
    )


def _effects(draft: Draft, expressions: list[Expression]) -> Markup:
    found, plan = draft.answer.sensitivity, draft.answer.plan
    rows: list[tuple[Content, ...]] = []
    for expression in expressions:
        quantity = draft.quantity(expression, [found.base[expression]])
        for effect in found.moving(expression)[:MOST]:
            cells = [
                written(
                    draft.numbers.interval(
                        About(_SECTION, f"{effect.variation.name} {said}", plan.load),
                        quantity,
                        gap,
                        name=f"{expression.name}, difference",
                    )
                )
                for said, gap in ((f"÷ {found.factor:g}", effect.lower), (f"× {found.factor:g}", effect.higher))  # noqa: RUF001
            ]
            kept = [verdict(one) for one in effect.verdicts] if plan.limits else []
            rows.append((effect.variation.name, effect.variation.value, quantity.label, *_mixed(cells, kept)))
    signs = (f"÷ {found.factor:g}", f"× {found.factor:g}")  # noqa: RUF001  # times, as books write it
    columns = [part for sign in signs for part in ((sign, "limits") if plan.limits else (sign,))]
    caption = (
        f"Differences from the model as assumed; n = {plan.replications}, {100.0 * plan.confidence:g} % intervals, "
        "each by itself; limits: all of them"
    )
    return table(("Assumption", "Value", "Moves", *columns), rows, caption=caption)


def _unmoved(draft: Draft, expressions: list[Expression]) -> Iterator[str]:
    """Return what does not move each of some metrics, which needs no row of zeros."""
    found = draft.answer.sensitivity
    for expression in expressions:
        names = [effect.variation.name for effect in found.of(expression) if not effect.moves]
        if names:
            name = draft.quantity(expression, []).name
            count = f"n = {draft.answer.plan.replications} replications"
            yield f"Not moved in any of {count}: {name} by {', '.join(names)}."


def _mixed(cells: list[Markup], kept: list[Markup]) -> Iterator[Markup]:
    for place, cell in enumerate(cells):
        yield cell
        if kept:
            yield kept[place]


def _undecided(draft: Draft) -> Markup:
    open_ = [one for one in draft.answer.recommendation.considered if one.verdict == "undecided"]
    if not open_:
        return tag("p", "Every policy passes or fails.")
    said = []
    for one in open_:
        checks = [check for check in one.checks if check.verdict == "undecided"]
        listed = "; ".join(f"{check.limit} ({check.shown()})" for check in checks)
        said.append(draft.told(f"{one.name}: {listed or one.reason}"))
    return bullets(said)
