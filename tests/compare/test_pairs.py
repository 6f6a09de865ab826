import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import trimtab
from trimtab.compare.pairs import compare_losses, groups, ranks
from trimtab.study.errors import InputError
from trimtab.study.statistics import holm, moderated_estimates

LOSSES = {
    "adamw": [0.41, 0.44, 0.42, 0.425],
    "lion": [0.31, 0.335, 0.32, 0.34],
    "sgd": [0.52, 0.51, 0.49, 0.53],
    "adam": [0.415, 0.43, 0.44, 0.42],
}


def test_it_stands_in_the_package():
    assert trimtab.compare_losses is compare_losses
    assert "compare_losses" in dir(trimtab)


def test_two_candidates_have_the_paired_t_test():
    (pair,) = compare_losses({label: LOSSES[label] for label in ("lion", "adamw")})
    expected = stats.ttest_rel(LOSSES["adamw"], LOSSES["lion"])
    assert (pair.first, pair.second, pair.seeds, pair.freedom) == ("lion", "adamw", 4, 3)
    assert pair.improvement == pytest.approx(np.mean(LOSSES["adamw"]) - np.mean(LOSSES["lion"]))
    # losses with three digits lack the variance that rounding took
    assert pair.p_value == pytest.approx(expected.pvalue, rel=0.1)
    assert pair.verdict == "helps"


def test_each_is_compared_with_each_and_corrected_for_all():
    pairs = compare_losses(LOSSES)
    assert [(pair.first, pair.second) for pair in pairs] == list(itertools.combinations(LOSSES, 2))
    raw = [each.p_value for each in moderated_estimates([np.array(losses) for losses in LOSSES.values()])]
    assert [pair.p_value for pair in pairs] == pytest.approx([*holm(raw)])
    assert ranks(LOSSES, pairs) == {"lion": 1, "adamw": 2, "adam": 2, "sgd": 4}
    for pair in pairs:
        assert (pair.simultaneous_low < 0 < pair.simultaneous_high) != pair.shown
        assert pair.simultaneous_low <= pair.low <= pair.improvement <= pair.high <= pair.simultaneous_high
        assert pair.smallest_detectable < pair.simultaneous_detectable


def test_against_a_reference_fewer_pairs_need_less_correction():
    alone = compare_losses(LOSSES, reference="adamw")
    assert [(pair.first, pair.second) for pair in alone] == [("lion", "adamw"), ("sgd", "adamw"), ("adam", "adamw")]
    among = {frozenset((pair.first, pair.second)): pair for pair in compare_losses(LOSSES)}
    for pair in alone:
        other = among[frozenset((pair.first, pair.second))]
        assert pair.p_value <= other.p_value
        assert pair.simultaneous_detectable < other.simultaneous_detectable
        assert (pair.freedom, pair.pairing, pair.smallest_detectable) == (
            other.freedom,
            other.pairing,
            other.smallest_detectable,
        )
    assert [pair.verdict for pair in alone] == ["helps", "hurts", "no difference shown"]
    assert groups(list(LOSSES), alone, "adamw") == {"lion": 1, "adamw": 2, "adam": 2, "sgd": 3}
    assert groups(["adamw", "sgd"], alone, "adamw") == {"adamw": 1, "sgd": 2}


def test_runs_that_are_missing_leave_the_seeds_that_two_share():
    losses = {**LOSSES, "sgd": [0.52, None, 0.49, 0.53]}
    pairs = {(pair.first, pair.second): pair for pair in compare_losses(losses)}
    assert pairs["adamw", "sgd"].seeds == 3
    assert pairs["adamw", "lion"].seeds == 4
    expected = np.mean([0.52 - 0.41, 0.49 - 0.42, 0.53 - 0.425])
    assert pairs["adamw", "sgd"].improvement == pytest.approx(expected)


