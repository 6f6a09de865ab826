"""Audits by name."""

import importlib.util

import pytest

from trimtab.catalog import auditing
from trimtab.catalog.auditing import audit
from trimtab.study.errors import InputError
from trimtab.testing import audit as running

OWN = """
import torch

class Mine(torch.optim.SGD):
    pass

class Odd:
    def __init__(self, params): ...

class TwoPasses(torch.optim.SGD):
    def step(self, closure=None):
        if closure is None:
            raise TypeError("give step() a closure")

class NeedsLr(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

class Matrices(torch.optim.SGD):
    def __init__(self, params, lr=0.1, momentum=0.0):
        super().__init__(params, lr, momentum)
        if any(param.ndim != 2 for group in self.param_groups for param in group["params"]):
            raise ValueError("matrices only")

class MatricesLater(torch.optim.SGD):
    def step(self, closure=None):
        if any(param.ndim != 2 for group in self.param_groups for param in group["params"]):
            raise ValueError("matrices only")
        super().step(closure)

class MatricesInTwoPasses(Matrices, TwoPasses):
    pass
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_opt.py"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.fixture
def few(monkeypatch):
    """Runs two checks in the place of all."""
    whole = running.audit_optimizer
    monkeypatch.setattr(
        running,
        "audit_optimizer",
        lambda *a, **k: whole(*a, **{"only": ("printed", "refuses_in_group", "new_process"), **k}),
    )


@pytest.mark.usefixtures("few")
def test_a_class_in_a_file_is_audited_with_its_settings(file):
    found = audit(f"{file}:Mine(lr=0.1)")
    assert not found.holds
    assert {each.name for each in found.broken} == {"refuses_in_group"}
    (process,) = [each for each in found.findings if each.name == "new_process"]
    assert process.outcome == "skipped"
    assert "package.module:Class" in process.seen
    assert found.of_torch.keys() == {each.check for each in found.broken}
    assert found.of_torch["refuses_in_group[lr=nan]"] == "broken"
    assert found.of_torch["refuses_in_group[momentum=nan]"] == "skipped"
    facts = found.facts()
    (momentum,) = [each for each in facts["checks"] if each["check"] == "refuses_in_group[momentum=nan]"]
    assert (momentum["outcome"], momentum["torch"]) == ("broken", "skipped")
    assert facts["broken"] == len(found.broken)
    assert facts["optimizer"].endswith("my_opt.py:Mine(lr=0.1)")
    assert len(facts["checks"]) == len(found.findings) == sum(map(len, found.promises.values()))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["lion", "clip(lion)"])
def test_a_name_of_the_catalogue_is_audited(name):
    assert audit(name, new_process=False).holds


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{file}:Odd", "is no torch.optim.Optimizer"),
        ("{file}:NeedsLr", "missing 1 required positional argument: 'lr'; give what is missing in brackets"),
        ("{file}:Min", "did you mean Mine?"),
        ("no_such_module:Mine", "there is no module 'no_such_module'"),
        ("torch.optim:SGD(lr=-1.0)", "Invalid learning rate"),
        ("torch.optim:LBFGS", "cannot be audited: the checks give gradients, and its step needs a closure"),
        ("{file}:Matrices(momentum=-1.0)", "Invalid momentum value: -1.0"),
        ("{file}:MatricesInTwoPasses", "its first step with them fails: TypeError: give step() a closure"),
        ("{file}:TwoPasses", "its first step with them fails: TypeError: give step() a closure"),
        ("trimtab.optim:AdaHessian", r"cannot be audited: the checks give gradients, and it steps by loss.backward"),
        ("lionn", "did you mean lion?"),
        ("adahessian", r"cannot be audited: the checks give gradients, and it steps by loss.backward"),
        ("agvm(adamw)", "it steps by optimizer.step(first_half, second_half), closures, each with the backward pass"),
        ("adamw+cosine", "cosine stands beside an optimizer"),
    ],
)
def test_what_cannot_be_audited_says_why(file, name, words):
    with pytest.raises(InputError) as caught:
        audit(name.format(file=file))
    assert words in str(caught.value)


def test_without_pytest_it_says_what_mends_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install pytest"):
        auditing.audit("lion")


@pytest.mark.parametrize("name", ["Matrices", "Matrices(lr=0.5)", "MatricesLater", "clip(Matrices, fraction=0.1)"])
def test_what_takes_matrices_alone_is_shown_matrices(file, monkeypatch, name):
    whole = running.audit_optimizer
    monkeypatch.setattr(
        running, "audit_optimizer", lambda *a, **k: whole(*a, **{**k, "only": ("numbers", "printed", "shape")})
    )
    found = audit(name.replace("Matrices", f"{file}:Matrices", 1), new_process=False)
    assert found.holds
    outcomes = {each.name: each.outcome for each in found.findings}
    assert outcomes == {"numbers": "holds", "printed": "holds", "shape": "skipped"}


def test_what_is_for_matrices_is_shown_matrices(monkeypatch):
    whole = running.audit_optimizer
    monkeypatch.setattr(running, "audit_optimizer", lambda *a, **k: whole(*a, **{"only": ("numbers", "shape"), **k}))
    found = audit("muon", new_process=False)
    assert found.holds
    (numbers,) = [each for each in found.findings if each.name == "numbers"]
    assert numbers.seen.startswith("some are for parameters that are no matrices")  # eps, which is AdamW's
    reasons = {each.seen for each in found.findings if each.name == "shape"}
    assert reasons == {"shows parameters that are no matrices, and does not say so"}


def test_a_wrapper_that_needs_a_matrix_is_not_accused_of_saying_so(monkeypatch):
    whole, only = running.audit_optimizer, ("layout", "torch_error_inputs")
    monkeypatch.setattr(running, "audit_optimizer", lambda *a, **k: whole(*a, **{"only": only, **k}))
    found = audit("galore(lion)", new_process=False)
    assert found.holds
    assert all("leaves GaLore nothing to project" in each.seen for each in found.findings)
