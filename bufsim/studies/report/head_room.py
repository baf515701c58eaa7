"""Section 5, head-room: at how much more load which limit breaks."""

from __future__ import annotations

from bufsim.studies.expressions import Expression
from bufsim.studies.limits import Limit
from bufsim.studies.plots.load_ramp import load_ramp, load_ramp_frame
from bufsim.studies.report.draft import Draft, sign
from bufsim.studies.report.markup import Content, Markup, content, paragraphs, table, tag
from bufsim.studies.report.numbers import About
from bufsim.studies.report.options import ranking, written

_SECTION = "5 head-room"
_SHOWN = 4


def section(draft: Draft) -> Markup:
    """Return the section."""
    found = draft.answer.recommendation
    if not draft.answer.plan.limits:
        return tag("p", "The plan has no limits that could break.")
    told = found.head_room.sentences() if found.head_room else []
    return content(
        paragraphs(told) if told else _nothing(draft),
        _loads(draft),
        [_ramp(draft, limit) for limit in draft.answer.plan.limits],
    )


def _nothing(draft: Draft) -> Markup:
    why = "no policy qualifies" if not draft.answer.recommendation.qualifies else "only one load was run"
    return tag("p", f"No head-room was looked for, because {why}.")


def _loads(draft: Draft) -> Markup | None:
    room = draft.answer.recommendation.head_room
    if room is None:
        return None
    plan = draft.answer.plan
    rows = []
    for scale, checks in room.loads:
        cells: list[Content] = []
        for check in checks:
            expression = check.limit.expression
            assert isinstance(expression, Expression)
            shown = draft.quantity(expression, [check.interval])
            exact = draft.exact.get(check.scenario, False)
            text = draft.numbers.interval(About(_SECTION, room.option, scale), shown, check.interval, exact=exact)
            cells.append(content(sign(check.verdict), " ", written(text, shown.unit.name)))
        rows.append((f"× {scale:g}", *cells))  # noqa: RUF001  # times, as books write it
    caption = (
        f"{draft.label(room.option)} at rising loads, times today's: up to the load planned for on the study's "
        f"replications, beyond it on fresh ones; {draft.basis}, each by itself. Loads are gone through upwards until "
        "one does not pass."
    )
    return table(("Load", *(draft.told(str(limit)) for limit in plan.limits)), rows, caption=caption)


def _ramp(draft: Draft, limit: Limit) -> Markup | None:
    expression = limit.expression
    assert isinstance(expression, Expression)
    plan, study = draft.answer.plan, draft.answer.study
    if len(plan.loads) < 2:
        return None
    shown = shown_options(draft)
    place = plan.limits.index(limit) + 1
    return draft.figure(
        f"ramp-{place}",
        f"{draft.quantity(expression, []).name} at rising load",
        lambda ax: load_ramp(study, expression, ax=ax, limit=limit, scenarios=shown, confidence=plan.confidence),
        lambda: load_ramp_frame(study, expression, limit=limit, scenarios=shown, confidence=plan.confidence),
        height=3.3,
    )


def shown_options(draft: Draft) -> list[str]:
    """Return the options that are looked at closely: the choice, what is done today, and the next best."""
    names = [draft.answer.favourite, draft.answer.today, *(one.name for one in ranking(draft))]
    finished = [name for name in dict.fromkeys(names) if not _missing(draft, name)]
    return finished[:_SHOWN]


def _missing(draft: Draft, name: str) -> bool:
    return any(option.name == name and option.missing for option in draft.answer.options())
