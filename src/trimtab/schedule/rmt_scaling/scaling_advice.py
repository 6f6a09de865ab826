"""What another batch size asks for on a task: its curvature and the noise of that, measured, and what follows."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from trimtab.lab.loading import load_task
from trimtab.lab.session import Session
from trimtab.lab.task import Task, samples_in
from trimtab.lab.task_check import check_task
from trimtab.schedule.rmt_scaling.batch_curvature import Matrix, product_rounding
from trimtab.schedule.rmt_scaling.learned_rates import learned_from
from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur, NoiseModel, Wigner
from trimtab.schedule.rmt_scaling.rmt_scaling import EXPONENTS, Rule, maximal_learning_rate, scale_damping
from trimtab.schedule.rmt_scaling.task_curvature import STARTS, TaskCurvature, task_curvature
from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import DivergedError, InputError

Chosen: TypeAlias = Literal["sgd", "adamw"]
Regime: TypeAlias = Literal["noise", "curvature", "both"]

RULES: dict[str, Rule] = {"sgd": "sgd", "adamw": "adaptive"}
CURVATURE_BATCH = 1024
SAFETY, LARGEST_MOMENTUM = 0.9, 0.99


@dataclass(frozen=True)
class Law:
    """A law of noisy curvature, fitted to the task.

    Args:
        name: of the random matrices.
        matrix: whose curvature it is about.
        eigenvalue: the largest without noise.
        knee: samples at which noise doubles it.
        largest: with the noise of each of the batch sizes.
        rates: the largest stable rates of these; for an adaptive method the root's, which tell how the rate scales.
        outlier_from: the least of the batch sizes at which the largest eigenvalue stands out of the noise, if it does.
    """

    name: str
    matrix: Matrix
    eigenvalue: float
    knee: float
    largest: tuple[float, ...]
    rates: tuple[float, ...]
    outlier_from: int | None


@dataclass(frozen=True)
class ScalingAdvice:
    """What was measured on a task, and what another batch size asks for.

    Args:
        task: its name.
        samples: training samples.
        parameters: trainable parameters.
        optimizer: ``sgd`` or ``adamw``.
        from_batch: the batch size that the settings are known for.
        to_batch: the one that they are wanted for.
        steps: of training before the measurement.
        seed: of model, training and measurement.
        curvature_batch: samples that curvature was measured on.
        batch_sizes: which the laws were evaluated for.
        laws: Marchenko and Pastur's, which the advice follows, and Wigner's.
        noise: of the Hessian of a single sample, the s² of Wigner's law.
        smallest: the least curvature that counts, for momentum; ``None`` where none is positive.
        lowest: the Hessian's lowest eigenvalue; negative in the direction of a maximum.
        regime: what limits the rate at both sizes: ``noise``, ``curvature``, or ``both`` in turn.
        factor: what to multiply the learning rate with, by the law itself: a knee that is not sharp.
        lr: for ``to_batch``; ``None`` where none was given to start from and the optimizer is adaptive.
        given_lr: for ``from_batch``, if one was given.
        largest_lr: the largest stable rate of plain SGD at ``from_batch`` and at ``to_batch``.
        momentum: heavy-ball momentum for ``to_batch``; ``None`` for an adaptive optimizer.
        damping: what to multiply the damping of a second-order method with, if the rate changes by ``factor``.
    """

    task: str
    samples: int
    parameters: int
    optimizer: Chosen
    from_batch: int
    to_batch: int
    steps: int
    seed: int
    curvature_batch: int
    batch_sizes: tuple[int, ...]
    laws: tuple[Law, ...]
    noise: float
    smallest: float | None
    lowest: float
    regime: Regime
    factor: float
    lr: float | None
    given_lr: float | None
    largest_lr: tuple[float, float]
    momentum: float | None
    damping: float

    @property
    def knee(self) -> float:
        """The one that the advice follows."""
        return self.laws[0].knee

    def largest(self, batch_size: int) -> float:
        """Returns the largest eigenvalue at a batch size that is among those evaluated, by the law that is followed."""
        return self.laws[0].largest[self.batch_sizes.index(batch_size)]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values that JSON can hold; every number in them is finite."""
        return asdict(self)


def advise(
    task: str,
    to_batch: int,
    from_batch: int | None = None,
    *,
    optimizer: Chosen = "sgd",
    lr: float | None = None,
    steps: int = 0,
    seed: int = 0,
    curvature_batch: int | None = None,
) -> ScalingAdvice:
    """Measures a task's curvature and the noise of it, and says what to do at another batch size.

    Args:
        task: name of a task that ships, or ``path/to/task.py:name``.
        to_batch: the batch size to go to.
        from_batch: the one to come from; the task's own by default.
        optimizer: ``"sgd"`` or ``"adamw"``.
        lr: learning rate that is good with ``from_batch``, if one is known.
        steps: of training with ``from_batch`` before the measurement. Curvature grows in the first of them.
        seed: of the model, of the training and of the measurement, >= 0.
        curvature_batch: samples to measure on; 1024 by default, or as many as there are.

    Raises:
        InputError: an argument cannot be, as a batch that is larger than the data, or the curvature of the task cannot
            be measured.
    """
    _check_arguments(optimizer, lr, steps, seed)
    loaded = copy.copy(load_task(task))
    check_task(loaded, task)
    samples = samples_in(loaded.train)
    begin = loaded.batch_size if from_batch is None else from_batch
    measured = min(CURVATURE_BATCH, samples) if curvature_batch is None else curvature_batch
    for name, size in (("from_batch", begin), ("to_batch", to_batch), ("curvature_batch", measured)):
        check_whole(name, size, least=4 if name == "curvature_batch" else 1)
        if size > samples:
            raise InputError(f"{name}={size} exceeds the {samples} training samples of {task}")
    loaded.batch_size, loaded.steps = begin, max(1, steps)
    asked = _Asked(optimizer, lr, steps, seed, to_batch, measured)
    session = _trained(loaded, asked)
    return _advice(session, task_curvature(session, measured, seed), asked)


