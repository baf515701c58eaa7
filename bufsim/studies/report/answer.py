"""Section 0, the answer: what to do, how sure that is, where to set it, and for what it is valid."""

from __future__ import annotations

from collections.abc import Iterator

from bufsim.results.words import duration
from bufsim.studies.expressions import Expression
from bufsim.studies.report.draft import Draft, interval_of, sentences, verdict
from bufsim.studies.report.markup import Content, Markup, bullets, content, table, tag
from bufsim.studies.report.numbers import About
from bufsim.studies.report.options import written
from bufsim.studies.report.policy_words import described, settings
from bufsim.studies.statistics import Interval

_SECTION = "0 answer"


def section(draft: Draft) -> Markup:
    """Return the section."""
    found = draft.answer.recommendation
    return content(
        tag("p", _headline(draft), class_="headline"),
        tag("div", sentences(found.sentences()), class_="sentence"),
        _today_and_choice(draft) if found.qualifies else None,
        _settings(draft) if found.qualifies else None,
        tag("h3", "Valid for"),
        bullets(_valid_for(draft)),
        _sign_off(),
    )


def _headline(draft: Draft) -> str:
    found = draft.answer.recommendation
    if found.choice is None:
        return "No policy qualifies."
    policy = next(one for one in draft.answer.plan.options if repr(one) == found.choice.name)
    ties = len(found.ties)
    also = "" if not ties else f" ({ties} other{'s' if ties > 1 else ''} not separable from it)"
    return f"Flush {described(policy)}{also}."


def _today_and_choice(draft: Draft) -> Markup:
    """Return what is limited and the value, of today's policy and of the choice, at the load planned for."""
    answer, plan, choice = draft.answer, draft.answer.plan, draft.answer.recommendation.choice
    assert choice is not None
    chosen, today = answer.scenario(choice.name), answer.scenario(answer.today)
    checks = {str(check.limit): check for check in choice.checks if check.scenario == chosen}
    rows: list[tuple[Content, ...]] = []
    for limit in plan.limits:
        asked, check = limit.expression, checks[str(limit)]
        assert isinstance(asked, Expression)
        before = interval_of(answer.study, asked, today, plan.confidence)
        rows.append((draft.told(str(limit)), *_pair(draft, asked, before, check.interval), verdict(check.verdict)))
    before = interval_of(answer.study, plan.objective, today, plan.confidence)
    rows.append((f"{plan.objective.name}", *_pair(draft, plan.objective, before, choice.value), ""))
    fresh = f"n = {choice.fresh} fresh replications" if choice.fresh else "the replications that chose it"
    caption = (
        f"At {plan.load:g} times today's load, {100.0 * plan.confidence:g} % intervals: today's policy on the study's "
        f"{answer.study.replications} replications, the choice on {fresh}"
    )
    head = ("Limit or value", draft.label(answer.today), draft.label(choice.name), "Choice")
    return table(head, rows, caption=caption)


def _pair(draft: Draft, asked: Expression, before: Interval | None, after: Interval | None) -> tuple[Content, Content]:
    """Return an expression of today's policy and of the choice, in one unit."""
    shown = draft.quantity(asked, [before, after])
    told = (draft.answer.today, before), (draft.answer.favourite, after)
    cells = [
        written(draft.numbers.interval(About(_SECTION, who, draft.answer.plan.load), shown, one), shown.unit.name)
        for who, one in told
    ]
    return cells[0], cells[1]


def _settings(draft: Draft) -> Markup:
    policy = next(one for one in draft.answer.plan.options if repr(one) == draft.answer.favourite)
    rows = [(system, tag("code", words)) for system, words in settings(policy)]
    caption = "Settings; of other systems, those that say nearly the same"
    return table(("System", "Setting"), rows, caption=caption, class_="settings")


def _valid_for(draft: Draft) -> Iterator[Content]:
    plan, answer = draft.answer.plan, draft.answer
    scales = [scale for scale in plan.loads if scale <= plan.load]
    rate = draft.written("arrival_rate_per_s", answer.scenario(answer.favourite))
    span = f"{min(scales):g} to {plan.load:g}" if len(scales) > 1 else f"{plan.load:g}"
    yield f"{span} times today's arrivals; at {plan.load:g} times these are {rate} jobs a second."
    until, warm_up = duration(plan.simulation.until), duration(plan.simulation.warm_up)
    not_counted = f", of which the first {warm_up} are not counted" if plan.simulation.warm_up else ""
    yield f"Runs of {until}{not_counted}, with the load of section 2."
    if plan.assumptions:
        count = len(plan.assumptions)
        yield f"{count} assumptions without data, listed in section 2. Section 9 tells which of them matters most."


def _sign_off() -> Markup:
    fields = ("Prepared by", "Checked by", "Approved by", "Date")
    return tag("div", (tag("span", tag("span", "", class_="line"), name) for name in fields), class_="sign-off")
