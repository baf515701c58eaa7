"""Section 5, headroom: at how much more load which limit breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from bufsim import formats
from bufsim.plots import LoadRamp, LossAtStop, style, subjects
from bufsim.report.draft import About, Draft, interval_of, sign, verdict
from bufsim.report.markup import Content, Markup, bullets, content, paragraphs, table, tag
from bufsim.report.options import shown_options, written
from bufsim.report.short_list import SingleRuns
from bufsim.results.losses import SURVIVORS, loss_text
from bufsim.results.shown import REPORTED_AT_A_STOP, REPORTED_UNDER_STRESS
from bufsim.studies.expressions import Expression, Limit
from bufsim.studies.formulas import expression as read_expression
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.plan import PLANNED
from bufsim.studies.quantities import Quantity, limit_in_words
from bufsim.studies.sensitivity import Effect, Sensitivity

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_HEADROOM = "5 headroom"


def headroom_section(draft: Draft) -> Markup:
    """Return the section."""
    found = draft.answer.recommendation
    if not draft.answer.plan.limits:
        return tag("p", "The plan has no limits that could break.")
    sentences = found.headroom.sentences() if found.headroom else []
    return content(
        paragraphs(sentences) if sentences else _nothing(draft),
        _loads(draft),
        [_ramp(draft, limit) for limit in draft.answer.plan.limits],
    )


def _nothing(draft: Draft) -> Markup:
    why = "no policy qualifies" if not draft.answer.recommendation.qualifies else "only one load was run"
    return tag("p", f"No headroom was looked for, because {why}.")


def _loads(draft: Draft) -> Markup | None:
    room = draft.answer.recommendation.headroom
    if room is None:
        return None
    plan = draft.answer.plan
    rows = []
    judged = dict.fromkeys([*plan.limits, *(check.limit for _, checks in room.loads for check in checks)])
    for scale, checks in room.loads:
        cells: list[Content] = []
        by_limit = {check.limit: check for check in checks}
        for limit in judged:
            check = by_limit.get(limit)
            if check is None or check.interval is None:
                cells.append("none seen" if check is None else content(sign(check.verdict), " ", check.reason))
                continue
            expression = check.limit.expression
            assert isinstance(expression, Expression)
            shown = draft.quantity(expression, [check.interval])
            exact = draft.exact.get(check.scenario, False)
            text = draft.numbers.interval(About(_HEADROOM, room.option, scale), shown, check.interval, exact=exact)
            cells.append(content(sign(check.verdict), " ", written(text, shown.unit.name)))
        rows.append((f"× {scale:g}", *cells))  # noqa: RUF001  # times, as books write it
    caption = (
        f"{draft.label(room.option)} at rising loads, times today's: up to the load planned for on the study's "
        f"replications, beyond it on fresh ones; {draft.basis}, each by itself. Loads are gone through upwards until "
        "one does not pass."
    )
    return table(("Load", *map(limit_in_words, judged)), rows, caption=caption)


def _ramp(draft: Draft, limit: Limit) -> Markup | None:
    expression = limit.expression
    assert isinstance(expression, Expression)
    plan, study = draft.answer.plan, draft.answer.study
    if len(plan.loads) < 2:
        return None
    shown = shown_options(draft)
    number = plan.limits.index(limit) + 1
    picture = LoadRamp(study, expression, limit=limit, scenarios=shown, confidence=plan.confidence)
    return draft.figure(
        f"ramp-{number}",
        f"{draft.quantity(expression, []).name} at rising load",
        picture.draw,
        picture.frame,
        height=3.3,
    )


_FAILURE = "6 if it goes wrong"
_OUTAGE = 600.0


def failure_section(draft: Draft, runs: SingleRuns) -> Markup:
    """Return the section."""
    return content(_at_a_stop(draft), _curve(draft, runs), _stress_tests(draft))


def _at_a_stop(draft: Draft) -> Markup:
    """The loss of a stop at a random moment, today and with the favourite."""
    answer, study = draft.answer, draft.answer.study
    options = list(dict.fromkeys([answer.favourite, answer.today]))
    columns = []
    for name in REPORTED_AT_A_STOP:
        asked = read_expression(name)
        intervals = [interval_of(study, asked, answer.scenario(option), answer.plan.confidence) for option in options]
        columns.append((asked, draft.quantity(asked, intervals)))
    rows = [
        (
            draft.label(option),
            *(
                written(
                    draft.measured(
                        About(_FAILURE, option, answer.plan.load), asked, study, answer.scenario(option), shown
                    )
                )
                for asked, shown in columns
            ),
        )
        for option in options
    ]
    caption = (
        f"Jobs lost if the server stops at a random moment, from the share of the time that each buffer size lasts; "
        f"at {answer.plan.load:g} times today's load; {draft.basis}"
    )
    return table(
        ("Policy", "mean, jobs", "95 % of stops lose at most", "99 % of stops lose at most"), rows, caption=caption
    )


def _curve(draft: Draft, runs: SingleRuns) -> Markup:
    options = list(dict.fromkeys([draft.answer.favourite, draft.answer.today]))
    shown = [runs.median(option) for option in options]
    labels = [draft.label(option) for option in options]
    numbers = ", ".join(f"{label}: replication {run.number}" for label, run in zip(labels, shown, strict=True))
    picture = LossAtStop([run.result for run in shown], labels=labels)
    return draft.figure(
        "loss",
        "One run each: jobs lost if the server stops at a random moment",
        picture.draw,
        picture.frame,
        caption=f"The median run of each ({numbers}).",
        height=2.8,
    )


def _stress_tests(draft: Draft) -> Markup:
    """The favourite's limits where something goes wrong."""
    answer, result = draft.answer, draft.answer.stressed
    plan = answer.plan
    asked = list(dict.fromkeys([*answer.expressions, *map(read_expression, REPORTED_UNDER_STRESS)]))
    rows = []
    quantities = [
        draft.quantity(expression, [interval_of(result, expression, name, plan.confidence) for name in result.finished])
        for expression in asked
    ]
    for name in result.finished:
        checks = check_limits(plan.limits, [name], result.measured, confidence=plan.confidence)
        cells = [
            written(draft.measured(About(_FAILURE, name, plan.load), expression, result, name, shown))
            for expression, shown in zip(asked, quantities, strict=True)
        ]
        kept = [verdict(joint(checks))] if plan.limits else []
        rows.append((name, *kept, *cells))
    head = ["", *(["Limits"] if plan.limits else []), *(shown.label for shown in quantities)]
    caption = (
        f"{draft.label(answer.favourite)} at {plan.load:g} times today's load, and where something goes wrong; "
        f"n = {result.replications} fresh replications, {formats.level(plan.confidence)} intervals, each by itself"
    )
    if any(loss_text(list(result.tallies[name].values())) for name in result.finished):
        caption += f"; where jobs are lost, {SURVIVORS}"
    failed = result.failures.drop_duplicates("scenario")
    notes = [f"{failure.scenario} could not be run: {failure.error}" for failure in failed.itertuples()]
    return content(
        table(head, rows, caption=caption, class_="narrow"),
        bullets(f"{_begun(test.name)}: {test.meaning}." for test in answer.stress_tests()),
        _outage(draft),
        (tag("p", note) for note in notes),
    )