@dataclass(frozen=True)
class _Asked:
    optimizer: Chosen
    lr: float | None
    steps: int
    seed: int
    to_batch: int
    curvature_batch: int


def _check_arguments(optimizer: object, lr: float | None, steps: int, seed: int) -> None:
    if not isinstance(optimizer, str) or optimizer not in RULES:
        raise InputError(f"optimizer={optimizer!r} must be {' or '.join(RULES)}")
    if lr is not None:
        check_number("lr", lr)
        if lr <= 0:
            raise InputError(f"lr={lr!r}: a positive number is needed")
    check_whole("steps", steps, least=0)
    check_whole("seed", seed, least=0)


def _trained(task: Task, asked: _Asked) -> Session:
    """Returns a session after some steps; without a rate, SGD takes half of the largest stable one at the start."""

    def build(rate: float) -> Session:
        def made(model: nn.Module) -> Optimizer:
            return (SGD if asked.optimizer == "sgd" else AdamW)(model.parameters(), lr=rate)

        return Session(task, made, seed=asked.seed)

    rate = 1e-3 if asked.lr is None else asked.lr
    session = build(rate)
    if asked.steps and asked.lr is None and asked.optimizer == "sgd":
        measured = task_curvature(session, asked.curvature_batch, asked.seed)
        law = MarchenkoPastur.fitted(measured.gauss_newton, asked.curvature_batch, samples_in(task.train))
        rate = maximal_learning_rate(law.extremal(task.batch_size)) / 2
        session = build(rate)
    try:
        for _ in range(asked.steps):
            session.step()
    except DivergedError as error:
        named = f"lr={rate:.3g}, which is used where none is given," if asked.lr is None else f"lr={asked.lr}"
        raise InputError(f"{named} is too large for {task.name}: {error}") from error
    return session


def _advice(session: Session, measured: TaskCurvature, asked: _Asked) -> ScalingAdvice:
    task, samples = session.task, samples_in(session.task.train)
    begin, end, rule = task.batch_size, asked.to_batch, RULES[asked.optimizer]
    if min(float(each.ritz[-1]) for each in (measured.gauss_newton, measured.hessian)) <= 0:
        raise InputError(f"{task.name} has no positive curvature at this point, and nothing follows for learning rates")
    law = MarchenkoPastur.fitted(measured.gauss_newton, measured.batch_size, samples)
    other = Wigner.fitted(float(measured.hessian.ritz[-1]), measured.noise, measured.batch_size, samples)
    sizes = _sizes(samples, (begin, end))
    factor = (law.extremal(begin) / law.extremal(end)) ** EXPONENTS[rule]
    learned = learned_from(
        measured.hessian,
        "heavy_ball",
        bulk=0.5 / STARTS,  # more than half of the weight that a start has among so many
        correction=lambda _: law.extremal(end),
        rounding=product_rounding(param for param in session.model.parameters() if param.requires_grad),
    )
    plain = asked.optimizer == "sgd"
    lr = None if asked.lr is None else asked.lr * factor
    if lr is None and plain and learned is not None:
        lr = SAFETY * learned.lr
    return ScalingAdvice(
        task=task.name,
        samples=samples,
        parameters=sum(param.numel() for param in session.model.parameters() if param.requires_grad),
        optimizer=asked.optimizer,
        from_batch=begin,
        to_batch=end,
        steps=session.steps,
        seed=asked.seed,
        curvature_batch=measured.batch_size,
        batch_sizes=sizes,
        laws=(_law("Marchenko-Pastur", "ggn", law, sizes, rule), _law("Wigner", "hessian", other, sizes, rule)),
        noise=measured.noise,
        smallest=None if learned is None else learned.smallest,
        lowest=float(measured.hessian.ritz[0]),
        regime=_regime(begin, end, law.knee),
        factor=factor,
        lr=lr,
        given_lr=asked.lr,
        largest_lr=(maximal_learning_rate(law.extremal(begin)), maximal_learning_rate(law.extremal(end))),
        momentum=min(learned.momentum, LARGEST_MOMENTUM) if plain and learned is not None else None,
        damping=scale_damping(1.0, begin, end, 1.0, factor),
    )


def _sizes(samples: int, wanted: Sequence[int]) -> tuple[int, ...]:
    powers = [2**k for k in range(samples.bit_length()) if 2**k <= samples]
    return tuple(sorted({*powers, *wanted, samples}))


def _law(name: str, matrix: Matrix, model: NoiseModel, sizes: Sequence[int], rule: Rule) -> Law:
    largest = tuple(model.extremal(size) for size in sizes)
    rates = tuple(maximal_learning_rate(value, rule=rule) for value in largest)
    outlier_from = next((size for size in sizes if model.is_outlier(size)), None)
    return Law(name, matrix, model.eigenvalue, model.knee, largest, rates, outlier_from)


def _regime(from_batch: int, to_batch: int, knee: float) -> Regime:
    if max(from_batch, to_batch) <= knee:
        return "noise"
    return "curvature" if min(from_batch, to_batch) >= knee else "both"
