"""What coordinate clipping costs: milliseconds of an optimizer's step with and without it, as ratios in one run.

Clipping takes one pass that counts and selects, to find the threshold, and one that cuts. Clipping updates keeps a copy
of the parameters besides. Repeats are interleaved: an optimizer and all that clip around it take one timed step each,
in an order that is drawn anew, then all take the next one.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/clipping_step.py [--repeats 15] [--threads N] [--clock wall|cpu]
"""

import statistics

import torch
from optimizer_step import gpt_shapes, parameters, small_shapes
from side_by_side import Parser, in_turn, setting

from trimtab.optim import ClippedAdam, CoordinateClip, Lamb, Lion

INSIDE = {
    "SGD with momentum, foreach": lambda params: torch.optim.SGD(params, lr=1e-3, momentum=0.9, foreach=True),
    "Lion": lambda params: Lion(params, lr=1e-4),
}

AROUND = {
    "clip, 1 %": {"fraction": 0.01},
    "clip, 10 %": {"fraction": 0.1},
    "clip, 50 %": {"fraction": 0.5},
    "clip, 10 % of each tensor": {"fraction": 0.1, "scope": "tensor"},
    "clip, absolute": {"fraction": None, "threshold": 1.0},
    "clip of updates, 50 %": {"fraction": 0.5, "where": "update"},
}


def candidates():
    """Returns, for each optimizer without clipping, by name: itself and what clips around or in it, as constructors."""
    groups = {}
    for name, make in INSIDE.items():
        groups[name] = {name: make} | {
            f"{around}, around {name}": lambda params, make=make, options=options: CoordinateClip(
                make(params), **options
            )
            for around, options in AROUND.items()
        }
    groups["Adam, ours"] = {
        "Adam, ours": lambda params: Lamb(params, adapt=False),
        "ClippedAdam, nothing": lambda params: ClippedAdam(params, fraction=0.0),
        "ClippedAdam, 10 %": ClippedAdam,
    }
    return groups


def main():
    options = Parser(__doc__, repeats=15).options()
    print(f"{setting(options)}, interleaved; medians")
    for title, shapes in (("GPT", gpt_shapes()), ("Small tensors", small_shapes())):
        elements = sum(torch.Size(shape).numel() for shape in shapes)
        print(f"\n{title}: {len(shapes)} tensors, {elements / 1e6:.1f} M elements")
        print("| optimizer | ms a step | times without clipping |\n|---|---:|---:|")
        for inside, rows in candidates().items():  # one group at a time, or memory would hold 17 models
            steps = {name: make(parameters(shapes)).step for name, make in rows.items()}
            times = {name: statistics.median(each) for name, each in in_turn(steps, options, warm_up=3).items()}
            for name, own in times.items():
                print(f"| {name} | {own:.2f} | {own / times[inside]:.2f} |")


if __name__ == "__main__":
    main()
