"""Section 1, the question: limits, objective with its prices, what is done today; verbatim from the plan."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bufsim.results.metrics import find
from bufsim.studies.expressions import Expression
from bufsim.studies.limits import Limit
from bufsim.studies.report.draft import Draft
from bufsim.studies.report.markup import Content, Markup, content, table, tag
from bufsim.studies.report.policy_words import described

_TABLE = re.compile(r"^\[\[?(?P<name>[^\]]+)\]\]?", re.MULTILINE)


def section(draft: Draft) -> Markup:
    """Return the section."""
    plan = draft.answer.plan
    wanted = "lowest" if plan.is_cost else "highest"
    others = ", ".join(draft.label(repr(one)) for one in plan.policies)
    text = verbatim(draft.source.text) if draft.source else ""
    return content(
        tag("p", tag("b", "Today: "), f"flush {described(plan.today)} (", tag("code", repr(plan.today)), ")."),
        tag("p", tag("b", f"Tried instead, {len(plan.policies)}: "), others, "."),
        tag("p", tag("b", f"Planned for: {plan.load:g} times today's arrivals. "), _loads(draft)),
        table(("Must be kept", "What it is"), map(_limit, plan.limits), caption="Limits") if plan.limits else None,
        table(
            ("Price", "of", "What it is"),
            _terms(plan.objective),
            caption=f"Objective: the {wanted} {plan.objective.name}, which is the sum of these",
        ),
        (tag("p", "As the plan file says it:"), tag("pre", text)) if text else None,
    )


def _loads(draft: Draft) -> str:
    plan = draft.answer.plan
    listed = ", ".join(f"{scale:g}" for scale in plan.loads if scale <= plan.load)
    several = "," in listed
    limits = "The limits must be kept at " + (
        f"each of {listed} times, and values count at {plan.load:g}" if several else f"{listed} times"
    )
    return f"{limits}."


def _limit(limit: Limit) -> tuple[Content, Content]:
    expression = limit.expression
    assert isinstance(expression, Expression)
    return tag("code", str(limit)), "; ".join(meaning for _, _, meaning in _terms(expression))


def _terms(expression: Expression) -> Iterator[tuple[str, Content, str]]:
    for term in expression.terms:
        metric = find(term.metric)
        of = f" of {term.of}" if term.of else ""
        yield f"{term.factor:g}", tag("code", f"{metric.name}{of}"), f"{metric.meaning}{of}"
    if expression.constant:
        yield f"{expression.constant:g}", "", "a constant"


def verbatim(text: str) -> str:
    r"""Return what stands in a TOML text from [plan] to the next table.

    Examples
    --------
    >>> verbatim("[a]\nb = 1\n[plan]\nc = 2\n[[d]]\n")
    '[plan]\nc = 2'
    """
    starts = [(match.start(), match["name"].split(".")[0].strip()) for match in _TABLE.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return "\n".join(text[start:end].strip() for (start, name), end in zip(starts, ends, strict=True) if name == "plan")
