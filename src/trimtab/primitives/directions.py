"""Adam's and momentum's directions, which several rules bend, scale or wrap."""

import math

from jaxtyping import Float
from torch import Tensor


def adam_scalars(
    step: int, betas: tuple[float, float], eps: float, *, bias_correction: bool = True
) -> dict[str, float]:
    r"""Returns what :func:`adam` needs to know besides tensors: its betas, and the coefficients of the quotient."""
    beta1, beta2 = betas
    scale, spread = (1 / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)) if bias_correction else (1.0, 1.0)
    return {"beta1": beta1, "beta2": beta2, "eps": eps, "scale": scale, "spread": spread}


def adam(
    grad: Float[Tensor, "..."],
    exp_avg: Float[Tensor, "..."],
    exp_avg_sq: Float[Tensor, "..."],
    *,
    beta1: float,
    beta2: float,
    eps: float,
    scale: float,
    spread: float,
) -> tuple[Float[Tensor, "..."], ...]:
    r"""Returns Adam's direction and the two averages (Kingma, Ba, 2015, arXiv:1412.6980).

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t, \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2, \qquad
        d_t = \frac{a_t\, m_t}{b_t \sqrt{v_t} + \epsilon}

    with ``scale`` :math:`a_t = 1 / (1 - \beta_1^t)` and ``spread`` :math:`b_t = 1 / \sqrt{1 - \beta_2^t}`.
    """
    m = beta1 * exp_avg + (1 - beta1) * grad
    v = beta2 * exp_avg_sq + (1 - beta2) * grad**2
    return scale * m / (spread * v.sqrt() + eps), m, v


def momentum_scalars(momentum: float, *, gain: float = 1.0, nesterov: bool = False) -> dict[str, float]:
    """Returns what :func:`momentum` needs to know besides tensors."""
    from_grad, from_buffer = (1.0, momentum) if nesterov else (0.0, 1.0)
    return {"momentum": momentum, "gain": gain, "from_grad": from_grad, "from_buffer": from_buffer}


def momentum(
    grad: Float[Tensor, "..."],
    momentum_buffer: Float[Tensor, "..."],
    *,
    momentum: float,
    gain: float,
    from_grad: float,
    from_buffer: float,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    r"""Returns the direction of SGD with momentum and its buffer, as ``torch.optim.SGD`` has them.

    .. math:: b_t = \mu\, b_{t-1} + \kappa\, g_t, \qquad d_t = b_t \ \text{ or, with Nesterov, } \ g_t + \mu\, b_t

    with ``gain`` :math:`\kappa = 1` for a sum of gradients and :math:`1 - \mu` for an average.
    """
    buffer = momentum * momentum_buffer + gain * grad
    return from_grad * grad + from_buffer * buffer, buffer
