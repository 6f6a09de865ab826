"""The loop: points that are asked for, told and recommended, in every kind of space."""

import io
import random

import numpy as np
import pytest
import torch
from torch.quasirandom import SobolEngine

from trimtab.search import BayesianOptimizer

BOX = torch.tensor([[0.0, -1.0], [2.0, 3.0]], dtype=torch.float64)
BEST = [0.6, 0.5]
SMALL = {
    "seed": 0,
    "n_initial": 4,
    "num_restarts": 1,
    "raw_samples": 16,
    "q_mc_samples": 16,
    "num_fantasies": 2,
    "max_steps": 10,
}


def value(X):
    return 5 - (X[:, :1] - BEST[0]).square() - 0.25 * (X[:, 1:2] - BEST[1]).square()


def slope(X):
    return torch.cat([-2 * (X[:, :1] - BEST[0]), -0.5 * (X[:, 1:2] - BEST[1])], -1)


def begun(tell=lambda X: {}, n=4, **given):
    """An optimizer that was told its first points."""
    optimizer = BayesianOptimizer(BOX, **{**SMALL, **given})
    X = optimizer.ask(n)
    optimizer.tell(X, value(X), **tell(X))
    return optimizer


def test_it_begins_with_scrambled_sobol_points():
    optimizer = BayesianOptimizer(BOX, seed=7)
    X = torch.cat([optimizer.ask(2), optimizer.ask(4)])
    expected = SobolEngine(2, scramble=True, seed=7).draw(6, dtype=torch.float64)
    assert torch.equal(X, BOX[0] + expected * (BOX[1] - BOX[0]))
    # 2 (d + 1) are asked for, and without any observation so are more
    assert torch.equal(
        optimizer.ask()[0],
        BOX[0] + SobolEngine(2, scramble=True, seed=7).draw(7, dtype=torch.float64)[6] * (BOX[1] - BOX[0]),
    )


def test_it_finds_the_best_point():
    optimizer = BayesianOptimizer(BOX, **SMALL)
    for _ in range(9):
        X = optimizer.ask()
        optimizer.tell(X, value(X))
    best = optimizer.recommend()
    assert best.tolist() == pytest.approx(BEST, abs=0.25)
    assert value(best[None]) > 4.98


def test_what_is_small_can_be_good():
    largest, least = begun(), BayesianOptimizer(BOX, **SMALL, maximize=False)
    X = least.ask(4)
    least.tell(X, -value(X))
    assert torch.allclose(largest.ask(), least.ask(), rtol=1e-6)
    assert torch.equal(largest.recommend(), least.recommend())


def test_it_resumes_bit_for_bit_with_what_is_pending():
    one = begun(acquisition="gibbon")
    first = one.ask()
    stored = io.BytesIO()
    torch.save(one.state_dict(), stored)
    stored.seek(0)
    other = BayesianOptimizer(BOX, **{**SMALL, "seed": 5}, acquisition="gibbon")
    other.load_state_dict(torch.load(stored, weights_only=True))
    for optimizer in (one, other):
        optimizer.asked = optimizer.ask()
        optimizer.tell(first, value(first))
        optimizer.then = optimizer.ask()
    assert torch.equal(one.asked, other.asked)
    assert torch.equal(one.then, other.then)
    assert torch.equal(one.state_dict()["observations"]["pending"], other.state_dict()["observations"]["pending"])


def test_what_it_asks_for_follows_from_the_seed_and_global_generators_are_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    first = begun().ask()
    torch.manual_seed(2)
    again = begun().ask()
    torch.manual_seed(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, begun(seed=1).ask())
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]
    assert not torch.equal(BayesianOptimizer(BOX).ask(), BayesianOptimizer(BOX).ask())


def test_recommending_and_asking_in_between_change_nothing():
    one, other = begun(), begun()
    one.recommend()
    assert torch.equal(one.ask(), other.ask())
    one.recommend()
    assert torch.equal(one.ask(), other.ask())


