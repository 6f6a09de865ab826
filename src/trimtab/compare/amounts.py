"""What a candidate's runs come to: means with their intervals, medians, largest values."""

import math
import statistics as standard_statistics
from collections.abc import Sequence

import numpy as np

from trimtab.compare.bounds import Ranges, on_one_side
from trimtab.compare.result import Interval
from trimtab.lab.measures import TEST_LOSS, TEST_METRIC
from trimtab.study import statistics
from trimtab.study.again import FEWEST
from trimtab.study.facts import SECONDS, TRIAL_TIME, Facts
from trimtab.study.outcome import Outcome
from trimtab.study.point import Point
from trimtab.study.statistics.arrays import rounding

ENOUGH_SEEDS = 5
"""Seeds whose scatter can be judged: two or three lie close together by chance, and what is divided by their standard
deviation is then as large as one likes."""


def means(facts: Facts, runs: Sequence[Outcome], ranges: Ranges) -> dict[str, Interval]:
    """Returns the means of those of a problem's measures that are averaged.

    Args:
        facts: of the problem.
        runs: final runs of a candidate.
        ranges: what is possible.
    """
    found = {}
    for name in (measure.name for measure in facts.measures if measure.over == "mean"):
        values = [run.measures.get(name) for run in runs]
        known = [value for value in values if value is not None]
        bounds = {TEST_LOSS: ranges.loss, TEST_METRIC: ranges.metric}.get(name) or on_one_side(known)
        if (mean := interval(values, bounds)) is not None:
            found[name] = mean
    return found


def prices(facts: Facts, everything: Sequence[Outcome]) -> dict[str, float]:
    """Returns medians or largest values of the other measures, and of seconds where they are known.

    Args:
        facts: of the problem.
        everything: all trials of a candidate.
    """
    found = {}
    timed = {} if facts.origin else {SECONDS: TRIAL_TIME}  # of runs that others made, nobody knows
    for measure in {**timed, **{each.name: each for each in facts.measures}}.values():
        values = [value for run in everything if (value := _measured(run, measure.name)) is not None]
        if values and measure.over != "mean":
            found[measure.name] = max(values) if measure.over == "largest" else standard_statistics.median(values)
    return found


def _measured(run: Outcome, name: str) -> float | None:
    if name == SECONDS:
        return run.seconds if run.status == "complete" else None
    return run.measures.get(name)


def interval(values: Sequence[float | None], bounds: statistics.Bounds) -> Interval | None:
    """Returns the mean of what is known with its interval; ``None`` where nothing is.

    Args:
        values: of runs.
        bounds: what is possible.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean, low, high = statistics.mean_interval(known, bounds=bounds)
    # without any spread it would be everything that is possible, which is not worth a line
    return Interval(mean, None, None) if (low, high) == _ends(bounds) else Interval(mean, low, high)


def _ends(bounds: statistics.Bounds) -> tuple[float, float]:
    low, high = bounds
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def _median(values: Sequence[float]) -> float | None:
    return standard_statistics.median(values) if values else None


def median_reached(costs: list[float], runs: int) -> float | None:
    """Returns the median over all runs, those that did not reach the target counting as later than any.

    Args:
        costs: of those that did.
        runs: how many there are.

    Returns:
        ``None`` if half of them or more did not.
    """
    padded = sorted(costs) + [math.inf] * (runs - len(costs))
    median = _median(padded)
    return median if median is not None and math.isfinite(median) else None


def rate_decades(tuning: list[tuple[Point, Outcome]], name: str | None) -> float | None:
    """Returns how many powers of ten of a setting are good; ``None`` where that is no question, or so few say nothing.

    Args:
        tuning: trials with one seed.
        name: of the setting.
    """
    if name is None:
        return None
    tried = [(point.settings[name], outcome.loss) for point, outcome in tuning if name in point.settings]
    rates = [rate for rate, _ in tried if isinstance(rate, float) and rate > 0]
    losses = [math.inf if loss is None else loss for _, loss in tried]
    if len(rates) < FEWEST or len(rates) != len(losses) or not any(math.isfinite(loss) for loss in losses):
        return None
    return statistics.decades_within(rates, losses)


def winners_curse(tuned: float | None, final: Sequence[float | None]) -> float | None:
    """Returns how much better a setting looked in tuning than it is, in standard deviations of fresh seeds.

    Args:
        tuned: its mean loss in tuning.
        final: its losses on fresh seeds.

    Returns:
        ``None`` where one is missing, there are fewer than ``ENOUGH_SEEDS`` fresh seeds, or they are all equal but for
        rounding.
    """
    known = [loss for loss in final if loss is not None]
    if tuned is None or len(known) < max(ENOUGH_SEEDS, len(final)):
        return None
    if max(known) - min(known) <= rounding(np.array(known)):
        return None
    return (standard_statistics.fmean(known) - tuned) / standard_statistics.stdev(known)
