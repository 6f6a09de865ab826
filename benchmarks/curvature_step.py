"""What AdaHessian's second derivatives cost: milliseconds of whole training steps, as ratios to AdamW's in one run.

A step is forward, backward, the product with the Hessian where there is one, and the update. Repeats are interleaved:
every optimizer takes one timed step, in an order that is drawn anew, then all take the next one. The graph's memory is
what autograd keeps for its backward passes beside the parameters, counted once for each piece of memory.

The paper calls the cost of a step "comparable to first-order methods". The goal here is at most three of AdamW's steps.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/curvature_step.py [--repeats 31] [--threads N] [--clock wall|cpu]
"""

import statistics
import warnings

import torch
from side_by_side import Parser, in_turn, setting
from torch import nn

from trimtab.claims.tasks import PlainDigits
from trimtab.lab.task import take_rows
from trimtab.lab.tasks.python_lm import PythonLM
from trimtab.optim import AdaHessian

GOAL = 3.0


class Images:
    """A convolutional network for images of 32x32 pixels, with 0.3 M parameters, on noise."""

    def model(self, _):
        layers, width = [], 3
        for channels in (32, 64, 128):
            layers += [nn.Conv2d(width, channels, 3, padding=1), nn.GroupNorm(8, channels), nn.ReLU()]
            layers += [
                nn.Conv2d(channels, channels, 3, padding=1),
                nn.GroupNorm(8, channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            width = channels
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 16, 10))

    def batch(self, size):
        generator = torch.Generator().manual_seed(0)
        return torch.randn(size, 3, 32, 32, generator=generator), torch.randint(0, 10, (size,), generator=generator)

    def loss(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])


class OfTask:
    """A task of the library, with its first samples."""

    def __init__(self, task):
        self.task = task

    def model(self, generator):
        return self.task.model(generator)

    def batch(self, size):
        return take_rows(self.task.train, torch.arange(size), self.task.collate)

    def loss(self, model, batch):
        return self.task.losses(self.task.outputs(model, batch), batch).mean()


PROBLEMS = {
    "small network for digits, batch 50": (lambda: OfTask(PlainDigits(1)), 50),
    "network for 32x32 images, batch 32": (Images, 32),
    "transformer for bytes, 32 windows of 64": (lambda: OfTask(PythonLM()), 32),
}


def candidates():
    """Returns names, whether a step needs the gradients' graph, and constructors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytorch_optimizer
        import torch_optimizer
    return {
        "AdamW": lambda params: torch.optim.AdamW(params, lr=1e-4),
        "AdaHessian": lambda params: AdaHessian(params, lr=1e-4),
        "AdaHessian, every=3": lambda params: AdaHessian(params, lr=1e-4, every=3),
        "pytorch-optimizer AdaHessian": lambda params: pytorch_optimizer.AdaHessian(params, lr=1e-4, eps=1e-4),
        "torch-optimizer Adahessian": lambda params: torch_optimizer.Adahessian(params, lr=1e-4, hessian_power=1.0),
    }


def training(problem, size, make):
    """Returns a function that takes one training step."""
    model = problem.model(torch.Generator().manual_seed(0))
    optimizer, batch = make(model.parameters()), problem.batch(size)

    def step():
        optimizer.zero_grad()
        keep = getattr(optimizer, "needs_graph", not isinstance(optimizer, torch.optim.AdamW))
        problem.loss(model, batch).backward(create_graph=keep)
        optimizer.step()

    return step


def graph_megabytes(problem, size, create_graph):
    """Returns the memory that autograd holds when the backward pass is over, or, without the graph, when it begins."""
    model, batch = problem.model(torch.Generator().manual_seed(0)), problem.batch(size)
    own = {param.untyped_storage().data_ptr() for param in model.parameters()}
    held = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = problem.loss(model, batch)
        if create_graph:
            torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
    return sum(storage.nbytes() for storage in held.values()) / 2**20


def measured(problem, size, options):
    """Returns for each optimizer the milliseconds of its steps."""
    steps = {name: training(problem, size, make) for name, make in candidates().items()}
    return in_turn(steps, options, warm_up=3)


def main():
    options = Parser(__doc__, repeats=31).options()
    warnings.filterwarnings("ignore", "Using backward.. with create_graph")
    print(setting(options))
    print(f"the paper: comparable to first-order methods; the goal: at most {GOAL:g} of AdamW's steps")
    for title, (make_problem, size) in PROBLEMS.items():
        problem = make_problem()
        times = measured(problem, size, options)
        print(
            f"\n{title}\n| optimizer | ms a step | times AdamW | as fast as pytorch-optimizer |\n|---|---:|---:|---:|"
        )
        # Every third step of one optimizer costs more than the others: means, of all but the slowest tenth.
        means = {name: statistics.mean(sorted(each)[: -(-len(each) * 9 // 10)]) for name, each in times.items()}
        means["AdaHessian, every=3"] = statistics.mean(times["AdaHessian, every=3"])
        for name, mean in means.items():
            ratio, peer = mean / means["AdamW"], means["pytorch-optimizer AdaHessian"] / mean
            goal = f" ({'met' if ratio <= GOAL else 'MISSED'})" if name == "AdaHessian" else ""
            print(f"| {name} | {mean:.2f} | {ratio:.2f}{goal} | {peer:.2f} |")
        once, twice = (graph_megabytes(problem, size, create_graph) for create_graph in (False, True))
        print(
            f"memory of the graph: {once:.1f} MB, kept for second derivatives {twice:.1f} MB: {twice / once:.2f} times"
        )


if __name__ == "__main__":
    main()
