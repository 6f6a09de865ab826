"""AlgoPerf's published scores from its published logs, by the profiles that comparisons have."""

import math
import statistics
from collections import defaultdict

import pytest

from tests.evidence import needs, rows
from trimtab.study.performance_profile import TAU_MAX, performance_profiles

pytestmark = needs("algoperf_v05.csv.gz", "algoperf_v05_scores.csv", "algoperf_v05_targets.csv")


def time_of(trials):
    """A study's time is that of the trial with the fewest evaluations until the target."""
    reached = [trial for trial in trials if trial["reached"] == "1"]
    first = min(reached, key=lambda trial: int(trial["evaluation_index_at_target"]), default=None)
    return math.inf if first is None else float(first["seconds_at_target"])


def times(ruleset):
    """Submission to workload to the median time over studies; infinite where the target was not reached."""
    studies = defaultdict(list)
    for row in rows("algoperf_v05.csv.gz"):
        if row["ruleset"] == ruleset:
            studies[row["submission"], row["workload"], row["study"]].append(row)
    found = defaultdict(lambda: defaultdict(list))
    for (submission, workload, _), trials in studies.items():
        found[submission][workload].append(time_of(trials))
    return {
        submission: {workload: statistics.median(each) for workload, each in by_workload.items()}
        for submission, by_workload in found.items()
    }


def counted(found, targets):
    """Submission to times on the base workloads, after AlgoPerf's rules for held-out variants."""
    bases = [row["workload"] for row in targets if row["role"] == "base"]
    variants = {row["workload"]: row["base_workload"] for row in targets if row["role"] != "base"}
    kept = {s: {w: by.get(w, math.inf) for w in (*bases, *variants)} for s, by in found.items()}
    for by_workload in kept.values():
        for variant, base in variants.items():
            if math.isinf(by_workload[base]):
                by_workload[variant] = math.inf
    for workload in (*bases, *variants):
        fastest = min(by_workload[workload] for by_workload in kept.values())
        for by_workload in kept.values():
            if by_workload[workload] > TAU_MAX * fastest:
                by_workload[workload] = math.inf
    for by_workload in kept.values():
        for variant, base in variants.items():
            if math.isinf(by_workload[variant]):
                by_workload[base] = math.inf
    return {submission: [by_workload[base] for base in bases] for submission, by_workload in kept.items()}


@pytest.mark.parametrize(("ruleset", "submissions"), [("external_tuning", 11), ("self_tuning", 6)])
def test_published_scores_are_reproduced_to_the_last_digit(ruleset, submissions):
    published = {row["submission"]: row for row in rows("algoperf_v05_scores.csv") if row["ruleset"] == ruleset}
    assert len(published) == submissions
    found = {name: by for name, by in times(ruleset).items() if name in published}
    assert found.keys() == published.keys()
    costs = counted(found, rows("algoperf_v05_targets.csv"))
    scores = {name: profile.score for name, profile in performance_profiles(costs, grid=100).items()}
    assert {name: f"{score:.4f}" for name, score in scores.items()} == {
        name: row["published_score"] for name, row in published.items()
    }
    for name, profile in performance_profiles(costs).items():
        assert abs(profile.score - scores[name]) < 0.0016
