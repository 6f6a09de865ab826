import itertools
import math
import warnings

import pytest
import torch
from torch import nn

from tests.optim.tracing import traced_graphs
from tests.optim.trajectory import (
    follow,
    largest_difference,
    positions,
    random_gradients,
    random_parameters,
    resume_in_a_new_process,
)
from trimtab.optim import DiffGrad
from trimtab.optim.diffgrad import friction
from trimtab.study.tunable import LogUniform

START = (1.0, -2.0)
GRADS = ((1.0, -0.5), (-0.5, -0.5), (2.0, 0.1))


@pytest.fixture(scope="module")
def peer():
    """Returns another diffGrad, in the code's form."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_optimizer
    return pytorch_optimizer.DiffGrad


@pytest.fixture(scope="module")
def pure_peer(peer):
    """Returns the other diffGrad without the 1e-15 that it adds to the average of squares, unlike the official code."""

    class Pure(peer):
        @staticmethod
        def apply_ams_bound(ams_bound, exp_avg_sq, max_exp_avg_sq, eps):
            return peer.apply_ams_bound(ams_bound, exp_avg_sq, max_exp_avg_sq, eps, exp_avg_sq_eps=0.0)

    return lambda params, **settings: Pure(params, **settings, foreach=False)


def moves(make, grads):
    """Returns by how much a parameter moves at every step; it starts at zero, so that little is rounded off."""
    start = torch.zeros(1, len(grads[0]), dtype=torch.float64)
    return positions(make, start[0].tolist(), grads)[0].diff(dim=0, prepend=start)


def normal(steps, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(steps, 20, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("eps_mode", "by_hand"),
    [
        (
            "paper",
            [
                [0.9992689414286806, -1.9993775406812473],
                [0.999051191065744, -1.9988775406912473],
                [0.998443002618332, -1.9984411687014974],
            ],
        ),
        (
            "code",
            [
                [0.999268941652551, -1.9993775410624757],
                [0.9990511913484734, -1.9988775412861384],
                [0.9984430029804211, -1.998441169479173],
            ],
        ),
    ],
)
def test_three_steps_by_hand(eps_mode, by_hand):
    rows, state = positions(lambda params: DiffGrad(params, eps_mode=eps_mode), START, GRADS)
    torch.testing.assert_close(rows, torch.tensor(by_hand, dtype=torch.float64), rtol=1e-15, atol=0)
    assert set(state) == {"step", "exp_avg", "exp_avg_sq", "previous_grad"}
    assert state["previous_grad"].tolist() == list(GRADS[-1])


def test_friction_by_hand():
    rows = torch.tensor(((0.0, 0.0), *GRADS), dtype=torch.float64)
    by_hand = [
        [0.7310585786300049, 0.6224593312018546],
        [0.8175744761936437, 0.5],
        [0.9241418199787566, 0.6456563062257954],
    ]
    torch.testing.assert_close(friction(rows[1:], rows[:-1]), torch.tensor(by_hand, dtype=torch.float64))
    changes = torch.tensor([0.0, -0.1, 1.0, 4.0, math.inf], dtype=torch.float64)
    expected = torch.tensor([0.5, 0.525, 0.7311, 0.982, 1.0], dtype=torch.float64)
    torch.testing.assert_close(friction(changes, torch.zeros_like(changes)), expected, rtol=0, atol=5e-5)


def test_defaults_are_the_papers():
    group = DiffGrad(random_parameters()).param_groups[0]
    assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-3, (0.9, 0.999), 1e-8, 0.0)
    assert (group["decoupled"], group["eps_mode"]) == (False, "paper")


@pytest.mark.parametrize("eps", [1e-8, 1e-2])
def test_every_move_is_adams_times_the_friction(eps):
    grads = normal(50)
    ours, adams = (
        moves(make, grads.tolist())
        for make in (lambda p: DiffGrad(p, lr=0.01, eps=eps), lambda p: torch.optim.Adam(p, lr=0.01, eps=eps))
    )
    change = grads.diff(dim=0, prepend=torch.zeros(1, 20, dtype=torch.float64)).abs()
    torch.testing.assert_close(ours, adams / (1 + torch.exp(-change)), rtol=0, atol=1e-15)


def test_under_a_constant_gradient_it_is_adam_with_half_the_learning_rate():
    grads = [[0.3, -2.0, 1e-5]] * 30
    ours = moves(lambda p: DiffGrad(p, lr=0.01), grads)
    adams = moves(lambda p: torch.optim.Adam(p, lr=0.005), grads)
    torch.testing.assert_close(ours[1:], adams[1:], rtol=1e-11, atol=0)
    first = 2 * friction(torch.tensor(grads[0], dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(ours[0], first * adams[0], rtol=1e-13, atol=0)


@pytest.mark.parametrize(("scale", "share"), [(1e-6, 0.5), (1e6, 1.0)])
def test_small_gradients_get_half_of_adams_learning_rate_and_large_ones_all_of_it(scale, share):
    grads = normal(20, scale).tolist()
    ours = moves(lambda p: DiffGrad(p, lr=0.01), grads)
    adams = moves(lambda p: torch.optim.Adam(p, lr=0.01 * share), grads)
    # The friction differs from 1/2 by a quarter of the change, at most four standard deviations of a difference.
    torch.testing.assert_close(ours, adams, rtol=3e-6, atol=1e-16)


@pytest.mark.parametrize(("curvature", "stays"), [(0.98, True), (1.02, False)])
def test_an_optimum_holds_twice_the_curvature_that_adams_does(curvature, stays):
    """At an optimum of f = c x^2 / 2 the friction is 1/2 and eps rules the divisor: heavy ball with lr / (2 eps)."""
    lr, eps, beta1 = 0.1, 1e-2, 0.5
    limit = 2 * (1 + beta1) / (1 - beta1) * 2 * eps / lr
    param = nn.Parameter(torch.tensor([1e-30], dtype=torch.float64))
    optimizer = DiffGrad([param], lr=lr, betas=(beta1, 0.999), eps=eps)
    distances = []
    for _ in range(250):
        param.grad = curvature * limit * param.detach()
        optimizer.step()
        distances.append(abs(param.item()))
    early, late = max(distances[90:100]), max(distances[-10:])
    assert late < 1e-3 * early if stays else late > 1e3 * early
    assert max(distances) < 1e-6 * eps  # or the average of squares would be felt


def test_gradients_that_are_written_over_are_still_compared():
    """The first official code kept a reference to ``.grad``, which backward passes may write to in place."""
    param = nn.Parameter(torch.tensor([1.0, -1.0], dtype=torch.float64))
    optimizer = DiffGrad([param])
    adam_param = nn.Parameter(param.detach().clone())
    adam = torch.optim.Adam([adam_param], lr=1e-3)
    for factor in (1.0, 3.0):
        before, adam_before = param.detach().clone(), adam_param.detach().clone()
        optimizer.zero_grad(set_to_none=False)
        kept = optimizer.state[param].get("previous_grad", torch.zeros(2, dtype=torch.float64)).clone()
        (factor * param).sum().backward()
        address = param.grad.data_ptr()
        adam_param.grad = param.grad.clone()
        optimizer.step()
        adam.step()
        ratio = (param.detach() - before) / (adam_param.detach() - adam_before)
        torch.testing.assert_close(ratio, torch.sigmoid((kept - factor).abs()), rtol=1e-10, atol=0)
    assert kept.tolist() == [1.0, 1.0]
    assert optimizer.state[param]["previous_grad"].tolist() == [3.0, 3.0]
    assert optimizer.state[param]["previous_grad"].data_ptr() != address


def test_coupled_decay_is_part_of_what_is_compared_and_leaves_gradients_alone():
    param = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimizer = DiffGrad([param], weight_decay=0.25)
    param.grad = torch.tensor([3.0], dtype=torch.float64)
    optimizer.step()
    assert param.grad.item() == 3.0
    assert optimizer.state[param]["previous_grad"].item() == 3.5
    assert param.item() == pytest.approx(2 - 1e-3 / (1 + math.exp(-3.5)), rel=1e-11)


def test_decoupled_decay_shrinks_the_parameter():
    rows, state = positions(lambda p: DiffGrad(p, lr=0.1, weight_decay=0.5, decoupled=True), (3.0,), ((0.0,),) * 4)
    torch.testing.assert_close(rows[:, 0], 3 * 0.95 ** torch.arange(1, 5, dtype=torch.float64), rtol=1e-15, atol=0)
    assert state["previous_grad"].item() == 0


def test_maximize_mirrors_the_gradients():
    grads = random_gradients(10)
    for decoupled in (False, True):
        settings = {"weight_decay": 0.1, "decoupled": decoupled}
        up, down = random_parameters(), random_parameters()
        follow(up, DiffGrad(up, **settings, maximize=True), grads)
        follow(down, DiffGrad(down, **settings), [[-grad for grad in row] for row in grads])
        for a, b in zip(up, down, strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(("decoupled", "weight_decay"), [(False, 0.0), (False, 0.1), (True, 0.1)])
@pytest.mark.parametrize("eps", [1e-8, 1e-3])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_agrees_with_another_implementation(pure_peer, betas, eps, decoupled, weight_decay):
    settings = {"lr": 0.01, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    difference = largest_difference(
        lambda p: DiffGrad(p, **settings, decoupled=decoupled, eps_mode="code"),
        lambda p: pure_peer(p, **settings, weight_decouple=decoupled),
    )
    assert difference <= 1e-13


def test_agrees_with_another_implementation_as_it_comes(peer):
    """What it adds to the squares is felt where gradients are small."""
    difference = largest_difference(lambda p: DiffGrad(p, lr=0.01, eps_mode="code"), lambda p: peer(p, lr=0.01))
    assert difference <= 1e-7
    ours, theirs = random_parameters(), random_parameters()
    grads = [[torch.copysign(grad.abs() + 0.1, grad) for grad in row] for row in random_gradients(50)]
    follow(ours, DiffGrad(ours, lr=0.01, eps_mode="code"), grads)
    follow(theirs, peer(theirs, lr=0.01), grads)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_agrees_with_a_second_implementation(weight_decay):
    import torch_optimizer

    settings = {"lr": 0.01, "weight_decay": weight_decay}
    difference = largest_difference(
        lambda p: DiffGrad(p, **settings, eps_mode="code"), lambda p: torch_optimizer.DiffGrad(p, **settings)
    )
    assert difference <= 1e-14


def test_the_two_places_of_epsilon_differ_by_what_it_is_to_the_root_at_first():
    grads = normal(50).sign().tolist()
    paper, code = (moves(lambda p, m=m: DiffGrad(p, eps_mode=m), grads) for m in ("paper", "code"))
    relative = ((paper - code) / paper).abs().amax(dim=1)
    t = torch.arange(1, 51, dtype=torch.float64)
    # Where all gradients are of size one, so are the roots of corrected averages.
    torch.testing.assert_close(relative, 1e-8 * ((1 - 0.999**t).rsqrt() - 1), rtol=1e-4, atol=1e-11)


def test_the_papers_form_agrees_where_epsilon_is_negligible(pure_peer):
    difference = largest_difference(
        lambda p: DiffGrad(p, lr=0.01, eps=1e-30), lambda p: pure_peer(p, lr=0.01, eps=1e-30)
    )
    assert difference <= 1e-13


def test_the_codes_epsilon_is_larger_at_first():
    ours = [moves(lambda p, m=m: DiffGrad(p, eps=1e-3, eps_mode=m), ((0.5,),)).item() for m in ("paper", "code")]
    longer, shorter = (-1e-3 * 0.5 / (1 + math.exp(-0.5)) / (0.5 + eps) for eps in (1e-3, 1e-3 / math.sqrt(0.001)))
    assert ours == [pytest.approx(longer, rel=1e-12), pytest.approx(shorter, rel=1e-12)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("eps_mode", ["paper", "code"])
def test_a_coordinate_without_gradients_rests(dtype, eps_mode):
    settings = {"eps": 1e-37, "eps_mode": eps_mode}
    rows, _ = positions(lambda p: DiffGrad(p, **settings, lr=0.1), (1.0, 1.0), ((0.0, 1.0),) * 3, dtype)
    assert rows[:, 0].tolist() == [1.0] * 3
    assert (rows[:, 1] < 1).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_state_of_half_precision_parameters_is_float32_and_stays_finite(dtype):
    params = random_parameters(dtype=dtype)
    optimizer = DiffGrad(params)
    zeros = [torch.zeros_like(param) for param in params]
    grads = random_gradients(3, dtype=dtype)
    follow(params, optimizer, [zeros, *grads])
    for param, last in zip(params, grads[-1], strict=True):
        assert param.dtype == dtype
        assert param.isfinite().all()
        for name in DiffGrad.state_names:
            assert optimizer.state[param][name].dtype == torch.float32
            assert optimizer.state[param][name].isfinite().all()
        assert torch.equal(optimizer.state[param]["previous_grad"], last.float())


def test_float32_follows_float64():
    single, double = random_parameters(dtype=torch.float32), random_parameters()
    follow(single, DiffGrad(single), random_gradients(50, dtype=torch.float32))
    follow(double, DiffGrad(double), random_gradients(50))
    for a, b in zip(single, double, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0, atol=5e-6)


@pytest.mark.parametrize("eps_mode", ["paper", "code"])
def test_is_traced_as_one_graph(eps_mode):
    hypers = {"betas": (0.9, 0.999), "eps": 1e-8, "decoupled": False, "eps_mode": eps_mode}
    assert traced_graphs(DiffGrad, hypers) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resumes_bit_for_bit_in_a_new_process(tmp_path, dtype):
    settings = {"weight_decay": 0.1, "betas": (0.8, 0.99), "eps_mode": "code"}
    expected, resumed = resume_in_a_new_process(DiffGrad, settings, tmp_path / "half.pt", dtype)
    for a, b in zip(resumed["params"], expected["params"], strict=True):
        assert torch.equal(a, b)
    for key, state in expected["optimizer"]["state"].items():
        assert resumed["optimizer"]["state"][key]["step"] == 10
        for name in DiffGrad.state_names:
            assert torch.equal(resumed["optimizer"]["state"][key][name], state[name])
    assert resumed["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"lr": -1.0}, ValueError, r"lr=-1.0 must lie in \[0, inf\)"),
        ({"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]=1.0 must lie in \[0, 1\)"),
        ({"betas": (math.nan, 0.9)}, ValueError, r"betas\[0\]=nan must lie in \[0, 1\)"),
        ({"eps": 0.0}, ValueError, r"eps=0.0 must lie in \[1e-37, inf\)"),
        ({"weight_decay": math.inf}, ValueError, r"weight_decay=inf must lie in \[0, inf\)"),
        ({"eps_mode": "official"}, ValueError, "eps_mode='official' must be 'paper' or 'code'"),
        ({"eps_mode": None}, TypeError, "eps_mode=None must be 'paper' or 'code', not NoneType"),
        ({"decoupled": 1}, TypeError, "decoupled=1 must be True or False"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        DiffGrad(random_parameters(), **settings)


def test_bad_settings_of_a_group_are_named_at_the_next_step():
    params = random_parameters()
    optimizer = DiffGrad(params)
    before = [param.detach().clone() for param in params]
    optimizer.param_groups[0]["eps_mode"] = "journal"
    with pytest.raises(ValueError, match="eps_mode='journal'"):
        follow(params, optimizer, random_gradients(1))
    assert all(torch.equal(a, b) for a, b in zip(params, before, strict=True))


def test_sparse_gradients_are_refused():
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="DiffGrad needs dense gradients, and that of parameter 'weight' is sparse"):
        DiffGrad(embedding.named_parameters()).step()


def test_tunables_are_settings_and_span_as_many_decades_as_others():
    assert set(DiffGrad.tunables) == {"lr", "weight_decay"}
    ends = [(t.low, t.high) for t in DiffGrad.tunables.values()]
    for lr, weight_decay in itertools.product(*ends):
        DiffGrad(random_parameters(), lr=lr, weight_decay=weight_decay)
    for name, tunable in DiffGrad.tunables.items():
        assert isinstance(tunable, LogUniform)
        assert math.log10(tunable.high / tunable.low) == pytest.approx({"lr": 3.52}.get(name, 3), abs=0.01)
