"""The learner of learning rate and momentum in experiments, where a session hands out the batch of curvature."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, cast

import torch
from jaxtyping import Int
from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.randomness import derived_seed
from trimtab.lab.task import samples_in, take_rows, to_device
from trimtab.primitives.hyperparameters import optional, whole_number
from trimtab.primitives.lanczos import Spectrum, random_direction
from trimtab.primitives.wrapping import OptimizerWrapper, evaluated
from trimtab.schedule.batch_curvature import PRODUCT_GRADIENTS, BatchCurvature, Matrix, hessian_noise
from trimtab.schedule.kept_buffers import kept_buffers
from trimtab.schedule.lanczos_learner import HYPERPARAMETERS, LanczosLearner, refuse_optimizer
from trimtab.schedule.learned_rates import Smallest, Variant
from trimtab.schedule.noise_model import MarchenkoPastur, Wigner

if TYPE_CHECKING:
    from trimtab.lab.session import Session

KEY = "lanczos"
_ROWS_STREAM, _NOISE_STREAM = 2**31, 2**31 + 1


class LearnedByLanczos(OptimizerWrapper):
    r"""SGD whose learning rate and momentum a :class:`~trimtab.schedule.lanczos_learner.LanczosLearner` sets.

    For sessions: the first refresh comes before the first step unless there is a ``warmup``, and the batch of curvature
    is a fixed random part of the training data, as large as a batch unless told otherwise. With ``curvature_batch``,
    the largest curvature of the session's batches is foretold by :class:`~trimtab.schedule.noise_model.Wigner`, for
    which the Hessian's noise is measured on parts of the batch of curvature, or, for ``matrix="ggn"``, by
    :class:`~trimtab.schedule.noise_model.MarchenkoPastur`. All of it is charged: one gradient of the batch of curvature
    and two for each product. Running statistics are left as they
    were.

    In a loop of one's own it only passes steps on; use the learner itself there.

    Args:
        optimizer: as for the learner.
        curvature_batch: samples of the batch of curvature; ``None`` for as many as the session's batch has.
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
        TypeError: ``optimizer`` is not one, or a setting has the wrong type.
        ValueError: a setting is outside its range, or the optimizer cannot be set in this way.
    """

    prefix = KEY
    hyperparameters: ClassVar = {
        **HYPERPARAMETERS,
        "smallest": optional(HYPERPARAMETERS["smallest"]),
        "curvature_batch": optional(whole_number(1)),
    }
    owns = ("lr", "momentum")
    passes_steps_on = True
    tunables: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        curvature_batch: int | None = None,
        every: int = 100,
        warmup: int = 0,
        steps: int = 20,
        variant: Variant = "heavy_ball",
        smallest: Smallest | None = None,
        bulk: float = 0.5,
        matrix: Matrix = "hessian",
        safety: float = 0.9,
        largest_momentum: float = 0.99,
        largest_change: float = 4.0,
        seed: int = 0,
    ) -> None:
        if isinstance(optimizer, Optimizer):
            refuse_optimizer(optimizer, variant)
        super().__init__(
            optimizer,
            curvature_batch=curvature_batch,
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
        self._begin({})

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_saved_progress": self._progress()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"inner": state["inner"]})
        self._begin(state.get("_saved_progress", {}))

    @property
    def history(self) -> list[dict[str, float]]:
        """One record for each refresh that changed something, see the learner."""
        history: list[dict[str, float]] = self._progress().get("history", [])
        return history

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes a step of the inner optimizer."""
        loss = evaluated(closure)
        self.inner.step()
        return loss

    def step_on(self, session: "Session") -> Tensor:
        """Takes a step on a session's batch, and refreshes when it is time.

        Raises:
            ValueError: there are fewer training samples than ``curvature_batch``, or curvature is not finite.
        """
        learner = self._learner_for(session)
        if not self._progress()["refreshes"] and learner.due:
            self._refresh(session, learner)
        inner: Any = self.inner
        loss: Tensor = inner.step_on(session) if hasattr(inner, "step_on") else inner.step(session.closure())
        learner.note_step()
        if learner.due:
            self._refresh(session, learner)
        return loss

    def _begin(self, progress: dict[str, Any]) -> None:
        self._loaded = progress
        self._learner: LanczosLearner | None = None
        self._session: Session | None = None

    def _progress(self) -> dict[str, Any]:
        return self._loaded if self._learner is None else self._learner.state_dict()

    def _saved(self) -> dict[str, Any]:
        return {**super()._saved(), KEY: deepcopy(self._progress())}

    def _load(self, state: dict[str, Any]) -> None:
        super()._load({key: value for key, value in state.items() if key != KEY})
        self._begin(deepcopy(state.get(KEY, {})))

    def _learner_for(self, session: "Session") -> LanczosLearner:
        if self._learner is None or self._session is not session:
            progress = self._progress()
            own = self._own(self.param_groups[0])
            batch = _CurvatureBatch(session, own["curvature_batch"], own["seed"])
            correction = None if own.pop("curvature_batch") is None else _Correction(batch, own["matrix"], own["seed"])
            self._learner = LanczosLearner(self.inner, batch.outputs, batch.loss, correction=correction, **own)
            self._session = session
            if progress:
                self._learner.load_state_dict(progress)
        return self._learner

    def _refresh(self, session: "Session", learner: LanczosLearner) -> None:
        with kept_buffers(session.model):
            learner.refresh()


class _CurvatureBatch:
    """A fixed part of a session's training data, and the functions of it that the learner needs, which are charged.

    Args:
        session: the session.
        size: samples; ``None`` for those of the session's batch.
        seed: of the choice.
    """

    def __init__(self, session: "Session", size: int | None, seed: int) -> None:
        self.session = session
        samples = samples_in(session.task.train)
        size = session.samples if size is None else size
        if size > samples:
            raise ValueError(f"curvature_batch={size} must be at most the number of training samples, {samples}")
        generator = torch.Generator().manual_seed(derived_seed(seed, _ROWS_STREAM))
        self.rows = torch.randperm(samples, generator=generator)[:size]
        self._batch: Any = None

    def outputs(self) -> Tensor:
        """Computes the outputs; for the graph and the products of a refresh the session is charged here."""
        steps = self.session.optimizer.param_groups[0][f"{KEY}_steps"]
        self.session.meter.charge(len(self.rows) * (1 + steps * PRODUCT_GRADIENTS))
        return self.part(self.rows)

    def part(self, rows: Int[Tensor, " rows"]) -> Tensor:
        """Computes the outputs for some samples; not charged."""
        task, session = self.session.task, self.session
        self._batch = to_device(take_rows(task.train, rows, task.collate), session.device)
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
                yield BatchCurvature(lambda rows=rows: batch.part(rows), batch.loss, params)  # type: ignore[misc]

        with torch.random.fork_rng([session.device] if session.device.type == "cuda" else []):
            return hessian_noise(products(), [direction])
