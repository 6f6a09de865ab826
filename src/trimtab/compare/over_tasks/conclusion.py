"""What follows from a comparison over several tasks, in a few sentences that say no more than was shown."""

from collections.abc import Mapping, Sequence

from trimtab.compare.over_tasks.advice import advise
from trimtab.compare.over_tasks.result import CandidateProfile
from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.study.phrases import listed


def conclude(
    tasks: Mapping[str, ComparisonResult],
    profiles: Sequence[CandidateProfile],
    counted: Sequence[str],
    left_out: Mapping[str, str],
    reference: str,
) -> tuple[str, ...]:
    """Writes the conclusion, which begins with what to do.

    Args:
        tasks: what each task showed.
        profiles: highest score first.
        counted: names of the tasks that the profiles are made of.
        left_out: names of the others, and why.
        reference: label of the candidate that verdicts compare with.
    """
    sentences = [advise(tasks, reference), *_verdicts(tasks, reference), *_scores(profiles, len(counted))]
    sentences += [f"{name} does not count for the scores: {reason}." for name, reason in left_out.items()]
    for label in (profile.label for profile in profiles):
        places = [name for name, result in tasks.items() if _of(result, label).rank is None]
        if places:
            sentences.append(f"{label} is not ranked on {listed(places)}; the page of the task says why.")
    return tuple(sentences)


def _scores(profiles: Sequence[CandidateProfile], counted: int) -> list[str]:
    scores = {profile.label: profile.score for profile in profiles if profile.score is not None}
    if not scores:
        return ["Nothing can be said over the tasks yet: none of them counts."]
    highest = max(scores.values())
    if highest == 0:
        return ["No candidate reaches the target of any task: all scores are 0."]
    first = [label for label, score in scores.items() if score == highest]
    others = [f"{label} {score:.2f}" for label, score in scores.items() if score < highest]
    words = f"{listed(first)} {'comes' if len(first) == 1 else 'come'} closest to the fastest over {_tasks(counted)}"
    words += f", with a score of {highest:.2f} (1 is the fastest everywhere)"
    return [
        f"{words}; then {listed(others)}." if others else f"{words}.",
        f"Scores describe {'this task' if counted == 1 else f'these {counted} tasks'} and are no test: they have no "
        "interval, and say little of other tasks.",
    ]


def _tasks(number: int) -> str:
    return "one task" if number == 1 else f"{number} tasks"


def _verdicts(tasks: Mapping[str, ComparisonResult], reference: str) -> list[str]:
    """What was shown on each task by itself, candidate by candidate."""
    labels = [c.label for c in next(iter(tasks.values())).candidates if c.label != reference]
    found, same = [], []
    for label in labels:
        on = {
            verdict: [name for name, result in tasks.items() if _of(result, label).verdict == verdict]
            for verdict in ("helps", "hurts", "no difference shown")
        }
        shown = [f"{verdict} on {listed(on[verdict])}" for verdict in ("helps", "hurts") if on[verdict]]
        if shown:
            found.append(f"{label} {' and '.join(shown)}")
        elif on["no difference shown"]:
            same.append(label)
    sentences = []
    if found:
        sentences.append(
            f"Against {reference}, by the test of each task: {'; '.join(found)}. The tests are corrected within a "
            "task, not over the tasks."
        )
    if same:
        sentences.append(f"No difference from {reference} was shown on any task for {listed(same)}.")
    return sentences


def _of(result: ComparisonResult, label: str) -> CandidateResult:
    return next(candidate for candidate in result.candidates if candidate.label == label)
