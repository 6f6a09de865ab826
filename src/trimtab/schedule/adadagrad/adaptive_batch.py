"""The batch of a session, which grows as AdAdaGrad's tests ask for."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.controller import History, SessionController
from trimtab.lab.session import Session
from trimtab.lab.task import map_tensors, samples_in
from trimtab.primitives.gradient_statistics import GradientStatistics
from trimtab.primitives.hyperparameters import optional, whole_number
from trimtab.primitives.sample_checks import refuse_coupled_samples
from trimtab.primitives.sample_gradients import gradient_statistics
from trimtab.schedule.adadagrad.adadagrad import CHECKS, Test
from trimtab.schedule.adadagrad.batch_size import GROWTH, BatchSizeController
from trimtab.schedule.controlled import CatalogueController
from trimtab.study.tunable import Tunables, Uniform


class AdaptiveBatch(CatalogueController):
    """A :class:`~trimtab.schedule.adadagrad.batch_size.BatchSizeController` in a session.

    The first batches are the task's. The mean of the samples' gradients that are tested is the step's gradient, so that
    a test is charged with nothing but a second pass over the samples, where their gradients do not fit into memory and
    the test needs inner products. Around an optimizer that takes more of a session than gradients, such as AdaHessian,
    tested steps are charged with one gradient more.

    Args:
        beside: the optimizer, or the controller that is nearer to it.
        test: see :class:`~trimtab.schedule.adadagrad.batch_size.BatchSizeController`, as for what follows.
        eta: of ``"norm"`` and ``"coordinate"``.
        theta: of the inner products.
        nu: of what is orthogonal.
        interval: steps from one test to the next.
        max_batch_size: the largest batch; by default all training samples.
        debias: whether the noise in the mean's squared norm is subtracted.
        growth_cap: largest factor from one batch to the next.
        quantile: of ``"coordinate"``.

    Raises:
        TypeError: a setting has the wrong type.
        ValueError: a setting is outside its range. When a session begins: the task's batches have less than two samples
            or more than ``max_batch_size``. At the first step: the samples' losses depend on each other, or batch
            normalisation is in training mode.
    """

    tunables: ClassVar[Tunables] = {"eta": Uniform(0.05, 1.0)}
    prefix = "adadagrad"
    sets: ClassVar[tuple[str, ...]] = ()
    hyperparameters: ClassVar = {
        **CHECKS,
        "interval": whole_number(1),
        "max_batch_size": optional(whole_number(2)),
        "growth_cap": optional(GROWTH),
    }
    usage = (
        "import torch\n"
        "from trimtab.schedule import AdaptiveBatchSampler, BatchSizeController\n"
        "# data: yours, what is trained on\n"
        "sampler = AdaptiveBatchSampler(data, 4, generator=torch.Generator().manual_seed(0))\n"
        "controller = BatchSizeController(4, len(data), eta={eta}, sampler=sampler)\n"
        "# what a step does with them: the guide to a batch that grows"
    )

    def __init__(
        self,
        beside: Optimizer | SessionController,
        *,
        test: Test = "norm",
        eta: float = 0.1,
        theta: float = 0.5,
        nu: float = 1.0,
        interval: int = 1,
        max_batch_size: int | None = None,
        debias: bool = False,
        growth_cap: float | None = None,
        quantile: float = 1.0,
    ) -> None:
        super().__init__(
            beside,
            test=test,
            eta=eta,
            theta=theta,
            nu=nu,
            interval=interval,
            max_batch_size=max_batch_size,
            debias=debias,
            growth_cap=growth_cap,
            quantile=quantile,
        )

    @property
    def history(self) -> History:
        """What it did so far."""
        return self.controller.history

    def begin(self, session: Session) -> None:
        """Makes the controller."""
        super().begin(session)
        own = dict(self.settings)
        most = own.pop("max_batch_size") or samples_in(session.task.train)
        self.controller = BatchSizeController(session.task.batch_size, most, **own)

    def before(self) -> Callable[[], Tensor] | None:
        """Makes a test if one is due, and returns the gradient that was computed for it."""
        if not self.controller.due(self.session.samples):
            return None
        statistics = _statistics(self.session, inner_products=self.controller.needs_inner_products)
        self.controller.update(statistics)
        return _already_known(statistics, self.session)

    def observe(self, loss: float) -> float:
        """Sets the size of the next batch."""
        self.controller.observe(loss)
        self.session.batch_size = self.controller.batch_size
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Returns the controller's state."""
        return self.controller.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned."""
        self.controller.load_state_dict(state_dict)


def _statistics(session: Session, *, inner_products: bool) -> GradientStatistics:
    """Computes the statistics of the session's batch, and charges for them."""
    task, batch = session.task, map_tensors(session.batch, lambda tensor: tensor)

    def losses(model: torch.nn.Module, batch: Any) -> Tensor:
        return task.losses(task.outputs(model, batch), batch)

    with session.lent_randomness():
        if session.steps == 0:
            session.meter.charge_forward(refuse_coupled_samples(session.model, losses, batch))
        found = gradient_statistics(session.model, losses, batch, inner_products=inner_products)
    session.meter.charge(session.samples * (2 if found.second_pass else 1))
    return found


def _already_known(statistics: GradientStatistics, session: Session) -> Callable[[], Tensor]:
    """Makes a closure that puts the mean gradient into place; when it is called again, it computes."""
    again = session.closure()
    known = [statistics]

    def closure() -> Tensor:
        if not known:
            return again()
        found = known.pop()
        found.write_to(session.model)
        return torch.tensor(found.loss)

    return closure
