"""Bayesian optimisation as an Optuna sampler: the tutorial's loop for studies of floats, ints, choices and conditions.

Adapts   which settings are evaluated next.
Signal   how far the largest posterior mean of the evaluated settings is expected to rise.
"""

import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Bool, Float
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from scipy.stats import qmc

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.activity import SeenActivity
from trimtab.search.bo_tutorial.fast_acquisition import LogFeasibility, LogImprovement, LogNoisyImprovement, Sum
from trimtab.search.bo_tutorial.fast_gp import FastGP, bounded_model
from trimtab.search.bo_tutorial.mixed_search import Criterion, Points
from trimtab.search.bo_tutorial.proposal import Search, propose
from trimtab.search.bo_tutorial.recommendation import Recommendation, recommend
from trimtab.search.bo_tutorial.study_data import StudyData, check_one_objective, complete_trials
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError

ACQUISITIONS: Final[Mapping[str, Callable[[FastGP, Bool[np.ndarray, " n"]], Criterion]]] = {
    "noisy_ei": LogNoisyImprovement,
    "ei": LogImprovement,
}
NAMED: Final = ("hmc", "sghmc", "ensemble", "infinite_width", "deep_kernel", "laplace")
SURROGATES: Final = ("gp", *NAMED)

_LARGEST: Final = 1000
"""Distinct settings that a model holds at most; see :func:`~trimtab.search.bo_tutorial.fast_gp.bounded_model`."""

_LATEST_FAILED: Final = 100
_LEAST: Final = 2
"""Complete trials that the surrogates in ``NAMED`` need."""

_STARTUP, _SEARCH, _MODEL, _ALONE = range(4)
"""Streams of random numbers."""

FitSurrogate = Callable[[Any, Any], Any]
"""``(X, Y) -> fitted BoTorch model``, X of shape (n, d) in the unit cube, Y of shape (n, 1), larger is better."""


