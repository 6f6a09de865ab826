"""Noisy expected improvement where only feasible points may be reported."""

from collections.abc import Iterable
from typing import Any

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import LogProbabilityOfFeasibility
from botorch.utils.safe_math import log1mexp
from botorch.utils.transforms import t_batch_mode_transform
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.knowledge_gradient import DiscreteKnowledgeGradient
from trimtab.search.bo_tutorial.posterior_mean_improvement import PosteriorMeanImprovement


class FeasiblePosteriorMeanImprovement(AcquisitionFunction):
    r"""The expected rise of the largest posterior mean over evaluated points that are feasible, as a logarithm.

    What an evaluation at :math:`x` tells of other points counts in any case; that :math:`x` can be reported counts with
    the probability :math:`p(x)` that it satisfies all constraints, which are independent of the objective:

    .. math::
        \log\big(p(x)\, \alpha(x) + (1 - p(x))\, \alpha_0(x)\big)

    Here :math:`\alpha` is :class:`~trimtab.search.PosteriorMeanImprovement` over the feasible points, and
    :math:`\alpha_0` the same without :math:`x` among what may be reported. Without noise :math:`\alpha_0 = 0`, and this
    is constrained expected improvement; where all is feasible it is :math:`\alpha`.

    Args:
        model: of the objective.
        X_feasible: points that were evaluated and found feasible.
        constraints: the models of the constraints, which are satisfied where they are <= 0.
        **options: of :class:`~trimtab.search.PosteriorMeanImprovement`.
    """

    _log = True

    def __init__(self, model: Any, X_feasible: Float[Tensor, "n d"], constraints: Any, **options: Any) -> None:
        super().__init__(model=model)
        self._with_new = PosteriorMeanImprovement(model, X_feasible, **options)
        self._without_new = DiscreteKnowledgeGradient(model, X_feasible, **options)
        self._feasible = log_feasibility(constraints)

    def set_X_pending(self, X_pending: Float[Tensor, "m d"] | None = None) -> None:
        """Says what is pending; whether that will be feasible is not asked."""
        self._with_new.set_X_pending(X_pending)
        self._without_new.set_X_pending(X_pending)

    @t_batch_mode_transform(expected_q=1)  # type: ignore[arg-type]  # it is typed for the base class alone
    def forward(self, X: Float[Tensor, "*batch 1 d"]) -> Float[Tensor, "*batch"]:
        """Returns the logarithm of the value of evaluating each point."""
        # a probability of one would have the logarithm of zero for its complement, and no gradient
        feasible = self._feasible(X).clamp_max(-1e-300)
        infeasible = log1mexp(feasible)
        return torch.logaddexp(feasible + self._with_new(X), infeasible + self._without_new(X))


def log_feasibility(constraints: Any) -> LogProbabilityOfFeasibility:
    """Returns the logarithm of the probability that all constraints are satisfied."""
    return LogProbabilityOfFeasibility(constraints, satisfied(range(constraints.num_outputs)))


def satisfied(outputs: Iterable[int]) -> dict[int, tuple[float | None, float | None]]:
    """Returns where outputs are to lie for constraints to be satisfied, as BoTorch has it."""
    return {output: (None, 0.0) for output in outputs}  # noqa: C420 - dict.fromkeys has another type