def test_several_points_at_once_are_apart():
    X = begun().ask(3)
    assert X.shape == (3, 2)
    assert torch.pdist(X).min() > 0.1


@pytest.mark.parametrize("acquisition", ["noisy_ei", "nei"])
def test_only_what_is_feasible_is_recommended(acquisition):
    optimizer = begun(lambda X: {"C": X[:, :1] - 0.5}, constraints=1, acquisition=acquisition)
    X = optimizer.ask()
    optimizer.tell(X, value(X), C=X[:, :1] - 0.5)
    best = optimizer.recommend()
    assert best[0] <= 0.5
    feasible = optimizer._seen.X[optimizer._seen.X[:, 0] <= 0.5]
    assert value(best[None]) > value(feasible).max() - 0.05


def test_while_nothing_is_feasible_it_looks_for_that():
    optimizer = begun(lambda X: {"C": X[:, :1] + X[:, 1:] + 0.5}, constraints=1, num_restarts=4, raw_samples=64)
    asked = optimizer._seen.X[:, :2].sum(-1)
    assert (asked > -0.5).all()
    X = optimizer.ask()
    assert X.sum() < asked.min()
    assert optimizer.recommend().sum() in asked.sort().values[:2]


def test_cheap_fidelities_are_asked_for_and_the_target_is_recommended():
    fidelity = {"dim": 1, "target": 2.0, "cost": (2.0, 1.0)}
    optimizer = begun(fidelity=fidelity, n=6, max_steps=3)
    assert optimizer.ask().shape == (1, 2)
    best = optimizer.recommend()
    assert best[1] == 2.0
    assert best[0].item() == pytest.approx(BEST[0], abs=0.4)
    optimizer._report = "evaluated"
    best = optimizer.recommend()
    assert best[1] == 2.0
    assert best[0] in optimizer._seen.X[:, 0]


def test_sources_are_chosen_with_the_point():
    optimizer = BayesianOptimizer(BOX, **{**SMALL, "n_initial": 8}, sources=[1.0, 0.001])
    X = optimizer.ask(8)
    assert X[:, 2].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    optimizer.tell(X, value(X) + 0.01 * X[:, 2:])
    assert optimizer.ask()[0, 2] == 1.0  # tells nearly as much, for a thousandth
    best = optimizer.recommend()
    assert best[2] == 0
    assert best[:2].tolist() == pytest.approx(BEST, abs=0.4)


def test_what_is_best_on_average_over_environments_is_recommended():
    environment = {"dims": [1], "values": [[0.0], [1.0]], "weights": [0.25, 0.75]}

    def shifted(X):  # 0.4 is best in one environment and 1 in the other; on average it is their mean
        return -(X[:, :1] - 0.4 - 0.6 * X[:, 1:]).square()

    optimizer = BayesianOptimizer(BOX, **{**SMALL, "n_initial": 10, "raw_samples": 64}, environment=environment)
    X = optimizer.ask(10)
    assert X[:, 1].tolist() == 5 * [0.0, 1.0]
    optimizer.tell(X, shifted(X))
    X = optimizer.ask()
    assert X[0, 1].item() in {0.0, 1.0}
    optimizer.tell(X, shifted(X))
    assert optimizer.recommend().tolist() == pytest.approx([0.85], abs=0.05)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled")  # of GPyTorch's task kernel
def test_tasks_learn_from_each_other():
    optimizer = BayesianOptimizer(BOX, **SMALL, tasks=2)
    X = optimizer.ask(6, task=1)
    assert (X[:, 2] == 1).all()
    optimizer.tell(X, value(X))
    with pytest.raises(ValueError, match="nothing was told yet of task 0"):
        optimizer.recommend()
    first = optimizer.ask()
    assert first[0, 2] == 0  # the next Sobol point: there is nothing of its own yet
    assert torch.equal(first[0, :2], BayesianOptimizer(BOX, **SMALL).ask(7)[6])
    optimizer.tell(first, value(first) + 3)
    assert optimizer.ask()[0, 2] == 0
    assert torch.equal(optimizer.recommend(), first[0])


