"""Acquisition functions by name, for each kind of space."""

from collections.abc import Callable
from typing import Any

import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.analytic import LogConstrainedExpectedImprovement, LogExpectedImprovement, PosteriorMean
from botorch.acquisition.cost_aware import InverseCostWeightedUtility
from botorch.acquisition.joint_entropy_search import qJointEntropySearch
from botorch.acquisition.knowledge_gradient import qKnowledgeGradient, qMultiFidelityKnowledgeGradient
from botorch.acquisition.logei import qLogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.acquisition.max_value_entropy_search import (
    qLowerBoundMaxValueEntropy,
    qMaxValueEntropy,
    qMultiFidelityMaxValueEntropy,
)
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.penalized import PenalizedAcquisitionFunction
from botorch.acquisition.predictive_entropy_search import qPredictiveEntropySearch
from botorch.acquisition.utils import get_optimal_samples, project_to_target_fidelity
from botorch.models.cost import AffineFidelityCostModel
from botorch.sampling.normal import SobolQMCNormalSampler
from jaxtyping import Float
from torch import Tensor

from trimtab.search.bo_tutorial.case import Case, target_of, unit_box
from trimtab.search.bo_tutorial.constrained import FeasiblePosteriorMeanImprovement, log_feasibility, satisfied
from trimtab.search.bo_tutorial.knowledge_gradient import DiscreteKnowledgeGradient
from trimtab.search.bo_tutorial.maximising import maximised
from trimtab.search.bo_tutorial.posterior_mean_improvement import PosteriorMeanImprovement
from trimtab.search.bo_tutorial.space import all_with
from trimtab.study.errors import InputError

DESIGNS = 64
"""Quasi-random designs beside those that were evaluated, for which environments are averaged."""

OPTIMA = 16
"""Draws of the optimum for entropy search, as in BoTorch's own examples."""


def names(kind: str) -> list[str]:
    """Returns what there is for a kind of space."""
    return sorted(name for name, builders in ACQUISITIONS.items() if kind in builders)


def default_name(kind: str) -> str:
    """Returns noisy expected improvement where there is such a thing, and else the knowledge gradient."""
    return "noisy_ei" if kind in ACQUISITIONS["noisy_ei"] else "knowledge_gradient"


def check_acquisition(name: Any, kind: str) -> None:
    """Raises InputError unless there is an acquisition function of a name for a kind of space."""
    if not isinstance(name, str) or name not in ACQUISITIONS:
        raise InputError(f"acquisition={name!r}: one of {', '.join(sorted(ACQUISITIONS))} is needed")
    if kind not in ACQUISITIONS[name]:
        raise InputError(f"acquisition={name!r} is not possible with {kind}: {', '.join(names(kind))} are")


def acquisition(name: str, case: Case) -> AcquisitionFunction:
    """Returns an acquisition function; the probability of feasibility where nothing feasible was found yet."""
    if case.constraints is not None and not bool(case.feasible.any()):
        return log_feasibility(case.constraints)
    return ACQUISITIONS[name][case.space.kind](case)


def _with_pending(made: Any, case: Case) -> AcquisitionFunction:
    made.set_X_pending(case.pending)
    result: AcquisitionFunction = made
    return result


def _noisy_ei(case: Case) -> AcquisitionFunction:
    if case.constraints is None:
        return _with_pending(PosteriorMeanImprovement(case.model, case.X, **_options(case)), case)
    reported = case.X[case.feasible]
    made = FeasiblePosteriorMeanImprovement(case.model, reported, case.constraints, **_options(case))
    return _with_pending(made, case)


def _ei(case: Case) -> AcquisitionFunction:
    best = case.Y[case.feasible].max()
    if case.pending is not None:
        return qLogExpectedImprovement(
            case.all_outputs(), best, sampler=case.sampler, X_pending=case.pending, **_mc_constraints(case)
        )
    if case.constraints is None:
        return LogExpectedImprovement(case.model, best)
    bounds = satisfied(range(1, case.space.constraints + 1))
    return LogConstrainedExpectedImprovement(case.all_outputs(), best, 0, bounds)


def _nei(case: Case) -> AcquisitionFunction:
    return qLogNoisyExpectedImprovement(
        case.all_outputs(), case.X, sampler=case.sampler, X_pending=case.pending, **_mc_constraints(case)
    )


def _mc_constraints(case: Case) -> dict[str, Any]:
    if case.constraints is None:
        return {}

    return {
        "objective": GenericMCObjective(_output(0)),
        "constraints": [_output(number) for number in range(1, case.space.constraints + 1)],
    }


