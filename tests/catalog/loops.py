"""Training loops as users write them, for every optimizer of the catalogue and what stands beside one."""

from functools import partial

import torch
from torch import nn

import trimtab
from trimtab.catalog.entries import of_slot
from trimtab.catalog.expressions import example
from trimtab.optim import AGVM, EMA, SSO, ArmijoGradientDescent, CoordinateClip
from trimtab.optim.peers.sam import SAM
from trimtab.primitives.sample_gradients import gradient_statistics
from trimtab.primitives.wrapping import innermost
from trimtab.schedule import (
    AutoLRS,
    BatchSizeController,
    LanczosLearner,
    RefinedLR,
    ReplayedBatches,
    SampleLRScheduler,
    constant_with_warmup,
    cosine_with_warmup,
    inverse_sqrt_with_warmup,
    linear_decay_with_warmup,
    one_cycle_with_warmup,
    wsd_with_warmup,
)

STEPS = 4
LR = 2.0**-5
SAMPLES = 16
RESTS = {"schedulefree_radam": 5}
"""What takes so many steps before it moves anything."""


def loss_of(outputs, targets):
    return (outputs - targets).square().mean()


def losses_of(model, batch):
    return (model(batch[0]) - batch[1]).square().mean(1)


class Run:
    """A model, an optimizer by name, and one batch for each step.

    Args:
        name: an expression, perhaps with what stands beside the optimizer.
        lr: its learning rate.
        told: whether what has to be told the scale of a loss is told it.
    """

    def __init__(self, name, lr=LR, *, told=True):
        self.told = told
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3)).double()
        name, _, beside = name.partition(" beside ")
        make = OUTSIDE_OF_EXPRESSIONS.get(name, lambda model, lr: trimtab.create(name, model, lr=lr))
        self.optimizer = make(self.model, lr)
        if callable(getattr(self.optimizer, "train", None)):
            self.optimizer.train()
        self.beside = BESIDE[beside](self) if beside else None
        for step in range(RESTS.get(name, 0)):
            self.take(100 + step)

    @property
    def params(self):
        return list(self.model.parameters())

    def batch(self, step):
        generator = torch.Generator().manual_seed(step)
        return tuple(torch.randn(SAMPLES, size, generator=generator, dtype=torch.float64) for size in (6, 3))

    def backward(self, step, *, weight=1.0, parts=1, scaler=None):
        """Computes the gradients of a batch's mean loss, in so many parts."""
        inputs, targets = self.batch(step)
        if isinstance(self.beside, BatchSizeController) and self.beside.due(SAMPLES):
            self._backward_by_samples((inputs, targets), weight, scaler)
            return
        add = partial(self._add, weight=weight / parts, parts=parts, scaler=scaler)
        if isinstance(self.optimizer, AGVM):
            for half in (0, 1):
                with self.optimizer.half(half):
                    add(inputs[half::2], targets[half::2])
        else:
            add(inputs, targets)

    def _add(self, inputs, targets, *, weight, parts, scaler):
        graph = {"create_graph": self.optimizer.needs_graph} if hasattr(self.optimizer, "needs_graph") else {}
        for part, own in zip(inputs.chunk(parts), targets.chunk(parts), strict=True):
            loss = loss_of(self.model(part), own) * weight
            (loss if scaler is None else scaler.scale(loss)).backward(**graph)
        if hasattr(self.optimizer, "accumulate_curvature") and scaler is not None and self.told:
            self.optimizer.accumulate_curvature(scaler.get_scale())

    def _backward_by_samples(self, batch, weight, scaler):
        scale = 1.0
        if scaler is not None:
            scaler.scale(torch.ones(()))  # it learns of its device by what it scales
            scale = scaler.get_scale() if self.told else 1.0
        statistics = gradient_statistics(
            self.model, lambda model, batch: losses_of(model, batch) * weight, batch, loss_scale=scale
        )
        statistics.write_to(self.model, loss_scale=scale)
        self.beside.update(statistics)

    def take(self, step):
        """Takes a step on a batch, as the optimizer's page says."""
        inputs, targets = self.batch(step)
        if isinstance(self.optimizer, SSO):
            self.optimizer.step(lambda: self.model(inputs), loss=lambda outputs: (outputs - targets).square().mean(1))
        elif isinstance(innermost(self.optimizer), ArmijoGradientDescent):

            def closure(backward=True):
                loss = loss_of(self.model(inputs), targets)
                if backward:
                    self.optimizer.zero_grad()
                    loss.backward()
                return loss

            self.optimizer.step(closure)
        elif isinstance(self.optimizer, torch.optim.LBFGS | SAM):

            def closure():
                self.optimizer.zero_grad()
                self.backward(step)
                return loss_of(self.model(inputs), targets).detach()

            self.optimizer.step(closure)
        else:
            self.optimizer.zero_grad()
            self.backward(step)
            self.optimizer.step()
        self.observe(step)

    def observe(self, step):
        """Lets what stands beside the optimizer see a step."""
        if isinstance(self.beside, SampleLRScheduler):
            self.beside.step(SAMPLES)
        elif hasattr(self.beside, "observe"):
            with torch.no_grad():
                inputs, targets = self.batch(step)
                self.beside.observe(loss_of(self.model(inputs), targets).item())
        elif self.beside is not None:
            self.beside.step()

    def gradients(self, step, act=lambda params: None):
        """Returns the gradients of a batch as a loop leaves them, in a copy of the model that no optimizer knows."""
        free = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3)).double()
        free.load_state_dict(self.model.state_dict())
        inputs, targets = self.batch(step)
        loss_of(free(inputs), targets).backward()
        act(list(free.parameters()))
        return [param.grad for param in free.parameters()]


