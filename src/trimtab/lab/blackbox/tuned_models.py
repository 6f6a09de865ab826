"""Tuning real models: scikit-learn's, on the data that it brings, by cross-validation."""

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trimtab.lab.blackbox.problem import BlackBox, Distribution, Params
from trimtab.study.metric import Metric, Split

FOLDS = 3


class TunedModel(BlackBox):
    """A model's settings; an evaluation cross-validates a model on a part of the data, with folds drawn anew each time.

    A seed decides which samples are developed on; what settings are worth is what a model of all of those scores on
    samples that no evaluation sees, and once, in the end, on others that nothing sees.

    Attributes:
        development: samples to cross-validate on.
        validation: samples that say what settings are worth; all others are the test.
        data: loads the data of scikit-learn.
    """

    seeds = 10
    tested = True
    development: ClassVar[int]
    validation: ClassVar[int]
    data: ClassVar[str]
    modules: ClassVar = (*BlackBox.modules, "sklearn.datasets", "sklearn.model_selection")

    def __init__(self) -> None:
        from sklearn import datasets

        self._inputs, self._targets = getattr(datasets, f"load_{self.data}")(return_X_y=True)
        self._order = np.random.default_rng(0).permutation(len(self._targets))
        self._model_seed = 0
        tests = len(self._targets) - self.development - self.validation
        self.summary = (
            f"{type(self).__doc__} An evaluation is the {self.metric.name} in {FOLDS}-fold cross-validation on "
            f"{self.development} samples, with folds and models drawn anew; in the end that of a model of all of them "
            f"counts, on {self.validation} others, and is told on {tests} more. Each seed draws which is which."
        )

    @abstractmethod
    def model(self, params: Params, seed: int, /) -> Any:
        """Returns a model of scikit-learn that is not fitted."""

    @abstractmethod
    def score(self, model: Any, inputs: Float[np.ndarray, "n d"], targets: Float[np.ndarray, " n"]) -> float:
        """Returns how far a fitted model is off."""

    def placed(self, generator: np.random.Generator) -> Self:
        """Returns the problem with other samples to develop on."""
        found = copy.copy(self)
        found._order = generator.permutation(len(self._targets))
        found._model_seed = int(generator.integers(2**31))
        return found

    def evaluate(self, params: Params, generator: np.random.Generator) -> float:
        """Returns the mean over folds."""
        from sklearn.model_selection import KFold

        folds, seed = (int(each) for each in generator.integers(2**31, size=2))
        rows = self._order[: self.development]
        parts = KFold(FOLDS, shuffle=True, random_state=folds).split(rows)
        return float(np.mean([self._off(params, rows[fit], rows[score], seed) for fit, score in parts]))

    def true_value(self, params: Params, split: Split, /) -> float:
        """Returns how far a model of all samples that are developed on is off on a split."""
        ends: dict[Split, tuple[int, int | None]] = {
            "train": (0, self.development),
            "validation": (self.development, self.development + self.validation),
            "test": (self.development + self.validation, None),
        }
        rows = self._order[slice(*ends[split])]
        return self._off(params, self._order[: self.development], rows, self._model_seed)

    def _off(self, params: Params, fit: Any, score: Any, seed: int) -> float:
        model = self.model(params, seed)
        with warnings.catch_warnings(action="ignore"):  # of a fit that did not converge, which is its own punishment
            model.fit(self._inputs[fit], self._targets[fit])
            return float(self.score(model, self._inputs[score], self._targets[score]))


def _error(model: Any, inputs: Any, targets: Any) -> float:
    return 1.0 - float(model.score(inputs, targets))


def _log_loss(model: Any, inputs: Any, targets: Any) -> float:
    from sklearn.metrics import log_loss

    # one tree may be sure, and wrong
    return float(log_loss(targets, np.clip(model.predict_proba(inputs), 1e-3, 1), labels=model.classes_))


