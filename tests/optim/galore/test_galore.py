import copy
import gc
import io
import math
import weakref
from typing import ClassVar

import pytest
import torch
from torch import nn

import trimtab
from trimtab.optim import (
    AGVM,
    AdaBelief,
    CoordinateClip,
    DiffGrad,
    GaLore,
    Lamb,
    Lars,
    Lion,
    QGaLore,
    module_parameter_groups,
)
from trimtab.primitives.flat import FlatOptimizer
from trimtab.primitives.hyperparameters import FRACTION, REPRESENTABLE, pair
from trimtab.primitives.low_rank import dominant_basis
from trimtab.primitives.memory import storage_bytes
from trimtab.testing import OptimizerConformance


class PapersAdam(FlatOptimizer):
    """Adam as galore-torch has it: epsilon beside the root without bias correction."""

    state_names = ("exp_avg", "exp_avg_sq")
    hyperparameters: ClassVar = {"betas": pair(FRACTION), "eps": REPRESENTABLE}

    def __init__(self, params, lr=0.01, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0, **options):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, compile=False, **options)

    @staticmethod
    def scalars(step, /, *, betas, eps):
        scale = math.sqrt(1 - betas[1] ** step) / (1 - betas[0] ** step)
        return {"beta1": betas[0], "beta2": betas[1], "eps": eps, "scale": scale}

    @staticmethod
    def direction(grad, m, v, *, beta1, beta2, eps, scale):
        m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad * grad
        return scale * m / (v.sqrt() + eps), m, v


def matrix(*shape, seed=0, dtype=torch.float64):
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def gradient(param, step):
    return torch.randn(param.shape, generator=torch.Generator().manual_seed(100 + step), dtype=torch.float64)


def run(optimizer, *params, steps=10, first=0):
    for step in range(first, first + steps):
        for param in params:
            param.grad = gradient(param, step).to(param.dtype)
        optimizer.step()
    return [param.detach().clone() for param in params]


def as_the_paper_has_it(param, rank, gap, steps, lr, decay, scale=0.25, betas=(0.9, 0.999), eps=1e-6):
    """An independent GaLore with Adam, one matrix, no library."""
    w = param.detach().clone()
    right = w.shape[0] >= w.shape[1]
    m = v = 0.0
    for step in range(steps):
        g = gradient(w, step)
        if step % gap == 0:
            u, _, vh = torch.linalg.svd(g, full_matrices=False)
            p = vh[:rank].T if right else u[:, :rank]
        r = g @ p if right else p.T @ g
        m, v = betas[0] * m + (1 - betas[0]) * r, betas[1] * v + (1 - betas[1]) * r**2
        n = math.sqrt(1 - betas[1] ** (step + 1)) / (1 - betas[0] ** (step + 1)) * m / (v.sqrt() + eps)
        w = w - lr * decay * w - lr * scale * (n @ p.T if right else p @ n)
    return w


def test_a_step_along_a_gradient_of_rank_one():
    u, v = torch.tensor([0.6, -0.8, 0.0]).double(), torch.tensor([0.8, 0.6]).double()
    for sign in (1, -1):
        w = nn.Parameter(torch.zeros(3, 2, dtype=torch.float64))
        w.grad = sign * 2.5 * torch.outer(u, v)
        GaLore(PapersAdam([w]), rank=1).step()
        expected = -sign * torch.tensor([[0.002, 0.0015], [-0.002, -0.0015], [0, 0]]).double()
        assert torch.allclose(w.detach(), expected, rtol=3e-5)
        assert abs(w[0, 0]).item() == pytest.approx(0.001999957718, rel=1e-7)  # what galore-torch 1.0 gives


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (5, 5)])
def test_it_is_the_papers_algorithm(shape, decay):
    w = matrix(*shape)
    expected = as_the_paper_has_it(w, 2, 3, 10, 0.01, decay)
    optimizer = GaLore(PapersAdam([w], weight_decay=decay), rank=2, update_proj_gap=3)
    assert (run(optimizer, w)[0] - expected).abs().max() < 1e-12
    assert optimizer.svd_count == 4


