"""A diagnosis: how sharp the directions of several optimizers are at the same parameters, along one trajectory.

Sharpness is curvature along a direction, and what keeps steps short (Pan & Li, 2023, arXiv:2306.00204); the measuring
is in :mod:`trimtab.optim.coordinate_clipping.sharpness`.
"""

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import Optimizer

from trimtab.catalog.candidates import Candidate, parse_candidates
from trimtab.catalog.parsing import parse_expression
from trimtab.diagnose.result import DiagnosisResult, Measurement
from trimtab.lab.loading import load_task
from trimtab.lab.randomness import derived_seed
from trimtab.lab.session import Session
from trimtab.lab.task import Batch, samples_in, take_rows, to_device
from trimtab.lab.task_check import check_task
from trimtab.optim.coordinate_clipping.pseudo_updates import PseudoUpdates, refuse_unfit
from trimtab.primitives.local_model import LocalModel, local_models
from trimtab.study.checks import MANY, check_text, check_texts, check_whole
from trimtab.study.environment import environment
from trimtab.study.errors import Faults, InputError
from trimtab.study.tunable import Value

MEASURING_STREAM = 100

LONGEST = 10**9
"""Steps of a trajectory."""

_MIDDLE = 0.5

Progress = Callable[[int, int, Sequence[Measurement]], None]
"""Called after every step with how many there have been, how many there will be, and what was just measured."""


