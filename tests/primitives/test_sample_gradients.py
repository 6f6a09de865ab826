import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from trimtab.primitives.gradient_statistics import of_means
from trimtab.primitives.sample_gradients import gradient_statistics


class Attentive(nn.Module):
    """Embedding, attention, layer normalisation, a tied weight and a frozen one."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.logits = nn.Linear(8, 11, bias=False)
        self.logits.weight = self.embedding.weight

    def forward(self, tokens):
        stream = self.embedding(tokens)
        stream = stream + self.attention(stream, stream, stream, need_weights=False)[0]
        return self.logits(self.frozen(self.norm(stream)))


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    )


def images(count=6):
    generator = torch.Generator().manual_seed(2)
    return (
        torch.randn(count, 1, 6, 6, generator=generator, dtype=torch.float64),
        torch.randint(0, 3, (count,), generator=generator),
    )


def cross_entropies(model, batch):
    return functional.cross_entropy(model(batch[0]), batch[1], reduction="none")


def token_losses(model, batch):
    logits = model(batch["tokens"])
    return functional.cross_entropy(logits.transpose(1, 2), batch["next"], reduction="none").mean(1)


def tokens(count=5):
    drawn = torch.randint(0, 11, (count, 7), generator=torch.Generator().manual_seed(4))
    return {"tokens": drawn[:, :-1], "next": drawn[:, 1:]}


def problem(name):
    torch.manual_seed(0)
    if name == "attention":
        return Attentive().double(), token_losses, tokens()
    return convolutional().double(), cross_entropies, images()


def by_loop(model, losses, batch):
    """The same from ordinary backward passes, one a sample."""
    gradients = []
    for loss in losses(model, batch):
        params = {name: p for name, p in model.named_parameters() if p.requires_grad}
        found = torch.autograd.grad(
            loss, list(params.values()), retain_graph=True, materialize_grads=True, allow_unused=True
        )
        gradients.append(dict(zip(params, found, strict=True)))
    return of_means(gradients, 1)


def assert_same(found, expected, tolerance=1e-10):
    assert found.mean.keys() == expected.mean.keys()
    assert found.count == expected.count
    for name in expected.mean:
        torch.testing.assert_close(found.mean[name], expected.mean[name], rtol=tolerance, atol=tolerance / 100)
        torch.testing.assert_close(
            found.squared_deviations[name], expected.squared_deviations[name], rtol=tolerance, atol=tolerance / 100
        )
    assert found.variance == pytest.approx(expected.variance, rel=tolerance)
    assert found.inner_product_variance == pytest.approx(expected.inner_product_variance, rel=tolerance)


@pytest.mark.parametrize("chunk", [None, 1, 4, 100])
@pytest.mark.parametrize("name", ["attention", "convolutions"])
def test_one_vectorised_pass_is_a_loop_of_backward_passes(name, chunk):
    model, losses, batch = problem(name)
    found = gradient_statistics(model, losses, batch, chunk_size=chunk, inner_products=True)
    assert_same(found, by_loop(model, losses, batch))
    assert found.second_pass == (chunk in (1, 4))
    assert found.loss == pytest.approx(losses(model, batch).mean().item(), rel=1e-12)
    assert all(param.grad is None for param in model.parameters())


def test_the_mean_is_the_gradient_of_the_batch():
    model, losses, batch = problem("convolutions")
    gradient_statistics(model, losses, batch, chunk_size=4).write_to(model)
    found = [param.grad for param in model.parameters()]
    model.zero_grad()
    losses(model, batch).mean().backward()
    for one, param in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(one, param.grad, rtol=1e-10, atol=1e-14)


def test_inner_products_are_computed_only_when_asked_for():
    model, losses, batch = problem("convolutions")
    assert gradient_statistics(model, losses, batch).squared_projections is None


def test_memory_decides_on_the_default_chunk(monkeypatch):
    monkeypatch.setattr("trimtab.primitives.sample_gradients.IN_MEMORY", 10)
    model, losses, batch = problem("convolutions")
    found = gradient_statistics(model, losses, batch, inner_products=True)
    assert found.second_pass  # four samples at once at least, and there are six
    assert_same(found, by_loop(model, losses, batch))


@pytest.mark.parametrize("chunk", [None, 3])
def test_dropout_draws_a_mask_for_each_sample_and_the_same_ones_for_the_inner_products(chunk):
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(40, 1, bias=False)).double()
    batch = (torch.ones(6, 40, dtype=torch.float64),)
    masks = []
    model[0].register_forward_hook(lambda _m, _i, output: masks.append(output))

    def losses(model, batch):
        return model(batch[0])[:, 0]

    torch.manual_seed(5)
    found = gradient_statistics(model, losses, batch, inner_products=True, chunk_size=chunk)
    after = torch.get_rng_state()
    # each sample's gradient is its mask, times two: the variance is that of six different masks
    assert found.mean["1.weight"].unique().numel() > 2
    assert found.variance > 0
    torch.manual_seed(5)
    gradient_statistics(model, losses, batch, chunk_size=chunk)
    assert torch.equal(after, torch.get_rng_state())
    # along the mean, and across it, there cannot be more than in all
    assert 0 < found.inner_product_variance / found.squared_norm < found.variance


def test_inner_products_of_dropped_out_gradients_do_not_depend_on_the_chunks():
    weights = nn.Linear(3, 1, bias=False).double()

    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = weights

        def forward(self, inputs):
            return self.layer(inputs * torch.rand_like(inputs))

    def losses(model, batch):
        return model(batch)[:, 0]

    batch = torch.ones(4, 3, dtype=torch.float64)
    for chunk in (None, 2):
        torch.manual_seed(0)
        found = gradient_statistics(Noisy(), losses, batch, chunk_size=chunk, inner_products=True)
        torch.manual_seed(0)
        rows = torch.cat([torch.rand(size, 1, 3, dtype=torch.float64) for size in ((4,) if chunk is None else (2, 2))])
        rows = rows.flatten(1)
        assert found.mean["layer.weight"][0].tolist() == pytest.approx(rows.mean(0).tolist(), rel=1e-12)
        assert found.inner_product_variance == pytest.approx((rows @ rows.mean(0)).var().item(), rel=1e-10)


def test_float32_and_bfloat16_models_are_summed_in_float32():
    model, losses, batch = problem("convolutions")
    expected = by_loop(model, losses, batch)
    single = gradient_statistics(model.float(), losses, (batch[0].float(), batch[1]), inner_products=True)
    assert_same(
        single.__class__(
            single.count,
            {name: each.double() for name, each in single.mean.items()},
            {name: each.double() for name, each in single.squared_deviations.items()},
            single.squared_projections,
        ),
        expected,
        tolerance=1e-3,
    )
    half = gradient_statistics(model.bfloat16(), losses, (batch[0].bfloat16(), batch[1]))
    assert {each.dtype for each in half.mean.values()} == {torch.float32}
    assert half.variance == pytest.approx(expected.variance, rel=0.1)


def test_batch_normalisation_is_refused_in_training_mode_alone():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    batch = (torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1, 1]))
    with pytest.raises(ValueError, match=r"1 is a BatchNorm1d in training mode.*call its eval\(\), use GroupNorm"):
        gradient_statistics(model, cross_entropies, batch)
    model[1].eval()
    before = model[1].running_mean.clone()
    found = gradient_statistics(model, cross_entropies, batch, inner_products=True)
    assert_same(found, by_loop(model, cross_entropies, batch), tolerance=1e-4)
    assert torch.equal(model[1].running_mean, before)
    with pytest.raises(ValueError, match="BatchNorm1d"):
        gradient_statistics(nn.BatchNorm1d(3, track_running_stats=False).eval(), cross_entropies, batch)


class Branching(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs) * (2 if inputs.sum() > 0 else 1)


class Counting(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs):
        self.seen += inputs.sum()
        return super().forward(inputs)


@pytest.mark.parametrize("kind", [Branching, Counting])
def test_what_cannot_be_vectorised_says_what_can(kind):
    batch = (torch.ones(4, 3), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(RuntimeError, match=r"cannot be vectorised over samples .*of_means"):
        gradient_statistics(kind(3, 2), cross_entropies, batch)


def test_other_errors_come_as_they_are():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gradient_statistics(nn.Linear(5, 2), cross_entropies, (torch.ones(4, 3), torch.tensor([0, 1, 0, 1])))


def mean_loss(model, batch):
    return cross_entropies(model, batch).mean()


ROWS = (torch.ones(4, 3), torch.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"losses": mean_loss}, ValueError, r"losses returned shape \(\) for a batch of one.*reduction='none'"),
        ({"losses": lambda m, b: 1.0}, ValueError, "losses returned 1.0"),
        ({"batch": (torch.ones(4, 3), torch.zeros(3))}, ValueError, r"have \[3, 4\] samples"),
        ({"batch": (torch.ones(0, 3),)}, ValueError, r"have \[0\] samples"),
        ({"batch": (torch.tensor(1.0),)}, ValueError, r"have \[0\] samples"),
        ({"batch": ()}, ValueError, r"have \[\] samples"),
        ({"batch": (torch.ones(2, 3), "a")}, TypeError, "batch holds a str; tensors in tuples"),
        ({"chunk_size": 0}, ValueError, "chunk_size=0 must be a whole number >= 1"),
        ({"chunk_size": 1.5}, TypeError, "chunk_size=1.5 must be a whole number"),
        ({"inner_products": 1}, TypeError, "inner_products=1 must be True or False"),
        ({"loss_scale": 0.0}, ValueError, r"loss_scale=0.0 must lie in \(0, inf\)"),
        ({"loss_scale": "2"}, TypeError, "loss_scale='2' must be a number"),
        ({"distributed": True}, RuntimeError, "init_process_group"),
        ({"model": nn.Linear(3, 2).requires_grad_(False)}, ValueError, "no parameter of the model requires"),
        ({"model": nn.Linear(3, 2, dtype=torch.complex64)}, TypeError, "parameter 'weight' is torch.complex64"),
        ({"model": nn.Embedding(3, 2, sparse=True)}, ValueError, "an Embedding with sparse=True|Embedding with sparse"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    arguments = {"model": nn.Linear(3, 2), "losses": cross_entropies, "batch": ROWS, **change}
    with pytest.raises(error, match=message):
        gradient_statistics(arguments.pop("model"), arguments.pop("losses"), arguments.pop("batch"), **arguments)


def test_gradients_that_are_not_finite_are_seen_in_the_numbers():
    model, losses, batch = problem("convolutions")
    with torch.no_grad():
        model[0].weight.fill_(math.nan)
    assert math.isnan(gradient_statistics(model, losses, batch).variance)


@pytest.mark.parametrize("kind", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_that_would_not_be_called_are_refused(kind):
    model = nn.Sequential(nn.Linear(3, 2))
    handle = getattr(model[0].bias, kind)(lambda *_: None)
    with pytest.raises(ValueError, match=r"parameter '0\.bias' has gradient hooks, .* remove them, or .* of_means\(\)"):
        gradient_statistics(model, cross_entropies, ROWS)
    handle.remove()
    assert gradient_statistics(model, cross_entropies, ROWS).count == 4


def test_a_loss_is_scaled_only_while_it_is_differentiated():
    torch.manual_seed(0)
    model, seen = nn.Linear(3, 2), []

    class Watched(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(logits):
            return logits.clone()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, grad):
            seen.append(grad.shape)
            return grad * (grad.abs() > 1)  # what is small is lost, as in float16

    def losses(model, batch):
        return functional.cross_entropy(Watched.apply(model(batch[0])), batch[1], reduction="none")

    expected = gradient_statistics(model, cross_entropies, ROWS, inner_products=True)
    lost = gradient_statistics(model, losses, ROWS)
    found = gradient_statistics(model, losses, ROWS, loss_scale=2.0**16, inner_products=True)
    assert lost.squared_norm == 0
    assert seen
    assert (found.loss, found.variance, found.squared_norm) == (expected.loss, expected.variance, expected.squared_norm)
    assert found.inner_product_variance == expected.inner_product_variance
