"""GaLore: any rule in the dominant subspace of each gradient (Zhao et al., 2024, arXiv:2403.03507).

Adapts   the subspace in which each matrix is moved.
Signal   the singular vectors of its gradient.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor
from torch._compile import _disable_dynamo
from torch.optim import Optimizer

from trimtab.optim.galore.checks import (
    Settings,
    projected_params,
    projection_rank,
    refuse_changed,
    refuse_other_rules,
    refuse_other_subspaces,
    refuse_started,
    subspace_rank,
)
from trimtab.optim.galore.subspace import Matrix, Move, ProjectionType, Subspace
from trimtab.optim.galore.subspace_state import SubspaceWrapper
from trimtab.primitives.decay import weight_decay_of
from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.flat.compiling import Pinned
from trimtab.primitives.flat.refusals import moves, refuse_gradients_without_values, refuse_sparse_gradients
from trimtab.primitives.hyperparameters import NON_NEGATIVE, POSITIVE, integer, one_of, whole_number
from trimtab.primitives.layout import working_dtype
from trimtab.primitives.low_rank import Basis, add_back_, dominant_basis, project, random_basis
from trimtab.primitives.parameter_names import parameter_name
from trimtab.primitives.quantized_weight import QuantizedWeight
from trimtab.primitives.quantizer import QuantizedTensor
from trimtab.primitives.rounding import stochastically_rounded
from trimtab.primitives.standing_in import divided_groups, stand_in, stood_in
from trimtab.primitives.wrapping import evaluated, innermost, step_inside
from trimtab.study.tunable import Tunables

Group: TypeAlias = dict[str, Any]

IN_THE_SUBSPACE: Mapping[str, Any] = {"weight_decay": 0.0, "maximize": False}
"""Settings of the inner optimizer there: decay belongs to the weights themselves, and the sign to their gradient."""


class GaLore(SubspaceWrapper):
    r"""Gradient low-rank projection around any optimizer whose rule is element-wise.

    .. math::
        R_t = G_t P^\top, \qquad N_t = \text{the rule's direction for } R_t, \qquad
        W_t = (1 - \alpha\lambda)\,W_{t-1} - \alpha s\, N_t P

    where the rows of :math:`P` are the first ``rank`` right singular vectors of the gradient, found anew every
    ``update_proj_gap`` steps. Where the matrix is wider than high it is the left ones, and :math:`P G` is projected:
    the shorter side, of length :math:`m`, is replaced by ``rank``. The rule keeps its state for
    :math:`r \times n` instead of :math:`m \times n` elements: with Adam's two numbers an element,
    :math:`4mr + 8nr` bytes instead of :math:`8mn`. State is kept as it is when the subspace changes.

    ``GaLore(AdamW(params, lr=0.01), rank=128)``. Coming from the optimizer alone, start with a ten times larger ``lr``
    and a ten times smaller ``weight_decay``: a step is shorter by ``scale``, and by the root of the share of directions
    that it keeps.

    Which parameters: in a group that brings its own ``galore_rank``, all of them, and one that cannot is refused;
    ``None`` leaves a group alone. Otherwise all with two dimensions whose shorter side is longer than ``rank``,
    embeddings and output layers included, because a list of parameters does not tell what they are. The paper projects
    the linear layers of attention and perceptrons only: :func:`~trimtab.optim.galore_parameter_groups` finds them.

    Differences:
        * Weights decay before the step, as in AdamW; galore-torch decays them after it, a difference of
          :math:`O(\alpha^2\lambda)`.
        * Adam's :math:`\epsilon` is where the inner optimizer has it; in galore-torch it stands beside the uncorrected
          root.
        * ``.grad`` keeps its shape and its values.
        * Steps are counted from the last decomposition. A gradient that is zero or not finite has no dominant subspace:
          the last one is kept, or a random one taken, and the next step tries again.
        * Stand-ins and state are float32 for 16-bit parameters; the projection has the parameter's type.
        * ``proj_type="full"`` is left out.

    Warning:
        * With ``rank`` as large as the matrix, this is the rule in the basis of singular vectors, and not the rule.
        * A decomposition takes time proportional to the square of the shorter side times the longer one.
        * Schedulers go around this wrapper and not around the optimizer inside, whose groups are divided during a step.

    Args:
        optimizer: the optimizer, before its first step. A rule whose step depends on the weights themselves, as LAMB's,
            has no meaning in a subspace and is refused.
        rank: of the subspaces: a whole number, or a fraction of each matrix's shorter side; a quarter is about what the
            paper uses. ``None`` projects only groups with a ``galore_rank``.
        update_proj_gap: steps between decompositions, >= 1.
        scale: :math:`s > 0`.
        proj_type: ``"std"`` shortens the shorter side, ``"reverse_std"`` the longer one; ``"right"`` takes right
            singular vectors always, ``"left"`` left ones.
        svd: ``"exact"`` or ``"randomized"``, which for large matrices and small ranks is many times quicker.
        seed: of randomised decompositions and random subspaces.

    Raises:
        TypeError: an argument has the wrong type, or the rule has no meaning in a subspace.
        ValueError: an argument is outside its range; a named parameter cannot be projected; there is no matrix at all;
            the optimizer has stepped before; or its weight decay is of an unknown kind, and not zero.
    """

    tunables: ClassVar[Tunables] = {}  # the rule's own: a higher rank is better and larger, and scale multiplies lr

    prefix = "galore"
    keeps_shapes = False
    # The paper's lr is 0.01 to Adam's 0.001; weights shrink by lr times weight_decay.
    rescales: ClassVar[Mapping[str, float]] = {"lr": 10.0, "weight_decay": 0.1}
    hyperparameters: ClassVar = {
        "rank": projection_rank,
        "targets": one_of("matrices", "all"),
        "update_proj_gap": whole_number(1),
        "scale": POSITIVE,
        "proj_type": one_of("std", "reverse_std", "left", "right"),
        "svd": one_of("exact", "randomized"),
        "seed": integer,
    }

    def __init__(
        self,
        optimizer: Optimizer,
        rank: int | float | None = 0.25,
        *,
        update_proj_gap: int = 200,
        scale: float = 0.25,
        proj_type: ProjectionType = "std",
        svd: Literal["exact", "randomized"] = "exact",
        seed: int = 0,
    ) -> None:
        self._begin(
            optimizer, rank=rank, update_proj_gap=update_proj_gap, scale=scale, proj_type=proj_type, svd=svd, seed=seed
        )

    def _begin(self, optimizer: Optimizer, **settings: Any) -> None:
        super().__init__(optimizer, targets="matrices", **settings)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes one step of the inner optimizer in the subspaces.

        Args:
            closure: computes the loss and its gradients; called once, with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse or has no values. Nothing was written.
            TypeError: a setting was given a value of the wrong type. Nothing was written.
            ValueError: a setting was given a value outside its range, or one with which the state does not agree.
                Nothing was written.
        """
        loss = evaluated(closure)
        self._step()
        return loss

    def add_param_group(self, param_group: Group) -> None:
        """Adds a group of parameters; see ``torch.optim.Optimizer.add_param_group``.

        Raises:
            TypeError: a setting has the wrong type.
            ValueError: a setting is outside its range, or a named parameter cannot be projected.
        """
        group = self._completed({}, param_group)
        super().add_param_group(group)
        try:
            self._check_group(innermost(self.inner), self.param_groups[-1])
        except (TypeError, ValueError, RuntimeError):
            self.param_groups.pop()
            raise

    @_disable_dynamo  # a compiled training step calls ours as it is
    def _step(self) -> None:
        rule = innermost(self.inner)
        with Pinned():
            checked = [(self._check_group(rule, group), group) for group in self.param_groups]
            for _, group in checked:
                grads = [param.grad for param in group["params"]]
                refuse_sparse_gradients(group, grads, type(self).__name__)
                refuse_gradients_without_values(group, grads, type(self).__name__)
            matrices = [
                Matrix(group["params"][index], group, own, (number, index))
                for number, (own, group) in enumerate(checked)
                for index in projected_params(group, own)
            ]
            refuse_changed(self.prefix, self.param_groups, matrices, self.subspaces, rule)
            moves = [self._move(rule, matrix) for matrix in matrices if matrix.param.grad is not None]
            stand_ins = {move.matrix.param: move.stand_in for move in moves}
            apart = {stand_ins.get(matrix.param, matrix.param) for matrix in matrices}
            with stood_in(rule, stand_ins), divided_groups(rule, apart, IN_THE_SUBSPACE):
                step_inside(self.inner)
            for move in moves:
                self._write(move, self._moved(rule, move))
                self._keep(move.matrix.param, move.subspace.older().kept(self._remembered(move.matrix.own)))
            if isinstance(rule, FlatOptimizer):
                rule.forget(set(stand_ins.values()))

    def _move(self, rule: Optimizer, matrix: Matrix) -> Move:
        grad = self._full_gradient(rule, matrix)
        subspace = self._subspace_for(matrix, grad)
        coordinates = project(grad, subspace.basis.to(grad.dtype), subspace.side)
        other = stand_in(coordinates.shape, matrix.param, grad.dtype)
        other.grad = coordinates
        return Move(matrix, subspace, other)

    def _full_gradient(self, rule: Optimizer, matrix: Matrix) -> Tensor:
        """Returns the gradient that the rule would see, with the sign of a descent and with coupled weight decay."""
        grad = matrix.param.grad.to(working_dtype(matrix.param.dtype))  # type: ignore[union-attr]  # it has one
        grad = -grad if matrix.group.get("maximize") else grad
        if matrix.weight_decay and weight_decay_of(rule, matrix.group) == "coupled":
            grad = grad + matrix.weight_decay * self._value(matrix.param)
        return grad

    def _subspace_for(self, matrix: Matrix, grad: Tensor) -> Subspace:
        """Returns the subspace for this step: the present one, or a new one if its time is over."""
        own, present = matrix.own, self._subspace(matrix.param)
        rank, side = subspace_rank(own["rank"], matrix.param), matrix.side
        if present is not None and not present.due and present.age < self._gap(own, present):
            return present
        made = 0 if present is None else present.decompositions
        seed = (own["seed"], "decomposition", *matrix.position, made) if own["svd"] == "randomized" else None
        found = dominant_basis(grad, rank, side, seed=seed)
        if found is not None:
            return self._following(own, present, found, Subspace(self._stored(matrix, found), side, made + 1))
        if present is not None:
            return replace(present, due=True)
        size = matrix.param.shape[side == "right"]
        drawn = random_basis(rank, size, (own["seed"], "random", *matrix.position), grad)
        return self._following(
            own, None, drawn, Subspace(self._stored(matrix, drawn), side, decompositions=0, due=True)
        )

    def _gap(self, own: Settings, _present: Subspace) -> int:
        """Returns the age at which a subspace is replaced."""
        gap: int = own["update_proj_gap"]
        return gap

    def _remembered(self, _own: Settings) -> int:
        """Returns of how many subspaces the similarity is kept."""
        return 0

    def _stored(self, matrix: Matrix, basis: Basis) -> Tensor | QuantizedTensor:
        """Returns a basis as it is kept."""
        return basis.to(matrix.param.dtype)

    def _following(self, _own: Settings, _last: Subspace | None, _found: Basis, new: Subspace) -> Subspace:
        """Returns what follows the last subspace: the new one, with what is to be remembered of the last.

        Args:
            _own: settings.
            _last: None at a matrix's first step.
            _found: the new basis in full precision.
            new: the new subspace.
        """
        return new

    def _moved(self, rule: Optimizer, move: Move) -> Tensor:
        """Returns the weights after the step, in working precision, where possible in their own memory."""
        matrix, value = move.matrix, self._value(move.matrix.param)
        if matrix.weight_decay:
            lr = float(matrix.group["lr"])
            kind = weight_decay_of(rule, matrix.group)
            shrinks = {"coupled": 0.0, "fixed": matrix.weight_decay if lr else 0.0}
            value.mul_(1.0 - shrinks.get(str(kind), lr * matrix.weight_decay))
        basis = move.subspace.basis.to(value.dtype)
        return add_back_(value, move.stand_in.detach(), basis, move.subspace.side, matrix.own["scale"])

    def _value(self, param: Tensor) -> Tensor:
        """Returns the weights in working precision: their own memory, or a copy."""
        return param.detach().to(working_dtype(param.dtype))

    def _write(self, move: Move, value: Tensor) -> None:
        """Stores the weights, unless they are in their own memory already."""
        param, seed = move.matrix.param, move.matrix.group.get("rounding_seed")
        if seed is not None and param.dtype == torch.bfloat16:
            value = stochastically_rounded(value.flatten(), move.noise_key(seed), 0).view(value.shape)
        if value.data_ptr() != param.data_ptr():
            param.copy_(value)

    def _completed(self, settings: Settings, group: Group) -> Group:
        named = group.get(f"{self.prefix}_rank") is not None
        return {**settings, **({f"{self.prefix}_targets": "all"} if named else {}), **group}

    def _check_groups(self, optimizer: Optimizer, groups: Sequence[Group]) -> None:
        refuse_other_subspaces(optimizer, GaLore)
        rule = innermost(optimizer)
        count_of_matrices = 0
        for group in groups:
            chosen = projected_params(group, self._check_group(rule, group))
            refuse_started(type(self).__name__, rule, group, chosen)
            count_of_matrices += len(chosen)
        if not count_of_matrices:
            ranks = " or ".join(sorted({str(group[f"{self.prefix}_rank"]) for group in groups}))
            raise ValueError(
                f"rank={ranks} leaves {type(self).__name__} nothing to project: no parameter has two dimensions of "
                "which the shorter is longer than the rank; lower the rank, or leave the wrapper out"
            )

    def _check_group(self, rule: Optimizer, group: Group) -> Settings:
        """Returns the wrapper's settings of a group, after a look at all of it."""
        own = self._own(group)
        NON_NEGATIVE("weight_decay", group.get("weight_decay", 0.0))
        chosen = projected_params(group, own)
        if chosen:
            refuse_other_rules(type(self).__name__, rule, group)
        self._refuse_weights(group, chosen)
        return own

    def _refuse_weights(self, group: Group, _chosen: Sequence[int]) -> None:
        """Checks how the weights are stored."""
        for index, param in enumerate(group["params"]):
            if isinstance(param, QuantizedWeight) and moves(param):
                name = parameter_name(group, index)
                raise TypeError(f"{name} is stored in {param.bits} bits: QGaLore moves such weights, GaLore does not")
