"""Draw the README's picture of a plan: ``python docs/picture.py`` runs the plan and writes plan-next-season.png."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from bufsim.scenario_files.plans import read_plan

HERE = Path(__file__).parent


def main() -> None:
    """Run the plan, and draw at the load planned for what its policies do."""
    mpl.use("Agg")
    plan = read_plan(HERE.parent / "data" / "scenarios" / "plan-next-season.toml").plan
    answer = plan.run()
    ax = answer.study.plot.policy_map(
        "p95_end_to_end", limits=plan.limits, choice=answer.favourite, load=plan.load, confidence=plan.confidence
    )
    ax.figure.savefig(HERE / "plan-next-season.png", dpi=110)


if __name__ == "__main__":
    main()