def _outage(draft: Draft) -> Markup | None:
    """The pile of tasks while no worker runs: flushes go on, since they do not wait for the workers."""
    answer, result = draft.answer, draft.answer.stressed
    if not answer.plan.simulation.workers or PLANNED not in result.finished:
        return None
    rate = read_expression("enqueued_rate_per_s")
    jobs = (_OUTAGE * rate).named(f"jobs enqueued in {formats.duration(_OUTAGE)}", unit="jobs")
    text = draft.measured(About(_FAILURE, "all workers down", answer.plan.load), jobs, result, PLANNED)
    return tag(
        "p",
        f"If all workers are down, the flushes go on, and what they hand over waits in the queues: {text} jobs in "
        f"{formats.duration(_OUTAGE)} on average (n = {result.replications}), on top of those that wait already. "
        "How soon they are worked off is not modelled.",
    )


def _begun(name: str) -> str:
    return name[0].upper() + name[1:]


MOST = 5
"""As many assumptions are shown."""
_LOWER, _HIGHER = "#88CCEE", "#332288"
_HEIGHT = 0.36


def tornado_frame(sensitivity: Sensitivity, expression: Expression) -> pd.DataFrame:
    """The rows that `tornado` draws: those of one metric, of the assumptions that are shown."""
    table, shown = sensitivity.table(), [effect.variation.name for effect in sensitivity.moving(expression)[:MOST]]
    return table[(table["metric"] == expression.name) & table["assumption"].isin(shown)]


