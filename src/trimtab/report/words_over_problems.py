"""A comparison over several problems in words: what was done, what the numbers mean, what the figures show."""

from trimtab.compare.over_problems.places import places_of, scheduled
from trimtab.compare.over_problems.result import ResultOverProblems
from trimtab.compare.over_problems.schedules import by_schedule, called
from trimtab.lab.problem import EVALUATIONS
from trimtab.study.phrases import count


def unit(result: ResultOverProblems) -> str:
    """What costs are counted in: problems of one slot have one."""
    return next(iter(result.problems.values())).problem.cost.many


def over(result: ResultOverProblems) -> str:
    """Returns how many problems or schedules there are, in words."""
    bases = by_schedule(result.problems)
    if len(bases) < 2:
        return places_of(result.problems).count(len(result.problems))
    schedules = {schedule for each in bases.values() for schedule in each}
    return f"{count(len(bases), 'problem')} with {count(len(schedules), 'schedule')}"


def facts(result: ResultOverProblems) -> list[tuple[str, str]]:
    """Returns the few facts that a reader wants first, name and value."""
    made = [found.protocol for found in result.problems.values()]
    places = places_of(result.problems)
    bases = by_schedule(result.problems)
    trained = dict.fromkeys(
        result.problems[name].problem.recipe or called(schedule)
        for each in bases.values()
        for schedule, name in each.items()
    )
    unpaired = any(protocol.unpaired for protocol in made)
    runs = {c.runs for found in result.problems.values() for c in found.candidates}
    seeds = sorted(runs if unpaired else {protocol.seeds for protocol in made})
    racing = any(found.race is not None for found in result.problems.values())
    numbers = " to ".join(map(str, seeds[:: max(1, len(seeds) - 1)])) + (" at most" if racing else "")
    return [
        *([("problem", next(iter(bases)))] if len(bases) == 1 else [("problems", f"{len(bases or result.problems)}")]),
        *([("schedules", "; ".join(trained))] if bases else []),
        ("candidates", f"{len(result.profiles)}"),
        *([("settings tried for each", f"{made[0].trials} {places.at} each {places.noun}")] if _tuned(result) else []),
        ("runs of a candidate" if unpaired else "fresh seeds, after tuning" if _tuned(result) else "seeds", numbers),
        ("trials", f"{sum(len(found.trials) for found in result.problems.values()):,}"),
        *([("targets reached by any candidate", f"{len(result.reached)} of {len(result.counted)}")] * result.scored),
        ("reference", result.reference),
    ]


def _tuned(result: ResultOverProblems) -> bool:
    """Whether settings were tried: problems of one slot are alike in that."""
    return any(found.protocol.trials for found in result.problems.values())


def method(result: ResultOverProblems) -> list[tuple[str, str]]:
    """Returns how the overview was made: what a paragraph is about, and the paragraph."""
    tuned = _tuned(result)
    origin = any(found.problem.origin for found in result.problems.values())
    ran = "were tuned and run on fresh seeds" if tuned else "ran several times" if origin else "ran with several seeds"
    own = ", with settings of their own there" if tuned else ""
    taken = "this takes fresh seeds of the setting that was best at the end" if tuned else "nothing is tuned here"
    taken = "this takes the runs that were read" if origin else taken
    seen = f"A run is looked at {EVALUATIONS} times: costs of one such interval apart may be equal."
    seen = "How finely that is known is a matter of how often each run was looked at." if origin else seen
    places = places_of(result.problems)
    each = (
        f"Each {places.noun}",
        f"Candidates {ran} {places.at} each {places.noun} by itself{own}. Its page says how, and what was shown.",
    )
    if not result.scored:
        return [each]
    return [
        each,
        (
            "Cost",
            f"The {unit(result)} after which a final run is first seen at the target of its problem, in the median "
            "over seeds. A run that never gets there counts as later than any, so that the median is infinite where "
            f"most do not. {seen}",
        ),
        (
            "Profile",
            "A candidate's cost on a problem, over the lowest that any candidate has there, is its factor. Its profile "
            "is the share of problems on which the factor is at most so large (Dolan and Moré, 2002).",
        ),
        (
            "Score",
            f"The mean height of the profile between the factors 1 and {result.tau_max:g}, as AlgoPerf scores training "
            "algorithms (Dahl et al., 2023): 1 for a candidate that is the fastest on every problem, 0 for one that "
            f"nowhere needs less than {result.tau_max:g} times the cost of the fastest. A problem whose target nobody "
            "reaches lowers all scores alike.",
        ),
        (
            "Not AlgoPerf",
            f"AlgoPerf counts seconds on fixed hardware, where this counts {unit(result)}; its targets come from "
            "well-tuned runs of four baselines, where these are the problems' own, or the median at which the "
            f"reference ends; it takes the fastest of five tuning runs, where {taken}; and it has eight large "
            "workloads. Scores of the two cannot be compared.",
        ),
    ]


