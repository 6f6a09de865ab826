"""Expected improvement times the probability that all constraints hold, under a prior-data fitted network.

Yu, Picard and Ahmed (2024), arXiv:2404.04495, section 3.
"""

import math
from typing import Literal, TypeAlias, get_args

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.exceptions.errors import UnsupportedError
from jaxtyping import Float
from torch import Tensor

from trimtab.search.pfn.surrogate import PFNSurrogate
from trimtab.study.errors import InputError

Mode: TypeAlias = Literal["cei", "cei+"]


_ASKED_ALL, _OUTPUTS_AT_A_TIME = 100, 3
"""Points of which all outputs are asked at once, and how many outputs at a time are asked of the others."""


class LogPFNConstrainedEI(AcquisitionFunction):
    r"""Logarithm of a constrained expected improvement, of which the first output is the objective, to be maximised.

    .. math::
        \text{cei: } \log \mathrm{EI}(x) + \sum_j \log \mathrm{PF}_j(x), \qquad
        \text{cei+: } \log \mathrm{EI}(x) + \sum_j \min(0, \log 2 + \log \mathrm{PF}_j(x))

    with :math:`\mathrm{PF}_j(x) = P(c_j(x) \ge \theta_j)`, :math:`c_j` the other outputs. Where no observation is
    feasible there is nothing to improve on, and it is :math:`\sum_j \log \mathrm{PF}_j` alone, in both modes.

    Differs from the paper in that it is the logarithm (a product of many small probabilities underflows), and can be
    differentiated. The paper's code improves on the best observation of all, feasible or not; give it as ``best_f`` to
    have that.

    Args:
        model: predicts the objective and the constraints.
        best_f: the best value so far, on the scale of the model; ``None`` where there is none.
        thresholds: :math:`\theta_j`, one a constraint, on the scale of the model.
        mode: ``"cei"``, or ``"cei+"``, which takes what is feasible with probability 1/2 as feasible.

    Raises:
        InputError: the mode is unknown, a threshold or the best value is NaN, or there is not one threshold a
            constraint.
    """

    thresholds: Tensor
    best_f: Tensor | None
    _by_bucket: Tensor
    model: PFNSurrogate

    def __init__(
        self,
        model: PFNSurrogate,
        best_f: float | Tensor | None,
        thresholds: Float[Tensor, "constraints"],
        mode: Mode = "cei",
    ) -> None:
        super().__init__(model=model)
        if mode not in get_args(Mode):
            raise InputError(f"mode={mode!r}: modes are {', '.join(get_args(Mode))}")
        thresholds = torch.as_tensor(thresholds, dtype=torch.float64)
        if thresholds.shape != (model.num_outputs - 1,) or bool(thresholds.isnan().any()):
            needed = f"{model.num_outputs - 1} numbers are needed, one an output after the first"
            raise InputError(f"thresholds={thresholds.tolist()}: {needed}")
        best = None if best_f is None else torch.as_tensor(best_f, dtype=torch.float64)
        if best is not None and (best.numel() != 1 or bool(best.isnan())):
            raise InputError(f"best_f={best_f!r}: one number is needed, or None where nothing is feasible")
        if best is None and not len(thresholds):
            raise InputError("best_f=None: without constraints every observation is feasible")
        self.mode: Mode = mode
        self.register_buffer("thresholds", thresholds)
        self.register_buffer("best_f", best if best is None else best.reshape(()))
        # what a bucket counts does not change from point to point
        bars = model.pfn.distribution()
        improvements = bars.log_improvements(0.0 if best is None else best.reshape(()))
        self.register_buffer("_by_bucket", torch.cat([improvements[None], bars.log_share_above(thresholds)]))

    def forward(self, X: Float[Tensor, "*batch 1 d"]) -> Float[Tensor, "*batch"]:  # BoTorch's name
        """Returns the value at points, one by one.

        Raises:
            UnsupportedError: several points are asked for at once.
        """
        if X.dim() < 2 or X.shape[-2] != 1:
            raise UnsupportedError(f"X of shape {tuple(X.shape)}: single points are needed (q=1), (..., 1, d)")
        return self._logarithms(X, self._counted).sum(-1)

    def largest(self, points: Float[Tensor, "n 1 d"], count: int) -> tuple[Float[Tensor, "count"], Tensor]:
        """Returns the largest values of many points and which points they are, the largest first.

        The same as from :meth:`forward`, but it does not ask all outputs of all points. A probability's logarithm is
        never positive, so the sum of some of the logarithms bounds that of all: points of which that is too small are
        asked nothing more, and the constraints that hold least often come first.
        """
        outputs = self._counted
        with torch.no_grad():
            bounds = self._logarithms(points, outputs[:1]).squeeze(-1)
            order = bounds.argsort(descending=True)
            likely, rest = order[: max(count, _ASKED_ALL)], order[max(count, _ASKED_ALL) :]
            if len(outputs) == 1:
                return bounds[order[:count]], order[:count]
            logarithms = self._logarithms(points[likely], outputs[1:])
            values, bounds = bounds[likely] + logarithms.sum(-1), bounds[rest]
            least = values.topk(count).values[-1]
            ranked = [outputs[1 + j] for j in logarithms.mean(0).argsort().tolist()]
            for begin in range(0, len(ranked), _OUTPUTS_AT_A_TIME):
                rest, bounds = rest[bounds > least], bounds[bounds > least]
                if not len(rest):
                    break
                asked = ranked[begin : begin + _OUTPUTS_AT_A_TIME]
                bounds = bounds + self._logarithms(points[rest], asked).sum(-1)
            values, at = torch.cat([values, bounds]).topk(count)
            return values, torch.cat([likely, rest])[at]

    @property
    def _counted(self) -> list[int]:
        """The outputs that have a factor."""
        return list(range(0 if self.best_f is not None else 1, self.model.num_outputs))

    def _logarithms(
        self,
        X: Float[Tensor, "*batch 1 d"],
        outputs: list[int],
    ) -> Float[Tensor, "*batch factors"]:
        """The logarithms of the factors of some outputs."""
        logits = self.model.posterior(X, outputs).logits.squeeze(-3)
        value = (logits.log_softmax(-1) + self._by_bucket[outputs]).logsumexp(-1)
        if self.mode == "cei+" and self.best_f is not None:
            softened = (value + math.log(2)).clamp(max=0)
            value = torch.where(torch.tensor(outputs) == 0, value, softened)
        return value
