"""Which settings of a finished study to trust: those that a model expects most of, not those that were luckiest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Float
from optuna.study import Study
from scipy.special import ndtri
from scipy.stats import qmc

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.fast_acquisition import LogFeasibility, PosteriorMean, Sum
from trimtab.search.bo_tutorial.fast_gp import FastGP, bounded_model
from trimtab.search.bo_tutorial.mixed_search import Points, ascend
from trimtab.search.bo_tutorial.study_data import StudyData, check_one_objective, complete_trials, sign_of
from trimtab.study.checks import check_number
from trimtab.study.errors import InputError

REPORTS: Final = ("evaluated", "anywhere")

LARGEST: Final = 2000
"""Distinct settings that the model holds at most: its time grows with their cube, to about a second here."""

_STARTS: Final = 10
_LOOKS: Final = 512
"""Searches of the space, and points that their starts are chosen from, BoTorch's usual numbers."""

_LEAST_FEASIBLE: Final = math.log(0.5)
_PENALTY: Final = 10.0
"""Standard deviations of the values for each factor of e by which feasibility is too improbable."""


@dataclass(frozen=True)
class Recommendation:
    """What is to be expected of settings.

    Attributes:
        params: the settings.
        trial: the number of the first trial that had them; ``None`` where none had.
        mean: the posterior mean of the function, without the noise of an evaluation, in the study's units.
        interval: within which the function is with the probability that was asked for, given the model.
    """

    params: Mapping[str, Any]
    trial: int | None
    mean: float
    interval: tuple[float, float]


def recommend(
    study: Study, *, report: Literal["evaluated", "anywhere"] = "evaluated", level: float = 0.95
) -> Recommendation:
    r"""Returns the settings of a study that are best by a model of all its trials.

    ``study.best_trial`` is the trial with the best *value*. Where evaluations are noisy it is the luckiest of the good
    ones: its value is too good to be true, and often other settings are better. Here a Gaussian process is fitted to
    all complete trials, whatever sampler made them, and what counts is its posterior mean :math:`\mu_n`:

    .. math::
        x^\star = \operatorname{argmax}_{i \le n} \mu_n(x_i) \quad \text{("evaluated")}, \qquad
        x^\star = \operatorname{argmax}_{x} \mu_n(x) \quad \text{("anywhere")}

    (the least for a study that minimises). The first is what somebody reports who is neutral to risk and may only
    report what was tried (Frazier, 2018, arXiv:1807.02811).

    The model is BoTorch's default, ``SingleTaskGP`` with its priors and the noise inferred (see
    :mod:`~trimtab.search.bo_tutorial.fast_fit`), on the settings in the unit cube (see
    :class:`~trimtab.primitives.unit_cube.UnitCube`). Its hyper-parameters are the maximum a posteriori of their
    logarithms. BoTorch's own fit, that of the hyper-parameters themselves, takes much noise for structure and then
    believes lucky values. Where the data are likelier without noise than with any, there is no luck, and the best value
    is believed.

    * Trials with the same settings count as repeats of one setting, exactly.
    * A parameter that some trials lack has a column that says whether it is there. Where its range changed, the model
      covers the widest.
    * Infinite values become the best or the worst finite one, values beyond 1e140 are cut off there, and values that
      are worse than the worse quartile by more than ten interquartile ranges are cut off there: they are bad, and how
      bad says nothing of the others. Good values are never changed.
    * Constraints are those of ``Trial.set_constraint``, or what a sampler's ``constraints_func`` stored. Settings whose
      constraints are not kept, on average over their trials, are never recommended, but the model learns from their
      values; a trial without constraints counts as feasible, as for Optuna. ``"anywhere"`` also models each constraint,
      and asks for a probability of at least 1/2 that all are kept.
    * ``"anywhere"`` searches floats by gradients and the others by their neighbours. In a space with conditional
      parameters the discrete ones, on which it may depend what there is, stay as they were in some trial.
    * Hyper-parameters are fitted to at most 300 settings, evenly spaced over the study. Of more than 2000 settings, the
      model holds the 2000 that are nearest, in lengthscales, to the best of a model of 2000 evenly spaced ones; a
      choice by value would let luck in again.

    The answer depends on nothing but the study, of which nothing is changed; no random state is used.

    Args:
        study: with at least one complete trial and one objective; trials may still be running.
        report: ``"evaluated"``, one of the settings that a trial had, or ``"anywhere"`` in the space.
        level: the probability of the interval. It holds for one setting and the model as fitted, and does not know of
            the uncertainty of the hyper-parameters. Of a single trial it is unbounded; where all of several values are
            the same, it is that value.

    Returns:
        The settings, and what is expected of them.

    Raises:
        ValueError: the study has several objectives, no complete trial or none that is feasible, ``report`` is unknown,
            or ``level`` is not between 0 and 1.
        TypeError: ``study`` is no study.

    Examples:
        The loss is ``(x - 0.7)^2``, and each evaluation has noise of standard deviation 0.2. The best of 40 trials is
        a lucky one:

        >>> import numpy as np
        >>> import optuna
        >>> generator = np.random.default_rng(4)
        >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=4))
        >>> study.optimize(
        ...     lambda trial: (trial.suggest_float("x", 0, 1) - 0.7) ** 2 + 0.2 * generator.normal(), n_trials=40
        ... )
        >>> f"x = {study.best_params['x']:.2f}, value {study.best_value:.2f}"
        'x = 0.41, value -0.34'
        >>> found = recommend(study)
        >>> f"x = {found.params['x']:.2f}, mean {found.mean:.2f}"
        'x = 0.73, mean 0.02'
        >>> [round(end, 2) for end in found.interval]
        [-0.06, 0.1]
    """
    if not isinstance(study, Study):
        raise TypeError(f"study={study!r}: an optuna.study.Study is needed")
    if report not in REPORTS:
        raise InputError(f"report={report!r}: one of {', '.join(REPORTS)} is needed")
    check_number("level", level)
    if not 0 < level < 1:
        raise InputError(f"level={level!r}: a probability between 0 and 1 is needed")
    check_one_objective(study)
    trials = complete_trials(study)
    if not trials:
        raise InputError("study has no complete trial: there is nothing to recommend")
    seen = StudyData.of_study(study, UnitCube.of_trials(trials, widest=True), trials)
    if not seen.feasible.any():
        raise InputError("study has no complete trial that keeps all constraints: there is nothing to recommend")
    process, held = bounded_model(seen.data, LARGEST, of_logarithms=True)
    best, mean, deviation = _best_evaluated(process, held, seen.feasible)
    params, number = dict(trials[seen.first[best]].params), trials[seen.first[best]].number
    if report == "anywhere":
        point = _best_anywhere(process, seen, seen.points[best])
        if point is not None:
            (expected,), (variance,) = process.predict(point)
            if expected > mean:
                params, number = seen.cube.from_unit(point)[0], None
                mean, deviation = float(expected), math.sqrt(variance)
    reach = float(ndtri(0.5 + level / 2)) * deviation
    ends = process.original(np.array([mean, mean - reach, mean + reach])) * sign_of(study)
    if len(trials) == 1:
        ends[1:] = -math.inf, math.inf
    elif np.ptp(seen.values) == 0:
        ends[1:] = ends[0]
    return Recommendation(params, number, float(ends[0]), (float(ends[1:].min()), float(ends[1:].max())))


