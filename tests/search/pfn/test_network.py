"""The transformer: what its logits depend on, what it refuses, and that it is saved as it is."""

import math

import pytest
import torch

from trimtab.search.pfn.network import PFN
from trimtab.study.errors import InputError


def data(n=7, m=5, d=3, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, q = (torch.rand(batch, k, d, generator=generator, dtype=torch.float64) for k in (n, m))
    return x, torch.randn(batch, n, generator=generator, dtype=torch.float64), q


def test_the_order_of_observations_does_not_matter(untrained):
    x, y, q = data()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(untrained(x[:, order], y[:, order], q), untrained(x, y, q), atol=1e-12)
    other = y.clone()
    other[:, [0, 1]] = y[:, [1, 0]]
    assert not torch.allclose(untrained(x, other, q), untrained(x, y, q), atol=1e-3)


def test_queries_do_not_see_one_another(untrained):
    x, y, q = data()
    alone = torch.cat([untrained(x, y, q[:, i : i + 1]) for i in range(5)], 1)
    assert torch.allclose(untrained(x, y, q), alone, atol=1e-12)


def test_rows_of_a_batch_do_not_see_one_another(untrained):
    x, y, q = data()
    alone = torch.cat([untrained(x[i : i + 1], y[i : i + 1], q[i : i + 1]) for i in range(2)])
    assert torch.allclose(untrained(x, y, q), alone, atol=1e-12)


def test_observations_are_encoded_once_for_all_queries(untrained):
    x, y, q = data()
    context = untrained.encode(x, y)
    assert torch.equal(untrained.query(context, q), untrained(x, y, q))
    assert [(tuple(k.shape), tuple(v.shape)) for k, v in context] == [((2, 2, 7, 8),) * 2] * 2


def test_missing_inputs_are_zeros_and_the_others_larger(untrained):
    """Two inputs of four are seen as sqrt(12) (x - 1/2) times 4/2, and the missing ones as 0."""
    x = data(d=2)[0]
    seen = untrained._embed(x)
    expected = untrained.embed_x(torch.cat([(x - 0.5) * math.sqrt(12) * 2, torch.zeros_like(x)], -1))
    assert torch.allclose(seen, expected, atol=1e-12)


def test_attention_is_what_torch_has_as_a_transformer(untrained):
    """One layer, whose context is given, against torch's own layer with the same weights."""
    ours = untrained.layers[0]
    theirs = torch.nn.TransformerDecoderLayer(
        16, 2, 64, 0.0, "gelu", norm_first=True, batch_first=True, dtype=torch.float64
    )
    attention = theirs.multihead_attn
    attention.in_proj_weight.data = torch.cat([ours.to_query.weight, ours.to_keys_and_values.weight])
    attention.in_proj_bias.data = torch.cat([ours.to_query.bias, ours.to_keys_and_values.bias])
    attention.out_proj.weight.data, attention.out_proj.bias.data = ours.out.weight, ours.out.bias
    theirs.self_attn.out_proj.weight.data.zero_()
    theirs.self_attn.out_proj.bias.data.zero_()
    for name, module in (("norm2", ours.norm1), ("norm3", ours.norm2), ("linear1", ours.up), ("linear2", ours.down)):
        getattr(theirs, name).load_state_dict(module.state_dict())
    generator = torch.Generator().manual_seed(3)
    context, query = (torch.randn(2, k, 16, generator=generator, dtype=torch.float64) for k in (6, 4))
    expected = theirs(query, ours.norm1(context))
    assert torch.allclose(ours(query, ours.keys_and_values(context)), expected, atol=1e-12)


def test_saved_and_loaded_it_is_the_same(untrained, tmp_path):
    network = untrained.float()
    network.save(tmp_path / "net.safetensors")
    state = torch.get_rng_state()
    loaded = PFN.load(tmp_path / "net.safetensors")
    assert torch.equal(torch.get_rng_state(), state)
    assert loaded.sizes == network.sizes
    assert torch.equal(loaded(*data()), network(*data()))
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_file_of_another_kind_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no network that"):
        PFN.load(tmp_path / "other.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        PFN.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y, q: (x[:, :0], y[:, :0], q), "at least one observation"),
        (lambda x, y, q: (torch.zeros(2, 7, 5), y, q), "from 1 to 4 inputs"),
        (lambda x, y, q: (x, y, torch.zeros(2, 5, 5)), "x_query.*from 1 to 4 inputs"),
        (lambda x, y, q: (x + 1, y, q), r"x_context: all inputs must be in \[0, 1\]"),
        (lambda x, y, q: (x, y, -q), r"x_query: all inputs must be in \[0, 1\]"),
        (lambda x, y, q: (x * math.nan, y, q), "x_context: all inputs"),
        (lambda x, y, q: (x, y * math.inf, q), "y_context: finite"),
        (lambda x, y, q: (x, y[:, :3], q), "a value an observation"),
    ],
)
def test_what_cannot_be_predicted_from_is_refused(untrained, change, message):
    with pytest.raises(InputError, match=message):
        untrained(*change(*data()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d_max": 0}, "d_max"),
        ({"width": 10, "heads": 4}, "heads=4"),
        ({"layers": 0}, "layers"),
        ({"borders": torch.tensor([0.0, 2.0, 1.0])}, "borders"),
        ({"borders": torch.tensor([0.0, 1.0, 1 + 1e-12], dtype=torch.float64)}, "borders"),  # one in single precision
        ({"most_context": 0}, "most_context"),
    ],
)
def test_sizes_that_cannot_be_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        PFN(**{"d_max": 2, "borders": torch.linspace(-1, 1, 5), **settings})
