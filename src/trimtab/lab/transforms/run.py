"""One run of a transform: from the trained network to what is stored of it."""

import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from trimtab.lab.measures import STEPS, TEST_LOSS, TEST_METRIC
from trimtab.lab.problem import EVALUATIONS
from trimtab.lab.randomness import OwnedRandomness, derived_seed
from trimtab.lab.stream import BatchStream
from trimtab.lab.task import take_rows, to_device
from trimtab.lab.transforms.candidate import Calibration, Transform
from trimtab.lab.transforms.fine_tuning import DryFineTuning, FineTuning
from trimtab.primitives.masks import remove_parametrizations
from trimtab.primitives.training_modes import kept_modes
from trimtab.study.errors import DivergedError
from trimtab.study.metric import Evaluation, Split
from trimtab.study.outcome import CurvePoint, Outcome, Status, is_measured
from trimtab.study.trial import Reporter

if TYPE_CHECKING:
    from trimtab.lab.transforms.problem import TransformProblem

BEFORE = "loss before fine-tuning"
"""Validation loss when the network first met the target."""

OWN_SECONDS = "own seconds"
"""Wall-clock seconds that a candidate takes for itself, without fine-tuning."""

CANDIDATE_STREAM, DATA_STREAM, AMBIENT_STREAM, CALIBRATION_STREAM, LAYER_STREAM = range(10, 15)
"""Streams of the run's randomness; none is one that the trained network had."""

CALIBRATION_BATCH = 64


class GivenUp(BaseException):
    """Ends a run from within, because the study has seen enough; not an Exception, which a candidate may catch."""


class UnmetError(RuntimeError):
    """What a candidate made is not what was asked for; the message says so in a sentence."""


class Transformation:
    """One run in progress.

    Args:
        problem: what is transformed, and to which target.
        network: the trained network; the run's own.
        seed: of the run.
        budget: sample-gradients of fine-tuning.
        lr: of fine-tuning.
        report: told about each evaluation.
        dry: whether fine-tuning counts its steps and takes none.
    """

    def __init__(
        self,
        problem: "TransformProblem",
        network: nn.Module,
        *,
        seed: int,
        budget: int,
        lr: float,
        report: Reporter,
        dry: bool = False,
    ) -> None:
        self._problem, self._network, self._seed, self._report = problem, network, seed, report
        self._device = next(network.parameters()).device
        self._requirement = problem.requirement(network)
        self._randomness = OwnedRandomness(derived_seed(seed, AMBIENT_STREAM), self._device)
        layers = OwnedRandomness(derived_seed(seed, LAYER_STREAM), self._device)
        self.finetune = (DryFineTuning if dry else FineTuning)(
            problem.task,
            lr=lr,
            budget=budget,
            stream=BatchStream(problem.task, derived_seed(seed, DATA_STREAM), self._device, layers),
            randomness=layers,
            begins=self._begins,
            stepped=self._stepped,
        )
        self.curve: list[CurvePoint] = []
        self.measures: dict[str, float] = {}
        self._losses: list[float] = []
        self._looks = 1
        self._tuning_seconds = 0.0

    def transform(self, build: Transform) -> nn.Module:
        """Has the candidate do its work, and measures what it returns.

        Raises:
            UnmetError: it is no network, or misses the target.
        """
        calibration = self._calibration()
        generator = torch.Generator().manual_seed(derived_seed(self._seed, CANDIDATE_STREAM))
        start = time.perf_counter()
        with self._randomness.lent():
            artefact: Any = build(
                self._network,
                calibration,
                self._problem.target,
                finetune=self._timed(self.finetune),
                generator=generator,
            )
        self.measures[OWN_SECONDS] = time.perf_counter() - start - self._tuning_seconds
        if not isinstance(artefact, nn.Module):
            raise UnmetError(f"the candidate returned a {type(artefact).__name__}; a torch.nn.Module is needed")
        remove_parametrizations(artefact)  # what they compute is stored, and they are not
        self.measures |= {**self._requirement.measured(artefact), STEPS: self.finetune.steps}
        if missed := self._requirement.missed(artefact):
            raise UnmetError(missed)
        return artefact

    def end(self, artefact: nn.Module, *, test: bool) -> None:
        """Scores what was made, which is the end of the curve.

        Raises:
            DivergedError: a loss is not finite.
        """
        last = self._evaluate(artefact)
        used = self.finetune.meter.used
        if self.curve and self.curve[-1].cost == used:
            self.curve[-1] = CurvePoint(used, self.curve[-1].train_loss, last.loss, last.metric)
        else:
            self.curve.append(CurvePoint(used, self._mean_loss(), last.loss, last.metric))
        self.measures.setdefault(BEFORE, last.loss)
        if test:
            tested = self._evaluate(artefact, "test")
            self.measures |= {TEST_LOSS: tested.loss, TEST_METRIC: tested.metric}

    def _calibration(self) -> Calibration:
        task, problem = self._problem.task, self._problem
        order = torch.Generator().manual_seed(derived_seed(self._seed, CALIBRATION_STREAM))
        rows = torch.randperm(problem.training_samples, generator=order)[: problem.calibration_samples]
        with self._randomness.lent():
            batches = [
                to_device(take_rows(task.train, part, task.collate), self._device)
                for part in torch.split(rows, CALIBRATION_BATCH)
            ]
        return Calibration(tuple(batches), task.outputs)

    def _timed(self, finetune: FineTuning) -> "_Timed":
        return _Timed(finetune, self._add_seconds)

    def _add_seconds(self, seconds: float) -> None:
        self._tuning_seconds += seconds

    def _begins(self, model: nn.Module) -> None:
        if BEFORE in self.measures or self._requirement.missed(model):
            return
        now = self._evaluate(model)
        self.measures[BEFORE] = now.loss
        self.curve.append(CurvePoint(self.finetune.meter.used, self._mean_loss(), now.loss, now.metric))

    def _stepped(self, model: nn.Module, loss: float) -> None:
        self._losses.append(loss)
        meter = self.finetune.meter
        if meter.used * EVALUATIONS < meter.budget * self._looks and not meter.exhausted:
            return
        self._looks += 1
        now = self._evaluate(model)
        if not self._requirement.missed(model):  # a network on its way there is nothing that could be had instead
            self.curve.append(CurvePoint(meter.used, self._mean_loss(), now.loss, now.metric))
        if self._report(meter.used, now.loss) and not meter.exhausted:
            raise GivenUp

    def _mean_loss(self) -> float | None:
        losses, self._losses = self._losses, []
        return sum(losses) / len(losses) if losses else None

    def _evaluate(self, model: nn.Module, split: Split = "validation") -> Evaluation:
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices), kept_modes(model):
            found = self._problem.task.evaluate(model, split)
        for value in (found.loss, found.metric):
            if not is_measured(value):
                raise DivergedError(self.finetune.steps, value)
        return found


