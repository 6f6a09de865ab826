"""One loss a sample, where somebody's code computes the mean over a batch.

Whatever that code makes of a loss function of torch's - a sum of several, a share, a division by the number of labels -
is linear as a rule. So it is enough that the loss functions return one number a sample, whose mean is what they return
otherwise: the same then holds for what the code makes of them, and nobody has to know what that is.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trimtab.lab.adapters.common import check_finite, rehearsal
from trimtab.lab.task import Batch, map_tensors
from trimtab.primitives.training_modes import evaluating
from trimtab.study.errors import InputError

NOTHING = 1e-6
"""Share of a loss below which a part of it is rounding."""

SAME = 1e-4
"""Relative difference of a loss of the same sample in another place of the batch; kernels add up in another order."""


def _loss_functions() -> dict[Callable[..., Tensor], inspect.Signature]:
    functions = [value for value in vars(functional).values() if inspect.isfunction(value)]
    signatures = {function: inspect.signature(function) for function in functions}
    return {function: found for function, found in signatures.items() if "reduction" in found.parameters}


_LOSSES = _loss_functions()
_OF_CLASSES = (functional.cross_entropy, functional.nll_loss)


class SampleLosses(TorchFunctionMode):
    r"""Has torch's loss functions return one number a sample, shape ``(batch,)``, whose mean is their usual result.

    A loss :math:`\frac{1}{N} \sum_j \ell_j` over the elements of a batch (tokens, pixels, classes, those that are not
    ignored) becomes :math:`\frac{n}{N} \sum_{j \in i} \ell_j` for each of the :math:`n` samples :math:`i`. A function
    whose elements cannot be those of the samples, one sample after the other, does what it always does; likewise where
    no reduction is asked for.

    Args:
        samples: in the batch.
        scale: factor of the losses. With 0, what is left of a result does not come from them.
    """

    def __init__(self, samples: int, scale: float = 1.0) -> None:
        super().__init__()
        self._samples, self._scale = samples, scale

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls a function of torch's; a loss function without its reduction."""
        signature = _LOSSES.get(func)
        if signature is not None:
            call = signature.bind(*args, **(kwargs or {}))
            call.apply_defaults()
            each = self._elements(func, call.arguments)
            if each is not None:
                factor = self._scale * self._samples / _divisor(func, call.arguments, each)
                return each.reshape(self._samples, -1).sum(1) * factor
        return func(*args, **(kwargs or {}))

    def _elements(self, func: Any, arguments: dict[str, Any]) -> Tensor | None:
        """Returns the losses of the elements; ``None`` where they are what is asked for, or cannot be the samples'."""
        legacy = arguments.get("size_average") is not None or arguments.get("reduce") is not None
        if legacy or arguments["reduction"] == "none":
            return None
        each: Tensor = func(**{**arguments, "reduction": "none"})
        if func is functional.ctc_loss and arguments["reduction"] == "mean":
            each = each / arguments["target_lengths"].to(each.device).clamp(min=1)
        return each if each.numel() and each.numel() % self._samples == 0 else None


def _divisor(func: Any, arguments: dict[str, Any], each: Tensor) -> Tensor | float:
    """Returns what the elements' sum is divided by: 1, or how many there are, of which some may count for more."""
    if arguments["reduction"] == "sum":
        return 1.0
    if arguments["reduction"] == "batchmean":
        return float(len(arguments["input"]))
    target, weight = arguments.get("target"), arguments.get("weight")
    if func not in _OF_CLASSES or target is None or target.is_floating_point():
        return float(each.numel())
    counted: Tensor = target != arguments["ignore_index"]
    if weight is None:
        return counted.sum().clamp(min=1)  # samples without any label have no loss, rather than a NaN
    weights: Tensor = weight[target.where(counted, 0)] * counted
    return weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)


def check_sample_losses(
    run: Callable[[Batch, float], Tensor], model: nn.Module, batch: Batch, samples: int, *, host: str, remedy: str
) -> None:
    """Checks that all of a loss is that of samples, and that each gets its own.

    Args:
        run: computes the loss of a batch within :class:`SampleLosses` of a scale.
        model: is put into evaluation mode for a while, in which it draws nothing at random.
        batch: a batch.
        samples: how many it has.
        host: what computes the loss, for messages.
        remedy: what to do, for messages.

    Raises:
        InputError: the loss is not finite; or it, or a part of it, is computed by other means than torch's loss
            functions; or they take the elements of the batch in another order than sample by sample.
    """
    with rehearsal(model):
        found = run(batch, 1.0).detach()
    if found.shape != (samples,):
        raise InputError(
            f"nobody can tell which part of {host} is whose: it is no mean or sum, by a loss function of "
            f"torch.nn.functional, over all elements of the batch. {remedy}"
        )
    check_finite(float(found.mean()), samples, host)
    with rehearsal(model):
        rest = float(run(batch, 0.0).detach().abs().max())
    if not rest <= NOTHING * float(found.abs().mean()):
        raise InputError(
            f"{rest:.6g} of {host}, which is {float(found.mean()):.6g}, is a penalty or an auxiliary loss, and no "
            f"sample's. Switch it off, as config.output_router_logits=False does for mixtures of experts, or keep it. "
            f"{remedy}"
        )
    with evaluating(model), rehearsal(model):
        ahead = run(batch, 1.0)
    with evaluating(model), rehearsal(model):
        backwards = run(map_tensors(batch, lambda tensor: tensor.flip(0)), 1.0)
    if not torch.allclose(ahead, backwards.flip(0), rtol=SAME, atol=SAME * float(ahead.detach().abs().max())):
        raise InputError(
            f"{host} takes the elements of the batch in another order than sample by sample, so that nobody can tell "
            f"which part is whose. {remedy}"
        )
