"""What a step of SSO costs beside a step of SGD and of AdamW, on one small network with a cheap loss.

A row is SSO with a number of inner steps and an inner optimizer. Repeats are interleaved: in each, every optimizer
takes one step, in an order that is drawn anew. The gradient of a cross-entropy costs next to nothing here, so this is
the price that SSO pays for each gradient that it saves.

    python benchmarks/surrogate_step.py [--repeats 200] [--threads N] [--clock wall|cpu]
"""

import statistics
from functools import partial

import torch
from side_by_side import Parser, in_turn, setting
from torch import nn

from trimtab.optim import SSO, ArmijoGradientDescent

WARM_UP = 3
SAMPLES, INPUTS, WIDTH, CLASSES = 256, 64, 256, 10


def network():
    """Returns the network, always the same, with a batch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(INPUTS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
    model.append(nn.Linear(WIDTH, CLASSES))
    return model, torch.randn(SAMPLES, INPUTS), torch.randint(CLASSES, (SAMPLES,))


def plain(make):
    """Returns a function that takes a step of an ordinary optimizer."""
    model, inputs, targets = network()
    optimizer = make(model.parameters())

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    return step, None


def surrogate(**settings):
    """Returns a function that takes a step of SSO, and the optimizer."""
    model, inputs, targets = network()
    optimizer = SSO(model.parameters(), lr=2.0, **settings)

    def loss(outputs):
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

    return lambda: optimizer.step(lambda: model(inputs), loss=loss), optimizer


def candidates():
    """Returns the rows: a name and how to make its step."""
    inner = partial(torch.optim.SGD, lr=0.01)
    rows = {
        "SGD": partial(plain, partial(torch.optim.SGD, lr=0.01)),
        "AdamW": partial(plain, torch.optim.AdamW),
        "AdamW, fused": partial(plain, partial(torch.optim.AdamW, fused=True)),
    }
    rows |= {f"SSO, SGD inside, m={m}": partial(surrogate, inner=inner, inner_steps=m) for m in (1, 5, 20)}
    rows |= {f"SSO, Armijo inside, m={m}": partial(surrogate, inner_steps=m) for m in (1, 5, 20)}
    warm = partial(ArmijoGradientDescent, lr=1.0)
    rows["SSO, Armijo inside that goes on, m=5"] = partial(surrogate, inner=warm, inner_steps=5, keep_inner_state=True)
    return rows


def main():
    options = Parser(__doc__, repeats=200).options()
    made = {name: make() for name, make in candidates().items()}
    passes = {name: [] for name in made}

    def counted(name):
        step, optimizer = made[name]

        def step_and_count():
            step()
            passes[name].append(1 if optimizer is None else optimizer.last.passes)

        return step_and_count

    times = in_turn({name: counted(name) for name in made}, options, warm_up=WARM_UP)
    print(setting(options))
    print("| optimizer | ms a step, median | times SGD | times AdamW | forward passes a step, mean |")
    print("|---|---:|---:|---:|---:|")
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, each in medians.items():
        ratios = f"{each / medians['SGD']:.2f} | {each / medians['AdamW']:.2f}"
        print(f"| {name} | {each:.2f} | {ratios} | {statistics.mean(passes[name][WARM_UP:]):.1f} |")


if __name__ == "__main__":
    main()
