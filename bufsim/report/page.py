"""The page: its sections in order, its look on a screen and on A4, with or without colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bufsim.report import answer, evidence, load, options, risks, short_list
from bufsim.report.draft import Draft
from bufsim.report.markup import Markup, content, tag
from bufsim.report.short_list import SingleRuns

CSS = """
@page { size: A4; margin: 16mm 15mm 17mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt
  sans-serif; color: #555; } }
* { box-sizing: border-box; }
body { font: 10pt/1.4 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; color: #1c1c1c;
  background: #fff; max-width: 180mm; margin: 8mm auto; padding: 0 4mm; }
header { border-bottom: 2pt solid #1c1c1c; margin-bottom: 4mm; }
header p { margin: 0 0 1mm; color: #444; font-size: 9pt; }
h1 { font-size: 17pt; line-height: 1.2; margin: 0 0 2mm; }
h2 { font-size: 13pt; margin: 9mm 0 2mm; padding-top: 2mm; border-top: 0.6pt solid #999; break-after: avoid; }
h3 { font-size: 10.5pt; margin: 5mm 0 1.5mm; break-after: avoid; }
p { margin: 0 0 2mm; }
ul { margin: 0 0 2mm; padding-left: 5mm; }
li { margin-bottom: 0.8mm; }
code, pre { font-family: "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 8.5pt; }
pre { background: #f4f4f4; border: 0.5pt solid #ccc; padding: 2mm 3mm; white-space: pre-wrap; overflow-wrap: anywhere; }
code { overflow-wrap: anywhere; }
.headline { font-size: 14pt; font-weight: bold; margin: 2mm 0; }
.sentence { border-left: 3pt solid #1c1c1c; padding-left: 3mm; margin-bottom: 3mm; }
.sentence p { margin-bottom: 1.2mm; }
nav { font-size: 8.5pt; color: #333; margin: 4mm 0 0; border-top: 0.6pt solid #999; padding-top: 2mm; }
nav ol { columns: 2; margin: 1mm 0 0; padding: 0; list-style: none; }
nav a { color: inherit; text-decoration: none; }
table { border-collapse: collapse; width: 100%; margin: 0 0 4mm; font-size: 8.5pt; break-inside: avoid; }
caption { text-align: left; font-size: 8.5pt; color: #333; padding-bottom: 1mm; break-after: avoid; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { text-align: left; vertical-align: top; padding: 0.8mm 2mm 0.8mm 0; border-bottom: 0.4pt solid #ccc;
  font-variant-numeric: tabular-nums; }
thead th { border-bottom: 0.8pt solid #1c1c1c; vertical-align: bottom; }
tbody th { font-weight: normal; }
.options { break-inside: auto; }
.options td, .options th { font-size: 8pt; }
.options tr.today th { font-weight: bold; }
.options tr.chosen { background: #efefef; }
.options tr.chosen th { font-weight: bold; }
.options tr.tied th { border-left: 2pt solid #1c1c1c; padding-left: 1.5mm; }
.bound { font-weight: normal; white-space: nowrap; }
.narrow td, .narrow th { font-size: 7.5pt; padding-right: 1.2mm; }
.facts th:first-child { width: 38mm; }
.side-by-side { display: flex; gap: 6mm; align-items: flex-start; }
.half { flex: 1; }
.settings th:first-child { width: 30mm; }
.estimate, .interval, .verdict { white-space: nowrap; }
.interval { color: #444; }
.verdict.pass { color: #14532d; font-weight: bold; }
.verdict.fail { color: #7f1d1d; font-weight: bold; }
.verdict.undecided { color: #444; font-style: italic; font-weight: bold; }
.hash { font-size: 7pt; }
.assumed { border: 1.2pt solid #b00020; padding: 2mm 3mm; margin: 0 0 4mm; break-inside: avoid; }
.assumed ul { margin-bottom: 0; }
.note { border: 0.6pt dashed #777; padding: 2mm 3mm; color: #333; }
figure { margin: 3mm 0 4mm; break-inside: avoid; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { margin-bottom: 0.5mm; }
figure p { font-size: 8.5pt; color: #333; margin: 0; }
#section-3 { break-before: page; }
#section-0 h2 { border-top: none; margin-top: 2mm; }
.sign-off { display: flex; gap: 6mm; margin: 10mm 0 2mm; font-size: 8pt; color: #333; break-inside: avoid; }
.sign-off > span { flex: 1; }
.sign-off .line { display: block; border-bottom: 0.6pt solid #1c1c1c; height: 7mm; margin-bottom: 1mm; }
@media print { body { margin: 0; padding: 0; max-width: none; } .contents-break { break-after: page; } }
"""

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
        _section(f"{place}", title, write()) for (place, title), write in zip(enumerate(_TITLES), writers, strict=True)
    ]
    body = content(
        _header(draft), first, _contents(), others, _section("A", "Appendix", answer.appendix_section(draft))
    )
    head = content(
        Markup('<meta charset="utf-8">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", draft.answer.plan.title),
        tag("style", Markup(CSS)),
    )
    html = tag("html", tag("head", head), tag("body", body), lang="en")
    return Markup(f"<!DOCTYPE html>\n{html}\n")


def _section(number: str, title: str, body: Markup) -> Markup:
    return tag("section", tag("h2", f"{number}  {title}"), body, id=f"section-{number}")


def _header(draft: Draft) -> Markup:
    from bufsim import __version__

    plan = draft.answer.plan
    tried = f"{len(plan.options)} policies, {len(plan.loads)} loads, {plan.replications} replications each"
    return tag(
        "header",
        tag("p", f"Capacity plan · bufsim {__version__} · {tried} · seed {plan.seed}"),
        tag("h1", plan.title),
    )


def _contents() -> Markup:
    numbered = [*((str(place), title) for place, title in enumerate(_TITLES)), ("A", "Appendix: plan, inputs, words")]
    items = (tag("li", tag("a", f"{number}  {title}", href=f"#section-{number}")) for number, title in numbered)
    return tag("nav", tag("b", "Contents"), tag("ol", items), class_="contents-break")
