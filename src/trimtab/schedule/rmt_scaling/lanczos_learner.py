r"""Learning rate and momentum from the curvature on the fly (Granziol, Zohren & Roberts, 2020, arXiv:2006.09092).

Adapts   the learning rate and the momentum of SGD.
Signal   the largest and the smallest curvature of a batch, from a few Lanczos steps.
"""

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from trimtab.lab.controller import History
from trimtab.lab.randomness import derived_seed
from trimtab.primitives.hyperparameters import FRACTION, POSITIVE, SHARE, Check, Interval, one_of, whole_number
from trimtab.primitives.lanczos import Spectrum, lanczos, random_direction
from trimtab.schedule.rmt_scaling.batch_curvature import (
    BatchCurvature,
    Loss,
    Matrix,
    Outputs,
    matrix_name,
    product_rounding,
)
from trimtab.schedule.rmt_scaling.learned_rates import Correction, Learned, Smallest, Variant, learned_from

HYPERPARAMETERS: dict[str, Check] = {
    "every": whole_number(1),
    "warmup": whole_number(0),
    "steps": whole_number(2),
    "variant": one_of("sgd", "heavy_ball", "nesterov"),
    "smallest": one_of("minimum", "median"),
    "bulk": SHARE,
    "matrix": matrix_name,
    "safety": POSITIVE,
    "largest_momentum": FRACTION,
    "largest_change": Interval(1.0, math.inf, closed=True),
    "seed": whole_number(0),
}

_STATE = {"observed", "refreshes", "history"}