@pytest.mark.parametrize("rule", [torch.optim.SGD, lambda p, lr: PapersAdam(p, lr=lr, betas=(0.0, 0.0))])
@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (5, 5)])
def test_with_full_rank_a_linear_rule_is_itself(shape, rule):
    w, x = matrix(*shape), matrix(*shape)
    group = {"params": [w], "galore_rank": 5}
    run(GaLore(rule([group], lr=0.1), scale=1.0, update_proj_gap=3), w)
    run(rule([x], lr=0.1), x)
    same = torch.allclose(w, x, atol=1e-12)
    assert same == (rule is torch.optim.SGD)  # what looks at coordinates is not: it looks at those of singular vectors


@pytest.mark.parametrize(
    ("proj_type", "sides"),
    [
        ("std", ("right", "left", "right")),
        ("reverse_std", ("left", "right", "left")),
        ("left", ("left",) * 3),
        ("right", ("right",) * 3),
    ],
)
def test_sides(proj_type, sides):
    params = [matrix(8, 5), matrix(5, 8), matrix(5, 5)]
    optimizer = GaLore(torch.optim.SGD(params, lr=1.0), rank=2, scale=1.0, proj_type=proj_type)
    before = [param.detach().clone() for param in params]
    run(optimizer, *params, steps=1)
    for param, old, side in zip(params, before, sides, strict=True):
        assert optimizer.subspaces[param].side == side
        basis = dominant_basis(gradient(param, 0), 2, side)
        assert basis.shape == (2, param.shape[side == "right"])
        grad = gradient(param, 0)
        kept = grad @ basis.T @ basis if side == "right" else basis.T @ basis @ grad
        assert torch.allclose(param.detach(), old - kept, atol=1e-12)


RULES = {
    "sgd": lambda p, **s: torch.optim.SGD(p, lr=0.1, momentum=0.9, **s),
    "adam": lambda p, **s: torch.optim.Adam(p, lr=0.1, **s),
    "adamw": lambda p, **s: torch.optim.AdamW(p, lr=0.1, **s),
    "lion": lambda p, **s: Lion(p, lr=0.1, compile=False, **s),
    "adabelief": lambda p, **s: AdaBelief(p, lr=0.1, compile=False, **s),
    "fixed": lambda p, **s: AdaBelief(p, lr=0.1, fixed_decay=True, compile=False, **s),
    "diffgrad": lambda p, **s: DiffGrad(p, lr=0.1, compile=False, **s),
}


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_moves_coordinates_and_decays_the_whole(name, maximize):
    """By hand: the rule without decay on the coordinates, and the decay where its kind has it."""
    make, decay, lr = RULES[name], 0.25, 0.1
    w = matrix(6, 4)
    by_hand = w.detach().clone()
    optimizer = GaLore(make([w], weight_decay=decay, maximize=maximize), rank=2, update_proj_gap=2)
    coordinates = nn.Parameter(torch.zeros(6, 2, dtype=torch.float64))
    rule = make([coordinates], weight_decay=0.0)
    coupled = name in {"sgd", "adam", "diffgrad"}
    for step in range(5):
        w.grad = gradient(w, step)
        grad = (-w.grad if maximize else w.grad) + (decay * by_hand if coupled else 0.0)
        if step % 2 == 0:
            basis = torch.linalg.svd(grad, full_matrices=False).Vh[:2]
        with torch.no_grad():
            coordinates.zero_()
        coordinates.grad = grad @ basis.T
        rule.step()
        if not coupled:
            by_hand *= 1 - (decay if name == "fixed" else lr * decay)
        by_hand += 0.25 * coordinates.detach() @ basis
        optimizer.step()
        assert torch.allclose(w.detach(), by_hand, rtol=1e-9, atol=1e-11)


def test_other_parameters_move_as_without_it():
    params, others = [matrix(8, 5), matrix(7), matrix(3, 2, 2)], [matrix(8, 5), matrix(7), matrix(3, 2, 2)]
    run(GaLore(torch.optim.AdamW(params, lr=0.1), rank=2), *params)
    run(torch.optim.AdamW(others, lr=0.1), *others)
    assert torch.equal(params[1], others[1])
    assert torch.equal(params[2], others[2])
    assert not torch.allclose(params[0], others[0])


def test_gradients_stay_as_they_are():
    w = matrix(8, 5)
    w.grad = gradient(w, 0)
    own, copied = w.grad, w.grad.clone()
    GaLore(torch.optim.AdamW([w], weight_decay=0.1), rank=2).step()
    assert w.grad is own
    assert torch.equal(own, copied)


