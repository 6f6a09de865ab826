"""How many trials and seeds fit into a time."""

from collections.abc import Callable, Iterable, Sequence

from trimtab.compare.budget import FEWEST_SEEDS, FEWEST_TRIALS, MOST_SEEDS, MOST_TRIALS, Budget, Numbers
from trimtab.compare.prices import Price, predicted_seconds
from trimtab.compare.shortfall import too_short
from trimtab.study.errors import InputError


def fitting(budget: Budget, prices: Sequence[Price], workers: int, reference: str | None = None) -> Numbers:
    """Chooses as many trials and seeds as fit, the same for every candidate.

    Seeds come first, up to the usual number, because they are what lets a difference be seen; then trials, up to
    :data:`MOST_TRIALS`; then more seeds, up to :data:`MOST_SEEDS`. What was asked for stays.

    Args:
        budget: the time.
        prices: of the candidates, on one problem or on several.
        workers: runs at once.
        reference: label of a candidate that cannot be left out, for the message.

    Raises:
        InputError: not even the fewest fit; the message says how the sum is made, and what fits instead.
    """
    left = budget.left

    def seconds(trials: int, seeds: int) -> float:
        return predicted_seconds(prices, trials, seeds, workers)

    trials = budget.trials if budget.trials is not None else max(FEWEST_TRIALS, *(price.done for price in prices))
    seeds = budget.seeds or FEWEST_SEEDS
    fewest = Numbers(trials, seeds, seconds(trials, seeds))
    if fewest.seconds > left:
        raise InputError(too_short(budget, prices, fewest, workers, reference))
    if budget.seeds is None:
        seeds = _most(range(seeds, max(seeds, budget.usual_seeds) + 1), lambda n: seconds(trials, n) <= left)
    if budget.trials is None:
        trials = _most(range(trials, max(trials, MOST_TRIALS) + 1), lambda n: seconds(n, seeds) <= left)
    if budget.seeds is None:
        seeds = _most(range(seeds, max(seeds, MOST_SEEDS) + 1), lambda n: seconds(trials, n) <= left)
    return Numbers(trials, seeds, seconds(trials, seeds))


def _most(numbers: Iterable[int], fits: Callable[[int], bool]) -> int:
    """Returns the last number that fits; the first one does."""
    first, *others = numbers
    low, high = 0, len(others)
    while low < high:  # the first `low` of the others fit, those from `high` on do not
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(others[middle - 1]) else (low, middle - 1)
    return others[low - 1] if low else first
