import copy
import io
import logging
import math
import warnings
import weakref
from typing import ClassVar

import pytest
import torch
from torch import nn

from tests.optim.galore.test_galore import NO_MATRIX, PapersAdam, gradient, matrix, run
from trimtab.optim import AdaBelief, GaLore, Lion, QGaLore, quantize_linears
from trimtab.primitives.memory import storage_bytes
from trimtab.primitives.quantized_weight import QuantizedWeight
from trimtab.primitives.quantizer import QuantizedTensor, quantize_affine
from trimtab.testing import OptimizerConformance
from trimtab.testing.training import same


@pytest.mark.parametrize("svd", ["exact", "randomized"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_with_everything_off_it_is_galore_bit_for_bit(dtype, svd):
    shapes = [(8, 5), (5, 8), (7,)]
    ours, others = ([matrix(*shape, dtype=dtype) for shape in shapes] for _ in range(2))
    settings = {"rank": 2, "update_proj_gap": 3, "svd": svd, "seed": 5}
    run(QGaLore(AdaBelief(ours, lr=0.1, compile=False), proj_bits=None, adaptive=False, **settings), *ours)
    run(GaLore(AdaBelief(others, lr=0.1, compile=False), **settings), *others)
    assert all(map(torch.equal, ours, others))


@pytest.mark.parametrize("shape", [(8, 5), (5, 8)])
def test_the_quantised_projection_projects_and_projects_back(shape):
    w = matrix(*shape)
    before, grad = w.detach().clone(), gradient(w, 0)
    optimizer = QGaLore(torch.optim.SGD([w], lr=1.0), rank=2, scale=1.0, proj_group_size=4)
    run(optimizer, w, steps=1)
    vectors = torch.linalg.svd(grad, full_matrices=False)
    exact = vectors.Vh[:2] if shape == (8, 5) else vectors.U[:, :2].T
    basis = quantize_affine(exact, 4, 4).dequantize()
    kept = optimizer.subspaces[w]
    assert torch.allclose(kept.basis, basis, atol=1e-12)
    assert (kept.basis @ kept.basis.T - torch.eye(2)).abs().max() > 1e-3
    moved = grad @ basis.T @ basis if shape == (8, 5) else basis.T @ basis @ grad
    assert torch.allclose(w.detach(), before - moved, atol=1e-12)
    assert storage_bytes(kept.projection) == 5 + 3 * 9  # ten nibbles; three groups, each a float64 and a byte


def refreshes(optimizer, w, gradients):
    """Returns the steps at which the subspace was found anew."""
    steps, count = [], 0
    for step, grad in enumerate(gradients):
        w.grad = grad
        optimizer.step()
        if optimizer.svd_count > count:
            steps.append(step)
        count = optimizer.svd_count
    return steps


def with_top_vectors(turning, steps, flips=True):
    """Gradients whose first right singular vector is fixed, or another one at every step."""
    generator = torch.Generator().manual_seed(0)
    u = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    v = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q
    for step in range(steps):
        sign = -1.0 if flips and step % 3 == 1 else 1.0
        shift = step // 10 % 2 if turning else 0
        first, second = v[2 * shift], v[2 * shift + 1]
        yield sign * (3 * torch.outer(u[0], first) + torch.outer(u[1], second))


@pytest.mark.parametrize("similarity", ["first_vector", "overlap"])
@pytest.mark.parametrize("proj_bits", [4, None])
def test_subspaces_that_rest_are_found_ever_more_rarely(similarity, proj_bits):
    w = matrix(6, 4)
    settings = {"rank": 2, "update_proj_gap": 10, "similarity": similarity, "proj_bits": proj_bits}
    optimizer = QGaLore(torch.optim.SGD([w], lr=0.1), **settings)
    assert refreshes(optimizer, w, with_top_vectors(turning=False, steps=200)) == [0, 10, 20, 30, 40, 50, 70, 110, 190]
    assert optimizer.subspaces[w].gap == 160


@pytest.mark.parametrize("similarity", ["first_vector", "overlap"])
def test_subspaces_that_turn_are_found_at_the_same_pace(similarity):
    w = matrix(6, 4)
    optimizer = QGaLore(torch.optim.SGD([w], lr=0.1), rank=2, update_proj_gap=10, similarity=similarity)
    assert refreshes(optimizer, w, with_top_vectors(turning=True, steps=101)) == list(range(0, 101, 10))


def test_thresholds_queues_and_factors():
    for settings, expected in (
        ({"queue_size": 1}, [0, 10, 30, 70, 150]),
        ({"queue_size": 1, "gamma_proj": 1.5}, [0, 10, 25, 47, 80, 129, 202]),
        ({"adaptive": False}, list(range(0, 210, 10))),
        ({"cos_threshold": 1.0, "proj_bits": None, "similarity": "overlap", "queue_size": 50}, list(range(0, 210, 10))),
    ):
        w = matrix(6, 4)
        optimizer = QGaLore(torch.optim.SGD([w], lr=0.1), rank=2, update_proj_gap=10, **settings)
        assert refreshes(optimizer, w, with_top_vectors(turning=False, steps=210)) == expected


def test_a_short_gap_grows_by_a_small_factor_as_well():
    w = matrix(6, 4)
    settings = {"update_proj_gap": 3, "queue_size": 1, "gamma_proj": 1.25}
    optimizer = QGaLore(torch.optim.SGD([w], lr=0.1), rank=2, **settings)
    # 3, 4, 5, 6, 7, 8 and 10 steps
    assert refreshes(optimizer, w, with_top_vectors(turning=False, steps=44)) == [0, 3, 7, 12, 18, 25, 33, 43]


def test_layers_have_their_own_gaps():
    resting, turning = matrix(6, 4), matrix(6, 4)
    optimizer = QGaLore(torch.optim.SGD([resting, turning], lr=0.1), rank=2, update_proj_gap=10)
    pairs = zip(with_top_vectors(False, 120), with_top_vectors(True, 120), strict=True)
    for resting.grad, turning.grad in pairs:
        optimizer.step()
    assert optimizer.subspaces[resting].decompositions == 8
    assert optimizer.subspaces[turning].decompositions == 12


def test_a_random_subspace_is_compared_with_nothing():
    w = matrix(6, 4)
    optimizer = QGaLore(torch.optim.SGD([w], lr=0.1), rank=2, update_proj_gap=1)
    w.grad = torch.zeros_like(w)
    optimizer.step()
    run(optimizer, w, steps=1)
    assert optimizer.subspaces[w].similarities == ()
    run(optimizer, w, steps=1, first=1)
    assert len(optimizer.subspaces[w].similarities) == 1


def model(seed=0, width=32):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Linear(16, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 4))
    quantize_linears(made, group_size=64)
    return made


def learn(made, optimizer, steps, first=0):
    inputs = torch.randn(64, 16, generator=torch.Generator().manual_seed(1))
    for _ in range(first, first + steps):
        optimizer.zero_grad()
        loss = (made(inputs) - inputs[:, :4]).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def through_a_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def all_on(made, **settings):
    rule = AdaBelief(made.parameters(), lr=0.02, weight_decay=0.01, compile=False)
    return QGaLore(rule, rank=2, update_proj_gap=3, **settings)


def test_a_model_of_int8_weights_learns():
    made = model()
    optimizer = all_on(made)
    losses = [learn(made, optimizer, 10) for _ in range(10)]
    assert losses[-1] < 0.5 * losses[0]
    assert all(isinstance(layer.weight, QuantizedWeight) for layer in made if isinstance(layer, nn.Linear))


def test_a_run_of_int8_weights_resumes_bit_for_bit():
    made = model()
    optimizer = all_on(made)
    learn(made, optimizer, 7)
    saved = through_a_file({"model": made.state_dict(), "optimizer": optimizer.state_dict()})
    resumed = model(seed=1)
    other = all_on(resumed)
    resumed.load_state_dict(saved["model"])
    other.load_state_dict(saved["optimizer"])
    for run_of, its in ((made, optimizer), (resumed, other)):
        learn(run_of, its, 8, first=7)
    for one, twin in zip(made.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one.codes, twin.codes) if isinstance(one, QuantizedWeight) else torch.equal(one, twin)
    assert optimizer.svd_count == other.svd_count
    assert same(optimizer.state_dict(), other.state_dict())


def test_a_copy_goes_on_alike():
    made = model()
    optimizer = all_on(made)
    learn(made, optimizer, 4)
    twin, other = copy.deepcopy((made, optimizer))
    assert learn(made, optimizer, 4) == learn(twin, other, 4)


def codes_after(seed, **settings):
    made = model()
    learn(made, all_on(made, seed=seed, **settings), 5)
    return made[0].weight.codes.clone()


def test_rounding_is_a_function_of_the_seed():
    assert torch.equal(codes_after(0), codes_after(0))
    assert not torch.equal(codes_after(0), codes_after(1))
    assert torch.equal(codes_after(0, stochastic_rounding=False), codes_after(1, stochastic_rounding=False))


def drift(stochastic_rounding):
    """A weight whose neighbours pin the range, moved by a hundredth of a quantum a thousand times; in quanta."""
    layer = nn.Linear(3, 2, bias=False)
    start = torch.tensor([[-128.0, 127.0, 5.0], [-128.0, 127.0, 5.0]]) * (2 / 255)
    layer.weight = nn.Parameter(start.clone())
    quantize_linears(layer)
    grad = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, -1.0]])
    rule = torch.optim.SGD([{"params": [layer.weight], "q_galore_rank": 2}], lr=0.01 * 2 / 255)
    optimizer = QGaLore(rule, scale=1.0, proj_bits=None, stochastic_rounding=stochastic_rounding)
    for _ in range(1000):
        layer.weight.grad = grad
        optimizer.step()
    return ((layer.weight.dequantize() - start) * (255 / 2)).round()[0]


