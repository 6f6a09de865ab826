"""Which candidates are told apart, and the ranks that follow."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.compare.race import Race
from trimtab.compare.result import Pair
from trimtab.study import statistics
from trimtab.study.checks import check_flag, check_number, check_text
from trimtab.study.data_frames import columns_of, is_data_frame
from trimtab.study.errors import Faults, InputError
from trimtab.study.outcome import is_measured
from trimtab.study.statistics import ALPHA
from trimtab.study.statistics.sequential import corrected_looks
from trimtab.study.suggestions import nearest

if TYPE_CHECKING:
    import pandas as pd

Losses = Union[Mapping[str, Sequence[float | None]], "pd.DataFrame"]


def compare_losses(losses: Losses, *, reference: str | None = None, unpaired: bool = False) -> tuple[Pair, ...]:
    """Tells apart candidates by the losses of their runs, as :class:`trimtab.Comparison` does.

    Each pair is tested by a t test on the runs that share a seed, whose spread is estimated from all candidates' runs
    as far as these agree on it (:mod:`trimtab.study.statistics.moderated`); the p-values are corrected by Holm's
    method, and the simultaneous intervals hold for all pairs together.

    Args:
        losses: label to the final losses, less being better; a seed's losses stand at one place in each list, array or
            column of a data frame, with ``None`` or ``nan`` where a run is missing. It may be a data frame as a whole,
            with a column for each candidate.
        reference: label of a candidate with which each other one is compared, and with no other: fewer pairs need less
            correction, and no ranks follow. By default, each is compared with each.
        unpaired: whether places in the lists mean nothing, so that runs are not matched and lists may be of unequal
            lengths (:mod:`trimtab.study.statistics.unpaired`).

    Returns:
        A pair of each two candidates in the order given, or, with a reference, of each other one and the reference;
        an improvement is that of ``first``.

    Raises:
        InputError: fewer than two candidates, a loss that is no finite number, lists of unequal lengths, two candidates
            that have fewer than two seeds in common (where runs are not matched, a candidate that has fewer than two),
            or an unknown reference.

    Example:
        >>> (pair,) = trimtab.compare_losses({"lion": [0.31, 0.33, 0.32, 0.34], "adamw": [0.41, 0.44, 0.42, 0.42]})
        >>> pair.verdict
        'helps'
    """
    check_flag("unpaired", unpaired)
    if is_data_frame(losses):
        losses = columns_of("losses", losses)
    known = _checked(losses, unpaired=unpaired)
    if reference is not None:
        check_text("reference", reference)
        if reference not in losses:
            raise InputError(f"reference={reference!r} is not among the candidates: {nearest(reference, list(losses))}")
    return compared_pairs(known, reference=reference, unpaired=unpaired)


def compared_pairs(
    losses: Mapping[str, ArrayLike],
    *,
    reference: str | None = None,
    span: float | None = None,
    unpaired: bool = False,
) -> tuple[Pair, ...]:
    """Does what :func:`compare_losses` says with losses that were checked, and of which ``nan`` are missing.

    Args:
        losses: label to the final losses.
        reference: label of a candidate with which each other one is compared; by default, each is with each.
        span: the largest difference that two losses can have, if there is one.
        unpaired: whether runs are not matched, and candidates may have unequally many.
    """
    labels = list(itertools.combinations(losses, 2))
    # a pair's difference is its second loss less its first: how much lower the first is
    estimates = statistics.unpaired_estimates if unpaired else statistics.moderated_estimates
    found = estimates([-np.asarray(each, float) for each in losses.values()], span=span)
    tested = [(pair, each) for pair, each in zip(labels, found, strict=True) if reference in (None, *pair)]
    corrected = statistics.corrected([each for _, each in tested], 1 - ALPHA)
    pairs = [_pair(labels, found, each) for (labels, found), each in zip(tested, corrected, strict=True)]
    return tuple(pair.turned() if pair.first == reference else pair for pair in pairs)


def raced_pairs(
    race: Race, ranked: Collection[str], *, reference: str | None = None, span: float | None = None
) -> tuple[Pair, ...]:
    """Returns the pairs that a race has tested, as they stand.

    Args:
        race: how it stands.
        ranked: labels of the candidates that are ranked; the others count where p-values are corrected.
        reference: as of :func:`compared_pairs`.
        span: as there.
    """
    tests = {pair: replace(each, estimate=replace(each.estimate, span=span)) for pair, each in race.pairs.items()}
    raced = [race.reference in pair for pair in tests]
    corrected = corrected_looks(list(tests.values()), race.bounds, 1 - ALPHA, raced=raced)
    pairs = [
        _pair(labels, test.estimate, each)
        for (labels, test), each in zip(tests.items(), corrected, strict=True)
        if {*labels} <= {*ranked}
    ]
    return tuple(pair.turned() if pair.first == reference else pair for pair in pairs)


def _pair(labels: tuple[str, str], found: statistics.ModeratedEstimate, each: statistics.CorrectedDifference) -> Pair:
    first, second = labels
    return Pair(
        first=first,
        second=second,
        improvement=each.alone.mean,
        low=each.alone.low,
        high=each.alone.high,
        simultaneous_low=each.low,
        simultaneous_high=each.high,
        p_value=each.p_value,
        smallest_detectable=each.alone.smallest_detectable,
        simultaneous_detectable=each.smallest_detectable,
        seeds=each.alone.n,
        freedom=found.freedom,
        pairing=found.pairing,
    )


def _checked(losses: Any, *, unpaired: bool) -> dict[str, NDArray[np.float64]]:
    if not isinstance(losses, Mapping):
        kind = type(losses).__name__
        raise InputError(f"losses is of type {kind}: a mapping from each candidate's label to its losses is needed")
    if len(losses) < 2:
        raise InputError(f"losses has the candidates {list(losses)}: two or more are needed")
    faults, known = Faults(), {}
    for label, values in losses.items():
        with faults:
            check_text("a label of losses", label)
            known[label] = _numbers(label, values)
    for label, values in known.items() if unpaired else ():
        with faults:
            if (runs := int((~np.isnan(values)).sum())) < 2:
                raise InputError(f"losses[{label!r}] has {runs} runs; at least two are needed")
    faults.raise_any()
    if unpaired:
        return known
    lengths = {len(values) for values in known.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{label} {len(values)}" for label, values in known.items())
        raise InputError(
            f"losses has lists of unequal lengths ({told}): a place in each is a seed; None is a missing run"
        )
    for (first, some), (second, others) in itertools.combinations(known.items(), 2):
        with faults:
            shared = len(statistics.in_common(some, others)[0])
            if shared < 2:
                raise InputError(f"losses: {first} and {second} have {shared} seeds in common; at least two are needed")
    faults.raise_any()
    return known


def _numbers(label: str, values: Any) -> NDArray[np.float64]:
    """Returns losses as an array in which missing ones are ``nan``."""
    plain = values.tolist() if hasattr(values, "tolist") else values  # arrays, tensors and columns of data frames
    if not isinstance(plain, list | tuple):
        kind = type(values).__name__
        raise InputError(
            f"losses[{label!r}] is of type {kind}: a list of numbers is needed, with None for a missing run"
        )
    found = np.full(len(plain), math.nan)
    for place, value in enumerate(plain):
        number = value.item() if hasattr(value, "item") else value
        if number is None or (isinstance(number, float) and math.isnan(number)):
            continue
        name = f"losses[{label!r}][{place}]"
        check_number(name, number)
        if not is_measured(number):
            raise InputError(f"{name}={number!r}: it is too large for a loss; None stands for a run that diverged")
        found[place] = number
    return found


def ranks(losses: Mapping[str, Sequence[float]], pairs: Sequence[Pair]) -> dict[str, int]:
    """Ranks by what the pairs show; with a single seed they show nothing, and all share the first rank."""
    if not losses:
        return {}
    labels = list(losses)
    p_values = {frozenset((pair.first, pair.second)): pair.p_value for pair in pairs}
    corrected: list[list[float]] = [
        [p_values.get(frozenset((row, column)), 1.0) for column in labels] for row in labels
    ]
    means = [sum(values) / len(values) for values in losses.values()]
    return dict(zip(labels, statistics.ranks(means, corrected, ALPHA), strict=True))


def raced_ranks(labels: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """Ranks candidates of a race, whose means are over different seeds, by the pairs alone."""
    shown = [pair if pair.improvement > 0 else pair.turned() for pair in pairs if pair.shown]
    return {label: 1 + sum(pair.second == label for pair in shown) for label in labels}


def groups(labels: Sequence[str], pairs: Sequence[Pair], reference: str) -> dict[str, int]:
    """Puts those first that are shown to be better than the reference, and those last that are shown to be worse.

    Args:
        labels: of the candidates.
        pairs: of each of them with the reference.
        reference: its label.
    """
    order = {"helps": 0, "no difference shown": 1, "hurts": 2}
    tested = {label: between(pairs, label, reference) for label in labels}
    found = {label: 1 if pair is None else order[pair.verdict] for label, pair in tested.items()}
    taken = sorted(set(found.values()))
    return {label: 1 + taken.index(group) for label, group in found.items()}


def between(pairs: Sequence[Pair], label: str, reference: str) -> Pair | None:
    """Returns the pair of a candidate and the reference, turned so that an improvement is the candidate's."""
    for pair in pairs:
        if (pair.first, pair.second) == (label, reference):
            return pair
        if (pair.first, pair.second) == (reference, label):
            return pair.turned()
    return None
