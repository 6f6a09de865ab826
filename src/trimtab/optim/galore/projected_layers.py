"""Which layers of a model GaLore is meant for."""

import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from trimtab.optim.galore.checks import projection_rank, subspace_rank
from trimtab.primitives.hyperparameters import FLOATING_DTYPES, keep_own_rate, whole_number
from trimtab.primitives.quantized_weight import QuantizedWeight, quantized_parameter
from trimtab.primitives.quantizer import bit_width


def galore_parameter_groups(
    model: nn.Module,
    rank: int | float,
    *,
    targets: Sequence[str] | None = None,
    prefix: str = "galore",
    **settings: Any,
) -> list[dict[str, Any]]:
    """Splits a model's parameters into the weights of linear layers, to be projected, and the rest.

    Linear layers are ``nn.Linear`` and what derives from it; the joint weight of queries, keys and values in
    ``nn.MultiheadAttention`` is none, and belongs to the rest.

    Args:
        model: where the parameters come from, frozen ones among them. Weights that are no floating-point numbers cannot
            be trained, and belong to the rest.
        rank: for the projected weights: a whole number, or a fraction of each one's shorter side.
        targets: regular expressions, of which one must be found in a layer's name, e.g. ``("attn", "mlp")``. By
            default all linear layers are meant but for output layers: those that share their weight with an embedding,
            or have as many outputs as an embedding of the model has rows.
        prefix: ``"q_galore"`` for :class:`~trimtab.optim.QGaLore`.
        **settings: of the optimizers, for both groups.

    Returns:
        Two parameter groups, without names. The first has the rank; in the second it is ``None``, and the group is left
        out if it is empty.

    Raises:
        TypeError: ``model`` is not a module, or ``rank`` not a number.
        ValueError: no layer is meant, or ``rank`` is above the shorter side of a weight; the message names it.

    Examples:
        >>> model = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 6), nn.LayerNorm(6), nn.Linear(6, 9))
        >>> [[tuple(param.shape) for param in group["params"]] for group in galore_parameter_groups(model, rank=2)]
        [[(6, 8)], [(9, 8), (6,), (6,), (6,), (9, 6), (9,)]]
    """
    checked = projection_rank("rank", rank)
    if checked is None:
        raise TypeError("rank=None projects nothing: a whole number, or a fraction of the shorter side, is needed")
    chosen = {layer.weight for layer in _meant(model, targets).values() if layer.weight.dtype in FLOATING_DTYPES}
    named = list(model.named_parameters())
    for name, param in named:
        if param in chosen and subspace_rank(checked, param) > min(param.shape):
            shape = tuple(param.shape)
            raise ValueError(
                f"rank={rank} is above parameter {name!r}, whose shape is {shape}: at most {min(shape)}, or leave its "
                "layer out by targets, which names the layers that are meant"
            )
    projected = {"params": [param for _, param in named if param in chosen], f"{prefix}_rank": checked}
    rest = {"params": [param for _, param in named if param not in chosen], f"{prefix}_rank": None}
    groups = [{**group, **settings} for group in (projected, rest) if group["params"]]
    for group in groups:
        keep_own_rate(group)
    return groups


def quantize_linears(
    model: nn.Module, *, targets: Sequence[str] | None = None, bits: int = 8, group_size: int = 256
) -> list[str]:
    """Stores the weights of linear layers in few bits, in place, for :class:`~trimtab.optim.QGaLore` to train.

    Do so before the optimizer is built, and before a saved state of such a model is loaded. A layer's forward and
    backward pass make a copy in floating point for as long as they take.

    Args:
        model: its layers' weights become parameters that hold whole numbers, and look like floating-point ones.
        targets: see :func:`galore_parameter_groups`; by default the same layers.
        bits: from 2 to 8.
        group_size: weights that share a scale, >= 1; it need not divide their number.

    Returns:
        The names of the weights.

    Raises:
        TypeError: an argument has the wrong type, or a layer is of a class of its own, whose forward pass is not known.
        ValueError: an argument is outside its range, no layer is meant, or a weight is tied. Nothing was changed.
    """
    bits, group_size = bit_width("bits", bits), whole_number(1)("group_size", group_size)
    layers = _meant(model, targets)
    for name, layer in layers.items():
        if type(layer) is not nn.Linear:
            raise TypeError(f"layer {name!r} is a {type(layer).__name__} and no plain Linear: leave it out by targets")
        if isinstance(layer.weight, QuantizedWeight):
            bits = layer.weight.bits
            raise ValueError(f"the weight of layer {name!r} is stored in {bits} bits already")  # noqa: TRY004 - the type is right
        users = [user for user, param in model.named_parameters(remove_duplicate=False) if param is layer.weight]
        if len(users) > 1:
            raise ValueError(
                f"the weight of layer {name!r} is tied ({', '.join(users)}), and others would not see its new values: "
                "leave it out by targets, or untie it"
            )
    for layer in layers.values():
        layer.weight = quantized_parameter(layer.weight.detach(), bits, group_size).requires_grad_(
            layer.weight.requires_grad
        )
    return [f"{name}.weight" for name in layers]


def _meant(model: nn.Module, targets: Sequence[str] | None) -> dict[str, nn.Linear]:
    """Returns the linear layers that are meant, by name.

    Raises:
        TypeError: ``model`` is not a module.
        ValueError: none is.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    if isinstance(targets, str):
        raise TypeError(f"targets={targets!r} must be a sequence of regular expressions, not one: ({targets!r},)")
    linears = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    if targets is None:
        tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
        found = {name: layer for name, layer in linears.items() if not _is_output(layer, tables)}
    else:
        found = {name: layer for name, layer in linears.items() if any(re.search(each, name) for each in targets)}
    if not found:
        known = ", ".join(linears) or "none"
        raise ValueError(f"targets={targets!r} leaves no linear layer; there are: {known}")
    return found


def _is_output(layer: nn.Linear, tables: Sequence[Tensor]) -> bool:
    return any(layer.weight is table or layer.out_features == len(table) for table in tables)
