"""A report as PDF, printed by a Chromium that is on the machine."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bufsim.errors import InvalidValueError, MissingExtraError
from bufsim.files import replacing
from bufsim.report.draft import COLUMNS, Draft, Source, csv_text
from bufsim.report.page import page
from bufsim.results.result import versions_of
from bufsim.studies.formulas import expression
from bufsim.studies.plan import PlanAnswer
from bufsim.studies.scenarios import option_name

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 120.0
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-pdf-header-footer",
)


def browser() -> str:
    """Return the path of a Chromium; a MissingExtraError says what to install where there is none."""
    for name in BROWSERS:
        found = shutil.which(name)
        if found:
            return found
    raise MissingExtraError(
        f"a PDF needs a Chromium, and none of {', '.join(BROWSERS)} is on this machine; install one (apt-get install "
        "chromium), or print the HTML from a browser"
    )


def write_pdf(html: str | Path, pdf: str | Path) -> Path:
    """Print an HTML file as PDF.

    Parameters
    ----------
    html, pdf : str or Path
        What is printed, and into which file.

    Raises
    ------
    MissingExtraError
        If there is no Chromium.
    InvalidValueError
        If it prints nothing; the message has its last words.
    """
    source, target = Path(html).resolve(), Path(pdf).resolve()
    program = browser()
    # root may not use Chromium's sandbox, and the page has no script to lock in
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        printed = Path(folder) / "report.pdf"
        command = [program, *_FLAGS, *sandbox, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}"]
        try:
            done = subprocess.run(
                [*command, source.as_uri()], capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise InvalidValueError(
                f"{program} did not print within {_PATIENCE:g} s; print the HTML from a browser"
            ) from None
        if not printed.is_file():
            last = done.stderr.strip().splitlines()[-1:] or ["nothing"]
            raise InvalidValueError(f"{program} printed no PDF, and said: {last[0]}; print the HTML from a browser")
        with replacing(target) as temporary:
            shutil.copyfile(printed, temporary)
    return target


def write_report(answer: PlanAnswer, path: str | Path, *, source: Source | None = None) -> list[Path]:
    """Write the capacity-planning report: an HTML file, and beside it every number as JSON and CSV.

    The HTML is one file that needs nothing else: pictures are in it, it runs no script and asks no other address. The
    same answer gives the same bytes.

    Parameters
    ----------
    answer : PlanAnswer
        What ``plan.run()`` returned.
    path : str or Path
        The HTML file; the others have its name with another ending.
    source : Source, optional
        The plan file, where there is one: it is shown in full, and a copy of it is written too.

    Returns
    -------
    list of Path
        What was written.
    """
    html = Path(path)
    draft = Draft(answer, source)
    texts = {html: str(page(draft))}
    table = numbers(draft)
    texts[html.with_suffix(".json")] = json.dumps(_plain(contents(draft, table)), indent=1, ensure_ascii=False) + "\n"
    texts[html.with_suffix(".csv")] = csv_text(table)
    if source is not None:
        texts[html.with_suffix(".toml")] = source.text if source.copy is None else source.copy
    for target, text in texts.items():
        _write(target, text)
    return list(texts)


def numbers(draft: Draft) -> pd.DataFrame:
    """Return every number of the report, and those behind its pictures: all that was asked of every scenario."""
    study, plan = draft.answer.study, draft.answer.plan
    requested = dict.fromkeys([*draft.answer.expressions, *map(expression, study.shown)])
    rows: list[tuple[object, ...]] = []
    for name, metric, *how in study.intervals(*requested, confidence=plan.confidence).itertuples(index=False):
        scenario = study.coordinates[name]
        scale = float(str(scenario["arrivals_scale"]))
        option = option_name(name, study.scenarios[name], study.coordinates)
        rows.append(("all scenarios", option, metric, scale, *how))
    return pd.concat([draft.numbers.table(), pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)


def contents(draft: Draft, table: pd.DataFrame) -> dict[str, Any]:
    """Return the whole answer as plain values."""
    answer, plan = draft.answer, draft.answer.plan
    found = answer.recommendation
    return {
        "title": plan.title,
        "answer": {
            "qualifies": found.qualifies,
            "choice": found.choice.name if found.choice else None,
            "nearest_miss": found.nearest_miss.name if found.nearest_miss else None,
            "sentences": found.sentences(),
            "tie_set": list(found.selection.tie_set) if found.selection else [],
        },
        "question": {
            "today": repr(plan.today),
            "policies": [repr(item) for item in plan.policies],
            "vary": {field: [repr(value) for value in values] for field, values in plan.vary.items()},
            "objective": {"name": plan.objective.name, "is": str(plan.objective), "lower_is_better": plan.is_cost},
            "limits": [str(item) for item in plan.limits],
            "loads": list(plan.loads),
            "load": plan.load,
            "headroom": list(plan.headroom),
            "allow_loss": plan.allow_loss,
            "replications": plan.replications,
            "seed": plan.seed,
            "confidence": plan.confidence,
            "assumptions": list(plan.assumptions),
            "scaling": answer.scaling(),
        },
        "options": found.table().to_dict("records"),
        "limits": found.checks().to_dict("records"),
        "headroom": found.headroom.table().to_dict("records") if found.headroom else [],
        "sensitivity": answer.sensitivity.table().to_dict("records"),
        "numbers": table.to_dict("records"),
        "figures": {name: frame.to_dict("records") for name, frame in draft.figures.items()},
        "warnings": answer.study.warnings(),
        "failures": answer.study.failures.to_dict("records"),
        "inputs": [list(item) for item in draft.source.inputs] if draft.source else [],
        "command": draft.source.command if draft.source else None,
        "engines": sorted(set(answer.study.engines.values())),
        "versions": [versions_of(engine) for engine in sorted(set(answer.study.engines.values()))],
    }


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it; what is not a number becomes null, infinity a text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{value:+}"
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
