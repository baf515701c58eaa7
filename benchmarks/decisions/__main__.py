"""Study problems with known truth many times, and print the scores: ``python -m benchmarks.decisions``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.decisions.criteria import Score, scores
from benchmarks.decisions.problems import problems
from benchmarks.decisions.repetitions import Seen, repeat
from benchmarks.decisions.scarce import SCARCE
from benchmarks.tables import table

NUMBERS = [*problems(), *SCARCE]
FIRST_SEED = 1000
CHUNK = 5


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    found: list[Score] = []
    for number in options.problem or NUMBERS:
        begin = time.monotonic()
        seen = [one for chunk in _seen(number, options) for one in chunk]
        found += scores(number, seen)
        print(f"problem {number}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    print(f"{options.repetitions} repetitions, root seeds from {options.seed} on\n")
    print(table(["problem", "quantity", "score", "criterion", ""], [score.row() for score in found], left=2))
    failed = sum(not score.passes for score in found)
    asked = sum(score.criterion.asks for score in found)
    print(f"\n{asked - failed} of {asked} criteria are met")
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks.decisions", description=__doc__)
    made.add_argument("--repetitions", type=int, default=200, help="studies of each problem (200)")
    made.add_argument("--problem", type=int, nargs="+", choices=NUMBERS, metavar="N", help="1 to 14; all")
    made.add_argument("--executor", type=int, default=2, help="processes (2)")
    made.add_argument("--seed", type=int, default=FIRST_SEED, help=f"the first root seed ({FIRST_SEED})")
    return made


def _seen(number: int, options: argparse.Namespace) -> Iterator[list[Seen]]:
    seeds = range(options.seed, options.seed + options.repetitions)
    chunks = [(number, seeds[first : first + CHUNK]) for first in range(0, len(seeds), CHUNK)]
    if options.executor == 1:
        return map(repeated, chunks)
    from loky import get_reusable_executor

    return get_reusable_executor(max_workers=options.executor).map(repeated, chunks)


def repeated(chunk: tuple[int, Sequence[int]]) -> list[Seen]:
    """Return what some repetitions of a problem come to: what a process does."""
    number, seeds = chunk
    return [repeat(number, seed) for seed in seeds]


if __name__ == "__main__":
    sys.exit(main())