def test_a_fraction_of_the_shorter_side():
    params = [matrix(8, 20), matrix(20, 8), matrix(30, 2), matrix(9, 1)]
    optimizer = GaLore(torch.optim.SGD(params, lr=0.1), rank=0.25)
    run(optimizer, *params, steps=1)
    assert [optimizer.subspaces[p].rank if p in optimizer.subspaces else None for p in params] == [2, 2, 1, None]


def test_groups_say_what_is_projected():
    named, left_out, rest = matrix(4, 4), matrix(8, 8), matrix(8, 8)
    groups = [
        {"params": [named], "galore_rank": 4, "galore_scale": 2.0},
        {"params": [left_out], "galore_rank": None},
        {"params": [rest]},
    ]
    optimizer = GaLore(torch.optim.SGD(groups, lr=0.1), rank=3)
    added = matrix(5, 2)
    optimizer.add_param_group({"params": [added], "galore_rank": 2})
    run(optimizer, named, left_out, rest, added, steps=1)
    assert {param: space.rank for param, space in optimizer.subspaces.items()} == {named: 4, rest: 3, added: 2}


def test_a_matrix_as_short_as_the_rank_is_left_alone_unless_it_is_named():
    short, long = matrix(8, 3), matrix(8, 4)
    optimizer = GaLore(torch.optim.SGD([short, long], lr=0.1), rank=3)
    run(optimizer, short, long, steps=1)
    assert set(optimizer.subspaces) == {long}


def degenerate(kind, param):
    return {"zero": torch.zeros_like(param), "nan": torch.full_like(param, torch.nan)}[kind]


@pytest.mark.parametrize("kind", ["zero", "nan"])
def test_a_gradient_without_subspace_keeps_the_last_one_and_the_next_step_tries_again(kind):
    w = matrix(8, 5)
    optimizer = GaLore(torch.optim.SGD([w], lr=0.1), rank=2, update_proj_gap=1)
    run(optimizer, w, steps=1)
    kept = optimizer.subspaces[w].basis
    w.grad = degenerate(kind, w)
    optimizer.step()
    assert torch.equal(optimizer.subspaces[w].basis, kept)
    assert optimizer.svd_count == 1
    optimizer.param_groups[0]["galore_update_proj_gap"] = 100
    w.grad = gradient(w, 1)
    optimizer.step()
    assert optimizer.svd_count == 2


@pytest.mark.parametrize("kind", ["zero", "nan"])
def test_a_first_gradient_without_subspace_gives_a_random_one_from_the_seed(kind):
    bases = []
    for seed in (0, 0, 1):
        w = matrix(8, 5)
        optimizer = GaLore(torch.optim.SGD([w], lr=0.1), rank=2, seed=seed)
        w.grad = degenerate(kind, w)
        optimizer.step()
        bases.append(optimizer.subspaces[w].basis)
        assert torch.allclose(bases[-1] @ bases[-1].T, torch.eye(2, dtype=torch.float64))
        assert optimizer.svd_count == 0
        w.grad = gradient(w, 0)
        optimizer.step()
        assert optimizer.svd_count == 1
    assert torch.equal(bases[0], bases[1])
    assert not torch.equal(bases[0], bases[2])


@pytest.mark.parametrize("svd", ["exact", "randomized"])
def test_resumes_bit_for_bit_with_its_counters(svd):
    def make(*params):
        return GaLore(AdaBelief(params, lr=0.1, compile=False), rank=2, update_proj_gap=3, svd=svd)

    params = [matrix(8, 5), matrix(5)]
    optimizer = make(*params)
    run(optimizer, *params, steps=5)
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    resumed = [nn.Parameter(param.detach().clone()) for param in params]
    other = make(*resumed)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.svd_count == 2
    assert other.subspaces[resumed[0]].age == 2
    run(optimizer, *params, steps=6, first=5)
    run(other, *resumed, steps=6, first=5)
    assert all(map(torch.equal, params, resumed))
    assert other.svd_count == optimizer.svd_count == 4


def test_bfloat16_weights_have_float32_states_and_may_be_rounded_at_random():
    results = {}
    for seed in (None, 0, 0, 1):
        w = matrix(8, 5, dtype=torch.bfloat16)
        optimizer = GaLore(Lion([w], lr=1e-4, rounding_seed=seed, compile=False), rank=2)
        run(optimizer, w, steps=20)
        assert optimizer.state[w]["momentum"].dtype == torch.float32
        assert optimizer.subspaces[w].basis.dtype == torch.bfloat16
        moved = (w.detach() != matrix(8, 5, dtype=torch.bfloat16)).sum()
        results.setdefault(seed, []).append((moved, w.detach().clone()))
    assert results[0][0][0] > 3 * results[None][0][0]  # steps that are too small for the format are not lost
    assert torch.equal(results[0][0][1], results[0][1][1])
    assert not torch.equal(results[0][0][1], results[1][0][1])