class BOSampler(BaseSampler):
    r"""Bayesian optimisation with a Gaussian process, and noise taken at its word.

    Each setting is the one from which the *report* is expected to gain most, where the report is the evaluated setting
    with the largest posterior mean (Frazier, 2018, arXiv:1807.02811):

    .. math::
        x_{n+1} = \operatorname{argmax}_x\ E_n\big[\max_{i \le n+1} \mu_{n+1}(x_i) - \max_{i \le n} \mu_n(x_i)
            \mid x_{n+1} = x\big]

    see :class:`~trimtab.search.bo_tutorial.posterior_mean_improvement.PosteriorMeanImprovement`. Without noise that is
    expected improvement. A study that is done is to be read with :meth:`recommend`, not by its best value.

    * *Spaces.* All that Optuna has, as :class:`~trimtab.primitives.unit_cube.UnitCube` says. The parameters of all
      complete trials are modelled together, each with its latest range (trials that are now outside by more than its
      width are left out); one that some trials lack is conditional, and a setting is expected to have those that the
      seen setting most like it had, by its choices and whole numbers. What the model does not know yet is drawn at
      random by ``independent_sampler``.
    * *Start.* Until ``n_startup_trials`` are complete, settings are scrambled Sobol points.
    * *Model.* BoTorch's default Gaussian process at the maximum a posteriori
      (:mod:`~trimtab.search.bo_tutorial.fast_fit`); infinite and very bad values are tamed as for
      :func:`~trimtab.search.bo_tutorial.recommendation.recommend`. Of more than 1000 distinct settings it holds the
      1000 around its best.
    * *Constraints* (``Trial.set_constraint``, at most 0 is feasible). Each has a Gaussian process; only feasible
      settings are reported, and the acquisition function is multiplied by the probability that all constraints are
      kept. While nothing is feasible, that probability alone is maximised.
    * *Trials that run* count as evaluated with the value that is expected of them, so that the next ones go elsewhere.
      Settings of *failed and pruned trials* count likewise, but are never reported.
    * *Repeats.* Under noise a setting may be evaluated again, if that tells most. Where repeats have agreed exactly,
      or no noise is left in the model, no setting is evaluated a second time while another can be found.
    * *Going on.* All randomness comes from ``seed`` and the number of the trial, and nothing else is kept: a new
      sampler of the same settings and seed goes on with a stored study exactly as this one would.

    Two trials that are asked for at the same moment by different processes do not see each other, as Optuna stores a
    setting only when the objective asks for it.

    Args:
        acquisition: ``"noisy_ei"``, as above, or ``"ei"``, expected improvement of the function over the largest
            posterior mean (BoTorch's ``LogExpectedImprovement``), which overrates settings that are known under noise.
        surrogate: ``"gp"``; a name that :func:`~trimtab.search.bnn_surrogates.make.make_surrogate` knows; or a function
            ``(X, Y) -> model`` that returns a fitted BoTorch model of values of which larger ones are better, for
            points X of the unit cube, whose columns are the settings in the alphabetical order of their names, a choice
            of k with k columns. Constraints are modelled by Gaussian processes in any case. Of a model that is
            not Gaussian the acquisition is BoTorch's ``qLogExpectedImprovement``.
        n_startup_trials: complete trials before the model is asked; :math:`2 (d + 1)` for d parameters by default. The
            surrogates of ``make_surrogate`` need two in any case.
        num_restarts: local searches of the acquisition function. The default is BoTorch's usual number.
        raw_samples: points that they start from are chosen among. The default is BoTorch's usual number.
        independent_sampler: draws parameters that the model does not know; uniform in the unit cube by default, from
            the seed, the trial's number and the parameter's name.
        seed: of all randomness, a whole number >= 0; without one it comes from the operating system.

    Raises:
        ValueError: ``acquisition`` or ``surrogate`` is unknown, or a number is out of its range; the message names it.
        TypeError: ``independent_sampler`` is no sampler.

    Examples:
        >>> import optuna
        >>> study = optuna.create_study(sampler=BOSampler(seed=0))
        >>> study.optimize(lambda trial: (trial.suggest_float("x", -5, 5) - 2) ** 2, n_trials=20)
        >>> round(study.sampler.recommend(study).params["x"], 1)
        2.0
    """

    def __init__(
        self,
        *,
        acquisition: Literal["noisy_ei", "ei"] = "noisy_ei",
        surrogate: str | FitSurrogate = "gp",
        n_startup_trials: int | None = None,
        num_restarts: int = 10,
        raw_samples: int = 512,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        if acquisition not in ACQUISITIONS:
            raise InputError(f"acquisition={acquisition!r}: one of {', '.join(ACQUISITIONS)} is needed")
        if not callable(surrogate) and surrogate not in SURROGATES:
            raise InputError(f"surrogate={surrogate!r}: one of {', '.join(SURROGATES)} or a function is needed")
        if n_startup_trials is not None:
            check_whole("n_startup_trials", n_startup_trials, least=0)
        check_whole("num_restarts", num_restarts)
        check_whole("raw_samples", raw_samples)
        if independent_sampler is not None and not isinstance(independent_sampler, BaseSampler):
            raise TypeError(f"independent_sampler={independent_sampler!r}: an optuna.samplers.BaseSampler is needed")
        if seed is not None:
            check_whole("seed", seed, least=0)
        self._acquisition, self._surrogate = acquisition, surrogate
        self._n_startup_trials = n_startup_trials
        self._search = Search(num_restarts, raw_samples)
        self._independent_sampler = independent_sampler
        self._seed = secrets.randbits(32) if seed is None else seed

    def recommend(self, study: Study) -> Recommendation:
        """Returns the evaluated settings with the best posterior mean; see the function of this name.

        It is that of a Gaussian process with inferred noise, whatever ``surrogate`` chose the settings.
        """
        return recommend(study)

    def reseed_rng(self) -> None:
        """Does nothing, as trials that run at the same time have different numbers, but for the independent sampler."""
        if self._independent_sampler is not None:
            self._independent_sampler.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tells the independent sampler.

        Raises:
            ValueError: the study has several objectives.
        """
        check_one_objective(study)
        if self._independent_sampler is not None:
            self._independent_sampler.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tells the independent sampler."""
        if self._independent_sampler is not None:
            self._independent_sampler.after_trial(study, trial, state, values)

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002  # Optuna's signature
    ) -> dict[str, BaseDistribution]:
        """Returns the latest ranges of all parameters of complete trials that have more than one value."""
        check_one_objective(study)
        found: dict[str, BaseDistribution] = {}
        for each in complete_trials(study):
            found.update(each.distributions)
        return {name: found[name] for name in sorted(found) if not found[name].single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns the next settings, as far as the model knows the space."""
        check_one_objective(study)
        trials = complete_trials(study)
        known = {name: kind for name, kind in search_space.items() if any(name in each.params for each in trials)}
        if not known:
            return {}
        conditional = [name for name in known if not all(name in each.params for each in trials)]
        cube = UnitCube(known, conditional)
        enough = 2 * (len(known) + 1) if self._n_startup_trials is None else self._n_startup_trials
        near = [each for each, far in zip(trials, _is_far(cube, trials), strict=True) if not far]
        if len(near) < max(enough, _LEAST if self._surrogate in NAMED else 1):
            return self._startup(UnitCube(known), trial.number)
        seen = StudyData.of_study(study, cube, near)
        point = self._proposed(study, trial, seen)
        settings = cube.from_unit(point[None])[0]
        return {name: settings[name] for name in known if name in settings}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Returns a value of a parameter that the model does not know."""
        check_one_objective(study)
        if self._independent_sampler is not None:
            return self._independent_sampler.sample_independent(study, trial, param_name, param_distribution)
        cube = UnitCube({param_name: param_distribution})
        generator = self._generator(trial.number, _ALONE, zlib.crc32(param_name.encode()))
        return cube.from_unit(generator.random((1, cube.dimension)))[0][param_name]

    def _generator(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *stream])

    def _startup(self, cube: UnitCube, number: int) -> dict[str, Any]:
        engine = qmc.Sobol(cube.dimension, rng=self._generator(_STARTUP))
        engine.fast_forward(number)
        return cube.from_unit(engine.random(1))[0]

    def _proposed(self, study: Study, trial: FrozenTrial, seen: StudyData) -> Float[np.ndarray, " d"]:
        feasible = seen.feasible
        without = _WithoutValue.of_study(study, seen.cube, trial.number)
        criteria: list[Criterion] = []
        if seen.constraints:
            margins = [FastGP(each.thinned(_LARGEST)).with_pending(without.running) for each in seen.margins()]
            criteria.append(LogFeasibility(margins))
        best, certain = seen.points[:0], _repeats_agree(seen)
        if feasible.any():
            process, held = bounded_model(seen.data, _LARGEST)
            certain |= process.is_certain
            reported = feasible[held]
            if not reported.any():  # far from all that is held, which is where the model expects most
                reported = np.ones_like(reported)
            order = np.argsort(np.where(reported, -process.means, np.inf), kind="stable")
            best = process.data.points[order[: min(2, int(reported.sum()))]]
            criteria.append(self._criterion(seen, process, reported, without))
        return propose(
            criteria[0] if len(criteria) == 1 else Sum(criteria),
            seen.cube,
            SeenActivity(seen.cube, seen.points),
            self._search,
            self._generator(_SEARCH, trial.number),
            around=best,
            avoided=np.vstack([seen.points, without.running, without.failed]) if certain else without.failed,
        )

    def _criterion(
        self,
        seen: StudyData,
        process: FastGP,
        reported: Bool[np.ndarray, " n"],
        without: "_WithoutValue",
    ) -> Criterion:
        if self._surrogate == "gp":
            extended = process.with_pending(np.vstack([without.running, without.failed]))
            also = np.repeat([True, False], [len(without.running), len(without.failed)])
            return ACQUISITIONS[self._acquisition](extended, np.append(reported, also))
        import torch

        from trimtab.primitives.global_randomness import seeded_globally
        from trimtab.search.bo_tutorial.botorch_criterion import BoTorchCriterion, acquisition_of

        seed = int(self._generator(_MODEL, without.number).integers(2**32))
        points = torch.from_numpy(seen.points[seen.group])
        values = torch.from_numpy(seen.values)[:, None]
        with seeded_globally(seed):
            model = self._fitted(points, values, seed)
            known = torch.from_numpy(process.data.points[reported])
            pending = torch.from_numpy(without.running)
            return BoTorchCriterion(acquisition_of(self._acquisition, model, known, pending, seed))

    def _fitted(self, points: Any, values: Any, seed: int) -> Any:
        from botorch.models.model import Model
        from botorch.settings import validate_input_scaling

        with validate_input_scaling(False):  # points of an earlier, wider range may be outside the unit cube
            if callable(self._surrogate):
                model = self._surrogate(points, values)
                if not isinstance(model, Model):
                    raise TypeError(f"surrogate returned {model!r}: a fitted botorch.models.model.Model is needed")
                return model
            from trimtab.search.bnn_surrogates.make import make_surrogate

            return make_surrogate(self._surrogate, points, values, seed=seed)


