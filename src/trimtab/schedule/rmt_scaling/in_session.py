"""The learner of learning rate and momentum in experiments, where a session hands out the batch of curvature."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Int
from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.controller import History, SessionController
from trimtab.lab.kept_buffers import kept_buffers
from trimtab.lab.randomness import derived_seed
from trimtab.lab.session import Session
from trimtab.lab.task import samples_in, take_rows, to_device
from trimtab.primitives.hyperparameters import NON_NEGATIVE, optional, whole_number
from trimtab.primitives.lanczos import Spectrum, random_direction
from trimtab.schedule.controlled import CatalogueController
from trimtab.schedule.rmt_scaling.batch_curvature import PRODUCT_GRADIENTS, BatchCurvature, Matrix, hessian_noise
from trimtab.schedule.rmt_scaling.lanczos_learner import HYPERPARAMETERS, LanczosLearner, own_variant, refuse_optimizer
from trimtab.schedule.rmt_scaling.learned_rates import Smallest, Variant
from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur, Wigner

_ROWS_STREAM, _NOISE_STREAM = 2**31, 2**31 + 1


class LearnedByLanczos(CatalogueController):
    r"""A :class:`~trimtab.schedule.rmt_scaling.lanczos_learner.LanczosLearner` for sessions.

    The first refresh comes before the first step unless there is a ``warmup``, and the batch of curvature
    is a fixed random part of the training data, as large as a batch unless told otherwise. With ``curvature_batch``,
    the largest curvature of the session's batches is foretold by
    :class:`~trimtab.schedule.rmt_scaling.noise_model.Wigner`, for which the Hessian's noise is measured on parts of the
    batch of curvature, or, for ``matrix="ggn"``, by :class:`~trimtab.schedule.rmt_scaling.noise_model.MarchenkoPastur`.
    All of it is charged: one gradient of the batch of curvature and two for each product. Running statistics are left
    as they were.

    Args:
        beside: SGD, or the controller that is nearer to it.
        curvature_batch: samples of the batch of curvature; ``None`` for the task's batch size.
        initial_lr: learning rate before the first refresh, from which that may depart by the factor ``largest_change``
            only, unless it is 0; ``None`` for the optimizer's. The catalogue has 0, because nobody chose what an
            optimizer has by default, and no other number goes with every unit of the loss; give one with a ``warmup``.
        every: as for the learner.
        warmup: as for the learner.
        steps: as for the learner.
        variant: as for the learner.
        smallest: as for the learner.
        bulk: as for the learner.
        matrix: as for the learner.
        safety: as for the learner.
        largest_momentum: as for the learner.
        largest_change: as for the learner.
        seed: as for the learner; the batch of curvature is drawn by it as well.

    Raises:
        TypeError: ``beside`` is neither, or a setting has the wrong type.
        ValueError: a setting is outside its range, or the optimizer cannot be set in this way.
    """

    prefix = "lanczos"
    hyperparameters: ClassVar = {
        **HYPERPARAMETERS,
        "variant": optional(HYPERPARAMETERS["variant"]),
        "smallest": optional(HYPERPARAMETERS["smallest"]),
        "curvature_batch": optional(whole_number(1)),
        "initial_lr": optional(NON_NEGATIVE),
    }
    owns = ("lr", "momentum")
    usage = (
        "from trimtab.schedule import LanczosLearner\n"
        "learner = LanczosLearner(optimizer, lambda: model(fixed_inputs), "
        "lambda outputs: mean_loss(outputs, fixed_targets))\n"
        "# fixed_inputs, fixed_targets: yours, always the same part of the training data, as large as a batch; "
        "mean_loss: yours\n"
        "# after each step: learner.observe(loss.item())"
    )

    def __init__(
        self,
        beside: Optimizer | SessionController,
        *,
        curvature_batch: int | None = None,
        initial_lr: float | None = None,
        every: int = 100,
        warmup: int = 0,
        steps: int = 20,
        variant: Variant | None = None,
        smallest: Smallest | None = None,
        bulk: float = 0.5,
        matrix: Matrix = "hessian",
        safety: float = 0.9,
        largest_momentum: float = 0.99,
        largest_change: float = 4.0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            beside,
            curvature_batch=curvature_batch,
            initial_lr=initial_lr,
            every=every,
            warmup=warmup,
            steps=steps,
            variant=variant,
            smallest=smallest,
            bulk=bulk,
            matrix=matrix,
            safety=safety,
            largest_momentum=largest_momentum,
            largest_change=largest_change,
            seed=seed,
        )
        refuse_optimizer(self.optimizer, variant or own_variant(self.optimizer))

    @property
    def history(self) -> History:
        """What it did so far."""
        return self.learner.history

    def begin(self, session: Session) -> None:
        """Makes the learner of a run.

        Raises:
            ValueError: there are fewer training samples than ``curvature_batch``.
        """
        super().begin(session)
        own = dict(self.settings)
        size, initial = own.pop("curvature_batch"), own.pop("initial_lr")
        if initial is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = initial
        batch = _CurvatureBatch(session, session.task.batch_size if size is None else size, own)
        correction = None if size is None else _Correction(batch, own["matrix"], own["seed"])
        self.learner = LanczosLearner(self.optimizer, batch.outputs, batch.loss, correction=correction, **own)

    def before(self) -> None:
        """Refreshes before the first step unless there is a warm-up.

        Raises:
            ValueError: curvature is not finite.
        """
        if self.learner.fresh and self.learner.due:
            self.learner.refresh()

    def observe(self, loss: float) -> float:
        """Lets the learner see a step."""
        self.learner.observe(loss)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Returns the learner's state."""
        return self.learner.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        self.learner.load_state_dict(state_dict)


