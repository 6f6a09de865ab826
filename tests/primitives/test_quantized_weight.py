import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional

from trimtab.optim import Lion
from trimtab.primitives.curvature import hessian_vector_product, loss_gradients
from trimtab.primitives.memory import storage_bytes
from trimtab.primitives.quantized_weight import QuantizedWeight, quantized_parameter
from trimtab.primitives.rounding import rounding_key


def layer(bits=8, bias=True, dtype=torch.float32, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Linear(6, 8, bias=bias, dtype=dtype)
    made.weight = quantized_parameter(made.weight, bits, 16)
    return made


def plain(quantized):
    made = copy.deepcopy(quantized)
    made.weight = nn.Parameter(quantized.weight.dequantize())
    return made


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(6,), (5, 6), (2, 5, 6)])
def test_a_layer_computes_with_the_dequantized_weight(bits, bias, shape):
    quantized = layer(bits, bias, torch.float64)
    reference = plain(quantized)
    results = []
    for each in (quantized, reference):
        inputs = torch.linspace(-1, 1, 6 * max(1, 5 * (len(shape) > 1)) * (2 if len(shape) > 2 else 1)).double()
        inputs = inputs.view(shape).requires_grad_()
        outputs = each(inputs)
        outputs.square().sum().backward()
        grads = [inputs.grad, *(param.grad for param in each.parameters())]
        results.append([outputs, *grads])
    for one, other in zip(*results, strict=True):
        assert type(one) is torch.Tensor
        assert torch.allclose(one, other, atol=1e-14)


def network(bits, shape):
    """Returns two layers in few bits, the same in floating point, and their common inputs."""
    first, second = layer(bits, dtype=torch.float64), layer(bits, bias=False, dtype=torch.float64, seed=1)
    made = [nn.Sequential(first, nn.Tanh(), nn.Linear(8, 6).double(), second)]
    made.append(nn.Sequential(plain(first), nn.Tanh(), copy.deepcopy(made[0][2]), plain(second)))
    return made, torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("shape", [(6,), (5, 6), (2, 5, 6)])
def test_products_with_the_hessian_are_those_of_the_dequantized_weight(bits, shape):
    both, inputs = network(bits, shape)
    products = []
    for each in both:
        params = list(each.parameters())
        generator = torch.Generator().manual_seed(1)
        vectors = [torch.randn(param.shape, generator=generator).double() for param in params]
        grads = loss_gradients(each(inputs).square().sum(), params)
        products.append(hessian_vector_product(grads, params, vectors))
    for one, other in zip(*products, strict=True):
        assert other.abs().max() > 1e-3
        assert torch.allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("frozen", [[], ["0.weight"], ["0.weight", "3.weight"]])
def test_derivatives_of_any_order_are_those_of_the_dequantized_weight(frozen):
    found = []
    both, inputs = network(8, (5, 6))
    for each in both:
        own = inputs.clone().requires_grad_()
        for name in frozen:
            each.get_parameter(name).requires_grad_(False)
        value, over = each(own).square().sum(), [own, *(p for p in each.parameters() if p.requires_grad)]
        for _ in range(3):
            grads = torch.autograd.grad(value, over, create_graph=True)
            value = sum((grad**3).sum() for grad in grads)
        found.append(grads)
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-10)


def test_second_derivatives_keep_codes_and_no_copy():
    quantized = layer(bias=False)
    outputs = quantized(torch.ones(2, 6, requires_grad=True))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        torch.autograd.grad(outputs.square().sum(), quantized.weight, create_graph=True)
    assert not [each for each in kept if each.shape == (8, 6) and type(each) is torch.Tensor]


def test_it_is_a_parameter_with_a_gradient_of_its_own():
    quantized = layer()
    weight = quantized.weight
    assert isinstance(weight, nn.Parameter)
    assert weight.requires_grad
    assert weight.is_leaf
    assert [name for name, _ in quantized.named_parameters()] == ["weight", "bias"]
    quantized(torch.ones(2, 6)).sum().backward()
    first = weight.grad.clone()
    quantized(torch.ones(2, 6)).sum().backward()
    assert torch.equal(weight.grad, 2 * first)
    weight.grad = first
    assert weight.grad is first


def test_the_backward_pass_keeps_codes_and_no_copy():
    quantized = layer(bias=False)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        quantized(torch.ones(2, 6))
    assert sorted(map(storage_bytes, kept)) == [48, storage_bytes(quantized.weight)]


