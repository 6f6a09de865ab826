"""The closed forms against numbers by hand, random matrices and each other."""

import math

import numpy as np
import pytest

from trimtab.schedule.rmt_scaling.rmt_scaling import (
    batch_extremal,
    inverse_batch,
    marchenko_pastur_extremal,
    marchenko_pastur_knee,
    maximal_learning_rate,
    scale_batch_size,
    scale_damping,
    scale_learning_rate,
    wigner_knee,
    without_noise,
)


@pytest.mark.parametrize(("eigenvalue", "end", "expected"), [
    (10, "top", 11.6), (5, "top", 8.2), (3, "top", 8), (4, "top", 8), (0, "bottom", -8), (-10, "bottom", -11.6),
])  # fmt: skip
def test_wigner_by_hand(eigenvalue, end, expected):
    assert batch_extremal(eigenvalue, 16.0, end) == pytest.approx(expected)


@pytest.mark.parametrize(("batch", "expected"), [
    (2000, 5.375), (600, 6.25), (200, 8.75), (60, 17.5), (20, 41.9), (5, 142.9),
])  # fmt: skip
def test_marchenko_pastur_by_hand(batch, expected):
    assert marchenko_pastur_extremal(5.0, 1.0, 600 / batch) == pytest.approx(expected, abs=0.06)


def test_wigner_is_what_random_matrices_do():
    rows, noise = 800, 16.0
    random = np.random.default_rng(0).normal(size=(rows, rows))
    matrix = (random + random.T) * math.sqrt(noise / rows / 2)
    matrix[0, 0] += 10
    values = np.linalg.eigvalsh(matrix)
    assert values[-1] == pytest.approx(batch_extremal(10, noise), rel=0.03)
    assert values[0] == pytest.approx(batch_extremal(0, noise, "bottom"), rel=0.03)


@pytest.mark.parametrize("batch", [1200, 60])
def test_marchenko_pastur_is_what_random_samples_do(batch):
    generator = np.random.default_rng(0)
    found = []
    for _ in range(5):
        samples = generator.normal(size=(batch, 600)) * np.sqrt([5.0] + 599 * [1.0])
        found.append(np.linalg.svd(samples, compute_uv=False)[0] ** 2 / batch)
    assert np.mean(found) == pytest.approx(marchenko_pastur_extremal(5, 1, 600 / batch), rel=0.06)


def test_without_noise_nothing_changes():
    assert batch_extremal(3.0, 0.0) == 3.0
    assert batch_extremal(-3.0, 0.0, "bottom") == -3.0
    assert marchenko_pastur_extremal(3.0, 1.0, 0.0) == 3.0
    assert without_noise(3.0, 0.0) == 3.0
    assert wigner_knee(3.0, 0.0) == marchenko_pastur_knee(3.0, 1.0, 0.0, 100) == 0.0


def test_both_branches_meet_at_the_threshold():
    assert batch_extremal(4 + 1e-9, 16) == pytest.approx(batch_extremal(4 - 1e-9, 16))
    edge = 2 * (1 + math.sqrt(3))
    assert marchenko_pastur_extremal(edge + 1e-9, 2, 3) == pytest.approx(marchenko_pastur_extremal(edge - 1e-9, 2, 3))


@pytest.mark.parametrize("eigenvalue", [4.5, 10.0, 1000.0])
def test_noise_is_taken_out_again(eigenvalue):
    assert without_noise(batch_extremal(eigenvalue, 16.0), 16.0) == pytest.approx(eigenvalue)
    assert without_noise(7.0, 16.0) == 4.0


@pytest.mark.parametrize(("arguments", "expected"), [
    ((0.05, 128, 256, "sgd"), 0.1),
    ((4e-4, 128, 256, "adaptive"), 5.657e-4),
    ((0.1, 64, 64, "sgd"), 0.1),
    ((0.3, 64, 64, "adaptive"), 0.3),
    ((0.2, 512, 128), 0.05),
])  # fmt: skip
def test_learning_rates_by_hand(arguments, expected):
    assert scale_learning_rate(*arguments) == pytest.approx(expected, rel=1e-4)


def test_rates_saturate_at_the_knee():
    assert scale_learning_rate(0.1, 32, 4096, knee=128) == pytest.approx(0.4)
    assert scale_learning_rate(0.1, 32, 4096, "adaptive", knee=128) == pytest.approx(0.2)
    assert scale_learning_rate(0.1, 256, 4096, knee=128) == 0.1
    assert scale_learning_rate(0.1, 4096, 32, knee=128) == pytest.approx(0.025)


