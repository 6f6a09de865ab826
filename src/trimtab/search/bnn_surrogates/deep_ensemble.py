"""Deep ensembles: networks that were trained apart (Li, Rudner, Wilson, 2023, arXiv:2305.20028).

The idea is that of Lakshminarayanan, Pritzel, Blundell, 2017, arXiv:1612.01474.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.data import check_positive, is_probability
from trimtab.search.bnn_surrogates.draws_model import DrawsModel
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior, maximised
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError


class DeepEnsembleSurrogate(DrawsModel):
    r"""Networks that each maximise the posterior of their weights, with some of the data and from a start of their own.

    .. math::
        w_k = \operatorname{argmax}_w \Bigl( -\frac{1}{2 s_n^2} \sum_{i \in I_k} (y_i - f_w(x_i))^2
            - \frac{\lVert w \rVert^2}{2 s_p^2} \Bigr), \qquad I_k \subset \{1, \dots, n\}, \quad
            |I_k| = \lceil 0.8\, n \rceil

    by 1 000 steps of Adam. :math:`I_k` is drawn without replacement. All networks are trained at once.

    Differences from the official code: outputs are standardised, without which fixed variances put ensembles at a
    disadvantage; ``prior_var`` is the variance of the prior, where the code takes it for its inverse; a draw is a
    function, without noise unless ``observation_noise=True``.

    Args:
        train_X: points in the unit cube, ``n x d``, float64, ``n >= 2``.
        train_Y: outputs, ``n x m``.
        hidden: widths of the hidden layers, as in :class:`~trimtab.search.bnn_surrogates.hmc.HMCSurrogate`.
        activation: ``"tanh"`` or ``"relu"``.
        prior_var: :math:`s_p^2 > 0` of all weights and biases.
        noise_var: :math:`s_n^2 > 0`, in units of the standardised outputs.
        tune: ``"grid"`` chooses both variances from {0.1, 1, 10} by the last 20 % of the points, ``None`` leaves them.
        members: networks, :math:`\ge 2`. All defaults from here on are the official code's.
        subset: share of the points that each is trained with, in (0, 1].
        steps: of Adam.
        lr: of Adam, :math:`> 0`.
        **options: ``outcome_transform``, ``input_transform`` and ``seed``, as in
            :class:`~trimtab.search.bnn_surrogates.hmc.HMCSurrogate`.

    Raises:
        InputError: an argument is out of its range; the message names it. It is a ``ValueError``.
        UnsupportedError: ``train_X`` has batches.

    Warns:
        InputDataWarning: points are outside the unit cube, and there is no input transform.
    """

    def __init__(
        self,
        train_X: Float[Tensor, "n d"],
        train_Y: Float[Tensor, "n m"],
        *,
        hidden: tuple[int, ...] = (128,) * 3,
        activation: str = "tanh",
        prior_var: float = 1.0,
        noise_var: float = 0.1,
        tune: str | None = None,
        members: int = 10,
        subset: float = 0.8,
        steps: int = 1000,
        lr: float = 1e-3,
        **options: Any,
    ) -> None:
        check_whole("members", members, least=2)
        check_whole("steps", steps)
        check_positive(lr=lr)
        if not is_probability(subset):
            raise InputError(f"subset={subset!r}: a share in (0, 1] is needed")
        variances: dict[str, Any] = {"prior_var": prior_var, "noise_var": noise_var, "tune": tune}
        super().__init__(train_X, train_Y, members, hidden=hidden, activation=activation, **variances, **options)
        self.members, self.subset, self.steps, self.lr = members, subset, steps, lr

    def draw(self, posterior: WeightPosterior, generator: torch.Generator) -> Float[Tensor, "members weights"]:
        """Returns the weights of all members."""
        start = self.network.initial(self.members, generator).to(posterior.X)
        rows = self.rows(len(posterior.Y), generator).to(posterior.X.device)
        X, Y = posterior.X[rows], posterior.Y[rows]
        own = WeightPosterior(self.network, X, Y, posterior.prior_var, posterior.noise_var)
        return maximised(own, start, steps=self.steps, lr=self.lr)

    def rows(self, points: int, generator: torch.Generator) -> Tensor:
        """Draws which points each member is trained with."""
        size = math.ceil(self.subset * points)
        return torch.stack([torch.randperm(points, generator=generator)[:size] for _ in range(self.members)])