def columns(result: ResultOverProblems) -> list[tuple[str, str]]:
    """Returns what stands below the table: what its columns hold."""
    place = (
        "rank, helps, hurts",
        "By where that problem's runs end. A cost is how soon the target was reached: they may disagree.",
    )
    if not result.scored:
        runs = "the runs with that schedule" if scheduled(result.problems) else "that problem's runs"
        return [("rank, helps, hurts", f"By where {runs} end.")]
    return [
        (
            "score",
            f"1 for who is the fastest on every problem, 0 for who nowhere comes within {result.tau_max:g} times the "
            f"fastest, over {places_of(result.problems).count(len(result.counted))}. It describes, and is no test.",
        ),
        (
            "× the lowest cost",
            f"{unit(result).capitalize()} until the problem's target, over those of the fastest candidate there.",
        ),
        place,
    ]


def reading(result: ResultOverProblems) -> list[tuple[str, str]]:
    """Returns what to be wary of, term and explanation."""
    places = places_of(result.problems)
    verdict = (
        "Verdict",
        f"Against {result.reference} {places.at} one {places.noun}, by the t test over its seeds, corrected for the "
        f"pairs of that {places.noun}. Over several {places.many}, some verdict is wrong by luck more often than 5 % "
        "of the time.",
    )
    if not result.scored:
        return [verdict]
    return [
        (
            "No interval",
            f"Scores are of {places.count(len(result.counted))}. They are not drawn at random from anything, and so "
            "few of them give no interval that means something. A difference of scores is a description and not a "
            "finding.",
        ),
        (
            "Who takes part",
            "Factors are to the fastest of these candidates. With another one beside them all scores may change, and "
            "so may their order.",
        ),
        verdict,
        ("Targets", " ".join(f"{name}: {found.target}." for name, found in result.problems.items())),
    ]


def captions(result: ResultOverProblems) -> dict[str, tuple[str, str]]:
    """Returns for each figure its heading and its caption."""
    many = places_of(result.problems).count(len(result.counted))
    return {
        "profiles": (
            "Performance profiles",
            f"How many of {many} a candidate solves within a factor of the lowest cost. Higher is better; the score, "
            "beside the name, is the mean height. Lines that coincide are set apart a little.",
        ),
        "ratios": (
            "Problem by problem",
            "Cost to the target of each problem, over the lowest. Further left is better; hollow marks did not reach "
            f"the target, and there is no credit right of {result.tau_max:g} ×.",
        ),
    }


def descriptions(result: ResultOverProblems) -> dict[str, str]:
    """Returns for each figure what it shows, for those who cannot see it."""
    scores = "; ".join(f"{p.label} {p.score:.2f}" for p in result.profiles if p.score is not None)
    return {
        "profiles": f"Step plot of performance profiles. Scores, highest first: {scores or 'there are none yet'}.",
        "ratios": "Dot plot of each candidate's cost on each problem over the lowest. The table above holds the same "
        "numbers.",
    }