def test_the_exponent_can_be_another():
    assert scale_learning_rate(1.0, 10, 1000, "adaptive", exponent=0.25) == pytest.approx(100**0.25)


@pytest.mark.parametrize("rule", ["sgd", "adaptive"])
@pytest.mark.parametrize("knee", [None, 300.0])
def test_batch_sizes_are_the_inverse(rule, knee):
    lr = scale_learning_rate(0.1, 32, 256, rule, knee=knee)
    assert scale_batch_size(32, 0.1, lr, rule, knee=knee) == 256
    assert scale_batch_size(256, lr, 0.1, rule, knee=knee) == 32
    assert scale_batch_size(32, 1.0, 1e-6, rule) == 1


def test_no_batch_is_large_enough_beyond_the_knee():
    with pytest.raises(ValueError, match=r"to_lr=0.5 takes a batch of 160.*knee=128.*at most 0.4"):
        scale_batch_size(32, 0.1, 0.5, knee=128)


def test_damping_is_the_recipe_for_k_fac():
    assert [scale_damping(16, 16, batch) for batch in (16, 32, 64, 128, 256)] == [16, 8, 4, 2, 1]
    assert scale_damping(0.1, 32, 128, 0.5, 2.0) == pytest.approx(0.1)  # the rate was scaled linearly


def test_the_largest_rates():
    assert maximal_learning_rate(4.0) == 0.5
    assert maximal_learning_rate(4.0, 0.9) == pytest.approx(0.95)
    assert maximal_learning_rate(4.0, rule="adaptive") == 1.0


def test_the_knee_is_where_noise_doubles_the_eigenvalue():
    knee = wigner_knee(2.0, 400.0)
    assert knee == 100
    assert batch_extremal(2.0, 400 * inverse_batch(100)) == pytest.approx(4.0)
    knee = marchenko_pastur_knee(1000.0, 0.5, 40_000, 200)
    assert 1 / knee - 1 / 200 == pytest.approx(1 / 20)
    assert marchenko_pastur_extremal(1000.0, 0.5, 40_000 * (1 / knee - 1 / 200)) == pytest.approx(2000, rel=1e-3)


def test_the_two_laws_differ_in_their_slopes():
    """Below its threshold Wigner's goes with the root; only Marchenko and Pastur's is linear over decades."""

    def slope(largest):
        return math.log(largest(1) / largest(100)) / math.log(100)

    assert slope(lambda batch: batch_extremal(1.0, 1e6 / batch)) == pytest.approx(0.5)
    assert slope(lambda batch: marchenko_pastur_extremal(1.0, 1e-3, 1e8 / batch)) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("function", "arguments", "words"), [
    (scale_learning_rate, (0.1, 0, 64), "from_batch=0"),
    (scale_learning_rate, (0.1, 64, -1), "to_batch=-1"),
    (scale_learning_rate, (-0.1, 64, 64), "lr=-0.1"),
    (scale_learning_rate, (math.nan, 64, 64), "lr=nan"),
    (scale_learning_rate, (0.1, 64, 64, "linear"), "rule='linear'"),
    (scale_batch_size, (0, 0.1, 0.1), "batch_size=0"),
    (scale_batch_size, (1, 0.0, 0.1), "from_lr=0.0"),
    (scale_damping, (-1, 1, 1), "damping=-1"),
    (inverse_batch, (11, 10), "batch_size=11 must be at most the number of samples, 10"),
    (inverse_batch, (0, 10), "batch_size=0"),
    (batch_extremal, (math.inf, 1), "eigenvalue=inf"),
    (batch_extremal, (1, -1), "noise=-1"),
    (batch_extremal, (1, 1, "left"), "end='left'"),
    (marchenko_pastur_extremal, (-1, 1, 1), "eigenvalue=-1"),
    (maximal_learning_rate, (0,), "eigenvalue=0"),
    (maximal_learning_rate, (1, 1.0), "momentum=1.0"),
    (wigner_knee, (0, 1), "eigenvalue=0"),
])  # fmt: skip
def test_bad_numbers_are_named(function, arguments, words):
    with pytest.raises(ValueError, match=words):
        function(*arguments)


@pytest.mark.parametrize("batch", [1.5, True, "64"])
def test_bad_types_are_named(batch):
    with pytest.raises(TypeError, match="to_batch="):
        scale_learning_rate(0.1, 64, batch)
    with pytest.raises(TypeError, match="knee='x'"):
        scale_learning_rate(0.1, 64, 64, knee="x")
