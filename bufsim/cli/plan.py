"""``bufsim plan``: which policy for next season, with its evidence, as a report to hand in."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

from bufsim.cli import inputs
from bufsim.cli.command import Command, Console
from bufsim.errors import InvalidValueError, quoted
from bufsim.report.draft import Source
from bufsim.report.files import browser, write_pdf, write_report
from bufsim.scenario_files.plans import PlanFile, read_plan
from bufsim.studies.plan import PlanAnswer

_DESCRIPTION = """\
Answer a question of capacity planning: which of these flush policies, for this load, at what cost, under which limits?
The plan file is a scenario file with a [plan] table. Every policy is run at every load under the same arrivals; the
choice is looked at again on fresh replications; and the answer is written as one HTML file with its evidence, which
prints on A4, and beside it every number as JSON and CSV.

A policy passes if the whole interval is within the limit. One whose interval straddles a limit is undecided, which
counts as not allowed. One that loses jobs fails, unless the plan prices a lost job (per_lost_job), limits the loss
(lost_share <= 1 %) or has allow_loss = true. The exit code is 1 if no policy passes.
"""
_KEPT = "\u00a0"
_EXAMPLES = """\
examples:
  bufsim plan data/scenarios/plan-next-season.toml
  bufsim plan plan.toml -o report/plan.html --pdf --store plan.sqlite
  bufsim plan plan.toml --vary "capacity=2048,6144" --vary "concurrency=1,2"

All that a [plan] table can say stands, with comments, in data/scenarios/plan-next-season.toml.
"""


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, metavar="FILE", help="a scenario file with a [plan] table")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="HTML",
        help="the report; JSON, CSV and a copy of the plan stand beside it (default: the plan's name, here)",
    )
    parser.add_argument(
        "--pdf", action="store_true", help="print it as PDF too, with a Chromium that is on this machine"
    )
    asked = parser.add_argument_group("in place of what the file says")
    inputs.add_replications(asked, None)
    inputs.add_vary(parser, "another field; each in place of what the file says of that field")
    inputs.add_study_options(parser)


def _run(options: argparse.Namespace) -> int:
    console = Console.of(options)
    html: Path = options.out or Path(options.plan.stem + ".html")
    _check_output(html)
    if options.pdf:
        browser()  # better to hear at once that there is none
    file = read_plan(options.plan, replications=options.replications, seed=options.seed, vary=options.vary or ())
    _check_copy(file, html)
    console.say(f"{file.plan.title}, seed {file.plan.seed}")
    answer = file.plan.run(engine=options.engine, **inputs.how(options))
    source = Source(
        name=file.path.name,
        text=file.text,
        command=_command(file, html, options),
        inputs=[_row(source) for source in file.inputs],
        copy=file.text_in(html.parent),
    )
    written = write_report(answer, html, source=source)
    if options.pdf:
        written.append(write_pdf(html, html.with_suffix(".pdf")))
    _tell(console, answer, written)
    return answer.exit_status


def _check_output(html: Path) -> None:
    """Raise for a file that could not be written: better to hear that before anything runs."""
    if html.is_dir():
        raise InvalidValueError(f"--out must be the name of the HTML file, got the directory {str(html)!r}")
    if html.suffix not in (".html", ".htm"):
        raise InvalidValueError(f"--out must end in .html, got {quoted(html.name)}; the others stand beside it")
    above = next(folder for folder in html.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InvalidValueError(f"--out must be a file in a directory, and {str(above)!r} is none")


def _check_copy(file: PlanFile, html: Path) -> None:
    """Raise if the copy of the plan would take the place of a file that is neither it nor an earlier copy."""
    copy = html.with_suffix(".toml")
    if not copy.exists() or copy.samefile(file.path):
        return
    try:
        earlier = json.loads(html.with_suffix(".json").read_text(encoding="utf-8"))["inputs"]
    except (OSError, ValueError, LookupError, TypeError):
        earlier = []
    known = [file.inputs[0].sha256, *(sha256 for _, _, sha256 in earlier)]
    content = copy.read_bytes()
    made_of = file.text_from(html.parent, content.decode("utf-8", "replace")).encode()
    if not {hashlib.sha256(content).hexdigest(), hashlib.sha256(made_of).hexdigest()}.intersection(known):
        raise InvalidValueError(
            f"--out {html} would write a copy of the plan over {copy}, which is another file; give another --out"
        )


def _row(source: Any) -> tuple[str, int, str]:
    return source.name, source.rows, source.sha256


def _command(file: PlanFile, html: Path, options: argparse.Namespace) -> str:
    """Return the command that repeats the report."""
    words = ["bufsim", "plan", file.path.name, "-o", html.name, "--seed", str(file.plan.seed)]
    if options.replications is not None:
        words += ["-n", str(options.replications)]
    for text in options.vary or ():
        words += ["--vary", text]
    return shlex.join(words)


def _tell(console: Console, answer: PlanAnswer, written: list[Path]) -> None:
    for sentence in answer.recommendation.sentences():
        console.say(_filled(sentence))
    for sentence in answer.scaling():
        console.say("\n" + _filled(sentence))
    console.say(f"\nwritten: {', '.join(str(path) for path in written)}")
    earlier = written[0].with_suffix(".pdf")
    if earlier not in written and earlier.exists():
        console.say(_filled(f"not written: {earlier}, which is of an earlier run; --pdf prints it again"))
    console.give(
        {
            "title": answer.plan.title,
            "seed": answer.plan.seed,
            "choice": answer.recommendation.choice.name if answer.recommendation.choice else None,
            "sentences": answer.recommendation.sentences(),
            "scaling": answer.scaling(),
            "options": answer.recommendation.table().to_dict("records"),
            "limits": answer.recommendation.checks().to_dict("records"),
            "files": [str(path) for path in written],
        }
    )


def _filled(sentence: str) -> str:
    """Return a sentence in lines, with no line's end in an interval."""
    indent = " " * (len(sentence) - len(sentence.lstrip()))
    whole = re.sub(r"\S+ \[[^]]*\]", lambda found: found[0].replace(" ", _KEPT), sentence)
    return textwrap.fill(whole, 110, subsequent_indent=f"{indent}  ").replace(_KEPT, " ")


COMMAND = Command(_DESCRIPTION, _EXAMPLES, _add_options, _run)
