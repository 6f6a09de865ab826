import math

import pytest
import torch
from torch.nn import functional

from trimtab.lab.tasks.transformer import ByteTransformer, CausalAttention, CausalSoftmax


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ByteTransformer(64).eval()


@pytest.fixture
def text():
    return torch.randint(256, (3, 64), generator=torch.Generator().manual_seed(1))


def test_a_later_byte_does_not_change_earlier_outputs(model, text):
    before = model(text)
    for place in (0, 17, 63):
        changed = text.clone()
        changed[:, place] = (changed[:, place] + 1) % 256
        after = model(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        assert (after[:, place:] != before[:, place:]).flatten(2).any(2).all()


def test_shorter_sequences_have_the_same_outputs(model, text):
    torch.testing.assert_close(model(text[:, :10]), model(text)[:, :10])


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_the_scaled_dot_product_s(heads):
    attention = CausalAttention(32, heads).double()
    inputs = torch.randn(2, 7, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    split = [layer(inputs).view(2, 7, heads, -1).transpose(1, 2) for layer in (attention.queries, attention.keys)]
    values = attention.values(inputs).view(2, 7, heads, -1).transpose(1, 2)
    expected = functional.scaled_dot_product_attention(*split, values, is_causal=True)
    torch.testing.assert_close(attention(inputs), attention.output(expected.transpose(1, 2).reshape(2, 7, 32)))


def test_maps_of_equal_scores_are_averages_of_the_past():
    maps = CausalSoftmax()(torch.zeros(1, 1, 3, 3))
    torch.testing.assert_close(maps[0, 0], torch.tensor([[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]]))


def test_maps_can_be_observed_and_replaced_by_hooks(model, text):
    seen = []
    before = model(text)
    hooks = [block.attention.maps.register_forward_hook(lambda m, a, maps: seen.append(maps)) for block in model.blocks]
    torch.testing.assert_close(model(text), before, rtol=0, atol=0)
    assert [maps.shape for maps in seen] == [(3, 4, 64, 64)] * 2
    for hook in hooks:
        hook.remove()
    hook = model.blocks[0].attention.maps.register_forward_hook(lambda m, a, maps: torch.zeros_like(maps))
    assert not torch.allclose(model(text), before)
    hook.remove()


def test_the_first_predictions_are_nearly_uniform(model, text):
    loss = functional.cross_entropy(model(text).flatten(0, 1), text.flatten())
    assert loss.item() == pytest.approx(math.log(256), abs=0.1)


def test_the_size_of_the_stream_does_not_grow_with_depth(text):
    def spread(layers):
        torch.manual_seed(0)
        model = ByteTransformer(64, layers=layers)
        sizes = []
        model.norm.register_forward_hook(lambda m, arguments, output: sizes.append(arguments[0].std().item()))
        model(text)
        return sizes[0]

    assert spread(12) == pytest.approx(spread(2), rel=0.2)
