"""Section 6, if it goes wrong: a stop of the server, more load, longer bursts, slower workers, and fewer."""

from __future__ import annotations

from bufsim.results import plots
from bufsim.results.words import duration
from bufsim.studies.formulas import expression
from bufsim.studies.limit_checks import check_limits, joint
from bufsim.studies.plan_answer import PLANNED
from bufsim.studies.report.draft import Draft, interval_of, verdict
from bufsim.studies.report.markup import Markup, bullets, content, table, tag
from bufsim.studies.report.numbers import About
from bufsim.studies.report.options import written
from bufsim.studies.report.single_runs import SingleRuns

_SECTION = "6 if it goes wrong"
_AT_A_STOP = ("mean_loss_at_stop_jobs", "p95_loss_at_stop_jobs", "p99_loss_at_stop_jobs")
_BESIDES = ("peak_buffer_size_jobs", "peak_queue_size_jobs", "lost_jobs")
_OUTAGE = 600.0


def section(draft: Draft, runs: SingleRuns) -> Markup:
    """Return the section."""
    return content(_at_a_stop(draft), _curve(draft, runs), _mishaps(draft))


def _at_a_stop(draft: Draft) -> Markup:
    """Return what a stop at a random moment would lose, today and with the favourite."""
    answer, study = draft.answer, draft.answer.study
    options = list(dict.fromkeys([answer.favourite, answer.today]))
    columns = []
    for name in _AT_A_STOP:
        asked = expression(name)
        intervals = [interval_of(study, asked, answer.scenario(one), answer.plan.confidence) for one in options]
        columns.append((asked, draft.quantity(asked, intervals)))
    rows = [
        (
            draft.label(one),
            *(
                written(
                    draft.measured(About(_SECTION, one, answer.plan.load), asked, study, answer.scenario(one), shown)
                )
                for asked, shown in columns
            ),
        )
        for one in options
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
    shown = [runs.median(one) for one in options]
    labels = [draft.label(one) for one in options]
    numbers = ", ".join(f"{label}: replication {one.number}" for label, one in zip(labels, shown, strict=True))
    return draft.figure(
        "loss",
        "One run each: jobs lost if the server stops at a random moment",
        lambda ax: plots.loss_at_stop(*(one.result for one in shown), labels=labels, ax=ax),
        lambda: plots.loss_at_stop_frame(*(one.result for one in shown), labels=labels),
        caption=f"The median run of each ({numbers}).",
        height=2.8,
    )


def _mishaps(draft: Draft) -> Markup:
    """Return what becomes of the favourite's limits where something goes wrong."""
    answer, result = draft.answer, draft.answer.mishaps
    plan = answer.plan
    asked = list(dict.fromkeys([*answer.expressions, *map(expression, _BESIDES)]))
    rows = []
    quantities = [
        draft.quantity(one, [interval_of(result, one, name, plan.confidence) for name in result.finished])
        for one in asked
    ]
    for name in result.finished:
        checks = check_limits(plan.limits, [name], result.measured, confidence=plan.confidence)
        cells = [
            written(draft.measured(About(_SECTION, name, plan.load), one, result, name, shown))
            for one, shown in zip(asked, quantities, strict=True)
        ]
        kept = [verdict(joint(checks))] if plan.limits else []
        rows.append((name, *kept, *cells))
    head = ["", *(["Limits"] if plan.limits else []), *(shown.label for shown in quantities)]
    caption = (
        f"{draft.label(answer.favourite)} at {plan.load:g} times today's load, and where something goes wrong; "
        f"n = {result.replications} fresh replications, {100.0 * plan.confidence:g} % intervals, each by itself"
    )
    failed = result.failures.drop_duplicates("scenario")
    notes = [f"{one.scenario} could not be run: {one.error}" for one in failed.itertuples()]
    return content(
        table(head, rows, caption=caption, class_="narrow"),
        bullets(f"{_begun(one.name)}: {one.meaning}." for one in answer.may_go_wrong()),
        _outage(draft),
        (tag("p", note) for note in notes),
    )


def _outage(draft: Draft) -> Markup | None:
    """Return what piles up while no worker runs: what the flushes hand over, which do not wait for the workers."""
    answer, result = draft.answer, draft.answer.mishaps
    if not answer.plan.simulation.workers or PLANNED not in result.finished:
        return None
    rate = expression("handed_rate_per_s")
    jobs = (_OUTAGE * rate).named(f"jobs handed over in {duration(_OUTAGE)}", unit="jobs")
    text = draft.measured(About(_SECTION, "all workers down", answer.plan.load), jobs, result, PLANNED)
    return tag(
        "p",
        f"If all workers are down, the flushes go on, and what they hand over waits in the queues: {text} jobs in "
        f"{duration(_OUTAGE)} on average (n = {result.replications}), on top of those that wait already. How soon they "
        "are worked off is not modelled.",
    )


def _begun(name: str) -> str:
    return name[0].upper() + name[1:]
