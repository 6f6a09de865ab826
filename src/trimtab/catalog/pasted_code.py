"""The lines that use an optimizer outside of trimtab's experiments, to be pasted into a loop of one's own."""

from collections.abc import Iterable, Mapping

from trimtab.catalog.entries import Entry
from trimtab.catalog.parameters import Split
from trimtab.optim.groups import parameter_groups
from trimtab.primitives.modes import has_modes
from trimtab.study.tunable import Value, as_given


def groups_of_model(weight_decay: Value | None, split: Split, *, no_decay: bool, named: bool) -> tuple[list[str], str]:
    """Returns what makes parameter groups of a model.

    Args:
        weight_decay: of the groups that have one; ``None`` for the optimizer's own.
        split: what makes them.
        no_decay: whether biases and the parameters of normalisation layers go without weight decay.
        named: whether what is made of them goes by the parameters' names.

    Returns:
        Its import, and the call.
    """
    arguments = "model"
    if no_decay:
        arguments += "" if weight_decay is None else f", weight_decay={as_given(weight_decay)}"
        arguments += "" if split is parameter_groups else ", no_decay_for_biases_and_norms=True"
    arguments += ", named=True" if named else ""
    name, module = split.__name__, split.__module__
    module = "trimtab.optim" if module == parameter_groups.__module__ else module  # which exports its own
    return [f"from {module} import {name}"], f"{name}({arguments})"


def construction(entry: Entry, inside: str, settings: Mapping[str, Value]) -> tuple[list[str], str]:
    """Returns what makes an optimizer, or a wrapper around one.

    Args:
        entry: of the class.
        inside: the code of the parameters, or of the optimizer that it goes around.
        settings: what it is made with.

    Returns:
        Its import and what a loop does with it beside steps, and the call.
    """
    module, name = entry.public
    lines = [] if module.startswith("torch.") else [f"from {module} import {name}"]
    arguments = "".join(f", {key}={as_given(value)}" for key, value in settings.items())
    if entry.loadable and has_modes(entry.load()):
        lines.append("optimizer.train()  # and optimizer.eval() before the model is evaluated or saved")
    if entry.step is not None:
        lines.append(f"# each step: {entry.step}")
    return lines, f"{'torch.optim.' if module == 'torch.optim' else ''}{name}({inside}{arguments})"


def with_imports_first(lines: Iterable[str]) -> str:
    """Returns lines of code with their imports at the head, torch's where it is used."""
    found = [line for line in lines if line]
    imports = {line for line in found if line.startswith(("import ", "from "))}
    body = [line for line in found if line not in imports]
    if any("torch." in line for line in body):
        imports.add("import torch")
    return "\n".join([*sorted(imports, reverse=True), "", *body])