def test_autocast_does_not_reach_into_a_step():
    w, x = matrix(8, 5, dtype=torch.float32), matrix(8, 5, dtype=torch.float32)
    run(GaLore(torch.optim.SGD([w], lr=0.1), rank=2), w)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        run(GaLore(torch.optim.SGD([x], lr=0.1), rank=2), x)
    assert torch.equal(w, x)


def test_a_compiled_rule_agrees():
    w, x = matrix(300, 200, dtype=torch.float32), matrix(300, 200, dtype=torch.float32)
    run(GaLore(Lion([w], lr=1e-3, compile=False), rank=150), w, steps=3)
    run(GaLore(Lion([x], lr=1e-3, compile=True), rank=150), x, steps=3)
    assert (w - x).abs().max() < 1e-5


@pytest.mark.parametrize("inner", [lambda p: AdaBelief(p, compile=False), torch.optim.AdamW])
def test_bytes_are_those_of_the_arithmetic_and_nothing_else_is_kept(inner):
    params = [matrix(48, 160, dtype=torch.float32), matrix(160, 48, dtype=torch.float32)]
    rank, short, long = 12, 48, 160
    optimizer = GaLore(inner(params), rank=rank)
    run(optimizer, *params, steps=1)
    for param in params:
        param.grad = None
    gc.collect()
    arithmetic = 2 * (4 * short * rank + 8 * long * rank)
    assert storage_bytes(optimizer.state, optimizer.subspaces) == pytest.approx(arithmetic, rel=0.01)
    # and among all tensors that are alive, wherever they are, there are no others of such shapes
    alive = [each for each in gc.get_objects() if type(each) in (torch.Tensor, nn.Parameter)]
    shapes = {(long, rank), (rank, long), (rank, short), (short, rank), (rank * (long + long),)}
    found = storage_bytes([each for each in alive if tuple(each.shape) in shapes])
    assert found == pytest.approx(arithmetic, rel=0.01)


def test_stand_ins_are_gone_after_the_step(monkeypatch):
    made = []
    original = trimtab.optim.galore.galore.stand_in
    monkeypatch.setattr(
        trimtab.optim.galore.galore, "stand_in", lambda *args: made.append(weakref.ref(p := original(*args))) or p
    )
    for inner in (lambda p: AdaBelief(p, compile=False), torch.optim.AdamW, torch.optim.SGD):
        w = matrix(48, 160, dtype=torch.float32)
        optimizer = GaLore(inner([w]), rank=12)
        run(optimizer, w, steps=2)
        gc.collect()
        assert [each() for each in made] == [None] * len(made)
    assert len(made) == 6


def test_a_scheduler_reaches_the_rule_inside():
    w = matrix(8, 5)
    optimizer = GaLore(Lion([w], lr=0.5, compile=False), rank=2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.0)
    run(optimizer, w, steps=1)
    scheduler.step()
    before = w.detach().clone()
    run(optimizer, w, steps=1)
    assert torch.equal(w, before)
    assert optimizer.param_groups[0]["lr"] == 0.0


EXPRESSIONS = [
    "galore(lion)",
    "galore(adabelief, rank=8)",
    "q_galore(adamw, proj_bits=8)",
    "clip(galore(adamw))",
    "galore(clip(adamw), rank=0.5)",
    "adamw+galore",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression):
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = trimtab.create(expression, model, lr=0.02)
    inputs = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (model(inputs) - inputs[:, :10]).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_clipping_outside_clips_what_is_projected_and_inside_what_was():
    w = matrix(8, 5)
    run(CoordinateClip(GaLore(torch.optim.SGD([w], lr=0.1), rank=2), 0.25), w, steps=1)
    x = matrix(8, 5)
    x.grad = gradient(x, 0)
    limit = x.grad.abs().flatten().sort(descending=True).values[10]
    clipped = x.grad.clamp(-limit, limit)
    basis = dominant_basis(clipped, 2, "right")
    assert torch.allclose(w.detach(), x.detach() - 0.025 * clipped @ basis.T @ basis, atol=1e-12)
    y = matrix(8, 5)
    run(GaLore(CoordinateClip(torch.optim.SGD([y], lr=0.1), 0.25), rank=2), y, steps=1)
    basis = dominant_basis(x.grad, 2, "right")
    coordinates = x.grad @ basis.T
    limit = coordinates.abs().flatten().sort(descending=True).values[4]
    assert torch.allclose(y.detach(), x.detach() - 0.025 * coordinates.clamp(-limit, limit) @ basis, atol=1e-12)


