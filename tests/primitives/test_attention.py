"""Queries, keys and their heads, in models as libraries build them and in ones of one's own."""

import pytest
import transformers as hf
from torch import nn

from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.primitives.attention import head_rows

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 16, "vocab_size": 9}
WORDS = {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}


class Attention(nn.Module):
    """Layers by their names and sizes, and what the module says of its heads."""

    def __init__(self, says, **layers):
        super().__init__()
        for name, value in says.items():
            setattr(self, name, value)
        for name, (rows, columns) in layers.items():
            setattr(self, name, nn.Linear(columns, rows))


def found(model):
    names = {param: name for name, param in model.named_parameters()}
    return {names[param]: rows for param, rows in head_rows(model).items()}


LIBRARIES = {
    "llama": (
        lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL, **WORDS, num_key_value_heads=2)),
        {"model.layers.0.self_attn.q_proj.weight": 4, "model.layers.0.self_attn.k_proj.weight": 4},
    ),
    "bert": (
        lambda: hf.BertModel(hf.BertConfig(**SMALL)),
        {"encoder.layer.0.attention.self.query.weight": 4, "encoder.layer.0.attention.self.key.weight": 4},
    ),
    "neox": (
        lambda: hf.GPTNeoXModel(hf.GPTNeoXConfig(**SMALL, **WORDS)),
        {"layers.0.attention.query_key_value.weight": 4},
    ),
    "columns are heads": (
        lambda: hf.GPT2Model(hf.GPT2Config(n_embd=16, n_layer=1, n_head=4, vocab_size=9, **WORDS)),
        {},
    ),
    "torch": (lambda: nn.TransformerEncoderLayer(16, 4, 8), {"self_attn.in_proj_weight": 4}),
    "torch, of several widths": (
        lambda: nn.MultiheadAttention(16, 4, kdim=6, vdim=6),
        {"q_proj_weight": 4, "k_proj_weight": 4},
    ),
    "ours": (
        lambda: ByteTransformer(8, width=16, heads=4, layers=1),
        {"blocks.0.attention.queries.weight": 4, "blocks.0.attention.keys.weight": 4},
    ),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_heads_of_models_as_libraries_build_them(name):
    model, expected = LIBRARIES[name]
    assert found(model()) == expected


@pytest.mark.parametrize(
    ("says", "layers", "expected"),
    [
        ({"n_head": 4}, {"c_attn": (48, 16), "c_proj": (16, 16)}, {"c_attn.weight": 4}),
        ({"n_heads": 4}, {"wq": (16, 16), "wk": (8, 16), "wv": (8, 16)}, {"wq.weight": 4, "wk.weight": 4}),
        ({"heads": 4}, {"to_qkv": (48, 16)}, {"to_qkv.weight": 4}),
        # heads of another number, or keys of fewer: nobody knows
        ({"heads": 4}, {"to_qkv": (32, 16)}, {}),
        ({"heads": 4}, {"k_proj": (16, 16)}, {}),
        ({"heads": 3}, {"q_proj": (16, 16)}, {}),
        ({"head_dim": 5}, {"q_proj": (16, 16)}, {}),
        ({}, {"q_proj": (16, 16)}, {}),
        ({"heads": True}, {"q_proj": (16, 16)}, {}),
        # no queries and keys
        ({"heads": 4}, {"value": (16, 16), "out_proj": (16, 16), "kernel": (16, 16)}, {}),
    ],
)
def test_what_a_module_does_not_say_is_not_guessed(says, layers, expected):
    assert found(Attention(says, **layers)) == expected


def test_lazy_layers_are_left_out():
    model = Attention({"heads": 2}, q_proj=(4, 4))
    model.k_proj = nn.LazyLinear(4)
    assert found(model) == {"q_proj.weight": 2}
