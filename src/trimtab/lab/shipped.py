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


_ENGINEERING = "trimtab.lab.blackbox.engineering_problem"

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
    "jlh1": Shipped("sampler", f"{_ENGINEERING}:jlh1", "A quadratic under a line: two settings, one constraint."),
    "jlh2": Shipped("sampler", f"{_ENGINEERING}:jlh2", "Waves within an ellipse: two settings, one constraint."),
    "gkxwc1": Shipped(
        "sampler", f"{_ENGINEERING}:gkxwc1", "Waves in a feasible region of three pieces: two settings, one constraint."
    ),
    "gkxwc2": Shipped(
        "sampler", f"{_ENGINEERING}:gkxwc2", "A small feasible region of two pieces: two settings, one constraint."
    ),
    "ackley2": Shipped("sampler", f"{_ENGINEERING}:ackley2", "Ackley's function under two constraints: two settings."),
    "ackley6": Shipped("sampler", f"{_ENGINEERING}:ackley6", "Ackley's function under two constraints: six settings."),
    "ackley10": Shipped(
        "sampler", f"{_ENGINEERING}:ackley10", "Ackley's function under two constraints: ten settings."
    ),
    "keane_bump": Shipped(
        "sampler",
        f"{_ENGINEERING}:keane_bump",
        "Keane's bump, with a great many minima: eighteen settings, two constraints.",
    ),
    "three_truss": Shipped(
        "sampler", f"{_ENGINEERING}:three_truss", "The lightest truss of three bars: two settings, three constraints."
    ),
    "reinforced_concrete_beam": Shipped(
        "sampler",
        f"{_ENGINEERING}:reinforced_concrete_beam",
        "The cheapest beam of concrete and steel: three settings, two constraints.",
    ),
    "compression_spring": Shipped(
        "sampler", f"{_ENGINEERING}:compression_spring", "The lightest spring: three settings, four constraints."
    ),
    "pressure_vessel": Shipped(
        "sampler", f"{_ENGINEERING}:pressure_vessel", "The cheapest pressure vessel: four settings, four constraints."
    ),
    "welded_beam": Shipped(
        "sampler", f"{_ENGINEERING}:welded_beam", "The cheapest welded beam: four settings, five constraints."
    ),
    "speed_reducer": Shipped(
        "sampler", f"{_ENGINEERING}:speed_reducer", "The lightest speed reducer: seven settings, nine constraints."
    ),
    "heat_exchanger": Shipped(
        "sampler", f"{_ENGINEERING}:heat_exchanger", "The smallest heat exchanger: eight settings, six constraints."
    ),
    "cantilever_beam": Shipped(
        "sampler",
        f"{_ENGINEERING}:cantilever_beam",
        "The lightest stepped cantilever beam: ten settings, eleven constraints.",
    ),
    "car_side_impact": Shipped(
        "sampler",
        f"{_ENGINEERING}:car_side_impact",
        "The lightest car that withstands a side impact: eleven settings, ten constraints.",
    ),
    "tuning": Shipped(
        "sampler",
        "trimtab.catalog.tuning_problem:Tuning",
        "Which settings of an optimizer train best? tuning(digits, lion), of any task and any optimizer; noisy.",
    ),
    "hpobench": Shipped(
        "sampler",
        "trimtab.lab.blackbox.hpo_tables:HPOBench",
        "Which perceptron of a table's 30,000 is best? Five settings, noisy; hpobench(australian) is on other data.",
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
