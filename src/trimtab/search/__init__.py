"""Black-box designs: which settings are evaluated next, and which of those that were are to be trusted.

What is here follows Optuna and BoTorch, which ``pip install 'trimtab[search]'`` brings.
"""

from typing import TYPE_CHECKING

from trimtab import exports

if TYPE_CHECKING:
    from trimtab.search.pfn.acquisition import LogPFNConstrainedEI as LogPFNConstrainedEI
    from trimtab.search.pfn.bar_distribution import BarDistribution as BarDistribution
    from trimtab.search.pfn.engineering import engineering_problem as engineering_problem
    from trimtab.search.pfn.network import PFN as PFN
    from trimtab.search.pfn.penalized import PenalizedObjective as PenalizedObjective
    from trimtab.search.pfn.prior import GaussianProcessPrior as GaussianProcessPrior
    from trimtab.search.pfn.sampler import PFNSampler as PFNSampler
    from trimtab.search.pfn.surrogate import BarPosterior as BarPosterior
    from trimtab.search.pfn.surrogate import PFNSurrogate as PFNSurrogate
    from trimtab.search.pfn.training import train_pfn as train_pfn
    from trimtab.search.pfn.transforms import OutputTransform as OutputTransform

_HELPERS: dict[str, str] = {
    "BarDistribution": "trimtab.search.pfn.bar_distribution",
    "BarPosterior": "trimtab.search.pfn.surrogate",
    "GaussianProcessPrior": "trimtab.search.pfn.prior",
    "LogPFNConstrainedEI": "trimtab.search.pfn.acquisition",
    "OutputTransform": "trimtab.search.pfn.transforms",
    "PFN": "trimtab.search.pfn.network",
    "PFNSampler": "trimtab.search.pfn.sampler",
    "PFNSurrogate": "trimtab.search.pfn.surrogate",
    "PenalizedObjective": "trimtab.search.pfn.penalized",
    "engineering_problem": "trimtab.search.pfn.engineering",
    "train_pfn": "trimtab.search.pfn.training",
}
"""What the family exports beside the classes of its catalogue, and where it is."""

__all__ = list(exports.names("search", _HELPERS))

if not TYPE_CHECKING:  # names are checked by the imports above

    def __getattr__(name: str) -> object:
        return exports.load("search", _HELPERS, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
