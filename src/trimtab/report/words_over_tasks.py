"""A comparison over several tasks in words: what was done, what the numbers mean, what the figures show."""

from trimtab.compare.over_tasks.result import ResultOverTasks
from trimtab.study.phrases import count


def unit(result: ResultOverTasks) -> str:
    """What costs are counted in: problems of one slot have one."""
    return next(iter(result.tasks.values())).problem.cost.many


def facts(result: ResultOverTasks) -> list[tuple[str, str]]:
    """Returns the few facts that a reader wants first, name and value."""
    made = [task.protocol for task in result.tasks.values()]
    seeds = sorted({protocol.seeds for protocol in made})
    return [
        ("tasks", f"{len(result.tasks)}"),
        ("candidates", f"{len(result.profiles)}"),
        ("settings tried for each", f"{made[0].trials} on each task"),
        ("fresh seeds, after tuning", " to ".join(map(str, seeds[:: max(1, len(seeds) - 1)]))),
        ("trials", f"{sum(len(task.trials) for task in result.tasks.values()):,}"),
        ("tasks that count", f"{len(result.counted)}"),
        ("reference", result.reference),
    ]


def method(result: ResultOverTasks) -> list[tuple[str, str]]:
    """Returns how the overview was made: what a paragraph is about, and the paragraph."""
    return [
        (
            "Each task",
            "Candidates were tuned and run on fresh seeds on each task by itself, with settings of their own there. "
            "Its page says how, and what was shown.",
        ),
        (
            "Cost",
            f"The {unit(result)} after which a final run is first seen at the target of its task, in the median over "
            "seeds. A run that never gets there counts as later than any, so that the median is infinite where most "
            "do not. The validation data are looked at 20 times a run: costs of one such interval apart may be equal.",
        ),
        (
            "Profile",
            "A candidate's cost on a task, over the lowest that any candidate has there, is its factor. Its profile is "
            "the share of tasks on which the factor is at most so large (Dolan and Moré, 2002).",
        ),
        (
            "Score",
            f"The mean height of the profile between the factors 1 and {result.tau_max:g}, as AlgoPerf scores training "
            "algorithms (Dahl et al., 2023): 1 for a candidate that is the fastest on every task, 0 for one that "
            f"nowhere needs less than {result.tau_max:g} times the cost of the fastest. A task whose target nobody "
            "reaches counts for nobody.",
        ),
        (
            "Not AlgoPerf",
            f"AlgoPerf counts seconds on fixed hardware, where this counts {unit(result)}; its targets come from "
            "well-tuned runs of four baselines, where these are the tasks' own, or the median at which the reference "
            "ends; it takes the fastest of five tuning runs, where this takes fresh seeds of the setting with the "
            "lowest loss at the end; and it has eight large workloads. Scores of the two cannot be compared.",
        ),
    ]


def columns(result: ResultOverTasks) -> list[tuple[str, str]]:
    """Returns what stands below the table: what its columns hold."""
    return [
        (
            "score",
            f"1 for who is the fastest on every task, 0 for who nowhere comes within {result.tau_max:g} times the "
            f"fastest, over {count(len(result.counted), 'task')}. It describes, and is no test.",
        ),
        (
            "× the lowest cost",
            f"{unit(result).capitalize()} until the task's target, over those of the fastest candidate there.",
        ),
        (
            "rank, helps, hurts",
            "By the loss at the end of that task's runs. A cost is how soon the target was reached: they may disagree.",
        ),
    ]


def reading(result: ResultOverTasks) -> list[tuple[str, str]]:
    """Returns what to be wary of, term and explanation."""
    return [
        (
            "No interval",
            f"Scores are of {count(len(result.counted), 'task')}. Tasks are not drawn at random from anything, and so "
            "few of them give no interval that means something. A difference of scores is a description and not a "
            "finding.",
        ),
        (
            "Who takes part",
            "Factors are to the fastest of these candidates. With another one beside them all scores may change, and "
            "so may their order.",
        ),
        (
            "Verdict",
            f"Against {result.reference} on one task, by the paired t test over its seeds, corrected for the pairs of "
            "that task. Over several tasks, some verdict is wrong by luck more often than 5 % of the time.",
        ),
        ("Targets", " ".join(f"{name}: {task.target}." for name, task in result.tasks.items())),
    ]


def captions(result: ResultOverTasks) -> dict[str, tuple[str, str]]:
    """Returns for each figure its heading and its caption."""
    return {
        "profiles": (
            "Performance profiles",
            f"How many of {count(len(result.counted), 'task')} a candidate solves within a factor of the lowest cost. "
            "Higher is better; the score, beside the name, is the mean height. Lines that coincide are set apart a "
            "little.",
        ),
        "ratios": (
            "Task by task",
            "Cost to the target of each task, over the lowest. Further left is better; hollow marks did not reach the "
            f"target, and there is no credit right of {result.tau_max:g} ×.",
        ),
    }


def descriptions(result: ResultOverTasks) -> dict[str, str]:
    """Returns for each figure what it shows, for those who cannot see it."""
    scores = "; ".join(f"{p.label} {p.score:.2f}" for p in result.profiles if p.score is not None)
    return {
        "profiles": f"Step plot of performance profiles. Scores, highest first: {scores or 'there are none yet'}.",
        "ratios": "Dot plot of each candidate's cost on each task over the lowest. The table above holds the same "
        "numbers.",
    }
