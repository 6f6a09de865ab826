"""Adam-mini of pytorch-optimizer, told of a model what its parameters are for instead of guessing by their names."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import pytorch_optimizer
from torch import Tensor, nn
from torch.optim.optimizer import ParamsT

from trimtab.optim.groups import parameter_groups, with_names
from trimtab.primitives.attention import head_rows
from trimtab.primitives.parameter_names import STANDS_FOR, parameter_name
from trimtab.primitives.roles import parameter_roles

Block: TypeAlias = Literal["coordinate", "tensor"] | int
"""What shares a second moment: nothing, a whole parameter, or so many of its rows."""

_NAMES = {"coordinate": "embed", "tensor": ""}
_NAME_OF_ROWS = "q_proj.weight"
"""Such parts of a parameter's name have the package take a step by the coordinate, by the head, and by the tensor."""


def groups_by_block(
    model: nn.Module,
    weight_decay: float | None = None,
    *,
    no_decay_for_biases_and_norms: bool = False,
    named: bool = False,
) -> list[dict[str, Any]]:
    """Splits a model's parameters by what shares a second moment in Adam-mini.

    An embedding has one for each coordinate, and so has an output head that could be tied to one, being of the same
    shape. A matrix that makes queries or keys, or these and values, has one for each head, where the module that it
    belongs to says how many heads there are or how large they are (:func:`~trimtab.primitives.attention.head_rows`).
    All else has one for each parameter.

    Args:
        model: where the parameters come from, as for :func:`~trimtab.optim.groups.parameter_groups`.
        weight_decay: of what decays, >= 0; ``None`` leaves it to the optimizer's default. What has ``norm`` or ``ln_f``
            in its name does not decay, as in the package.
        no_decay_for_biases_and_norms: leaves biases and normalisation layers of other names without decay as well.
        named: as for :func:`~trimtab.optim.groups.parameter_groups`.

    Returns:
        Parameter groups with their ``block``: ``"coordinate"``, ``"tensor"``, or the rows of a head.

    Raises:
        TypeError: as :func:`~trimtab.optim.groups.parameter_groups`.
        ValueError: as :func:`~trimtab.optim.groups.parameter_groups`; or a lazy layer has no shape yet.
    """
    groups = parameter_groups(model, weight_decay, no_decay_for_biases_and_norms=no_decay_for_biases_and_norms)
    blocks, names = _blocks(model), {param: name for name, param in model.named_parameters()}
    found: dict[Any, dict[str, Any]] = {}
    for place, group in enumerate(groups):
        for param in group["params"]:
            block = blocks.get(param, "tensor")
            exempt = {"weight_decay": 0.0} if any(part in names[param] for part in ("norm", "ln_f")) else {}
            made = {**group, **exempt, "params": [], "block": block}
            found.setdefault((place, block, *exempt), made)["params"].append(param)
    return with_names([*found.values()], model) if named else [*found.values()]


def _blocks(model: nn.Module) -> dict[Tensor, Block]:
    """Of the parameters that are no block by themselves."""
    roles = parameter_roles(model)
    vocabularies = {module.weight.shape for module in model.modules() if isinstance(module, nn.Embedding)}
    found: dict[Tensor, Block] = {**head_rows(model)}
    for name, param in model.named_parameters():
        if roles[name] in ("embedding", "tied") or (roles[name] == "head" and param.shape in vocabularies):
            found[param] = "coordinate"
    return found


class AdamMini(pytorch_optimizer.AdamMini):
    """``pytorch_optimizer.AdamMini``, which takes what optimizers take, and is told what shares a second moment.

    .. code-block:: python

        optimizer = AdamMini(groups_by_block(model), lr=1e-3)

    ``trimtab.create("adam_mini", model)`` does the same. Parameters that nothing is said of have one second moment
    each, as in the paper's rule for models that are no transformers: a list of parameters does not tell its heads.

    Differences from the package, which goes by names alone: an ``attention.output.weight`` is no output head, heads are
    as many as the model has, and what has neither a name that it knows nor a module that says so is a plain matrix.
    In the subspaces of GaLore there are no heads: a projected matrix has one second moment.

    Args:
        params: parameters, or groups of them, whose ``block`` is ``"coordinate"``, ``"tensor"``, or a number of rows.
        lr: step size.
        betas: decay rates of the moments.
        weight_decay: decoupled.
        eps: added to the denominator.

    Raises:
        ValueError: a ``block`` is something else, or its rows do not divide those of a parameter.
    """

    groups_of = staticmethod(groups_by_block)

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        *,
        eps: float = 1e-8,
    ) -> None:
        instead_of_a_model: Any = params
        rate: Any = lr  # which may be a tensor, as for all of its others
        super().__init__(instead_of_a_model, lr=rate, betas=betas, weight_decay=weight_decay, eps=eps)

    @staticmethod
    def rule_for(group: Mapping[str, Any]) -> str:
        """Returns what moves a group's parameters, in words."""
        block = group["block"]
        return f"a step size for each {'head of attention' if isinstance(block, int) else block}"

    def get_optimizer_groups(self, weight_decay: float) -> Any:
        """Returns what it was given."""
        self._weight_decay = weight_decay
        return self.model

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters, which the package takes for what their ``block`` says.

        Args:
            param_group: parameters, and settings of theirs.

        Raises:
            ValueError: as for the class. Nothing was added.
        """
        if "weight_decay" not in self.defaults:  # the package has it in each group alone
            self.defaults["weight_decay"] = self._weight_decay
        group = {"block": "tensor", "lr": self.defaults["lr"], **param_group}
        block = group["block"]
        rows = block if isinstance(block, int) and not isinstance(block, bool) and block > 0 else None
        if rows is None and block not in tuple(_NAMES):
            raise ValueError(f"block={block!r} must be 'coordinate', 'tensor' or a number of rows")
        if isinstance(group["lr"], Tensor):
            group["lr"] = group["lr"].clone()  # one rate for all groups would be scaled once for each
        super().add_param_group({**group, "name": _NAMES.get(block, _NAME_OF_ROWS), "parameter_per_head": rows})
        added = self.param_groups[-1]
        for index, param in enumerate(added["params"]):
            if rows is not None and (param.ndim < 1 or param.shape[0] % rows):
                self.param_groups.pop()
                raise ValueError(
                    f"{parameter_name(added, index)} of shape {tuple(param.shape)} has no blocks of {rows} rows; "
                    "give it block='tensor'"
                )

    def step_attn_proj(self, p: Tensor, grad: Tensor, state: Any, parameter_per_head: int, *rest: Any) -> None:  # type: ignore[override]  # which is static
        """Takes a step by the head; of what stands for a matrix in a subspace, whose rows are no head's, by the tensor.

        Args:
            p: the parameter.
            grad: of it.
            state: of it.
            parameter_per_head: rows of a head, of which the package wants the elements.
            *rest: as in the package.
        """
        if hasattr(p, STANDS_FOR):
            self.step_lefts(p, grad, state, *rest)
        else:
            super().step_attn_proj(p, grad, state, parameter_per_head * grad[0].numel(), *rest)
