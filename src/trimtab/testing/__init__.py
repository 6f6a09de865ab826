"""Checks that an optimizer keeps the contract of ``torch.optim``, or a sampler that of Optuna, to be run on one's own.

Needs pytest; knows nothing of the other parts of this library.
"""

from typing import TYPE_CHECKING, Any

from trimtab.testing.conformance import OptimizerConformance

if TYPE_CHECKING:
    from trimtab.testing.samplers import SamplerConformance

__all__ = ["OptimizerConformance", "SamplerConformance"]


def __getattr__(name: str) -> Any:  # whoever tests an optimizer need not import Optuna
    if name != "SamplerConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trimtab.testing.samplers import SamplerConformance

    return SamplerConformance
