"""Tuning a real model: scikit-learn's support vector classifier on its images of digits."""

import warnings
from typing import Any, ClassVar

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.study.metric import Metric, Split

TRAIN, VALIDATION = 500, 600
"""Images to train on, and to choose by; the other 697 are the test."""

FOLDED = 400
"""So many of the training images an observation trains on, drawn anew each time, and scores the rest."""


class TunedSVC(BlackBox):
    """Which kernel, and with which width and penalty, separates digits?

    An observation trains on 400 of the 500 training images, drawn at random, and returns the error on the other 100.
    What settings are worth is the error of a model of all 500, on images that no observation sees.
    """

    name = "tuned-svc"
    metric = Metric("error", "min", bounds=(0, 1))
    space: ClassVar = {
        "kernel": CategoricalDistribution(["rbf", "poly", "sigmoid"]),
        "C": FloatDistribution(1e-3, 1e3, log=True),
        "gamma": FloatDistribution(1e-6, 1e0, log=True),
        "degree": IntDistribution(2, 5),
    }
    evaluations = 40
    tested = True
    summary = (
        "scikit-learn's SVC on its 8x8 images of digits, pixels from 0 to 16: an observation is the error on 100 "
        "images after training on 400 others, drawn at random; in the end the error counts of a model of all 500, on "
        "600 other images."
    )
    modules: ClassVar = (*BlackBox.modules, "sklearn.svm", "sklearn.datasets")

    def __init__(self) -> None:
        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(labels))
        self._images, self._labels = images[order], labels[order]

    def observe(self, params: Params, generator: np.random.Generator) -> float:
        """Returns the error on a part of the training images, of a model of the others."""
        rows = generator.permutation(TRAIN)
        return self._error(params, rows[:FOLDED], rows[FOLDED:])

    def truth(self, params: Params, split: Split, /) -> float:
        """Returns the error on a split, of a model of all training images."""
        ends = {"train": (0, TRAIN), "validation": (TRAIN, TRAIN + VALIDATION), "test": (TRAIN + VALIDATION, None)}
        return self._error(params, slice(0, TRAIN), slice(*ends[split]))

    def _error(self, params: Params, train: Any, score: Any) -> float:
        model = SVC(**params)
        with warnings.catch_warnings(action="ignore"):  # of a fit that did not converge, which is its own punishment
            model.fit(self._images[train], self._labels[train])
        return 1.0 - float(model.score(self._images[score], self._labels[score]))
