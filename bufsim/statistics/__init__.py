"""Statistics over replications, as pure functions of arrays: intervals, comparisons, selection, quantiles, warm-up."""

from __future__ import annotations

from bufsim.statistics.comparisons import (
    Adjustment,
    Comparison,
    Equivalence,
    Margin,
    PairedDifference,
    Verdict,
    compare,
    equivalence,
    holm,
    judge,
    paired_difference,
)
from bufsim.statistics.intervals import Interval, mean_interval, ratio_interval, ratio_values
from bufsim.statistics.quantiles import (
    LevelDistribution,
    level_distribution,
    level_mean_interval,
    level_quantile_interval,
    observations_needed,
    order_statistic_interval,
    quantile_interval,
    quantile_interval_from_counts,
    quantile_values,
    quantile_values_from_counts,
)
from bufsim.statistics.replications import replications_for_half_width, replications_for_power
from bufsim.statistics.selection import ParetoPoint, Selection, pareto_front, select_best
from bufsim.statistics.sequential import Look, Reestimate, SequentialPlan, reestimate, too_wide
from bufsim.statistics.warm_up import Truncation, WarmUpCheck, check_warm_up, mser

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
