"""A study that was paid for, as a problem that costs nothing: forests of its trials say what an evaluation would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, cast

import numpy as np
from jaxtyping import Float
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from trimtab.lab.blackbox.finished_study import FinishedStudy, read_finished, shown_place
from trimtab.lab.blackbox.observation import Observation
from trimtab.lab.blackbox.presence import Presence
from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.lab.blackbox.search import constraints_of
from trimtab.lab.blackbox.spaces import Distribution, suggest
from trimtab.lab.problem import Filling
from trimtab.primitives.unit_cube import UnitCube
from trimtab.study.checks import check_whole
from trimtab.study.errors import InputError
from trimtab.study.facts import Facts
from trimtab.study.metric import Metric, Split
from trimtab.study.phrases import count, listed

LEAST_TRIALS = 50
"""Of fewer trials a forest says too little."""

LEAST_FIT = 0.3
"""A smaller out-of-bag R² is that of a forest which knows little of the study."""


@dataclass(frozen=True)
class Forest:
    """A random forest of settings in the unit cube (Breiman 2001), and how far off it is where it did not look.

    Args:
        model: scikit-learn's, fitted.
        fit: its out-of-bag R².
        residuals: of the samples, out of bag, less their mean.
    """

    model: Any
    fit: float
    residuals: Float[np.ndarray, " n"]

    @classmethod
    def of(cls, inputs: Float[np.ndarray, "n d"], targets: Float[np.ndarray, " n"]) -> Self:
        """Fits one of 100 trees, with the defaults of scikit-learn."""
        from sklearn.ensemble import RandomForestRegressor

        model = RandomForestRegressor(n_estimators=100, oob_score=True, random_state=0).fit(inputs, targets)
        off = targets - model.oob_prediction_
        return cls(model, float(model.oob_score_), off - off.mean())

    def at(self, point: Float[np.ndarray, " d"]) -> float:
        """Returns what it foretells."""
        return float(self.model.predict(point[None])[0])


class ReplayedStudy(BlackBox):
    r"""A finished study of Optuna's, of which a random forest says what an evaluation would have said.

    The forest :math:`m` is fitted to the complete trials :math:`(x_i, y_i)` in the unit cube of their parameters. Of
    each trial, the trees that did not see it make an out-of-bag prediction :math:`\tilde m(x_i)`, and these leave
    residuals. What settings are worth is the forest's prediction; an evaluation adds one of the residuals, which the
    generator draws:

    .. math::
        f(x) = m(x), \qquad y = m(x) + r_j, \quad j \sim \mathcal U\{1, \ldots, n\}, \qquad
        r_i = y_i - \tilde m(x_i) - \frac1n \sum_{k=1}^n \bigl(y_k - \tilde m(x_k)\bigr).

    The residuals hold what the forest misses beside the noise of the objective, so that the problem is the noisier of
    the two; and a forest is constant between trials. Each constraint has a forest of its own, of the trials that tell
    of it, and is told without noise.

    A parameter that some trials lack is conditional: a decision tree learns of the trials from which values of the
    others it appears, and it is suggested where the tree says so, after those on which it depends, as the objective
    would have done. Where ranges changed from trial to trial, the widest is searched.

    Surrogates of this kind are those of K. Eggensperger, F. Hutter, H. Hoos and K. Leyton-Brown (2015), *Efficient
    benchmarking of hyperparameter optimizers via surrogates*, AAAI; theirs are without noise.

    Args:
        place: where the study is, as :func:`~trimtab.lab.blackbox.finished_study.read_finished` takes it.
        evaluations: length of a run.
        workers: how many evaluations are under way at a time.

    Raises:
        InputError: there is no such study, or it has several objectives, too few trials, nothing to search, or values
            that a forest does not foretell.
    """

    def __init__(self, place: str, *, evaluations: int = 40, workers: int = 1) -> None:
        check_whole("evaluations", evaluations)
        self.evaluations, self.workers = evaluations, workers
        self._place = place
        study = read_finished(place)
        self._fingerprint = study.fingerprint()
        self.name, self.metric = study.name, Metric(study.metric, study.direction)
        self._cube, self._presence, self._forest = _fitted(study)
        self.space = cast(Mapping[str, Distribution], self._cube.distributions)  # the cube has looked at their kinds
        self._constraints = {n: self._constraint(n, trials) for n, trials in study.constraints().items()}
        self.constraints = len(self._constraints)
        self.introduction = (
            f"{study.name} is a random forest of {count(len(study.trials), 'trial')}, whose out-of-bag R² is "
            f"{self._forest.fit:.2f}."
        )
        self.summary = self._words(study)

    def _constraint(self, name: str, trials: Sequence[FrozenTrial]) -> Forest:
        if len(trials) < LEAST_TRIALS:
            raise InputError(
                f"the constraint {name!r} is told by {count(len(trials), 'complete trial')} of the study, and a forest "
                f"needs {LEAST_TRIALS}"
            )
        found = [{str(n): value for n, value in constraints_of(trial).items()}[name] for trial in trials]
        return Forest.of(self._cube.to_unit([trial.params for trial in trials]), np.array(found, dtype=float))

    def _words(self, study: FinishedStudy) -> str:
        said = (
            f"A random forest of the {count(len(study.trials), 'complete trial')} of the study {study.name!r} in "
            f"{study.storage} stands for its objective; its out-of-bag R² is {self._forest.fit:.2f}. An evaluation is "
            "what it foretells and one of its out-of-bag errors, drawn at random; in the end what it foretells counts."
        )
        if self._constraints:
            fits = [f"{name} (R² {forest.fit:.2f})" for name, forest in self._constraints.items()]
            said += f" Constraints have forests of their own, and no noise: {', '.join(fits)}."
        if self._presence.names:
            one = len(self._presence.names) == 1
            said += (
                f" {listed(list(self._presence.names))} appear{'s' * one} where {'it' if one else 'they'} did in the "
                "trials, as a decision tree tells from the others."
            )
        return said

    @cached_property
    def _always(self) -> dict[str, Distribution]:
        """The parameters that all settings have."""
        return {name: each for name, each in self.distributions.items() if name not in self._cube.conditional}

    def ask(self, study: Study) -> Trial:
        """Begins an evaluation: has the sampler choose what all settings have, and then what these bring with them."""
        trial = study.ask(dict(self._always))
        for name in self._presence.names:
            if self._presence.has(name, trial.params):
                suggest(trial, name, self._cube.distributions[name])
        return trial

    def evaluate(self, params: Params, generator: np.random.Generator) -> Observation:
        """Returns what the forests foretell, with noise."""
        found = self.true_value(params, "validation")
        return Observation(
            found.value + float(generator.choice(self._forest.residuals)), found.constraints, None, found.names
        )

    def true_value(self, params: Params, _split: Split, /) -> Observation:
        """Returns what the forests foretell; what settings should not have is passed over."""
        (point,) = self._cube.to_unit([self._presence.only(params)])
        constraints = tuple(forest.at(point) for forest in self._constraints.values())
        return Observation(self._forest.at(point), constraints, None, tuple(self._constraints))

    def source(self) -> str:
        """Returns what changes when the trials do."""
        return super().source() + self._fingerprint

    def facts(self, reference: str, candidates: Sequence[Filling], budget: int | None, /) -> Facts:
        """Returns what a reader has to know, without a password that may be in the reference."""
        return super().facts(reference.replace(self._place, shown_place(self._place)), candidates, budget)


def _fitted(study: FinishedStudy) -> tuple[UnitCube, Presence, Forest]:
    """Returns the cube of a study's parameters, which of them are where, and the forest of its values."""
    what = f"the study {study.name!r} in {study.storage}"
    if len(study.trials) < LEAST_TRIALS:
        raise InputError(
            f"{what} has {count(len(study.trials), 'complete trial')} with a finite value, and a forest needs "
            f"{LEAST_TRIALS}"
        )
    cube = UnitCube.of_trials(study.trials, widest=True)
    if not cube.dimension:
        raise InputError(f"{what} has no parameter with more than one value: there is nothing to search")
    values = np.array([trial.value for trial in study.trials], dtype=float)
    if not np.ptp(values):
        raise InputError(f"all complete trials of {what} have the value {values[0]:g}: there is nothing to search")
    settings: list[Mapping[str, Any]] = [trial.params for trial in study.trials]
    forest = Forest.of(cube.to_unit(settings), values)
    if not forest.fit >= LEAST_FIT:
        raise InputError(
            f"a random forest foretells too little of {what}: its out-of-bag R² is {forest.fit:.2f}, and at least "
            f"{LEAST_FIT} is needed. More trials may help, or the objective is mostly noise"
        )
    return cube, Presence(cube, settings), forest
