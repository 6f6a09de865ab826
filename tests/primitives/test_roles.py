"""What parameters are for, on models as libraries build them and on ones of one's own."""

import itertools
import re
import warnings

import pytest
import torch
import transformers as hf
from torch import nn

from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.primitives.roles import MATRICES, ROLES, parameter_roles

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
    "max_position_embeddings": 32,
}
TWO_STACKS = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
VISION = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 16,
    "patch_size": 8,
}  # fmt: skip
WORDS = {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}


class Low(nn.Module):
    """A layer with an adapter of low rank beside it, as PEFT builds it."""

    def __init__(self):
        super().__init__()
        self.base_layer = nn.Linear(8, 8)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(8, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, 8, bias=False)})


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = nn.Linear(8, 4)
        self.w_in, self.w_out = (nn.Parameter(torch.zeros(4, *shape)) for shape in ((8, 16), (16, 8)))


class Block(nn.Module):
    def __init__(self, depthwise):
        super().__init__()
        self.mix = nn.Conv2d(8, 8, 3, groups=8 if depthwise else 2)
        self.out = nn.Conv2d(8, 8, 1)


class State(nn.Module):
    """A layer of a state-space model."""

    def __init__(self):
        super().__init__()
        self.A_log = nn.Parameter(torch.zeros(8, 4))
        self.in_proj, self.out_proj = nn.Linear(8, 16), nn.Linear(16, 8)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 8))
        self.query_tokens = nn.Parameter(torch.zeros(4, 8))
        self.attention = nn.MultiheadAttention(8, 2)


def parts(**modules):
    model = nn.Module()
    for name, module in modules.items():
        setattr(model, name, module)
    return model


def tied_rnn():
    model = parts(embed=nn.Embedding(20, 8), rnn=nn.GRU(8, 8), out=nn.Linear(8, 20, bias=False))
    model.out.weight = model.embed.weight
    return model


def mlp(*sizes):
    layers = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(sizes[:-1])]
    return nn.Sequential(*(part for layer in layers for part in layer), nn.Linear(*sizes[-2:]))


WEIGHT = nn.utils.parametrizations.weight_norm
SPECTRAL = nn.utils.parametrizations.spectral_norm

