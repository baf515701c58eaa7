"""Single runs for pictures: of a policy the median and the worst of its replications."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from bufsim.results.result import Result
from bufsim.simulation import Engine
from bufsim.studies.expressions import Expression
from bufsim.studies.plan_answer import PlanAnswer


class SingleRun(NamedTuple):
    """One replication, run again with all its tables."""

    number: int
    result: Result


@dataclass(slots=True)
class SingleRuns:
    """The median and the worst replication of some policies, at the load planned for.

    Parameters
    ----------
    answer : PlanAnswer
        What is reported.
    by : Expression
        What replications are ordered by: more of it is worse, unless more of it is better.
    """

    answer: PlanAnswer
    by: Expression
    kept: dict[tuple[str, int], SingleRun] = field(default_factory=dict)

    def median(self, option: str) -> SingleRun:
        """Return the replication in the middle, of two the lower."""
        order = self._order(option)
        return self._run(option, order[(len(order) - 1) // 2])

    def worst(self, option: str) -> SingleRun:
        """Return the replication that did worst."""
        return self._run(option, self._order(option)[-1])

    def _order(self, option: str) -> list[int]:
        """Return the replications of an option, the best first."""
        scenario = self.answer.scenario(option)
        study = self.answer.study
        values = study.measured(self.by, scenario).raw()
        sign = -1.0 if self.by.better == "higher" else 1.0
        order = np.argsort(np.nan_to_num(sign * values, nan=np.inf), kind="stable")
        return [list(study.tallies[scenario])[place] for place in order]

    def _run(self, option: str, number: int) -> SingleRun:
        if (option, number) not in self.kept:
            study, scenario = self.answer.study, self.answer.scenario(option)
            engine = cast("Engine", study.engines[scenario])
            result = study.scenarios[scenario].run(study.seed, engine=engine, replication=number)
            self.kept[option, number] = SingleRun(number, result)
        return self.kept[option, number]
