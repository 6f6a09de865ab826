"""One backward pass against a loop of them; and what cannot be had from one is found out."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.primitives.test_sample_gradients import assert_same, by_loop, cross_entropies, images
from trimtab.primitives import sample_gradients
from trimtab.primitives.layer_gradients import batch_gradients, elements_made, layers_of
from trimtab.primitives.sample_gradients import gradient_statistics


def rows(count=6, width=5):
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randn(count, width, generator=generator, dtype=torch.float64)
    return drawn, torch.randint(0, 3, (count,), generator=generator)


def perceptron():
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(inplace=True), nn.LayerNorm(7), nn.Linear(7, 3))


def convolutional():
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1, stride=2, dilation=1, bias=False), nn.GroupNorm(2, 4), nn.ReLU(inplace=True)),
        *(nn.Conv2d(4, 2, (1, 3)), nn.Flatten(), nn.Linear(6, 3)),
    )


class Tokens(nn.Module):
    """Embeddings, and layers with a row for each token."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8, padding_idx=0)
        self.norm = nn.LayerNorm(8)
        self.inner = nn.Linear(8, 8)
        self.logits = nn.Linear(8, 3)

    def forward(self, tokens):
        stream = self.embedding(tokens)
        return self.logits((stream + torch.tanh(self.inner(self.norm(stream)))).mean(1))


def tokens(count=6, length=4):
    generator = torch.Generator().manual_seed(4)
    drawn = torch.randint(0, 11, (count, length), generator=generator)
    return drawn, torch.randint(0, 3, (count,), generator=generator)


def large_images():
    """With more outputs a channel than are unfolded."""
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randn(6, 2, 19, 17, generator=generator, dtype=torch.float64)
    return drawn, torch.randint(0, 3, (6,), generator=generator)


def deep_convolutional():
    return nn.Sequential(
        *(nn.Conv2d(2, 4, (3, 5), padding=(2, 1), stride=(1, 2), dilation=(2, 1)), nn.Tanh()),
        *(nn.Conv2d(4, 3, 3), nn.GroupNorm(3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


MODELS = {
    "perceptron": (perceptron, rows),
    "convolutions": (convolutional, images),
    "large images": (deep_convolutional, large_images),
    "tokens": (Tokens, tokens),
}


def made(name):
    torch.manual_seed(0)
    build, batch = MODELS[name]
    return build().double(), batch()


@pytest.fixture
def one_pass_only(monkeypatch):
    """Fails a test in which samples are vectorised."""

    def unexpected(*_):
        raise AssertionError("vectorised")

    monkeypatch.setattr(sample_gradients, "_Vectorised", unexpected)


@pytest.mark.usefixtures("one_pass_only")
@pytest.mark.parametrize("chunk", [None, 1, 4])
@pytest.mark.parametrize("name", MODELS)
def test_one_backward_pass_is_a_loop_of_them(name, chunk):
    model, batch = made(name)
    found = gradient_statistics(model, cross_entropies, batch, chunk_size=chunk, inner_products=True)
    assert_same(found, by_loop(model, cross_entropies, batch), tolerance=1e-9)
    assert found.loss == pytest.approx(cross_entropies(model, batch).mean().item(), rel=1e-12)
    assert all(param.grad is None for param in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.usefixtures("one_pass_only")
def test_frozen_parameters_are_left_out():
    model, batch = made("perceptron")
    model[0].requires_grad_(False)
    model[3].weight.requires_grad_(False)
    found = gradient_statistics(model, cross_entropies, batch, inner_products=True)
    assert found.mean.keys() == {"2.weight", "2.bias", "3.bias"}
    assert_same(found, by_loop(model, cross_entropies, batch))


@pytest.mark.usefixtures("one_pass_only")
def test_under_no_grad_and_in_half_precision_it_is_the_same():
    model, batch = made("perceptron")
    expected = by_loop(model, cross_entropies, batch)
    with torch.no_grad():
        assert_same(gradient_statistics(model, cross_entropies, batch, inner_products=True), expected, 1e-9)
    half = gradient_statistics(model.bfloat16(), cross_entropies, (batch[0].bfloat16(), batch[1]))
    assert {each.dtype for each in half.mean.values()} == {torch.float32}
    assert half.variance == pytest.approx(expected.variance, rel=0.1)


@pytest.mark.usefixtures("one_pass_only")
def test_samples_that_are_alike_have_next_to_no_variance():
    model, (inputs, labels) = made("perceptron")
    model = model.float()
    batch = (inputs[:1].float().expand(50, -1), labels[:1].expand(50))
    found = gradient_statistics(model, cross_entropies, batch)
    assert 0 <= found.variance <= 1e-5 * found.squared_norm


def test_wide_layers_with_one_row_a_sample_make_no_gradients():
    layers = layers_of(nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 3)))
    model = nn.Sequential(*(layer.module for layer in layers))
    batch = (torch.randn(1, 100), torch.zeros(1, dtype=torch.int64))
    assert elements_made(layers, model, cross_entropies, batch) == 200 + 3


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, inputs):
        return self.last(self.layer(torch.tanh(self.layer(inputs))))


class AlsoElsewhere(Twice):
    def forward(self, inputs):
        return self.last(torch.tanh(self.layer(inputs)) @ self.layer.weight)


class Unused(Twice):
    def forward(self, inputs):
        return self.last(inputs)


class OfPositions(Twice):
    """Its first layer has as many rows as there are samples in the tests, and none is a sample's."""

    def forward(self, inputs):
        positions = torch.linspace(-1, 1, 30, dtype=inputs.dtype).reshape(6, 5)
        return self.last(inputs + self.layer(positions).mean(0))


class TimeFirst(Twice):
    """Six steps of time before six samples."""

    def forward(self, inputs):
        steps = torch.stack([inputs * step for step in range(1, 7)])
        return self.last(torch.tanh(self.layer(steps)).sum(0))


class Overwritten(Twice):
    def forward(self, inputs):
        inputs = inputs * 1.0
        first = self.layer(inputs)
        with torch.no_grad():
            inputs += 1.0
        return self.last(first)


class OfItsOwn(Twice):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(5))

    def forward(self, inputs):
        return self.last(self.layer(inputs) * self.scale)


