"""Muon: orthogonalised momentum for hidden matrices, AdamW for all else (Jordan et al., 2024; arXiv:2502.16982).

Adapts   the direction of each matrix's step.
Signal   the singular vectors of its momentum.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, Unpack

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import ParamsT

from trimtab.optim.groups import groups_by_role
from trimtab.optim.routing import routing_table
from trimtab.primitives.directions import adam, adam_scalars
from trimtab.primitives.flat.flat_step import EngineOptions, FlatOptimizer, Inputs
from trimtab.primitives.hyperparameters import (
    FINITE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    flag,
    one_of,
    pair,
    triple,
    whole_number,
)
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.newton_schulz import EPS, QUINTIC, STEPS, Coefficients, orthogonalized
from trimtab.primitives.parameter_names import kept_names, names_in, parameter_name
from trimtab.primitives.roles import MATRICES, ROLES, Role
from trimtab.primitives.sharding import gathered, shards_of
from trimtab.study.tunable import LogUniform, Tunables

AdjustLr: TypeAlias = Literal["match_rms_adamw", "original"]

_AXES: Mapping[Role, tuple[int, int]] = {"matrix": (2, 2), "convolution": (3, 5), "experts": (3, 5)}
"""How many a parameter in such a role has, at least and at most."""


class Muon(FlatOptimizer):
    r"""Momentum, orthogonalised by Newton-Schulz, for the matrices of a whole model; AdamW for its other parameters.

    .. math::
        B_t &= \mu B_{t-1} + (1 - \mu)\, G_t, \qquad \tilde B_t = (1 - \mu)\, G_t + \mu B_t \\
        W_t &= (1 - \alpha\lambda)\, W_{t-1}
            - \alpha\, c\; \mathrm{NewtonSchulz}(\tilde B_t), \qquad c = 0.2 \sqrt{\max(A, B)}

    for matrices of shape :math:`A \times B`. The iteration brings all singular values near one: a step moves along
    directions that gradients rarely see as far as along those that they see always. With this factor :math:`c` a step's
    root mean square is that of AdamW (Liu et al., 2025, "Muon is Scalable for LLM Training", arXiv:2502.16982), so that
    one ``lr`` and one ``weight_decay`` serve both rules, in AdamW's ranges.

    Each parameter group has a ``role``. ``"matrix"`` is orthogonalised; so is ``"convolution"`` as a matrix whose rows
    are output channels (of a transposed one, whose weights lie the other way, input channels), and ``"experts"``, a
    stack of matrices, each by itself. ``"embedding"``, ``"head"``, ``"tied"`` and ``"vector"`` take AdamW's step. What
    they are for a list of parameters does not tell, but a model does:

    .. code-block:: python

        optimizer = Muon(groups_by_role(model), lr=3e-3)
        print(optimizer.routing())

    ``trimtab.create("muon", model)`` does the same.

    Differences:
        * ``torch.optim.Muon`` refuses everything but matrices, and its default is ``adjust_lr_fn="original"``,
          :math:`c = \sqrt{\max(1, A / B)}`, for which ``lr`` is around 0.02 and AdamW's another one. On matrices alone,
          with the same factor, the two agree to rounding, which is bfloat16's: 2 % of a wide matrix's step, and 6 %
          where its singular values span three powers of ten.
        * Its ``eps`` and ``ns_steps`` are ``ns_eps`` and ``ns_steps`` here, because ``eps`` is AdamW's.
        * Jordan's code keeps the sum :math:`\mu B_{t-1} + G_t`, which is longer by a factor that the iteration takes
          out again.

    Warning:
        * Clipping the norm of the gradient does not shorten a matrix's step, and makes AdamW's part weigh gradients
          otherwise: leave it out, or look at what it does.
        * On a batch that one matrix does not see (an idle expert's gradient is zero) that matrix goes on along its
          momentum, at full length.
        * Parameters that are divided over processes (FSDP2) are put together on each of them for the iteration.

    Args:
        params: parameter groups with roles, as :func:`~trimtab.optim.groups.groups_by_role` returns them; parameters
            without are taken for matrices.
        lr: :math:`\alpha \ge 0`, a number or a tensor of one element. The default is ``torch.optim.Muon``'s.
        weight_decay: decoupled, :math:`\lambda \ge 0`. The default is ``torch.optim.Muon``'s.
        momentum: :math:`\mu` in [0, 1).
        nesterov: follow :math:`\tilde B_t`; otherwise :math:`B_t`.
        adjust_lr_fn: ``"match_rms_adamw"``, or ``"original"`` as above.
        ns_coefficients: of the iteration; the default is Jordan's.
        ns_eps: the least norm that a matrix is divided by.
        ns_steps: of the iteration, >= 0; more cost more.
        betas: AdamW's, each in [0, 1). The default is torch's.
        eps: AdamW's, >= 0.
        role: of groups that bring none.
        **options: of the engine: ``state_dtype``, ``rounding_seed``, ``compile``, ``check_finite``, ``maximize``; see
            :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.

    Raises:
        TypeError: a hyper-parameter has the wrong type; the message names it.
        ValueError: a hyper-parameter is outside its range; a parameter is no matrix and its role says so; or there is
            nothing to orthogonalise.
    """

    tunables: ClassVar[Tunables] = {"lr": LogUniform(3e-5, 1e-1), "weight_decay": LogUniform(5e-3, 5.0)}

    groups_of = staticmethod(groups_by_role)
    state_names = ("momentum_buffer",)
    read_only = ("orthogonal",)
    weight_decay = "decoupled"
    hyperparameters: ClassVar = {
        "momentum": FRACTION,
        "nesterov": flag,
        "adjust_lr_fn": one_of("match_rms_adamw", "original"),
        "ns_coefficients": triple(FINITE),
        "ns_eps": POSITIVE,
        "ns_steps": whole_number(0),
        "betas": pair(FRACTION),
        "eps": NON_NEGATIVE,
        "role": one_of(*ROLES),
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        *,
        adjust_lr_fn: AdjustLr = "match_rms_adamw",
        ns_coefficients: Coefficients = QUINTIC,
        ns_eps: float = EPS,
        ns_steps: int = STEPS,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        role: Role = "matrix",
        **options: Unpack[EngineOptions],
    ) -> None:
        self._names: list[list[str]] = []  # of each group's parameters, for when their model is gone
        super().__init__(
            params,
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            adjust_lr_fn=adjust_lr_fn,
            ns_coefficients=ns_coefficients,
            ns_eps=ns_eps,
            ns_steps=ns_steps,
            betas=betas,
            eps=eps,
            role=role,
            **options,
        )
        if not any(_is_matrix(group) for group in self.param_groups):
            raise ValueError(
                f"Muon has nothing to orthogonalise: no group has one of the roles {', '.join(MATRICES)}; "
                f"there are {', '.join(sorted({group['role'] for group in self.param_groups}))}. AdamW takes the same "
                "steps: leave Muon out of a comparison; in a loop of your own you can say by groups_by_role(model, "
                "roles={...}) which parameters are matrices of hidden layers"
            )

    def refuse_parameters(self, group: dict[str, Any]) -> None:
        """Checks the parameters of a group that is about to be added.

        Raises:
            TypeError: one is not of a real floating type.
            ValueError: elements of one share memory, or one is no matrix, which the group's role says that it is.
        """
        super().refuse_parameters(group)
        _refuse_other_shapes(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters, and keeps their names as far as these are known.

        Raises:
            TypeError: as for :class:`~trimtab.primitives.flat.flat_step.FlatOptimizer`.
            ValueError: as for it, or a parameter is no matrix, which the group's role says that it is.
        """
        super().add_param_group(param_group)
        self._names.append(names_in(self.param_groups[-1]))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_names": self._names}

    def routing(self, *, names: bool = False) -> str:
        """Returns what goes where, a line for each role: how many parameters, and the rule that moves them.

        Args:
            names: whether the parameters of each role are named below it; one without a name is there by its shape.

        Frozen parameters have a line of their own; those that are thawed later are moved as their group's role says.
        """
        called = kept_names(self.param_groups, self._names) if names else None
        return routing_table(self.param_groups, self.rule_for, called)

    @staticmethod
    def rule_for(group: Mapping[str, Any]) -> str:
        """Returns the name of the rule that moves a group's parameters, by its role."""
        return "Muon" if _is_matrix(group) else "AdamW"

    @torch.no_grad()
    def read_beside_gradients(self, grads: Sequence[Sequence[Tensor | None]]) -> Sequence[Inputs]:
        """Returns the orthogonalised momentum of the matrices, times what makes steps as long as AdamW's."""
        return [
            [self._orthogonal(group, own)] if _is_matrix(group) else ()
            for group, own in zip(self.param_groups, grads, strict=True)
        ]

    def _orthogonal(self, group: Mapping[str, Any], grads: Sequence[Tensor | None]) -> list[Tensor]:
        _refuse_other_shapes(group)
        pairs = [(param, grad) for param, grad in zip(group["params"], grads, strict=True) if grad is not None]
        divided = any(shards_of(param) is not None for param, _ in pairs)
        # processes have to ask each other for their pieces in one order, which threads would not keep
        whole = [gathered(self._followed(group, param, grad)) for param, grad in pairs] if divided else []
        flat = group["role"] == "convolution"

        def prepared(index: int) -> Tensor:
            each = whole[index] if divided else self._followed(group, *pairs[index])
            return each.flatten(1) if flat else each

        def finished(index: int, matrix: Tensor) -> Tensor:
            param, _ = pairs[index]
            scaled: Tensor = matrix.to(working_dtype(param.dtype), copy=True)
            return scaled.mul_(step_scale(matrix.shape, group["adjust_lr_fn"])).reshape(param.shape)

        found = orthogonalized(
            [grad.flatten(1) if flat else grad for _, grad in pairs],
            coefficients=group["ns_coefficients"],
            steps=group["ns_steps"],
            eps=group["ns_eps"],
            prepared=prepared,
            finished=finished,
        )
        return [
            each if (shards := shards_of(param)) is None else shards.divided(each)
            for each, (param, _) in zip(found, pairs, strict=True)
        ]

    def _followed(self, group: Mapping[str, Any], param: Tensor, grad: Tensor) -> Tensor:
        """Returns the momentum that is orthogonalised, with the gradient's own part of it."""
        grad, share = grad.to(working_dtype(param.dtype)), group["momentum"]
        grad = -grad if group["maximize"] else grad
        weight = 1 - share**2 if group["nesterov"] else 1 - share  # both steps towards the gradient in one
        kept: Tensor | None = self.state.get(param, {}).get("momentum_buffer")
        return grad * weight if kept is None else kept.to(grad.dtype).lerp(grad, weight)

    @classmethod
    def direction_for(cls, hypers: Mapping[str, Any], /) -> Callable[..., tuple[Tensor, ...]]:
        """Returns Muon's rule or AdamW's."""
        return cls.direction if _is_matrix(hypers) else adam

    @classmethod
    def read_only_for(cls, hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns what Muon's rule reads; AdamW's reads nothing beside."""
        return cls.read_only if _is_matrix(hypers) else ()

    @classmethod
    def state_names_for(cls, hypers: Mapping[str, Any], /) -> tuple[str, ...]:
        """Returns the momentum, or AdamW's two averages."""
        return cls.state_names if _is_matrix(hypers) else ("exp_avg", "exp_avg_sq")

    @staticmethod
    def scalars(
        step: int, /, *, role: Role, momentum: float, betas: tuple[float, float], eps: float, **_: Any
    ) -> dict[str, float]:
        """Returns the momentum's share, or the coefficients of AdamW's direction."""
        return {"momentum": momentum} if role in MATRICES else adam_scalars(step, betas, eps)

    @staticmethod
    def direction(
        grad: Float[Tensor, "..."],
        momentum_buffer: Float[Tensor, "..."],
        orthogonal: Float[Tensor, "..."],
        *,
        momentum: float,
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
        """Returns the orthogonalised momentum, and the momentum that is kept."""
        return orthogonal, momentum * momentum_buffer + (1 - momentum) * grad


def step_scale(shape: Sequence[int], adjust_lr_fn: AdjustLr) -> float:
    r"""Returns the factor on an orthogonalised matrix, :math:`c` above.

    Args:
        shape: of the matrix, or of a stack of such.
        adjust_lr_fn: which of the two.
    """
    rows, columns = shape[-2:]
    return (
        0.2 * math.sqrt(max(rows, columns)) if adjust_lr_fn == "match_rms_adamw" else math.sqrt(max(1, rows / columns))
    )


def _is_matrix(group: Mapping[str, Any]) -> bool:
    return group["role"] in MATRICES


def _refuse_other_shapes(group: Mapping[str, Any]) -> None:
    if not _is_matrix(group):
        return
    least, most = _AXES[group["role"]]
    for index, param in enumerate(group["params"]):
        if not is_lazy(param) and not least <= param.ndim <= most:
            needed = "two dimensions" if least == most else f"{least} to {most} dimensions"
            raise ValueError(
                f"{parameter_name(group, index)} has shape {tuple(param.shape)}, and role={group['role']!r} is for "
                f"{needed}: give Muon groups_by_role(model), which says of each parameter what it is for, or put it "
                "into a group with another role, such as 'vector'"
            )
