"""Black-box designs: which settings are evaluated next, and which of those that were are to be trusted.

What is here follows Optuna and BoTorch, which ``pip install 'trimtab[search]'`` brings.
"""

from typing import TYPE_CHECKING

from trimtab import exports

if TYPE_CHECKING:
    from trimtab.search.bnn_surrogates.deep_ensemble import DeepEnsembleSurrogate as DeepEnsembleSurrogate
    from trimtab.search.bnn_surrogates.deep_kernel import DeepKernelGP as DeepKernelGP
    from trimtab.search.bnn_surrogates.hmc import HMCSurrogate as HMCSurrogate
    from trimtab.search.bnn_surrogates.infinite_width import InfiniteWidthBNN as InfiniteWidthBNN
    from trimtab.search.bnn_surrogates.laplace import LinearizedLaplace as LinearizedLaplace
    from trimtab.search.bnn_surrogates.make import make_surrogate as make_surrogate
    from trimtab.search.bnn_surrogates.sghmc import SGHMCSurrogate as SGHMCSurrogate
    from trimtab.search.bo_tutorial.bayesian_optimizer import BayesianOptimizer as BayesianOptimizer
    from trimtab.search.bo_tutorial.gradient_gp import GradientObservationGP as GradientObservationGP
    from trimtab.search.bo_tutorial.knowledge_gradient import DiscreteKnowledgeGradient as DiscreteKnowledgeGradient
    from trimtab.search.bo_tutorial.posterior_mean_improvement import (
        PosteriorMeanImprovement as PosteriorMeanImprovement,
    )
    from trimtab.search.bo_tutorial.recommendation import Recommendation as Recommendation
    from trimtab.search.bo_tutorial.recommendation import recommend as recommend
    from trimtab.search.bo_tutorial.sampler import BOSampler as BOSampler
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

_HELPERS = {
    "BOSampler": "trimtab.search.bo_tutorial.sampler",
    "BarDistribution": "trimtab.search.pfn.bar_distribution",
    "BarPosterior": "trimtab.search.pfn.surrogate",
    "BayesianOptimizer": "trimtab.search.bo_tutorial.bayesian_optimizer",
    "DeepEnsembleSurrogate": "trimtab.search.bnn_surrogates.deep_ensemble",
    "DeepKernelGP": "trimtab.search.bnn_surrogates.deep_kernel",
    "DiscreteKnowledgeGradient": "trimtab.search.bo_tutorial.knowledge_gradient",
    "GaussianProcessPrior": "trimtab.search.pfn.prior",
    "GradientObservationGP": "trimtab.search.bo_tutorial.gradient_gp",
    "HMCSurrogate": "trimtab.search.bnn_surrogates.hmc",
    "InfiniteWidthBNN": "trimtab.search.bnn_surrogates.infinite_width",
    "LinearizedLaplace": "trimtab.search.bnn_surrogates.laplace",
    "LogPFNConstrainedEI": "trimtab.search.pfn.acquisition",
    "OutputTransform": "trimtab.search.pfn.transforms",
    "PFN": "trimtab.search.pfn.network",
    "PFNSampler": "trimtab.search.pfn.sampler",
    "PFNSurrogate": "trimtab.search.pfn.surrogate",
    "PenalizedObjective": "trimtab.search.pfn.penalized",
    "PosteriorMeanImprovement": "trimtab.search.bo_tutorial.posterior_mean_improvement",
    "Recommendation": "trimtab.search.bo_tutorial.recommendation",
    "SGHMCSurrogate": "trimtab.search.bnn_surrogates.sghmc",
    "engineering_problem": "trimtab.search.pfn.engineering",
    "make_surrogate": "trimtab.search.bnn_surrogates.make",
    "recommend": "trimtab.search.bo_tutorial.recommendation",
    "train_pfn": "trimtab.search.pfn.training",
}
"""What the family exports beside the classes of its catalogue, and where it is."""

__all__ = list(exports.names("search", _HELPERS))

if not TYPE_CHECKING:  # names are checked by the imports above

    def __getattr__(name: str) -> object:
        return exports.load("search", _HELPERS, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
