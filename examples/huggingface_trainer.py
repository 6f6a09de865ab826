"""Hugging Face's Trainer with an optimizer of trimtab's; a run resumed from a checkpoint equals one without a break.

    pip install 'trimtab[examples]'
    python examples/huggingface_trainer.py

It trains a tiny Llama with random weights to count: nothing is downloaded.
"""

import tempfile
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments, set_seed

from trimtab.optim import AdaBelief

STEPS = 60
VOCABULARY = 32


def counting(sequences: int = 256, length: int = 16) -> list[dict[str, torch.Tensor]]:
    """Returns sequences that count on from a random number in steps of a random size."""
    generator = torch.Generator().manual_seed(0)
    starts = torch.randint(VOCABULARY, (sequences, 1), generator=generator)
    increments = torch.randint(1, 4, (sequences, 1), generator=generator)
    return [{"input_ids": row, "labels": row} for row in (starts + increments * torch.arange(length)) % VOCABULARY]


class PrintNorms(TrainerCallback):
    """Counts the steps, and prints the norms of some of them."""

    def __init__(self) -> None:
        self.steps = 0

    def on_train_begin(self, args, state, control, optimizer=None, **kwargs) -> None:
        """Watches the optimizer, which is inside the one of accelerate."""
        optimizer.optimizer.watch(lambda groups: self.after_step(state.global_step + 1, groups))

    def after_step(self, step: int, groups) -> None:
        """Prints the relative change of the weights with weight decay, and of those without."""
        self.steps += 1
        if step % 10 == 0:
            print(f"step {step}: update/weight", ", ".join(f"{norms.update_to_weight:.1e}" for norms in groups))


def trainer(directory: Path, norms: PrintNorms) -> Trainer:
    """Returns a fresh run that saves a checkpoint half-way and at the end."""
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            attention_dropout=0.1,
        )
    )
    return Trainer(
        model,
        TrainingArguments(
            directory,
            max_steps=STEPS,
            per_device_train_batch_size=16,
            gradient_accumulation_steps=2,
            lr_scheduler_type="cosine",
            warmup_steps=6,
            weight_decay=0.01,  # here, not below: the Trainer writes it into the parameter groups
            save_steps=STEPS // 2,
            logging_steps=20,
            disable_tqdm=True,
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=counting(),
        callbacks=[norms],
        optimizer_cls_and_kwargs=(AdaBelief, {"lr": 3e-3}),
    )


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Returns whether two models are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def main() -> None:
    """Trains, then goes on from the checkpoint half-way as if the rest had been lost, and compares."""
    with tempfile.TemporaryDirectory() as name:
        norms = PrintNorms(), PrintNorms()
        unbroken = trainer(Path(name) / "unbroken", norms[0])
        unbroken.train()
        resumed = trainer(Path(name) / "resumed", norms[1])
        resumed.train(resume_from_checkpoint=f"{name}/unbroken/checkpoint-{STEPS // 2}")
    print(f"steps taken: {norms[0].steps} without a break, {norms[1].steps} after one")
    print(f"resumed run equals the unbroken one bit for bit: {same_weights(resumed.model, unbroken.model)}")


if __name__ == "__main__":
    main()