def _output(number: int) -> Callable[..., Tensor]:
    def of(samples: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: ARG001 - as BoTorch calls it
        return samples[..., number]

    return of


def _knowledge_gradient(case: Case) -> AcquisitionFunction:
    return qKnowledgeGradient(
        case.model,
        num_fantasies=case.effort.fantasies,
        sampler=SobolQMCNormalSampler(torch.Size([case.effort.fantasies]), seed=case.seed),
        X_pending=case.pending,
        current_value=_largest_mean(case, []),
    )


def _discrete_kg(case: Case) -> AcquisitionFunction:
    candidates = torch.cat([case.spread(case.effort.raw_samples, case.X.shape[1]), case.X])
    return _with_pending(DiscreteKnowledgeGradient(case.model, candidates, **_options(case)), case)


def _options(case: Case) -> dict[str, Any]:
    return {"q_mc_samples": case.effort.draws, "seed": case.seed}


def _max_value_entropy(case: Case) -> AcquisitionFunction:
    candidates = case.spread(case.effort.raw_samples, case.X.shape[1])
    return qMaxValueEntropy(case.model, candidates, num_y_samples=case.effort.draws, X_pending=case.pending)


def _gibbon(case: Case) -> AcquisitionFunction:
    candidates = case.spread(case.effort.raw_samples, case.X.shape[1])
    return qLowerBoundMaxValueEntropy(case.model, candidates, X_pending=case.pending)


def _optima(case: Case) -> tuple[Tensor, Tensor]:
    return get_optimal_samples(
        case.model,
        bounds=unit_box(case.X.shape[1]),
        num_optima=OPTIMA,
        raw_samples=case.effort.raw_samples,
        num_restarts=case.effort.num_restarts,
    )


def _joint_entropy(case: Case) -> AcquisitionFunction:
    inputs, outputs = _optima(case)
    return qJointEntropySearch(case.model, inputs, outputs, X_pending=case.pending)


def _predictive_entropy(case: Case) -> AcquisitionFunction:
    return qPredictiveEntropySearch(case.model, _optima(case)[0], X_pending=case.pending)


def _fidelity_kg(case: Case) -> AcquisitionFunction:
    fidelity, target = target_of(case)
    return qMultiFidelityKnowledgeGradient(
        case.model,
        num_fantasies=case.effort.fantasies,
        sampler=SobolQMCNormalSampler(torch.Size([case.effort.fantasies]), seed=case.seed),
        X_pending=case.pending,
        current_value=_largest_mean(case, [{fidelity: target}]),
        cost_aware_utility=_cost_utility(case),
        project=_projection(case),
    )


def _fidelity_entropy(case: Case) -> AcquisitionFunction:
    return qMultiFidelityMaxValueEntropy(
        case.model,
        case.spread(case.effort.raw_samples, case.X.shape[1]),
        num_y_samples=case.effort.draws,
        X_pending=case.pending,
        cost_aware_utility=_cost_utility(case),
        project=_projection(case),
    )


def _projection(case: Case) -> Callable[[Tensor], Tensor]:
    dim, target = target_of(case)
    return lambda X: project_to_target_fidelity(X, target_fidelities={dim: target}, d=case.space.dimensions)


def _cost_utility(case: Case) -> InverseCostWeightedUtility:
    fidelity = case.space.fidelity
    assert fidelity is not None  # noqa: S101 - for the type checker
    low, high = case.space.bounds[:, fidelity.dim].tolist()
    weights = {fidelity.dim: fidelity.weight * (high - low)}
    return InverseCostWeightedUtility(AffineFidelityCostModel(weights, fidelity.fixed + fidelity.weight * low))


def _source_kg(case: Case) -> AcquisitionFunction:
    costs = case.space.costs
    assert costs is not None  # noqa: S101 - for the type checker
    dimensions = case.space.dimensions
    designs = torch.cat([case.spread(case.effort.raw_samples, dimensions), case.X[:, :-1]])
    candidates = torch.cat([designs, torch.zeros(len(designs), 1, dtype=torch.float64)], -1)
    gain = _with_pending(DiscreteKnowledgeGradient(case.model, candidates, **_options(case)), case)
    weighted: AcquisitionFunction = PenalizedAcquisitionFunction(gain, _LogCost(costs), 1.0)
    return weighted


class _LogCost(torch.nn.Module):
    """The logarithm of what a point costs, by its source."""

    def __init__(self, costs: tuple[float, ...]) -> None:
        super().__init__()
        self._costs = torch.tensor(costs, dtype=torch.float64).log()

    def forward(self, X: Float[Tensor, "*batch 1 c"]) -> Float[Tensor, "*batch"]:
        return self._costs[X[..., 0, -1].round().long()]


def _environment_kg(case: Case) -> AcquisitionFunction:
    environment = case.space.environment
    assert environment is not None  # noqa: S101 - for the type checker
    design = case.space.design
    designs = torch.cat([case.spread(DESIGNS, len(design)), torch.unique(case.X[:, design], dim=0)])
    rows = case.space.unit_environment()
    candidates = all_with(designs, environment.dims, rows, case.space.dimensions)
    weights = torch.kron(torch.eye(len(designs), dtype=torch.float64), environment.weights)
    return _with_pending(DiscreteKnowledgeGradient(case.model, candidates, weights=weights, **_options(case)), case)


def _largest_mean(case: Case, fixed: list[dict[int, float]]) -> Float[Tensor, ""]:
    mean = PosteriorMean(case.model)
    best = maximised(
        mean,
        case.X.shape[1],
        fixed or [{}],
        num_restarts=case.effort.num_restarts,
        raw_samples=case.effort.raw_samples,
        max_steps=case.effort.max_steps,
        seed=case.seed,
    )
    with torch.no_grad():
        value: Tensor = mean(best[None])[0]
    return value


ACQUISITIONS: dict[str, dict[str, Callable[[Case], AcquisitionFunction]]] = {
    "noisy_ei": {"plain": _noisy_ei, "constraints": _noisy_ei, "tasks": _noisy_ei},
    "ei": {"plain": _ei, "constraints": _ei, "tasks": _ei},
    "nei": {"plain": _nei, "constraints": _nei, "tasks": _nei},
    "knowledge_gradient": {
        "plain": _knowledge_gradient,
        "fidelity": _fidelity_kg,
        "sources": _source_kg,
        "environment": _environment_kg,
    },
    "discrete_kg": {"plain": _discrete_kg},
    "max_value_entropy": {"plain": _max_value_entropy, "fidelity": _fidelity_entropy},
    "gibbon": {"plain": _gibbon},
    "joint_entropy": {"plain": _joint_entropy},
    "predictive_entropy": {"plain": _predictive_entropy},
}
"""By name, and then by the kind of space."""

FANTASISING = {"knowledge_gradient", "max_value_entropy", "gibbon", "joint_entropy", "predictive_entropy"}
"""These condition the model on further values, which one with gradients does not do."""
