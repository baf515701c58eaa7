"""Section 3, the options compared: a row a policy, with its limits and its value."""

from __future__ import annotations

from collections.abc import Sequence

from bufsim.plots import Differences, Pareto, PolicyMap
from bufsim.report.draft import About, Draft, sign, verdict
from bufsim.report.markup import BREAK, Content, Markup, content, table, tag
from bufsim.results.losses import SURVIVORS
from bufsim.studies.expressions import Expression, Limit
from bufsim.studies.formulas import expression
from bufsim.studies.judging import JudgedOption
from bufsim.studies.limit_checks import LimitCheck, nearest
from bufsim.studies.quantities import Quantity

_SECTION = "3 options"
_RANK = {"pass": 0, "undecided": 1, "fail": 2}


def options_section(draft: Draft) -> Markup:
    """Return the section."""
    plan, found = draft.answer.plan, draft.answer.recommendation
    ranked = ranking(draft)
    limits = [(limit, _quantity(draft, limit, ranked)) for limit in plan.limits]
    value = draft.quantity(plan.objective, [option.value for option in ranked])
    losses = [draft.quantity(loss, []) for loss in draft.losses()]
    labels = [quantity.label for quantity in (*losses, value)]
    head = ["Policy", "Verdict", *(_limit_head(limit, shown) for limit, shown in limits), *labels]
    rows = [_row(draft, option, limits, losses, value) for option in ranked]
    classes = [" ".join(_classes(draft, option)) for option in ranked]
    caption = (
        f"Every policy; {draft.basis}, those of limits adjusted for {len(ranked)} policies. Of each limit stands the "
        "load at which it is nearest to breaking, in brackets; values are at the load planned for."
    )
    if losses:
        caption += f" {SURVIVORS[0].upper()}{SURVIVORS[1:]}."
    ties = found.selection.tie_set if found.selection else ()
    return content(
        table(head, rows, caption=caption, classes=classes, class_="options"),
        tag("p", _legend(draft, len(ties))),
        tag("p", _not_decided(ranked)),
    )


def ranking(draft: Draft) -> list[JudgedOption]:
    """Return the options: what is done today, then those that pass, are undecided and fail, each by its value."""
    sign = 1.0 if draft.answer.plan.is_cost else -1.0

    def place(option: JudgedOption) -> tuple[object, ...]:
        today = option.name == draft.answer.today
        value = sign * option.value.estimate if option.value else float("inf")
        return not today, _RANK[option.verdict], value, option.name

    return sorted(draft.answer.recommendation.judged_options, key=place)


def _quantity(draft: Draft, limit: Limit, options: Sequence[JudgedOption]) -> Quantity:
    intervals = [worst.interval for option in options if (worst := _worst(option, limit)) is not None]
    return draft.quantity(limit.expression, intervals)


def _limit_head(limit: Limit, shown: Quantity) -> Content:
    bound = f"{limit.side} {shown.bound(limit.bound)}"
    return content(shown.label, BREAK, tag("span", bound.replace("<=", "≤").replace(">=", "≥"), class_="bound"))


def _worst(option: JudgedOption, limit: Limit) -> LimitCheck | None:
    return nearest([check for check in option.checks if check.limit == limit])


def _row(
    draft: Draft,
    option: JudgedOption,
    limits: Sequence[tuple[Limit, Quantity]],
    losses: Sequence[Quantity],
    value: Quantity,
) -> tuple[Content, ...]:
    about = About(_SECTION, option.name, draft.answer.plan.load)
    ties = draft.answer.recommendation.selection
    mark = (
        "▸ " if option.name == draft.answer.favourite and ties else "│ " if ties and option.name in ties.tie_set else ""
    )
    exact = draft.exact.get(option.option.base(), False)
    return (
        content(mark, draft.label(option.name)),
        verdict(option.verdict) if not option.reason else content(verdict(option.verdict), BREAK, option.reason),
        *(_check(draft, option, _worst(option, limit), shown) for limit, shown in limits),
        *(_loss(draft, option, about, shown) for shown in losses),
        written(draft.numbers.interval(about, value, option.value, exact=exact)),
    )


def _check(draft: Draft, option: JudgedOption, check: LimitCheck | None, shown: Quantity) -> Content:
    if check is None:
        return "–"  # noqa: RUF001  # a dash for nothing
    scale = next(scale for scale, name in option.option.scenarios if name == check.scenario)
    exact = draft.exact[check.scenario]
    text = draft.numbers.interval(About(_SECTION, option.name, scale), shown, check.interval, exact=exact)
    at = f" (×{scale:g})" if len(option.option.scenarios) > 1 else ""  # noqa: RUF001  # times, as books write it
    return content(sign(check.verdict), " ", written(text), at)


def _loss(draft: Draft, option: JudgedOption, about: About, shown: Quantity) -> Content:
    scenario, study = option.option.base(), draft.answer.study
    if scenario not in study.finished:
        return "–"  # noqa: RUF001  # a dash for nothing
    text = written(draft.measured(about, shown.expression, study, scenario, shown))
    return content(sign("fail"), " ", text) if option.losses else text


