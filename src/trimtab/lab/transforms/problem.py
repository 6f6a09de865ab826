"""A trained network and a target: which transform meets it and loses least?

A candidate gets the network, some training data and the target, may train the network further within the run's budget,
and returns what is to be stored. What counts is measured of that, and no report of a candidate's is believed.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn

from trimtab.lab.devices import usable_device
from trimtab.lab.measures import PREPARATION_SECONDS, STEPS, TEST_LOSS, TEST_METRIC
from trimtab.lab.prepared import Artefact, prepared
from trimtab.lab.problem import Filling, Problem, Workplace, own_settings
from trimtab.lab.session import Session, untrained_model
from trimtab.lab.task import Task, samples_in
from trimtab.lab.task_check import check_task
from trimtab.lab.transforms.candidate import Transform
from trimtab.lab.transforms.network import (
    check_kept,
    load_network_state,
    network_state,
    tensors_in,
)
from trimtab.lab.transforms.run import Transformation, run_transform
from trimtab.lab.transforms.stored import unsaved_buffers
from trimtab.lab.transforms.words import BEFORE_AND_AFTER, BEFORE_TUNING, LINES, OF_ITS_OWN, RUN_SECONDS
from trimtab.lab.work import NEEDED
from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import DivergedError, InputError, UnfitWorkerError
from trimtab.study.facts import TESTED_ONCE, Facts, Measure, Unit
from trimtab.study.metric import Metric
from trimtab.study.outcome import Outcome
from trimtab.study.phrases import count
from trimtab.study.point import Point
from trimtab.study.trial import Reporter
from trimtab.study.tunable import LogUniform, Settings, Tunables

RATE = "finetune_lr"

OBJECTIVE_METRIC = Metric("validation loss", "min")
COST = Unit("sample-gradient", "A sample-gradient is the gradient of one sample's loss; only fine-tuning costs any.")


class Requirement(Protocol):
    """What has to come of one trained network."""

    def measured(self, artefact: nn.Module) -> Mapping[str, float]:
        """Returns what is measured of an artefact, by name."""
        ...

    def missed(self, artefact: nn.Module) -> str:
        """Returns by how much an artefact misses the target, in a sentence; empty if it does not."""
        ...


class TransformProblem(Problem):
    """A task's trained network, and a target for what becomes of it.

    The network is trained with AdamW, once a seed, and every candidate gets the same. Fine-tuning is the problem's:
    AdamW again, whose learning rate is tuned for every candidate alike.

    Args:
        task: what was learned.
        target: what has to be met, as candidates are told it.
        train_steps: of the network; the task's own by default.
        train_lr: learning rate of the network's training.
        finetune_steps: that a run may take; half of ``train_steps`` by default.

    Attributes:
        calibration_samples: of the training data, that candidates may look at.
        target_words: what the target is, in a few words.
    """

    slot = "transform"
    tried: ClassVar[bool] = True
    tunables: Tunables = MappingProxyType({RATE: LogUniform(3e-5, 3e-2)})
    modules: ClassVar[Sequence[str]] = (*NEEDED, __name__)
    calibration_samples: int = 256
    target_words: ClassVar[str] = "what has to be met"

    def __init__(
        self,
        task: Task,
        *,
        target: float,
        train_steps: int | None = None,
        train_lr: float = 1e-3,
        finetune_steps: int | None = None,
    ) -> None:
        for name, steps in (("train_steps", train_steps), ("finetune_steps", finetune_steps)):
            if steps is not None:
                check_whole(name, steps)
        check_number("train_lr", train_lr)
        if train_lr <= 0:
            raise InputError(f"train_lr={train_lr}: a learning rate is > 0")
        self.task, self.target, self.metric, self.seeds = task, target, task.metric, task.seeds
        self.train_steps = task.steps if train_steps is None else train_steps
        self.train_lr = train_lr
        self.finetune_steps = max(1, self.train_steps // 2) if finetune_steps is None else finetune_steps

    @abstractmethod
    def requirement(self, network: nn.Module) -> Requirement:
        """Returns what has to come of a trained network.

        Raises:
            ValueError: nothing can.
        """

    @abstractmethod
    def target_facts(self) -> Facts:
        """Returns facts with the name, the measures and paragraphs that are about the target."""

    def identity(self) -> str:
        """Returns what the network is trained on; problems in which it is the same share their networks."""
        return self.name

    def definition(self) -> dict[str, Any]:
        """Returns whether networks have buffers that no state dictionary has: candidates used to get another seed's."""
        return {"beside_state": True} if unsaved_buffers(self._untrained(0)) else {}

    @property
    def training_samples(self) -> int:
        """How many there are."""
        return samples_in(self.task.train)

    def budget(self, steps: int | None) -> int:
        """Returns the sample-gradients of so many steps of fine-tuning."""
        if steps is not None:
            check_whole("steps", steps)
        return (self.finetune_steps if steps is None else steps) * self.task.batch_size

    def check(self, place: str) -> None:
        """Looks at the task's parts, and whether its network can meet a target."""
        check_task(self.task, place)
        check_whole(f"{place}.calibration_samples", self.calibration_samples)
        try:
            network = self._untrained(0)
            self.requirement(network)
        except ValueError as error:
            raise InputError(f"{place}: {error}") from error
        check_kept(network, place)

    def attempt(self, build: Transform, point: Point, *, budget: int | None, place: Workplace) -> None:
        """Runs the candidate with fine-tuning that does nothing, and looks whether the target is met."""
        settings, network = own_settings(self, point.settings), self._prepared(point.seed, place)
        self._run(network, point.seed, place, budget=budget, settings=settings, dry=True).transform(build)

    def trial(
        self, build: Transform, point: Point, *, budget: int | None, report: Reporter, place: Workplace
    ) -> Outcome:
        """Runs one trial; what is prepared is not part of its time."""
        artefact = self._prepared(point.seed, place)
        settings = own_settings(self, point.settings)
        return run_transform(
            lambda: self._run(artefact, point.seed, place, budget=budget, settings=settings, report=report),
            build,
            test=point.final,
            known={PREPARATION_SECONDS: artefact.seconds},
        )

    def _run(
        self,
        artefact: Artefact,
        seed: int,
        place: Workplace,
        *,
        budget: int | None,
        settings: Settings,
        report: Reporter | None = None,
        dry: bool = False,
    ) -> Transformation:
        network = self._untrained(seed, place.device)
        load_network_state(network, artefact.content)
        return Transformation(
            self,
            network.eval(),
            seed=seed,
            budget=self.budget(None) if budget is None else budget,
            lr=cast(float, settings.get(RATE, self.train_lr)),
            report=report or (lambda _cost, _loss: False),
            dry=dry,
        )

    def _untrained(self, seed: int, device: str = "cpu") -> nn.Module:
        return untrained_model(self.task, seed, usable_device(device))

    def _prepared(self, seed: int, place: Workplace) -> Artefact:
        network = self._untrained(0)
        beside = _shapes(unsaved_buffers(network))
        definition = {
            "task": self.identity(),
            "shapes": _shapes(tensors_in(network.state_dict())),
            "steps": self.train_steps,
            "lr": self.train_lr,
            "batch": self.task.batch_size,
            **({"beside": beside} if beside else {}),  # what was kept before these were lacks them
        }
        return prepared(place, self.task.name, definition, seed, lambda: self._trained(seed, place))

    def _trained(self, seed: int, place: Workplace) -> dict[str, Any]:
        """Trains the network and returns its state.

        Raises:
            UnfitWorkerError: its loss does not stay finite.
        """
        session = Session(
            self.task,
            lambda model: torch.optim.AdamW(model.parameters(), lr=self.train_lr),
            seed=seed,
            budget=self.train_steps * self.task.batch_size,
            device=place.device,
        )
        try:
            while not session.meter.exhausted:
                session.step()
        except DivergedError as error:
            raise UnfitWorkerError(  # all candidates need it, and none has failed
                f"the network of {self.name} cannot be trained with seed {seed} and train_lr={self.train_lr}: {error}. "
                "No candidate has failed by this; a lower train_lr makes another problem, with results of its own"
            ) from error
        return network_state(session.model)

    def _lines(self, steps: int) -> str:
        return LINES.format(
            calibration=count(min(self.calibration_samples, self.training_samples), "sample"),
            batch=count(self.task.batch_size, "sample"),
            target=self.target,
            what=self.target_words,
            rate=RATE,
            steps=steps,
        )

    def facts(self, reference: str, _candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know."""
        about, task = self.target_facts(), self.task
        given = (self.budget(None) if budget is None else budget) // task.batch_size
        full_name = self.name if self.name == reference else f"{self.name} ({reference})"
        trained = (
            f"{full_name}: the network of {task.name}, trained with AdamW for {count(self.train_steps, 'step')} on "
            f"{count(task.batch_size, 'sample')} at a learning rate of {self.train_lr:g}. That happens once a seed, "
            "before any candidate begins, and is charged to none; with the same seed all get the same network."
        )
        rules = (
            f"A candidate may look at {count(min(self.calibration_samples, self.training_samples), 'training sample')} "
            f"and train the network further for {count(given, 'step')} with AdamW, whose learning rate is tuned for "
            "each. What it computes beside that costs time alone."
        )
        return replace(
            about,
            name=self.name,
            reference=reference,
            quoted=replace(task.metric, name=f"validation {task.metric.name}"),
            step_cost=task.batch_size,
            rate=RATE,
            rate_words="the learning rate of fine-tuning",
            measures=(
                Measure(TEST_LOSS, "test loss"),
                Measure(
                    TEST_METRIC,
                    f"test {task.metric.name}",
                    explanation="On data that had no part in any choice, by final runs.",
                ),
                BEFORE_TUNING,
                *about.measures,
                Measure(STEPS, "steps", form="whole", over="median"),
                RUN_SECONDS,
                OF_ITS_OWN,
            ),
            sizes=(("steps of fine-tuning", f"{given:,} × {task.batch_size:,} samples"), *about.sizes),
            paragraphs=(("Problem", trained), ("Rules", rules), *about.paragraphs),
            scatters=(BEFORE_AND_AFTER, *about.scatters),
            length=(
                f" and a budget of {count(given * task.batch_size, 'sample-gradient')}, which is "
                f"{count(given, 'step')} of fine-tuning on {count(task.batch_size, 'sample')}"
            ),
            ending=TESTED_ONCE,
            lines=self._lines(given),
        )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in tensors.items()}
