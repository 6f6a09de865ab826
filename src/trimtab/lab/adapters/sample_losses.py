"""One loss a sample, where a ``Trainer`` knows the mean over a batch.

That mean is over labelled tokens. A sample's loss is the sum over its own, divided by the batch's mean number of them a
sample: the mean over the batch is then the Trainer's loss, however the tokens are spread.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from trimtab.lab.errors import InputError
from trimtab.lab.task import Batch, select

IGNORED = -100
"""The label of a token that is not to be predicted."""


def token_losses(model: nn.Module, outputs: Any, batch: Batch) -> Float[Tensor, " batch"]:
    """Returns the losses of transformers' own heads: causal and masked language models, and classes of sequences.

    Args:
        model: says of which kind the loss is.
        outputs: with ``logits``.
        batch: with ``labels``.

    Raises:
        InputError: one of the two is not there.
    """
    logits = outputs.get("logits") if isinstance(outputs, dict) else getattr(outputs, "logits", None)
    labels = batch.get("labels")
    if not isinstance(logits, Tensor) or not isinstance(labels, Tensor):
        raise InputError("the model's outputs need 'logits' and the batch needs 'labels'")
    samples = len(labels)
    problem = getattr(getattr(model, "config", None), "problem_type", None)
    if problem == "regression" or (labels.is_floating_point() and logits.shape[-1] == 1):
        return functional.mse_loss(logits.reshape(samples, -1), labels.reshape(samples, -1), reduction="none").mean(1)
    if labels.is_floating_point():
        return (
            functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").reshape(samples, -1).mean(1)
        )
    if "shift_labels" in batch:
        labels = batch["shift_labels"]
    elif _predicts_next(model):
        logits, labels = logits[..., :-1, :], labels[..., 1:]
    labels = labels.reshape(samples, -1)
    logits = logits.reshape(*labels.shape, -1).float()
    each = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    items = (labels != IGNORED).sum().clamp(min=1)
    losses: Tensor = each.sum(1) * samples / items
    return losses


def _predicts_next(model: nn.Module) -> bool:
    """Tells whether a model's loss is that of each position's next token."""
    from transformers.loss.loss_utils import LOSS_MAPPING, ForCausalLMLoss

    kind = getattr(model, "loss_type", None)
    return LOSS_MAPPING.get(str(kind)) is ForCausalLMLoss and not getattr(
        getattr(model, "config", None), "is_encoder_decoder", False
    )


class _Replay(nn.Module):
    """Stands in for a model that has given its outputs already."""

    def __init__(self, outputs: Any, name: str) -> None:
        super().__init__()
        self._outputs, self._name = outputs, name

    def forward(self, **_: Any) -> Any:
        return self._outputs

    def _get_name(self) -> str:
        return self._name  # by which the Trainer knows a causal language model


def replayed_losses(trainer: Any, outputs: Any, batch: Batch, items: Any) -> Float[Tensor, " batch"]:
    """Returns what the Trainer's ``compute_loss`` makes of each sample's outputs.

    Args:
        trainer: with a ``compute_loss`` or ``compute_loss_func`` of somebody's own, or with label smoothing.
        outputs: of the whole batch.
        batch: the batch.
        items: the batch's labelled tokens as the Trainer counts them.
    """
    samples = len(next(value for value in batch.values() if isinstance(value, Tensor)))
    share = None if items is None else items / samples
    name = trainer.model._get_name()
    has_loss = isinstance(outputs, dict) and outputs.get("loss") is not None
    model_losses = token_losses(trainer.model, outputs, batch) if has_loss else None  # to which a method may add
    found = []
    for row in range(samples):
        part = select(batch, [row])
        replay = _Replay(_one_of(outputs, row, None if model_losses is None else model_losses[row]), name)
        found.append(trainer.compute_loss(replay, part, num_items_in_batch=share).reshape(()))
    return torch.stack(found)


def _one_of(outputs: Any, row: int, loss: Tensor | None) -> Any:
    """Takes one sample out of a model's outputs, with its own loss in the place of the mean."""
    if not isinstance(outputs, dict):
        return select(outputs, [row])
    part = select({key: value for key, value in outputs.items() if key != "loss"}, [row])
    return type(outputs)(**part) if loss is None else type(outputs)(loss=loss, **part)
