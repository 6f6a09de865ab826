"""Milliseconds a step of Muon on the GPT of 30 M parameters, against ``torch.optim.Muon`` beside ``torch.optim.AdamW``.

Repeats are interleaved, as in ``optimizer_step.py``, whose GPT this is. Torch's Muon takes matrices alone, so that it
stands beside AdamW for the other parameters, as its manual advises; ours takes all of them. The first row is a step of
everything, the second one of the matrices alone. How far the two are apart after three steps is printed as well, in
shares of how far they went.

    python benchmarks/muon_step.py [--repeats 15] [--threads N] [--clock wall|cpu] [--device cuda]
"""

import statistics

import torch
from optimizer_step import gpt_shapes, parameters
from side_by_side import Parser, in_turn, setting

from trimtab.optim import Muon

GOAL = 1.5
SETTINGS = {"lr": 1e-3, "weight_decay": 0.1}
EMBEDDINGS = 2
"""The first tensors."""


def hidden(params):
    """Returns the matrices of hidden layers, and the rest."""
    matrices = [param for index, param in enumerate(params) if index >= EMBEDDINGS and param.ndim == 2]
    chosen = set(matrices)
    return matrices, [param for param in params if param not in chosen]


def ours(params, *, alone):
    """Returns our step: of everything, or of the matrices alone."""
    matrices, rest = hidden(params)
    groups = [{"params": matrices, "role": "matrix"}, {"params": rest, "role": "vector"}]
    return Muon(groups[:1] if alone else groups, **SETTINGS).step


def theirs(params, *, alone):
    """Returns torch's."""
    matrices, rest = hidden(params)
    muon = torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw", **SETTINGS)
    if alone:
        return muon.step
    adamw = torch.optim.AdamW(rest, fused=True, **SETTINGS)

    def step():
        muon.step()
        adamw.step()

    return step


def apart(device):
    """Returns how far both are apart after three steps, in shares of the way."""
    start = [param.detach().clone() for param in parameters(gpt_shapes(), device)]
    ends = []
    for make in (ours, theirs):
        params = parameters(gpt_shapes(), device)
        step = make(params, alone=False)
        for _ in range(3):
            step()
        ends.append([param.detach() - before for param, before in zip(params, start, strict=True)])
    difference, way = (
        sum(float(each.double().square().sum()) for each in values) ** 0.5
        for values in ([a - b for a, b in zip(*ends, strict=True)], ends[1])
    )
    return difference / way


def main():
    parser = Parser(__doc__, repeats=15)
    parser.add_argument("--device", default="cpu")
    options = parser.options()
    print(f"{setting(options)}, interleaved; medians; goal: >= {GOAL} times as fast as torch")
    print("| what | torch | ours | as fast |")
    print("|---|---:|---:|---:|")
    for title, alone in (("everything", False), ("matrices alone", True)):
        calls = {}
        for name, make in (("torch", theirs), ("ours", ours)):
            calls[name] = make(parameters(gpt_shapes(), options.device), alone=alone)
            for _ in range(3):
                calls[name]()
        times = {name: statistics.median(each) for name, each in in_turn(calls, options).items()}
        ratio = times["torch"] / times["ours"]
        verdict = "met" if ratio >= GOAL else "MISSED"
        print(f"| {title} | {times['torch']:.0f} ms | {times['ours']:.0f} ms | {ratio:.2f} ({verdict}) |")
    print(f"\nafter three steps the two are apart by {apart(options.device):.1e} of the way that they went")


if __name__ == "__main__":
    main()
