import math
from functools import reduce

import pytest
import torch
from torch import nn

from tests.new_process import in_two_processes
from tests.primitives import two_workers_statistics as workers
from trimtab.primitives.gradient_statistics import (
    GradientStatistics,
    centred,
    gradients_of,
    of_means,
)

BY_HAND = ((1.0, 0.0), (3.0, 0.0), (1.0, 2.0), (3.0, 2.0))


def of(rows):
    """Statistics of gradients by a single parameter."""
    return of_means([{"w": torch.tensor(row, dtype=torch.float64)} for row in rows], 1)


def drawn(count, seed=0):
    """Gradients of two parameters, with a mean that is not zero."""
    generator = torch.Generator().manual_seed(seed)
    return [
        {name: 1 + torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in SHAPES.items()}
        for _ in range(count)
    ]


SHAPES = {"a": (3, 2), "b": (4,)}


def flat(gradients):
    return torch.stack([torch.cat([each[name].flatten() for name in SHAPES]) for each in gradients])


def test_by_hand():
    found = of(BY_HAND)
    assert found.mean["w"].tolist() == [2.0, 1.0]
    assert found.squared_norm == 5
    assert found.variance == pytest.approx(8 / 3, abs=1e-15)
    assert found.variances()["w"].tolist() == pytest.approx([4 / 3, 4 / 3], abs=1e-15)
    assert found.inner_product_variance == pytest.approx(20 / 3, abs=1e-14)
    assert found.orthogonal_variance == pytest.approx(4 / 3, abs=1e-14)
    assert (found.count, found.samples) == (4, 4)


def test_all_numbers_are_those_of_whole_gradients():
    gradients = drawn(7)
    rows = flat(gradients)
    found, mean = of_means(gradients, 1), rows.mean(0)
    assert found.squared_norm == pytest.approx(mean.square().sum().item(), rel=1e-14)
    assert found.variance == pytest.approx(rows.var(0).sum().item(), rel=1e-14)
    assert found.inner_product_variance == pytest.approx((rows @ mean).var().item(), rel=1e-13)
    across = rows - torch.outer(rows @ mean, mean) / mean.square().sum()
    assert found.orthogonal_variance == pytest.approx(across.var(0).sum().item(), rel=1e-13)


def test_gradients_that_are_all_the_same_have_no_variance():
    found = of([(1.0, 2.0)] * 5)
    assert (found.variance, found.inner_product_variance, found.orthogonal_variance) == (0, 0, 0)
    nothing = of([(0.0, 0.0)] * 3)
    assert (nothing.squared_norm, nothing.orthogonal_variance) == (0, 0)


@pytest.mark.parametrize("cuts", [(1,), (4,), (2, 5), (1, 2, 3, 4, 5, 6, 7, 8)])
def test_statistics_of_pieces_put_together_are_those_of_one_pass(cuts):
    gradients = drawn(9)
    whole = of_means(gradients, 1)
    pieces = [of_means(gradients[a:b], 1) for a, b in zip((0, *cuts), (*cuts, 9), strict=True)]
    together = reduce(GradientStatistics.merge, pieces)
    assert together.count == 9
    for name in SHAPES:
        torch.testing.assert_close(together.mean[name], whole.mean[name], rtol=1e-10, atol=0)
        torch.testing.assert_close(
            together.squared_deviations[name], whole.squared_deviations[name], rtol=1e-10, atol=1e-14
        )
    assert together.variance == pytest.approx(whole.variance, rel=1e-10)
    assert together.squared_projections is None
    with pytest.raises(ValueError, match="inner_products=True"):
        _ = together.inner_product_variance


def test_putting_together_leaves_the_parts_alone_and_weighs_losses():
    one, other = (
        GradientStatistics(n, {"w": torch.ones(2)}, {"w": torch.ones(2)}, loss=x) for n, x in ((1, 4), (3, 0))
    )
    assert one.merge(other).loss == 1
    assert one.mean["w"].tolist() == [1, 1]
    assert one.squared_deviations["w"].tolist() == [1, 1]


def test_different_statistics_do_not_mix():
    with pytest.raises(ValueError, match="of 1 samples and of 2"):
        of(BY_HAND).merge(of_means(drawn(2), 2))
    with pytest.raises(ValueError, match="other parameters"):
        of(BY_HAND).merge(of_means(drawn(2), 1))


