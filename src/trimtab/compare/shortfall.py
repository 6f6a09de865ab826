"""A time that is too short, in words: how the sum is made, and what fits instead."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trimtab.compare.budget import SHARE, Budget, Numbers, written
from trimtab.compare.prices import Price, predicted_seconds
from trimtab.study.again import AGAIN, runs_again
from trimtab.study.phrases import count

_LENGTHS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Shares of a run's length that are tried; a still shorter one is another experiment."""

_SURE = 0.85
"""Of the time that is left, what a proposal may take: the next measurement comes out otherwise."""

_FEWEST = 2
"""Trials, seeds and candidates that are proposed: with one there is nothing to choose, or nothing to compare."""


def too_short(budget: Budget, prices: Sequence[Price], fewest: Numbers, workers: int, reference: str | None) -> str:
    """Says why not even the fewest runs fit, and what does.

    Args:
        budget: the time.
        prices: of the candidates, on one problem or on several.
        fewest: trials and seeds, and how long they take.
        workers: runs at once.
        reference: label of the candidate that cannot be left out.
    """
    needed, lines = _sum(budget, prices, fewest, workers)
    found = _instead(budget, prices, fewest, workers, reference)
    asked = written(budget.seconds)
    if needed <= budget.seconds:  # this attempt had the first runs to make, and the next one has not
        return f"budget={asked} is over too early this time, and enough the next time, because runs are kept:\n{lines}"
    instead = f" Within {asked} fit instead: {'; '.join(found)}." if found else ""
    return f"budget={asked} is too short:\n{lines}\nGive --budget {written(_rounded_up(needed))}.{instead}"


def _sum(budget: Budget, prices: Sequence[Price], fewest: Numbers, workers: int) -> tuple[float, str]:
    """What is needed, and the sum of it in lines."""
    kept = all(price.done for price in prices)
    spent = 0.0 if kept else budget.spent
    needed = (spent + fewest.seconds) / SHARE
    again = sum(price.again(fewest.trials) for price in prices)
    tuning = again + sum(max(0, price.settings(fewest.trials) - price.done) for price in prices)
    further = max(price.tuning_seeds for price in prices) - 1
    best = f", the best {min(AGAIN, fewest.trials)} with {count(further, 'further seed')}" if again else ""
    first = f"{tuning} tuning trials ({fewest.trials} each{best}) and " if fewest.trials else ""
    runs = f"{first}{fewest.seeds * len(prices)} final runs"
    alone = ", ".join(f"{label} {shown(_alone(prices, label, fewest, workers))}" for label in _labels(prices))
    more = " more" if kept else ""
    rows = [
        (spent, "to find out what a run takes"),
        (fewest.seconds, f"{runs}{more} ({fewest.seeds} each), {workers} at a time; by candidate: {alone}"),
        (needed - spent - fewest.seconds, f"kept back for the reports ({100 * (1 - SHARE):.0f} %)"),
    ]
    width = max(len(shown(seconds)) for seconds, _ in rows)
    return needed, "\n".join(f"  {shown(seconds):>{width}}  {words}" for seconds, words in rows if seconds > 0)


def _instead(
    budget: Budget, prices: Sequence[Price], fewest: Numbers, workers: int, reference: str | None
) -> list[str]:
    def fits(prices: Sequence[Price], trials: int = fewest.trials, seeds: int = fewest.seeds) -> bool:
        return predicted_seconds(prices, trials, seeds, workers) <= _SURE * budget.left

    found = []
    trials = next((n for n in range(fewest.trials - 1, _FEWEST - 1, -1) if fits(prices, trials=n)), None)
    if trials is not None:
        found.append(f"--trials {trials}" + (f" --seeds {fewest.seeds}" if budget.seeds is not None else ""))
    if budget.seeds is not None:
        seeds = next((n for n in range(fewest.seeds - 1, _FEWEST - 1, -1) if fits(prices, seeds=n)), None)
        found += [f"--seeds {seeds}"] if seeds is not None else []
    once = [replace(price, tuning_seeds=1) for price in prices]
    if once != list(prices) and fits(once):
        found.append("--tuning-seeds 1")
    left, out = list(prices), list[str]()
    while not fits(left) and len(_labels(left)) > _FEWEST:
        others = [label for label in _labels(left) if label != reference]
        out.append(max(others, key=lambda label: _alone(prices, label, fewest, workers)))
        left = [price for price in left if price.label not in out]
    if out and fits(left):
        found.append(f"all candidates but {' and '.join(out)}")
    shorter = (([_scaled(price, share) for price in prices], share) for share in _LENGTHS)
    length = next((share for scaled, share in shorter if fits(scaled)), None)
    if length is not None:
        steps = "" if all(price.done for price in prices) else " (--steps)"
        found.append(f"runs of {100 * length:.0f} % of their length{steps}")
    return found


def least_too_long(
    budget: Budget, runs: Mapping[str, tuple[int, float]], workers: int, counts: Numbers, tuning_seeds: int
) -> str:
    """Says that the first runs take so long that the fewest cannot fit.

    Args:
        budget: the time.
        runs: label to how many runs are still to come, and how long one takes at least.
        workers: runs at once.
        counts: the fewest trials and seeds.
        tuning_seeds: with which the best settings are tried.
    """
    known = ", ".join(
        f"{count} runs of {label} of {shown(seconds)}" for label, (count, seconds) in runs.items() if seconds
    )
    needed = sum(count * seconds for count, seconds in runs.values()) / workers
    asked, enough = written(budget.seconds), written(_rounded_up(needed / SHARE))

    def longest(trials: int) -> str:
        each = trials + runs_again(trials, tuning_seeds) + counts.seeds
        return shown(SHARE * budget.seconds * workers / (len(runs) * each))

    fewer = "" if counts.trials <= _FEWEST else f", with --trials {_FEWEST} of up to {longest(_FEWEST)}"
    return (
        f"budget={asked} is too short, as the first runs show: with {counts.trials} trials and {counts.seeds} seeds of "
        f"each candidate there are {known} or longer to come, {shown(needed)} or more with {workers} at a time, and "
        f"{shown(max(0.0, budget.left))} are left. Into {asked} fit runs of up to {longest(counts.trials)}{fewer}. "
        f"Make a run shorter, leave out candidates, or give {enough} or more; the runs that have ended are kept"
    )


def _labels(prices: Sequence[Price]) -> list[str]:
    return list(dict.fromkeys(price.label for price in prices))


def _alone(prices: Sequence[Price], label: str, numbers: Numbers, workers: int) -> float:
    own = [price for price in prices if price.label == label]
    return predicted_seconds(own, numbers.trials, numbers.seeds, workers)


def _scaled(price: Price, share: float) -> Price:
    return replace(price, trial=share * price.trial, final=share * price.final)


def shown(seconds: float) -> str:
    """Returns a duration for readers, with a decimal where it is short."""
    return written(seconds) if seconds >= 9.95 else f"{seconds:.1f}s"


def _rounded_up(seconds: float) -> float:
    unit = 60 if seconds > 120 else 10
    return unit * (seconds // unit + 1)