class LanczosLearner:
    r"""Sets learning rate and momentum of SGD anew every so many steps, from the curvature of a fixed batch.

    In a loop of one's own:

        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        learner = LanczosLearner(optimizer, lambda: model(fixed_inputs), lambda outputs: mean(outputs, fixed_targets))
        for batch in batches:
            ...
            optimizer.step()
            learner.observe(loss.item())

    ``fixed_inputs`` and ``fixed_targets`` are a random part of the training data that stays the same; a loop that
    assigns to names of the functions measures each time on its own last batch. The smaller the part is, the larger
    is its curvature (:mod:`~trimtab.schedule.rmt_scaling.rmt_scaling`): one that is larger than the training batches
    makes the learner ask for too much of these, unless ``correction`` says how much more curvature they have.

    A refresh takes one gradient of that batch, kept with its graph, and ``steps`` products with the Hessian, each of
    which costs about as much as another gradient or two. The random numbers that layers draw meanwhile, and the start
    of Lanczos' method, are a function of ``seed`` and of how many refreshes there were: a run resumes bit for bit, and
    the global generators are left as they were. Running statistics of batches count one pass a refresh.

    Differences:
        * Momentum divides by :math:`\sqrt L + \sqrt\mu`; the official code divides by :math:`\sqrt L + \mu`.
        * Nesterov's rate is :math:`1/L`; the official code has :math:`\sqrt{\mu/L}`, whose unit is not that of a rate.
        * :math:`\mu` comes from Ritz values only that are positive beyond rounding: a negative curvature is a bound for
          the step as good as any, but no speed of convergence, and what rounding makes of none would ask for a momentum
          of one. In float32 that is all below :math:`1.2 \cdot 10^{-6} L`.
        * ``safety``, ``largest_momentum`` and ``largest_change`` are ours; 1, a number close to 1 and ``math.inf`` are
          the paper's.
        * The pace is in steps; the official code refreshes every 20 epochs, its scripts every epoch.

    Warning:
        * What is best on a quadratic leaves little room: where curvature rises after a refresh, as it does early in a
          run, SGD diverges. With the defaults one of two runs of a small network with tanh did. A lower ``safety``, a
          ``warmup`` and a smaller ``every`` help.

    Args:
        optimizer: ``torch.optim.SGD``, or another that steps by the plain gradient with the same settings; wrapped or
            not. Rate and momentum of all its groups become the same.
        outputs: computes the model's outputs on the batch of curvature, one tensor.
        loss: from these outputs to the mean loss.
        every: steps from one refresh to the next, >= 1.
        warmup: steps that are taken with the optimizer's own settings before the first refresh, >= 0. Call
            :meth:`refresh` to begin with learned settings.
        steps: of Lanczos' method, >= 2; 20 is the official code's.
        variant: ``"sgd"``, ``"heavy_ball"`` or ``"nesterov"``; by default the last if the optimizer is of that kind,
            and else heavy ball. See
            :func:`~trimtab.schedule.rmt_scaling.learned_rates.learned_from`. The latter two need an optimizer with
            momentum that is of that kind.
        smallest: ``"minimum"`` or ``"median"``; ``None`` for the paper's choice, the median with ``"sgd"`` and else the
            minimum.
        bulk: in [0, 1], see :func:`~trimtab.schedule.rmt_scaling.learned_rates.learned_from`; the official code's.
        matrix: ``"hessian"``, or ``"ggn"``, the generalised Gauss-Newton matrix.
        correction: see :func:`~trimtab.schedule.rmt_scaling.learned_rates.learned_from`;
            :meth:`trimtab.schedule.rmt_scaling.noise_model.MarchenkoPastur.fitted` makes one.
        safety: factor of every learned rate, > 0.
        largest_momentum: in [0, 1); what is learned of a noisy :math:`\mu` can come so near to 1 that momentum only
            averages noise.
        largest_change: factor by which the rate may change in one refresh, >= 1; a rate of 0 may change to any.
        seed: of the starts.

    Attributes:
        history: one record for each refresh that changed something: ``step``, ``lr`` and
            ``momentum``, with the ``largest`` and the ``smallest`` curvature that they follow from.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range, or the optimizer cannot be set in this way.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        outputs: Outputs,
        loss: Loss,
        *,
        every: int = 100,
        warmup: int = 0,
        steps: int = 20,
        variant: Variant | None = None,
        smallest: Smallest | None = None,
        bulk: float = 0.5,
        matrix: Matrix = "hessian",
        correction: Correction | None = None,
        safety: float = 0.9,
        largest_momentum: float = 0.99,
        largest_change: float = 4.0,
        seed: int = 0,
    ) -> None:
        variant = own_variant(optimizer) if variant is None else variant
        given = {
            "variant": variant,
            **{"every": every, "warmup": warmup, "steps": steps, "bulk": bulk, "matrix": matrix},
            **{"safety": safety, "largest_momentum": largest_momentum, "largest_change": largest_change, "seed": seed},
            "smallest": ("median" if variant == "sgd" else "minimum") if smallest is None else smallest,
        }
        self.settings = {name: check(name, given[name]) for name, check in HYPERPARAMETERS.items()}
        for name, function in (("outputs", outputs), ("loss", loss), ("correction", correction)):
            if not (callable(function) or (name == "correction" and function is None)):
                raise TypeError(f"{name}={function!r} must be a function")
        refuse_optimizer(optimizer, self.settings["variant"])
        self.optimizer = optimizer
        self.history: History = []
        self._outputs, self._loss, self._correction = outputs, loss, correction
        self._observed = self._refreshes = 0

    def observe(self, loss: float) -> None:
        """Takes note of a step, and refreshes if it is time.

        Args:
            loss: of the step; not looked at.
        """
        del loss
        self._observed += 1
        if self.due:
            self.refresh()

    @property
    def fresh(self) -> bool:
        """Whether there was no refresh yet."""
        return not self._refreshes

    @property
    def due(self) -> bool:
        """Whether, by the number of steps so far, it is time for a refresh."""
        since: int = self._observed - self.settings["warmup"]
        every: int = self.settings["every"]
        return since >= 0 and since % every == 0

    def refresh(self) -> Learned | None:
        """Measures the curvature and sets rate and momentum.

        Returns:
            What was learned, before safety and limits, or ``None`` if the curvature had nothing to say: then everything
            stays, with a warning.

        Raises:
            ValueError: a product with the curvature is not finite. Nothing was changed.
            RuntimeError: an operation of the model has no second derivative. Nothing was changed.
        """
        spectrum, rounding = self._spectrum()
        own = self.settings
        found = learned_from(
            spectrum,
            own["variant"],
            own["smallest"],
            bulk=own["bulk"],
            correction=self._correction,
            rounding=rounding,
        )
        self._refreshes += 1
        if found is None:
            warnings.warn(
                f"no positive curvature was found after {self._observed} steps: learning rate and momentum stay",
                RuntimeWarning,
                stacklevel=2,
            )
            return None
        self._set(found)
        return found

    def state_dict(self) -> dict[str, Any]:
        """Returns what is not in the optimizer's state: how far it is, and the history."""
        history = [dict(record) for record in self.history]
        return {"observed": self._observed, "refreshes": self._refreshes, "history": history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what :meth:`state_dict` returned; load the optimizer's state beside it.

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(state_dict, dict) or state_dict.keys() != _STATE:
            raise ValueError(f"state_dict={state_dict!r}: what state_dict() of a LanczosLearner returned is needed")
        self._observed, self._refreshes = state_dict["observed"], state_dict["refreshes"]
        self.history = [dict(record) for record in state_dict["history"]]

    def _spectrum(self) -> tuple[Spectrum, float]:
        """Returns the spectrum, and by how much of the largest curvature it may be off."""
        params, decay = [], []
        for group in self.optimizer.param_groups:
            params += group["params"]
            decay += [float(group.get("weight_decay", 0.0))] * len(group["params"])
        seed = derived_seed(self.settings["seed"], self._refreshes)
        devices = sorted({param.device.index or 0 for param in params if param.is_cuda})
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            product = BatchCurvature(self._outputs, self._loss, params, self.settings["matrix"], decay)
        start = random_direction(product.params, torch.Generator().manual_seed(seed))
        return lanczos(product, start, self.settings["steps"]), product_rounding(product.params)

    def _set(self, found: Learned) -> None:
        own = self.settings
        before = float(self.optimizer.param_groups[0]["lr"])
        lr = own["safety"] * found.lr
        if before > 0:
            lr = min(max(lr, before / own["largest_change"]), before * own["largest_change"])
        momentum = min(found.momentum, own["largest_momentum"])
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
            if "momentum" in group:
                group["momentum"] = momentum
        record = {"lr": lr, "momentum": momentum, "largest": found.largest, "smallest": found.smallest}
        self.history.append({"step": self._observed, **record})


def own_variant(optimizer: Optimizer) -> Variant:
    """Returns which variant with momentum an optimizer is."""
    groups = getattr(optimizer, "param_groups", ())
    return "nesterov" if any(group.get("nesterov") for group in groups) else "heavy_ball"


def refuse_optimizer(optimizer: Optimizer, variant: str) -> None:
    """Checks that an optimizer's rate and momentum mean what is learned for a variant.

    Raises:
        TypeError: it is no optimizer.
        ValueError: they do not; the message says what is needed.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer={optimizer!r} must be a torch.optim.Optimizer")
    name = type(optimizer).__name__
    for group in optimizer.param_groups:
        if "betas" in group or "alpha" in group or "lr_decay" in group:
            raise ValueError(f"optimizer={name} divides gradients by their size, and what is learned is a rate of SGD")
        if variant == "sgd":
            continue
        if "momentum" not in group:
            raise ValueError(f"optimizer={name} has no momentum, which variant={variant!r} sets: use variant='sgd'")
        if group.get("dampening", 0):
            raise ValueError(f"dampening={group['dampening']} must be 0: variant={variant!r} is without it")
        if group.get("nesterov", variant == "nesterov") != (variant == "nesterov"):
            raise ValueError(f"nesterov={group['nesterov']} of optimizer={name} does not go with variant={variant!r}")
