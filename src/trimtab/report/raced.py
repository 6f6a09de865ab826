"""A race in words: who left when and why, and what it took."""

from trimtab.compare.race import WORTH, Departure
from trimtab.compare.result import CandidateResult, ComparisonResult, RaceResult
from trimtab.report.numbers import significant
from trimtab.study.phrases import count, listed
from trimtab.study.statistics import ALPHA


def seeds_of(result: ComparisonResult) -> str:
    """Returns how many seeds there were, in words: of a race, at most."""
    seeds = count(result.protocol.seeds, "seed")
    return seeds if result.race is None else f"up to {seeds}"


def finish(result: ComparisonResult, candidate: CandidateResult) -> str:
    """Returns how a candidate's race ended, or that it goes on; empty where there is none."""
    if result.race is None:
        return ""
    departure = result.race.departure(candidate.label)
    if departure is not None:
        return f"left after {count(departure.seeds, 'seed')}: {_why(departure, result.reference)}"
    runs = count(len(candidate.final_losses), "seed")
    if not candidate.final_losses:
        return ""
    if not result.race.over:
        return "still in the race"
    if candidate.label == result.reference:
        return f"ran {runs}, as many as others needed to be compared with it"
    return f"ran {runs}"


def _why(departure: Departure, reference: str) -> str:
    if departure.reason == "unfinished":
        return "a run of it did not finish"
    if departure.reason == "chance":
        chance = 0.0 if departure.chance is None else departure.chance
        words = "less than 1 %" if chance < 0.01 else f"{significant(100 * chance, 2)} %"
        return f"the chance that the other seeds would show a difference from {reference} was {words}"
    return f"shown to be {departure.reason} than {reference}"


def summary(result: ComparisonResult, race: RaceResult) -> str:
    """Returns what the race took, in a sentence."""
    finals = sum(trial.phase == "final" for trial in result.trials)
    most = result.protocol.seeds * len(result.candidates)
    pruned = sum(trial.phase == "tune" and trial.status == "pruned" for trial in result.trials)
    pruning = f"{count(pruned, 'setting')} {'was' if pruned == 1 else 'were'} pruned on the way"
    tuned = f", and {pruning}" if pruned else ""
    so_far = "" if race.over else " so far"
    return f"The race took {finals} of {most} final runs{so_far}{tuned}."


def departures(result: ComparisonResult, race: RaceResult) -> list[str]:
    """Returns who left at which look, in a sentence for each number of seeds and reason."""
    together: dict[tuple[int, str], list[str]] = {}
    for each in race.departures:
        words = {
            "better": f"shown to be better than {result.reference}",
            "worse": f"shown to be worse than {result.reference}",
            "chance": f"too small a chance that the other seeds would show a difference from {result.reference}",
            "unfinished": "a run did not finish",
        }[each.reason]
        together.setdefault((each.seeds, words), []).append(each.candidate)
    return [f"Left after {count(n, 'seed')}: {listed(labels)} ({words})." for (n, words), labels in together.items()]


def of_whom(result: ComparisonResult) -> str:
    """Returns of whom what is called detectable says something; empty where there is no race."""
    if result.race is None:
        return ""
    return (
        f" It is what the whole race finds of a difference from {result.reference}: of who left early, the interval "
        "says what is known, which may be far less."
    )


def rules(result: ComparisonResult, race: RaceResult) -> str:
    """Returns how a race is decided."""
    looks = listed([str(n) for n in race.looks])
    tuning = (
        " In tuning, settings came in waves; one was pruned where it would not have beaten the best of earlier waves "
        "even if it had still gained as much as any of them did from the same point on. Fresh seeds have no part in "
        "that."
        if result.protocol.trials
        else ""
    )
    return (
        f"Seeds came one after the other. After {looks} of them, as far as it came to that, it was looked at who goes "
        f"on. A candidate left "
        f"when a difference from {result.reference} was shown, or when the chance that all {race.looks[-1]} seeds "
        f"would show one was less than {WORTH:g} times the share of the race that was left. Each look has a level of "
        f"its own, so that all looks and pairs together are wrong in {100 * ALPHA:g} of 100 comparisons at most; "
        f"intervals hold at every look, and are wide where few seeds had been seen.{tuning}"
    )
