"""Refined schedules: numbers by hand, invariances, the filter, and the scheduler that follows them."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trimtab.schedule import RefinedLR, refine_schedule
from trimtab.schedule.refined.refined import filter_width, resampled, smoothed_norms

NORMS = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=60)


@pytest.mark.parametrize("norm", ["l1", "l2", "adam_weighted"])
@pytest.mark.parametrize("level", [1e-12, 1.0, 3.7e9])
def test_constant_norms_give_linear_decay(norm, level):
    assert refine_schedule([level] * 5, norm, 0.0).tolist() == [1, 0.75, 0.5, 0.25, 0]
    found = refine_schedule([level] * 101, norm, 0.2)
    np.testing.assert_allclose(found, 1 - np.arange(101) / 100, atol=1e-12)


@pytest.mark.parametrize(
    ("norms", "norm", "expected"),
    [
        ((2, 1, 1, 1), "l2", (0.375, 1, 0.5, 0)),
        ((2, 1, 1, 1), "l1", (0.75, 1, 0.5, 0)),
        ((2, 1, 1, 1), "adam_weighted", (0.375, 1, 0.5, 0)),
        ((1, 1, 1, 2), "l2", (1, 1.25 / 2.25, 0.25 / 2.25, 0)),
        ((5, 3), "l2", (1, 0)),
    ],
)
def test_by_hand(norms, norm, expected):
    np.testing.assert_allclose(refine_schedule(norms, norm, smoothing=0.0), expected, rtol=1e-15)


@given(NORMS, st.floats(1e-6, 1e6), st.sampled_from(["l1", "l2"]), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_only_ratios_of_norms_count(norms, factor, norm, smoothing):
    one, other = (refine_schedule(factor_ * np.array(norms), norm, smoothing) for factor_ in (1.0, factor))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert one.max() == 1
    assert one[-1] == 0
    assert (one >= 0).all()


@given(NORMS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_norms_that_grow_make_a_schedule_that_falls(norms):
    found = refine_schedule(sorted(norms), smoothing=0.0)
    assert (np.diff(found) <= 1e-12).all()


@given(NORMS)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_the_sum_of_all_steps_is_that_of_the_pairs_of_weights(norms):
    weights = (np.array(norms) / min(norms)) ** -2
    steps = weights * np.array([weights[t + 1 :].sum() for t in range(len(weights))])
    np.testing.assert_allclose(refine_schedule(norms, smoothing=0.0), steps / steps.max(), rtol=1e-9, atol=1e-12)
    assert steps.sum() == pytest.approx(0.5 * (weights.sum() ** 2 - (weights**2).sum()), rel=1e-9)


@pytest.mark.parametrize(("steps", "smoothing", "width"), [(100, 0.1, 11), (100, 0.09, 9), (10, 0.1, 1), (7, 0.0, 1)])
def test_the_filter_is_odd_and_a_share_of_the_run(steps, smoothing, width):
    assert filter_width(steps, smoothing) == width


@pytest.mark.parametrize("smoothing", [0.05, 0.1, 0.5, 0.9])
def test_the_filter_is_scipys_with_nearest_left_and_reflection_right(smoothing):
    norms = np.exp(np.random.default_rng(0).normal(size=100))
    width = filter_width(100, smoothing)
    mirrored = np.concatenate([norms, norms[::-1][1:], norms[1:], norms[::-1][1:]])[: 100 + 2 * width]
    expected = scipy.ndimage.median_filter(mirrored, size=width, mode="nearest")[:100]
    np.testing.assert_array_equal(smoothed_norms(norms, smoothing), expected)
    half = width // 2
    window = np.concatenate([np.full(half, norms[0]), mirrored])
    by_hand = [np.median(window[t : t + width]) for t in range(100)]
    np.testing.assert_array_equal(smoothed_norms(norms, smoothing), by_hand)


def test_smoothing_takes_spikes_out_of_the_schedule():
    norms = np.ones(100)
    norms[50] = 0.1
    assert refine_schedule(norms, smoothing=0.0).argmax() == 50
    np.testing.assert_allclose(refine_schedule(norms, smoothing=0.1), 1 - np.arange(100) / 99, atol=1e-12)


def test_gradients_that_vanish_take_the_peak_with_them_unless_weights_are_cut():
    norms = np.concatenate([np.ones(90), np.geomspace(1, 1e-3, 10)])
    late = refine_schedule(norms, smoothing=0.0)
    assert late.argmax() > 95
    weights = np.minimum(norms**-2, np.quantile(norms**-2, 0.9))
    steps = weights * np.append(np.cumsum(weights[::-1])[::-1][1:], 0)
    cut = refine_schedule(norms, smoothing=0.0, cap=0.9)
    np.testing.assert_allclose(cut, steps / steps.max(), rtol=1e-9)
    assert cut.argmax() == 0


def test_infinite_norms_are_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="1 of 5 norms are infinite"):
        found = refine_schedule([2, 1, math.inf, 1, 1], smoothing=0.0)
    np.testing.assert_allclose(found, [0.375, 1, 0.75, 0.5, 0])


def test_zeros_are_taken_for_the_smallest_other_norm_with_a_warning():
    with pytest.warns(UserWarning, match="1 of 4 smoothed norms are zero"):
        found = refine_schedule([2, 1, 0, 1], smoothing=0.0)
    np.testing.assert_array_equal(found, refine_schedule([2, 1, 1, 1], smoothing=0.0))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"norms": []}, ValueError, "finite norms: 0, and the gradients of at least 2"),
        ({"norms": [1.0]}, ValueError, "at least 2 steps"),
        ({"norms": [1.0, math.inf]}, ValueError, "finite norms: 1, and the gradients of at least 2"),
        ({"norms": [1.0, -1.0]}, ValueError, r"norms\[1\]=-1.0"),
        ({"norms": [1.0, 2.0, math.nan]}, ValueError, r"norms\[2\]=nan"),
        ({"norms": [0.0, 0.0]}, ValueError, "all zero"),
        ({"norms": [0.0, 0.0, 1.0, 0.0, 0.0, 0.0], "smoothing": 0.5}, ValueError, "zero nearly everywhere"),
        ({"norms": [1e200, 1.0], "smoothing": 0}, ValueError, "weights but one vanish"),
        ({"norms": [[1.0, 2.0]]}, ValueError, r"shape \(1, 2\)"),
        ({"norms": ["a", "b"]}, TypeError, "sequence of numbers"),
        ({"norms": None}, ValueError, "norms has shape"),
        ({"norm": "l3"}, ValueError, "norm='l3' must be 'l2' or 'l1' or 'adam_weighted'"),
        ({"norm": 2}, TypeError, "norm=2"),
        ({"smoothing": 1.0}, ValueError, r"smoothing=1.0 must lie in \[0, 1\)"),
        ({"smoothing": -0.1}, ValueError, "smoothing=-0.1"),
        ({"smoothing": "much"}, TypeError, "smoothing='much'"),
        ({"cap": 0.0}, ValueError, r"cap=0.0 must lie in \(0, 1\)"),
        ({"cap": 1.0}, ValueError, "cap=1.0"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        refine_schedule(**{"norms": [1.0, 2.0, 3.0], **arguments})


def test_another_length_is_interpolated():
    np.testing.assert_allclose(resampled([1, 0.75, 0.5, 0.25, 0], 9), 1 - np.arange(9) / 8)
    np.testing.assert_allclose(resampled([0, 1, 0], 4), [0, 2 / 3, 2 / 3, 0])
    np.testing.assert_array_equal(resampled([0.3, 1, 0], 3), [0.3, 1, 0])


def optimizer():
    return torch.optim.SGD(
        [{"params": [nn.Parameter(torch.ones(2))], "lr": 2.0}, {"params": [nn.Parameter(torch.ones(1))]}], lr=0.5
    )


def followed(scheduler, inner, steps):
    found = []
    for _ in range(steps):
        found.append([group["lr"] for group in inner.param_groups])
        inner.step()
        scheduler.step()
    return found


def test_the_scheduler_follows_the_schedule_in_every_group():
    inner = optimizer()
    found = followed(RefinedLR(inner, [0.375, 1, 0.5, 0]), inner, 4)
    np.testing.assert_allclose(found, np.outer([0.375, 1, 0.5, 0], [2.0, 0.5]))
    assert inner.param_groups[0]["lr"] == 0.0


def test_the_scheduler_takes_another_length():
    inner = optimizer()
    scheduler = RefinedLR(inner, np.array([0, 1, 0]), total_steps=5)
    assert scheduler.total_steps == 5
    np.testing.assert_allclose([rates[0] for rates in followed(scheduler, inner, 5)], [0, 1, 2, 1, 0])


@pytest.mark.parametrize("given", [tuple, torch.tensor, np.array, pd.Series])
def test_the_scheduler_is_as_long_as_what_it_is_given(given):
    assert RefinedLR(optimizer(), given([0.5, 1.0, 0.0])).schedule == [0.5, 1.0, 0.0]


def test_beyond_the_end_it_says_so():
    inner = optimizer()
    scheduler = RefinedLR(inner, [1, 0.5, 0])
    followed(scheduler, inner, 3)
    with pytest.raises(ValueError, match="the schedule is over: it has total_steps=3, and was stepped 4 times"):
        scheduler.step()


def test_a_saved_scheduler_has_its_schedule_with_it(tmp_path):
    inner, other = optimizer(), optimizer()
    schedule = refine_schedule(np.linspace(2, 1, 8))
    scheduler = RefinedLR(inner, schedule)
    followed(scheduler, inner, 3)
    torch.save([scheduler.state_dict(), inner.state_dict()], tmp_path / "state.pt")
    resumed = RefinedLR(other, [1, 1, 1, 1, 1, 1, 1, 0])
    for part, state in zip((resumed, other), torch.load(tmp_path / "state.pt", weights_only=True), strict=True):
        part.load_state_dict(state)
    assert followed(resumed, other, 5) == followed(scheduler, inner, 5)


@pytest.mark.parametrize(
    ("schedule", "more", "error", "message"),
    [
        ([1.0], {}, ValueError, r"schedule has shape \(1,\)"),
        ([1.0], {"total_steps": 3}, ValueError, r"schedule has shape \(1,\)"),
        ([1.0, -1.0], {}, ValueError, r"schedule\[1\]=-1.0"),
        ([1.0, math.nan, 0.0], {}, ValueError, r"schedule\[1\]=nan"),
        ([1.0, math.inf], {}, ValueError, r"schedule\[1\]=inf"),
        ("fast", {}, TypeError, "schedule='fast'"),
        (5, {}, ValueError, r"schedule has shape \(\)"),
        ((each for each in (1.0, 0.0)), {}, TypeError, "schedule=<generator"),
        ([1.0, 0.0], {"total_steps": 1}, ValueError, "total_steps=1"),
        ([1.0, 0.0], {"total_steps": 2.5}, TypeError, "total_steps=2.5"),
        ([1.0, 0.0], {"last_epoch": -2}, ValueError, "last_epoch=-2"),
    ],
)
def test_a_schedule_that_cannot_be_is_named(schedule, more, error, message):
    inner = optimizer()
    with pytest.raises(error, match=message):
        RefinedLR(inner, schedule, **more)
    assert "initial_lr" not in inner.param_groups[0]


@pytest.mark.parametrize("start", [-1.0, -0.37, 0.0, 0.02, 0.5, 1.0])
def test_on_the_absolute_value_linear_decay_ends_within_the_bound(start):
    """f(x) = G|x|, D = 1: the last iterate's gap is at most DG/√T, where a constant step swings at its own size."""
    steps, slope = 1000, 3.0
    size = 1 / (slope * math.sqrt(steps))
    multipliers = refine_schedule([slope] * (steps + 1), smoothing=0.0)[:-1]  # 1 - t / T
    x, constant, late = start, start, []
    for multiplier in multipliers:
        x -= size * multiplier * slope * np.sign(x)
        constant -= size * slope * np.sign(constant)
        late.append(abs(constant))
    assert slope * abs(x) <= slope / math.sqrt(steps)
    assert abs(x) < 1e-3
    if start not in (0.0, 1.0, -1.0):
        assert max(late[-10:]) > 0.3 * size * slope > abs(x)
