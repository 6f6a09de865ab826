"""The knowledge gradient over finitely many candidates, exactly (Frazier, Powell & Dayanik, 2009; Frazier, 2018).

Adapts   which point is evaluated next.
Signal   how far the largest posterior mean of all candidates is expected to rise.
"""

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.models.model import Model
from botorch.utils.transforms import concatenate_pending_points, t_batch_mode_transform
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.joint_posterior import joint_posterior, noise_of_a_look
from trimtab.search.bo_tutorial.one_look import directions, log_gain
from trimtab.search.bo_tutorial.posterior_mean_improvement import LEAST_SAMPLES, check_points, normal_samples
from trimtab.study.checks import check_flag, check_whole
from trimtab.study.errors import InputError

_SUM = 1e-9


class DiscreteKnowledgeGradient(AcquisitionFunction):
    r"""The expected rise of the largest posterior mean over a finite set :math:`A`, whatever point is evaluated.

    .. math::
        \alpha(x) &= E_n\left[\max_{x' \in A} \mu_{n+1}(x') \mid x_{n+1} = x\right] - \max_{x' \in A} \mu_n(x')
            = E\left[\max_i (a_i + b_i Z)\right] - \max_i a_i \\
        a &= G \mu_n(A), \qquad b = \frac{G\, \Sigma_n(A, x)}{\sqrt{\Sigma_n(x, x) + \lambda^2}}, \qquad Z \sim N(0, 1)

    The expectation is exact, from the upper envelope of the lines. Without weights :math:`G` is the identity, and any
    candidate may be reported. With them, what is to be chosen is a row: where the last coordinate :math:`w` of a point
    is an environment of probability :math:`p(w)` that nobody controls, a row of :math:`G` averages over :math:`w` for
    one :math:`x`, and the next evaluation chooses :math:`(x, w)` jointly, to learn most about
    :math:`\max_x \sum_w p(w) f(x, w)`. The point :math:`x` that is evaluated need not be a candidate.

    Over the points that were evaluated and :math:`x` itself it is
    :class:`~trimtab.search.PosteriorMeanImprovement`, but for :math:`\max_A \mu_n` less the largest of the evaluated.

    For several points at once all but one element of the standard normal vector are drawn, as there; so do pending
    points count.

    Args:
        model: a Gaussian process with one output; see :class:`~trimtab.search.PosteriorMeanImprovement`.
        candidates: :math:`A`, in the space of the problem.
        weights: :math:`G`, each row of which sums to one.
        maximize: whether large values are good.
        log: whether to return :math:`\log \alpha`, which has a gradient where :math:`\alpha` underflows.
        observation_noise: :math:`\lambda^2`, as for :class:`~trimtab.search.PosteriorMeanImprovement`.
        q_mc_samples: draws for batches of more than one point. The default is ours.
        seed: of these draws.

    Raises:
        TypeError: ``candidates`` or ``weights`` is not a tensor of floating-point numbers.
        ValueError: one of them is empty, not finite or of another shape, a row of ``weights`` does not sum to one, the
            model has several outputs, or ``observation_noise`` is negative.
        UnsupportedError: BoTorch's; the posterior is not Gaussian, or the model has batches.

    Source:
        Frazier, Powell & Dayanik, "The Knowledge-Gradient Policy for Correlated Normal Beliefs", 2009,
        doi:10.1287/ijoc.1080.0314; Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv:1807.02811, for random
        environments.
    """

    def __init__(
        self,
        model: Model,
        candidates: Float[Tensor, "p d"],
        *,
        weights: Float[Tensor, "k p"] | None = None,
        maximize: bool = True,
        log: bool = True,
        observation_noise: float | Tensor | None = None,
        q_mc_samples: int = 128,
        seed: int = 0,
    ) -> None:
        check_points("candidates", candidates)
        if weights is not None:
            _check_weights(weights, len(candidates))
        check_flag("maximize", maximize)
        check_flag("log", log)
        check_whole("q_mc_samples", q_mc_samples, least=LEAST_SAMPLES)
        check_whole("seed", seed, least=0)
        super().__init__(model=model)
        self.set_X_pending(None)
        self.maximize = maximize
        self._log = log
        self._draws, self._seed = q_mc_samples, seed
        if weights is None:
            self._posterior = joint_posterior(model, torch.unique(candidates.detach(), dim=0))
        else:
            self._posterior = joint_posterior(model, candidates.detach(), weights.detach().to(candidates))
        self._noise = noise_of_a_look(model, observation_noise, candidates.detach())

    @concatenate_pending_points
    @t_batch_mode_transform()  # type: ignore[arg-type]  # it is typed for the base class alone
    def forward(self, X: Float[Tensor, "*batch q d"]) -> Float[Tensor, "*batch"]:
        """Returns the value of evaluating each batch of points, or its logarithm."""
        sign = 1 if self.maximize else -1
        means = sign * self._posterior.mean.expand(*X.shape[:-2], -1)
        moves = directions(self._posterior(X), self._noise, self._posterior.floor, with_new=False)
        value = log_gain(means, moves, normal_samples(X, self._draws, self._seed))
        return value if self._log else value.exp()


def _check_weights(weights: object, points: int) -> None:
    check_points("weights", weights)
    assert isinstance(weights, Tensor)  # noqa: S101  # for those who read types
    if weights.shape[1] != points:
        raise InputError(f"weights has {weights.shape[1]} columns for {points} candidates: one for each is needed")
    sums = weights.sum(-1)
    furthest = sums[(sums - 1).abs().argmax()].item()
    if abs(furthest - 1) > _SUM:
        raise InputError(f"weights has a row that sums to {furthest!r}: each has to sum to 1")
