"""What recording the gradients' norm costs: milliseconds of whole training steps, as ratios to plain steps in one run.

A step is forward, backward and update with AdamW. Repeats are interleaved: every variant takes one timed step, in an
order that is drawn anew, then all take the next one. ``clip_grad_norm_`` with a limit that is never reached, which
computes the same norm and scales all gradients by one, stands beside them.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/gradient_norms.py [--repeats 101] [--threads N] [--clock wall|cpu]
"""

import statistics

import torch
from side_by_side import Parser, in_turn, setting
from torch import nn

from trimtab.claims.tasks import PlainDigits
from trimtab.lab.task import take_rows
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.schedule import GradientNormRecorder

PROBLEMS = {
    "small network for digits, batch 50": (lambda: PlainDigits(1), 50),
    "transformer for bytes, 32 windows of 64": (PythonLM, 32),
}


def nothing(_optimizer, _params):
    return lambda: None


def clipped(_optimizer, params):
    return lambda: nn.utils.clip_grad_norm_(params, float("inf"))


def recorded(norm, every=1):
    def watch(optimizer, _params):
        GradientNormRecorder(optimizer, norm, every)
        return lambda: None

    return watch


VARIANTS = {
    "plain": nothing,
    "clip_grad_norm_": clipped,
    "recorded, l2": recorded("l2"),
    "recorded, l1": recorded("l1"),
    "recorded, l1, every=10": recorded("l1", every=10),
    "recorded, adam_weighted": recorded("adam_weighted"),
}


def training(task, size, variant):
    """Returns a function that takes one training step."""
    model = task.model(torch.Generator().manual_seed(0))
    params = list(model.parameters())
    optimizer = torch.optim.AdamW(params, lr=1e-4)
    before_step = variant(optimizer, params)
    batch = take_rows(task.train, torch.arange(size), task.collate)

    def step():
        optimizer.zero_grad()
        task.losses(task.outputs(model, batch), batch).mean().backward()
        before_step()
        optimizer.step()

    return step


def main():
    options = Parser(__doc__, repeats=101).options()
    print(setting(options))
    for title, (make_task, size) in PROBLEMS.items():
        task = make_task()
        times = in_turn({name: training(task, size, variant) for name, variant in VARIANTS.items()}, options, warm_up=3)
        # every tenth step of one variant costs more than the others: means, of all but the slowest tenth
        means = {name: statistics.mean(sorted(each)[: -(-len(each) * 9 // 10)]) for name, each in times.items()}
        means["recorded, l1, every=10"] = statistics.mean(times["recorded, l1, every=10"])
        print(f"\n{title}\n| | ms a step | times a plain step |\n|---|---:|---:|")
        for name, mean in means.items():
            print(f"| {name} | {mean:.2f} | {mean / means['plain']:.3f} |")


if __name__ == "__main__":
    main()
