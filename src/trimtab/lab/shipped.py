"""The problems that ship: small enough for one core, made of data that is in a dependency or in this package.

Nothing is imported here but names, so that a list of them does not wait for torch.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.lab.problem import Problem


@dataclass(frozen=True)
class Shipped:
    """A problem that ships.

    Args:
        slot: what of it is left open.
        object: where its class is, as ``module:Class``.
        summary: what it is, in a line.
    """

    slot: str
    object: str
    summary: str

    def load(self) -> "type[Problem]":
        """Imports its class."""
        module, _, name = self.object.partition(":")
        found: type[Problem] = getattr(importlib.import_module(module), name)
        return found


PROBLEMS: dict[str, Shipped] = {
    "digits": Shipped(
        "optimizer",
        "trimtab.lab.tasks.digits:Digits",
        "Which digit is it? 1,797 images of 8x8 pixels; a small convolutional network.",
    ),
    "digit-scenes": Shipped(
        "optimizer",
        "trimtab.lab.tasks.digit_scenes:DigitScenes",
        "Which digit stands in each cell of a scene? A backbone, a neck and a head, as detectors have.",
    ),
    "mnist5k": Shipped(
        "optimizer",
        "trimtab.lab.tasks.mnist5k:Mnist5k",
        "Which digit is it? 5,000 images of MNIST, of 28x28 pixels; a small convolutional network.",
    ),
    "python-lm": Shipped(
        "optimizer",
        "trimtab.lab.tasks.python_lm:PythonLM",
        "Which byte comes next? Source code of Python's standard library; a small transformer.",
    ),
    "breast-cancer": Shipped(
        "optimizer",
        "trimtab.lab.tasks.tabular:BreastCancer",
        "Is a tumour benign? 569 samples with 30 measurements; a perceptron.",
    ),
    "diabetes": Shipped(
        "optimizer",
        "trimtab.lab.tasks.tabular:Diabetes",
        "How far will a patient's diabetes progress in a year? 442 patients; a perceptron.",
    ),
    "branin": Shipped(
        "sampler",
        "trimtab.lab.blackbox.functions:Branin",
        "Where is Branin's function least? Two settings, three minima of equal depth; branin(noise=1.0) adds noise.",
    ),
    "hartmann6": Shipped(
        "sampler",
        "trimtab.lab.blackbox.functions:Hartmann6",
        "Where is Hartmann's function least? Six settings, four wells; hartmann6(noise=0.1) adds noise.",
    ),
    "svc-digits": Shipped(
        "sampler",
        "trimtab.lab.blackbox.tuned_models:SVCDigits",
        "Which settings of a support vector classifier tell digits apart? Kernel, penalty, width and degree; noisy.",
    ),
    "forest-breast-cancer": Shipped(
        "sampler",
        "trimtab.lab.blackbox.tuned_models:ForestBreastCancer",
        "Which random forest tells whether a tumour is benign? Six settings of three kinds; noisy.",
    ),
    "boosting-diabetes": Shipped(
        "sampler",
        "trimtab.lab.blackbox.tuned_models:BoostingDiabetes",
        "Which boosted trees foretell how diabetes progresses? Six settings of three kinds; noisy.",
    ),
    "mlp-digits": Shipped(
        "sampler",
        "trimtab.lab.blackbox.tuned_models:MLPDigits",
        "Which perceptron tells digits apart after ten epochs? Six settings of three kinds; noisy.",
    ),
    "pruned-digits": Shipped(
        "transform",
        "trimtab.lab.transforms.pruned_digits:PrunedDigits",
        "Which tenth of 80,784 weights tells digits apart? pruned-digits(sparsity=0.95) leaves less.",
    ),
    "pruned": Shipped(
        "transform",
        "trimtab.lab.transforms.pruned:Pruned",
        "Which weights does the network of a task need? pruned(task.py:Mine, sparsity=0.95), of any task.",
    ),
}
"""A problem's name, and what there is to know of it."""


def of_slot(slot: str) -> dict[str, Shipped]:
    """Returns the problems that leave this open."""
    return {name: problem for name, problem in PROBLEMS.items() if problem.slot == slot}