class _CurvatureBatch:
    """A fixed part of a session's training data, and the functions of it that the learner needs, which are charged.

    Args:
        session: the session.
        size: samples.
        settings: of the learner.
    """

    def __init__(self, session: Session, size: int, settings: Mapping[str, Any]) -> None:
        self.session = session
        samples = samples_in(session.task.train)
        if size > samples:
            raise ValueError(f"curvature_batch={size} must be at most the number of training samples, {samples}")
        generator = torch.Generator().manual_seed(derived_seed(settings["seed"], _ROWS_STREAM))
        self.rows = torch.randperm(samples, generator=generator)[:size]
        self._price = size * (1 + settings["steps"] * PRODUCT_GRADIENTS)
        self._batch: Any = None

    def outputs(self) -> Tensor:
        """Computes the outputs; for the graph and the products of a refresh the session is charged here."""
        self.session.meter.charge(self._price)
        return self.part(self.rows)

    def part(self, rows: Int[Tensor, " rows"]) -> Tensor:
        """Computes the outputs for some samples; not charged."""
        task, session = self.session.task, self.session
        self._batch = to_device(take_rows(task.train, rows, task.collate), session.device)
        with kept_buffers(session.model):
            return cast("Tensor", task.outputs(session.model, self._batch))

    def loss(self, outputs: Tensor) -> Tensor:
        """Returns the mean loss of the samples whose outputs were computed last."""
        return self.session.task.losses(outputs, self._batch).mean()


class _Correction:
    """From the spectrum of the batch of curvature to the largest eigenvalue of a batch of the session."""

    def __init__(self, batch: _CurvatureBatch, matrix: Matrix, seed: int) -> None:
        self._batch, self._matrix, self._seed = batch, matrix, seed

    def __call__(self, spectrum: Spectrum) -> float:
        session, size = self._batch.session, len(self._batch.rows)
        samples = samples_in(session.task.train)
        if self._matrix == "ggn":
            return MarchenkoPastur.fitted(spectrum, size, samples).extremal(session.samples)
        largest = float(spectrum.ritz.abs().max())
        parts = [part for part in torch.split(self._batch.rows, session.samples) if len(part) == session.samples]
        if len(parts) < 2:  # too few to tell how much they differ
            return largest
        noise = self._noise(parts) * session.samples
        return Wigner.fitted(largest, noise, size, samples).extremal(session.samples)

    def _noise(self, parts: Sequence[Tensor]) -> float:
        session, batch = self._batch.session, self._batch
        params = [param for param in session.model.parameters() if param.requires_grad]
        seed = derived_seed(self._seed, _NOISE_STREAM)
        direction = random_direction(params, torch.Generator().manual_seed(seed))
        session.meter.charge((1 + PRODUCT_GRADIENTS) * sum(map(len, parts)))

        def products() -> Iterator[BatchCurvature]:
            for rows in parts:
                torch.manual_seed(seed)
                yield BatchCurvature(lambda rows=rows: batch.part(rows), batch.loss, params)  # type: ignore[misc]  # a default's type

        with torch.random.fork_rng([session.device] if session.device.type == "cuda" else []):
            return hessian_noise(products(), [direction])