class _Timed:
    """Fine-tuning whose time is not a candidate's own."""

    def __init__(self, finetune: FineTuning, add: Callable[[float], None]) -> None:
        self._finetune, self._add = finetune, add

    @property
    def left(self) -> int:
        return self._finetune.left

    def __call__(self, model: nn.Module, steps: int | None = None) -> None:
        start = time.perf_counter()
        try:
            self._finetune(model, steps)
        finally:
            self._add(time.perf_counter() - start)


def run_transform(
    begin: Callable[[], Transformation], build: Transform, *, test: bool, known: Mapping[str, float]
) -> Outcome:
    """Runs a candidate to its end and records its course.

    Whatever goes wrong inside is an outcome, not an exception.

    Args:
        begin: begins the run.
        build: the candidate.
        test: whether what was made is evaluated on the test split.
        known: measures that are known before.
    """
    start, processor_start = time.perf_counter(), time.process_time()
    run: Transformation | None = None

    def outcome(status: Status, error: str | None = None, **more: Any) -> Outcome:
        return Outcome(
            status,
            cost=0 if run is None else run.finetune.meter.used,
            measures={**known, **({} if run is None else run.measures)},
            curve=() if run is None else tuple(run.curve),
            error=error,
            seconds=time.perf_counter() - start,
            processor_seconds=time.process_time() - processor_start,
            **more,
        )

    try:
        run = begin()
        run.end(run.transform(build), test=test)
        return outcome("complete", loss=run.curve[-1].loss, metric=run.curve[-1].metric)
    except GivenUp:
        return outcome("pruned")
    except DivergedError as error:
        return outcome("diverged", str(error))
    except UnmetError as error:
        return outcome("failed", str(error))
    except Exception:  # a candidate may raise anything
        return outcome("failed", traceback.format_exc())
