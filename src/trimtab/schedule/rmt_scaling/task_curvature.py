"""The curvature of a session's task at the weights that the session has come to."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from trimtab.lab.kept_buffers import kept_buffers
from trimtab.lab.randomness import derived_seed
from trimtab.lab.session import Session
from trimtab.lab.task import samples_in, take_rows
from trimtab.primitives.lanczos import Spectrum, lanczos, random_direction
from trimtab.schedule.rmt_scaling.batch_curvature import BatchCurvature, Matrix, hessian_noise
from trimtab.schedule.rmt_scaling.noise_model import pooled
from trimtab.study.errors import InputError

STARTS, STEPS = 3, 20
"""Random starts of Lanczos' method, of which the mean is taken, and its steps."""

PARTS = 32
"""Into how many batches the samples are divided to see how much these differ."""

_STREAM = 2**31


@dataclass(frozen=True)
class TaskCurvature:
    """What was measured.

    Args:
        gauss_newton: spectrum of the generalised Gauss-Newton matrix.
        hessian: spectrum of the Hessian.
        noise: of the Hessian of a single sample.
        batch_size: samples that the spectra are of.
    """

    gauss_newton: Spectrum
    hessian: Spectrum
    noise: float
    batch_size: int


def task_curvature(session: Session, size: int, seed: int) -> TaskCurvature:
    """Measures the curvature of the training loss on some samples; the session is left as it was.

    Args:
        session: on the CPU.
        size: samples, drawn at random, >= 4 and at most as many as there are.
        seed: of the samples, of the directions and of what layers draw.

    Raises:
        InputError: the task's outputs are not one tensor, its model has no second derivative, or curvature is not
            finite.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, _STREAM))
    rows = torch.randperm(samples_in(session.task.train), generator=generator)[:size]
    try:
        with torch.random.fork_rng(devices=[]), kept_buffers(session.model):
            return _measured(session, rows, generator, derived_seed(seed, _STREAM + 1))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the curvature of {session.task.name} cannot be measured: {error}") from error


def _measured(session: Session, rows: Int[Tensor, " rows"], generator: torch.Generator, ambient: int) -> TaskCurvature:
    task, model = session.task, session.model
    params = [param for param in model.parameters() if param.requires_grad]

    def curvature(rows: Int[Tensor, " rows"], matrix: Matrix) -> BatchCurvature:
        torch.manual_seed(ambient)
        batch = take_rows(task.train, rows, task.collate)
        return BatchCurvature(
            lambda: task.outputs(model, batch), lambda outputs: task.losses(outputs, batch).mean(), params, matrix
        )

    length = max(2, len(rows) // PARTS)  # batch normalisation needs two

    def parts() -> Iterator[BatchCurvature]:
        for first in range(0, len(rows) - length + 1, length):
            yield curvature(rows[first : first + length], "hessian")

    def spectrum(matrix: Matrix) -> Spectrum:
        product = curvature(rows, matrix)
        return pooled([lanczos(product, random_direction(params, generator), STEPS) for _ in range(STARTS)])

    gauss_newton, hessian = spectrum("ggn"), spectrum("hessian")
    directions = [random_direction(params, generator) for _ in range(STARTS)]
    return TaskCurvature(gauss_newton, hessian, length * hessian_noise(parts(), directions), len(rows))