def test_steps_of_a_hundredth_of_a_quantum_add_up_only_if_they_are_rounded_at_random():
    assert drift(stochastic_rounding=False).tolist() == [0, 0, 0]
    first, second, moved = drift(stochastic_rounding=True).tolist()
    assert (first, second) == (0, 0)
    assert 1 <= moved <= 23


def test_the_float_copy_lives_during_its_own_step_only(monkeypatch):
    made = model()
    optimizer = all_on(made)
    learn(made, optimizer, 1)
    alive, peak = [], []
    original = QuantizedTensor.dequantize

    def dequantize(self):
        copied = original(self)
        if self.bits == 8:
            alive.append(weakref.ref(copied))
            peak.append(sum(each() is not None for each in alive))
        return copied

    monkeypatch.setattr(QuantizedTensor, "dequantize", dequantize)
    for param in made.parameters():
        param.grad = torch.ones(param.shape)
    optimizer.step()
    assert len(peak) == 3
    assert max(peak) == 1


def test_bytes_of_weights_projections_and_states():
    """m <= n, rank r: about 1.03 mn + 0.53 mr + 8 nr bytes with states in float32."""
    short, long, rank = 128, 512, 32
    layer = nn.Linear(short, long, bias=False)
    quantize_linears(layer)
    optimizer = QGaLore(PapersAdam(layer.parameters()), rank=rank)
    layer.weight.grad = torch.randn(long, short)
    optimizer.step()
    space = optimizer.subspaces[layer.weight]
    assert storage_bytes(layer.weight) == pytest.approx(1.03 * short * long, rel=0.05)
    assert storage_bytes(space.projection) == pytest.approx(0.53 * short * rank, rel=0.05)
    assert storage_bytes(optimizer.state) == pytest.approx(0.53 * short * rank + 8 * long * rank, rel=0.05)
    whole = storage_bytes(layer.weight, optimizer.state)
    assert whole == pytest.approx(1.03 * short * long + 0.53 * short * rank + 8 * long * rank, rel=0.05)


