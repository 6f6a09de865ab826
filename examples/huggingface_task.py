"""Which optimizer suits this Trainer? Its data, model, loss and metric as a task of a comparison, as they are.

    pip install 'trimtab[huggingface]'
    trimtab compare examples/huggingface_task.py:task --candidates adamw,lion --steps 60 --trials 4 --seeds 3

The model is a tiny BERT with random weights, and the class of a made-up text is its most frequent token: nothing is
downloaded.
"""

import tempfile

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from trimtab import TrainerTask

CLASSES, TOKENS, LENGTH = 3, 12, 16


class Texts(Dataset):
    """Rows of token numbers with a class each."""

    def __init__(self, size: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(CLASSES, TOKENS, (size, LENGTH), generator=generator)
        self.labels = torch.randint(CLASSES, (size,), generator=generator)
        often = torch.rand(size, LENGTH, generator=generator) < 0.3
        self.tokens[often] = self.labels[:, None].expand(size, LENGTH)[often]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> dict:
        return {"input_ids": self.tokens[row], "labels": self.labels[row]}


def model() -> BertForSequenceClassification:
    """Returns a model with fresh weights."""
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=TOKENS,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=LENGTH,
            num_labels=CLASSES,
        )
    )


def accuracy(prediction) -> dict[str, float]:
    """Returns what is measured on a whole split."""
    return {"accuracy": float(np.mean(prediction.predictions.argmax(-1) == prediction.label_ids))}


def trainer() -> Trainer:
    """Returns the Trainer as it was before anybody thought of a comparison."""
    return Trainer(
        model_init=model,
        args=TrainingArguments(
            tempfile.gettempdir(),
            max_steps=200,
            per_device_train_batch_size=16,
            gradient_accumulation_steps=2,
            per_device_eval_batch_size=64,
            metric_for_best_model="accuracy",
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=Texts(1000, seed=1),
        eval_dataset=Texts(300, seed=2),
        compute_metrics=accuracy,
    )


def task() -> TrainerTask:
    """Returns the task, with data for the test that the Trainer does not know."""
    return TrainerTask(trainer, test=Texts(300, seed=3), name="texts")
