"""Tiny models of transformers' classes, one or more for each way in which losses are computed and counted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch.utils.data import Dataset

TOKENS, LENGTH = 16, 8
WIDTHS = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT = {"vocab_size": TOKENS, "max_position_embeddings": 32, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
BERT = {**WIDTHS, **TEXT, "num_labels": 3}
GPT2 = {
    "vocab_size": TOKENS,
    "n_positions": 32,
    "n_embd": 16,
    "n_layer": 1,
    "n_head": 2,
    "num_labels": 3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LLAMA = {**WIDTHS, **TEXT, "num_labels": 3}
PAIR = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "decoder_start_token_id": 2,
}
T5 = {
    "vocab_size": TOKENS,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 1,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}
IMAGE = {"image_size": 16, "patch_size": 8, "encoder_stride": 8}
WAVE = {
    **WIDTHS,
    "vocab_size": TOKENS,
    "conv_dim": (8, 8),
    "conv_kernel": (8, 4),
    "conv_stride": (4, 2),
    "num_labels": 3,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
    "classifier_proj_size": 8,
    "pad_token_id": 0,
    "apply_spec_augment": False,
}
PROPHETNET = {
    "vocab_size": TOKENS,
    "hidden_size": 16,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_encoder_attention_heads": 2,
    "num_decoder_attention_heads": 2,
    "ngram": 2,
    "decoder_start_token_id": 1,
    "num_buckets": 4,
    "relative_max_distance": 8,
}


def without_dropout(net):
    """Whatever is drawn at random differs between a batch and its parts."""
    for part in net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return net


def made(name, config, **more):
    """Returns a function that makes a model."""
    kind = getattr(transformers, name)
    found = kind.config_class(**{**config, **more})
    for key, value in found.to_dict().items():
        if "drop" in key and isinstance(value, float):
            setattr(found, key, 0.0)
    return lambda: without_dropout(kind(found))


def pair():
    """An encoder and a decoder of different kinds, whose embeddings are tied."""
    parts = [
        transformers.BertConfig(**BERT),
        transformers.BertConfig(**BERT, is_decoder=True, add_cross_attention=True),
    ]
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(*parts, tie_word_embeddings=True)
    config.decoder_start_token_id, config.pad_token_id = 1, 0
    return without_dropout(transformers.EncoderDecoderModel(config))


def clip():
    """Two towers: the loss of a batch's images and texts among each other, without labels."""
    config = transformers.CLIPConfig(
        text_config={**WIDTHS, **TEXT}, vision_config={**WIDTHS, "image_size": 16, "patch_size": 8}, projection_dim=8
    )
    return without_dropout(transformers.CLIPModel(config))


class Columns(Dataset):
    """The rows of a batch."""

    def __init__(self, columns):
        self.columns = columns

    def __len__(self):
        return next(len(value) for value in self.columns.values() if isinstance(value, torch.Tensor))

    def __getitem__(self, row):
        return {key: value[row] if isinstance(value, torch.Tensor) else value for key, value in self.columns.items()}


class Drawn:
    """Draws columns from a seed; samples have 2 to ``1 + period`` labels that count, and 1 more tokens."""

    def __init__(self, count, seed, period=5):
        self.count, self.generator = count, torch.Generator().manual_seed(seed)
        self.labelled = 2 + torch.arange(count) % period

    def whole(self, least, most, *shape):
        return torch.randint(least, most, (self.count, *shape), generator=self.generator)

    def real(self, *shape):
        return torch.randn(self.count, *shape, generator=self.generator)

    def text(self, *shape):
        """Tokens and padding."""
        mask = (torch.arange(LENGTH) <= self.labelled.view(-1, *[1] * (len(shape) + 1))).long()
        mask = mask.expand(self.count, *shape, LENGTH).contiguous()
        return {"input_ids": self.whole(3, TOKENS, *shape, LENGTH) * mask, "attention_mask": mask}

    def uneven(self, labels):
        """Labels of which samples have unequal numbers that count."""
        return labels.masked_fill(torch.arange(labels.shape[1]) >= self.labelled[:, None], -100)

    def image(self):
        return {"pixel_values": self.real(3, 16, 16)}


