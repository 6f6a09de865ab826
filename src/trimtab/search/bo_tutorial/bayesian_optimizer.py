"""Bayesian optimisation as one loop, ask and tell, with the extensions of the tutorial (Frazier, 2018).

Adapts   which point is evaluated next.
Signal   the value of looking there, by a Gaussian process that was fitted to all evaluations.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from botorch.utils.sampling import manual_seed
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.acquisitions import (
    FANTASISING,
    acquisition,
    check_acquisition,
    default_name,
)
from trimtab.search.bo_tutorial.case import Case, Effort
from trimtab.search.bo_tutorial.maximising import maximised
from trimtab.search.bo_tutorial.models import MakeKernel, fitted_constraints, fitted_model
from trimtab.search.bo_tutorial.observations import Observations
from trimtab.search.bo_tutorial.recommending import checked_report, recommended
from trimtab.search.bo_tutorial.space import sobol_point, space_from
from trimtab.study.checks import check_callable, check_flag, check_whole
from trimtab.study.errors import InputError

_VERSION = 1
LEAST = 2
"""Fewer observations than this are not modelled."""

_FIT, _ASK, _RECOMMEND = range(3)
_LARGEST_SEED = 2**63 - 1


class BayesianOptimizer:
    r"""Asks for points of a box, one at a time or several, and is told what was observed there.

    After quasi-random points (scrambled Sobol), each point is the maximum of an acquisition function on a Gaussian
    process, which is fitted anew whenever there are new observations; points are scaled to the unit cube and values
    standardised inside. What was asked for and not told yet is *pending*, and counts for what is asked next: several
    points at once are chosen one after the other.

    .. code-block:: python

        optimizer = BayesianOptimizer(torch.tensor([[0.0, -5.0], [1.0, 5.0]]), seed=0)
        for _ in range(30):
            X = optimizer.ask()
            optimizer.tell(X, objective(X))
        best = optimizer.recommend()

    At most one of these is possible at a time:

    * ``constraints``: how many; ``tell(C=)`` says their values, of which those <= 0 are good. Only a feasible point is
      an incumbent, and while there is none the probability of being feasible is maximised. They are taken to be
      observed without noise.
    * ``fidelity={"dim", "target", "cost"}``: a coordinate says how faithful an evaluation is; the objective is where it
      is at its target (its upper bound unless said), and an evaluation costs ``cost[0] + cost[1] * fidelity``
      (0.01 and 1 unless said, BoTorch's).
    * ``sources``: the costs of several sources of information, that of the objective first. A last column of points is
      the number of the source.
    * ``environment={"dims", "values", "weights"}``: coordinates that are chosen for an evaluation but are drawn by
      chance where the result is used: ``values`` has a row for each case, ``weights`` its probability (equal unless
      said). What is searched is :math:`\max_x \sum_w p(w) f(x, w)`.
    * ``tasks``: how many related objectives there are. A last column of points is the number of the task, and
      ``ask(task=)`` and ``recommend(task=)`` are for one of them.
    * ``tell(dY=)`` with gradients for all points.

    Acquisition functions: ``noisy_ei`` (:class:`~trimtab.search.PosteriorMeanImprovement`), ``ei`` and ``nei``
    (expected improvement over the best observation, and over draws of what was observed: BoTorch's, as logarithms),
    ``knowledge_gradient`` (over the continuum; over finitely many designs with sources and environments),
    ``discrete_kg`` (:class:`~trimtab.search.DiscreteKnowledgeGradient`), and entropy search: ``predictive_entropy``,
    ``max_value_entropy``, ``gibbon``, ``joint_entropy``.

    Args:
        bounds: the least and the largest value of each coordinate.
        acquisition: its name. By default ``noisy_ei``, and ``knowledge_gradient`` where there is a fidelity, sources or
            an environment.
        report: what :meth:`recommend` may return: a point that was ``evaluated``, or one ``anywhere``; it decides
            nothing else. By default ``evaluated`` for improvements, and ``anywhere`` for the knowledge gradient and
            entropy search. With constraints and with tasks it is ``evaluated``.
        constraints: how many there are.
        fidelity: of evaluations.
        sources: costs of information sources.
        environment: that nobody controls.
        tasks: how many there are.
        seed: of all randomness; by default another one each time.
        maximize: whether large values are good.
        n_initial: quasi-random points before the first model. The default is ours, :math:`2 (d + 1)`.
        kernel: makes the kernel of a number of dimensions, where the model is a ``SingleTaskGP`` of the coordinates:
            not with a fidelity, sources, tasks or gradients. The default is BoTorch's.
        num_restarts: starts of a search by gradients for the largest acquisition value.
        raw_samples: quasi-random points from which these starts are chosen. Both defaults are usual with BoTorch.
        q_mc_samples: draws for acquisition functions that draw, of which points pending make one.
        num_fantasies: of the knowledge gradient over the continuum; the default is BoTorch's.
        max_steps: of each search by gradients. The default is usual with BoTorch, whose own is 2,000.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: bounds are not of the shape (2, d) or not in order, the probabilities of an environment do not sum
            to one, an acquisition function is not there for what is searched, or two extensions come together.

    Differences from the tutorial: hyper-parameters are those of the largest posterior density, and are not averaged
    over. The knowledge gradient over the continuum is BoTorch's one-shot approximation in the place of stochastic
    gradient ascent. With sources and environments it is over quasi-random designs and those that were evaluated. The
    noise-free report is not treated apart: it is the largest posterior mean, too.
    With a fidelity, the exponent that BoTorch's kernel fits stays at 1, where the kernel is positive semidefinite.

    Source:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv:1807.02811.
    """

    def __init__(
        self,
        bounds: Float[Tensor, "2 d"] | Sequence[Sequence[float]],
        *,
        acquisition: str | None = None,
        report: str | None = None,
        constraints: int = 0,
        fidelity: Mapping[str, Any] | None = None,
        sources: Sequence[float] | None = None,
        environment: Mapping[str, Any] | None = None,
        tasks: int | None = None,
        seed: int | None = None,
        maximize: bool = True,
        n_initial: int | None = None,
        kernel: MakeKernel | None = None,
        num_restarts: int = 10,
        raw_samples: int = 512,
        q_mc_samples: int = 128,
        num_fantasies: int = 64,
        max_steps: int = 200,
    ) -> None:
        self._space = space_from(
            bounds,
            constraints=constraints,
            fidelity=fidelity,
            sources=sources,
            environment=environment,
            tasks=tasks,
        )
        kind = self._space.kind
        self._acquisition = default_name(kind) if acquisition is None else acquisition
        check_acquisition(self._acquisition, kind)
        self._report = checked_report(report, kind, self._acquisition)
        check_flag("maximize", maximize)
        self._sign = 1 if maximize else -1
        if seed is not None:
            check_whole("seed", seed, least=0, most=_LARGEST_SEED)
        self._seed = secrets.randbits(32) if seed is None else seed
        self._n_initial = 2 * (self._space.dimensions + 1) if n_initial is None else n_initial
        check_whole("n_initial", self._n_initial)
        if kernel is not None:
            check_callable("kernel", kernel)
            if kind in ("fidelity", "sources", "tasks"):
                raise InputError(f"kernel is not possible with {kind}, which has its own")
        self._kernel = kernel
        check_whole("num_restarts", num_restarts)
        check_whole("raw_samples", raw_samples)
        check_whole("q_mc_samples", q_mc_samples, least=16)
        check_whole("num_fantasies", num_fantasies)
        check_whole("max_steps", max_steps)
        self._effort = Effort(num_restarts, max(raw_samples, num_restarts), q_mc_samples, num_fantasies, max_steps)
        self._seen = Observations(self._space)
        self._asks = self._drawn = 0
        self._models: dict[int, tuple[Any, Any]] = {}

    def ask(self, q: int = 1, *, task: int = 0) -> Float[Tensor, "q c"]:
        """Returns points to evaluate, which are pending from then on.

        Args:
            q: how many.
            task: for which, where there are tasks.

        Raises:
            InputError: ``q`` is less than one, there is no such task, or there are gradients and the acquisition
                function or the kernel cannot do with them.
        """
        check_whole("q", q)
        self._check_task(task)
        if self._seen.dY is not None and self._acquisition in FANTASISING:
            raise InputError(f"acquisition={self._acquisition!r} is not possible with gradients")
        if self._seen.dY is not None and self._kernel is not None:
            raise InputError("kernel is not possible with gradients, which have their own")
        return torch.stack([self._next(task) for _ in range(q)])

    def tell(
        self,
        X: Float[Tensor, "n c"],
        Y: Float[Tensor, "n 1"],
        Yvar: Float[Tensor, "n 1"] | None = None,
        C: Float[Tensor, "n k"] | None = None,
        dY: Float[Tensor, "n d"] | None = None,
    ) -> None:
        """Adds observations, of points that were asked for or of any others. Each optional part is for all or none.

        Args:
            X: points; the columns behind the coordinates are the source or the task.
            Y: values, as (n, 1) or (n,).
            Yvar: variances of their noise, where they are known; otherwise one is inferred.
            C: values of the constraints; those <= 0 are good.
            dY: gradients of the values.

        Raises:
            TypeError: something is not a tensor of floating-point numbers.
            InputError: something has another shape, lies outside the bounds, is not finite or negative where it cannot
                be, or is missing; nothing is added then.
        """
        self._seen.tell(X, Y, Yvar=Yvar, C=C, dY=dY)
        self._models.clear()

    def recommend(self, *, task: int = 0) -> Float[Tensor, " c"]:
        """Returns the point with the largest posterior mean of those that may be reported.

        At the target where there is a fidelity, of source 0 where there are sources, and without the coordinates of the
        environment, over which the mean is averaged. Where no evaluated point is feasible, it is the one that most
        likely is.

        Args:
            task: for which, where there are tasks.

        Raises:
            InputError: nothing was told yet, or nothing of this task.
        """
        self._check_task(task)
        if not int(self._seen.of(task).sum()):
            raise InputError(f"nothing was told yet{f' of task {task}' * bool(self._space.tasks)}")
        seed = self._seed_of(_RECOMMEND, len(self._seen))
        return recommended(self._case(task, seed), self._report)

    def state_dict(self) -> dict[str, Any]:
        """Returns all that was told, what is pending and how far randomness is: plain values and tensors."""
        return {
            "version": _VERSION,
            "seed": self._seed,
            "asks": self._asks,
            "drawn": self._drawn,
            "bounds": self._space.bounds.clone(),
            "observations": self._seen.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where another optimizer with the same arguments was.

        Raises:
            InputError: the state is of another search space, or was made by another version of this class.
        """
        if state.get("version") != _VERSION:
            raise InputError(f"state is of version {state.get('version')!r}: one of version {_VERSION} is needed")
        if not torch.equal(state["bounds"], self._space.bounds):
            raise InputError(
                f"state has the bounds {state['bounds'].tolist()}: {self._space.bounds.tolist()} is needed"
            )
        self._seen.load_state_dict(state["observations"])
        self._seed, self._asks, self._drawn = state["seed"], state["asks"], state["drawn"]
        self._models.clear()

    def _next(self, task: int) -> Float[Tensor, " c"]:
        seed = self._seed_of(_ASK, self._asks)
        self._asks += 1
        if self._begins(task):
            point = sobol_point(self._space, self._seed, self._drawn, task)
            self._drawn += 1
        else:
            point = self._chosen(task, seed)
        self._seen.ask(point)
        return point

    def _begins(self, task: int) -> bool:
        """Whether there are too few points for a model, or no observation that it could be made of."""
        seen = self._seen
        return len(seen) + len(seen.pending) < self._n_initial or len(seen) < LEAST or not bool(seen.of(task).any())

    def _chosen(self, task: int, seed: int) -> Float[Tensor, " c"]:
        case = self._case(task, seed)
        with manual_seed(seed):
            point = maximised(
                acquisition(self._acquisition, case),
                self._space.columns,
                self._space.choices(task),
                num_restarts=self._effort.num_restarts,
                raw_samples=self._effort.raw_samples,
                max_steps=self._effort.max_steps,
                seed=seed,
            )
        return self._space.from_unit(point)

    def _case(self, task: int, seed: int) -> Case:
        space, seen = self._space, self._seen
        of_task = seen.of(task)
        model, constraints = self._fitted(task)
        return Case(
            space=space,
            model=model,
            X=space.to_unit(seen.X[of_task]),
            Y=self._sign * seen.Y[of_task],
            feasible=seen.feasible()[of_task],
            constraints=constraints,
            pending=space.to_unit(seen.pending) if len(seen.pending) else None,
            effort=self._effort,
            seed=seed,
            task=task,
        )

    def _fitted(self, task: int) -> tuple[Any, Any]:
        """The models, which depend on the observations alone: what was asked in between changes nothing."""
        if task not in self._models:
            space, seen, seed = self._space, self._seen, self._seed_of(_FIT, len(self._seen))
            model = fitted_model(space, seen, sign=self._sign, kernel=self._kernel, seed=seed, task=task)
            self._models[task] = model, fitted_constraints(space, seen, seed) if space.constraints else None
        return self._models[task]

    def _seed_of(self, what: int, count: int) -> int:
        return int(np.random.SeedSequence([self._seed, what, count]).generate_state(1)[0])

    def _check_task(self, task: Any) -> None:
        check_whole("task", task, least=0, most=(self._space.tasks or 1) - 1)