class SVCDigits(TunedModel):
    """Which kernel of a support vector classifier, and with which width and penalty, tells digits apart?"""

    name = "svc-digits"
    metric = Metric("error", "min", bounds=(0, 1))
    space: Mapping[str, Distribution] = {
        "kernel": CategoricalDistribution(["rbf", "poly", "sigmoid"]),
        "C": FloatDistribution(1e-3, 1e3, log=True),
        "gamma": FloatDistribution(1e-6, 1e0, log=True),
        "degree": IntDistribution(2, 5),
    }
    data, development, validation = "digits", 500, 600
    modules: ClassVar = (*TunedModel.modules, "sklearn.svm")
    score: ClassVar[Callable[..., float]] = staticmethod(_error)

    def model(self, params: Params, _seed: int, /) -> Any:
        """Returns a support vector classifier."""
        from sklearn.svm import SVC

        return SVC(**params)


class ForestBreastCancer(TunedModel):
    """Which random forest tells whether a tumour is benign?"""

    name = "forest-breast-cancer"
    metric = Metric("log loss", "min", bounds=(0, None))
    space: Mapping[str, Distribution] = {
        "n_estimators": IntDistribution(4, 64, log=True),
        "max_depth": IntDistribution(1, 16),
        "min_samples_leaf": IntDistribution(1, 32, log=True),
        "max_features": FloatDistribution(0.05, 1.0),
        "criterion": CategoricalDistribution(["gini", "entropy"]),
        "bootstrap": CategoricalDistribution([True, False]),
    }
    data, development, validation = "breast_cancer", 240, 160
    modules: ClassVar = (*TunedModel.modules, "sklearn.ensemble")
    score: ClassVar[Callable[..., float]] = staticmethod(_log_loss)

    def model(self, params: Params, seed: int, /) -> Any:
        """Returns a random forest."""
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(**params, random_state=seed)


class BoostingDiabetes(TunedModel):
    """Which boosted trees foretell how far a patient's diabetes progresses in a year?"""

    name = "boosting-diabetes"
    metric = Metric("RMSE", "min", bounds=(0, None))
    space: Mapping[str, Distribution] = {
        "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "n_estimators": IntDistribution(8, 128, log=True),
        "max_depth": IntDistribution(1, 8),
        "subsample": FloatDistribution(0.1, 1.0),
        "min_samples_leaf": IntDistribution(1, 64, log=True),
        "loss": CategoricalDistribution(["squared_error", "absolute_error", "huber"]),
    }
    data, development, validation = "diabetes", 180, 130
    modules: ClassVar = (*TunedModel.modules, "sklearn.ensemble")

    def model(self, params: Params, seed: int, /) -> Any:
        """Returns gradient boosting."""
        from sklearn.ensemble import GradientBoostingRegressor

        return GradientBoostingRegressor(**params, random_state=seed)

    def score(self, model: Any, inputs: Float[np.ndarray, "n d"], targets: Float[np.ndarray, " n"]) -> float:
        """Returns the root of the mean squared error."""
        return float(np.sqrt(np.mean((model.predict(inputs) - targets) ** 2)))


class MLPDigits(TunedModel):
    """Which perceptron, trained for ten epochs, tells digits apart?"""

    name = "mlp-digits"
    metric = Metric("error", "min", bounds=(0, 1))
    space: Mapping[str, Distribution] = {
        "width": IntDistribution(8, 128, log=True),
        "layers": IntDistribution(1, 3),
        "activation": CategoricalDistribution(["relu", "tanh", "logistic"]),
        "alpha": FloatDistribution(1e-6, 1.0, log=True),
        "learning_rate_init": FloatDistribution(1e-4, 1e-1, log=True),
        "batch_size": IntDistribution(8, 128, log=True),
    }
    data, development, validation = "digits", 500, 600
    modules: ClassVar = (*TunedModel.modules, "sklearn.neural_network")
    score: ClassVar[Callable[..., float]] = staticmethod(_error)

    def model(self, params: Params, seed: int, /) -> Any:
        """Returns a perceptron."""
        from sklearn.neural_network import MLPClassifier

        rest = dict(params)
        hidden: Sequence[int] = (rest.pop("width"),) * rest.pop("layers")
        return MLPClassifier(hidden, **rest, max_iter=10, random_state=seed)