class Diagnosis:
    """Trains along one trajectory, and measures the directions that candidates would take from where it is.

    At points that are evenly spread on a logarithmic scale, the directional sharpness, the correlation with the
    gradient and the best decrease of the loss are measured on fixed batches of training data: with dropout off and
    batch normalisation in evaluation mode, on a copy of the model. The trajectory is the same, bit for bit, as without.

    Of settings that are not fixed, everything is built with the middle of their ranges.

    Args:
        task: name of a task that ships, or ``path/to/task.py:name``.
        candidates: expressions such as ``"sgd,clip(sgd),adamw(lr=0.001)"``, in one string or in several. None
            may need more than gradients.
        along: expression of the optimizer whose trajectory it is; the first candidate by default.
        steps: length of the trajectory; the task's own by default.
        points: how often is measured, from the first step to the last; fewer where these are the same.
        batches: what each measurement is the mean over, each as large as the task's.
        seed: of the trajectory's session and of the measurement's batches.

    Raises:
        InputError: something cannot work; the message names the place and the remedy.
    """

    def __init__(
        self,
        task: str,
        candidates: str | Sequence[str],
        *,
        along: str | None = None,
        steps: int | None = None,
        points: int = 6,
        batches: int = 8,
        seed: int = 0,
    ) -> None:
        if not isinstance(candidates, str):
            check_texts("candidates", candidates)
        if along is not None:
            check_text("along", along)
        if steps is not None:
            check_whole("steps", steps, most=LONGEST)
        check_whole("points", points, most=MANY)
        check_whole("batches", batches)
        check_whole("seed", seed, least=0)
        faults = Faults()
        with faults:
            self.candidates = parse_candidates(
                candidates if isinstance(candidates, str) else ",".join(candidates), None
            )
        with faults:
            given = None if along is None else Candidate(parse_expression(along))
        with faults:
            self._task = load_task(task)
            check_task(self._task, task)
        faults.raise_any()
        self.along = self.candidates[0] if given is None else given
        self.reference, self.seed = task, seed
        self.steps = self._task.steps if steps is None else steps
        self.points = measured_steps(self.steps, points)
        self._noise = derived_seed(seed, MEASURING_STREAM)
        self._rows = self._measured_rows(batches)
        self._session = Session(self._task, partial(_built, self.along), seed=seed, budget=self._budget())
        builders = {each.label: partial(_built, each) for each in self.candidates}
        self._pseudo = PseudoUpdates(self._session.model, builders)
        self._found: list[Measurement] = []

    def run(self, progress: Progress | None = None) -> DiagnosisResult:
        """Trains and measures; a diagnosis runs once.

        Args:
            progress: told about every step.

        Raises:
            InputError: the task's model has an operation without a second derivative.
            RuntimeError: it has run.
        """
        if self._session.meter.used:
            raise RuntimeError("this diagnosis has run: make another")
        diverged = None
        for step in range(1, self.steps + 1):
            before = len(self._found)
            if not math.isfinite(self._step(step)):
                diverged = step
                break
            if progress is not None:
                progress(step, self.steps, self._found[before:])
        everybody = {each.label: each for each in (self.along, *self.candidates)}
        return DiagnosisResult(
            task=self._task.name,
            reference=self.reference,
            along=self.along.label,
            candidates=tuple(each.label for each in self.candidates),
            settings={label: each.settings(_middle(each)) for label, each in everybody.items()},
            seed=self.seed,
            steps=self.steps,
            batches=len(self._rows),
            batch_size=self._task.batch_size,
            diverged=diverged,
            measurements=tuple(self._found),
            environment=environment(),
        )

    @property
    def session(self) -> Session:
        """The trajectory."""
        return self._session

    def default_out(self) -> Path:
        """Returns where results go unless it is said otherwise."""
        return Path("runs") / f"{self._task.name.replace('/', '-')}-diagnosis"

    def _budget(self) -> int:
        return self.steps * self._task.batch_size

    def _measured_rows(self, batches: int) -> list[Tensor]:
        """Chooses what is measured on, the same at every point and for every candidate."""
        samples, size = samples_in(self._task.train), self._task.batch_size
        if batches * size > samples:
            raise InputError(
                f"batches={batches}: at most {samples // size} batches of {size} fit into the task's {samples} samples"
            )
        generator = torch.Generator().manual_seed(self._noise)
        return list(torch.randperm(samples, generator=generator)[: batches * size].reshape(batches, size))

    def _step(self, step: int) -> float:
        """Takes a step of the trajectory, with a look at it before the parameters move."""
        session = self._session
        session.next_batch()
        evaluate = session.closure()

        def watched() -> Tensor:
            loss = evaluate()
            if bool(loss.isfinite()):
                self._pseudo.observe()
                if step in self.points:
                    self._found += self._measure(step)
            return loss

        loss: Any = session.optimizer.step(watched)  # type: ignore[arg-type]  # torch's closures return floats
        return float(loss.item())

    def _measure(self, step: int) -> list[Measurement]:
        directions: dict[str, list[Tensor]] = {}
        notes: dict[str, str] = {}
        for label in self._pseudo.names:
            direction = self._pseudo.direction(label)
            if not all(bool(each.isfinite().all()) for each in direction):
                notes[label] = "its direction is not finite"
            elif not any(bool(each.any()) for each in direction):
                notes[label] = "its direction is zero"
            else:
                directions[label] = direction
        found = dict(zip(directions, self._models(list(directions.values())), strict=True))
        return [
            measurement(label, step, found[label])
            if label in found
            else Measurement(label, step, None, None, None, why)
            for label, why in ((label, notes.get(label, "")) for label in self._pseudo.names)
        ]

    def _models(self, directions: list[list[Tensor]]) -> list[LocalModel]:
        """Measures on a copy of the model, with random numbers of its own: the trajectory sees nothing of it."""
        task, device = self._task, self._session.device
        model = copy.deepcopy(self._session.model).eval()
        params = [param for param in model.parameters() if param.requires_grad]

        def loss(batch: Batch) -> Tensor:
            return task.losses(task.outputs(model, batch), batch).mean()

        with torch.random.fork_rng([device] if device.type == "cuda" else []), sdpa_kernel(SDPBackend.MATH):
            torch.manual_seed(self._noise)
            batches = (to_device(take_rows(task.train, rows, task.collate), device) for rows in self._rows)
            try:
                return local_models(loss, params, directions, list(batches)) if directions else []
            except RuntimeError as error:
                raise InputError(f"{self.reference} cannot be measured: {error}") from error


def measurement(label: str, step: int, found: LocalModel) -> Measurement:
    """Returns what is said of a direction: numbers where they mean something, and why not elsewhere."""
    sharpness, correlation = _finite(found.sharpness), _finite(found.correlation)
    decrease, note = _finite(found.best_decrease), ""
    if sharpness is None or correlation is None:
        sharpness, correlation, decrease, note = None, None, None, "the loss or its derivatives are not finite"
    elif sharpness <= 0:
        note = "no positive curvature, so no best step"
    elif correlation >= 0:
        decrease, note = None, "the loss rises along it"
    return Measurement(label, step, sharpness, correlation, decrease, note)


def measured_steps(steps: int, points: int) -> list[int]:
    """Returns up to so many different steps from the first to the last, evenly spread on a logarithmic scale."""
    if points == 1:
        return [steps]
    return sorted({round(float(step)) for step in np.geomspace(1, steps, points)})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _middle(candidate: Candidate) -> dict[str, Value]:
    return {name: tunable.at(_MIDDLE) for name, tunable in candidate.tunables.items()}


def _built(candidate: Candidate, model: nn.Module) -> Optimizer:
    try:
        made = candidate.build(_middle(candidate))(model)
        refuse_unfit(candidate.label, made)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the candidate {candidate.label} cannot be diagnosed: {error}") from error
    return cast(Optimizer, made)
