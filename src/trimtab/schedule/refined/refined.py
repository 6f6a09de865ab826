"""Schedules that are refined from the gradient norms of an earlier run (Defazio et al., 2023, arXiv:2310.07831).

Adapts   the whole course of the learning rate in the next run.
Signal   the smoothed norms of the stochastic gradients of a run that was made before.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trimtab.primitives.hyperparameters import FRACTION, Interval, one_of, optional, whole_number
from trimtab.schedule.closed_form import refuse_steps_beyond
from trimtab.study.errors import InputError

Numbers = Float[np.ndarray, " steps"]

POWERS: Mapping[str, int] = {"l2": -2, "l1": -1, "adam_weighted": -2}
"""Norm to the power of it that is a step's weight."""

check_norm = one_of(*POWERS)
check_cap = optional(Interval(0.0, 1.0, open=True))


def refine_schedule(norms: ArrayLike, norm: str = "l2", smoothing: float = 0.1, cap: float | None = None) -> Numbers:
    r"""Returns the multipliers of the learning rate that suit a run whose gradients have these norms.

    For any weights :math:`w_t \ge 0`, stochastic gradient descent with the step sizes

    .. math::
        \eta_t = w_t \, \frac{\sum_{p > t} w_p}{\sum_p w_p}

    has a last iterate with

    .. math::
        \mathbb{E} f(x_T) - f^* \le \frac{D^2 + \sum_t w_t^2 \lVert g_t \rVert^2}{2 \sum_t w_t}

    if :math:`f` is convex and its minimum at a distance :math:`D` from the start. This is smallest for
    :math:`w_t \propto \lVert g_t \rVert^{-2}`, which for a constant norm is linear decay. Where early gradients are
    large there is a warm-up, and where late ones are, a faster end, without anybody asking for them. In a
    coordinate-wise theory, which fits Adam, :math:`w_t \propto \lVert g_t \rVert_1^{-1}`.

    Here :math:`w_t = \hat{G}_t^{-2}` or :math:`\hat{G}_t^{-1}` with the norms after a median filter of width
    :math:`2 \lfloor \lfloor \tau T \rfloor / 2 \rfloor + 1`, continued beyond the left end with the first value and
    beyond the right end by reflection, and :math:`m_t = s_t / \max_p s_p` with :math:`s_t = w_t \sum_{p > t} w_p`.
    The last multiplier is zero. What the peak is to be has to be tuned as ever: three to five learning rates.

    The weights should not depend on the gradients that they weigh; those of an earlier run do so only a little. The run
    that follows has other norms, and going on with them (a third run and a fourth) may overshoot.

    Differences from the paper: ``norm="adam_weighted"`` is ours, after its coordinate-wise theory, and so is ``cap``.
    Infinite norms, which stand for steps that were skipped, are left out and their multipliers interpolated. Where all
    the paper's sources are silent: two norms give linear decay, (1, 0).

    Args:
        norms: of the gradients of all parameters together, one a step, or of every so many steps; shape ``[steps]``.
            Of a run with the same batch size, because norms change with it.
        norm: which they are: ``"l2"`` (for SGD), ``"l1"`` (for Adam-type optimizers), or ``"adam_weighted"``,
            :math:`\sqrt{\sum_i g_i^2 / (\sqrt{v_i} + \epsilon)}`; see
            :class:`~trimtab.schedule.refined.gradient_norms.GradientNormRecorder`.
        smoothing: :math:`\tau`, the filter's width as a share of the run, in [0, 1); 0 is no filter. The default is the
            official code's. With too little of it the learning rate has spikes, for norms count squared.
        cap: a quantile in (0, 1) of the weights, above which they are cut; none by default. Where gradients vanish at
            the end, as when a network fits all of its data, weights explode there and the peak moves to the end: try
            0.9, for what is cut should be more than the end.

    Returns:
        Multipliers in [0, 1], the largest of them 1, as many as norms.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: there are fewer than two norms, one is negative or NaN, all are zero or infinite, or an argument is
            outside its range.

    Warns:
        UserWarning: norms are infinite, or are zero after smoothing; these are taken for the smallest that is not.
    """
    check_norm("norm", norm)
    cap = check_cap("cap", cap)
    raw = checked_norms(norms)
    finite = np.isfinite(raw)
    smooth = smoothed_norms(raw[finite], smoothing)
    weights = (smooth / smooth.min()) ** POWERS[norm]  # at most one, whatever the unit of the norms
    if cap is not None:
        weights = np.minimum(weights, np.quantile(weights, cap))
    following = np.append(np.cumsum(weights[::-1])[::-1][1:], 0.0)
    steps = weights * following
    if not steps.max() > 0:
        raise InputError("norms differ so much that all weights but one vanish; is one of them a slip?")
    multipliers: Numbers = steps / steps.max()
    if finite.all():
        return multipliers
    places = np.flatnonzero(finite)
    filled: Numbers = np.interp(np.arange(len(raw)), places, multipliers)
    return filled


