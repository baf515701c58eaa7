"""Statistics over replications, as pure functions of arrays: intervals, comparisons, selection, quantiles, warm-up."""

from __future__ import annotations

from bufsim.studies.statistics.adjustment import Adjustment, holm
from bufsim.studies.statistics.comparisons import PairedDifference, paired_difference
from bufsim.studies.statistics.equivalence import Equivalence, equivalence
from bufsim.studies.statistics.intervals import Interval, mean_interval
from bufsim.studies.statistics.levels import (
    LevelDistribution,
    level_distribution,
    level_mean_interval,
    level_quantile_interval,
)
from bufsim.studies.statistics.margins import Margin
from bufsim.studies.statistics.order_statistics import observations_needed, order_statistic_interval
from bufsim.studies.statistics.pareto import ParetoPoint, pareto_front
from bufsim.studies.statistics.quantile_values import quantile_values, quantile_values_from_counts
from bufsim.studies.statistics.quantiles import quantile_interval, quantile_interval_from_counts
from bufsim.studies.statistics.ratios import ratio_interval, ratio_values
from bufsim.studies.statistics.reestimates import Reestimate, reestimate
from bufsim.studies.statistics.replications import replications_for_half_width, replications_for_power
from bufsim.studies.statistics.selection import Selection, select_best
from bufsim.studies.statistics.sequential import Look, SequentialPlan, too_wide
from bufsim.studies.statistics.verdicts import Comparison, Verdict, compare, judge
from bufsim.studies.statistics.warm_up import Truncation, WarmUpCheck, check_warm_up, mser

__all__ = [
    "Adjustment",
    "Comparison",
    "Equivalence",
    "Interval",
    "LevelDistribution",
    "Look",
    "Margin",
    "PairedDifference",
    "ParetoPoint",
    "Reestimate",
    "Selection",
    "SequentialPlan",
    "Truncation",
    "Verdict",
    "WarmUpCheck",
    "check_warm_up",
    "compare",
    "equivalence",
    "holm",
    "judge",
    "level_distribution",
    "level_mean_interval",
    "level_quantile_interval",
    "mean_interval",
    "mser",
    "observations_needed",
    "order_statistic_interval",
    "paired_difference",
    "pareto_front",
    "quantile_interval",
    "quantile_interval_from_counts",
    "quantile_values",
    "quantile_values_from_counts",
    "ratio_interval",
    "ratio_values",
    "reestimate",
    "replications_for_half_width",
    "replications_for_power",
    "select_best",
    "too_wide",
]