@pytest.mark.parametrize("kind", [np.array, pd.Series, torch.tensor, tuple, lambda losses: [*map(np.float64, losses)]])
def test_arrays_columns_and_tensors_are_lists_of_numbers(kind):
    kept = {"dtype": torch.float64} if kind is torch.tensor else {}
    found = compare_losses({label: kind(losses, **kept) for label, losses in LOSSES.items()})
    assert found == compare_losses(LOSSES)


def test_a_data_frame_is_a_mapping_of_columns_whose_missing_numbers_are_missing_runs():
    frame = pd.DataFrame({**LOSSES, "sgd": [0.52, math.nan, 0.49, 0.53]})
    assert compare_losses(dict(frame)) == compare_losses({**LOSSES, "sgd": [0.52, None, 0.49, 0.53]})
    assert compare_losses(frame, reference="sgd") == compare_losses(dict(frame), reference="sgd")
    assert compare_losses(frame.convert_dtypes()) == compare_losses(frame)
    single = {label: np.array(losses, np.float32) for label, losses in LOSSES.items()}
    assert compare_losses(single)[0].improvement == pytest.approx(compare_losses(LOSSES)[0].improvement, rel=1e-4)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "losses is of type list: a mapping"),
        (pd.Series([1.0, 2.0]), "^losses is of type Series: a mapping from each candidate's label to its losses"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "losses: column 'a' is there 2 times"),
        ({}, "two or more are needed"),
        ({"adamw": [1.0, 2.0]}, r"losses has the candidates \['adamw'\]: two or more"),
        ({"a": [1.0, 2.0], "b": 3.0}, r"losses\['b'\] is of type float: a list of numbers"),
        ({"a": [1.0, 2.0], "b": "12"}, r"losses\['b'\] is of type str: a list of numbers"),
        ({"a": [1.0, 2.0], "b": [1.0, 1e151]}, r"losses\['b'\]\[1\]=1e\+151: it is too large for a loss"),
        ({"a": [1.0, "x"], "b": [1.0, math.inf]}, r"(?s)losses\['a'\]\[1\]='x'.*losses\['b'\]\[1\]=inf"),
        ({"a": [1.0, True], "b": [1.0, 2.0]}, r"losses\['a'\]\[1\]=True"),
        ({"a": [1.0, 2.0], "b": [1.0]}, r"unequal lengths \(a 2, b 1\)"),
        ({"a": [1.0, 2.0, None], "b": [1.0, None, 3.0]}, "a and b have 1 seeds in common"),
        ({"a": [1.0], "b": [1.0]}, "a and b have 1 seeds in common"),
        ({1: [1.0, 2.0], "b": [1.0, 2.0]}, "a label of losses=1"),
    ],
)
def test_what_cannot_be_compared_is_named(losses, message):
    with pytest.raises(InputError, match=message):
        compare_losses(losses)


def test_runs_that_are_not_matched_may_be_unequally_many():
    first, second = LOSSES["lion"], LOSSES["adamw"][:3]
    (pair,) = compare_losses({"lion": first, "adamw": second}, unpaired=True)
    expected = stats.ttest_ind(second, first, equal_var=False)
    # losses with three digits lack the variance that rounding took
    assert pair.p_value == pytest.approx(expected.pvalue, rel=0.1)
    assert (pair.seeds, pair.pairing, pair.verdict) == (3, 1.0, "helps")
    several = compare_losses({**LOSSES, "adamw": second}, unpaired=True, reference="adamw")
    assert [(each.first, each.second) for each in several] == [("lion", "adamw"), ("sgd", "adamw"), ("adam", "adamw")]
    assert [each.seeds for each in several] == [3, 3, 3]
    with pytest.raises(InputError, match=r"losses\['a'\] has 1 runs; at least two are needed"):
        compare_losses({"a": [1.0, None], "b": [1.0, 2.0, 3.0]}, unpaired=True)


def test_an_unknown_reference_is_named():
    with pytest.raises(InputError, match=r"reference='adamm' is not among the candidates.*adamw"):
        compare_losses(LOSSES, reference="adamm")