def tornado(
    sensitivity: Sensitivity, expression: Expression, *, ax: Axes | None = None, limit: Limit | None = None
) -> Axes:
    """Draw how far each assumption, divided and multiplied by a factor, moves a metric from its value as assumed.

    The bars are the estimates, the thin lines across their ends the intervals of the differences, each by itself. An
    assumption that does not move it in any replication has none. Where an end is open the line goes on to the edge.

    Parameters
    ----------
    sensitivity : Sensitivity
        What was found.
    expression : Expression
        Which of its metrics.
    ax : Axes, optional
        Where to draw. None: a new figure.
    limit : Limit, optional
        What the metric must not exceed, or must reach.

    Returns
    -------
    Axes
    """
    from matplotlib.patches import Patch

    (axes,) = style.axes(ax, 1)
    effects, base = sensitivity.moving(expression)[:MOST], sensitivity.base[expression]
    quantity = Quantity.of(expression, [base.estimate])
    zero = quantity.scaled(base.estimate)
    for row, effect in enumerate(effects):
        _bars(axes, effect, quantity, zero, row)
    axes.set_xlim(axes.get_xlim())
    for row, effect in enumerate(effects):
        for gap, side in ((effect.lower, -1.0), (effect.higher, 1.0)):
            low, high = zero + quantity.scaled(gap.low), zero + quantity.scaled(gap.high)
            style.span(axes, low, high, row + side * _HEIGHT / 2.0, color="black", linewidth=1.4, zorder=3)
    axes.axvline(zero, color=style.INK, linewidth=1.0)
    _limit(axes, limit, quantity)
    axes.set_yticks(range(len(effects)), [f"{effect.variation.name}\n{effect.variation.value}" for effect in effects])
    axes.set_ylim(len(effects) - 0.4, -0.6)
    axes.set_xlabel(quantity.label)
    factor = f"{sensitivity.factor:g}"
    key = [
        Patch(facecolor=_LOWER, edgecolor=style.INK, hatch="///", label=f"divided by {factor}"),
        Patch(facecolor=_HIGHER, edgecolor=style.INK, label=f"multiplied by {factor}"),
    ]
    about = f"n = {base.n} replications · {formats.level(base.confidence)} intervals of the differences, each by itself"
    style.head(axes, f"{quantity.name}, as assumed {quantity.written(base.estimate)}", subtitle=about, key=key)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0.0, labelsize=8.0)
    return axes


def _bars(ax: Axes, effect: Effect, quantity: Quantity, zero: float, row: int) -> None:
    looks = ((effect.lower, _LOWER, "///", -1.0), (effect.higher, _HIGHER, "", 1.0))
    for gap, colour, hatch, side in looks:
        shown = quantity.interval(gap)
        y = row + side * _HEIGHT / 2.0
        ax.barh(y, shown.estimate, _HEIGHT, left=zero, color=colour, edgecolor=style.INK, linewidth=0.6, hatch=hatch)
        # the lines across the ends are drawn when it is known how far all reach
        ax.update_datalim([(zero + end, y) for end in subjects.ends([shown])])


def _limit(ax: Axes, limit: Limit | None, quantity: Quantity) -> None:
    """Draw the limit, or say at the edge where it is."""
    if limit is None:
        return
    bound, (low, high) = quantity.scaled(limit.bound), ax.get_xlim()
    text = f"limit {quantity.bound(limit.bound)}"
    if low <= bound <= high:
        ax.axvline(bound, color="black", linewidth=0.9, linestyle=(0, (5, 3)))
        x, label = bound, text
    else:
        x, label = (high, f"{text} →") if bound > high else (low, f"← {text}")
    left = x > (low + high) / 2.0
    alignment: dict[str, Any] = {"ha": "right" if left else "left", "va": "bottom", "fontsize": 8.0}
    ax.annotate(label, (x, 0.0), (-4.0 if left else 4.0, 3.0), ax.get_xaxis_transform(), "offset points", **alignment)


_LIMITS = "9 limits"
_NOT_MODELLED = (
    "Servers whose clocks differ: one server, or several that flush a shared storage at the same moments.",
    "A policy's effect on the load itself (a server that is slower while it flushes): arrivals are given.",
    "Storage that fails, and a job queue that refuses jobs; a job does not create jobs.",
    "Network, CPU and memory, but for the times and sizes that the plan gives.",
)


def limits_section(draft: Draft) -> Markup:
    """Return the section."""
    found = draft.answer.sensitivity
    listed = dict.fromkeys([most_threatened(draft), *draft.answer.expressions])
    shown = [expression for expression in listed if expression in found.base]
    return content(
        tag("h3", "Which assumption moves the answer most"),
        tag("p", _how(draft)),
        (_picture(draft, expression, number) for number, expression in enumerate(shown, 1)),
        _effects(draft, shown) if shown else None,
        (tag("p", sentence) for sentence in _unmoved(draft, shown)),
        _scaled_otherwise(draft),
        (tag("p", f"{draft.told(sentence)}.") for sentence in found.undefined),
        tag("h3", "Not decided"),
        _undecided(draft),
        tag("h3", "Not modelled"),
        bullets(_NOT_MODELLED),
    )


