"""Section 8, evidence: how much was run, what was checked, and what may mislead."""

from __future__ import annotations

from collections.abc import Iterator

from bufsim import formats
from bufsim.plots import WarmUp
from bufsim.plots.closed_forms import by_rate
from bufsim.report.draft import About, Draft, interval_of
from bufsim.report.markup import Content, Markup, bullets, content, table, tag
from bufsim.results.result import versions_of
from bufsim.studies.formulas import expression
from bufsim.studies.warnings import study_warnings

_SECTION = "8 evidence"


def section(draft: Draft) -> Markup:
    """Return the section."""
    return content(
        table(("What", "How much"), _rows(draft), class_="facts"),
        _start(draft),
        _closed_forms(draft),
        tag("h3", "Warnings"),
        _warnings(draft),
    )


def _rows(draft: Draft) -> Iterator[tuple[Content, Content]]:
    plan, study = draft.answer.plan, draft.answer.study
    n = plan.replications
    runs = sum(len(found) for found in study.tallies.values())
    yield "Study", f"{plan.tried} × {len(plan.loads)} loads × {n} replications = {runs:,} runs (exact)"  # noqa: RUF001
    yield "Root seed", str(study.seed)
    yield (
        "Replications",
        f"0 to {n - 1} chose; {n} to {2 * n - 1} looked again at the choice, and at it under further loads; "
        f"{2 * n} to {3 * n - 1} are those of sections 6 and 9",
    )
    yield "Common random numbers", "every policy met the same arrivals and draws, replication by replication"
    yield "Engine", ", ".join(sorted({f"{engine}" for engine in study.engines.values()}))
    yield "Versions", ", ".join(f"{name} {version}" for name, version in _versions(draft).items())
    window = f"[{formats.duration(plan.simulation.warm_up)}, {formats.duration(plan.simulation.until)})"
    yield "Window", f"levels over {window}; waits of jobs whose flush started in it"
    yield "Warm-up", _warm_up(draft)
    yield "Smallest sample", _smallest(draft)
    yield "Conservation", _conservation(study.failures["scenario"].nunique())
    for failure in study.failures.drop_duplicates("scenario").itertuples():
        yield f"Failed: {draft.told(str(failure.scenario))}", str(failure.error)


def _conservation(failures: int) -> str:
    law = "jobs that arrived = bypassed + flushed + buffered + in flight + lost"
    return f"checked in every run: {law}; " + (f"{failures} scenarios failed" if failures else "all hold")


def _start(draft: Draft) -> Markup:
    """Effect of the start of the runs on the favourite's level."""
    study, option, load = draft.answer.study, draft.answer.favourite, draft.answer.plan.load
    picture = WarmUp(study, scenario=option, load=load)
    return draft.figure(
        "warm-up",
        f"The start of the runs of {draft.label(option)}, at {load:g} times today's load",
        picture.draw,
        picture.frame,
        height=3.0,
    )


def _versions(draft: Draft) -> dict[str, str]:
    found: dict[str, str] = {}
    for engine in sorted(set(draft.answer.study.engines.values())):
        found |= versions_of(engine)
    return found


def _warm_up(draft: Draft) -> str:
    names = [draft.answer.scenario(option) for option in dict.fromkeys([draft.answer.favourite, draft.answer.today])]
    rows = [row for row in draft.answer.study.warm_up().rows if row.scenario in names]
    warned = [row for row in rows if row.check.warning]
    if not warned:
        return f"MSER-5 on {len(rows)} levels of the choice and of today's policy: the start does no harm that shows"
    return f"MSER-5 on {len(rows)} levels of the choice and of today's policy: {len(warned)} warned of, see below"


def _smallest(draft: Draft) -> str:
    """Return the fewest flushes and jobs that any number at the load planned for rests on."""
    study = draft.answer.study
    names = [option.base() for option in draft.answer.options() if not option.missing]
    fewest = {}
    for what, metric in (("flushes", "flush_count"), ("jobs", "arrivals_jobs")):
        value = min(float(study.measured(metric, name).raw().min()) for name in names)
        draft.numbers.exact(
            About(_SECTION, "any policy", draft.answer.plan.load), f"fewest {what} in a replication", value
        )
        fewest[what] = formats.number(value)
    return f"{fewest['flushes']} flushes and {fewest['jobs']} jobs in one replication, at the load planned for (exact)"


def _closed_forms(draft: Draft) -> Markup:
    """Closed forms for the choice, where there are any."""
    answer, study, plan = draft.answer, draft.answer.study, draft.answer.plan
    scenario = answer.scenario(answer.favourite)
    model = study.scenarios[scenario]
    rate = sum(producer.arrivals.mean_rate for producer in model.producers)
    rows = []
    for name in ("mean_wait_s", "p99_wait_s", "mean_buffer_size_jobs", "mean_batch_size_jobs"):
        asked = expression(name)
        form = by_rate(model, asked)
        if form is None:
            continue
        interval = interval_of(study, asked, scenario, plan.confidence)
        shown = draft.quantity(asked, [interval])
        about = About(_SECTION, answer.favourite, plan.load)
        theory = draft.numbers.exact(about, f"{name}, closed form", form(rate), asked.unit)
        held = "holds it" if interval is not None and form(rate) in interval else "does not hold it"
        rows.append((shown.label, draft.numbers.interval(about, shown, interval), f"{theory} (exact)", held))
    if not rows:
        return tag("p", "No closed form is known for this model, so that theory checks none of its numbers.")
    head = ("Metric", "Simulated", "Closed form", f"The {formats.level(plan.confidence)} interval")
    return table(head, rows, caption="The choice against theory; the run starts empty, theory is of the long run")


def _warnings(draft: Draft) -> Markup:
    answer, study = draft.answer, draft.answer.study
    names = [answer.scenario(option) for option in dict.fromkeys([answer.favourite, answer.today])]
    kept = {name: list(study.tallies[name].values()) for name in names}
    found = [draft.told(sentence) for sentence in study_warnings({name: study.scenarios[name] for name in names}, kept)]
    if not found:
        return tag("p", "None for the choice and for today's policy at the load planned for.")
    return content(tag("p", "Of the choice and of today's policy, at the load planned for:"), bullets(found))
