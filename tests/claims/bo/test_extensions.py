"""Loops with an extension and without."""

import numpy as np
import pytest
import torch
from botorch.test_functions.synthetic import Branin, ConstrainedHartmann, Levy
from scipy.optimize import minimize

from trimtab.claims.bo import extensions


class Fake:
    """Asks for given points, and keeps what it is made of and told."""

    def __init__(self, points, recommended=None):
        self.points, self.recommended, self.told, self.made = points, recommended, [], None

    def __call__(self, bounds, seed, **options):
        self.made = (tuple(bounds.shape), seed, options)
        return self

    def ask(self):
        return torch.tensor([self.points[len(self.told) % len(self.points)]], dtype=torch.float64)

    def tell(self, point, values, C=None, dY=None):
        self.told.append((point, values, C, dY))

    def recommend(self):
        return torch.tensor(self.recommended, dtype=torch.float64)


@pytest.fixture
def fake(monkeypatch):
    def put(*arguments):
        made = Fake(*arguments)
        monkeypatch.setattr(extensions, "_optimizer", made)
        return made

    return put


def test_the_optimum_in_the_ball_is_known():
    function = ConstrainedHartmann(dim=3, negate=True)
    inside = {"type": "ineq", "fun": lambda x: 1 - np.linalg.norm(x)}
    found = minimize(
        lambda x: -float(function(torch.tensor(x)[None])),
        [0.1, 0.5, 0.8],
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints=[inside],
        options={"ftol": 1e-14},
    )
    assert -found.fun == pytest.approx(extensions.HARTMANN_OPTIMUM, abs=1e-7)


@pytest.mark.parametrize("extended", [True, False])
def test_only_feasible_points_count_with_constraints(extended, fake):
    optimum, better_outside = [0.0427, 0.5374, 0.8420], [0.1146, 0.5556, 0.8525]
    told = fake([better_outside, [0.5, 0.5, 0.5], optimum]).told
    assert extensions.constraint(extended, 3, 2) == pytest.approx(extensions.HARTMANN_OPTIMUM - 0.628, abs=1e-3)
    told.clear()
    assert extensions.constraint(extended, 3, 3) == pytest.approx(0, abs=1e-3)
    assert [each[2] is not None for each in told] == [extended] * 3
    assert not extended or [bool(each[2] > 0) for each in told] == [True, False, False]
    told.clear()
    assert extensions.constraint(extended, 3, 1) == extensions.HARTMANN_OPTIMUM


def test_fidelities_are_paid_for_and_the_budget_is_kept(fake):
    made = fake([[np.pi, 2.275, 0.5]], [np.pi, 2.275, 1.0])
    assert extensions.fidelity(True, 3) == pytest.approx(0, abs=1e-4)
    assert len(made.told) == 13  # of 0.7 each
    assert made.made[2]["fidelity"]["dim"] == 2
    made = fake([[np.pi, 2.275]], [9.0, 9.0])
    branin = -float(Branin()(torch.tensor([[9.0, 9.0]])))
    assert extensions.fidelity(False, 3) == pytest.approx(-branin - 0.397887, abs=1e-4)
    assert len(made.told) == 8
    assert made.made[2]["fidelity"] is None
    assert made.made[0] == (2, 2)


def test_states_are_averaged_over(fake):
    made = fake([[3.0, 15.0]], [3.0])
    regret = extensions.environment(True, 3, 2)
    states = torch.linspace(0, 15, 12, dtype=torch.float64)
    here, *means = (
        float(Branin()(torch.tensor([[x, w] for w in states], dtype=torch.float64)).mean())
        for x in (3.0, *np.linspace(-5, 10, 301))
    )
    assert regret == pytest.approx(here - min(means), abs=0.02)
    assert [float(values) for _, values, _, _ in made.told] == pytest.approx(
        [-float(Branin()(torch.tensor([[3.0, 15.0]])))] * 2
    )
    made = fake([[3.0]], [3.0])
    assert extensions.environment(False, 3, 40) == pytest.approx(regret)
    seen = {round(float(values), 6) for _, values, _, _ in made.told}
    possible = {round(-float(Branin()(torch.tensor([[3.0, w]], dtype=torch.float64))), 6) for w in states}
    assert 8 < len(seen) <= 12
    assert seen <= possible


@pytest.mark.parametrize("extended", [True, False])
def test_gradients_are_those_of_the_values(extended, fake):
    told = fake([[1.5, 0.0], [1.0, 1.5], [4.0, 4.0]]).told
    assert extensions.gradients(extended, 3, 3) == pytest.approx(float(Levy(2)(torch.tensor([[1.0, 1.5]]))))
    for point, _, _, slopes in told:
        assert not point.requires_grad
        assert (slopes is not None) == extended
        for dim in range(2 * extended):
            step = torch.zeros(1, 2, dtype=torch.float64)
            step[0, dim] = 1e-6
            rise = Levy(2)(point - step) - Levy(2)(point + step)
            assert float(slopes[0, dim]) == pytest.approx(float(rise) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize(("name", "few"), [("constraint", 9), ("fidelity", 3.0), ("environment", 7), ("gradients", 4)])
def test_loops_run_and_again_alike(name, few, extended):
    before = torch.get_rng_state()
    regret = extensions.EXTENSIONS[name](extended, 3, few)
    assert regret > -1e-6
    assert torch.equal(torch.get_rng_state(), before)
    if name == "gradients":
        assert extensions.EXTENSIONS[name](extended, 3, few) == regret
