"""Q-GaLore is as good as GaLore with less memory and fewer decompositions (Zhang et al., 2024, arXiv:2407.08296)."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from trimtab.claims.claim import Arm, Chosen, Claim, Contest, Panel, Run, Statement, less, numbered, seeds
from trimtab.claims.schedules import cosine, scheduled
from trimtab.claims.tasks import budgeted
from trimtab.lab.session import Session
from trimtab.lab.task import Task
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.optim import GaLore, QGaLore, galore_parameter_groups, quantize_linears
from trimtab.primitives.memory import storage_bytes

SAMPLES, BATCH = 12_000, 16
RANK, GAP = 16, 25
TUNING_SEEDS = seeds(0, 1)
TEST_SEEDS = seeds(1000, 6)
GRID = {"lr": numbered(2.5e-3, 2, 5)}
SMALL_STEPS = {"lr": (2e-3,)}
ALLOWED_LOSS, ALLOWED_DECOMPOSITIONS, ALLOWED_BYTES = 0.03, 0.60, 0.45
CLAIMED_BY_ROUNDING = 0.02


def text() -> Task:
    """Returns the language model."""
    return budgeted(PythonLM(), BATCH, SAMPLES)


def adamw(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds AdamW without weight decay."""
    return scheduled(AdamW(model.parameters(), weight_decay=0.0, **settings), cosine(run.steps))