def checked_norms(norms: ArrayLike) -> Numbers:
    """Returns norms as an array of float64, if they can be.

    Raises:
        TypeError: they are no numbers.
        ValueError: there are fewer than two that are finite, they are not in a row, or one is negative or NaN.
    """
    try:
        values = np.asarray(norms, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"norms={_brief(norms)}: a sequence of numbers is needed") from error
    if values.ndim != 1:
        raise InputError(f"norms has shape {values.shape}: one number a step is needed")
    wrong = np.flatnonzero(~(values >= 0))
    if len(wrong):
        raise InputError(f"norms[{wrong[0]}]={values[wrong[0]]}: norms must be >= 0 and not NaN")
    finite = np.isfinite(values)
    if finite.sum() < 2:
        raise InputError(f"finite norms: {finite.sum()}, and the gradients of at least 2 steps are needed")
    if not values[finite].any():
        raise InputError("norms are all zero: there is nothing to refine a schedule from")
    if not finite.all():
        warnings.warn(f"{(~finite).sum()} of {len(values)} norms are infinite, and are left out", stacklevel=3)
    return values


def smoothed_norms(norms: Numbers, smoothing: float) -> Numbers:
    r"""Returns the medians of norms over a window, all positive.

    Args:
        norms: finite and not negative.
        smoothing: the window's width as a share of all, in [0, 1); 0 for none.

    Raises:
        TypeError: ``smoothing`` is no number.
        ValueError: ``smoothing`` is outside its range.

    Warns:
        UserWarning: medians are zero, and are taken for the smallest that is not.
    """
    width = filter_width(len(norms), smoothing)
    smooth = norms
    if width > 1:
        from scipy.ndimage import median_filter

        # beyond its end a run goes on as it did, which one value repeated, or a plain cut, would hide
        extended = np.pad(norms, (0, 2 * width), mode="reflect")
        smooth = median_filter(extended, size=width, mode="nearest")[: len(norms)]
    positive = smooth > 0
    if not positive.any():
        raise InputError(f"norms are zero nearly everywhere: with smoothing={smoothing} none is left")
    if not positive.all():
        warnings.warn(
            f"{(~positive).sum()} of {len(norms)} smoothed norms are zero, and are taken for the smallest other",
            stacklevel=3,
        )
        smooth = np.where(positive, smooth, smooth[positive].min())
    return smooth


def filter_width(steps: int, smoothing: float) -> int:
    """Returns the width of the median filter in steps, an odd number.

    Raises:
        TypeError: ``smoothing`` is no number.
        ValueError: ``smoothing`` is outside its range.
    """
    share: float = FRACTION("smoothing", smoothing)
    return 2 * (int(share * steps) // 2) + 1


def resampled(schedule: ArrayLike, total_steps: int | None) -> Numbers:
    r"""Returns a schedule for a run of another length, linearly interpolated over :math:`t / (T - 1)`.

    Args:
        schedule: multipliers, two or more.
        total_steps: two or more; as many as there are multipliers if it is ``None``.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: there are too few, or one is negative or not finite.
    """
    asked = optional(whole_number(2))("total_steps", total_steps)
    try:
        values = np.asarray(schedule, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"schedule={_brief(schedule)}: a sequence of numbers is needed") from error
    if values.ndim != 1 or len(values) < 2:
        raise InputError(f"schedule has shape {values.shape}: a multiplier for each of two or more steps is needed")
    wrong = np.flatnonzero(~((values >= 0) & np.isfinite(values)))
    if len(wrong):
        raise InputError(f"schedule[{wrong[0]}]={values[wrong[0]]}: multipliers must be >= 0 and finite")
    total = len(values) if asked is None else asked
    return np.interp(np.linspace(0, 1, total), np.linspace(0, 1, len(values)), values)


def _brief(values: object) -> str:
    text = repr(values)
    return text if len(text) <= 60 else f"{text[:60]}..."


class RefinedLR(LRScheduler):
    """Multiplies the learning rate with a schedule that is given, step by step.

    Args:
        optimizer: whose learning rates are the peak's.
        schedule: multipliers, as :func:`refine_schedule` returns them; shape ``[steps]``.
        total_steps: length of the run; the schedule is interpolated to it. As many as ``schedule`` has by default.
        last_epoch: steps that were taken before, less one; as in torch's schedulers.

    Attributes:
        schedule: a multiplier for each step of this run. It is part of the state that is saved.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is outside its range; later, when the run is over and ``step()`` is called again.
    """

    def __init__(
        self, optimizer: Optimizer, schedule: ArrayLike, total_steps: int | None = None, last_epoch: int = -1
    ) -> None:
        whole_number(-1)("last_epoch", last_epoch)
        self.schedule: list[float] = resampled(schedule, total_steps).tolist()
        super().__init__(optimizer, last_epoch)

    @property
    def total_steps(self) -> int:
        """Length of the run."""
        return len(self.schedule)

    def get_lr(self) -> list[float | Tensor]:
        """Returns the learning rates of the step that is next; after the last one, zero."""
        refuse_steps_beyond(self.last_epoch, self.total_steps)
        multiplier = self.schedule[self.last_epoch] if self.last_epoch < self.total_steps else 0.0
        return [rate * multiplier for rate in self.base_lrs]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over a state, with the schedule that is in it."""
        super().load_state_dict({**state_dict, "schedule": list(state_dict["schedule"])})
