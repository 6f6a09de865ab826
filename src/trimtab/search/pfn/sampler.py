"""Constrained search by a prior-data fitted network, as a sampler of Optuna."""

import functools
import math
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import intersection_search_space
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.pfn.network import PFN
from trimtab.search.pfn.penalized import PenalizedObjective
from trimtab.search.pfn.proposal import Acquisition, Incumbent, Observations, Proposal
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError


class PFNSampler(BaseSampler):
    r"""Suggests where the expected improvement times the probability that all constraints hold is largest.

    Both come from a transformer that was trained once on functions of a prior, and predicts the objective and all
    constraints in one pass, without fitting anything: see :class:`~trimtab.search.pfn.network.PFN`,
    :class:`~trimtab.search.pfn.proposal.Proposal` and :class:`~trimtab.search.pfn.acquisition.LogPFNConstrainedEI`.

    Constraints are those that an objective sets by ``trial.set_constraint(name, value)``, of which 0 and less are
    feasible. Without any it is unconstrained expected improvement. A finished trial is left out where its value or a
    constraint is infinite, and where it lacks a constraint that others have. Running trials are taken as if they had
    been observed to be what is predicted of them.

    Settings that all finished trials have are suggested together, as points of a unit cube (a choice of k takes k of
    its dimensions); all others are drawn at random. Networks for up to 2 and up to 6 dimensions ship.

    Nothing is kept but what it was built with: a suggestion follows from the seed, the trial's number and the trials of
    the study, so that a new sampler goes on with a study as the old one would have. Trials that run at the same time
    are part of that.

    Differs from the paper as :class:`~trimtab.search.pfn.proposal.Proposal` says, and in the networks, which are
    smaller by far and trained on another prior.

    Args:
        seed: of all that is drawn; ``None`` takes one from the operating system.
        pfn: the network. Default: the smallest that ships and has enough inputs.
        n_startup_trials: finished trials before the network is asked; the trials until then are random. The default is
            the paper's.
        acquisition: ``"cei"``, ``"cei+"`` or ``"pen"``.
        incumbent: ``"feasible"``, or ``"all"`` as in the paper's code.
        candidates: random points of which the acquisition is asked. The default is the paper's.
        refined: how many of them are refined by L-BFGS-B; 0 is the paper's, and takes a quarter of the time for a
            regret that is higher on average (:class:`~trimtab.search.pfn.proposal.Proposal` has the numbers).
        penalty: of ``"pen"``.

    Raises:
        InputError: a setting is outside its range; when a trial begins, the study has several objectives; or, when the
            network is to be asked, the search space has more dimensions than it has inputs. The message says which.

    Warns:
        UserWarning: the first finished trial has more dimensions. In a study that is defined by the run other trials
            may lack some of them, so that only the trials will tell.

    Source: Yu, Picard and Ahmed (2024), arXiv:2404.04495.

    Examples:
        >>> def objective(trial):
        ...     x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        ...     trial.set_constraint("sum", x + y - 0.75)
        ...     return (x - 0.5) ** 2 + (y - 0.5) ** 2
        >>> study = optuna.create_study(sampler=PFNSampler(seed=0))
        >>> study.optimize(objective, n_trials=30)
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        pfn: PFN | None = None,
        n_startup_trials: int = 20,
        acquisition: Acquisition = "cei",
        incumbent: Incumbent = "feasible",
        candidates: int = 1000,
        refined: int = 5,
        penalty: PenalizedObjective | None = None,
    ) -> None:
        if seed is not None:
            check_whole("seed", seed, least=0)
        check_whole("n_startup_trials", n_startup_trials)
        if pfn is not None and not isinstance(pfn, PFN):
            raise TypeError(f"pfn={pfn!r}: a network (PFN) is needed")
        self._proposal = Proposal(acquisition, incumbent, candidates, refined, penalty=penalty or PenalizedObjective())
        self._seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._pfn = pfn
        self._n_startup_trials = n_startup_trials

    def check_space(self, space: Mapping[str, BaseDistribution]) -> None:
        """Returns if settings can be suggested by the network, all of them together.

        Raises:
            InputError: they have more dimensions than the network has inputs.
        """
        searched = {name: kind for name, kind in space.items() if not kind.single()}
        if searched:
            self._network(UnitCube(searched), searched)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:  # noqa: ARG002  # Optuna's signature
        """Checks what can be told before an evaluation is paid for.

        Raises:
            InputError: the study has several objectives.
        """
        if len(study.directions) > 1:
            raise InputError(f"study has {len(study.directions)} objectives: a study with one is needed")
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(finished) == 1 < self._n_startup_trials:
            try:
                self.check_space(finished[0].distributions)
            except InputError as error:
                warnings.warn(
                    f"trial {finished[0].number} has too many settings for the network: {error}. Unless later trials "
                    f"lack some, the search ends with this error after {self._n_startup_trials} trials",
                    stacklevel=2,
                )

    def infer_relative_search_space(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002  # Optuna's signature
    ) -> dict[str, BaseDistribution]:
        """Returns the settings that all finished trials have, once there are enough trials to learn from."""
        trials = _learnt_from(study)
        if len(trials) < self._n_startup_trials:
            return {}
        space = intersection_search_space(study.get_trials(deepcopy=False))
        return {name: kind for name, kind in space.items() if not kind.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns settings of a search space.

        Raises:
            InputError: the space has more dimensions than the network has inputs.
        """
        if not search_space:
            return {}
        cube = UnitCube(search_space)
        pfn = self._network(cube, search_space)
        trials = [each for each in _learnt_from(study) if search_space.keys() <= each.params.keys()]
        if not trials:
            return {}
        running = [
            each.params
            for each in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if each.number != trial.number and search_space.keys() <= each.params.keys()
        ]
        sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
        names = sorted({name for each in trials for name in each.constraints})
        seen = Observations(
            x=cube.to_unit([each.params for each in trials]),
            objective=np.array([sign * _value(each) for each in trials]),
            constraints=np.array([[each.constraints[name] for name in names] for each in trials]).reshape(
                len(trials), -1
            ),
            pending=cube.to_unit(running) if running else None,
        )
        generator = torch.Generator().manual_seed(self._drawn(trial, "") % 2**63)
        point = self._proposal.next_point(seen, pfn, generator, initial=min(self._n_startup_trials, len(trials)))
        return cube.from_unit(point[None])[0]

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Returns a value at random."""
        sampler = RandomSampler(seed=self._drawn(trial, param_name) % 2**32)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _network(self, cube: UnitCube, space: dict[str, BaseDistribution]) -> PFN:
        if self._pfn is None:
            try:
                return _shipped(cube.dimension)
            except InputError as error:
                raise InputError(f"search_space={list(space)}: {error}") from None
        if cube.dimension > self._pfn.d_max:
            raise InputError(
                f"search_space={list(space)}: {cube.dimension} dimensions, and the network takes {self._pfn.d_max}"
            )
        return self._pfn

    def _drawn(self, trial: FrozenTrial, name: str) -> int:
        """A number at random that follows from the seed, the trial and a name."""
        entropy = (self._seed, trial.number, zlib.crc32(name.encode()))
        return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


@functools.cache
def _shipped(inputs: int) -> PFN:
    return PFN.load(inputs=inputs)


def _value(trial: FrozenTrial) -> float:
    return math.nan if trial.value is None else trial.value


def _learnt_from(study: Study) -> Sequence[FrozenTrial]:
    """Finished trials whose value and constraints are finite, and that have all constraints that there are."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    names = {name for each in trials for name in each.constraints}
    return [
        each
        for each in trials
        if math.isfinite(_value(each))
        and names <= each.constraints.keys()
        and all(math.isfinite(value) for value in each.constraints.values())
    ]
