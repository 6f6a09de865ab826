"""HMC: a network's weights are sampled with all data (Li, Rudner, Wilson, 2023, arXiv:2305.20028)."""

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bnn_surrogates.data import check_positive
from trimtab.search.bnn_surrogates.draws_model import DrawsModel
from trimtab.search.bnn_surrogates.hamiltonian import Chain, Trajectory, run_chain
from trimtab.search.bnn_surrogates.tuning import RejectedChainError
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior, maximised
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError

PRETRAINING_RATE = 1e-3
LEAST_ACCEPTANCE = 0.05
PATH = 0.08


class HMCSurrogate(DrawsModel):
    r"""A Bayesian neural network, sampled by Hamiltonian Monte Carlo.

    .. math::
        w_j \sim N(0, s_p^2), \qquad y \mid x, w \sim N(f_w(x), s_n^2), \qquad
        f(x^*) \mid D \approx \frac{1}{S} \sum_{s} \delta_{f_{w_s}(x^*)}

    with outputs standardised. The chain begins where 1 000 steps of Adam (rate 1e-3) towards the maximum of the
    posterior lead, finds its step size in the burn-in (dual averaging to an acceptance of 0.8), and keeps every state
    after it. A proposal that ends in NaN is refused.

    Differences from the official code, which is no sure guide: we train the network that the chain begins with, where
    its last revision trains another one; :math:`s_n^2` is ``noise_var``, where it takes ``noise_var`` for :math:`s_n`;
    the posterior is of latent functions in all our surrogates, and noise is added only if ``observation_noise=True``.

    Warning:
        * The official configurations have a path as long as the step size. Then there is one leapfrog step a proposal,
          a Langevin step, and a chain of some hundred states hardly leaves where it began. A warning says so.
        * The prior has no factor of 1/fan-in. With wide layers and ``prior_var=1`` the hidden units saturate, and steps
          become short.
        * ``tune="grid"`` runs nine more chains.

    Args:
        train_X: points in the unit cube, ``n x d``, float64, ``n >= 2``.
        train_Y: outputs, ``n x m``; the larger the better wherever it matters.
        hidden: widths of the hidden layers. The default is the paper's for few dimensions, and has two of
            256 for many; ``()`` is a linear model.
        activation: ``"tanh"`` or ``"relu"``. The default is the official code's.
        prior_var: :math:`s_p^2 > 0` of all weights and biases; 0.1 to 10 in the official configurations.
        noise_var: :math:`s_n^2 > 0`, in units of the standardised outputs; 0.1 or 1 there.
        tune: ``"grid"`` chooses both variances from {0.1, 1, 10} by the last 20 % of the points, ``None`` leaves them.
        num_samples: states that are kept. The default is the official code's for few dimensions.
        burn_in: states before them; without any the step size stays as it is.
        pretrain_steps: of Adam, with a rate of 1e-3, before the chain. The default is the official code's.
        step_size: the first one, :math:`> 0`. The default is the official code's for few dimensions.
        path: length of a trajectory, :math:`> 0`; it takes ``min(200, ceil(path / step size))`` leapfrog steps, and is
            halved in the burn-in whenever that would be more than 200. The default is the longest of the official ones.
        n_leapfrog: steps of a trajectory, in place of ``path``.
        **options: ``outcome_transform``, as in ``SingleTaskGP``: ``Standardize`` by default, ``None`` for none;
            ``input_transform``, as in ``SingleTaskGP``; and ``seed`` of all that is drawn, without which it comes from
            the operating system.

    Raises:
        InputError: an argument is out of its range; the message names it. It is a ``ValueError``.
        UnsupportedError: ``train_X`` has batches.
        RuntimeError: by ``fit``, when fewer than 5 % of the proposals are accepted after the burn-in.

    Warns:
        UserWarning: a proposal takes one leapfrog step.
        InputDataWarning: points are outside the unit cube, and there is no input transform.
    """

    chain: Chain | None = None
    """What the last ``fit`` of this object gave, with the acceptance and the step size."""

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
        num_samples: int = 500,
        burn_in: int = 500,
        pretrain_steps: int = 1000,
        step_size: float = 0.02,
        path: float | None = None,
        n_leapfrog: int | None = None,
        **options: Any,
    ) -> None:
        check_whole("num_samples", num_samples)
        check_whole("burn_in", burn_in, least=0)
        check_whole("pretrain_steps", pretrain_steps, least=0)
        check_positive(step_size=step_size)
        if path is not None and n_leapfrog is not None:
            raise InputError(f"path={path!r}, n_leapfrog={n_leapfrog!r}: one of them says how long a trajectory is")
        if path is not None:
            check_positive(path=path)
        if n_leapfrog is not None:
            check_whole("n_leapfrog", n_leapfrog)
        variances: dict[str, Any] = {"prior_var": prior_var, "noise_var": noise_var, "tune": tune}
        super().__init__(train_X, train_Y, num_samples, hidden=hidden, activation=activation, **variances, **options)
        self.num_samples, self.burn_in, self.step_size = num_samples, burn_in, step_size
        self.path = PATH if path is None and n_leapfrog is None else path
        self.n_leapfrog = n_leapfrog
        self.pretrain_steps = pretrain_steps

    def draw(self, posterior: WeightPosterior, generator: torch.Generator) -> Float[Tensor, "draws weights"]:
        """Returns the states of a chain.

        Raises:
            RuntimeError: it hardly moved.
        """
        start = self.network.initial(1, generator).to(posterior.X)
        start = maximised(posterior, start, steps=self.pretrain_steps, lr=PRETRAINING_RATE)
        self.chain = run_chain(
            posterior,
            start,
            draws=self.num_samples,
            burn_in=self.burn_in,
            step_size=self.step_size,
            trajectory=Trajectory(self.path, self.n_leapfrog),
            generator=generator,
        )
        if self.chain.acceptance < LEAST_ACCEPTANCE:
            raise RejectedChainError(
                f"HMC accepted {self.chain.acceptance:.1%} of its proposals, with a step size of "
                f"{self.chain.step_size:.2g}: at least {LEAST_ACCEPTANCE:.0%} are needed; give a smaller step_size "
                "or a longer burn_in"
            )
        if self.chain.steps == 1:
            warnings.warn(
                f"HMC takes one leapfrog step a proposal, of {self.chain.step_size:.2g}, which explores little: "
                "give a longer path, or n_leapfrog",
                UserWarning,
                stacklevel=2,
            )
        return self.chain.draws
