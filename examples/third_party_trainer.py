"""A training script as it is found elsewhere: transformers' Trainer and its own arguments, and nothing of trimtab.

The model is tiny and starts from random weights, the data are made up (the class of a text is its most frequent token),
so that it runs in seconds and needs no network. Compare what it can train with:

    trimtab compare \
        --command "python examples/third_party_trainer.py --optim {optimizer} --learning_rate {lr} --seed {seed}
                   --output_dir {out}" \
        --candidates adamw_torch,adafactor,sgd \
        --tune lr=1e-4..1e-1:log --tune sgd.lr=1e-2..10:log \
        --metric eval_loss --trials 4 --seeds 3
"""

import sys

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, HfArgumentParser, Trainer, TrainingArguments

CLASSES, TOKENS, LENGTH = 3, 12, 16


class Texts(Dataset):
    """Rows of token numbers with a class each."""

    def __init__(self, size, seed):
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(CLASSES, TOKENS, (size, LENGTH), generator=generator)
        self.labels = torch.randint(CLASSES, (size,), generator=generator)
        often = torch.rand(size, LENGTH, generator=generator) < 0.3
        self.tokens[often] = self.labels[:, None].expand(size, LENGTH)[often]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        return {"input_ids": self.tokens[row], "labels": self.labels[row]}


def model():
    config = BertConfig(
        vocab_size=TOKENS, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=LENGTH, num_labels=CLASSES,
    )  # fmt: skip
    return BertForSequenceClassification(config)


def main():
    defaults = ["--max_steps", "60", "--eval_strategy", "steps", "--eval_steps", "15", "--save_strategy", "no"]
    defaults += ["--report_to", "none", "--per_device_train_batch_size", "32", "--disable_tqdm", "True"]
    defaults += ["--use_cpu", "True", "--dataloader_pin_memory", "False"]
    (arguments,) = HfArgumentParser(TrainingArguments).parse_args_into_dataclasses([*defaults, *sys.argv[1:]])
    Trainer(
        model_init=model, args=arguments, train_dataset=Texts(1000, seed=1), eval_dataset=Texts(200, seed=2)
    ).train()


if __name__ == "__main__":
    main()
