r"""Performance profiles: one number for how close a solver comes to the fastest one, over several problems.

Averages over problems of different length say little: the longest decides. A performance profile (Dolan and Moré, 2002,
"Benchmarking optimization software with performance profiles", arXiv:cs/0102001) compares within each problem. With
:math:`t_{s,w}` the cost at which solver :math:`s` reaches the target of problem :math:`w`, infinite if it never does,

.. math:: r_{s,w} = \frac{t_{s,w}}{\min_{s'} t_{s',w}}, \qquad
          \rho_s(\tau) = \frac1n \,\bigl|\{w : r_{s,w} \le \tau\}\bigr|, \qquad
          B_s = \frac{1}{\tau_{\max} - 1} \int_1^{\tau_{\max}} \rho_s(\tau)\, d\tau .

The integral is AlgoPerf's score (Dahl et al., 2023, "Benchmarking Neural Network Training Algorithms",
arXiv:2306.07179), with :math:`\tau_{\max} = 4`: 1 for a solver that is the fastest everywhere, 0 for one that nowhere
needs less than four times the cost of the fastest. :math:`\rho_s` is a step function, so that the integral is

.. math:: B_s = \frac1n \sum_w \frac{\max(0,\, \tau_{\max} - r_{s,w})}{\tau_{\max} - 1}

exactly, where AlgoPerf's own code sums trapezia over a grid of 100 points, which ``grid=100`` does as well: the two
differ by up to 0.0015 on its published results. As there, a problem that no solver solves counts for none
of them and stays among the :math:`n`.

Ratios depend on who takes part: one more solver that is fast somewhere lowers the scores of all others. A score is of
this set of solvers on this set of problems, and nothing in it says how it would be on others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trimtab.study.checks import MANY, check_number, check_whole
from trimtab.study.errors import InputError

TAU_MAX = 4.0
"""AlgoPerf's upper end of the integral."""


@dataclass(frozen=True)
class PerformanceProfile:
    r"""How close a solver comes to the fastest.

    Args:
        ratios: its cost over that of the fastest solver, a problem each; infinite where it did not reach the target.
        tau_max: upper end of the profile, > 1.
        grid: points over which the score sums trapezia; ``None`` for the exact integral.
    """

    ratios: tuple[float, ...]
    tau_max: float = TAU_MAX
    grid: int | None = None

    def share(self, tau: float) -> float:
        r"""Returns :math:`\rho(\tau)`, the share of problems on which the ratio is at most ``tau``."""
        return sum(ratio <= tau for ratio in self.ratios) / len(self.ratios)

    def steps(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Returns where the profile rises, from 1 to ``tau_max`` with both of them, and its value from each place on.

        The value at the last place is also that just before it, unless a ratio is exactly ``tau_max``.
        """
        taus = sorted({1.0, self.tau_max, *(ratio for ratio in self.ratios if ratio <= self.tau_max)})
        return tuple(taus), tuple(self.share(tau) for tau in taus)

    @property
    def score(self) -> float:
        """The profile's mean between 1 and ``tau_max``, in [0, 1]; more is better."""
        if self.grid is not None:
            step = (self.tau_max - 1) / (self.grid - 1)
            shares = [self.share(1 + place * step) for place in range(self.grid)]
            return math.fsum((*shares, -shares[0] / 2, -shares[-1] / 2)) / (self.grid - 1)
        gained = math.fsum(max(0.0, self.tau_max - ratio) for ratio in self.ratios)
        return gained / ((self.tau_max - 1) * len(self.ratios))


def performance_profiles(
    costs: Mapping[str, Sequence[float]], tau_max: float = TAU_MAX, *, grid: int | None = None
) -> dict[str, PerformanceProfile]:
    """Returns each solver's profile among these solvers, on these problems.

    Args:
        costs: solver to what it needs to reach each problem's target, > 0; infinite where it does not. All solvers
            have the same problems in the same order. Where several runs were made, AlgoPerf takes their median, in
            which runs that never reach the target are infinite.
        tau_max: upper end of the profiles, > 1 and finite.
        grid: points over which scores sum trapezia, 2 or more, as AlgoPerf's scorer does with 100; by default scores
            are the exact integral.

    Raises:
        InputError: no solvers, no problems, unequally many of them, a cost that is not a positive number, a
            ``tau_max`` that is not greater than 1, or fewer than two points.
    """
    check_number("tau_max", tau_max)
    if grid is not None:
        check_whole("grid", grid, least=2, most=MANY)
    if not tau_max > 1:
        raise InputError(f"tau_max={tau_max!r} must be finite and > 1")
    if not isinstance(costs, Mapping) or not all(isinstance(values, Sequence) for values in costs.values()):
        raise InputError(f"costs={costs!r}: solver to a sequence of numbers is needed")
    if not costs:
        raise InputError("costs is empty: at least one solver is needed")
    counts = {solver: len(values) for solver, values in costs.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise InputError(f"costs has numbers of problems {counts}: every solver needs the same number, >= 1")
    for solver, values in costs.items():
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:  # nan is not, either
                raise InputError(f"costs of {solver} hold {value!r}: they must be > 0, or infinite")
    fastest = [min(column) for column in zip(*costs.values(), strict=True)]
    return {
        solver: PerformanceProfile(
            tuple(
                value / best if math.isfinite(value) else math.inf for value, best in zip(values, fastest, strict=True)
            ),
            tau_max,
            grid,
        )
        for solver, values in costs.items()
    }
