"""Products with the curvature against finite differences and dense matrices; its noise against its definition."""

import math

import pytest
import torch
from torch import nn

from trimtab.primitives.lanczos import lanczos, random_direction
from trimtab.schedule.rmt_scaling.batch_curvature import BatchCurvature, hessian_noise, product_rounding

FLOAT = torch.float64


def problem(seed=0, samples=12):
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(FLOAT)
    inputs = torch.randn(samples, 4, generator=generator, dtype=FLOAT)
    return model, inputs, torch.randint(0, 3, (samples,), generator=generator)


def curvature(model, inputs, targets, matrix="hessian", **more):
    return BatchCurvature(
        lambda: model(inputs), lambda z: nn.functional.cross_entropy(z, targets), model.parameters(), matrix, **more
    )


def joined(parts):
    return torch.cat([part.reshape(-1) for part in parts])


def dense(product):
    size = sum(param.numel() for param in product.params)
    columns = []
    for row in torch.eye(size, dtype=FLOAT):
        parts = torch.split(row, [param.numel() for param in product.params])
        columns.append(joined(product([part.view_as(p) for part, p in zip(parts, product.params, strict=True)])))
    return torch.stack(columns)


def test_the_hessian_agrees_with_finite_differences():
    model, inputs, targets = problem()
    product = curvature(model, inputs, targets)
    vector = random_direction(product.params, torch.Generator().manual_seed(1))

    def gradient(step):
        moved = [p.detach() + step * v for p, v in zip(product.params, vector, strict=True)]
        names = [name for name, _ in model.named_parameters()]
        for each in moved:
            each.requires_grad_()
        outputs = torch.func.functional_call(model, dict(zip(names, moved, strict=True)), (inputs,))
        return joined(torch.autograd.grad(nn.functional.cross_entropy(outputs, targets), moved))

    expected = (gradient(1e-5) - gradient(-1e-5)) / 2e-5
    assert torch.allclose(joined(product(vector)), expected, atol=1e-9)
    assert torch.allclose(joined(product(vector)), expected, atol=1e-9)  # the graph serves again


def test_the_gauss_newton_matrix_is_jacobians_around_the_losses_curvature():
    model, inputs, targets = problem()
    names = [name for name, _ in model.named_parameters()]
    params = tuple(param.detach() for param in model.parameters())

    def outputs(*values):
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)), (inputs,))

    jacobian = torch.cat(
        [part.flatten(2) for part in torch.autograd.functional.jacobian(outputs, params)], dim=2
    ).flatten(0, 1)
    chances = model(inputs).detach().softmax(1)
    bent = torch.block_diag(*(torch.diag(p) - torch.outer(p, p) for p in chances)) / len(inputs)
    found = dense(curvature(model, inputs, targets, "ggn"))
    assert torch.allclose(found, jacobian.T @ bent @ jacobian, atol=1e-12)
    assert float(torch.linalg.eigvalsh(found)[0]) > -1e-12


def test_both_matrices_are_the_same_for_a_linear_model():
    torch_model = nn.Linear(4, 3).to(FLOAT)
    _, inputs, targets = problem()
    hessian, gauss_newton = (dense(curvature(torch_model, inputs, targets, name)) for name in ("hessian", "ggn"))
    assert torch.allclose(hessian, gauss_newton, atol=1e-12)


def test_weight_decay_shifts_the_diagonal_of_its_parameters():
    model, inputs, targets = problem()
    decays = [0.1, 0.0, 0.2, 0.0]
    shifted = dense(curvature(model, inputs, targets, weight_decay=decays)) - dense(curvature(model, inputs, targets))
    sizes = [param.numel() for param in model.parameters()]
    expected = torch.cat([torch.full((n,), d, dtype=FLOAT) for n, d in zip(sizes, decays, strict=True)])
    assert torch.allclose(shifted, torch.diag(expected), atol=1e-12)


def test_frozen_parameters_are_left_out():
    model, inputs, targets = problem()
    model[0].weight.requires_grad_(False)
    product = curvature(model, inputs, targets)
    assert [param.shape for param in product.params] == [(5,), (3, 5), (3,)]
    assert dense(product).shape == (23, 23)


def test_dropout_is_the_same_in_all_products():
    model = nn.Sequential(nn.Linear(4, 50), nn.Dropout(0.5), nn.Linear(50, 3)).to(FLOAT)
    _, inputs, targets = problem()
    matrix = dense(curvature(model, inputs, targets))
    assert torch.allclose(matrix, matrix.T, atol=1e-12)


def test_the_gradients_stay_as_they_were():
    model, inputs, targets = problem()
    product = curvature(model, inputs, targets)
    lanczos(product, random_direction(product.params, torch.Generator()), 5)
    assert all(param.grad is None for param in model.parameters())