def autolrs(run):
    batches = ReplayedBatches([])
    return AutoLRS(
        run.optimizer,
        run.model,
        1e-3,
        1e-1,
        stage=100,
        longest_stage=100,
        candidates=2,
        warmup_steps=2,
        batches=batches,
    )


def lanczos(run):
    inputs, targets = run.batch(100)
    return LanczosLearner(
        run.optimizer, lambda: run.model(inputs), lambda outputs: loss_of(outputs, targets), every=1, steps=4
    )


BESIDE = {
    "AutoLRS": autolrs,
    "LanczosLearner": lanczos,
    "BatchSizeController": lambda run: BatchSizeController(SAMPLES, 64, interval=2, eta=0.5),
    **{
        each.__name__: lambda run, each=each: each(run.optimizer, STEPS, 1)
        for each in (
            constant_with_warmup,
            cosine_with_warmup,
            inverse_sqrt_with_warmup,
            linear_decay_with_warmup,
            one_cycle_with_warmup,
            wsd_with_warmup,
        )
    },
    "RefinedLR": lambda run: RefinedLR(run.optimizer, [0.5, 1.0, 0.25], STEPS),
    "SampleLRScheduler": lambda run: SampleLRScheduler(run.optimizer, STEPS * SAMPLES),
}
"""The controllers of the catalogue in loops, and the schedulers of the library."""

OUTSIDE_OF_EXPRESSIONS = {
    "clip(sgd) by threshold": lambda model, lr: CoordinateClip(
        torch.optim.SGD(model.parameters(), lr=lr), fraction=None, threshold=0.01
    ),
    "armijo": lambda model, lr: ArmijoGradientDescent(model.parameters(), lr=lr),
    "ema(armijo)": lambda model, lr: EMA(ArmijoGradientDescent(model.parameters(), lr=lr)),
}

AVERAGED = {"ema(adahessian)": "adahessian", "ema(sophia)": "sophia", "ema(armijo)": "armijo"}
"""What an average is around, where a step needs more than gradients: it works, or is refused, as that does."""

AROUND = {"clip": "clip(sgd)"}
"""Of wrappers around something else than what they are shown with."""


def names():
    """Returns every optimizer of the catalogue, wrappers around one, some compositions, and controllers beside one."""
    found = [
        AROUND.get(entry.id, example(entry).label)
        for entry in of_slot("optimizer").values()
        if entry.kind != "controller"
    ]
    more = [
        "agvm(sgd)",
        "agvm(clip(lamb))",
        "adahessian(every=2)",
        *dict.fromkeys([*OUTSIDE_OF_EXPRESSIONS, *AVERAGED]),
    ]
    return [*found, *more, *(f"sgd beside {each}" for each in BESIDE)]
