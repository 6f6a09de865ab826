"""From what each of several problems showed to what they show together: performance profiles.

The profile and its score are AlgoPerf's (:mod:`trimtab.study.performance_profile`). What they are made of differs:

* the cost is what the problem's meter counts, such as sample-gradients; AlgoPerf takes seconds on fixed hardware;
* the target is the problem's, or else the median loss at which the reference ends, which just over half of the
  reference's own runs reach; AlgoPerf's targets are medians of well-tuned runs of four baselines;
* the settings are those with the lowest loss at the end of tuning, and the median is over fresh seeds; AlgoPerf takes
  the fastest of five tuning runs, and the median over three such studies;
* a cost is seen at 20 evaluations a run, so that ratios near 1 may be ties;
* AlgoPerf's held-out variants of the workloads are left out.
"""

import math
from collections.abc import Collection, Mapping

from trimtab.compare.over_problems.conclusion import conclude
from trimtab.compare.over_problems.places import scheduled
from trimtab.compare.over_problems.result import CandidateProfile, ResultOverProblems
from trimtab.compare.result import ComparisonResult
from trimtab.study.performance_profile import TAU_MAX, PerformanceProfile, performance_profiles


def analyse_over_problems(
    problems: Mapping[str, ComparisonResult], unfinished: Collection[str], reference: str
) -> ResultOverProblems:
    """Makes performance profiles of the problems that count.

    A problem does not count before all of its trials are finished, or where it has no target, or where a candidate is
    there before it is trained, or where nobody knows what its runs cost. One whose target nobody reaches does count,
    for none of them.

    Args:
        problems: what each problem showed; all have the same candidates.
        unfinished: names of problems some of whose trials are missing.
        reference: label of the candidate that verdicts compare with.
    """
    labels = [candidate.label for candidate in next(iter(problems.values())).candidates]
    costs = {name: _costs(result) for name, result in problems.items()}
    reasons = {name: _reason(result, costs[name], name in unfinished) for name, result in problems.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    counted = [name for name in problems if name not in left_out]
    profiles: dict[str, PerformanceProfile] = {}
    if counted:
        profiles = performance_profiles({label: [costs[name][label] for name in counted] for label in labels})
    found = [_profile(label, {name: costs[name][label] for name in counted}, profiles.get(label)) for label in labels]
    found.sort(key=lambda profile: -math.inf if profile.score is None else profile.score, reverse=True)
    if scheduled(problems):  # of which scores say nothing
        ranks = {label: _mean_rank(problems, label) for label in labels}
        found.sort(key=lambda profile: ranks[profile.label])
    return ResultOverProblems(
        problems=dict(problems),
        reference=reference,
        counted=tuple(counted),
        left_out=left_out,
        tau_max=TAU_MAX,
        profiles=tuple(found),
        conclusion=conclude(problems, found, counted, left_out, reference),
    )


def _mean_rank(problems: Mapping[str, ComparisonResult], label: str) -> float:
    found = [c.rank for result in problems.values() for c in result.candidates if c.label == label]
    return sum(math.inf if rank is None else rank for rank in found) / len(found)


def _costs(result: ComparisonResult) -> dict[str, float]:
    """Label to the median cost to the target, infinite where half of the runs or more do not reach it."""
    return {c.label: math.inf if c.cost_to_target is None else c.cost_to_target for c in result.candidates}


def _reason(result: ComparisonResult, costs: Mapping[str, float], unfinished: bool) -> str:
    """Why a problem does not count; empty if it does."""
    if not result.problem.costed:
        return "what its runs cost is not known"
    if unfinished:
        return "some of its runs are missing" if result.problem.origin else "it is not finished"
    reference = next((c for c in result.candidates if c.label == result.reference), None)
    if result.problem.solved.target is None and (reference is None or reference.rank is None):
        return "it has no target: the reference has no complete runs"
    if min(costs.values()) <= 0:
        return "its target is met before anything is spent"
    return ""


def _profile(label: str, costs: Mapping[str, float], profile: PerformanceProfile | None) -> CandidateProfile:
    if profile is None:
        return CandidateProfile(label, None, {}, {}, (), ())
    taus, shares = profile.steps()
    return CandidateProfile(
        label=label,
        score=profile.score,
        costs={name: _finite(cost) for name, cost in costs.items()},
        ratios={name: _finite(ratio) for name, ratio in zip(costs, profile.ratios, strict=True)},
        taus=taus,
        shares=shares,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
