"""The page: its sections in order, its look on a screen and on A4, with or without colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files

from bufsim.report import answer, evidence, load, options, risks, short_list
from bufsim.report.draft import Draft
from bufsim.report.markup import Markup, content, tag
from bufsim.report.short_list import SingleRuns

_TITLES = (
    "Answer",
    "Question",
    "Load",
    "Options compared",
    "Why this one",
    "Headroom",
    "If it goes wrong",
    "Short list",
    "Evidence",
    "Limits of this report",
)


def page(draft: Draft) -> Markup:
    """Return the whole page."""
    runs = SingleRuns(draft.answer, options.first_limited(draft))
    writers: Sequence[Callable[[], Markup]] = (
        lambda: answer.answer_section(draft),
        lambda: answer.question_section(draft),
        lambda: load.section(draft),
        lambda: options.options_section(draft),
        lambda: options.reasons_section(draft),
        lambda: risks.headroom_section(draft),
        lambda: risks.failure_section(draft, runs),
        lambda: short_list.section(draft, runs),
        lambda: evidence.section(draft),
        lambda: risks.limits_section(draft),
    )
    first, *others = [
        _section(f"{number}", title, write())
        for (number, title), write in zip(enumerate(_TITLES), writers, strict=True)
    ]
    body = content(
        _header(draft), first, _contents(), others, _section("A", "Appendix", answer.appendix_section(draft))
    )
    head = content(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", draft.answer.plan.title),
        tag("style", Markup("\n" + files("bufsim.report").joinpath("page.css").read_text("utf-8"))),
    )
    html = tag("html", tag("head", head), tag("body", body), lang="en")
    return Markup(f"<!DOCTYPE html>\n{html}\n")


def _section(number: str, title: str, body: Markup) -> Markup:
    return tag("section", tag("h2", f"{number}  {title}"), body, id=f"section-{number}")


def _header(draft: Draft) -> Markup:
    from bufsim import __version__

    plan = draft.answer.plan
    tried = f"{plan.tried}, {len(plan.loads)} loads, {plan.replications} replications each"
    return tag(
        "header",
        tag("p", f"Capacity plan · bufsim {__version__} · {tried} · seed {plan.seed}"),
        tag("h1", plan.title),
    )


def _contents() -> Markup:
    numbered = [*((str(index), title) for index, title in enumerate(_TITLES)), ("A", "Appendix: plan, inputs, words")]
    items = (tag("li", tag("a", f"{number}  {title}", href=f"#section-{number}")) for number, title in numbered)
    return tag("nav", tag("b", "Contents"), tag("ol", items), class_="contents-break")
