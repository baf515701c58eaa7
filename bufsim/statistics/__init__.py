"""Statistics over replications, as pure functions of arrays: intervals, comparisons, selection, quantiles, warm-up."""

from __future__ import annotations

from bufsim.statistics.comparisons import Comparison, Margin, judge
from bufsim.statistics.differences import paired_difference
from bufsim.statistics.intervals import Interval, mean_interval, ratio_interval, ratio_values
from bufsim.statistics.quantiles import (
    order_statistic_interval,
    quantile_interval_from_counts,
    quantile_values_from_counts,
)
from bufsim.statistics.replications import replications_for_half_width
from bufsim.statistics.samples import Sample
from bufsim.statistics.selection import ParetoPoint, Selection, pareto_front, select_best
from bufsim.statistics.sequential import Look, SequentialPlan, too_wide
from bufsim.statistics.warm_up import WarmUpCheck, check_warm_up

__all__ = [
    "Comparison",
    "Interval",
    "Look",
    "Margin",
    "ParetoPoint",
    "Sample",
    "Selection",
    "SequentialPlan",
    "WarmUpCheck",
    "check_warm_up",
    "judge",
    "mean_interval",
    "order_statistic_interval",
    "paired_difference",
    "pareto_front",
    "quantile_interval_from_counts",
    "quantile_values_from_counts",
    "ratio_interval",
    "ratio_values",
    "replications_for_half_width",
    "select_best",
    "too_wide",
]
