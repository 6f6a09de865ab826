"""Problems with each of several schedules: which verdicts hold whatever the schedule, and which turn."""

from collections.abc import Mapping, Sequence

from trimtab.catalog.recipes import NONE, SCHEDULES
from trimtab.compare.cautions import alike
from trimtab.compare.result import CandidateResult, ComparisonResult
from trimtab.study.phrases import listed

EFFECTS = ("helps", "hurts")


def by_schedule(problems: Mapping[str, ComparisonResult]) -> dict[str, dict[str, str]]:
    """Returns which schedules each problem is there with.

    Args:
        problems: what each showed, under the name by which its trials are kept.

    Returns:
        Problem to schedule to the name of both together; empty if the problems were not posed with several schedules.
    """
    found: dict[str, dict[str, str]] = {}
    for name, result in problems.items():
        schedule = result.problem.schedule
        if not schedule:
            return {}
        found.setdefault(name.removesuffix(f"+{schedule}"), {})[schedule] = name
    return found if all(len(schedules) > 1 for schedules in found.values()) else {}


def called(schedule: str) -> str:
    """Returns what a schedule is called in a sentence, where ``none`` would be taken for a word."""
    return SCHEDULES[NONE] if schedule == NONE else schedule


def whatever_the_schedule(problems: Mapping[str, ComparisonResult], reference: str) -> list[str]:
    """Says which verdicts all schedules have in common, and which are opposite with two of them.

    That something was shown with one schedule and not with another is no evidence that the schedule matters to it, and
    is not said to be.

    Args:
        problems: what each showed; all have the same candidates.
        reference: label of the candidate that verdicts compare with.
    """
    bases = by_schedule(problems)
    if not bases:
        return []
    labels = [c.label for c in next(iter(problems.values())).candidates if c.label != reference]
    kept = _unreached(problems, bases, [*labels, reference])
    if not any(c.verdict in EFFECTS for result in problems.values() for c in result.candidates):
        return kept
    always, turned = list[str](), list[str]()
    for base, schedules in bases.items():
        on = "" if len(bases) == 1 else f" on {base}"
        found = {label: _verdicts(problems, schedules, label) for label in labels}
        always += [f"{words}{on}" for words in _alike(found)]
        turned += [f"{words}{on}" for words in _turned(found)]
    every = f"under {_all_schedules(bases)}"
    nobody = f"Nobody is shown to help, and nobody to hurt, {every}{'' if len(bases) == 1 else ' of any problem'}."
    together = f"{every.capitalize()}: {'; '.join(always)}." if always else nobody
    turns = [f"With the schedule the verdict turns: {'; '.join(turned)}."] if turned else []
    return [together, *turns, *kept]


def _unreached(
    problems: Mapping[str, ComparisonResult], bases: Mapping[str, Mapping[str, str]], labels: Sequence[str]
) -> list[str]:
    """Says whose runs are the same under all schedules."""
    kept = [
        label
        for label in labels
        if all(_same([_losses(problems[name], label) for name in each.values()]) for each in bases.values())
        and all(None not in _losses(problems[name], label) for each in bases.values() for name in each.values())
    ]
    if not kept:
        return []
    whom = "it, as of one that keeps its own" if len(kept) == 1 else "them, as of those that keep their own"
    return [f"{listed(kept)} ended exactly alike under {_all_schedules(bases)}, which change nothing of {whom}."]


def _all_schedules(bases: Mapping[str, Mapping[str, str]]) -> str:
    number = len(next(iter(bases.values())))
    return "both schedules" if number == 2 else f"all {number} schedules"


def _same(losses: Sequence[Sequence[float | None]]) -> bool:
    longest = max(losses, key=len)
    return all(alike(longest, each) for each in losses)


def _losses(result: ComparisonResult, label: str) -> tuple[float | None, ...]:
    return next(each.final_losses for each in result.candidates if each.label == label) or (None,)


def _verdicts(problems: Mapping[str, ComparisonResult], schedules: Mapping[str, str], label: str) -> dict[str, str]:
    """Schedule to the verdict on a candidate."""
    return {called(schedule): _verdict(problems[name].candidates, label) for schedule, name in schedules.items()}


def _verdict(candidates: Sequence[CandidateResult], label: str) -> str:
    return next(each.verdict or "" for each in candidates if each.label == label)


def _alike(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Who has the same verdict with every schedule."""
    words = []
    for verdict in EFFECTS:
        same = [label for label, verdicts in found.items() if set(verdicts.values()) == {verdict}]
        if same:
            words.append(f"{listed(same)} {verdict if len(same) == 1 else verdict[:-1]}")
    return words


def _turned(found: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Who helps with one schedule and hurts with another."""
    words = []
    for label, verdicts in found.items():
        which = {effect: [schedule for schedule, each in verdicts.items() if each == effect] for effect in EFFECTS}
        if all(which.values()):
            words.append(
                f"{label} {' and '.join(f'{effect} under {listed(where)}' for effect, where in which.items())}"
            )
    return words
