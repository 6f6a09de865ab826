"""An acquisition function over any BoTorch model, for a search that works on arrays."""

from typing import Any, Final

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.exceptions.errors import UnsupportedError
from botorch.models.model import Model
from botorch.sampling.get_sampler import get_sampler
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.mixed_search import Points
from trimtab.search.bo_tutorial.posterior_mean_improvement import PosteriorMeanImprovement

_DRAWS: Final = 128


class BoTorchCriterion:
    """The values of an acquisition function that returns logarithms; NaN counts as the lowest there is.

    Args:
        function: of one point at a time, ``(m, 1, d) -> (m)``.
    """

    def __init__(self, function: AcquisitionFunction) -> None:
        self._function = function

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        """Returns the values at points."""
        with torch.no_grad():
            return _numbers(self._function(torch.from_numpy(points)[:, None]))

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        """Returns the values at points, and their gradients."""
        inputs = torch.from_numpy(points.copy())[:, None].requires_grad_()
        values = self._function(inputs)
        (gradients,) = torch.autograd.grad(values.sum(), inputs)
        return _numbers(values), np.nan_to_num(gradients[:, 0].numpy(), posinf=0.0, neginf=0.0)


def acquisition_of(
    name: str, model: Model, reported: Float[Tensor, "n d"], pending: Float[Tensor, "k d"], seed: int
) -> AcquisitionFunction:
    """Returns the acquisition function of a model.

    Args:
        name: ``"noisy_ei"`` or ``"ei"``. A model whose posterior is not Gaussian has the second in any case: what it
            would expect after one more evaluation is not known.
        model: of values of which larger is better.
        reported: the points that may be reported.
        pending: points that are being evaluated.
        seed: of draws of the posterior, where it takes any.
    """
    if name == "noisy_ei":
        try:
            improvement = PosteriorMeanImprovement(model, reported, seed=seed)
        except UnsupportedError:
            pass
        else:
            improvement.set_X_pending(pending if len(pending) else None)
            return improvement
    with torch.no_grad():
        posterior: Any = model.posterior(reported)
        mean = posterior.mean
        best = mean.reshape(-1, *mean.shape[-2:]).mean(0).max()
        # without one it would draw its seed from the global generator, in the middle of a search
        sampler = get_sampler(posterior, torch.Size([_DRAWS]), seed=seed)
    return qLogExpectedImprovement(model, best, sampler=sampler, X_pending=pending if len(pending) else None)


def _numbers(values: Tensor) -> Float[np.ndarray, " m"]:
    return np.asarray(np.nan_to_num(values.detach().numpy(), nan=-1e100, neginf=-1e100, posinf=1e100))
