"""What statistics of samples' gradients cost: milliseconds of whole training steps, as ratios to plain ones in one run.

A plain step is forward, backward and Adagrad's update. With a test, the samples' gradients take the place of forward
and backward, and the norm test or the augmented test follows, whose inner products need the gradients again only where
they do not fit into memory together. At an interval of 20, one step of twenty is tested. Peers are a loop with a
backward pass for each sample, and the norm test on eight micro-batches' gradients.

The goals: at most 2 plain steps with a test at every step, at most 1.1 with one at every twentieth.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/gradient_statistics.py [--repeats 31] [--threads N] [--clock wall|cpu]
"""

import statistics

import torch
from curvature_step import Images, OfTask
from side_by_side import Parser, in_turn, setting
from torch import nn

from trimtab.claims.tasks import PlainDigits
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.primitives.gradient_statistics import gradients_of, of_means
from trimtab.primitives.sample_gradients import gradient_statistics
from trimtab.schedule import augmented_test, norm_test

GOALS = {1: 2.0, 20: 1.1}
MICRO_BATCHES = 8


class OfTaskBySample(OfTask):
    """A task's losses, one a sample."""

    def losses(self, model, batch):
        return self.task.losses(self.task.outputs(model, batch), batch)


class ImagesBySample(Images):
    """The same of the network for images."""

    def losses(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")


class Perceptron(ImagesBySample):
    """A network 64-256-256-10 on noise."""

    def model(self, _):
        return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))

    def batch(self, size):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(size, 64, generator=generator), torch.randint(0, 10, (size,), generator=generator)


PROBLEMS = {
    "small network for digits, batch 50": (lambda: OfTaskBySample(PlainDigits(1)), 50),
    "perceptron, batch 256": (Perceptron, 256),
    "network for 32x32 images, batch 32": (ImagesBySample, 32),
    "transformer for bytes, 32 windows of 64": (lambda: OfTaskBySample(PythonLM()), 32),
}


def plain(problem, model, batch):
    problem.losses(model, batch).mean().backward()


def with_norm_test(problem, model, batch):
    found = gradient_statistics(model, problem.losses, batch)
    norm_test(found, 0.5)
    found.write_to(model)


def with_augmented_test(problem, model, batch):
    found = gradient_statistics(model, problem.losses, batch, inner_products=True)
    augmented_test(found, 0.5, 1.0)
    found.write_to(model)


def with_two_chunks(problem, model, batch):
    half = (len(batch[0]) + 1) // 2
    found = gradient_statistics(model, problem.losses, batch, inner_products=True, chunk_size=half)
    augmented_test(found, 0.5, 1.0)
    found.write_to(model)


def by_loop(problem, model, batch):
    gradients = []
    for row in range(len(batch[0])):
        model.zero_grad()
        problem.losses(model, tuple(each[row : row + 1] for each in batch)).mean().backward()
        gradients.append(gradients_of(model))
    found = of_means(gradients, 1)
    norm_test(found, 0.5)
    found.write_to(model)


def by_micro_batches(problem, model, batch):
    size, gradients = len(batch[0]) // MICRO_BATCHES, []
    for first in range(0, size * MICRO_BATCHES, size):
        model.zero_grad()
        problem.losses(model, tuple(each[first : first + size] for each in batch)).mean().backward()
        gradients.append(gradients_of(model))
    found = of_means(gradients, size)
    norm_test(found, 0.5)
    found.write_to(model)


KINDS = {
    "plain step": plain,
    "norm test": with_norm_test,
    "augmented test": with_augmented_test,
    "augmented test, in two chunks": with_two_chunks,
    "norm test, a backward pass a sample": by_loop,
    "norm test, eight micro-batches": by_micro_batches,
}


def training(problem, size, gradients):
    """Returns a function that takes one training step."""
    model = problem.model(torch.Generator().manual_seed(0))
    optimizer, batch = torch.optim.Adagrad(model.parameters(), lr=1e-4), problem.batch(size)

    def step():
        optimizer.zero_grad()
        gradients(problem, model, batch)
        optimizer.step()

    return step


def main():
    options = Parser(__doc__, repeats=31).options()
    print(setting(options))
    print("goals: " + ", ".join(f"at most {goal:g} plain steps at an interval of {i}" for i, goal in GOALS.items()))
    for title, (make_problem, size) in PROBLEMS.items():
        problem = make_problem()
        steps = {name: training(problem, size, kind) for name, kind in KINDS.items()}
        times = {name: statistics.median(each) for name, each in in_turn(steps, options, warm_up=3).items()}
        heads = " | ".join(f"at an interval of {interval}" for interval in GOALS)
        print(f"\n{title}\n| | ms a step | {heads} |\n|---|---:|" + "---:|" * len(GOALS))
        for name, each in times.items():
            cells = []
            for interval, goal in GOALS.items():
                ratio = 1 + (each / times["plain step"] - 1) / interval
                judged = name in {"norm test", "augmented test"}
                cells.append(f"{ratio:.2f}" + (f" ({'met' if ratio <= goal else 'MISSED'})" if judged else ""))
            print(f"| {name} | {each:.2f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
