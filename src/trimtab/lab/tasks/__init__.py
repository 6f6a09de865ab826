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
