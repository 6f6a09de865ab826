"""What a step of SSO costs beside a step of SGD and of AdamW, on one small network with a cheap loss.

A row is SSO with a number of inner steps and an inner optimizer. Repeats are interleaved: in each, every optimizer
takes one step, in an order that is drawn anew. The gradient of a cross-entropy costs next to nothing here, so this is
the price that SSO pays for each gradient that it saves.

    python benchmarks/surrogate_step.py [--repeats 200] [--threads N] [--clock wall|cpu]
"""

import argparse
import random
import statistics
import time
from functools import partial

import torch
from torch import nn

from trimtab.optim import SSO, ArmijoGradientDescent

CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: needs --threads 1")
    options = parser.parse_args()
    if options.clock == "cpu" and options.threads != 1:
        parser.error("--clock cpu needs --threads 1")
    clock = CLOCKS[options.clock]
    torch.set_num_threads(options.threads)
    made = {name: make() for name, make in candidates().items()}
    times = {name: [] for name in made}
    passes = {name: [] for name in made}
    order = random.Random(0)
    for repeat in range(options.repeats + 3):
        for name in order.sample(list(made), len(made)):
            step, optimizer = made[name]
            start = clock()
            step()
            if repeat >= 3:
                times[name].append((clock() - start) * 1e3)
                passes[name].append(1 if optimizer is None else optimizer.last.passes)
    print(f"torch {torch.__version__}, {options.threads} threads, {options.clock} time, {options.repeats} repeats")
    print("| optimizer | ms a step, median | times SGD | times AdamW | forward passes a step, mean |")
    print("|---|---:|---:|---:|---:|")
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, each in medians.items():
        ratios = f"{each / medians['SGD']:.2f} | {each / medians['AdamW']:.2f}"
        print(f"| {name} | {each:.2f} | {ratios} | {statistics.mean(passes[name]):.1f} |")


if __name__ == "__main__":
    main()
