"""Bytes a parameter that optimizers keep, against the arithmetic, and what a step takes.

One model: a GPT of 30 M parameters, of which 25 M are in the linear layers that GaLore projects. Gradients are random.
Bytes are those of tensors' memory, each piece once; gradients do not count, nor what is only there during a step. Steps
are interleaved as in ``optimizer_step.py``. Decompositions are timed apart: their share is that of all time if one is
made every 200 steps.

Packages that are not installed are left out: torchao, and galore-torch, of which only the part without bitsandbytes is
used.

    python benchmarks/optimizer_memory.py [--rank 128] [--repeats 7] [--threads N] [--clock wall|cpu]
"""

import importlib
import logging
import statistics
import sys
import types
import warnings
from importlib.util import find_spec

import torch
from side_by_side import Parser, in_turn, milliseconds, setting
from torch import nn

from trimtab.optim import AdaBelief, GaLore, QGaLore, galore_parameter_groups, quantize_linears
from trimtab.primitives.memory import storage_bytes

WIDTH, LAYERS, VOCABULARY, POSITIONS, GAP = 512, 8, 8192, 1024, 200
GOAL = 0.05


class Gpt(nn.Module):
    """The parameters of a GPT; it is never called."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        sizes = [(WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH, WIDTH)]
        self.layers = nn.ModuleList(
            nn.ModuleList([*(nn.Linear(*size) for size in sizes), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)])
            for _ in range(LAYERS)
        )


def model():
    """Returns the model, always the same, with gradients."""
    torch.manual_seed(0)
    made = Gpt()
    for param in made.parameters():
        param.grad = torch.randn(param.shape)
    return made


def bytes_of(made, weight, projection, state, rank):
    """Returns what arithmetic says: bytes of weights, projections and states.

    Args:
        made: the model.
        weight: bytes of a projected weight.
        projection: bytes of a number of a projection; 0 if nothing is projected.
        state: bytes of all states of one number.
        rank: of the projections.
    """
    linear = {layer.weight for layer in made.modules() if isinstance(layer, nn.Linear)}
    weights = projections = states = 0.0
    for param in made.parameters():
        if param in linear and projection:
            short, long = sorted(param.shape)
            weights += weight * param.numel()
            projections += projection * short * rank
            states += state * long * rank
        else:
            weights += 4 * param.numel()
            states += (state if param.numel() >= 4096 else 8) * param.numel()
    return weights, projections, states


def galore_torch():
    """Returns the module with galore-torch's AdamW; its package imports bitsandbytes, which that does not need."""
    package = types.ModuleType("galore_torch")
    package.__path__ = list(find_spec("galore_torch").submodule_search_locations)
    sys.modules["galore_torch"] = package
    return importlib.import_module("galore_torch.adamw").AdamW


def galore_torch_adamw(made, rank):
    """Builds galore-torch's AdamW."""
    projected, rest = galore_parameter_groups(made, rank)
    own = {"rank": rank, "update_proj_gap": GAP, "scale": 0.25, "proj_type": "std"}
    groups = [{"params": [param for _, param in group["params"]]} for group in (projected, rest)]
    return galore_torch()([{**groups[0], **own}, groups[1]], lr=1e-3, no_deprecation_warning=True)


def projections_of(optimizer):
    """Returns what holds the projections."""
    if isinstance(optimizer, GaLore):
        return dict(optimizer.subspaces)
    return [state["projector"].ortho_matrix for state in optimizer.state.values() if "projector" in state]


def quantized(made):
    """Stores the linear layers' weights in 8 bits."""
    grads = {name: param.grad for name, param in made.named_parameters()}
    quantize_linears(made)
    for name, param in made.named_parameters():
        param.grad = grads[name]
    return made


def candidates(rank):
    """Returns for each row: name, what makes the optimizer, and bytes of weight, projection and state a number."""
    fused = {"lr": 1e-3, "fused": True}

    def q_groups(made):
        return galore_parameter_groups(quantized(made), rank, prefix="q_galore")

    rows = [
        ("AdamW, fused", lambda made: torch.optim.AdamW(made.parameters(), **fused), (4, 0, 8)),
        ("AdaBelief", lambda made: AdaBelief(made.parameters()), (4, 0, 8)),
        (
            "GaLore around AdamW",
            lambda m: GaLore(torch.optim.AdamW(galore_parameter_groups(m, rank), **fused)),
            (4, 4, 8),
        ),
        ("GaLore around AdaBelief", lambda made: GaLore(AdaBelief(galore_parameter_groups(made, rank))), (4, 4, 8)),
        ("Q-GaLore around AdamW", lambda made: QGaLore(torch.optim.AdamW(q_groups(made), **fused)), (1.03, 0.53, 8)),
    ]
    if find_spec("torchao"):
        logging.disable(logging.WARNING)
        from torchao.optim import AdamW8bit

        rows.insert(2, ("torchao AdamW8bit", lambda made: AdamW8bit(made.parameters(), lr=1e-3), (4, 0, 2)))
        rows.append(("Q-GaLore around AdamW8bit", lambda m: QGaLore(AdamW8bit(q_groups(m), lr=1e-3)), (1.03, 0.53, 2)))
    if find_spec("galore_torch"):
        rows.insert(2, ("galore-torch AdamW", lambda made: galore_torch_adamw(made, rank), (4, 4, 8)))
    return rows


def measured(made, optimizer):
    """Returns bytes of weights, projections and states."""
    state = {param: {k: v for k, v in own.items() if k != "projector"} for param, own in optimizer.state.items()}
    return storage_bytes(list(made.parameters())), storage_bytes(projections_of(optimizer)), storage_bytes(state)


def main():
    parser = Parser(__doc__, repeats=7)
    parser.add_argument("--rank", type=int, default=128)
    options = parser.options()
    warnings.simplefilter("ignore")
    steps, lines, decompositions = {}, {}, {}
    for name, make, numbers in candidates(options.rank):
        made = model()
        expected = bytes_of(made, *numbers, options.rank)
        optimizer = make(made)
        first = milliseconds(optimizer.step, options.clock)
        optimizer.step()
        steps[name] = optimizer.step
        lines[name] = measured(made, optimizer), expected
        decompositions[name] = first if sum(expected[1:2]) else 0.0
        print(f"  {name}: first step {first / 1e3:.1f} s", file=sys.stderr)
    times = in_turn(steps, options)
    elements = sum(param.numel() for param in model().parameters())
    print(f"{setting(options)}, rank {options.rank}")
    print(f"{elements / 1e6:.1f} M parameters; bytes a parameter; goal: within {GOAL:.0%} of the arithmetic\n")
    print("| optimizer | weights | projections | states | all | arithmetic | off by | step / AdamW | decompositions |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    reference = statistics.median(times["AdamW, fused"])
    for name, (found, expected) in lines.items():
        step = statistics.median(times[name])
        share = max(0.0, decompositions[name] - step) / (GAP * step + max(0.0, decompositions[name] - step))
        off = sum(found) / sum(expected) - 1
        each = [f"{value / elements:.2f}" for value in (*found, sum(found), sum(expected))]
        verdict = f"{off:+.1%} ({'met' if abs(off) <= GOAL else 'MISSED'})"
        print(f"| {name} | {' | '.join(each)} | {verdict} | {step / reference:.1f} | {share:.0%} |")


if __name__ == "__main__":
    main()
