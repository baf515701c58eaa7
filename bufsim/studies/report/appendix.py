"""Appendix A: the plan in full, how to repeat it, what was read, and what the words mean."""

from __future__ import annotations

from bufsim.studies.report.draft import Draft
from bufsim.studies.report.markup import Markup, content, table, tag

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


def section(draft: Draft) -> Markup:
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
