"""Stochastic rounding: right on average, independent, reproducible, and harmless where there is nothing to round."""

import math

import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief, Lion
from trimtab.primitives.rounding import keyed_generator, rounding_key, stochastically_rounded

COUNT = 200_000


def share_rounded_up(fraction, key=1.0, stream=0, sign=1.0):
    """Rounds a value that lies between two neighbours; returns for each element whether it went away from zero."""
    step = 2.0**-7  # between neighbours of 1 in bfloat16
    values = torch.full((COUNT,), sign * (1 + fraction * step))
    rounded = stochastically_rounded(values, key, stream)
    assert rounded.dtype == torch.bfloat16
    assert set(rounded.float().abs().tolist()) <= {1.0, 1 + step}
    return rounded.float().abs() > 1


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("fraction", [0.0, 0.125, 0.5, 0.9])
def test_up_in_proportion_to_the_distance(fraction, sign):
    deviation = math.sqrt(fraction * (1 - fraction) / COUNT)
    assert share_rounded_up(fraction, sign=sign).double().mean().item() == pytest.approx(fraction, abs=4.5 * deviation)


def correlation(one, other):
    return torch.corrcoef(torch.stack([one.double(), other.double()]))[0, 1].item()


def test_neighbours_streams_and_keys_are_independent():
    first = share_rounded_up(0.5)
    others = [share_rounded_up(0.5, stream=1), share_rounded_up(0.5, key=2.0), share_rounded_up(0.5, key=2.0**31 + 1)]
    others += [first.roll(shift) for shift in (1, 2, 64, 4096)]
    # One step's noise is not that of another, shifted.
    others += [share_rounded_up(0.5, key=2.0).roll(shift) for shift in (-1, 1, 2)]
    for other in others:
        assert abs(correlation(first, other)) < 4.5 / math.sqrt(COUNT)


def test_all_sixteen_bits_are_noise():
    # A fraction of 2^-12 is seen only if the lowest bits of the noise are right.
    ups = sum(share_rounded_up(2.0**-12, key=float(key)).sum().item() for key in range(20))
    expected = 20 * COUNT * 2.0**-12
    assert ups == pytest.approx(expected, abs=4.5 * math.sqrt(expected))


def test_what_is_no_number_or_needs_no_rounding_stays():
    values = torch.tensor(
        [math.inf, -math.inf, math.nan, 0.0, -0.0, 1.5, -(2.0**-126), torch.finfo(torch.bfloat16).max]
    )
    rounded = stochastically_rounded(values, 7.0, 0)
    torch.testing.assert_close(rounded.float(), values, rtol=0, atol=0, equal_nan=True)
    assert math.copysign(1, rounded[4].item()) == -1


def test_keys_differ_in_every_part():
    keys = {rounding_key(seed, step, group) for seed in range(10) for step in range(10) for group in range(10)}
    assert len(keys) == 1000
    assert all(key == int(key) and 0 <= key < 2**32 for key in keys)


@pytest.mark.usefixtures("each_mode")
def test_steps_that_are_too_small_for_the_format_are_not_lost():
    """Every step is a tenth of the distance to the neighbour: the nearest never moves, a random one arrives."""
    moved = {}
    for seed in (None, 1):
        param = nn.Parameter(torch.ones(20_000, dtype=torch.bfloat16))
        optimizer = Lion([param], lr=2.0**-8 / 10, rounding_seed=seed)
        for _ in range(20):
            param.grad = torch.ones_like(param)
            optimizer.step()
        moved[seed] = 1 - param.detach().double().mean().item()
    assert moved[None] == 0.0
    assert moved[1] == pytest.approx(20 * 2.0**-8 / 10, rel=0.02)


@pytest.mark.usefixtures("each_mode")
def test_state_in_bfloat16_is_rounded_too_and_everything_resumes():
    def start():
        generator = torch.Generator().manual_seed(0)
        shapes = ((300, 200), (7,), (40, 30))
        return [nn.Parameter(torch.randn(shape, generator=generator).bfloat16()) for shape in shapes]

    def follow(optimizer, params, steps):
        for step in steps:
            generator = torch.Generator().manual_seed(step)
            for param in params:
                param.grad = torch.randn(param.shape, generator=generator).bfloat16()
            optimizer.step()

    settings = {"state_dtype": torch.bfloat16, "rounding_seed": 3}
    straight, stopped, other = start(), start(), start()
    whole, half = AdaBelief(straight, **settings), AdaBelief(stopped, **settings)
    follow(whole, straight, range(6))
    follow(half, stopped, range(3))
    resumed = AdaBelief(stopped)
    resumed.load_state_dict(half.state_dict())
    follow(resumed, stopped, range(3, 6))
    assert all(map(torch.equal, straight, stopped))
    follow(AdaBelief(other, **{**settings, "rounding_seed": 4}), other, range(6))
    assert not any(map(torch.equal, straight, other))
    assert {state["exp_avg_var"].dtype for state in whole.state.values()} == {torch.bfloat16}


def test_parameters_in_float32_are_not_touched_by_it():
    params = [nn.Parameter(torch.ones(5)) for _ in range(2)]
    for param, seed in zip(params, (None, 1), strict=True):
        param.grad = torch.linspace(-1, 1, 5)
        AdaBelief([param], rounding_seed=seed).step()
    assert torch.equal(*params)


@pytest.mark.parametrize("seed", [1.5, True, "1"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(TypeError, match=r"rounding_seed=.* must be a whole number"):
        Lion([nn.Parameter(torch.ones(2))], rounding_seed=seed)


def test_a_generator_is_a_function_of_its_key_and_nobody_elses():
    state = torch.get_rng_state()
    one, same, other = (torch.rand(9, generator=keyed_generator(rounding_key(key))) for key in ("a", "a", "b"))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())
