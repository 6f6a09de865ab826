"""What a diagnosis found, as it is written down and drawn."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from trimtab.study.files import write_atomically
from trimtab.study.tunable import Value

SCHEMA = "trimtab.diagnosis"
SCHEMA_VERSION = 1
"""Grows when a field is renamed, removed or changes its meaning; not when one is added."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of a candidate's direction.

    Args:
        candidate: its label.
        step: gradients that it had seen, the one that its direction follows from included.
        sharpness: of its direction; ``None`` where it has none, or nothing finite came out.
        correlation: with the gradient, negative where the loss falls.
        best_decrease: of the loss along the direction, to second order; ``None`` where the curvature is not positive,
            so that there is no best step, or where the loss rises.
        note: why a number is missing, or nothing.
    """

    candidate: str
    step: int
    sharpness: float | None
    correlation: float | None
    best_decrease: float | None
    note: str = ""


@dataclass(frozen=True)
class DiagnosisResult:
    """Everything that a diagnosis found.

    Args:
        task: name of the task.
        reference: of the task, as it was given.
        along: the optimizer whose trajectory it was.
        candidates: labels.
        settings: of every optimizer, by label.
        seed: of the trajectory and of what is measured on.
        steps: length of the trajectory.
        batches: how many batches each measurement is the mean over.
        batch_size: samples in each.
        diverged: the step at which the trajectory's loss was no longer finite, or ``None``.
        measurements: by step, and by candidate within.
        environment: name to value: versions, processor, date.
    """

    task: str
    reference: str
    along: str
    candidates: tuple[str, ...]
    settings: dict[str, dict[str, Value]]
    seed: int
    steps: int
    batches: int
    batch_size: int
    diverged: int | None
    measurements: tuple[Measurement, ...]
    environment: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether the trajectory came to its end and every direction had a sharpness."""
        return self.diverged is None and all(each.sharpness is not None for each in self.measurements)

    def to_json(self) -> str:
        """Returns it as strict JSON."""
        values = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self)}
        return json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def write_json(self, path: str | Path) -> Path:
        """Writes :meth:`to_json` to a file."""
        return write_atomically(path, self.to_json())