@dataclass(frozen=True)
class _WithoutValue:
    """Settings that have no value, or not yet, and the number of the trial that asks."""

    running: Points
    failed: Points
    number: int

    @classmethod
    def of_study(cls, study: Study, cube: UnitCube, number: int) -> "_WithoutValue":
        running = cls._points(study, cube, TrialState.RUNNING, but=number)
        return cls(running, cls._points(study, cube, TrialState.FAIL, TrialState.PRUNED)[-_LATEST_FAILED:], number)

    @staticmethod
    def _points(study: Study, cube: UnitCube, *states: TrialState, but: int | None = None) -> Points:
        """Returns the settings of trials in some states, as far as they have all that is not conditional."""
        needed = cube.distributions.keys() - cube.conditional
        found: list[Mapping[str, Any]] = [
            each.params
            for each in study.get_trials(deepcopy=False, states=states)
            if each.number != but and each.params and needed <= each.params.keys()
        ]
        return cube.to_unit(found, clip=False)


def _is_far(cube: UnitCube, trials: Sequence[FrozenTrial]) -> Bool[np.ndarray, " t"]:
    """Returns which trials are outside their range by more than its width."""
    points = cube.to_unit([each.params for each in trials], clip=False)
    return np.asarray(((points < -1) | (points > 2)).any(1))


def _repeats_agree(seen: StudyData) -> bool:
    """Returns whether there are repeats, and all had the same value."""
    return len(seen.points) < len(seen.values) and bool((seen.values == seen.values[seen.first][seen.group]).all())