@pytest.mark.parametrize(
    "act",
    [
        lambda weight: weight.data.add_(1.0),
        lambda weight: weight.data.mul_(2.0),
        lambda weight: weight.data.view(-1),
        lambda weight: weight.data.T,
        lambda weight: weight.data[0],
        nn.init.zeros_,
    ],
)
def test_its_memory_is_nobody_elses(act):
    weight = layer().weight
    before = weight.codes.clone()
    with pytest.raises(TypeError, match=r"stored in (8|few) bits"):
        act(weight)
    assert torch.equal(weight.codes, before)


@pytest.mark.parametrize("rule", [torch.optim.SGD, torch.optim.AdamW, Lion])
def test_other_optimizers_are_refused_and_lose_nothing(rule):
    quantized = layer()
    before = quantized.weight.codes.clone()
    optimizer = rule([quantized.weight], lr=0.1)
    quantized(torch.ones(2, 6)).sum().backward()
    with pytest.raises(TypeError, match="only QGaLore moves such weights"):
        optimizer.step()
    assert torch.equal(quantized.weight.codes, before)


def test_reading_is_free():
    weight = layer().weight
    assert (weight.detach() + 0).equal(weight.dequantize())
    assert functional.relu(weight.detach()).equal(weight.dequantize().relu())
    assert weight.norm().item() == pytest.approx(weight.dequantize().norm().item())
    assert torch.zeros_like(weight).shape == weight.shape
    assert "bits=8" in repr(weight)


def through_a_file(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def test_saved_and_loaded_bit_for_bit():
    one, other = layer(seed=0), layer(seed=1)
    saved = through_a_file(one.state_dict())
    assert type(saved["weight"]) is QuantizedWeight
    other.load_state_dict(saved)
    assert torch.equal(other.weight.codes, one.weight.codes)
    assert torch.equal(other.weight.scale, one.weight.scale)
    other.weight.replace(torch.zeros(8, 6))
    assert saved["weight"].dequantize().any()
    floating = nn.Linear(6, 8)
    floating.load_state_dict(saved)
    assert torch.equal(floating.weight.detach(), one.weight.dequantize())
    one.load_state_dict(nn.Linear(6, 8).state_dict())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_are_their_own(copied):
    one = layer()
    other = copied(one)
    assert type(other.weight) is QuantizedWeight
    assert isinstance(other.weight, nn.Parameter)
    assert other.weight.requires_grad
    assert torch.equal(other.weight.codes, one.weight.codes)
    other.weight.replace(torch.zeros(8, 6))
    assert one.weight.dequantize().any()


def test_detached_weights_share_what_is_written_later():
    weight = layer().weight
    shared = weight.detach()
    weight.replace(torch.ones(8, 6))
    assert torch.equal(shared.dequantize(), weight.dequantize())


def test_a_step_between_forward_and_backward_is_noticed():
    quantized = layer()
    inputs = torch.ones(2, 6, requires_grad=True)
    loss = quantized(inputs).sum()
    quantized.weight.replace(torch.zeros(8, 6))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_new_numbers_are_rounded_as_asked():
    weight = layer(seed=0).weight
    values = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    weight.replace(values)
    assert (weight.dequantize() - values).abs().max() <= 1.01 * weight.scale.max()
    nearest = weight.codes.clone()
    weight.replace(values, rounding_key(0))
    assert not torch.equal(weight.codes, nearest)


def test_moving_a_model_keeps_it_and_another_type_is_refused():
    quantized = layer()
    codes = quantized.weight.codes.clone()
    quantized.to("cpu").requires_grad_(False)
    assert torch.equal(quantized.weight.codes, codes)
    with pytest.raises(TypeError, match=r"stays torch\.float32 for others: convert to torch\.float64 first"):
        quantized.double()
    assert quantized.to(device="cpu", dtype=torch.float32).weight.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_and_autocast(dtype):
    quantized = layer(dtype=dtype)
    assert quantized.weight.dtype == dtype
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = quantized(torch.ones(2, 6, dtype=dtype))
    assert outputs.dtype == torch.bfloat16
    outputs.sum().backward()
    assert quantized.weight.grad.dtype == dtype
    quantized(torch.ones(2, 6, dtype=dtype)).sum().backward()
