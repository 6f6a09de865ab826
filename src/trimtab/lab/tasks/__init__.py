"""The tasks that ship: small enough for one core, made of data that is in a dependency or in this package.

Nothing is imported here but names, so that a list of the tasks does not wait for torch.
"""

SHIPPED: dict[str, str] = {
    "digits": "trimtab.lab.tasks.digits:Digits",
    "digit-scenes": "trimtab.lab.tasks.digit_scenes:DigitScenes",
    "mnist5k": "trimtab.lab.tasks.mnist5k:Mnist5k",
    "python-lm": "trimtab.lab.tasks.python_lm:PythonLM",
    "breast-cancer": "trimtab.lab.tasks.tabular:BreastCancer",
    "diabetes": "trimtab.lab.tasks.tabular:Diabetes",
}
"""A task's name, and where its class is: ``module:Class``."""

SUMMARIES: dict[str, str] = {
    "digits": "Which digit is it? 1,797 images of 8x8 pixels; a small convolutional network.",
    "digit-scenes": "Which digit stands in each cell of a scene? A backbone, a neck and a head, as detectors have.",
    "mnist5k": "Which digit is it? 5,000 images of MNIST, of 28x28 pixels; a small convolutional network.",
    "python-lm": "Which byte comes next? Source code of Python's standard library; a small transformer.",
    "breast-cancer": "Is a tumour benign? 569 samples with 30 measurements; a perceptron.",
    "diabetes": "How far will a patient's diabetes progress in a year? 442 patients; a perceptron.",
}
"""A task's name, and what it is, in a line."""
