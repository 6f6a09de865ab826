"""Adam-mini of pytorch-optimizer, made of named parameters instead of a model."""

from collections.abc import Iterable
from typing import Any

import pytorch_optimizer
from torch import Tensor
from torch.optim.optimizer import ParamsT


class AdamMini(pytorch_optimizer.AdamMini):
    """``pytorch_optimizer.AdamMini``, which takes what optimizers take and goes by the parameters' names.

    A parameter that is added later without a name is one block. Frozen parameters are held, and wait.

    Args:
        params: named parameters, or groups of them.
        lr: step size.
        betas: decay rates of the moments.
        weight_decay: decoupled; what has ``norm`` or ``ln_f`` in its name has none, as in the package.
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
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        *,
        eps: float = 1e-8,
        num_embeds: int = 2048,
        num_heads: int = 32,
        num_query_groups: int | None = None,
    ) -> None:
        groups: list[dict[str, Any]] = [each if isinstance(each, dict) else {"params": [each]} for each in params]
        groups = [{**group, "params": list(group["params"])} for group in groups]
        if not all(isinstance(each, tuple) for group in groups for each in group["params"]):
            raise TypeError("AdamMini goes by the names of parameters: give it model.named_parameters()")
        instead_of_a_model: Any = groups
        rate: Any = lr  # which may be a tensor, as for all of its others
        super().__init__(
            instead_of_a_model,
            lr=rate,
            betas=betas,
            weight_decay=weight_decay,
            eps=eps,
            num_embeds=num_embeds,
            num_heads=num_heads,
            num_query_groups=num_query_groups,
        )

    def get_optimizer_groups(self, weight_decay: float) -> Any:
        """Returns the groups that it was given."""
        self._weight_decay = weight_decay
        return self.model

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group for each parameter, with its name, as the package has them.

        Args:
            param_group: parameters, named or not, and settings of theirs.
        """
        params: Any = param_group["params"]
        given: Iterable[Any] = [params] if isinstance(params, Tensor) else params
        settings = {"weight_decay": self._weight_decay, **self.defaults, **param_group}
        for each in given:
            name = each[0] if isinstance(each, tuple) else ""
            group = {**settings, "params": [each], "name": name}
            if isinstance(group["lr"], Tensor):
                group["lr"] = group["lr"].clone()  # one rate for all would be scaled once for each
            if "norm" in name or "ln_f" in name:
                group["weight_decay"] = 0.0
            if any(block in name for block in self.qk_blocks):
                group["parameter_per_head"] = self.num_embeds**2 // self.num_heads
            super().add_param_group(group)
