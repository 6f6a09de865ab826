import re

import pytest
import torch

import trimtab
from tests.pasting import missing_names
from trimtab.catalog import entries
from trimtab.catalog.candidates import parse_candidates
from trimtab.optim import AdaBelief, Lion, groups_by_role
from trimtab.study.errors import InputError


def model():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2))


def test_by_name_with_settings():
    optimizer = trimtab.create("lion", model(), lr=1e-3, betas=(0.95, 0.98))
    assert isinstance(optimizer, Lion)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.98)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 6


@pytest.mark.parametrize("make", [lambda net: net.parameters(), lambda net: list(net.named_parameters())])
def test_parameters_as_torch_takes_them(make):
    assert isinstance(trimtab.create("adabelief", make(model())), AdaBelief)


def test_a_baseline_comes_with_its_settings_which_can_be_changed():
    assert trimtab.create("sgd", model(), lr=0.1).param_groups[0]["nesterov"]
    assert not trimtab.create("sgd", model(), lr=0.1, nesterov=False).param_groups[0]["nesterov"]


def test_biases_and_norms_go_without_decay_on_request():
    optimizer = trimtab.create("adamw", model(), weight_decay=0.3, no_decay_for_biases_and_norms=True)
    assert [(len(g["params"]), g["weight_decay"]) for g in optimizer.param_groups] == [(2, 0.3), (4, 0.0)]
    with pytest.raises(InputError, match="needs the model"):
        trimtab.create("adamw", model().parameters(), no_decay_for_biases_and_norms=True)


@pytest.mark.parametrize("name", ["lbfgs", "sso", "torch.optim:LBFGS", "torch.optim:Rprop"])
def test_without_weight_decay_nothing_goes_without(name):
    optimizer = trimtab.create(name, model(), no_decay_for_biases_and_norms=True)
    assert [len(group["params"]) for group in optimizer.param_groups] == [6]


def test_a_decay_that_is_no_setting_is_left_out_as_well(tmp_path):
    lines = [
        "import torch",
        "class Mine(torch.optim.SGD):",
        "    def __init__(self, params, lr=0.1):",
        "        super().__init__(params, lr, weight_decay=0.3)",
    ]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    optimizer = trimtab.create(f"{tmp_path}/mine.py:Mine", model(), no_decay_for_biases_and_norms=True)
    assert [(len(g["params"]), g["weight_decay"]) for g in optimizer.param_groups] == [(2, 0.3), (4, 0.0)]


def test_a_setting_that_is_said_of_each_group_is_refused_beside_a_model():
    words = r"role='vector' would do nothing: .* its own role\. .* give groups_by_role\(model, \.\.\.\) instead"
    for make in (
        lambda: trimtab.create("muon", model(), role="vector"),
        lambda: parse_candidates("muon(role='vector')"),
    ):
        with pytest.raises(InputError, match=words):
            make()
    groups = groups_by_role(model())
    assert trimtab.create("muon", groups, role="vector", weight_decay=0.3).param_groups[0]["role"] == "matrix"
    with pytest.raises(TypeError, match=r"'roles', which .*: trimtab\.create\(\"muon\", groups_by_role\(model, roles="):
        trimtab.create("muon", model(), roles={"0.weight": "vector"})
    with pytest.raises(TypeError, match=r"muon has no setting 'rol'; did you mean role\?"):
        trimtab.create("muon", model(), rol="vector")


def test_errors_are_the_optimizers_own():
    with pytest.raises(InputError, match="did you mean lion"):
        trimtab.create("lin", model())
    with pytest.raises(ValueError, match="lr"):
        trimtab.create("lion", model(), lr=-1.0)
    with pytest.raises(TypeError, match=r"lion has no setting 'momentum_factor'; it has lr, "):
        trimtab.create("lion", model(), momentum_factor=0.9)
    with pytest.raises(TypeError, match=r"lion has no setting 'wieght_decay'; did you mean weight_decay\? It has lr, "):
        trimtab.create("lion", model(), wieght_decay=0.1)
    with pytest.raises(TypeError, match=r"clip has no setting 'fracton'; did you mean fraction\? It has "):
        trimtab.create("clip(lion)", model(), **{"clip.fracton": 0.1})