def _best_evaluated(
    process: FastGP, held: Bool[np.ndarray, " n"], feasible: Bool[np.ndarray, " n"]
) -> tuple[int, float, float]:
    """Returns the best setting, and mean and standard deviation of what it is worth."""
    rows = np.flatnonzero(held)
    means = process.standard.means if process.is_certain else process.means
    best = int(np.argmax(np.where(feasible[rows], means, -np.inf)))
    noise = process.noises[best]
    # of an input of the process this is the variance, and no difference of numbers that are nearly the same
    variance = noise * (1 - noise * process.inverse[best, best])
    return int(rows[best]), float(means[best]), math.sqrt(max(variance, 0.0))


def _best_anywhere(process: FastGP, seen: StudyData, best: Float[np.ndarray, " d"]) -> Points | None:
    """Returns the best point of the space, or none where none is likely to be feasible."""
    cube = seen.cube
    if not cube.dimension:
        return None
    constraints = LogFeasibility([FastGP(margin.thinned(LARGEST), of_logarithms=True) for margin in seen.margins()])
    criterion = Sum([PosteriorMean(process), _Penalty(constraints)])
    candidates = process.data.points
    if not cube.conditional:
        sobol = qmc.Sobol(cube.dimension, scramble=False).random(_LOOKS)
        candidates = np.vstack([candidates, sobol])
    candidates = np.vstack([best, cube.snap(candidates)])
    values = criterion.values(candidates)
    starts = candidates[np.argsort(-values, kind="stable")[:_STARTS]]
    ends, values = ascend(criterion, cube, starts, None if cube.conditional else lambda points: points)
    values = np.where(constraints.values(ends) >= _LEAST_FEASIBLE - 1e-6, values, -np.inf)
    chosen = int(np.argmax(values))
    return ends[chosen : chosen + 1] if np.isfinite(values[chosen]) else None


class _Penalty:
    """Falls by as much as feasibility is too improbable."""

    def __init__(self, feasibility: LogFeasibility) -> None:
        self._feasibility = feasibility

    def values(self, points: Points) -> Float[np.ndarray, " m"]:
        return _PENALTY * np.minimum(self._feasibility.values(points) - _LEAST_FEASIBLE, 0.0)

    def values_and_gradients(self, points: Points) -> tuple[Float[np.ndarray, " m"], Points]:
        values, gradients = self._feasibility.values_and_gradients(points)
        lacking = values < _LEAST_FEASIBLE
        return _PENALTY * np.minimum(values - _LEAST_FEASIBLE, 0.0), _PENALTY * gradients * lacking[:, None]