def test_means_of_micro_batches_count_as_much_as_they_have_samples():
    found = of_means(drawn(3), 4)
    single = of_means(drawn(3), 1)
    assert (found.samples, found.count) == (12, 3)
    assert found.variance == pytest.approx(4 * single.variance)
    assert found.inner_product_variance == pytest.approx(4 * single.inner_product_variance)
    assert found.squared_norm == single.squared_norm


def test_micro_batches_estimate_the_variance_of_samples():
    generator = torch.Generator().manual_seed(3)
    samples = 2.0 + 3.0 * torch.randn(400, 16, 50, generator=generator, dtype=torch.float64)
    estimate = of_means([{"w": each.mean(0)} for each in samples], 16)
    exact = of_means([{"w": each} for each in samples.flatten(0, 1)], 1)
    assert exact.variance == pytest.approx(9 * 50, rel=0.01)
    assert estimate.variance == pytest.approx(exact.variance, rel=0.03)
    assert estimate.squared_norm == pytest.approx(exact.squared_norm)


def test_one_gradient_has_no_variance():
    with pytest.raises(ValueError, match="takes two gradients or more, and there is 1"):
        _ = of(BY_HAND[:1]).variance


@pytest.mark.parametrize(
    ("gradients", "samples", "error", "message"),
    [
        ([], 1, ValueError, "one micro-batch"),
        (drawn(1), 0, ValueError, "samples_each=0 must be a whole number >= 1"),
        (drawn(1), 1.5, TypeError, "samples_each=1.5 must be a whole number"),
        ([{"a": torch.ones(1)}, {"b": torch.ones(1)}], 1, ValueError, "different parameters"),
    ],
)
def test_bad_arguments_are_named(gradients, samples, error, message):
    with pytest.raises(error, match=message):
        of_means(gradients, samples)


def test_half_precision_gradients_are_summed_in_single():
    found = centred({"w": torch.tensor([[1.0], [1.0078125]], dtype=torch.bfloat16)}, inner_products=False)
    assert found.mean["w"].dtype == torch.float32
    assert found.mean["w"].item() == 1.00390625


def test_the_mean_becomes_the_gradient_in_the_parameters_type():
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1)).bfloat16()
    model[1].bias.grad = torch.ones(1, dtype=torch.bfloat16)
    mean = torch.tensor([[1.0, 2.0]])
    GradientStatistics(2, {"0.weight": mean}, {"0.weight": mean}).write_to(model)
    assert model[0].weight.grad.dtype == torch.bfloat16
    assert model[0].weight.grad.tolist() == [[1.0, 2.0]]
    assert model[1].bias.grad is None
    assert [*gradients_of(model)] == ["0.weight"]
    assert gradients_of(model)["0.weight"] is not model[0].weight.grad
    with pytest.raises(ValueError, match="no parameter w"):
        GradientStatistics(2, {"w": mean}, {"w": mean}).write_to(model)
    wide = nn.Linear(2, 1, bias=False)
    statistics = GradientStatistics(2, {"weight": mean}, {"weight": mean})
    statistics.write_to(wide)
    wide.weight.grad.zero_()
    assert statistics.mean["weight"].tolist() == [[1.0, 2.0]]
    statistics.write_to(wide, loss_scale=1024.0)
    assert wide.weight.grad.tolist() == [[1024.0, 2048.0]]
    assert gradients_of(wide, loss_scale=512.0)["weight"].tolist() == [[2.0, 4.0]]
    with pytest.raises(ValueError, match=r"loss_scale=0 must lie in \(0, inf\)"):
        statistics.write_to(wide, loss_scale=0)


def test_nothing_is_summed_over_processes_that_are_not_there():
    with pytest.raises(RuntimeError, match="init_process_group"):
        of(BY_HAND).over_processes()


def test_two_processes_have_the_statistics_of_the_whole(tmp_path):
    in_two_processes(workers.main, tmp_path)
    found = [torch.load(tmp_path / f"found{rank}.pt", weights_only=True) for rank in range(2)]
    for chunk in (None, 3):
        alone = workers.described(workers.alone(chunk))
        for both in found:
            assert both[f"chunk {chunk}"].keys() == alone.keys()
            for name, value in alone.items():
                torch.testing.assert_close(both[f"chunk {chunk}"][name], value, rtol=1e-10, atol=1e-13)
    for both in found:
        assert both["refused"].startswith("parameter '0.weight' is divided over processes")
        assert both["norm"] < 1e-6, "AdaGradNorm with divided parameters differs from one process"
    assert not math.isnan(found[0]["norm"])
