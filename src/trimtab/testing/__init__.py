"""Checks that an optimizer keeps the contract of ``torch.optim``, or a transform that of a comparison; for one's own.

Needs pytest; knows nothing of the other parts of this library.
"""

from trimtab.testing.conformance import OptimizerConformance
from trimtab.testing.transforms import TransformConformance

__all__ = ["OptimizerConformance", "TransformConformance"]
