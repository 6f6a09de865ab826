"""An objective that pays for the constraints it breaks, more the longer nothing improves (PFN-Pen and GP-Pen)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from trimtab.study.checks import check_number, check_whole
from trimtab.study.errors import InputError


@dataclass(frozen=True)
class PenalizedObjective:
    r"""An objective to be maximised, less a penalty.

    .. math:: f_{\mathrm{pen}} = f - \rho \sum_j \max(0, g_j)^2

    :math:`\rho` grows by a factor whenever so many observations have not improved on the best before them. They need
    not come one after another: the count begins anew only when :math:`\rho` grows. What is the best is asked on the
    scale of the :math:`\rho` of the time.

    It keeps nothing: :meth:`rho_after` follows from the observations in their order, so that a search that was cut off
    goes on as it would have.

    Args:
        rho: what the penalty begins with, > 0. All defaults are the paper's.
        growth: factor, >= 1.
        patience: how many observations.

    Raises:
        InputError: a setting is outside its range; the message names it.

    Source: Yu, Picard and Ahmed (2024), arXiv:2404.04495.
    """

    rho: float = 1.0
    growth: float = 1.5
    patience: int = 5

    def __post_init__(self) -> None:
        check_number("rho", self.rho)
        if not self.rho > 0:
            raise InputError(f"rho={self.rho}: a positive number is needed")
        check_number("growth", self.growth)
        if self.growth < 1:
            raise InputError(f"growth={self.growth}: a factor >= 1 is needed")
        check_whole("patience", self.patience)

    def __call__(
        self, objective: Float[np.ndarray, "n"], constraints: Float[np.ndarray, "n constraints"], *, initial: int = 1
    ) -> Float[np.ndarray, "n"]:
        """Returns the penalised objective of all observations, with the penalty as it is after the last.

        Args:
            objective: to be maximised, in the order in which it was observed.
            constraints: of each observation, which hold where they are <= 0.
            initial: how many observations at the beginning are not counted, for they were not meant to improve.
        """
        rho = self.rho_after(objective, constraints, initial=initial)
        return np.asarray(objective - rho * _violation(constraints))

    def rho_after(
        self, objective: Float[np.ndarray, "n"], constraints: Float[np.ndarray, "n constraints"], *, initial: int = 1
    ) -> float:
        """Returns the factor of the penalty after all observations.

        Args:
            objective: as in :meth:`__call__`.
            constraints: as in :meth:`__call__`.
            initial: as in :meth:`__call__`.

        Raises:
            InputError: shapes do not fit, or something is NaN.
        """
        check_whole("initial", initial)
        if objective.ndim != 1 or constraints.ndim != 2 or len(objective) != len(constraints):
            shapes = f"{objective.shape} and {constraints.shape}"
            raise InputError(f"objective and constraints of shapes {shapes}: (n,) and (n, constraints) are needed")
        if np.isnan(objective).any() or np.isnan(constraints).any():
            raise InputError("objective and constraints must be numbers, and one is NaN")
        violation = _violation(constraints)
        rho, idle = float(self.rho), 0
        for n in range(initial, len(objective)):
            penalised = objective[: n + 1] - rho * violation[: n + 1]
            idle += not penalised[n] > penalised[:n].max()
            if idle == self.patience:
                rho, idle = rho * self.growth, 0
        return rho


def _violation(constraints: Float[np.ndarray, "n constraints"]) -> Float[np.ndarray, "n"]:
    return np.asarray((np.maximum(constraints, 0) ** 2).sum(axis=1))