@pytest.fixture
def eight_bit_adamw():
    """AdamW8bit of torchao, run operation by operation: compiling takes it ten seconds."""
    logging.disable(logging.WARNING)  # that kernels for other devices cannot be loaded
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchao.optim import AdamW8bit

            with torch.compiler.set_stance("force_eager"):
                yield AdamW8bit
    finally:
        logging.disable(logging.NOTSET)


def test_states_are_in_eight_bits_if_the_rule_keeps_them_so(eight_bit_adamw):
    short, long, rank = 128, 512, 32
    runs = []
    for _ in range(2):
        layer = nn.Linear(short, long, bias=False)
        quantize_linears(layer)
        layer.load_state_dict(runs[0][0].state_dict() if runs else layer.state_dict())
        runs.append((layer, QGaLore(eight_bit_adamw(layer.parameters(), lr=0.01), rank=rank, update_proj_gap=3)))
    (layer, optimizer), (twin, other) = runs

    def take(layer, optimizer, first):
        for step in range(first, first + 2):
            layer.weight.grad = gradient(layer.weight, step).float()
            optimizer.step()

    take(layer, optimizer, 0)
    arithmetic = 1.03 * short * long + 0.53 * short * rank + 2 * long * rank
    found = storage_bytes(layer.weight, optimizer.state)
    assert found == pytest.approx(arithmetic, rel=0.05)
    twin.load_state_dict(layer.state_dict())
    other.load_state_dict(through_a_file(optimizer.state_dict()))
    assert type(other.state[twin.weight]["exp_avg"]).__name__ == "OptimState8bit"
    take(layer, optimizer, 2)
    take(twin, other, 2)
    assert torch.equal(layer.weight.codes, twin.weight.codes)
    assert optimizer.svd_count == 2