def test_modules_may_be_compared_outside():
    model = nn.ModuleDict({"one": nn.Linear(8, 8), "other": nn.Linear(8, 8)})
    groups = module_parameter_groups(model, ["one", "other"])
    optimizer = AGVM(GaLore(torch.optim.AdamW(groups, lr=0.01), rank=2), interval=1)
    inputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        for half in (0, 1):
            with optimizer.half(half):
                loss = model["other"](model["one"](inputs[half::2])).square().mean()
                loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert optimizer.inner.svd_count == 2


def started():
    optimizer = torch.optim.AdamW([w := matrix(8, 5)])
    run(optimizer, w, steps=1)
    return optimizer


class Unknown(torch.optim.AdamW):
    """Nobody knows what it does."""


def sgd(*params, **group):
    return torch.optim.SGD([{"params": list(params), **group}], lr=0.1)


@pytest.mark.parametrize(
    ("make", "settings", "error", "message"),
    [
        (lambda: sgd(matrix(5)), {}, ValueError, "rank=0.25 leaves GaLore nothing to project: .*lower the rank"),
        (lambda: sgd(matrix(8, 5)), {"rank": 5}, ValueError, "rank=5 leaves GaLore nothing to project"),
        (lambda: sgd(matrix(8, 5)), {"rank": None}, ValueError, "rank=None leaves GaLore nothing"),
        (
            lambda: sgd(("w", matrix(8, 5)), galore_rank=6),
            {},
            ValueError,
            r"rank=6 is above parameter 'w', whose shape is \(8, 5\): at most 5",
        ),
        (lambda: sgd(matrix(5), galore_rank=2), {}, ValueError, r"parameter 0 of its group has shape \(5,\): put it"),
        (lambda: sgd(matrix(8, 5)), {"rank": 0}, ValueError, "rank=0 must be a whole number >= 1"),
        (lambda: sgd(matrix(8, 5)), {"rank": 1.5}, ValueError, r"rank=1.5 must be a whole number >= 1, or a fraction"),
        (lambda: sgd(matrix(8, 5)), {"rank": "2"}, TypeError, "rank='2'"),
        (lambda: sgd(matrix(8, 5)), {"update_proj_gap": 0}, ValueError, "update_proj_gap=0"),
        (lambda: sgd(matrix(8, 5)), {"scale": 0.0}, ValueError, r"scale=0.0 must lie in \(0, inf\)"),
        (lambda: sgd(matrix(8, 5)), {"proj_type": "full"}, ValueError, "proj_type='full' must be 'std' or"),
        (lambda: sgd(matrix(8, 5)), {"svd": "fast"}, ValueError, "svd='fast'"),
        (lambda: sgd(matrix(8, 5, dtype=torch.complex64)), {}, TypeError, "real matrices .* torch.complex64"),
        (lambda: Lamb([matrix(8, 5)]), {}, TypeError, "Lamb's step depends on them: take an element-wise rule"),
        (lambda: Lars([matrix(8, 5)], lr=0.1), {}, TypeError, "Lars's step depends on them"),
        (lambda: torch.optim.Adafactor([matrix(8, 5)]), {}, TypeError, "Adafactor's step depends"),
        (lambda: torch.optim.LBFGS([matrix(8, 5)]), {}, TypeError, "LBFGS computes its own, several times"),
        (lambda: torch.optim.Adagrad([matrix(8, 5)]), {}, ValueError, "Adagrad has state .*before its first step"),
        (started, {}, ValueError, "AdamW has state for parameter 0 of its group already"),
        (lambda: Unknown([matrix(8, 5)]), {}, ValueError, "weight_decay=0.01: .*Unknown does; set weight_decay=0"),
        (lambda: GaLore(sgd(matrix(8, 5))), {}, ValueError, "GaLore is (around this optimizer|inside) already"),
        (lambda: QGaLore(sgd(matrix(8, 5))), {}, ValueError, "QGaLore is inside already"),
        (lambda: torch.optim.SGD, {}, TypeError, "give GaLore an instance"),
    ],
)
def test_what_cannot_be_is_named_and_leaves_the_optimizer_as_it_was(make, settings, error, message):
    optimizer = make()
    groups = [dict(group) for group in getattr(optimizer, "param_groups", [])]
    defaults = dict(getattr(optimizer, "defaults", {}))
    with pytest.raises(error, match=message):
        GaLore(optimizer, **settings)
    assert [group.keys() for group in getattr(optimizer, "param_groups", [])] == [group.keys() for group in groups]
    assert getattr(optimizer, "defaults", {}) == defaults


