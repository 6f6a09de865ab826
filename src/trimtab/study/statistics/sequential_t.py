r"""How a t test behaves that is made again and again while its seeds come in, where there is nothing to be found.

For differences :math:`x_1, x_2, \dots` that are normal around zero let

.. math:: c_n = \frac{x_1 + \dots + x_n}{\sqrt{n\,(x_1^2 + \dots + x_n^2)}}, \qquad
          t_n = c_n \sqrt{n - 1} / \sqrt{1 - c_n^2}.

The direction of a normal vector does not depend on its length, so the next one depends on the past through :math:`c_n`
alone:

.. math:: c_{n+1} = \frac{\sqrt{n}\, c_n + r}{\sqrt{(n + 1)(1 + r^2)}}, \qquad
          r = x_{n+1} / \lVert x \rVert \sim t_n / \sqrt{n} \text{ with n degrees of freedom}.

So the chance of a first significant result is found by carrying the distribution of :math:`|c_n|` from seed to seed
(Jennison & Turnbull, 1991, "Exact calculations for sequential t, chi-squared and F tests", carry two numbers). It is
kept as shares in equal steps of the normal score of :math:`c_n`. From :data:`EXACT_UNTIL` seeds on, scores of one look
and the next are taken as jointly normal with the correlation :math:`\sqrt{(n - 1/2) / (m - 1/2)}`, which simulation
shows to a thousandth.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize, special

from trimtab.study.statistics.arrays import Array

EXACT_UNTIL = 20
"""Seeds after which looks are taken as jointly normal."""

_STEPS = 100
_FARTHEST = 8.2
"""Normal score beyond which nothing is."""


def nominal_levels(looks: Sequence[int], spent: Sequence[float]) -> Array:
    """Returns the levels of two-sided t tests of which one is the first to be significant as often as that is wanted.

    Args:
        looks: seeds at each test, growing, the first two or more.
        spent: chance that a test of these or an earlier one is significant, growing.
    """
    first = looks[0]
    farthest = _score_of(spent[0])
    state = _State.start(first, farthest)
    farthests = [farthest]
    for n, least, most in zip(looks[1:], spent, spent[1:], strict=False):
        while state.seeds < n - 1 and state.seeds < EXACT_UNTIL:
            state = state.carried(state.seeds + 1, _FARTHEST)
        beyond = state.beyond(n)
        farthest = _where(beyond, most - least)
        farthests.append(farthest)
        state = state.carried(n, farthest)
    return np.asarray(2 * special.ndtr(-np.array(farthests)))


class _State:
    """How the absolute normal score is distributed among those that were never significant.

    Args:
        seeds: so far.
        scores: middles of the steps.
        shares: of each step.
    """

    def __init__(self, seeds: int, scores: Array, shares: Array) -> None:
        self.seeds, self.scores, self.shares = seeds, scores, shares

    @classmethod
    def start(cls, seeds: int, farthest: float) -> "_State":
        edges = np.linspace(0.0, farthest, _STEPS + 1)
        return cls(seeds, _middles(edges), -np.diff(2 * special.ndtr(-edges)))

    def beyond(self, seeds: int) -> Callable[[float], float]:
        """Returns the function that tells how often a score at a later number of seeds lies beyond a place."""
        chance = self._chance(seeds)
        return lambda place: float(self.shares @ chance(place))

    def carried(self, seeds: int, farthest: float) -> "_State":
        """Returns the state at a later number of seeds, of those that do not lie beyond a place then."""
        edges, chance = np.linspace(0.0, farthest, _STEPS + 1), self._chance(seeds)
        left = [self.shares.sum(), *(self.shares @ chance(edge) for edge in edges[1:])]
        return _State(seeds, _middles(edges), -np.diff(left))

    def _chance(self, seeds: int) -> Callable[[float], Array]:
        if seeds == self.seeds + 1 and seeds <= EXACT_UNTIL:
            cosines = _cosine_of(self.scores, self.seeds)
            return lambda place: _next_beyond(cosines, float(_cosine_of(np.array(place), seeds)), self.seeds)
        share = math.sqrt((self.seeds - 0.5) / (seeds - 0.5))
        rest = math.sqrt(1 - share**2)
        return lambda place: np.asarray(
            special.ndtr((share * self.scores - place) / rest) + special.ndtr((-share * self.scores - place) / rest)
        )


def _next_beyond(cosines: Array, place: float, n: int) -> Array:
    """Returns the chance that the next cosine lies beyond a place on either side, for each cosine of n seeds."""
    reach = place**2 * (n + 1)
    pushes = math.sqrt(n) * np.concatenate([cosines, -cosines])
    # (push + r)^2 > reach (1 + r^2), on the side of push + r > 0
    found = np.zeros_like(pushes)
    if reach < 1:
        far = np.sqrt(reach * (pushes**2 + 1 - reach))
        found = special.stdtr(n, -math.sqrt(n) * (far - pushes) / (1 - reach))
    else:
        inside = (pushes > 0) & (pushes**2 + 1 > reach)
        push = pushes[inside]
        half = np.sqrt(reach * (push**2 + 1 - reach))
        ends = (push + np.array([[-half], [half]])[:, 0]) / max(reach - 1, 1e-12)
        low, high = special.stdtr(n, math.sqrt(n) * ends)
        found[inside] = high - low
    both: Array = found[: len(cosines)] + found[len(cosines) :]
    return both


def _middles(edges: Array) -> Array:
    middles: Array = (edges[1:] + edges[:-1]) / 2
    return middles


def _score_of(p_value: float) -> float:
    return -float(special.ndtri(p_value / 2))


def _cosine_of(scores: Array, n: int) -> Array:
    t = -special.stdtrit(n - 1, special.ndtr(-scores))
    cosines: Array = t / np.hypot(math.sqrt(n - 1), t)
    return cosines


def _where(beyond: Callable[[float], float], wanted: float) -> float:
    """Returns the place beyond which so many lie."""
    if beyond(_FARTHEST) >= wanted:
        return _FARTHEST
    return float(optimize.brentq(lambda place: math.log(max(beyond(place), 1e-300) / wanted), 0.0, _FARTHEST))