@pytest.mark.parametrize("matrix", ["hessian", "ggn"])
def test_the_noise_is_its_definition(matrix):
    model, inputs, targets = problem(samples=40)
    batches = [curvature(model, inputs[i : i + 5], targets[i : i + 5], matrix) for i in range(0, 40, 5)]
    matrices = torch.stack([dense(each) for each in batches])
    expected = float((matrices - matrices.mean(0)).square().sum()) / 7 / matrices.shape[1]
    sizes = [param.numel() for param in batches[0].params]
    whole = [
        [part.view_as(p) for part, p in zip(torch.split(row, sizes), batches[0].params, strict=True)]
        for row in torch.eye(matrices.shape[1], dtype=FLOAT)
    ]
    assert hessian_noise(batches, whole) == pytest.approx(expected, rel=1e-9)  # all axes: exact, not an estimate


def test_noise_falls_with_one_over_the_batch():
    """Of linear models of random inputs, for which the noise is known: (d^2 + d) / (d B)."""
    d, generator = 6, torch.Generator().manual_seed(0)
    model = nn.Linear(d, 1, bias=False).to(FLOAT)

    def batches(size):
        for _ in range(600):
            inputs = torch.randn(size, d, generator=generator, dtype=FLOAT)
            yield BatchCurvature(lambda x=inputs: model(x), lambda z: z.square().mean() / 2, model.parameters())

    axes = [[row.view(1, d)] for row in torch.eye(d, dtype=FLOAT)]
    for size in (1, 8):
        assert hessian_noise(batches(size), axes) * size == pytest.approx(d + 1, rel=0.15)


def test_identical_samples_have_no_noise():
    model, inputs, targets = problem()
    batches = [curvature(model, inputs[:1].repeat(3, 1), targets[:1].repeat(3)) for _ in range(4)]
    direction = random_direction(batches[0].params, torch.Generator())
    assert hessian_noise(batches, [direction]) < 1e-25


def test_bad_input_is_named():
    model, inputs, targets = problem()
    params = list(model.parameters())
    with pytest.raises(ValueError, match="matrix='fisher'"):
        curvature(model, inputs, targets, "fisher")
    with pytest.raises(TypeError, match=r"outputs\(\) returned a tuple"):
        BatchCurvature(lambda: (model(inputs),), lambda z: z[0].sum(), params)
    with pytest.raises(ValueError, match=r"shape \(12,\)"):
        BatchCurvature(lambda: model(inputs), lambda z: z.sum(1), params)
    with pytest.raises(TypeError, match="a float"):
        BatchCurvature(lambda: model(inputs), lambda z: 1.0, params, "ggn")
    product = curvature(model, inputs, targets)
    direction = random_direction(params, torch.Generator())
    with pytest.raises(ValueError, match="products=1"):
        hessian_noise([product], [direction])
    with pytest.raises(ValueError, match="directions are empty"):
        hessian_noise([product, product], [])
    with pytest.raises(ValueError, match="not finite"):
        hessian_noise([product, lambda v: [math.nan * each for each in v]], [direction])


@pytest.mark.parametrize("matrix", ["hessian", "ggn"])
def test_hooks_on_parameters_do_not_change_the_curvature(matrix):
    free, hooked = problem(), problem()
    for param in hooked[0].parameters():
        param.register_hook(lambda grad: grad * 0.5)
    assert torch.equal(dense(curvature(*hooked, matrix)), dense(curvature(*free, matrix)))


@pytest.mark.parametrize("exponent", [40, -40, -60])
def test_the_noise_has_the_squared_unit_of_the_loss(exponent):
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.randn(5, 5, generator=generator) for _ in range(3)]
    direction = [random_direction([torch.zeros(5)], generator)]

    def noise(unit):
        return hessian_noise([lambda v, m=m: [torch.ldexp(m @ v[0], torch.tensor(unit))] for m in matrices], direction)

    assert noise(exponent) == math.ldexp(noise(0), 2 * exponent)


@pytest.mark.parametrize("matrix", ["hessian", "ggn"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_off_by_less_than_their_rounding(matrix, dtype):
    model, inputs, targets = problem(samples=64)
    for param in model.parameters():
        param.data = param.data.to(dtype).to(FLOAT)  # what both precisions hold
    inputs = inputs.to(dtype).to(FLOAT)
    exact = curvature(model, inputs, targets, matrix)
    start = random_direction(exact.params, torch.Generator().manual_seed(0))
    largest = float(lanczos(exact, start, 20).ritz.abs().max())
    coarse = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).to(dtype)
    coarse.load_state_dict(model.state_dict())
    product = curvature(coarse, inputs.to(dtype), targets, matrix)
    vector = [each.to(dtype) for each in start]
    found, expected = joined(product(vector)), joined(exact([each.to(FLOAT) for each in vector]))
    assert float((found - expected).norm()) < product_rounding(coarse.parameters()) * largest


def test_the_coarsest_parameter_makes_the_rounding():
    tensors = [torch.zeros(1, dtype=dtype) for dtype in (torch.float64, torch.float32, torch.bfloat16)]
    assert [product_rounding([tensor]) for tensor in tensors] == [
        pytest.approx(x, rel=0.01) for x in (2.2e-15, 1.2e-6, 0.0078)
    ]
    assert product_rounding(tensors) == product_rounding(tensors[2:])
    assert product_rounding([]) == 0
