r"""What looking at one point or several does to means that are known, and what the highest of them gains by it."""

import math

import torch
from jaxtyping import Float
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor

from trimtab.primitives.envelope import expected_gain
from trimtab.search.bo_tutorial.joint_posterior import Joint


def directions(
    joint: Joint, noise: Float[Tensor, ""], floor: float, *, with_new: bool
) -> Float[Tensor, "*batch lines q"]:
    r"""Returns :math:`B`: looking at the new points moves the means by :math:`B Z` for a standard normal :math:`Z`.

    :math:`B = \Sigma(\cdot, X) L^{-\top}` with :math:`L L^\top = \Sigma(X, X) + \lambda^2 I`.

    Args:
        joint: of the new points.
        noise: :math:`\lambda^2`.
        floor: where a variance with its noise is no larger, there is nothing to see.
        with_new: whether there are rows for the new points, too, behind those of the fixed ones.
    """
    moved = joint.cross.transpose(-1, -2)
    if with_new:
        moved = torch.cat([moved, joint.covariance], -2)
    if joint.covariance.shape[-1] == 1:
        variance = joint.covariance + noise
        return torch.div(moved, variance.clamp_min(floor).sqrt())
    identity = torch.eye(joint.covariance.shape[-1], dtype=noise.dtype, device=noise.device)
    # a second copy of a point that was seen without noise has nothing to add, and no root without a little
    root = psd_safe_cholesky(joint.covariance + (noise + 10 * floor) * identity)
    solved: Tensor = torch.linalg.solve_triangular(root, moved.transpose(-1, -2), upper=False)
    return solved.transpose(-1, -2)


def log_gain(
    means: Float[Tensor, "*batch lines"],
    moves: Float[Tensor, "*batch lines q"],
    samples: Float[Tensor, "draws rest"],
) -> Float[Tensor, "*batch"]:
    r"""Returns the logarithm of :math:`E \max_i (a_i + B_i Z) - \max_i a_i`.

    One element of :math:`Z` is integrated exactly, and the others, where there are any, by draws. Every draw adds what
    is not negative, because the mean that is highest now is subtracted from it after its own move: this has the
    expectation that it has without, and a logarithm.

    Args:
        means: :math:`a`.
        moves: :math:`B`.
        samples: of the elements of :math:`Z` but the first.
    """
    if moves.shape[-1] == 1:
        return expected_gain(means, moves[..., 0], log=True)
    highest = means.argmax(-1, keepdim=True)
    drawn = means[..., None, :] + (moves[..., 1:] @ samples.T).transpose(-1, -2)
    gain = expected_gain(drawn, moves[..., None, :, 0], log=True)
    above = drawn.amax(-1) - drawn.gather(-1, highest[..., None, :].expand(*drawn.shape[:-1], 1))[..., 0]
    return log_mean(log_add(gain, above))


def log_add(log_first: Float[Tensor, "*shape"], second: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Returns the logarithm of the sum of a number that comes as a logarithm and of one >= 0, with a gradient."""
    more = second > 0
    logarithm = torch.where(more, second, 1.0).log()
    # the gradient of logaddexp is NaN where both are minus infinity
    first = torch.where(more & (log_first == -torch.inf), logarithm - 2000, log_first)
    return torch.where(more, torch.logaddexp(first, logarithm), log_first)


def log_mean(logarithms: Float[Tensor, "*batch draws"]) -> Float[Tensor, "*batch"]:
    """Returns the logarithm of the mean over the last dimension; without any gradient where the mean is zero."""
    possible = logarithms > -torch.inf
    some = possible.any(-1, keepdim=True)
    kept = torch.where(possible, logarithms, torch.where(some, -torch.inf, 0.0))
    total = torch.logsumexp(kept, -1) - math.log(logarithms.shape[-1])
    return torch.where(some[..., 0], total, -torch.inf)
