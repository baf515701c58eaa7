"""A flush policy in the words of other systems."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bufsim import formats
from bufsim.model.flush_policy import AnyOf, FlushPolicy
from bufsim.model.policies import FlushAfterAge, FlushAtBytes, FlushAtSize, FlushEvery
from bufsim.report.draft import About, Draft, interval_of, sentences, verdict
from bufsim.report.markup import Content, Markup, bullets, content, table, tag
from bufsim.report.options import written
from bufsim.results.metrics import find
from bufsim.statistics import Interval
from bufsim.studies.expressions import Expression, Limit
from bufsim.studies.loss_rule import loss_terms
from bufsim.studies.scenarios import in_words


def settings(policy: FlushPolicy) -> list[tuple[str, str]]:
    """Return where a policy is set, a system and what to write there; of other systems only those that say nearly it.

    Vendure has no flush policy of its own: somebody calls flush. Kafka counts bytes from a batch's first record, Vector
    and Ray Serve the age from it, OpenTelemetry Python the time from the last export's end.
    """
    leaves = policy.members if isinstance(policy, AnyOf) else (policy,)
    by_kind = {type(leaf): leaf for leaf in leaves}
    others = _elsewhere(by_kind) if len(by_kind) == len(leaves) == 2 else ()
    return [("bufsim", repr(policy)), ("Vendure", _vendure(policy)), *others]


def _vendure(policy: FlushPolicy) -> str:
    if isinstance(policy, FlushEvery):
        return f"a scheduled task that calls flush every {formats.duration(policy.period)}"
    return f"call flush {policy.phrase}; bufferSize tells the size (there is no such setting)"


def _elsewhere(leaves: dict[type[FlushPolicy], FlushPolicy]) -> Iterator[tuple[str, str]]:
    match leaves.get(FlushAtSize), leaves.get(FlushAtBytes), leaves.get(FlushAfterAge), leaves.get(FlushEvery):
        case FlushAtSize(size), None, FlushAfterAge(age), None:
            yield "Vector", f"batch.max_events = {size}, batch.timeout_secs = {age:g}"
            yield "Ray Serve", f"max_batch_size={size}, batch_wait_timeout_s={age:g}"
        case None, FlushAtBytes(nbytes), FlushAfterAge(age), None:
            yield "Kafka producer", f"batch.size={nbytes}, linger.ms={1e3 * age:.0f}"
        case FlushAtSize(size), None, None, FlushEvery(period, anchor="flush_end"):
            yield "OpenTelemetry", f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE={size}, OTEL_BSP_SCHEDULE_DELAY={1e3 * period:.0f}"


_TABLE = re.compile(r"^\[\[?(?P<name>[^\]]+)\]\]?", re.MULTILINE)


def question_section(draft: Draft) -> Markup:
    """Return the section."""
    plan = draft.answer.plan
    wanted = "lowest" if plan.is_cost else "highest"
    others = ", ".join(draft.label(repr(policy)) for policy in plan.policies)
    text = verbatim(draft.source.text) if draft.source else ""
    return content(
        tag("p", tag("b", "Today: "), f"flush {plan.today.phrase} (", tag("code", repr(plan.today)), ")."),
        tag("p", tag("b", f"Tried instead, {len(plan.policies)}: "), others, ".") if others else None,
        (tag("p", tag("b", "Varied too: "), f"{text}.") for text in _varied(draft)),
        tag("p", tag("b", f"Planned for: {plan.load:g} times today's arrivals. "), _loads(draft)),
        table(("Must be kept", "What it is"), map(_limit, plan.limits), caption="Limits") if plan.limits else None,
        table(
            ("Price", "of", "What it is"),
            _terms(plan.objective),
            caption=f"Objective: the {wanted} {plan.objective.name}, which is the sum of these",
        ),
        tag("p", tag("b", "Loss: "), _loss_rule(draft)) if draft.loses else None,
        (tag("p", "As the plan file says it:"), tag("pre", text)) if text else None,
    )


def _varied(draft: Draft) -> Iterator[str]:
    """What is tried of each field that is varied besides policies, today's value first."""
    for field, values in draft.answer.plan.vary.items():
        today, *others = [in_words(f"{field} {value!r}") for value in values]
        yield f"{today} (today), {', '.join(others)}"