def written(text: str, unit: str = "") -> Markup:
    """Return an estimate and its interval, which may stand in two lines, but not be torn, and the unit, if one follows.

    The unit of an exact number stands before that word.
    """
    estimate, space, interval = text.partition(" [")
    if unit and estimate.endswith(" exact"):
        estimate, unit = f"{estimate.removesuffix('exact')}{unit} exact", ""
    rest = tag("span", f"[{interval}", class_="interval") if space else None
    return content(tag("span", estimate, class_="estimate"), " " if space else None, rest, f" {unit}" if unit else None)


def _classes(draft: Draft, option: JudgedOption) -> list[str]:
    found = draft.answer.recommendation.selection
    classes = ["today"] if option.name == draft.answer.today else []
    if option.name == draft.answer.favourite and found:
        classes.append("chosen")
    return [*classes, "tied"] if found and option.name in found.tie_set else classes


def _legend(draft: Draft, ties: int) -> str:
    if draft.answer.recommendation.choice is None:
        return "No policy passes; what is undecided counts as not kept. Today's policy stands first."
    several = f" │ and ▸: {ties} policies that are not separable in value." if ties > 1 else ""
    return f"▸ the choice.{several} Today's policy stands first; the others are ranked by verdict, then by value."


def _not_decided(options: Sequence[JudgedOption]) -> str:
    open_ = [option for option in options if option.verdict == "undecided"]
    if not open_:
        return "No policy is undecided."
    needed = [option.replications_needed for option in open_ if option.replications_needed is not None]
    more = f" About {max(needed):,} replications would decide {len(needed)} of them." if needed else ""
    return f"{len(open_)} undecided: an interval straddles a limit, which counts as not kept.{more}"


_MOST_RIVALS = 8


def reasons_section(draft: Draft) -> Markup:
    """Return the section."""
    return content(_front(draft), _map(draft), _gaps(draft), _against_the_choice(draft))


def first_limited(draft: Draft) -> Expression:
    """Expression of the limit that is nearest to breaking; without limits the mean wait."""
    found = draft.answer.recommendation
    binding = found.choice.binding if found.choice else found.nearest_miss.binding if found.nearest_miss else None
    if binding is None:
        return expression("mean_wait")
    assert isinstance(binding.limit.expression, Expression)
    return binding.limit.expression


def _front(draft: Draft) -> Markup:
    plan, study = draft.answer.plan, draft.answer.study
    x, y = first_limited(draft), plan.objective
    choice = _choice(draft)
    ring = "; the ring is about the choice" if choice else ""
    picture = Pareto(study, x, y, limits=plan.limits, choice=choice, load=plan.load, confidence=plan.confidence)
    return draft.figure(
        "pareto",
        f"{y.name} against {draft.quantity(x, []).name}, every policy",
        picture.draw,
        picture.frame,
        caption=f"Policies on the steps are beaten by no other in both. The star is today's{ring}.",
        height=3.9,
    )


def _choice(draft: Draft) -> str | None:
    return draft.answer.favourite if draft.answer.recommendation.qualifies else None


def _map(draft: Draft) -> Markup:
    plan, study = draft.answer.plan, draft.answer.study
    x = first_limited(draft)
    choice = _choice(draft)
    changes = draft.changes(draft.answer.favourite)
    study, more = (draft.answer.alike(draft.answer.favourite), f" All with {changes}.") if changes else (study, "")
    if draft.answer.recommendation.losing:
        more += " The outline tells nothing of loss: what loses jobs, and so does not qualify, is in section 3."
    picture = PolicyMap(study, x, limits=plan.limits, choice=choice, load=plan.load, confidence=plan.confidence)
    return draft.figure(
        "map",
        f"{draft.quantity(x, []).name} by size and age",
        picture.draw,
        picture.frame,
        caption=f"Outlined: all limits kept. Hatched: undecided. Circle: the choice.{more}",
        height=3.9,
    )


def _gaps(draft: Draft) -> Markup:
    """Differences of each option's value from today's."""
    shown = [option.name for option in ranking(draft) if option.name != draft.answer.today][:_MOST_RIVALS]
    title = f"{draft.answer.plan.objective.name}: difference from today's policy"
    return _forest(draft, "today", draft.answer.today, shown, title)


def _against_the_choice(draft: Draft) -> Markup | None:
    """Differences of the nearest rivals' values from the choice's."""
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
    names = [baseline, *rivals]
    picture = Differences(
        result, plan.objective, baseline=baseline, scenarios=names, load=plan.load, confidence=plan.confidence
    )
    return draft.figure(
        f"differences-{name}",
        title,
        picture.draw,
        picture.frame,
        height=1.7 + 0.24 * len(rivals),
    )


_SHOWN = 4


def shown_options(draft: Draft) -> list[str]:
    """Return the options that are looked at closely: the choice, what is done today, and the next best."""
    names = [draft.answer.favourite, draft.answer.today, *(option.name for option in ranking(draft))]
    finished = [name for name in dict.fromkeys(names) if not _missing(draft, name)]
    return finished[:_SHOWN]


def _missing(draft: Draft, name: str) -> bool:
    return any(option.name == name and option.missing for option in draft.answer.options())
