"""``bufsim verify``: whether this installation does what bufsim claims, a line a claim."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap

from bufsim.cli.command import DONE, NOTHING_QUALIFIES, Command, Console
from bufsim.verification.claims import CLAIMS
from bufsim.verification.findings import Extent, Finding

_DESCRIPTION = """\
Check what bufsim claims of itself, on this machine: that the ported classes give what Vendure's own gave, that the
model gives a recorded server's batches, that the two engines agree to the last bit, that no job comes or goes unseen,
that the simulation agrees with closed forms, and that intervals hold what they promise. A line each; the exit code is
1 if one does not hold, or could not be checked.
"""
_EXAMPLES = """\
examples:
  bufsim verify
  bufsim verify --full --seed 7
"""
_SUBJECT, _WIDTH = 20, 118


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true", help="more models and more studies; takes minutes")


def _run(options: argparse.Namespace) -> int:
    console = Console.of(options)
    seed = 1 if options.seed is None else options.seed
    extent = Extent.full(seed) if options.full else Extent(seed)
    found = []
    for claim in CLAIMS:
        found.append(claim.finding(extent))
        console.say(line(found[-1]))
    bad = [finding for finding in found if not finding.holds]
    console.say(f"\n{'all' if not bad else f'{len(found) - len(bad)} of'} {len(found)} hold, seed {seed}")
    console.give({"seed": seed, "holds": not bad, "findings": [dataclasses.asdict(finding) for finding in found]})
    return NOTHING_QUALIFIES if bad else DONE


def line(finding: Finding) -> str:
    """Return a finding as text: its verdict, its subject, and what was checked."""
    head = f"{finding.verdict:<12}{finding.subject:<{_SUBJECT}}"
    return textwrap.fill(finding.checked, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))


COMMAND = Command(_DESCRIPTION, _EXAMPLES, _add_options, _run, without_seed="it is 1")