class Tied(Twice):
    def __init__(self):
        super().__init__()
        self.second = nn.Linear(5, 5)
        self.second.weight = self.layer.weight

    def forward(self, inputs):
        return self.last(torch.tanh(self.second(torch.tanh(self.layer(inputs)))))


@pytest.mark.parametrize("build", [Twice, AlsoElsewhere, Unused, OfPositions, TimeFirst, OfItsOwn, Tied])
def test_what_one_pass_cannot_tell_is_vectorised(build, monkeypatch):
    vectorised = []
    given = sample_gradients._Vectorised
    monkeypatch.setattr(sample_gradients, "_Vectorised", lambda *a: vectorised.append(1) or given(*a))
    torch.manual_seed(0)
    model, batch = build().double(), rows()
    found = gradient_statistics(model, cross_entropies, batch, inner_products=True)
    assert_same(found, by_loop(model, cross_entropies, batch))
    assert vectorised == [1]


def test_an_input_that_is_written_to_later_is_noticed():
    torch.manual_seed(0)
    model, batch = Overwritten().double(), rows()
    assert batch_gradients(layers_of(model), model, cross_entropies, batch, samples=len(batch[0])) is None


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(2, 2, 3, groups=2),
        nn.Conv2d(2, 2, 3, padding_mode="reflect"),
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.Embedding(3, 2, max_norm=1.0),
        nn.Embedding(3, 2, scale_grad_by_freq=True),
        nn.LSTM(2, 2),
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
    ],
    ids=str,
)
def test_layers_without_a_rule_are_known(module):
    assert layers_of(nn.Sequential(module)) is None


@pytest.mark.usefixtures("one_pass_only")
@pytest.mark.parametrize("chunk", [None, 3])
def test_random_layers_draw_as_in_any_pass_and_again_for_inner_products(chunk):
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 3)).double()
    batch = rows()
    torch.manual_seed(3)
    found = gradient_statistics(model, cross_entropies, batch, inner_products=True, chunk_size=chunk)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    parts = [slice(0, 6)] if chunk is None else [slice(0, 3), slice(3, 6)]
    losses = torch.cat([cross_entropies(model, (batch[0][part], batch[1][part])) for part in parts])
    assert torch.equal(after, torch.get_rng_state())
    assert found.loss == pytest.approx(losses.mean().item(), rel=1e-12)
    params = list(model.parameters())
    gradients = [torch.autograd.grad(loss, params, retain_graph=True) for loss in losses]
    rows_of = torch.stack([torch.cat([each.flatten() for each in own]) for own in gradients])
    mean = rows_of.mean(0)
    torch.testing.assert_close(found.mean["1.weight"].flatten(), mean[:15], rtol=1e-10, atol=1e-12)
    # with other masks in the second pass it would be another number
    assert found.inner_product_variance == pytest.approx((rows_of @ mean).var().item(), rel=1e-9)


@pytest.mark.usefixtures("one_pass_only")
def test_the_look_at_one_sample_leaves_the_model_as_it_was():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(5, 3)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, inputs):
            self.seen += len(inputs)
            return self.layer(inputs)

    model = Counting().double()
    gradient_statistics(model, cross_entropies, rows())
    assert model.seen == 6


@pytest.mark.usefixtures("one_pass_only")
def test_several_tensors_of_a_batch_may_meet_in_one_layer():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.last = nn.Linear(5, 4), nn.Linear(5, 4), nn.Linear(4, 3)

        def forward(self, inputs):
            shared = torch.tanh(inputs)
            return self.last(functional.silu(self.one(shared) + self.other(shared)))

    torch.manual_seed(0)
    model, batch = Both().double(), rows()
    found = gradient_statistics(model, cross_entropies, batch, inner_products=True)
    assert_same(found, by_loop(model, cross_entropies, batch), tolerance=1e-9)
