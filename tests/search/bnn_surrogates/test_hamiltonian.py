"""Leapfrog, step sizes and chains."""

import math

import pytest
import torch

from tests.search.bnn_surrogates import linear
from trimtab.search.bnn_surrogates.hamiltonian import DualAveraging, State, Trajectory, leapfrog, run_chain
from trimtab.search.bnn_surrogates.network import Network
from trimtab.search.bnn_surrogates.weight_posterior import WeightPosterior


def posterior(hidden=(3,)):
    X, Y = linear.data()
    return WeightPosterior(Network(2, hidden, 1, "tanh"), X, linear.standard(Y), linear.PRIOR_VAR, linear.NOISE_VAR)


def start(target, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = target.network.initial(1, generator)
    return State.at(target.evaluate, weights), torch.randn(weights.shape, generator=generator, dtype=torch.float64)


def energy(state, momentum):
    return float(momentum.square().sum() / 2 - state.value)


def test_a_step_by_hand():
    def evaluate(weights):  # a standard normal, whose gradient is -w
        return -weights.square().sum(1) / 2, -weights

    state = State.at(evaluate, torch.tensor([[1.0]], dtype=torch.float64))
    # p: 2 - .25 = 1.75; w: 1 + .5 1.75 = 1.875; p: 1.75 - .25 1.875 = 1.28125
    state, momentum = leapfrog(evaluate, state, torch.tensor([[2.0]], dtype=torch.float64), 0.5, 1)
    assert (float(state.weights), float(momentum)) == (1.875, 1.28125)
    assert float(state.gradient) == -1.875


def test_the_way_back_ends_at_the_start():
    target = posterior()
    state, momentum = start(target)
    there, end = leapfrog(target.evaluate, state, momentum, 0.05, 25)
    assert (there.weights - state.weights).norm() > 0.5
    back, final = leapfrog(target.evaluate, there, -end, 0.05, 25)
    torch.testing.assert_close(back.weights, state.weights, rtol=0, atol=1e-10)
    torch.testing.assert_close(-final, momentum, rtol=0, atol=1e-10)


def test_volume_is_preserved():
    target = posterior(hidden=(2,))
    state, momentum = start(target)
    size = momentum.numel()

    def flow(both):
        there, end = leapfrog(target.evaluate, State.at(target.evaluate, both[None, :size]), both[None, size:], 0.1, 5)
        return torch.cat([there.weights[0], end[0]])

    jacobian = torch.autograd.functional.jacobian(flow, torch.cat([state.weights[0], momentum[0]]))
    assert (jacobian - torch.eye(2 * size)).abs().max() > 0.5  # the flow goes somewhere
    assert float(jacobian.det()) == pytest.approx(1.0, abs=1e-10)


def test_the_error_of_the_energy_falls_with_the_square_of_the_step():
    target = posterior()
    errors = []
    for steps in (50, 100, 200):
        gained = []
        for seed in range(5):
            state, momentum = start(target, seed)
            there, end = leapfrog(target.evaluate, state, momentum, 0.3 / steps, steps)
            gained.append(energy(there, end) - energy(state, momentum))
        errors.append(math.hypot(*gained))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def test_gradients_are_as_many_as_steps():
    target = posterior()
    state, momentum = start(target)
    calls = []

    def evaluate(weights):
        calls.append(1)
        return target.evaluate(weights)

    leapfrog(evaluate, state, momentum, 0.01, 7)
    assert len(calls) == 7


def test_dual_averaging_by_hand():
    averaging = DualAveraging(0.1)
    averaging.update(0.5)
    # h = (0.8 - 0.5) / 11, log step = log 1 - h / 0.05, and the first average is the step itself
    first = -(0.3 / 11) / 0.05
    assert math.log(averaging.step_size) == pytest.approx(first, rel=1e-12)
    assert math.log(averaging.averaged) == pytest.approx(first, rel=1e-12)
    averaging.update(1.0)
    shortfall = (1 - 1 / 12) * 0.3 / 11 - 0.2 / 12
    second = -(2**0.5) / 0.05 * shortfall
    share = 2**-0.75
    assert math.log(averaging.step_size) == pytest.approx(second, rel=1e-12)
    assert math.log(averaging.averaged) == pytest.approx(share * second + (1 - share) * first, rel=1e-12)


def test_step_sizes_reach_the_acceptance_that_is_wanted():
    averaging = DualAveraging(1.0)
    for _ in range(3000):
        averaging.update(math.exp(-averaging.step_size))  # 0.8 at a step of log 1.25
    assert averaging.averaged == pytest.approx(math.log(1.25), rel=0.02)


def test_lengths_of_trajectories():
    assert Trajectory(None, 9).steps(0.1) == 9
    assert Trajectory(0.5, None).steps(0.2) == 3
    assert Trajectory(0.5, None).steps(0.7) == 1
    assert Trajectory(1.0, None).steps(1e-9) == 200
    path = Trajectory(1.0, None)
    path.adapt(0.005)  # just 200 steps
    assert path.path == 1.0
    path.adapt(0.004)
    assert path.path == 0.5
    number = Trajectory(None, 500)
    number.adapt(1e-9)
    assert number.steps(1e-9) == 500


def test_a_trajectory_that_leaves_all_bounds_is_refused():
    target = posterior()
    state, _ = start(target)
    chain = run_chain(
        target,
        state.weights,
        draws=5,
        burn_in=0,
        step_size=1e200,
        trajectory=Trajectory(None, 3),
        generator=torch.Generator().manual_seed(0),
    )
    assert chain.acceptance == 0
    assert torch.equal(chain.draws, state.weights.expand(5, -1))


@pytest.mark.parametrize("step_size", [0.05, 0.1])
def test_a_chain_has_the_moments_of_linear_regression(step_size):
    """Whatever the step: what a finite one gets wrong is put right by refusals."""
    target = posterior(hidden=())
    mean, covariance = linear.closed_form(*linear.data())
    steps = round(0.7 / step_size)
    chain = run_chain(
        target,
        mean.unsqueeze(0),
        draws=1200,
        burn_in=0,
        step_size=step_size,
        trajectory=Trajectory(None, steps),
        generator=torch.Generator().manual_seed(0),
    )
    assert (chain.step_size, chain.steps) == (step_size, steps)
    assert 0.4 < chain.acceptance < (1 if step_size < 0.1 else 0.8)
    check_moments(chain.draws, mean, covariance)


def check_moments(draws, mean, covariance):
    """Within four Monte-Carlo errors, which have to be small themselves."""
    errors = linear.batch_errors(draws, 40)
    assert (errors < 0.06 * covariance.diagonal().sqrt()).all()
    assert ((draws.mean(0) - mean).abs() < 4 * errors).all()
    moments = linear.second_moments(draws, mean)
    errors = linear.batch_errors(moments, 40)
    scale = covariance.diagonal().sqrt()
    assert (errors < 0.12 * torch.outer(scale, scale).flatten()).all()
    assert ((moments.mean(0) - covariance.flatten()).abs() < 4 * errors).all()