def test_unknown_attributes_of_the_package_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        trimtab.nothing  # noqa: B018  # reading it is the test


def gradients(net):
    for param in net.parameters():
        param.grad = torch.ones_like(param)


@pytest.mark.parametrize("name", ["lion", "adahessian", "lamb", "galore(lion)", "clip(lion)", "agvm(lion)"])
def test_messages_name_the_parameter(name):
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    optimizer = trimtab.create(name, net, check_finite=True)
    gradients(net)
    net[1].weight.grad[0, 0] = torch.nan
    settings = {"hessian_diag": [torch.ones_like(param) for param in net.parameters()]} if name == "adahessian" else {}
    if name.startswith("agvm"):
        optimizer.param_groups[0]["agvm_start"] = 1
    before = [param.detach().clone() for param in net.parameters()]
    with pytest.raises(RuntimeError, match=r"the gradient of parameter '1\.weight' is not finite"):
        optimizer.step(**settings)
    assert all(map(torch.equal, net.parameters(), before))


def test_names_are_those_of_a_model_that_is_there():
    net = model()
    optimizer = trimtab.create("lion", net, check_finite=True)
    params = [param for group in optimizer.param_groups for param in group["params"]]
    gradients(net)
    params[3].grad[0] = torch.inf
    del net
    with pytest.raises(RuntimeError, match="the gradient of parameter 3 of its group is not finite"):
        optimizer.step()


def test_a_name_of_nothing_speaks_of_the_optimizer():
    with pytest.raises(
        InputError, match=r"cannot read the optimizer's name: unknown .*'lino'.*did you mean lion.*\n  l"
    ):
        trimtab.create("lino", model())
    with pytest.raises(InputError, match=r"optimizer's name=5: a text is needed"):
        trimtab.create(5, model())
    with pytest.raises(ValueError, match="model has no parameters"):
        trimtab.create("lion", torch.nn.ReLU())


YOURS = {"model", "loader", "data", "fixed_inputs", "fixed_targets", "mean_loss"}
CONTROLLERS = [entry for entry in entries().values() if entry.kind == "controller"]


@pytest.mark.parametrize("entry", CONTROLLERS, ids=lambda entry: entry.id)
def test_a_controller_is_refused_with_lines_that_are_complete(entry):
    with pytest.raises(InputError, match=f"{entry.id} stands beside an optimizer and is none") as caught:
        trimtab.create(f"{entry.inner}+{entry.id}", model(), weight_decay=0.125)
    code = str(caught.value).partition("\n")[2]
    assert missing_names(code) <= YOURS
    assert "weight_decay=0.125" in code
    spoken = [line[2:].partition(": ")[2] or line[2:] for line in code.splitlines() if line.startswith("# ")]
    for line in spoken:
        if re.match(r"[\w.]+(\(| = )", line):  # a statement for another place of the loop
            assert missing_names(f"schedule = loss = None\n{code}\n{line}") <= YOURS


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("adamw(lr=1e-3)", {"lr": 5}, r"lr is given twice: adamw\(lr=0.001\) fixes it to 0.001, and lr=5 is given"),
        ("clip(sgd(lr=.5))", {"lr": 0.1}, r"lr is given twice: clip\(sgd\(lr=0.5\)\) fixes it to 0.5"),
        ("clip(sgd, fraction=0.1)", {"clip.fraction": 0.5}, r"clip.fraction is given twice: .* fixes it to 0.1"),
        ("adamw(lr=1e-3)+cosine", {"lr": 5}, "lr is given twice"),
    ],
)
def test_a_setting_has_one_value(name, settings, words):
    with pytest.raises(InputError, match=words):
        trimtab.create(name, model(), **settings)


def test_the_same_value_twice_is_one_value():
    assert trimtab.create("clip(sgd(lr=.5))", model(), lr=0.5).param_groups[0]["lr"] == 0.5
