"""Milliseconds a step with AutoLRS against one without: between trials, and with the roll-backs of a whole stage.

A network of 64-256-256-10 with batches of 64, and Adam. By default it is the first stage, whose trials and training
take 2,000 steps: copy, roll-backs, forecasts and the Gaussian process are in the mean, and not in the median. What
comes once a process, the import of scikit-learn, is left out.

    python benchmarks/autolrs_step.py [--repeats 2000] [--threads N] [--clock wall|cpu]
"""

import statistics

import torch
from side_by_side import Parser, in_turn, setting
from torch import nn

from trimtab.schedule import AutoLRS, ReplayedBatches, exponential_forecast
from trimtab.schedule.autolrs.rate_search import next_rate

GOAL = 1.05


def training(searched):
    """Returns a function that takes one step of a run."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    batches = ReplayedBatches([(torch.randn(64, 64), torch.randint(10, (64,)))] * 10_000)
    iterator = iter(batches)
    autolrs = AutoLRS(optimizer, model, 1e-5, 1e-3, batches=batches) if searched else None

    def step():
        inputs, targets = next(iterator)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        value = loss.item()
        if autolrs is not None:
            autolrs.observe(value)

    return step


def main():
    options = Parser(__doc__, repeats=2000).options()
    print(setting(options))
    exponential_forecast([3.0, 2.0, 1.5, 1.2, 1.1], 10)
    next_rate([1e-3, 1e-2], [1.0, 2.0], (1e-4, 1e-1), kappa=1.0, generator=torch.Generator())
    times = in_turn({"plain": training(False), "AutoLRS": training(True)}, options, warm_up=3)
    print(f"goal: a mean of at most {GOAL:g} of plain steps\n| | median ms | mean ms |\n|---|---:|---:|")
    means = {name: statistics.mean(each) for name, each in times.items()}
    for name, each in times.items():
        print(f"| {name} | {statistics.median(each):.3f} | {means[name]:.3f} |")
    ratio = means["AutoLRS"] / means["plain"]
    print(f"\nmeans: {ratio:.2f} times plain ({'met' if ratio <= GOAL else 'MISSED'})")


if __name__ == "__main__":
    main()
