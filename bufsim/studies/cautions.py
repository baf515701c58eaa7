"""What a person who reads a study's numbers should be warned of, as sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bufsim.results import cautions as of_run
from bufsim.results.tallies import Tally
from bufsim.simulation import Simulation
from bufsim.studies.cut_periods import cut_periods
from bufsim.studies.warm_up import warm_ups


def cautions(scenarios: Mapping[str, Simulation], tallies: Mapping[str, Sequence[Tally]]) -> list[str]:
    """Return a sentence for each thing that can mislead.

    "warm-up": a level starts away from where it goes, or is still moving when the runs end. "cut period": the window
    cuts a period of a policy. And what single runs are warned of ("never due", "unstable", "large job"), with how many
    of the replications it was seen in.

    Parameters
    ----------
    scenarios : mapping of str to Simulation
        What ran.
    tallies : mapping of str to sequence of Tally
        What is kept of their replications.
    """
    found = warm_ups(tallies).warnings()
    for name, kept in tallies.items():
        found += [_of(sentence, name) for sentence in cut_periods(scenarios[name], kept)]
        found += _of_runs(name, scenarios[name], kept)
    return found


def _of_runs(name: str, simulation: Simulation, tallies: Sequence[Tally]) -> list[str]:
    """Return each kind of warning once, in the words of the first replication that has it."""
    seen: dict[str, list[str]] = {}
    for tally in tallies:
        for sentence in of_run.cautions(simulation, tally):
            seen.setdefault(sentence.split(":")[0], []).append(sentence)
    return [
        f"{_of(sentences[0], name)} (so in {len(sentences)} of {len(tallies)} replications)"
        for sentences in seen.values()
    ]


def _of(sentence: str, scenario: str) -> str:
    """Return a warning with its scenario's name after its kind."""
    kind, said = sentence.split(": ", 1)
    return f"{kind}: {scenario}: {said}"
