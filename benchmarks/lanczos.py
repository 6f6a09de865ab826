"""What a refresh of the Lanczos learner costs, in plain gradients of the same batch: ratios in one run.

A refresh is one gradient whose graph is kept, so many products with the curvature, and the arithmetic of Lanczos'
method. Sessions charge one gradient for the graph and two for each product; the last column says how much the clock
disagrees.

On a machine that others use as well, ``--threads 1 --clock cpu`` leaves out the time that went to them.

    python benchmarks/lanczos.py [--repeats 11] [--steps 20] [--threads N] [--clock wall|cpu]
"""

import statistics

import torch
from curvature_step import PROBLEMS
from side_by_side import Parser, in_turn, setting

from trimtab.primitives.lanczos import lanczos, random_direction
from trimtab.schedule import BatchCurvature
from trimtab.schedule.rmt_scaling.batch_curvature import PRODUCT_GRADIENTS


def work(problem, size, steps):
    """Returns what is timed: a gradient, and a refresh with each matrix."""
    model = problem.model(torch.Generator().manual_seed(0))
    batch, params = problem.batch(size), list(model.parameters())

    def outputs_and_loss():
        if hasattr(problem, "task"):
            task = problem.task
            return lambda: task.outputs(model, batch), lambda outputs: task.losses(outputs, batch).mean()
        return lambda: model(batch[0]), lambda outputs: torch.nn.functional.cross_entropy(outputs, batch[1])

    outputs, loss = outputs_and_loss()

    def refresh(matrix):
        product = BatchCurvature(outputs, loss, params, matrix)
        lanczos(product, random_direction(params, torch.Generator().manual_seed(0)), steps)

    return {
        "gradient": lambda: torch.autograd.grad(problem.loss(model, batch), params),
        "hessian": lambda: refresh("hessian"),
        "ggn": lambda: refresh("ggn"),
    }


def main():
    parser = Parser(__doc__, repeats=11)
    parser.add_argument("--steps", type=int, default=20, help="of Lanczos' method")
    options = parser.options()
    print(f"{setting(options)}, {options.steps} Lanczos steps")
    print("\n| problem | gradient, ms | matrix | refresh, gradients | a product, gradients | over what is charged |")
    print("|---|---:|---|---:|---:|---:|")
    for title, (make_problem, size) in PROBLEMS.items():
        times = in_turn(work(make_problem(), size, options.steps), options, warm_up=2)
        medians = {name: statistics.median(each) for name, each in times.items()}
        for matrix in ("hessian", "ggn"):
            ratio = medians[matrix] / medians["gradient"]
            charged = 1 + options.steps * PRODUCT_GRADIENTS
            row = (title, f"{medians['gradient']:.2f}", matrix, f"{ratio:.1f}", f"{(ratio - 1) / options.steps:.2f}")
            print(f"| {' | '.join(row)} | {ratio / charged:.2f} |")


if __name__ == "__main__":
    main()
