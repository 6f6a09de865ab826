"""Adam-mini of pytorch-optimizer, made of named parameters instead of a model."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytorch_optimizer
from torch import Tensor


class AdamMini(pytorch_optimizer.AdamMini):
    """``pytorch_optimizer.AdamMini``, which takes what optimizers take and goes by the parameters' names.

    Args:
        params: named parameters, or groups of them.
        lr: step size.
        betas: decay rates of the moments.
        weight_decay: decoupled; the package gives none to what has ``norm`` or ``ln_f`` in its name.
        eps: added to the denominator.
        num_embeds: width of a transformer.
        num_heads: of its attention.
        num_query_groups: of its attention; as many as heads by default.

    Raises:
        TypeError: parameters have no names.
    """

    needs_names = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        *,
        eps: float = 1e-8,
        num_embeds: int = 2048,
        num_heads: int = 32,
        num_query_groups: int | None = None,
    ) -> None:
        groups = [given if isinstance(given, dict) else {"params": [given]} for given in params]
        named = [each for group in groups for each in group["params"]]
        if not all(isinstance(each, tuple) for each in named):
            raise TypeError("AdamMini goes by the names of parameters: give it model.named_parameters()")
        model: Any = SimpleNamespace(named_parameters=lambda: named)  # of which the package reads nothing else
        rate: Any = lr  # which may be a tensor, as for all of its others
        super().__init__(
            model,
            lr=rate,
            betas=betas,
            weight_decay=weight_decay,
            eps=eps,
            num_embeds=num_embeds,
            num_heads=num_heads,
            num_query_groups=num_query_groups,
        )
        decays = {param: group.get("weight_decay", weight_decay) for group in groups for _, param in group["params"]}
        for group in self.param_groups:  # the package has made a group of each parameter, with one rate for all
            group["lr"] = lr.clone() if isinstance(lr, Tensor) else lr
            group["weight_decay"] = min(group["weight_decay"], *(decays[param] for param in group["params"]))
