"""Candidates for trained networks that have to meet a target: functions, and classes that are called like one."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from trimtab.catalog.calls import Call, check_settings, parameter_names, read_calls, restored_calls
from trimtab.lab.transforms.candidate import Transform
from trimtab.study.errors import InputError
from trimtab.study.tunable import Settings, as_code

SLOT = "transform"

_SHAPE = "(model, calibration, target, *, finetune, generator)"

_NAMES = """\
# model: the trained network; calibration: batches of its training data; target: what has to be met, as the sparsity
# finetune(model, steps=None): trains the model further in a loop of your own; finetune.left: steps that it has left
"""


@dataclass(frozen=True)
class TransformCall(Call):
    """A function that is called with the settings in brackets, or a class that is built with them and then called.

    Args:
        entry: the entry.
        fixed: settings, in the order in which they were written.
        is_class: which of the two it is; by default, what its name looks like.
    """

    is_class: bool | None = field(default=None, compare=False)

    def definition(self) -> dict[str, Any]:
        """Returns what of it its label does not say, and which of the two it is where its name misleads."""
        misleads = self.is_class is not None and self.is_class != self._looks_like_a_class
        return {**self.entry.definition(), **({"is_class": self.is_class} if misleads else {})}

    @property
    def _looks_like_a_class(self) -> bool:
        return self.entry.public[1].rpartition(".")[2][:1].isupper()

    def build(self, tuned: Settings) -> Transform:
        """Returns what is called with a network."""
        found: Any = self.entry.load()
        settings = self.settings(tuned)
        return cast(Transform, found(**settings) if isinstance(found, type) else partial(found, **settings))

    def arguments(self, tuned: Settings) -> str:
        """Returns its settings as they stand in code; what was tuned is rounded."""
        rounded = {name: as_code(value) for name, value in tuned.items()}
        return "".join(f", {name}={rounded.get(name, repr(value))}" for name, value in self.settings(tuned).items())

    def code(self, tuned: Settings, total_steps: int | None = None) -> str:
        """Returns the lines that use it; a run's problem says what the other names in them are."""
        module, name = self.entry.public
        is_class = self._looks_like_a_class if self.is_class is None else self.is_class
        written = self.arguments(tuned)
        call = f"{name}({written.removeprefix(', ')})" if is_class else name
        more = "" if is_class else written
        return (
            f"import torch\nfrom {module} import {name.partition('.')[0]}\n\n{_NAMES if total_steps is None else ''}"
            "generator = torch.Generator().manual_seed(0)\n"
            f"smaller = {call}(model, calibration, target, finetune=finetune, generator=generator{more})"
        )

    def check(self) -> None:
        """Looks at what it takes, and builds it once.

        Raises:
            InputError: it is not called like a transform, or has no such setting.
        """
        found: Any = self.entry.load()
        made = isinstance(found, type)
        if made and "__call__" not in {name for kind in found.__mro__[:-1] for name in vars(kind)}:
            raise InputError(f"{self.entry.id} has no __call__; its instances have to be called as {_SHAPE}")
        given = {"finetune", "generator", *([] if made else list(inspect.signature(found).parameters)[:3])}
        known = [name for name in parameter_names(found) if made or name not in given]
        check_settings(self, known)
        try:
            build = self.build({})
        except Exception as error:
            raise InputError(f"{self.label} cannot be built: {type(error).__name__}: {error}") from error
        try:
            inspect.signature(build).bind(None, None, None, finetune=None, generator=None)
        except TypeError as error:
            raise InputError(f"{self.entry.id} has to be called as {_SHAPE}: {error}") from error


def read_transforms(text: str, tune: Sequence[str]) -> tuple[TransformCall, ...]:
    """Reads transforms separated by commas; see :func:`~trimtab.catalog.calls.read_calls`."""
    found = read_calls(text, SLOT, TransformCall, tune)
    return tuple(replace(each, is_class=isinstance(each.entry.load(), type)) for each in found)


def transforms_again(labels: Sequence[str], definitions: Mapping[str, Any]) -> tuple[TransformCall, ...]:
    """Makes transforms again of labels and definitions."""
    found = restored_calls(labels, definitions, SLOT, TransformCall)
    return tuple(replace(each, is_class=definitions.get(each.label, {}).get("is_class")) for each in found)