def test_divided_matrices_are_refused(monkeypatch):
    monkeypatch.setattr("trimtab.optim.galore.checks.shards_of", lambda _: "two processes")
    with pytest.raises(ValueError, match="parameter 0 of its group is divided over processes: use DDP"):
        GaLore(torch.optim.SGD([matrix(8, 5)]), rank=2)


def test_rules_that_are_not_scaled_by_norms_may_be_inside():
    w = matrix(8, 5)
    run(GaLore(Lars([w], lr=0.1, adapt=False, compile=False), rank=2), w, steps=1)
    assert not torch.equal(w, matrix(8, 5))


def test_an_unknown_rule_without_decay_may_be_inside():
    w, x = matrix(8, 5), matrix(8, 5)
    run(GaLore(Unknown([w], weight_decay=0.0), rank=2), w)
    run(GaLore(torch.optim.AdamW([x], weight_decay=0.0), rank=2), x)
    assert torch.equal(w, x)
    optimizer = GaLore(Unknown([w], weight_decay=0.0), rank=2)
    optimizer.param_groups[0]["weight_decay"] = 0.1
    w.grad = gradient(w, 0)
    with pytest.raises(ValueError, match="does not know how Unknown does"):
        optimizer.step()
    assert torch.equal(w, x)


def test_a_refused_group_is_not_added():
    optimizer = GaLore(torch.optim.AdamW([matrix(8, 5)]), rank=2)
    for params, rank, message in (([matrix(4, 3)], 4, "rank=4 is above"), ([matrix(4, 3)], 0, "rank=0")):
        with pytest.raises(ValueError, match=message):
            optimizer.add_param_group({"params": params, "galore_rank": rank})
        assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("galore_rank", 3), ("galore_rank", None), ("galore_rank", 5), ("galore_proj_type", "left")]
)
def test_a_subspace_of_another_shape_is_refused_in_the_middle(name, value):
    w = matrix(8, 5)
    optimizer = GaLore(torch.optim.AdamW([w]), rank=2)
    run(optimizer, w, steps=1)
    before, state = w.detach().clone(), copy.deepcopy(optimizer.state_dict()["state"])
    optimizer.param_groups[0][name] = value
    with pytest.raises(ValueError, match=r"was changed: parameter 0 .* set it back, or make a new optimizer"):
        optimizer.step()
    assert torch.equal(w, before)
    assert str(optimizer.state_dict()["state"]) == str(state)


def test_a_matrix_with_a_state_of_its_own_is_not_projected_in_the_middle():
    w, x = matrix(8, 5), matrix(8, 5)
    groups = [{"params": [w]}, {"params": [x], "galore_rank": None}]
    optimizer = GaLore(torch.optim.AdamW(groups), rank=2)
    run(optimizer, w, x, steps=1)
    optimizer.param_groups[1]["galore_rank"] = 2
    with pytest.raises(ValueError, match="has a state of the whole, and rank 2 on the right side is asked for"):
        optimizer.step()


def test_a_step_that_the_rule_refuses_changes_nothing():
    w = nn.Parameter(matrix(8, 5).detach())
    optimizer = GaLore(Lion([("w", w)], check_finite=True, compile=False), rank=2, update_proj_gap=1)
    run(optimizer, w, steps=2)
    before, state = w.detach().clone(), optimizer.state_dict()
    w.grad = torch.full_like(w, torch.nan)
    with pytest.raises(RuntimeError, match="the gradient of parameter 'w' is not finite"):
        optimizer.step()
    assert torch.equal(w, before)
    assert str(optimizer.state_dict()) == str(state)
    w.grad = w.detach().to_sparse()
    with pytest.raises(RuntimeError, match="GaLore needs dense gradients, and that of parameter 'w' is sparse"):
        optimizer.step()