MODELS = {
    "gpt2": (
        lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=32, **WORDS)
        ),
        {"transformer.wte.weight": "tied", "transformer.wpe.weight": "embedding"},
    ),
    "llama": (
        lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL, num_key_value_heads=2, **WORDS)),
        {"model.embed_tokens.weight": "embedding", "lm_head.weight": "head"},
    ),
    "llama of one layer, tied": (
        lambda: hf.LlamaForCausalLM(
            hf.LlamaConfig(**SMALL | {"num_hidden_layers": 1}, tie_word_embeddings=True, num_key_value_heads=2, **WORDS)
        ),
        {"model.embed_tokens.weight": "tied"},
    ),
    "bert that fills in words": (
        lambda: hf.BertForMaskedLM(hf.BertConfig(**SMALL)),
        {
            "bert.embeddings.word_embeddings.weight": "tied",
            "bert.embeddings.position_embeddings.weight": "embedding",
            "bert.embeddings.token_type_embeddings.weight": "embedding",
        },
    ),
    "bert that classifies": (
        lambda: hf.BertForSequenceClassification(hf.BertConfig(**SMALL)),
        {"classifier.weight": "head"}
        | {f"bert.embeddings.{name}_embeddings.weight": "embedding" for name in ("word", "position", "token_type")},
    ),
    "bert that answers": (
        lambda: hf.BertForQuestionAnswering(hf.BertConfig(**SMALL)),
        {"qa_outputs.weight": "head"}
        | {f"bert.embeddings.{name}_embeddings.weight": "embedding" for name in ("word", "position", "token_type")},
    ),
    "roberta": (
        lambda: hf.RobertaForSequenceClassification(hf.RobertaConfig(**SMALL)),
        {"classifier.out_proj.weight": "head"}
        | {f"roberta.embeddings.{name}_embeddings.weight": "embedding" for name in ("word", "position", "token_type")},
    ),
    "t5": (
        lambda: hf.T5ForConditionalGeneration(
            hf.T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, vocab_size=50)
        ),
        {"shared.weight": "tied"}
        | {
            f"{s}.block.0.layer.0.SelfAttention.relative_attention_bias.weight": "embedding"
            for s in ("encoder", "decoder")
        },
    ),
    "bart": (
        lambda: hf.BartForConditionalGeneration(
            hf.BartConfig(**TWO_STACKS, vocab_size=50, max_position_embeddings=32, decoder_start_token_id=2, **WORDS)
        ),
        {"model.shared.weight": "tied"}
        | {f"model.{s}.embed_positions.weight": "embedding" for s in ("encoder", "decoder")},
    ),
    "whisper": (
        lambda: hf.WhisperForConditionalGeneration(
            hf.WhisperConfig(
                **TWO_STACKS,
                vocab_size=60,
                max_source_positions=16,
                max_target_positions=16,
                num_mel_bins=8,
                decoder_start_token_id=1,
                **WORDS,
            )
        ),
        {"model.decoder.embed_tokens.weight": "tied"}
        | {f"model.{s}.embed_positions.weight": "embedding" for s in ("encoder", "decoder")}
        | {f"model.encoder.conv{n}.weight": "convolution" for n in (1, 2)},
    ),
    "vit": (
        lambda: hf.ViTForImageClassification(hf.ViTConfig(**VISION, num_labels=3)),
        {
            "classifier.weight": "head",
            "vit.embeddings.position_embeddings": "embedding",
            "vit.embeddings.cls_token": "vector",
            "vit.embeddings.patch_embeddings.projection.weight": "convolution",
        },
    ),
    "swin": (
        lambda: hf.SwinForImageClassification(
            hf.SwinConfig(
                embed_dim=8, depths=[1, 1], num_heads=[2, 2], image_size=32, patch_size=4, window_size=2, num_labels=3
            )
        ),
        {"classifier.weight": "head", "swin.embeddings.patch_embeddings.projection.weight": "convolution"}
        | {
            f"swin.encoder.layers.{n}.blocks.0.attention.{2 * 'relative_position_bias.'}"[:-1] + "_table": "embedding"
            for n in (0, 1)
        },
    ),
    "convnext": (
        lambda: hf.ConvNextForImageClassification(
            hf.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=3)
        ),
        {
            "classifier.weight": "head",
            "convnext.embeddings.patch_embeddings.weight": "convolution",
            "convnext.encoder.stages.1.downsampling_layer.1.weight": "convolution",
        }
        | {f"convnext.encoder.stages.{n}.layers.0.dwconv.weight": "vector" for n in (0, 1)},
    ),
    "resnet": (
        lambda: hf.ResNetForImageClassification(
            hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=3)
        ),
        {
            "classifier.1.weight": "head",
            "resnet.embedder.embedder.convolution.weight": "convolution",
            "resnet.encoder.stages.1.layers.0.shortcut.convolution.weight": "convolution",
        }
        | {
            f"resnet.encoder.stages.{s}.layers.0.layer.{n}.convolution.weight": "convolution"
            for s in (0, 1)
            for n in (0, 1, 2)
        },
    ),
    "mixtral": (
        lambda: hf.MixtralForCausalLM(hf.MixtralConfig(**SMALL, num_key_value_heads=2, num_local_experts=4, **WORDS)),
        {"model.embed_tokens.weight": "embedding", "lm_head.weight": "head"}
        | {f"model.layers.{n}.mlp.experts.{p}_proj": "experts" for n in (0, 1) for p in ("gate_up", "down")},
    ),
    "qwen2 with experts": (
        lambda: hf.Qwen2MoeForCausalLM(
            hf.Qwen2MoeConfig(
                **SMALL,
                num_key_value_heads=2,
                num_experts=4,
                moe_intermediate_size=8,
                shared_expert_intermediate_size=8,
                **WORDS,
            )
        ),
        {"model.embed_tokens.weight": "embedding", "lm_head.weight": "head"}
        | {f"model.layers.{n}.mlp.experts.{p}_proj": "experts" for n in (0, 1) for p in ("gate_up", "down")}
        | {f"model.layers.{n}.mlp.shared_expert_gate.weight": "vector" for n in (0, 1)},
    ),
    "mamba": (
        lambda: hf.MambaForCausalLM(
            hf.MambaConfig(hidden_size=16, num_hidden_layers=2, vocab_size=50, state_size=4, **WORDS)
        ),
        {"backbone.embeddings.weight": "tied"}
        | {f"backbone.layers.{n}.mixer.{p}": "vector" for n in (0, 1) for p in ("A_log", "conv1d.weight")}
        | {f"backbone.layers.{n}.mixer.dt_proj.weight": "vector" for n in (0, 1)},  # from one channel, as small as this
    ),
    "clip": (
        lambda: hf.CLIPModel(hf.CLIPConfig(text_config=dict(SMALL, **WORDS), vision_config=VISION, projection_dim=8)),
        {
            "visual_projection.weight": "head",
            "text_projection.weight": "head",
            "text_model.embeddings.token_embedding.weight": "embedding",
            "text_model.embeddings.position_embedding.weight": "embedding",
            "vision_model.embeddings.position_embedding.weight": "embedding",
            "vision_model.embeddings.patch_embedding.weight": "convolution",
        },
    ),
    "wav2vec2": (
        lambda: hf.Wav2Vec2ForCTC(
            hf.Wav2Vec2Config(
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                conv_dim=(8, 8),
                conv_stride=(2, 2),
                conv_kernel=(3, 3),
                num_feat_extract_layers=2,
                num_conv_pos_embeddings=4,
                num_conv_pos_embedding_groups=2,
                vocab_size=12,
            )
        ),
        {"lm_head.weight": "head"}
        | {f"wav2vec2.feature_extractor.conv_layers.{n}.conv.weight": "convolution" for n in (0, 1)}
        | {
            "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0": "vector",
            "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1": "convolution",
        },
    ),
    "a perceptron": (lambda: mlp(3, 4, 4, 2), {"4.weight": "head"}),
    "lenet": (
        lambda: parts(
            conv1=nn.Conv2d(1, 6, 5),
            conv2=nn.Conv2d(6, 16, 5),
            fc1=nn.Linear(400, 120),
            fc2=nn.Linear(120, 84),
            fc3=nn.Linear(84, 10),
        ),
        {"conv1.weight": "convolution", "conv2.weight": "convolution", "fc3.weight": "head"},
    ),
    "vgg": (
        lambda: parts(features=nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), classifier=mlp(32, 16, 16, 4)),
        {"features.0.weight": "convolution", "classifier.4.weight": "head"},
    ),
    "mobilenet": (
        lambda: parts(blocks=nn.Sequential(Block(depthwise=True), Block(depthwise=True)), fc=nn.Linear(8, 3)),
        {"fc.weight": "head"}
        | {f"blocks.{n}.mix.weight": "vector" for n in (0, 1)}
        | {f"blocks.{n}.out.weight": "convolution" for n in (0, 1)},
    ),
    "resnext": (
        lambda: parts(blocks=nn.Sequential(Block(depthwise=False), Block(depthwise=False)), fc=nn.Linear(8, 3)),
        {"fc.weight": "head"} | {f"blocks.{n}.{p}.weight": "convolution" for n in (0, 1) for p in ("mix", "out")},
    ),
    "u-net": (
        lambda: parts(
            down=nn.ModuleList([nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3)]),
            up=nn.ModuleList([nn.ConvTranspose2d(16, 8, 2), nn.ConvTranspose2d(8, 8, 2)]),
            out=nn.Conv2d(8, 2, 1),
        ),
        {"out.weight": "head"} | {f"{p}.{n}.weight": "convolution" for p in ("down", "up") for n in (0, 1)},
    ),
    "lstm": (
        lambda: parts(embed=nn.Embedding(20, 8), rnn=nn.LSTM(8, 16, 2), out=nn.Linear(16, 20)),
        {"embed.weight": "embedding", "out.weight": "head"},
    ),
    "gru, tied": (tied_rnn, {"embed.weight": "tied"}),
    "actor and critic": (
        lambda: parts(body=mlp(4, 64, 64, 64), mean=nn.Linear(64, 2), state_value=nn.Linear(64, 1)),
        {"mean.weight": "head", "state_value.weight": "head"},
    ),
    "several tasks": (
        lambda: parts(trunk=mlp(5, 6, 6), heads=nn.ModuleList([nn.Linear(6, 2), nn.Linear(6, 3)])),
        {"heads.0.weight": "head", "heads.1.weight": "head"},
    ),
    "lora": (
        lambda: parts(layers=nn.ModuleList([Low(), Low()]), head=nn.Linear(8, 3)),
        {"head.weight": "head"},
    ),
    "own experts": (
        lambda: parts(embed=nn.Embedding(9, 8), blocks=nn.ModuleList([Experts(), Experts()]), unembed=nn.Linear(8, 9)),
        {"embed.weight": "embedding", "unembed.weight": "head"}
        | {f"blocks.{n}.{p}": "experts" for n in (0, 1) for p in ("w_in", "w_out")},
    ),
    "own states": (
        lambda: parts(layers=nn.ModuleList([State(), State()]), out=nn.Linear(8, 3)),
        {"out.weight": "head"} | {f"layers.{n}.A_log": "vector" for n in (0, 1)},
    ),
    "own attention": (
        lambda: parts(layers=nn.ModuleList([Attention(), Attention()]), out=nn.Linear(8, 3)),
        {"out.weight": "head"}
        | {f"layers.{n}.{p}": "embedding" for n in (0, 1) for p in ("pos_embed", "query_tokens")},
    ),
    "attention, and two inputs": (
        lambda: parts(mha=nn.MultiheadAttention(16, 2), fc1=nn.Linear(16, 32), fc2=nn.Linear(64, 10)),
        {"fc2.weight": "head"},
    ),
    "attention, and a condition": (
        lambda: parts(
            inp=nn.Linear(8, 16), mha=nn.MultiheadAttention(16, 2), cond=nn.Linear(4, 32), out=nn.Linear(16, 2)
        ),
        {"out.weight": "head"},
    ),
    "attention that pools": (
        lambda: parts(
            emb=nn.Embedding(40, 16), mha=nn.MultiheadAttention(16, 2), hidden=nn.Linear(16, 24), cls=nn.Linear(48, 3)
        ),
        {"emb.weight": "embedding", "cls.weight": "head"},
    ),
    "attention and something bilinear": (
        lambda: parts(mha=nn.MultiheadAttention(16, 2), bil=nn.Bilinear(4, 5, 6), proj=nn.Linear(16, 1)),
        {"bil.weight": "vector", "proj.weight": "head"},
    ),
    "encoder, and two inputs": (
        lambda: parts(
            encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 2, enable_nested_tensor=False),
            fc1=nn.Linear(16, 32),
            fc2=nn.Linear(64, 10),
        ),
        {"fc2.weight": "head"},
    ),
    "encoder and decoder without a head": (lambda: nn.Transformer(8, 2, 2, 2, 16, batch_first=True), {}),
    "normed": (
        lambda: nn.Sequential(
            SPECTRAL(nn.Linear(4, 4)), nn.ReLU(), WEIGHT(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 2)
        ),
        {"4.weight": "head", "2.parametrizations.weight.original0": "vector"},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_roles_on_models_of_many_kinds(name):
    make, special = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of models so small
        model = make()
    found = parameter_roles(model)
    shapes = {name: tuple(param.shape) for name, param in model.named_parameters()}
    assert found.keys() == shapes.keys()
    expected = {name: "vector" if len(shape) < 2 else "matrix" for name, shape in shapes.items()} | special
    assert {n: role for n, role in found.items() if role != expected[n]} == {}
    assert expected.keys() == shapes.keys()


@pytest.mark.parametrize(
    "name",
    [
        *("positions", "position", "position_embeddings", "positional_embedding", "positional_encodings", "pos_embed"),
        *("pos_emb", "posemb", "pos_embedding", "absolute_pos_embed", "rel_pos_h", "pe", "wpe", "wte", "tok_emb"),
        *("embedding", "embeddings", "class_embeds", "seg_embed", "query_tokens", "latents", "object_queries"),
        *("query", "prompt", "soft_prompt", "prompts"),
    ],
)
def test_what_is_called_an_embedding_is_one(name):
    model = parts(body=nn.Linear(8, 8), out=nn.Linear(8, 3))
    setattr(model, name, nn.Parameter(torch.zeros(5, 8)))
    assert parameter_roles(model)[name] == "embedding"


@pytest.mark.parametrize(
    "name",
    [
        *("proj", "composition", "member", "opened", "type_weight", "disposed", "memb", "prompted"),
        *("W_query", "w_query", "query_weight", "query_proj"),  # which make queries
    ],
)
def test_what_only_begins_or_ends_like_an_embedding_is_none(name):
    model = parts(body=nn.Linear(8, 8), out=nn.Linear(8, 3))
    setattr(model, name, nn.Parameter(torch.zeros(5, 8)))
    assert parameter_roles(model)[name] == "matrix"


def test_the_positions_of_the_task_that_ships_are_embeddings():
    roles = parameter_roles(ByteTransformer(8, width=16, heads=4, layers=1))
    assert roles["positions"] == roles["embedding.weight"] == "embedding"


def test_a_bilinear_layers_matrices_are_no_experts():
    model = parts(body=nn.Linear(8, 8), both=nn.Bilinear(8, 8, 6), weighed=WEIGHT(nn.Bilinear(6, 6, 4)), out=mlp(4, 2))
    roles = parameter_roles(model)
    assert roles["both.weight"] == roles["weighed.parametrizations.weight.original1"] == "vector"
    assert parameter_roles(model, {r"both\.weight": "experts"})["both.weight"] == "experts"


def test_there_are_thirty():
    assert len(MODELS) >= 30


def test_somebody_may_know_better():
    model = mlp(3, 4, 4, 2)
    found = parameter_roles(model, {r"0\..*": "embedding", r".*\.weight": "matrix"})
    assert found == {
        "0.weight": "embedding", "0.bias": "embedding", "2.weight": "matrix", "2.bias": "vector", "4.weight": "matrix",
        "4.bias": "vector",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({".*": "matrices"}, "role 'matrices' of '.*' is unknown; there are matrix, convolution, experts, embedding"),
        ({"head": "head"}, "'head' matches no parameter of the model; there are 0.weight, 0.bias, 2.weight, "),
        ({"(": "head"}, "'(' is no regular expression: missing ), unterminated subpattern"),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        parameter_roles(mlp(3, 4, 4, 2), given)


@pytest.mark.parametrize("given", [["matrix"], "matrix", {3: "matrix"}, 5])
def test_roles_of_another_type_are_refused(given):
    with pytest.raises(TypeError, match=r"roles must map regular expressions to roles, as in .*, not "):
        parameter_roles(mlp(3, 4, 4, 2), given)


def test_a_layer_without_a_shape_is_refused():
    model = nn.Sequential(nn.Linear(3, 4), nn.LazyLinear(5), nn.Linear(5, 2))
    with pytest.raises(ValueError, match=r"1\.weight has no shape yet, .*: run a batch through the model"):
        parameter_roles(model)
    model(torch.zeros(1, 3))
    assert parameter_roles(model)["1.weight"] == "matrix"


def test_parameters_alone_have_no_roles():
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, not list"):
        parameter_roles(list(mlp(3, 4, 2).parameters()))


def test_matrices_are_among_the_roles():
    assert set(MATRICES) < set(ROLES)