def galore(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds GaLore around that."""
    rule = AdamW(galore_parameter_groups(model, RANK), weight_decay=0.0, **settings)
    return scheduled(GaLore(rule, update_proj_gap=GAP), cosine(run.steps))


def q_galore(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds Q-GaLore around that, and stores the projected weights in 8 bits."""
    return _quantized(model, settings, run, stochastic_rounding=True)


def nearest(model: nn.Module, settings: Chosen, run: Run) -> Optimizer:
    """Builds Q-GaLore that rounds weights to the nearest."""
    return _quantized(model, settings, run, stochastic_rounding=False)


def _quantized(model: nn.Module, settings: Chosen, run: Run, *, stochastic_rounding: bool) -> Optimizer:
    quantize_linears(model)
    rule = AdamW(galore_parameter_groups(model, RANK, prefix=QGaLore.prefix), weight_decay=0.0, **settings)
    wrapper = QGaLore(rule, update_proj_gap=GAP, seed=run.seed, stochastic_rounding=stochastic_rounding)
    return scheduled(wrapper, cosine(run.steps))


def held(session: Session) -> Mapping[str, float]:
    """Returns the decompositions of the run, and the bytes of the linear layers that GaLore is meant for."""
    optimizer = session.optimizer
    projected, _ = galore_parameter_groups(session.model, RANK)
    weights: list[Tensor] = projected["params"]
    kept = [(param, optimizer.state[param], _subspace(optimizer, param)) for param in weights]
    decompositions = optimizer.svd_count if isinstance(optimizer, GaLore) else 0
    return {"decompositions": float(decompositions), "bytes": float(storage_bytes(kept))}


def _subspace(optimizer: Optimizer, param: Tensor) -> object:
    return optimizer.subspaces[param] if isinstance(optimizer, GaLore) else None


def within(allowed_share: float, name: str, measure: str, arms: tuple[str, str]) -> Statement:
    """Returns the comparison of a share of a baseline's with what is allowed."""
    return Statement(name, measure, arms, lambda own, other: allowed_share - own / other, 0.0, "of the baseline's")


def not_much_worse(own: float, baseline: float) -> float:
    """Returns how far a loss stays below the most that is allowed."""
    return baseline + ALLOWED_LOSS - own


AT_RANDOM, TO_NEAREST = "q_galore, small steps, at random", "q_galore, small steps, to the nearest"

CLAIM = Claim(
    id="q_galore",
    paper=(
        "Q-GaLore trains and tunes language models as well as GaLore, with INT8 weights and INT4 projections, and far "
        "fewer decompositions."
    ),
    reported=(
        "Validation perplexity on C4 of LLaMA with 60 M, 130 M, 350 M and 1 B parameters: 34.88, 25.53, 19.79, 16.25; "
        "GaLore 34.88, 25.36, 18.95, 15.64; Adam 34.06, 25.08, 18.80, 15.56 (secondary source). LLaMA-7B trains within "
        "16 GB."
    ),
    statement=(
        f"For a small language model, with rank {RANK} of 64, Q-GaLore's test loss is at most {ALLOWED_LOSS} nats per "
        f"byte above GaLore's, both tuned; it makes at most {ALLOWED_DECOMPOSITIONS:.0%} of its decompositions; "
        f"weights, projections and states of the projected layers take at most {ALLOWED_BYTES:.0%} of AdamW's bytes; "
        "and where steps are smaller than a tenth of a quantum, stochastic rounding is at least "
        f"{CLAIMED_BY_ROUNDING} nats better than rounding to the nearest."
    ),
    protocol=(
        "A transformer of two layers of width 64 learns the next byte of Python's standard library, in windows of 64: "
        f"{SAMPLES // BATCH} steps of {BATCH}, the rate falls along a cosine, no weight decay. All arms have PyTorch's "
        "AdamW, alone or inside.",
        f"GaLore and Q-GaLore project the 12 linear layers of the blocks; embeddings, positions and output layer are "
        f"AdamW's. They decompose every {GAP} steps, Q-GaLore until it finds a layer's subspace settled, with the "
        "paper's threshold of 0.4, queue of 5 and factor of 2. Its weights have 8 bits, its projections 4, its states "
        "32.",
        "Tuned: 5 learning rates, a factor of 2 apart, with seed 0, the same for AdamW, GaLore and Q-GaLore.",
        f"Rounding is compared at a fixed rate of {SMALL_STEPS['lr'][0]}: a weight moves by about an eighth of the "
        "rate, and its quantum is about 0.0027, so that the first and largest steps are on average less than a "
        "tenth of it.",
        f"{len(TEST_SEEDS)} fresh seeds, the loss on test windows at the end; decompositions and bytes are counted "
        "there.",
    ),
    cut=(
        "750 steps instead of 1,500, with decompositions every 25 steps instead of every 50: the number of "
        "decompositions stays.",
        "LoRA, the signed cosine, projections of 8 bits and fixed intervals, on which nothing of the claim depends.",
        "States of 8 bits: torchao's AdamW compiles for each shape, which takes longer than a run. Bytes are compared "
        "for the projected layers, because in so small a model nearly half of the parameters are embeddings.",
    ),
    full_scale=(
        "LLaMA of 60 M to 7 B parameters on C4, batches of 512 windows of 256 tokens, 10,000 to 150,000 steps, 10 % of "
        "warm-up and a cosine to 10 %, bfloat16, ranks 128 to 1,024, intervals 200 and 500; RoBERTa on GLUE, "
        "LLaMA-3-8B.",
        "Missing here: C4, the models and the accelerators.",
    ),
    measures=("decompositions", "bytes"),
    arms=(
        Arm("adamw", text, adamw, GRID, TUNING_SEEDS, TEST_SEEDS, evaluations=5, probe=held),
        Arm("galore", text, galore, GRID, TUNING_SEEDS, TEST_SEEDS, evaluations=5, probe=held),
        Arm("q_galore", text, q_galore, GRID, TUNING_SEEDS, TEST_SEEDS, evaluations=5, probe=held),
        Arm(AT_RANDOM, text, q_galore, SMALL_STEPS, TUNING_SEEDS, TEST_SEEDS, evaluations=5, probe=held),
        Arm(TO_NEAREST, text, nearest, SMALL_STEPS, TUNING_SEEDS, TEST_SEEDS, evaluations=5, probe=held),
    ),
    comparisons=(
        Statement(
            f"q_galore within {ALLOWED_LOSS} of galore",
            "test loss",
            ("q_galore", "galore"),
            not_much_worse,
            0.0,
            "nats per byte",
        ),
        within(ALLOWED_DECOMPOSITIONS, "q_galore spares", "decompositions", ("q_galore", "galore")),
        within(ALLOWED_BYTES, "q_galore spares", "bytes", ("q_galore", "adamw")),
        Statement(
            "rounding small steps at random, against to the nearest",
            "test loss",
            (AT_RANDOM, TO_NEAREST),
            less,
            CLAIMED_BY_ROUNDING,
            "nats per byte",
        ),
        Statement("galore against adamw", "test loss", ("galore", "adamw"), less, 0.0, "nats per byte", decides=False),
    ),
    panels=(
        Panel(
            "Test loss",
            "test loss",
            "nats per byte",
            ("tuned", "small steps"),
            {
                "Q-GaLore": ("q_galore", AT_RANDOM),
                "without": ("galore", TO_NEAREST),
            },
        ),
    ),
    gist="Q-GaLore ends near GaLore with fewer decompositions, in less than half of AdamW's bytes",
    contests=(
        Contest(
            "q_galore",
            "GaLore",
            {"": f"q_galore within {ALLOWED_LOSS} of galore, test loss"},
            allowance=f"{ALLOWED_LOSS} nats per byte",
        ),
        Contest("galore", "AdamW", {"": "galore against adamw, test loss"}),
    ),
)
