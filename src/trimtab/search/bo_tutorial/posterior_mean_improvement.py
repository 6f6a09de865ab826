"""Expected improvement under noise: what may be reported is a point that was evaluated (Frazier, 2018).

Adapts   which point is evaluated next.
Signal   how far the largest posterior mean of the evaluated points is expected to rise.
"""

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.models.model import Model
from botorch.utils.sampling import draw_sobol_normal_samples
from botorch.utils.transforms import concatenate_pending_points, t_batch_mode_transform
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.joint_posterior import joint_posterior, noise_of_a_look
from trimtab.search.bo_tutorial.one_look import directions, log_add, log_gain
from trimtab.study.checks import check_flag, check_whole
from trimtab.study.errors import InputError

LEAST_SAMPLES = 16


class PosteriorMeanImprovement(AcquisitionFunction):
    r"""Expected improvement of the largest posterior mean over the evaluated points.

    After :math:`n` evaluations, somebody who has to report an evaluated point, and is neutral to risk, reports the one
    with the largest posterior mean, worth :math:`\mu^{**}_n = \max_{i \le n} \mu_n(x_i)`. One more evaluation at
    :math:`x_{n+1} = x` moves the posterior mean of *all* points, and adds a point:

    .. math::
        \alpha(x) &= E_n\left[\mu^{**}_{n+1} - \mu^{**}_n \mid x_{n+1} = x\right]
            = E\left[\max_{i \le n+1} (a_i + b_i Z)\right] - \max_{i \le n} a_i \\
        a_i &= \mu_n(x_i), \quad b_i = \frac{\Sigma_n(x_i, x)}{\sqrt{\Sigma_n(x, x) + \lambda^2}}, \quad Z \sim N(0, 1)

    It is computed exactly, from the upper envelope of the lines :math:`a_i + b_i z`. Without noise it is expected
    improvement. Under noise it also knows what it is worth to evaluate a point again, which expected improvement over
    the largest mean overrates; and it is not the expected improvement averaged over fantasies of the observed values
    (Letham et al., 2019), which BoTorch calls noisy.

    For several points :math:`X` at once, :math:`B = \Sigma_n(\cdot, X) L^{-\top}` with
    :math:`L L^\top = \Sigma_n(X, X) + \lambda^2 I` takes the place of :math:`b`, and a vector that of :math:`Z`: its
    first element is integrated exactly, the others by quasi-Monte Carlo. Pending points (``set_X_pending``) count as
    points of the same batch: the value includes theirs, which is a constant.

    Differences from the tutorial: it has one point at a time; batches are ours. Points that were evaluated more than
    once are merged; two that are a rounding error apart stay two.

    Args:
        model: a Gaussian process with one output, of BoTorch or of GPyTorch; it is put in evaluation mode, and is not
            to change afterwards. For a :class:`~botorch.models.SingleTaskGP` a point costs :math:`O(n^2)`, for others
            more.
        X_evaluated: what may be reported, as a rule all points that the model was trained on; in the space of the
            problem, before input transforms.
        observation_noise: :math:`\lambda^2`, the variance of the noise at a new point, in the squared units of what was
            observed. By default it is what the model's likelihood inferred; where variances were given
            (``train_Yvar``), it is their mean, as for BoTorch's fantasies.
        maximize: whether large values are good.
        log: whether to return :math:`\log \alpha`, which has a gradient where :math:`\alpha` underflows.
        q_mc_samples: draws for batches of more than one point. The default is ours.
        seed: of these draws.

    Raises:
        TypeError: ``X_evaluated`` is not a tensor of floating-point numbers, or another argument has the wrong type.
        ValueError: ``X_evaluated`` is empty, not of the shape (n, d) or not finite, the model has several outputs,
            ``observation_noise`` is negative, or ``q_mc_samples`` is less than 16.
        UnsupportedError: BoTorch's; the posterior is not Gaussian, or the model has batches.

    Source:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv:1807.02811.
    """

    def __init__(
        self,
        model: Model,
        X_evaluated: Float[Tensor, "n d"],
        *,
        observation_noise: float | Tensor | None = None,
        maximize: bool = True,
        log: bool = True,
        q_mc_samples: int = 128,
        seed: int = 0,
    ) -> None:
        check_points("X_evaluated", X_evaluated)
        check_flag("maximize", maximize)
        check_flag("log", log)
        check_whole("q_mc_samples", q_mc_samples, least=LEAST_SAMPLES)
        check_whole("seed", seed, least=0)
        super().__init__(model=model)
        self.set_X_pending(None)
        self.maximize = maximize
        self._log = log
        self._draws, self._seed = q_mc_samples, seed
        self._posterior = joint_posterior(model, torch.unique(X_evaluated.detach(), dim=0))
        self._noise = noise_of_a_look(model, observation_noise, X_evaluated.detach())

    @concatenate_pending_points
    @t_batch_mode_transform()  # type: ignore[arg-type]  # it is typed for the base class alone
    def forward(self, X: Float[Tensor, "*batch q d"]) -> Float[Tensor, "*batch"]:
        """Returns the value of evaluating each batch of points, or its logarithm."""
        joint = self._posterior(X)
        sign = 1 if self.maximize else -1
        known = sign * self._posterior.mean.expand(*X.shape[:-2], -1)
        means = torch.cat([known, sign * joint.mean], -1)
        moves = directions(joint, self._noise, self._posterior.floor, with_new=True)
        ahead = means.amax(-1) - known.amax(-1)
        value = log_add(log_gain(means, moves, normal_samples(X, self._draws, self._seed)), ahead)
        return value if self._log else value.exp()


def check_points(name: str, points: object) -> None:
    """Raises unless ``points`` is a tensor of points, one a row."""
    if not isinstance(points, Tensor) or not points.is_floating_point():
        kind = points.dtype if isinstance(points, Tensor) else type(points).__name__
        raise TypeError(f"{name} is of type {kind}: a tensor of floating-point numbers is needed")
    if points.dim() != 2 or not points.numel():
        raise InputError(f"{name} has the shape {tuple(points.shape)}: at least one point is needed, as (n, d)")
    if not bool(points.isfinite().all()):
        raise InputError(f"{name} holds a number that is not finite")


def normal_samples(X: Float[Tensor, "*batch q d"], draws: int, seed: int) -> Float[Tensor, "draws rest"]:
    """Returns quasi-random draws of a standard normal variable, of one element less than there are points."""
    rest = X.shape[-2] - 1
    if not rest:
        return X.new_empty(draws, 0)
    return draw_sobol_normal_samples(rest, draws, device=X.device, dtype=X.dtype, seed=seed)
