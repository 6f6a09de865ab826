"""LAMB keeps its quality with few, very large batches (You et al., 2020, arXiv:1904.00962), where LARS does not."""

from functools import partial

from torch import nn
from torch.optim import AdamW, Optimizer

from trimtab.claims.claim import Arm, Builder, Chosen, Claim, Contest, Panel, Run, Statement, less, numbered, seeds
from trimtab.claims.schedules import scheduled, warm_up_then_linear
from trimtab.claims.tasks import budgeted
from trimtab.lab.task import Task
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.optim import Lamb, Lars

SAMPLES = 5120
BATCHES = (8, 256)
TUNING_SEEDS = seeds(0, 1)
TEST_SEEDS = seeds(1000, 8)
CLAIMED_GAP = 0.05
CLAIMED_GAIN = 0.02
GRID = {"lr": numbered(1.25e-3, 2, 8), "warm_up": (0.05, 0.2)}
DECAY, COUPLED_DECAY = 0.01, 1e-4


def text(batch_size: int) -> Task:
    """Returns the language model, for as many windows of text whatever the batch."""
    return budgeted(PythonLM(), batch_size, SAMPLES)


def _paced(optimizer: Optimizer, settings: Chosen, run: Run) -> Optimizer:
    return scheduled(optimizer, warm_up_then_linear(run.steps, settings["warm_up"]))


def lamb(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds LAMB with the paper's weight decay."""
    rule = Lamb(model.parameters(), lr=settings["lr"], weight_decay=DECAY, compile=False)
    return _paced(rule, settings, run)


def adamw(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds AdamW with the same weight decay."""
    return _paced(AdamW(model.parameters(), lr=settings["lr"], weight_decay=DECAY), settings, run)


def lars(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds LARS as the paper on LAMB defines it."""
    rule = Lars(
        model.parameters(),
        lr=settings["lr"],
        weight_decay=COUPLED_DECAY,
        variant="paper",
        compile=False,
    )
    return _paced(rule, settings, run)


RULES: dict[str, Builder] = {"lamb": lamb, "adamw": adamw, "lars": lars}
SMALL, LARGE = (f"batch {batch}" for batch in BATCHES)


def smaller_gap(lamb_small: float, lamb_large: float, adamw_small: float, adamw_large: float) -> float:
    """Returns how much less LAMB loses by the large batch than AdamW does."""
    return (adamw_large - adamw_small) - (lamb_large - lamb_small)


def _arms() -> tuple[Arm, ...]:
    return tuple(
        Arm(f"{name}, batch {batch}", partial(text, batch), build, GRID, TUNING_SEEDS, TEST_SEEDS, evaluations=5)
        for batch in BATCHES
        for name, build in RULES.items()
    )


def _at(batch: str, baseline: str, claimed: float, *, decides: bool) -> Statement:
    arms = (f"lamb, {batch}", f"{baseline}, {batch}")
    name = f"lamb against {baseline}, {batch}"
    return Statement(name, "test loss", arms, less, claimed, "nats per byte", decides=decides)


CLAIM = Claim(
    id="lamb",
    paper="LAMB trains BERT with batches of 32,768 without losing quality; LARS is poor for attention models.",
    reported=(
        "BERT in 76 minutes instead of 3 days, “without any degradation of performance”. Nado et al. (2021, "
        "arXiv:2102.06356) find tuned Adam and Nesterov's momentum as good at the same batches."
    ),
    statement=(
        f"For a small language model that sees {SAMPLES} windows of text, going from {SMALL} to {LARGE} costs LAMB at "
        f"least {CLAIMED_GAP} nats per byte less than it costs AdamW; at {LARGE} LAMB is at least {CLAIMED_GAIN} nats "
        "better than AdamW, and better than LARS; all of them tuned at each batch."
    ),
    protocol=(
        "A transformer of two layers of width 64 learns the next byte of Python's standard library, in windows of 64. "
        f"A run sees {SAMPLES:,} windows: {SAMPLES // BATCHES[0]} steps of {BATCHES[0]}, or {SAMPLES // BATCHES[1]} of "
        f"{BATCHES[1]}.",
        "Tuned at each batch: 8 learning rates, a factor of 2 apart, times a warm-up over 5 or 20 % of the steps, with "
        "seed 0; then the rate falls linearly to zero. All three have the same grid: for LAMB and LARS the rate is the "
        "relative change of a layer, for AdamW the change of a weight.",
        f"Weight decay is {DECAY} for LAMB, as in the paper, and for AdamW, and {COUPLED_DECAY} in LARS's gradient. "
        "LARS is Algorithm 1 of the paper on LAMB.",
        f"{len(TEST_SEEDS)} fresh seeds, the loss on test windows at the end.",
    ),
    cut=(
        "Batches 8 and 256 instead of 16, 256 and 1,024, and a quarter of the text, so that the large batch still has "
        "20 steps. A run with 20,480 windows takes 14 to 27 s, and there would be 144 of them.",
        "Nesterov's momentum, on which nothing of the claim depends.",
    ),
    full_scale=(
        "BERT-Large on Wikipedia and BooksCorpus, sequences of 128 and, in the last tenth, 512; batches of 65,536 and "
        "32,768, 8,599 steps, weight decay 0.01, a second warm-up when sequences grow; ResNet-50 on ImageNet, batches "
        "of 16,384 to 32,768, 90 epochs.",
        "Missing here: the corpora, BERT, ImageNet and the accelerators.",
    ),
    arms=_arms(),
    comparisons=(
        Statement(
            f"what {LARGE} costs lamb, against adamw",
            "test loss",
            (f"lamb, {SMALL}", f"lamb, {LARGE}", f"adamw, {SMALL}", f"adamw, {LARGE}"),
            smaller_gap,
            CLAIMED_GAP,
            "nats per byte",
        ),
        _at(LARGE, "adamw", CLAIMED_GAIN, decides=True),
        _at(LARGE, "lars", 0.0, decides=True),
        _at(SMALL, "adamw", 0.0, decides=False),
        _at(SMALL, "lars", 0.0, decides=False),
    ),
    panels=(
        Panel(
            "Test loss by batch",
            "test loss",
            "nats per byte",
            (SMALL, LARGE),
            {name: (f"{name}, {SMALL}", f"{name}, {LARGE}") for name in RULES},
            ordered=True,
        ),
    ),
    gist="a large batch costs it less than AdamW, and there it beats AdamW and LARS",
    contests=tuple(
        Contest(
            "lamb", title, {f"at {batch}": f"lamb against {baseline}, {batch}, test loss" for batch in (SMALL, LARGE)}
        )
        for title, baseline in (("AdamW", "adamw"), ("LARS", "lars"))
    ),
)
