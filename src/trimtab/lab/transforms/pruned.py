"""A trained network that may keep only a share of its weights."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from trimtab.lab.task import Task
from trimtab.lab.transforms.network import tensors_in
from trimtab.lab.transforms.problem import COST, OBJECTIVE_METRIC, TransformProblem
from trimtab.lab.transforms.stored import (
    counted_tensors,
    kept_weights,
    nonzeros,
    stored_bytes,
    tensor_bytes,
    tensors_beside,
)
from trimtab.primitives.masks import count_to_prune, prunable_weights
from trimtab.study.errors import InputError
from trimtab.study.facts import Facts, Measure
from trimtab.study.phrases import count, listed

SPARSITY, STORED = "sparsity", "stored bytes"


class Pruned(TransformProblem):
    """A task's network, of whose weights a share has to be zero.

    The weights of convolutions and linear layers count, biases and normalisation do not. What is stored is counted from
    the artefact's tensors, each dense or as a bitmap and its values, whichever is smaller.

    Args:
        task: what was learned: a task, the name of one that ships, or ``path/to/file.py:name``.
        sparsity: share of the weights that has to be zero, more than 0 and less than 1.
        train_steps: of the network; the task's own by default.
        train_lr: learning rate of the network's training.
        finetune_steps: that a run may take; half of ``train_steps`` by default.
    """

    target_words: ClassVar[str] = "sparsity: the share of the weights that has to be zero"

    def __init__(
        self,
        task: str | Task = "digits",
        sparsity: float = 0.9,
        *,
        train_steps: int | None = None,
        train_lr: float = 1e-3,
        finetune_steps: int | None = None,
    ) -> None:
        from trimtab.lab.loading import fingerprint, load_task

        try:
            count_to_prune(sparsity, 1)
        except ValueError as error:
            raise InputError(str(error)) from error
        if not sparsity:
            raise InputError(f"sparsity={sparsity!r}: nothing would have to be pruned; a target is above 0 and below 1")
        found = load_task(task) if isinstance(task, str) else task
        if not isinstance(found, Task):
            raise InputError(f"task={task!r}: a trimtab.Task is needed, or what names one")
        self._fingerprint = fingerprint(task) if isinstance(task, str) else ""
        self.sparsity = float(sparsity)
        super().__init__(
            found, target=self.sparsity, train_steps=train_steps, train_lr=train_lr, finetune_steps=finetune_steps
        )
        more = {"train_steps": train_steps, "train_lr": train_lr, "finetune_steps": finetune_steps}
        usual = inspect.signature(Pruned).parameters
        told = "".join(f", {name}={value!r}" for name, value in more.items() if value != usual[name].default)
        if not hasattr(type(self), "name"):
            self.name = f"pruned({found.name}, sparsity={self.sparsity:g}{told})"

    def identity(self) -> str:
        """Returns what names the task and changes with its file; of an object, also the problem's name."""
        if self._fingerprint:
            return self._fingerprint
        kind = type(self.task)
        file = inspect.getsourcefile(kind)
        from trimtab.lab.loading import file_hash

        return f"{self.name}: {kind.__qualname__}@{'' if file is None else file_hash(Path(file))}"

    def requirement(self, network: nn.Module) -> "SparsityRequirement":
        """Returns how many weights of a network have to go.

        Raises:
            InputError: all of them.
        """
        weights = prunable_weights(network)
        total = sum(weight.numel() for weight in weights.values())
        if count_to_prune(self.sparsity, total) == total:
            raise InputError(
                f"sparsity={self.sparsity!r} leaves none of the {count(total, 'weight')} of {self.task.name}: "
                f"it is at most 1 - 1/{total}"
            )
        there = {**tensors_in(network.state_dict()), **counted_tensors(network)}
        others = {name: tensor.shape for name, tensor in there.items() if name not in weights}
        return SparsityRequirement(self.sparsity, total, others, frozenset(map(type, network.modules())))

    def target_facts(self) -> Facts:
        """Returns what a reader has to know of the target."""
        network = self._untrained(0)
        weights = sum(weight.numel() for weight in prunable_weights(network).values())
        kept = weights - count_to_prune(self.sparsity, weights)
        return Facts(
            self.name,
            self.name,
            OBJECTIVE_METRIC,
            COST,
            measures=(
                _STORED,
                Measure(SPARSITY, "sparsity"),
            ),
            sizes=(
                ("weights", f"{weights:,}"),
                ("weights that may stay", f"{kept:,}"),
                ("bytes of the whole network", f"{stored_bytes(network):,}"),
            ),
            paragraphs=(
                (
                    "Sparsity",
                    f"At least {100 * self.sparsity:g} % of the {count(weights, 'weight')} of convolutions and linear "
                    f"layers have to be zero in what a candidate returns, so that {kept:,} may stay; a run that misses "
                    "that has failed. Weights and bytes are counted from the tensors.",
                ),
            ),
        )


@dataclass(frozen=True)
class SparsityRequirement:
    """How many weights of a network have to go.

    Args:
        sparsity: share of them.
        weights: how many there are.
        others: name and shape of everything else that the network has.
        known: classes of its layers, whose attributes hold no weights.
    """

    sparsity: float
    weights: int
    others: Mapping[str, torch.Size]
    known: frozenset[type] = frozenset()

    def measured(self, artefact: nn.Module) -> dict[str, float]:
        """Returns sparsity and stored bytes."""
        kept = kept_weights(artefact, self.others, self.known)
        more = sum(map(tensor_bytes, self._beside(artefact).values()))
        return {SPARSITY: 1 - kept / self.weights, STORED: stored_bytes(artefact) + more}

    def missed(self, artefact: nn.Module) -> str:
        """Returns how many weights are too many, in a sentence; empty if none are."""
        if any(isinstance(module, torch.jit.ScriptModule) for module in artefact.modules()):
            return (
                "the target cannot be seen: in a torch.jit.ScriptModule nobody can count weights; return what it is of"
            )
        kept = kept_weights(artefact, self.others, self.known)
        allowed = self.weights - count_to_prune(self.sparsity, self.weights)
        if kept <= allowed:
            return ""
        beside = self._beside(artefact)
        some = f"; {sum(map(nonzeros, beside.values())):,} of them are outside of its state dictionary, in"
        return (
            f"the target was missed: {kept:,} of {self.weights:,} weights are not zero, {kept - allowed:,} more than "
            f"the {allowed:,} that a sparsity of {self.sparsity:g} leaves"
            f"{f'{some} {listed(list(beside))}' if beside else ''}"
        )

    def _beside(self, artefact: nn.Module) -> dict[str, Tensor]:
        found = tensors_beside(artefact, self.known)
        return {name: tensor for name, tensor in found.items() if self.others.get(name) != tensor.shape}


_STORED = Measure(
    STORED,
    "stored",
    form="bytes",
    over="median",
    unit="size",
    explanation="Size of what has to be stored, each tensor dense or as a bitmap and its values that are not zero.",
    brief="stored",
    price="size",
    axis="bytes that are stored",
)
