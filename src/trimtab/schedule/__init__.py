"""The pace: learning rate, batch size and hyper-parameters that set themselves during the run.

Controllers stand beside an optimizer in a loop of one's own, as torch's schedulers do; see
:class:`~trimtab.lab.controller.Controller`.
"""

from trimtab.schedule.gradient_norms import GradientNormRecorder
from trimtab.schedule.linear_decay import linear_decay_with_warmup
from trimtab.schedule.numerical import numerical_schedule
from trimtab.schedule.polynomial import PolynomialFit, fit_polynomial
from trimtab.schedule.refined import RefinedLR, refine_schedule
from trimtab.schedule.refinement import read_schedule

__all__ = [
    "GradientNormRecorder",
    "PolynomialFit",
    "RefinedLR",
    "fit_polynomial",
    "linear_decay_with_warmup",
    "numerical_schedule",
    "read_schedule",
    "refine_schedule",
]