def _loss_rule(draft: Draft) -> str:
    plan = draft.answer.plan
    if plan.allow_loss:
        return "the plan allows it: a policy qualifies whatever it loses."
    if any(loss_terms(plan.objective, plan.is_cost, plan.limits)):
        return "the plan prices or limits it; of other losses a policy that qualifies must have none."
    return "the plan neither prices, limits nor allows it, so that a policy that loses jobs does not qualify."


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
    r"""The part of a TOML text from [plan] to the next table.

    Examples
    --------
    >>> verbatim("[a]\nb = 1\n[plan]\nc = 2\n[[d]]\n")
    '[plan]\nc = 2'
    """
    starts = [(match.start(), match["name"].split(".")[0].strip()) for match in _TABLE.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return "\n".join(text[start:end].strip() for (start, name), end in zip(starts, ends, strict=True) if name == "plan")


_SECTION = "0 answer"


def answer_section(draft: Draft) -> Markup:
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
    policy = draft.answer.policy(found.choice.name)
    ties = len(found.ties)
    also = "" if not ties else f" ({ties} other{'s' if ties > 1 else ''} not separable from it)"
    changes = draft.changes(found.choice.name)
    return f"Flush {policy.phrase}{f', with {changes}' if changes else ''}{also}."


def _today_and_choice(draft: Draft) -> Markup:
    """Limited quantities and the value, of today's policy and of the choice, at the load planned for."""
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
    for asked in draft.losses():
        before, after = (interval_of(answer.study, asked, name, plan.confidence) for name in (today, chosen))
        label = f"{draft.quantity(asked, []).name}, both on the study's replications"
        rows.append((label, *_pair(draft, asked, before, after), ""))
    fresh = f"n = {choice.fresh} fresh replications" if choice.fresh else "the replications that chose it"
    caption = (
        f"At {plan.load:g} times today's load, {formats.level(plan.confidence)} intervals: today's policy on the "
        f"study's {answer.study.replications} replications, the choice on {fresh}"
    )
    head = ("Limit or value", draft.label(answer.today), draft.label(choice.name), "Choice")
    return table(head, rows, caption=caption)


def _pair(draft: Draft, asked: Expression, before: Interval | None, after: Interval | None) -> tuple[Content, Content]:
    """Return an expression of today's policy and of the choice, in one unit."""
    shown = draft.quantity(asked, [before, after])
    pairs = (draft.answer.today, before), (draft.answer.favourite, after)
    cells = [
        written(draft.numbers.interval(About(_SECTION, who, draft.answer.plan.load), shown, interval), shown.unit.name)
        for who, interval in pairs
    ]
    return cells[0], cells[1]


def _settings(draft: Draft) -> Markup:
    policy, changes = draft.answer.policy(draft.answer.favourite), draft.answer.changes(draft.answer.favourite)
    varied = [(f"bufsim, {field}", tag("code", repr(value))) for field, value in changes.items()]
    rows = [(system, tag("code", words)) for system, words in settings(policy)]
    caption = "Settings; of other systems, those that say nearly the same"
    return table(("System", "Setting"), [*rows, *varied], caption=caption, class_="settings")


def _valid_for(draft: Draft) -> Iterator[Content]:
    plan, answer = draft.answer.plan, draft.answer
    scales = [scale for scale in plan.loads if scale <= plan.load]
    rate = draft.written("arrival_rate_per_s", answer.scenario(answer.favourite))
    span = f"{min(scales):g} to {plan.load:g}" if len(scales) > 1 else f"{plan.load:g}"
    yield f"{span} times today's arrivals; at {plan.load:g} times these are {rate} jobs a second."
    until, warm_up = formats.duration(plan.simulation.until), formats.duration(plan.simulation.warm_up)
    not_counted = f", of which the first {warm_up} are not counted" if plan.simulation.warm_up else ""
    yield f"Runs of {until}{not_counted}, with the load of section 2."
    if plan.assumptions:
        count = len(plan.assumptions)
        yield f"{count} assumptions without data, listed in section 2. Section 9 tells which of them matters most."


def _sign_off() -> Markup:
    fields = ("Prepared by", "Checked by", "Approved by", "Date")
    return tag("div", (tag("span", tag("span", "", class_="line"), name) for name in fields), class_="sign-off")


_WORDS = (
    ("job", "a unit of background work: queue name, data, maybe a key and a size in bytes"),
    ("job buffer", "collects jobs before they reach the job queue"),
    ("flush", "empties a buffer: its jobs are reduced and go to the job queue as one batch"),
    ("flush policy", "when the next flush is due"),
    ("batch size, reduced size", "jobs taken by a flush; jobs left of them after reduce"),
    ("buffer size", "jobs in the buffer at a moment"),
    ("wait", "from a job's arrival to the start of its flush"),
    ("end to end", "from a job's arrival to the end of its service"),
    ("job queue, workers", "what serves jobs after the flush"),
    ("replication", "one of several independent runs of the same model"),
    ("interval, n", "an estimate [low, high] that holds the expected value at the level said; from n replications"),
    ("exact", "without error: nothing in it is drawn at random"),
    ("common random numbers", "all policies meet the same arrivals and draws, so that differences are the policies'"),
    ("pass, fail, undecided", "the whole interval is within the limit; none of it is; it straddles the limit"),
    ("not separable", "the interval of the difference holds 0: neither is shown to be better"),
    ("warm-up", "the start of each run, which is not counted"),
)


def appendix_section(draft: Draft) -> Markup:
    """Return the appendix."""
    return content(
        _plan(draft),
        tag("h3", "Words"),
        table(("Word", "Meaning"), _WORDS, class_="facts"),
    )


def _plan(draft: Draft) -> Markup:
    source = draft.source
    if source is None:
        plan = draft.answer.plan
        lines = [f"{name} = {getattr(plan, name)!r}" for name in type(plan).__dataclass_fields__]
        return content(tag("p", "The plan was made in Python:"), tag("pre", "\n".join(lines)))
    rows = [(name, f"{rows:,}", tag("code", sha256, class_="hash")) for name, rows, sha256 in source.inputs]
    return content(
        tag("h3", "To repeat it"),
        tag("pre", source.command),
        tag("p", "gives this file again, byte by byte, with the versions in section 8."),
        tag("h3", "What was read"),
        table(("File", "Lines", "SHA-256"), rows, class_="facts"),
        tag("h3", f"{source.name} in full"),
        tag("pre", source.text),
    )
