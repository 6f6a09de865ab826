"""How candidates were tuned, in words: with which seeds, how far ranges went on, what luck had to do with it."""

from collections.abc import Sequence

from trimtab.compare.result import ComparisonResult
from trimtab.compare.tuning import Extension
from trimtab.report.numbers import significant
from trimtab.study.again import runs_again
from trimtab.study.phrases import count, listed

_LISTED = 10
"""So many seeds are listed where they do not follow each other."""


def again(result: ComparisonResult) -> str:
    """Returns what was done with further seeds of tuning; empty if there were none."""
    made = result.protocol
    if not runs_again(made.trials, made.tuning_seeds):
        return ""
    further = numbered(range(made.tuning_seed + 1, made.tuning_seed + made.tuning_seeds))
    best = "the best" if made.again >= made.trials else f"the best {made.again}"
    return f" Then {best} ran with {further} as well, because whoever looks best with one seed was also lucky with it."


def gone_on(result: ComparisonResult) -> str:
    """Returns who tried more of a setting whose best value was the most extreme; empty if nobody did."""
    went = [(c.label, each) for c in result.candidates for each in c.extensions]
    if not went:
        return ""
    who = "; ".join(f"{label} tried {_how_far(each)}" for label, each in went)
    return f" Where the best value was the most extreme that was tried, its range went on: {who}."


def _how_far(each: Extension) -> str:
    more = f"{count(each.settings, 'more value')} of {each.setting}, as far as {each.reached:.3g}"
    return f"{more}, beyond {each.bound:.3g}" if each.left else f"{more}, within its range"


def winners_curse(result: ComparisonResult) -> list[tuple[str, str]]:
    """Returns how much better the chosen settings looked in tuning than they are: a heading and a paragraph."""
    known = {c.label: c.winners_curse for c in result.candidates if c.winners_curse is not None}
    if not known:
        return []
    each = ", ".join(f"{label} {significant(curse, 2)}" for label, curse in known.items())
    mean = f" (mean {significant(sum(known.values()) / len(known), 2)})" if len(known) > 1 else ""
    return [
        (
            "Winner's curse",
            f"By how much {_a_setting(result)} looked better in tuning than with the fresh seeds, in standard "
            f"deviations of the fresh seeds; below zero it looked worse: {each}{mean}. What wins a choice was lucky as "
            "well. Ranks and verdicts are of the fresh seeds alone, and have nothing of that luck.",
        )
    ]


def _a_setting(result: ComparisonResult) -> str:
    return "the chosen setting" if len(result.candidates) == 1 else "each chosen setting"


def numbered(numbers: Sequence[int]) -> str:
    """Returns which seeds there were."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return f"seed {first}"
    if last - first == len(numbers) - 1:
        return f"seeds {first} to {last}"
    return f"seeds {listed(list(map(str, numbers)))}" if len(numbers) <= _LISTED else f"seeds from {first} to {last}"
