"""One loss a sample, where a ``Trainer`` computes their mean.

That mean is over labelled tokens, which are counted in different ways: by the Trainer, for models that take the number,
and by other models themselves. A sample's loss is what its own tokens contribute, times the number of samples.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trimtab.lab.adapters.common import check_mean, rehearsal, samples_of
from trimtab.lab.adapters.sample_losses import SampleLosses, check_sample_losses
from trimtab.lab.task import Batch, select
from trimtab.study.errors import InputError

_HOST = "the Trainer's loss"

_REMEDY = (
    "Give TrainerTask(losses=...), a function (outputs, batch) -> one loss a sample, shape (batch,), whose mean is the "
    "Trainer's loss: of labelled tokens, the sum over the sample's, times samples / labelled tokens in the batch"
)


@dataclass(frozen=True)
class Computed:
    """What one pass gives.

    Args:
        outputs: the model's.
        loss: what ``compute_loss`` makes of them.
    """

    outputs: Any
    loss: Tensor


class TrainerLosses:
    """The losses of a Trainer.

    Args:
        trainer: the Trainer.
        given: somebody's own function, from the model's outputs and a batch.
    """

    def __init__(self, trainer: Any, given: Callable[[Any, Batch], Float[Tensor, " batch"]] | None) -> None:
        self._trainer, self._given = trainer, given
        self._replayed = False
        self._of_model = True  # a replayed method may add something to the model's own loss

    def computed(self, model: nn.Module, batch: Batch, scale: float = 1.0) -> Computed:
        """Lets the Trainer call the model on a batch, with one loss a sample unless they are given."""
        with SampleLosses(samples_of(batch), scale) if self._given is None else nullcontext():
            loss, outputs = self._trainer.compute_loss(
                model, dict(batch), return_outputs=True, num_items_in_batch=self._items(batch)
            )
        return Computed(outputs, loss)

    def of(self, computed: Computed, batch: Batch) -> Float[Tensor, " batch"]:
        """Returns one loss a sample, whose mean is the Trainer's loss."""
        if self._given is not None:
            return self._given(computed.outputs, batch)
        return self._replay(computed.outputs, batch) if self._replayed else computed.loss

    def check(self, model: nn.Module, batch: Batch) -> None:
        """Finds out how the losses are to be had, and compares their mean with the Trainer's loss.

        Raises:
            InputError: the Trainer has no loss, or the losses of samples cannot be had.
        """
        try:
            with rehearsal(model):
                self._mean(model, batch)
        except Exception as error:
            raise InputError(
                f"{type(self._trainer).__name__}.compute_loss raised {type(error).__name__}: {error}\n"
                f"A batch holds {', '.join(batch)}. Labels go by the name of an argument of the model's forward: "
                "columns of other names are dropped, unless TrainingArguments(remove_unused_columns=False)"
            ) from error
        if self._given is None:
            self._choose(model, batch)
        check_mean(
            model,
            lambda: self.of(self.computed(model, batch), batch),
            lambda: self._mean(model, batch),
            samples_of(batch),
            host=_HOST,
            remedy=_REMEDY,
        )

    def _choose(self, model: nn.Module, batch: Batch) -> None:
        """Takes the losses as they are recorded, if they can be; else those of a replay, if there is one."""
        samples = samples_of(batch)

        def check(part: str, loss: Callable[[Computed], Tensor]) -> None:
            check_sample_losses(
                lambda batch, scale: loss(self.computed(model, batch, scale)),
                model,
                batch,
                samples,
                host=part,
                remedy=_REMEDY,
            )

        try:
            check(_HOST, lambda computed: computed.loss)
        except InputError:
            if not self._is_own():
                raise
            self._check_called_once(model, batch)
            self._replayed = True
            try:
                check("the model's loss", lambda computed: computed.outputs["loss"])
            except (InputError, KeyError, IndexError, TypeError, AttributeError):
                self._of_model = False

    def _is_own(self) -> bool:
        """Tells whether there is more to a loss than what the model returns."""
        trainer = self._trainer
        own = type(trainer).compute_loss.__module__.partition(".")[0] != "transformers"
        return own or trainer.compute_loss_func is not None or trainer.label_smoother is not None

    def _check_called_once(self, model: nn.Module, batch: Batch) -> None:
        calls: list[None] = []
        with model.register_forward_pre_hook(lambda *_: calls.append(None)), rehearsal(model):
            self._mean(model, batch)
        if len(calls) != 1:
            raise InputError(
                f"{type(self._trainer).__name__}.compute_loss calls the model {len(calls)} times, and adds something "
                f"that is not computed with torch's loss functions. {_REMEDY}"
            )

    def _mean(self, model: nn.Module, batch: Batch) -> Tensor:
        loss: Tensor = self._trainer.compute_loss(model, dict(batch), num_items_in_batch=self._items(batch))
        return loss

    def _items(self, batch: Batch) -> Any:
        """Labelled tokens of a batch as the Trainer counts them, or ``None`` where it does not."""
        items = self._trainer.get_batch_samples(iter([batch]), 1, torch.device("cpu"))[1]
        return items.clamp(min=1) if isinstance(items, Tensor) else items

    def _replay(self, outputs: Any, batch: Batch) -> Float[Tensor, " batch"]:
        """Returns what ``compute_loss`` makes of each sample's outputs."""
        samples, items = samples_of(batch), self._items(batch)
        share = None if items is None else items / samples
        name = self._trainer.model._get_name()
        found = []
        for row in range(samples):
            model = _Replay(_one_of(outputs, row, own_loss=self._of_model), name)
            loss = self._trainer.compute_loss(model, select(batch, [row]), num_items_in_batch=share)
            found.append(loss.reshape(()))
        return torch.stack(found)


class _Replay(nn.Module):
    """Stands in for a model that has given its outputs already."""

    def __init__(self, outputs: Any, name: str) -> None:
        super().__init__()
        self._outputs, self._name = outputs, name

    def forward(self, **_: Any) -> Any:
        return self._outputs

    def _get_name(self) -> str:
        return self._name  # by which the Trainer knows a causal language model


def _one_of(outputs: Any, row: int, *, own_loss: bool) -> Any:
    """Takes one sample out of a model's outputs; its loss is a number, as the batch's is."""
    if not isinstance(outputs, dict):
        return select(outputs, [row])
    part = select({key: value for key, value in outputs.items() if key != "loss"}, [row])
    if own_loss and outputs.get("loss") is not None:
        part["loss"] = outputs["loss"][row]
    return type(outputs)(**part)
