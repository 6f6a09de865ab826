"""What a handful of paired runs shows, and what it cannot show.

Two candidates that run with the same seeds share data order and initial weights, so their difference is tested within
seeds, by the paired t test (Student, 1908, "The probable error of a mean"). With so few seeds the interval matters: the
95 % percentile bootstrap declares a difference between equals in 25 % of comparisons with 3 seeds (whenever the three
differences share a sign), 16 % with 5 and 9 % with 10; the t interval in 5 %, whatever the number, for normal
differences. Where none is shown, the smallest difference that would likely have been found says what that is worth.
"""

from trimtab.study.statistics.curves import decades_within, first_reaching
from trimtab.study.statistics.means import Bounds, mean_interval
from trimtab.study.statistics.multiple import CorrectedDifference, corrected_differences, holm, ranks
from trimtab.study.statistics.paired import PairedDifference, paired_difference
from trimtab.study.statistics.power import detectable_ratio
from trimtab.study.statistics.scatter import FAR, far_out, risen_again
from trimtab.study.statistics.verdicts import ALPHA, Verdict, verdict

__all__ = [
    "ALPHA",
    "FAR",
    "Bounds",
    "CorrectedDifference",
    "PairedDifference",
    "Verdict",
    "corrected_differences",
    "decades_within",
    "detectable_ratio",
    "far_out",
    "first_reaching",
    "holm",
    "mean_interval",
    "paired_difference",
    "ranks",
    "risen_again",
    "verdict",
]