def test_gradients_make_the_best_point_known_sooner():
    optimizer = begun(lambda X: {"dY": slope(X)}, report="anywhere")
    assert optimizer.recommend().tolist() == pytest.approx(BEST, abs=0.1)
    assert optimizer.ask().shape == (1, 2)
    with pytest.raises(ValueError, match="is not possible with gradients"):
        begun(lambda X: {"dY": slope(X)}, acquisition="knowledge_gradient").ask()
    with pytest.raises(ValueError, match="kernel is not possible with gradients"):
        begun(lambda X: {"dY": slope(X)}, kernel=max).ask()


def test_known_noise_is_told():
    optimizer = begun(lambda X: {"Yvar": torch.full((4, 1), 0.01, dtype=torch.float64)})
    optimizer.ask()
    assert optimizer._models[0][0].likelihood.noise.shape == (4,)


@pytest.mark.parametrize("name", ["max_value_entropy", "predictive_entropy", "joint_entropy", "discrete_kg"])
def test_entropy_search_and_others_can_be_asked(name):
    X = begun(acquisition=name).ask()
    assert ((BOX[0] <= X) & (BOX[1] >= X)).all()


def test_one_observation_can_be_recommended():
    optimizer = BayesianOptimizer(BOX, **SMALL)
    X = optimizer.ask()
    optimizer.tell(X, value(X))
    assert torch.equal(optimizer.recommend(), X[0])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"bounds": [[1.0], [0.0]]}, ValueError, "each lower bound below"),
        ({"acquisition": "luck"}, ValueError, "acquisition='luck'"),
        ({"acquisition": "ei", "sources": [1.0]}, ValueError, "is not possible with sources"),
        ({"report": "best"}, ValueError, "report='best': one of evaluated, anywhere"),
        ({"report": "anywhere", "constraints": 1}, ValueError, "report='anywhere' is not possible with constraints"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"maximize": None}, ValueError, "maximize=None"),
        ({"n_initial": 0}, ValueError, "n_initial=0"),
        ({"kernel": "rbf"}, ValueError, "kernel='rbf'"),
        ({"kernel": max, "tasks": 2}, ValueError, "kernel is not possible with tasks"),
        ({"num_restarts": 0}, ValueError, "num_restarts=0"),
        ({"raw_samples": 1.5}, ValueError, "raw_samples=1.5"),
        ({"q_mc_samples": 8}, ValueError, "q_mc_samples=8"),
        ({"num_fantasies": 0}, ValueError, "num_fantasies=0"),
        ({"max_steps": 0}, ValueError, "max_steps=0"),
        ({"environment": {"dims": [0], "values": [[0.0]], "weights": [0.9]}}, ValueError, "sum to 0.9"),
    ],
)
def test_bad_settings_are_named(given, error, message):
    with pytest.raises(error, match=message):
        BayesianOptimizer(**{"bounds": BOX, **given})


def test_bad_calls_are_named():
    optimizer = begun()
    with pytest.raises(ValueError, match="q=0"):
        optimizer.ask(0)
    with pytest.raises(ValueError, match="task=1"):
        optimizer.ask(task=1)
    with pytest.raises(ValueError, match="not inside the bounds"):
        optimizer.tell(BOX + 1, value(BOX))
    with pytest.raises(TypeError, match=r"X is of type torch\.int64"):
        optimizer.tell(torch.ones(1, 2, dtype=torch.int64), value(BOX[:1]))
    with pytest.raises(ValueError, match="nothing was told yet"):
        BayesianOptimizer(BOX).recommend()
    with pytest.raises(ValueError, match="state has the bounds"):
        BayesianOptimizer(BOX + 1).load_state_dict(optimizer.state_dict())
    with pytest.raises(ValueError, match="state has points of 2 columns: 3 are needed"):
        BayesianOptimizer(BOX, tasks=2).load_state_dict(optimizer.state_dict())
    with pytest.raises(ValueError, match="state is of version 0: one of version 1 is needed"):
        optimizer.load_state_dict({**optimizer.state_dict(), "version": 0})
