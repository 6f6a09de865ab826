"""What cannot be built is refused when it is read."""

import pytest

from trimtab.catalog.parsing import parse_expressions
from trimtab.study.errors import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip(lion, fraction=2)", r"fraction=2 must lie in \[0, 1\)\n"),
        ("clip(lion(lr=-9), fraction=0.1)", r"clip\(lion\(lr=-9\), fraction=0.1\) cannot be built: lr=-9 .*\n  clip"),
        ("sgd(momentum=0)", r"Nesterov momentum requires .* \(it has nesterov=True unless told otherwise\)\n  sgd"),
        ("adamw(lr=-1)", r"cannot be built: Invalid learning rate: -1\n  adamw"),
        ("adamw(lr='x')", r"lr='x': a finite number is needed\n  adamw"),
        ("adamw(betas=0.9)", r"betas=0.9 is nothing like its default, \(0.9, 0.999\)\n  adamw"),
        ("adamw(betas=(0.9,))", r"betas=\(0.9,\) is nothing like its default, \(0.9, 0.999\)\n  adamw"),
        ("clip(adamw(eps='x'), where=1)", r"eps='x' is nothing like .*, 1e-08; clip.where=1 is nothing like"),
        ("adamw(betas=(0.9, 2.0))", r"cannot be built: Invalid beta parameter at index 1: 2.0\n  adamw"),
    ],
)
def test_what_cannot_be_built_is_pointed_at(text, message):
    with pytest.raises(InputError, match=message):
        parse_expressions(text)
