"""Lion's gain over AdamW grows with the batch (Chen et al., 2023, arXiv:2302.06675, section on batch sizes)."""

from functools import partial

from torch import nn
from torch.optim import AdamW, Optimizer

from trimtab.claims.claim import Arm, Chosen, Claim, Contest, Panel, Run, Statement, less, numbered, seeds
from trimtab.claims.schedules import scheduled, warm_up_then_linear
from trimtab.claims.tasks import budgeted
from trimtab.lab.task import Task
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.optim import Lion

SAMPLES = 5120
BATCHES = (16, 256)
TUNING_SEEDS = seeds(0, 1)
TEST_SEEDS = seeds(1000, 10)
WARM_UP = 0.05
CLAIMED = 0.02

# Lion's rates are a quarter of AdamW's and its decays four times as large, as the paper advises (3 to 10)
ADAMW_GRID = {"lr": numbered(1.25e-3, 2, 8), "weight_decay": (0.01, 0.1, 1.0)}
LION_GRID = {"lr": numbered(3.125e-4, 2, 8), "weight_decay": (0.04, 0.4, 4.0)}


def text(batch_size: int) -> Task:
    """Returns the language model, for as many windows of text whatever the batch."""
    return budgeted(PythonLM(), batch_size, SAMPLES)


def adamw(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds AdamW with the schedule of both."""
    return scheduled(AdamW(model.parameters(), **settings), warm_up_then_linear(run.steps, WARM_UP))


def lion(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds Lion with the paper's betas for language models and the schedule of both."""
    rule = Lion(model.parameters(), betas=(0.95, 0.98), compile=False, **settings)
    return scheduled(rule, warm_up_then_linear(run.steps, WARM_UP))


def gain_grows(lion_small: float, adamw_small: float, lion_large: float, adamw_large: float) -> float:
    """Returns how much larger the gain over AdamW is at the large batch."""
    return (adamw_large - lion_large) - (adamw_small - lion_small)


def _arms() -> tuple[Arm, ...]:
    rules = (("lion", lion, LION_GRID), ("adamw", adamw, ADAMW_GRID))
    return tuple(
        Arm(f"{name}, batch {batch}", partial(text, batch), build, grid, TUNING_SEEDS, TEST_SEEDS, evaluations=5)
        for batch in BATCHES
        for name, build, grid in rules
    )


SMALL, LARGE = BATCHES
AT_SMALL = (f"lion, batch {SMALL}", f"adamw, batch {SMALL}")
AT_LARGE = (f"lion, batch {LARGE}", f"adamw, batch {LARGE}")

CLAIM = Claim(
    id="lion",
    paper="Lion's gain over AdamW grows with the batch: for ViT-B/16 its best batch is 4,096, and AdamW's is 256.",
    reported="ImageNet accuracy of ViT-B/16 at batch 32,768: AdamW 75.4 %, Lion 77.9 %; no gain at batches below 64.",
    statement=(
        f"For a small language model that sees {SAMPLES} windows of text, Lion's gain in test loss over AdamW is at "
        f"least {CLAIMED} nats per byte larger at batch {LARGE} than at batch {SMALL}, both tuned at each batch."
    ),
    protocol=(
        "A transformer of two layers of width 64 learns the next byte of Python's standard library, in windows of 64. "
        f"A run sees {SAMPLES:,} windows: {SAMPLES // SMALL} steps of {SMALL}, or {SAMPLES // LARGE} of {LARGE}.",
        "Tuned at each batch: 8 learning rates, a factor of 2 apart, times 3 weight decays, with seed 0. Lion's rates "
        "are AdamW's divided by 4, its decays AdamW's times 4.",
        f"The rate warms up over {WARM_UP:.0%} of the steps and falls linearly to zero. Lion has the betas that the "
        "paper uses for language models, 0.95 and 0.98; AdamW has PyTorch's.",
        f"{len(TEST_SEEDS)} fresh seeds, the loss on test windows at the end.",
    ),
    cut=(
        "Batches 16 and 256 instead of 64 and 1,024, and a quarter of the text: the numbers of steps (320 and 20) and "
        "the ratio of the batches stay. A run with 20,480 windows takes 14 to 27 s, and there would be 136 of them.",
        "Images, diffusion, and the program search that found Lion.",
    ),
    full_scale=(
        "ViT-B/16 on ImageNet from scratch, 300 epochs, batches 64 to 32,768; at batch 4,096 Lion with lr 1e-4 and "
        "weight decay 10, AdamW with 1e-3 and 1; 10,000 steps of warm-up, then a cosine.",
        "Missing here: ImageNet, the vision transformer and the accelerators.",
    ),
    arms=_arms(),
    comparisons=(
        Statement(
            f"Lion's gain at batch {LARGE} over that at batch {SMALL}",
            "test loss",
            (*AT_SMALL, *AT_LARGE),
            gain_grows,
            CLAIMED,
            "nats per byte",
        ),
        Statement(f"Lion's gain at batch {SMALL}", "test loss", AT_SMALL, less, 0.0, "nats per byte", decides=False),
        Statement(f"Lion's gain at batch {LARGE}", "test loss", AT_LARGE, less, 0.0, "nats per byte", decides=False),
    ),
    panels=(
        Panel(
            "Test loss by batch",
            "test loss",
            "nats per byte",
            tuple(f"batch {batch}" for batch in BATCHES),
            {"Lion": (AT_SMALL[0], AT_LARGE[0]), "AdamW": (AT_SMALL[1], AT_LARGE[1])},
            ordered=True,
        ),
    ),
    gist="its gain over AdamW grows with the batch",
    contests=(
        Contest(
            "lion", "AdamW", {f"at batch {batch}": f"Lion's gain at batch {batch}, test loss" for batch in BATCHES}
        ),
    ),
)