def tokens(draw):
    text = draw.text()
    labels = text["input_ids"].masked_fill(text["attention_mask"] == 0, -100)
    return {**text, "labels": labels}


def masked(draw):
    return {**draw.text(), "labels": draw.uneven(draw.whole(3, TOKENS, LENGTH))}


def tagged(draw):
    return {**draw.text(), "labels": draw.uneven(draw.whole(0, 3, LENGTH))}


def classes(draw):
    return {**draw.text(), "labels": draw.whole(0, 3)}


def numbers(draw):
    return {**draw.text(), "labels": draw.real()}


def several(draw):
    return {**draw.text(), "labels": draw.whole(0, 2, 3).float()}


def spans(draw):
    start = draw.whole(0, LENGTH).masked_fill(draw.labelled == 4, LENGTH + 2)  # behind the end: to be ignored
    return {**draw.text(), "start_positions": start, "end_positions": draw.whole(0, LENGTH)}


def choices(draw):
    return {**draw.text(3), "labels": draw.whole(0, 3)}


def sentences(draw):
    return {**draw.text(), "labels": draw.whole(0, 2)}


def pretraining(draw):
    return {**masked(draw), "next_sentence_label": draw.whole(0, 2)}


def images(draw):
    return {**draw.image(), "labels": draw.whole(0, 3)}


def patches(draw):
    return {**draw.image(), "bool_masked_pos": torch.arange(4) < draw.labelled[:, None] % 4 + 1}


def regions(draw):
    labels = draw.whole(0, 3, 16, 16)
    labels = labels.masked_fill(torch.arange(16) >= 2 * draw.labelled[:, None, None], 255)  # what is to be ignored
    return {**draw.image(), "labels": labels}


def pictures(draw):
    return {**draw.text(), **draw.image(), "return_loss": True}


def waves(draw):
    return {"input_values": draw.real(200), "labels": draw.whole(0, 3)}


def speech(draw):
    return {"input_values": draw.real(200), "labels": draw.uneven(draw.whole(1, TOKENS, 5))}


def series(draw):
    return {"past_values": draw.real(8, 2), "future_values": draw.real(4, 2)}


def replaced(draw):
    return {**draw.text(), "labels": draw.whole(0, 2, LENGTH)}


@dataclass(frozen=True)
class Case:
    """A class of models.

    Args:
        name: the class.
        model: makes one.
        columns: draws data for it.
        counted: what the loss of a part of a step is divided by: ``"step"``, the labels of the step; ``"ignored"``,
            those of the part, though the Trainer hands it those of the step; ``"parts"``, those of the part; ``"sum"``,
            nothing.
        coupled: what depends on the other samples of a batch: a sample's ``"loss"``; in training, ``"statistics"``.
    """

    name: str
    model: Callable[[], torch.nn.Module]
    columns: Callable[["Drawn"], dict[str, Any]]
    counted: str
    coupled: str = ""


def case(name, config, columns, counted, coupled="", **more):
    return Case(name, made(name, config, **more), columns, counted, coupled)