def quantized():
    layer = nn.Linear(6, 8)
    quantize_linears(layer)
    return layer


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, proj_bits=1), ValueError, "proj_bits=1 must be .* 2 to 8"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, proj_bits=4.0), TypeError, "proj_bits=4.0"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, proj_group_size=0), ValueError, "proj_group_size=0"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, cos_threshold=1.1), ValueError, r"cos_threshold=1.1 .*\[0, 1\]"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, gamma_proj=1), ValueError, r"gamma_proj=1 must lie in \(1, inf"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, queue_size=0), ValueError, "queue_size=0"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, similarity="cosine"), ValueError, "similarity='cosine'"),
        (lambda p: QGaLore(torch.optim.SGD(p), rank=2, adaptive=1), TypeError, "adaptive=1"),
        (lambda p: GaLore(torch.optim.SGD(p), rank=2), TypeError, "stored in 8 bits: QGaLore moves such weights"),
        (lambda p: QGaLore(torch.optim.SGD([*p, matrix(9, 8)]), rank=6), ValueError, "only projected weights can be"),
        (lambda p: QGaLore(GaLore(torch.optim.SGD([matrix(9, 8)])), rank=6), ValueError, "GaLore is inside already"),
    ],
)
def test_what_cannot_be_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make(list(quantized().parameters()))


def test_similarities_are_saved():
    w = matrix(6, 4)
    optimizer = QGaLore(Lion([w], compile=False), rank=2, update_proj_gap=1)
    run(optimizer, w, steps=4)
    saved = optimizer.state_dict()["state"][0]
    noted = saved["q_galore_similarities"]
    assert noted.ge(0).tolist() == [True, True, True, False, False]  # a place for each of the queue
    assert tuple(noted[:3].tolist()) == optimizer.subspaces[w].similarities
    assert saved["q_galore_first_vector"].shape == (4,)
    assert saved["q_galore_projection_codes"].dtype == torch.uint8


@pytest.mark.parametrize("clipped", [False, True])
def test_weights_in_8_bits_are_clipped_and_scaled_like_others(clipped):
    found = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=65536.0)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
        quantize_linears(model, targets=("0",))
        optimizer = QGaLore(torch.optim.AdamW(model.parameters(), lr=0.1), rank=4)
        for step in range(4):
            if step == 1 and scaler is None:
                continue
            generator = torch.Generator().manual_seed(step)
            loss = model(torch.randn(8, 16, generator=generator)).square().mean() * (math.inf if step == 1 else 1)
            optimizer.zero_grad()
            (loss if scaler is None else scaler.scale(loss)).backward()
            if clipped:
                if scaler is not None:
                    scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
                scaler.update()
        found.append([model[0].weight.quantized.dequantize(), *(param + 0 for param in list(model.parameters())[1:])])
    assert scaler.get_scale() == 32768.0
    assert all(map(torch.equal, *found))


def q_galore(params, **settings):
    return QGaLore(AdaBelief(params, **{"compile": False, **settings}), rank=1, update_proj_gap=1, queue_size=1)


class TestQGaLore(OptimizerConformance):
    optimizer = q_galore
    exceptions: ClassVar = NO_MATRIX


@pytest.mark.parametrize("wrapper", [GaLore, QGaLore])
def test_frozen_weights_in_few_bits_stay_where_they_are(wrapper):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    quantize_linears(model, targets=["1"])
    model[1].requires_grad_(False)
    optimizer = wrapper(torch.optim.AdamW(model.parameters(), lr=0.01), rank=2)
    model(torch.eye(8)).square().sum().backward()
    before = model[1].weight.dequantize()
    optimizer.step()
    assert torch.equal(model[1].weight.dequantize(), before)
    model[1].requires_grad_(True)
    with pytest.raises((TypeError, ValueError), match="stored in 8 bits"):
        optimizer.step()
