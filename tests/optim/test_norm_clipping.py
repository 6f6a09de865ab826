import math

import pytest
import torch
from torch import nn

from trimtab.optim import AdaptiveClip, Lion, NormClip
from trimtab.optim.norm_clipping import unit_norms
from trimtab.testing import OptimizerConformance


def clipped_lion(params, **settings):
    return NormClip(Lion(params, **settings), max_norm=1e6)


def unit_clipped_lion(params, **settings):
    return AdaptiveClip(Lion(params, **settings), clipping=1e6)


class TestNormClip(OptimizerConformance):
    optimizer = clipped_lion


class TestAdaptiveClip(OptimizerConformance):
    optimizer = unit_clipped_lion


def params(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    found = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    for param in found:
        param.grad = 3 * torch.randn(param.shape, generator=generator)
    return found


def moved(wrap, own, lr=1.0):
    """What one step of SGD takes away: the gradient that it was shown."""
    before = [param.detach().clone() for param in own]
    wrap(torch.optim.SGD(own, lr=lr)).step()
    return [old - param.detach() for old, param in zip(before, own, strict=True)]


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 1e6])
def test_the_norm_is_clipped_as_torch_does(max_norm):
    ours, theirs = params((4, 3), (5,), ()), params((4, 3), (5,), ())
    shown = moved(lambda sgd: NormClip(sgd, max_norm), ours)
    torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    for one, other in zip(shown, theirs, strict=True):
        torch.testing.assert_close(one, other.grad, rtol=1e-5, atol=1e-6)


def test_gradients_stay_as_they_are():
    own = params((4, 3), (5,))
    before = [param.grad.clone() for param in own]
    for wrap in (lambda sgd: NormClip(sgd, 0.01), lambda sgd: AdaptiveClip(sgd, 1e-4)):
        moved(wrap, own)
        assert all(torch.equal(param.grad, grad) for param, grad in zip(own, before, strict=True))


def test_groups_may_have_norms_of_their_own():
    one, other = params((2, 2), (2, 2))
    total = math.hypot(one.grad.norm().item(), other.grad.norm().item())
    starts = [one.detach().clone(), other.detach().clone()]
    groups = [{"params": [one], "clip_norm_max_norm": 0.5}, {"params": [other]}]
    NormClip(torch.optim.SGD(groups, lr=1.0), max_norm=1e6).step()
    torch.testing.assert_close(starts[0] - one.detach(), one.grad * 0.5 / total, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(starts[1] - other.detach(), other.grad, rtol=1e-5, atol=1e-6)


def test_units_are_rows_channels_and_whole_vectors():
    assert unit_norms(torch.ones(4, 3)).flatten().tolist() == pytest.approx([3**0.5] * 4)
    assert unit_norms(torch.ones(2, 3, 2, 2)).flatten().tolist() == pytest.approx([12**0.5] * 2)
    transposed = torch.nn.ConvTranspose2d(3, 5, 2).weight
    assert unit_norms(transposed).shape == (3, 1, 1, 1)  # of inputs
    assert unit_norms(torch.ones(4)).item() == 2.0
    assert unit_norms(torch.tensor(-3.0)).item() == 3.0


def test_a_unit_is_clipped_by_the_norm_of_its_weights():
    weight = nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, 0.0], [30.0, 40.0]]))
    weight.grad = torch.tensor([[6.0, 8.0], [0.0, 2.0], [0.3, 0.4]])
    (shown,) = moved(lambda sgd: AdaptiveClip(sgd, clipping=0.1, eps=1.0), [weight])
    expected = torch.tensor([[0.3, 0.4], [0.0, 0.1], [0.3, 0.4]])  # to 0.1 * 5, to 0.1 * eps, and as it is
    torch.testing.assert_close(shown, expected, rtol=1e-4, atol=1e-5)


def test_a_group_can_be_left_alone():
    one, other = params((2, 2), (2, 2))
    start = other.detach().clone()
    groups = [{"params": [one]}, {"params": [other], "agc_clipping": None}]
    AdaptiveClip(torch.optim.SGD(groups, lr=1.0), clipping=1e-3).step()
    torch.testing.assert_close(start - other.detach(), other.grad, rtol=1e-5, atol=1e-6)


def test_a_norm_that_is_not_finite_is_not_hidden():
    own = params((2, 2), (3,))
    own[0].grad[0, 0] = torch.nan
    shown = moved(NormClip, own)
    assert torch.isnan(shown[1]).all()  # as torch does


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (lambda sgd: NormClip(sgd, 0.0), "max_norm=0.0 must lie in"),
        (lambda sgd: AdaptiveClip(sgd, -1.0), "clipping=-1.0 must lie in"),
        (lambda sgd: AdaptiveClip(sgd, eps=0.0), "eps=0.0 must lie in"),
    ],
)
def test_settings_outside_their_range_are_refused(wrap, words):
    with pytest.raises(ValueError, match=words):
        wrap(torch.optim.SGD(params((2, 2)), lr=1.0))
