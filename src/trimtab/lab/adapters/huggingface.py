"""A task from a set-up of Hugging Face's ``Trainer``."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import Dataset

from trimtab.lab.adapters.common import (
    check_batch,
    check_makes,
    check_sampler,
    halves,
    is_of,
    map_style,
    seeded_globals,
)
from trimtab.lab.adapters.recipes import check_trains_as_told, decayed_otherwise, trainer_recipe
from trimtab.lab.adapters.sample_losses import SAME
from trimtab.lab.adapters.trainer_losses import TrainerLosses
from trimtab.lab.problem import Filling
from trimtab.lab.randomness import OwnedRandomness
from trimtab.lab.task import Batch, Task, map_tensors, samples_in, select, take_rows, to_device
from trimtab.primitives.training_modes import evaluating
from trimtab.study.checks import check_flag
from trimtab.study.errors import InputError
from trimtab.study.facts import Facts
from trimtab.study.metric import Evaluation, Metric, Split

if TYPE_CHECKING:
    from transformers import Trainer


class TrainerTask(Task):
    """The data, model, loss and metric of a ``transformers.Trainer``.

    Taken over: the model of ``model_init``, built afresh from each seed; the data sets without the columns that the
    model does not use; the collator; ``per_device_train_batch_size * gradient_accumulation_steps`` samples a step, at
    once; ``max_steps`` or ``num_train_epochs``; ``compute_loss``, ``compute_loss_func`` and ``label_smoothing_factor``;
    ``compute_metrics``, of which ``metric_for_best_model`` and ``greater_is_better`` choose the metric (the loss where
    there are none). A whole split is scored as ``Trainer.evaluate`` does.

    With ``as_trained`` also ``lr_scheduler_type`` with its warm-up, ``max_grad_norm``, biases and norms without weight
    decay, and ``bf16``: candidates are then compared as you train. An option of the comparison, such as ``--schedule``,
    says otherwise. The warm-up begins above zero here, and at zero there. The Trainer knows biases and norms by their
    names alone; which parameters it therefore decays otherwise, :attr:`introduction` and the report say.

    Left out, because a comparison has its own: the optimizer and its arguments, ``seed``, gradient checkpointing,
    callbacks and checkpoints; and, without ``as_trained``, schedule (a run's learning rate is constant), clipping
    (the Trainer clips at 1 by default) and mixed precision.

    A sample's loss is what its own labels contribute to the Trainer's loss, times the number of samples. So the mean
    over a batch is the Trainer's own loss, however it counts labels. That nothing else is part of it, and that the
    mean agrees, is checked here on two batches, in training mode.

    Args:
        make_trainer: makes the Trainer. It is called once in every process, with the global generators of torch, numpy
            and Python seeded, so that a split that it draws is always the same.
        test: data that is touched once a run, at the end of the final runs. Without it, a fixed half of the Trainer's
            ``eval_dataset`` is set aside for that.
        losses: one loss a sample, shape ``(batch,)``, from the model's outputs and the batch; only needed where it
            cannot be had from the Trainer, as the message then says.
        name: how reports call the task.
        as_trained: whether schedule, warm-up, clipping and precision are the Trainer's, and biases and norms go without
            weight decay.

    Raises:
        InputError: something of the Trainer can neither be taken over nor be left out; the message says what.
    """

    def __init__(
        self,
        make_trainer: Callable[[], "Trainer"],
        *,
        test: Dataset[Any] | None = None,
        losses: Callable[[Any, Batch], Float[Tensor, " batch"]] | None = None,
        name: str = "trainer",
        as_trained: bool = False,
    ) -> None:
        if find_spec("transformers") is None or find_spec("accelerate") is None:
            raise InputError("TrainerTask needs transformers and accelerate: pip install 'trimtab[huggingface]'")
        check_makes("make_trainer", make_trainer, "a Trainer")
        check_flag("as_trained", as_trained)
        self.name = name
        with seeded_globals(0):
            self._trainer: Any = make_trainer()
            _check_trainer(self._trainer)
            self._losses = TrainerLosses(self._trainer, losses)
            self._take_data(test)
            self._take_length()
            if as_trained:
                check_trains_as_told(self._trainer)
                self.recipe = trainer_recipe(self._trainer.args, self.steps)
                self.introduction = decayed_otherwise(self._trainer)
            self._halved = as_trained and bool(self._trainer.args.bf16)
            self.metric = self._chosen_metric()
            self._check_losses()

    def _take_length(self) -> None:
        arguments = self._trainer.args
        self.batch_size = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
        samples = samples_in(self.train)
        if self.batch_size > samples:
            raise InputError(
                f"{self.batch_size} samples a step (with accumulation) exceed the {samples} training samples"
            )
        epochs = math.ceil(arguments.num_train_epochs * samples / self.batch_size)
        self.steps = arguments.max_steps if arguments.max_steps > 0 else epochs

    def _take_data(self, test: Dataset[Any] | None) -> None:
        trainer = self._trainer
        training, evaluation = trainer.get_train_dataloader(), trainer.get_eval_dataloader()
        self.collate = _plain(training.collate_fn)
        self._evaluation_collate = _plain(evaluation.collate_fn)
        self.train = map_style(training, "the Trainer's train_dataset")
        check_sampler(training, "the Trainer's train_dataset")
        self.validation = map_style(evaluation, "the Trainer's eval_dataset")
        if test is None:
            self.validation, self.test = halves(self.validation, "the Trainer's eval_dataset")
        else:
            self.test = map_style(trainer.get_test_dataloader(test), "test")

    def _chosen_metric(self) -> Metric:
        name, more = self._trainer.args.metric_for_best_model, self._trainer.args.greater_is_better
        name = "loss" if name is None else name.removeprefix("eval_")
        if self._trainer.compute_metrics is None and name != "loss":
            raise InputError(f"metric_for_best_model={name!r}, but the Trainer has no compute_metrics")
        if self._trainer.compute_metrics is not None and self._trainer.args.metric_for_best_model is None:
            raise InputError(
                "which of compute_metrics' numbers is the task's metric? Set TrainingArguments(metric_for_best_model="
                "..., greater_is_better=...); 'loss' if it is none of them"
            )
        return Metric(name, "max" if more else "min")

    def _check_losses(self) -> None:
        model = self._trainer.model.train()
        device = next(model.parameters()).device
        rows = samples_in(self.train)
        samples = min(max(self.batch_size, 2), rows)  # of one alone, everything is its own
        for first in {0: None, rows - samples: None}:  # in some batches all samples have as many labels
            batch = take_rows(self.train, torch.arange(first, first + samples), self.collate)
            check_batch(batch, samples, "the collator's batch")
            with torch.no_grad():
                self._losses.check(model, to_device(batch, device))
                self._check_accumulation(model, to_device(batch, device))

    def _check_accumulation(self, model: nn.Module, batch: Batch) -> None:
        """Refuses parts of a step whose samples have to do with each other: a comparison takes the step at once."""
        arguments = self._trainer.args
        size, parts = arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps
        if parts == 1:
            return
        normalised = any(isinstance(module, _BatchNorm) for module in model.modules())
        rows = list(range(size))
        with evaluating(model):
            # twice as many samples, with twice as many labels: what a loss is divided by is no difference
            once, twice = (
                self.losses(self.outputs(model, each), each)[:size]
                for each in (select(batch, rows), select(batch, rows + rows))
            )
        once, twice = once * twice.mean(), twice * once.mean()  # sums are twice as large
        if normalised or not torch.allclose(once, twice, rtol=SAME, atol=SAME * float(once.abs().max())):
            what = "batch normalisation" if normalised else "a loss among the samples of a batch"
            raise InputError(
                f"gradient_accumulation_steps={parts}: the Trainer takes {size} samples at once, a comparison all "
                f"{self.batch_size} of a step, which are not the same with {what}. Set TrainingArguments("
                "per_device_train_batch_size=..., gradient_accumulation_steps=1)"
            )

    def model(self, generator: torch.Generator) -> nn.Module:
        """Builds the model with ``model_init``."""
        with seeded_globals(int(torch.randint(2**63 - 1, (), generator=generator))):
            model: nn.Module = self._trainer.call_model_init()
        config: Any = getattr(model, "config", None)
        if hasattr(config, "use_cache"):
            config.use_cache = self._trainer.args.use_cache  # as the Trainer does
        return model.train()  # from_pretrained leaves it in evaluation mode

    def outputs(self, model: nn.Module, batch: Batch) -> Any:
        """Returns the model's outputs and their losses; the Trainer decides what the model is called with."""
        device = next(model.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16) if self._halved else nullcontext():
            return self._losses.computed(model, batch)

    def losses(self, outputs: Any, batch: Batch) -> Float[Tensor, " batch"]:
        """Returns one loss a sample, whose mean is the Trainer's loss."""
        return self._losses.of(outputs, batch)

    def score(self, outputs: Any, batch: Batch) -> float | Float[Tensor, ""]:
        """Returns the metric on one batch."""
        if self.metric.name == "loss":
            return self.losses(outputs, batch).mean()
        return self._computed_metric([(self._predictions(outputs, batch), self._labels(batch))])

    def evaluate(self, model: nn.Module, split: Split = "validation") -> Evaluation:
        """Scores a model on a whole split, in batches of ``per_device_eval_batch_size``.

        What a collator draws at random, such as masks, is the same every time.
        """
        data = getattr(self, split)
        size, samples = self._trainer.args.per_device_eval_batch_size, len(data)
        device = next(model.parameters()).device
        total, predicted = 0.0, []
        with torch.no_grad(), evaluating(model), OwnedRandomness(0, device).lent():
            for start in range(0, samples, size):
                rows = torch.arange(start, min(start + size, samples))
                batch = to_device(take_rows(data, rows, self._evaluation_collate), device)
                outputs = self.outputs(model, batch)
                total += float(self.losses(outputs, batch).double().sum())
                if self.metric.name != "loss":
                    predicted.append((self._predictions(outputs, batch), self._labels(batch)))
        loss = total / samples
        return Evaluation(loss, self._computed_metric(predicted) if predicted else loss)

    def facts(self, reference: str, candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        found = super().facts(reference, candidates, budget)
        more = (("Weight decay", self.introduction),) if self.introduction else ()
        return replace(found, paragraphs=(*found.paragraphs, *more))

    def _predictions(self, outputs: Any, batch: Batch) -> Any:
        """What the Trainer hands to ``compute_metrics`` of a batch's outputs."""
        config, outputs = getattr(self._trainer.model, "config", None), outputs.outputs
        ignored = {"loss", *getattr(config, "keys_to_ignore_at_inference", ["cache"])}
        found = (
            tuple(value for key, value in outputs.items() if key not in ignored)
            if isinstance(outputs, dict)
            else outputs[1:]
        )
        found = map_tensors(found[0] if len(found) == 1 else found, Tensor.detach)
        prepare = self._trainer.preprocess_logits_for_metrics
        return found if prepare is None else prepare(found, self._labels(batch))

    def _labels(self, batch: Batch) -> Any:
        labels = tuple(batch.get(name) for name in self._trainer.label_names)
        return labels[0] if len(labels) == 1 else labels

    def _computed_metric(self, predicted: list[tuple[Any, Any]]) -> float:
        from transformers import EvalPrediction
        from transformers.trainer_pt_utils import EvalLoopContainer

        predictions: Any = EvalLoopContainer(do_nested_concat=True, padding_index=-100)
        labels: Any = EvalLoopContainer(do_nested_concat=True, padding_index=-100)
        for one, other in predicted:
            predictions.add(one)
            labels.add(other)
        numbers = self._trainer.compute_metrics(
            EvalPrediction(predictions=predictions.get_arrays(), label_ids=labels.get_arrays())
        )
        numbers = {key.removeprefix("eval_"): value for key, value in numbers.items()}
        if self.metric.name not in numbers:
            raise InputError(
                f"metric_for_best_model={self.metric.name!r} is not what compute_metrics returns: {', '.join(numbers)}"
            )
        return float(numbers[self.metric.name])


def _check_trainer(trainer: Any) -> None:
    """Refuses what cannot be taken over and would change what is learned or measured."""
    from transformers import Trainer

    if not isinstance(trainer, Trainer):
        raise InputError(f"make_trainer returned a {type(trainer).__name__}, expected a transformers.Trainer")
    if trainer.model_init is None:
        raise InputError("Trainer(model=...): give a function, model_init=, so that every seed has fresh weights")
    if not isinstance(trainer.eval_dataset, Dataset) and not hasattr(trainer.eval_dataset, "__getitem__"):
        raise InputError("Trainer(eval_dataset=None): settings are chosen by it, so that one is needed")
    if isinstance(trainer.eval_dataset, dict):
        raise InputError(f"eval_dataset has several data sets, {', '.join(trainer.eval_dataset)}; one is needed")
    replaced = ("training_step", "prediction_step", "evaluation_loop", "evaluate")
    own = [name for name in replaced if not is_of(trainer, name, "transformers")]
    if own:
        are = "is" if len(own) == 1 else "are"
        raise InputError(
            f"{type(trainer).__name__}.{' and '.join(own)} {are} not called in a comparison; it has to do without"
        )
    arguments = trainer.args
    refused = ("neftune_noise_alpha", "deepspeed", "fsdp", "batch_eval_metrics", "include_for_metrics")
    given = [f"{name}={getattr(arguments, name)!r}" for name in refused if getattr(arguments, name, None)]
    if given:
        raise InputError(
            f"TrainingArguments({', '.join(given)}) cannot be taken over; drop {'it' if len(given) == 1 else 'them'}"
        )
    if getattr(arguments, "predict_with_generate", False):
        raise InputError(
            "predict_with_generate=True cannot be taken over; choose a metric that needs no generation, e.g. "
            "metric_for_best_model='loss'"
        )
    if arguments.n_gpu > 1 or arguments.world_size > 1:
        raise InputError("the Trainer uses several devices, a run has one: TrainingArguments(use_cpu=True), or set "
                         "CUDA_VISIBLE_DEVICES")  # fmt: skip


def _plain(collate: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Batch]:
    """A tokenizer's ``BatchEncoding`` becomes a plain dictionary, which can be saved with a run."""
    return lambda rows: dict(collate(rows))
