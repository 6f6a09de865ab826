"""Checks that an optimizer keeps the contract of ``torch.optim``, for pytest to run on one's own.

Needs pytest; knows nothing of the other parts of this library.
"""

from trimtab.testing.conformance import OptimizerConformance

__all__ = ["OptimizerConformance"]
