"""Checks that an optimizer, a sampler or a transform keeps the contract of what it stands in; for one's own.

Needs pytest; knows nothing of the other parts of this library.
"""

from typing import TYPE_CHECKING, Any

from trimtab.testing.conformance import OptimizerConformance
from trimtab.testing.transforms import TransformConformance

if TYPE_CHECKING:
    from trimtab.testing.samplers import SamplerConformance

__all__ = ["OptimizerConformance", "SamplerConformance", "TransformConformance"]


def __getattr__(name: str) -> Any:  # whoever tests an optimizer need not import Optuna
    if name != "SamplerConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trimtab.testing.samplers import SamplerConformance

    return SamplerConformance


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