def test_a_state_of_whole_matrices_is_refused_and_so_is_the_other_way_round():
    w, x = matrix(8, 5), matrix(8, 5)
    plain, projected = AdaBelief([("w", w)], compile=False), GaLore(AdaBelief([("w", x)], compile=False), rank=2)
    run(plain, w, steps=1)
    run(projected, x, steps=1)
    before = str(projected.state_dict())
    with pytest.raises(ValueError, match="saved state of parameter 'w' is of the whole, and a subspace is moved"):
        projected.load_state_dict(plain.state_dict())
    assert str(projected.state_dict()) == before
    broken = projected.state_dict()
    del broken["state"][0]["galore_age"]
    with pytest.raises(ValueError, match="a saved subspace lacks 'age'"):
        projected.load_state_dict(broken)
    other = GaLore(AdaBelief([("w", matrix(8, 6))], compile=False), rank=2)
    with pytest.raises(ValueError, match=r"a saved projection has shape \(2, 5\), and its parameter has \(8, 6\)"):
        other.load_state_dict(projected.state_dict())
    with pytest.raises(ValueError, match="shape"):
        plain.load_state_dict(projected.state_dict())


@pytest.mark.parametrize("layout", ["transposed", "gaps"])
def test_layouts_of_matrices(layout):
    values = matrix(8, 5).detach()
    given = values.T.contiguous().T if layout == "transposed" else torch.stack([values, values], -1)[..., 0]
    w, x = nn.Parameter(given), matrix(8, 5)
    stride = w.stride()
    run(GaLore(AdaBelief([w], compile=False), rank=2), w)
    run(GaLore(AdaBelief([x], compile=False), rank=2), x)
    assert w.stride() == stride
    assert torch.allclose(w, x, atol=1e-12)


def galore_lion(params, **settings):
    return GaLore(Lion(params, **{"compile": False, **settings}), rank=1, update_proj_gap=2)


def galore_adabelief(params, **settings):
    return GaLore(AdaBelief(params, **{"compile": False, **settings}), update_proj_gap=2)


def galore_adamw(params, **settings):
    return GaLore(torch.optim.AdamW(params, **settings), rank=1, update_proj_gap=2)


def clipped_galore(params, **settings):
    return CoordinateClip(galore_lion(params, **settings), 0.25, scope="tensor")


NO_MATRIX = {
    "torch_error_inputs": "torch's parameters have one element, and there must be a matrix with a subspace",
    "layout": "the check's parameter is no matrix, of which there must be one",
}
OF_TORCH = "torch.optim.AdamW does not either"


class TestLion(OptimizerConformance):
    optimizer = galore_lion
    exceptions = NO_MATRIX


class TestAdaBelief(OptimizerConformance):
    optimizer = galore_adabelief
    exceptions = NO_MATRIX


class TestClippedOutside(OptimizerConformance):
    optimizer = clipped_galore
    exceptions = NO_MATRIX


class TestAdamW(OptimizerConformance):
    optimizer = galore_adamw
    exceptions: ClassVar = {
        **NO_MATRIX,
        **dict.fromkeys(("saved_state_not_aliased", "loaded_state_not_aliased", "tensor_lr_not_aliased"), OF_TORCH),
        "callers_groups_not_aliased": OF_TORCH,
        **{
            f"{check}[{name}={value}]": OF_TORCH
            for check in ("refuses_in_group", "refuses_later")
            for name, values in {
                "lr": ("-1.0", "nan"),
                **dict.fromkeys(("betas[0]", "betas[1:]"), ("-0.5", "1.0", "nan")),
                "eps": ("-1.0", "nan"),
            }.items()
            for value in values
        },
    }


def test_frozen_matrices_are_projected_once_they_move():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[0].requires_grad_(False)
    model.table = nn.Parameter(torch.ones(8, 8, dtype=torch.int8), requires_grad=False)
    optimizer = trimtab.create("galore(adamw, rank=2)", model, lr=0.01)
    for frozen in (True, False):
        model[0].requires_grad_(not frozen)
        optimizer.zero_grad()
        model(torch.eye(8)).square().sum().backward()
        before = model[0].weight.detach().clone()
        optimizer.step()
        assert torch.equal(model[0].weight, before) == frozen
        assert (model[0].weight in optimizer.subspaces) == (not frozen)
    assert optimizer.state[model[0].weight]["exp_avg"].shape == (8, 2)
    assert model.table.eq(1).all()