def most_threatened(draft: Draft) -> Expression:
    """The limited quantity that comes nearest to its limit, or farthest beyond it, where an assumption is moved.

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
    return min(left, key=lambda limited: left[limited], default=plan.objective)


def _how(draft: Draft) -> str:
    found = draft.answer.sensitivity
    return (
        f"Each assumption alone was divided and multiplied by {found.factor:g}, for "
        f"{draft.label(draft.answer.favourite)} at {draft.answer.plan.load:g} times today's load, on fresh "
        "replications under common random numbers. What would have been chosen under other assumptions was not looked "
        "at: change the plan, and run it again."
    )


def _picture(draft: Draft, expression: Expression, number: int) -> Markup:
    found = draft.answer.sensitivity
    if not found.moving(expression):
        return content()
    bounds = [limit for limit in draft.answer.plan.limits if limit.expression == expression]
    return draft.figure(
        f"tornado-{number}",
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
                        About(_LIMITS, f"{effect.variation.name} {label}", plan.load),
                        quantity,
                        gap,
                        name=f"{expression.name}, difference",
                    )
                )
                for label, gap in ((f"÷ {found.factor:g}", effect.lower), (f"× {found.factor:g}", effect.higher))  # noqa: RUF001
            ]
            kept = [verdict(judgement) for judgement in effect.verdicts] if plan.limits else []
            rows.append((effect.variation.name, effect.variation.value, quantity.label, *_mixed(cells, kept)))
    signs = (f"÷ {found.factor:g}", f"× {found.factor:g}")  # noqa: RUF001  # times, as books write it
    columns = [part for sign in signs for part in ((sign, "limits") if plan.limits else (sign,))]
    caption = (
        f"Differences from the model as assumed; n = {plan.replications}, {formats.level(plan.confidence)} intervals, "
        "each by itself; limits: all of them"
    )
    return table(("Assumption", "Value", "Moves", *columns), rows, caption=caption)


def _unmoved(draft: Draft, expressions: list[Expression]) -> Iterator[str]:
    """Sentences on what does not move each of some metrics, which needs no row of zeros."""
    found = draft.answer.sensitivity
    for expression in expressions:
        names = [effect.variation.name for effect in found.of(expression) if not effect.moves]
        if names:
            name = draft.quantity(expression, []).name
            count = f"n = {draft.answer.plan.replications} replications"
            yield f"Not moved in any of {count}: {name} by {', '.join(names)}."


def _scaled_otherwise(draft: Draft) -> Markup | None:
    """Table of what the other scaling of recorded jobs makes of the numbers."""
    found, plan = draft.answer.sensitivity, draft.answer.plan
    if not found.otherwise:
        return None
    scaling = found.otherwise[0].scaling
    rows: list[tuple[Content, ...]] = []
    for one in found.otherwise:
        quantity = draft.quantity(one.expression, [found.base[one.expression]])
        about = About(_LIMITS, f"recorded jobs scaled with keep={scaling.other!r}", plan.load)
        name = f"{one.expression.name}, difference"
        cell = written(draft.numbers.interval(about, quantity, one.difference, name=name))
        rows.append((quantity.label, *_mixed([cell], [verdict(one.verdict)] if plan.limits else [])))
    columns = ("Moves", f"keep={scaling.other!r}", *(["limits"] if plan.limits else []))
    caption = (
        f"Recorded jobs scaled with keep={scaling.other!r}, in place of keep={scaling.keep!r}: differences from the "
        f"model as assumed; n = {plan.replications}, {formats.level(plan.confidence)} intervals, each by itself"
    )
    return table(columns, rows, caption=caption)


def _mixed(cells: list[Markup], kept: list[Markup]) -> Iterator[Markup]:
    for index, cell in enumerate(cells):
        yield cell
        if kept:
            yield kept[index]


def _undecided(draft: Draft) -> Markup:
    open_ = [option for option in draft.answer.recommendation.judged_options if option.verdict == "undecided"]
    if not open_:
        return tag("p", "Every policy passes or fails.")
    sentences = []
    for option in open_:
        checks = [check for check in option.checks if check.verdict == "undecided"]
        listed = "; ".join(f"{check.limit} ({check.text()})" for check in checks)
        sentences.append(draft.told(f"{option.name}: {listed or option.reason}"))
    return bullets(sentences)
