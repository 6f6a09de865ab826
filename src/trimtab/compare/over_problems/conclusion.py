"""What follows from a comparison over several problems, in a few sentences that say no more than was shown."""

from collections.abc import Mapping, Sequence

from trimtab.compare.over_problems.advice import advise
from trimtab.compare.over_problems.places import Places, headings, places_of, scheduled
from trimtab.compare.over_problems.result import CandidateProfile
from trimtab.compare.over_problems.schedules import whatever_the_schedule
from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.study.phrases import listed


def conclude(
    problems: Mapping[str, ComparisonResult],
    profiles: Sequence[CandidateProfile],
    counted: Sequence[str],
    left_out: Mapping[str, str],
    reference: str,
) -> tuple[str, ...]:
    """Writes the conclusion, which begins with what to do.

    Args:
        problems: what each problem showed.
        profiles: highest score first.
        counted: names of the problems that the profiles are made of.
        left_out: names of the others, and why.
        reference: label of the candidate that verdicts compare with.
    """
    places, called = places_of(problems), headings(problems)
    named = {called[name]: result for name, result in problems.items()}
    sentences = [advise(named, reference, places), *_verdicts(named, reference, places)]
    sentences += whatever_the_schedule(problems, reference)
    if not scheduled(problems) and any(result.problem.costed for result in problems.values()):
        sentences += _scores(profiles, len(counted), places)
        sentences += [f"{name} does not count for the scores: {reason}." for name, reason in left_out.items()]
    for label in (profile.label for profile in profiles):
        unranked = [name for name, result in named.items() if _of(result, label).rank is None]
        if unranked:
            sentences.append(
                f"{label} is not ranked {places.at} {listed(unranked)}; the page of the {places.noun} says why."
            )
    return tuple(sentences)


def _scores(profiles: Sequence[CandidateProfile], counted: int, places: Places) -> list[str]:
    scores = {profile.label: profile.score for profile in profiles if profile.score is not None}
    if not scores:
        return [f"Nothing can be said over the {places.many} yet: none of them counts."]
    highest = max(scores.values())
    if highest == 0:
        return [f"No candidate reaches the target of any {places.noun} in most of its runs, so that all scores are 0."]
    first = [label for label, score in scores.items() if score == highest]
    others = [f"{label} {score:.2f}" for label, score in scores.items() if score < highest]
    over = f"one {places.noun}" if counted == 1 else places.count(counted)
    these = f"this {places.noun}" if counted == 1 else f"these {places.count(counted)}"
    words = f"{listed(first)} {'comes' if len(first) == 1 else 'come'} closest to the fastest over {over}"
    words += f", with a score of {highest:.2f} (1 is the fastest everywhere)"
    return [
        f"{words}; then {listed(others)}." if others else f"{words}.",
        f"Scores describe {these} and are no test: they have no interval, and say little of other problems.",
    ]


def _verdicts(problems: Mapping[str, ComparisonResult], reference: str, places: Places) -> list[str]:
    """What was shown on each problem by itself, candidate by candidate."""
    labels = [c.label for c in next(iter(problems.values())).candidates if c.label != reference]
    found, same = [], []
    for label in labels:
        on = {
            verdict: [name for name, result in problems.items() if _of(result, label).verdict == verdict]
            for verdict in ("helps", "hurts", "no difference shown")
        }
        shown = [f"{verdict} {places.at} {listed(on[verdict])}" for verdict in ("helps", "hurts") if on[verdict]]
        if shown:
            found.append(f"{label} {' and '.join(shown)}")
        elif on["no difference shown"]:
            same.append(label)
    sentences = []
    if found:
        sentences.append(
            f"Against {reference}, by the test of each {places.noun}: {'; '.join(found)}. The tests are corrected "
            f"within a {places.noun}, not over the {places.many}."
        )
    if same:
        sentences.append(f"No difference from {reference} was shown {places.at} any {places.noun} for {listed(same)}.")
    return sentences


def _of(result: ComparisonResult, label: str) -> CandidateResult:
    return next(candidate for candidate in result.candidates if candidate.label == label)
