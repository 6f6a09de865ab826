"""What a handful of runs shows, and what it cannot show.

There are three tests, and who uses which:

- **Claims** use the paired t test (:func:`~trimtab.study.statistics.paired.paired_difference`; Student, 1908, "The
  probable error of a mean"): two candidates that run with the same seeds share data order and initial weights, so their
  difference is tested within seeds, and nothing else is asked. With so few seeds the interval matters: the 95 %
  percentile bootstrap declares a difference between equals in 25 % of comparisons with 3 seeds (whenever the three
  differences share a sign), 16 % with 5 and 9 % with 10; the t interval in 5 %, whatever the number, for normal
  differences.
- **Comparisons** of several candidates use the same t with moderated variances
  (:func:`~trimtab.study.statistics.moderated.moderated_estimates`), to which every candidate's runs contribute; of two,
  it is the paired t test again. Of a race, which looks at the runs as they come, each look has a level of its own
  (:mod:`~trimtab.study.statistics.sequential`).
- **Runs that others made** and whose seeds have no meaning in common are compared by Welch's t test with variances
  moderated alike (:func:`~trimtab.study.statistics.unpaired.unpaired_estimates`).

Where no difference is shown, the smallest one that would likely have been found says what that is worth.
"""

from trimtab.study.statistics.curves import decades_within, first_reaching
from trimtab.study.statistics.means import Bounds, mean_interval
from trimtab.study.statistics.moderated import ModeratedEstimate, in_common, moderated_estimates
from trimtab.study.statistics.multiple import CorrectedDifference, corrected, holm, ranks
from trimtab.study.statistics.paired import PairedDifference, paired_difference
from trimtab.study.statistics.power import detectable_ratio
from trimtab.study.statistics.scatter import FAR, far_out, risen_again
from trimtab.study.statistics.unpaired import unpaired_estimates
from trimtab.study.statistics.verdicts import ALPHA, Verdict, verdict

__all__ = [
    "ALPHA",
    "FAR",
    "Bounds",
    "CorrectedDifference",
    "ModeratedEstimate",
    "PairedDifference",
    "Verdict",
    "corrected",
    "decades_within",
    "detectable_ratio",
    "far_out",
    "first_reaching",
    "holm",
    "in_common",
    "mean_interval",
    "moderated_estimates",
    "paired_difference",
    "ranks",
    "risen_again",
    "unpaired_estimates",
    "verdict",
]