TAKEN = {
    "next token, labels counted unshifted": case("GPT2LMHeadModel", GPT2, tokens, "step"),
    "next token": case("LlamaForCausalLM", LLAMA, tokens, "step"),
    "next token, own head": case("BertLMHeadModel", BERT, tokens, "step", is_decoder=True),
    "next token, experts": case(
        "MixtralForCausalLM", LLAMA, tokens, "step", num_key_value_heads=2, num_local_experts=2
    ),
    "masked": case("BertForMaskedLM", BERT, masked, "ignored"),
    "masked, by the step": case("ModernBertForMaskedLM", BERT, masked, "step"),
    "masked and next sentence": case("BertForPreTraining", BERT, pretraining, "ignored"),
    "sequence to sequence, T5": case("T5ForConditionalGeneration", T5, masked, "ignored"),
    "sequence to sequence, tied": case("BartForConditionalGeneration", {**PAIR, **TEXT}, masked, "ignored"),
    "sequence to sequence, a pair": Case("EncoderDecoderModel", pair, masked, "ignored"),
    "classes": case("BertForSequenceClassification", BERT, classes, "ignored"),
    "classes, of the last token": case("LlamaForSequenceClassification", LLAMA, classes, "ignored"),
    "several classes": case("BertForSequenceClassification", BERT, several, "ignored"),
    "regression": case("BertForSequenceClassification", BERT, numbers, "ignored", num_labels=1),
    "tags": case("BertForTokenClassification", BERT, tagged, "ignored"),
    "spans": case("BertForQuestionAnswering", BERT, spans, "parts", num_labels=2),
    "choices": case("BertForMultipleChoice", BERT, choices, "ignored"),
    "next sentence": case("BertForNextSentencePrediction", BERT, sentences, "ignored"),
    "images": case("ViTForImageClassification", {**WIDTHS, **IMAGE, "num_labels": 3}, images, "step"),
    "images, of the parts": case(
        "ConvNextForImageClassification",
        {"hidden_sizes": [8, 8], "depths": [1, 1], "num_stages": 2, "num_labels": 3},
        images,
        "parts",
    ),
    "regions": case(
        "SegformerForSemanticSegmentation",
        {
            "num_encoder_blocks": 2,
            "depths": [1, 1],
            "sr_ratios": [1, 1],
            "hidden_sizes": [8, 8],
            "strides": [2, 2],
            "patch_sizes": [3, 3],
            "num_attention_heads": [1, 1],
            "mlp_ratios": [1, 1],
            "decoder_hidden_size": 8,
            "num_labels": 3,
        },
        regions,
        "ignored",
        coupled="statistics",
    ),
    "images and texts": Case("CLIPModel", clip, pictures, "parts", coupled="loss"),
    "waves": case("Wav2Vec2ForSequenceClassification", WAVE, waves, "ignored"),
    "speech": case("Wav2Vec2ForCTC", WAVE, speech, "sum"),
    "series": case(
        "PatchTSTForPrediction",
        {
            "num_input_channels": 2,
            "context_length": 8,
            "prediction_length": 4,
            "patch_length": 4,
            "patch_stride": 4,
            "d_model": 8,
            "ffn_dim": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "loss": "mse",
            "norm_type": "layernorm",
        },
        series,
        "parts",
    ),
}


def stacked(rows):
    """A collator."""
    first = rows[0]
    return {
        key: torch.stack([row[key] for row in rows]) if isinstance(value, torch.Tensor) else value
        for key, value in first.items()
    }


def data(columns, count, seed, period=5):
    return Columns(columns(Drawn(count, seed, period)))


class InOrder(transformers.Trainer):
    """Takes the rows as they come."""

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def trainer_of(folder, model, train, kind=transformers.Trainer, parts=None, **arguments):
    """Returns a function that makes a Trainer with 8 samples a step."""
    settings = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "dataloader_pin_memory": False}
    defaults = {"per_device_train_batch_size": 8, "max_steps": 2, "remove_unused_columns": False, "save_strategy": "no"}
    more = {
        "model_init": model,
        "train_dataset": train,
        "eval_dataset": train,
        "data_collator": stacked,
        **(parts or {}),
    }
    args = transformers.TrainingArguments(str(folder), **{**settings, **defaults, **arguments})
    return lambda: kind(args=args, **more)


def train(trainer, model, optimizer):
    """Trains a model with a Trainer and an optimizer that does not change its learning rate."""
    trainer.model = trainer.model_wrapped = model
    trainer.model_init, trainer.optimizer = None, optimizer
    trainer.train()
