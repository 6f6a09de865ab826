"""Anybody's own optimizer in expressions."""

import sys
import textwrap

import pytest
import torch
from torch import nn

from trimtab import create
from trimtab.catalog.candidates import candidates_again, parse_candidates
from trimtab.compare.changes import definition_changes
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogUniform

MINE = """
import torch

class Signs(torch.optim.Optimizer):
    '''Signs of gradients.'''

    tunables = {tunables}

    def __init__(self, params, lr=0.5, beta=0.0):
        super().__init__(params, {{"lr": lr, "beta": beta}})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(p.grad.sign(), alpha=group["lr"])

class _Base(Signs): pass

class NoDefault(Signs):
    def __init__(self, params, lr):
        if isinstance(lr, str):
            raise TypeError("a number, please")
        super().__init__(params, lr)

class Mode(Signs):
    def __init__(self, params, lr=0.5, mode="fast", nesterov=False):
        super().__init__(params, lr)

class _Plain(Signs):
    def __init__(self, params):
        super().__init__(params)

class Empty: pass

class Alike:
    def __init__(self, params, lr=1.0): pass

def not_one(params, lr=1.0):
    return 3

number = 7
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_opt.py"
    path.write_text(textwrap.dedent(MINE.format(tunables="{}")))
    return path


def tunable(file):
    words = "__import__('trimtab.study.tunable', fromlist=['x']).LogUniform(1e-3, 1.0)"
    file.write_text(textwrap.dedent(MINE.format(tunables=f'{{"lr": {words}}}')))


def test_it_is_tuned_by_the_ranges_of_its_class(file):
    tunable(file)
    (candidate,) = parse_candidates("my_opt.py:Signs")
    assert (candidate.label, candidate.title, candidate.summary) == ("my_opt.py:Signs", "Signs", "Signs of gradients.")
    assert candidate.tunables == {"lr": LogUniform(1e-3, 1.0)}
    model = nn.Linear(1, 1, bias=False)
    optimizer = candidate.build({"lr": 0.25})(model)
    before = model.weight.item()
    model(torch.ones(1)).backward()
    optimizer.step()
    assert model.weight.item() == before - 0.25
    assert candidate.code({"lr": 0.25}) == (
        "from my_opt import Signs\n\noptimizer = Signs(model.parameters(), lr=0.25)"
    )


@pytest.mark.parametrize("text", ["lr=1e-4..1e-1:log", "my_opt.py:Signs.lr=1e-4..1e-1:log"])
def test_or_by_ranges_that_are_typed(file, text):
    tunable(file)  # which go before those of the class
    candidates = parse_candidates("adamw,my_opt.py:Signs(beta=0.5)", [text])
    assert candidates[1].tunables == {"lr": LogUniform(1e-4, 1e-1)}
    assert candidates[1].settings({"lr": 0.1}) == {"lr": 0.1, "beta": 0.5}
    assert set(candidates[0].tunables) == {"lr", "weight_decay"}
    assert candidates[0].tunables == parse_candidates("adamw")[0].tunables


def test_wrappers_and_controllers_go_around_it(file):
    (clipped, paced) = parse_candidates(
        "clip(my_opt.py:Signs, fraction=0.1),my_opt.py:Signs(lr=0.1)+cosine", ["lr=1..2"]
    )
    assert clipped.label == "clip(my_opt.py:Signs, fraction=0.1)"
    assert clipped.title == "Signs in Coordinate clipping"
    assert paced.label == "my_opt.py:Signs(lr=0.1)+cosine"
    assert type(clipped.build({"lr": 1.5})(nn.Linear(2, 2))).__name__ == "CoordinateClip"


def test_one_of_a_module_that_can_be_imported(file):
    (candidate,) = parse_candidates("torch.optim:Rprop(lr=0.01)")
    assert type(candidate.build({})(nn.Linear(2, 2))) is torch.optim.Rprop
    assert type(create("torch.optim:Rprop", nn.Linear(2, 2), lr=0.1)) is torch.optim.Rprop


def test_one_without_settings_has_nothing_to_tune(file):
    (candidate,) = parse_candidates("my_opt.py:_Plain")
    assert candidate.tunables == {}
    assert candidate.build({})(nn.Linear(2, 2)).param_groups[0]["lr"] == 0.5
    assert parse_candidates("my_opt.py:_Plain()")[0].tunables == {}


def test_a_wrapper_stretches_the_ranges_of_its_class_and_not_those_that_are_typed(file):
    file.write_text("import trimtab.optim\nclass Lion(trimtab.optim.Lion): ...\n")
    tune = [f"{name}{setting}" for name in ("", "lion.") for setting in ("lr=1e-4..1e-1:log", "weight_decay=0,0.1")]
    own, listed, fixed = parse_candidates("galore(my_opt.py:Lion),galore(lion),galore(my_opt.py:Lion(lr=1.0))", tune)
    assert own.tunables == listed.tunables == {"lr": LogUniform(1e-4, 0.1), "weight_decay": Choice((0, 0.1))}
    assert fixed.tunables == {"weight_decay": Choice((0, 0.1))}
    (stretched,) = parse_candidates("galore(my_opt.py:Lion)")
    assert stretched.tunables == parse_candidates("galore(lion)")[0].tunables


def test_what_is_tried_is_not_stretched_either(file):
    file.write_text(
        "import trimtab.optim\n"
        "class Lion(trimtab.optim.Lion):\n"
        "    def __init__(self, params, lr, weight_decay=0.0):\n"
        "        if lr > 1: raise ValueError('too long')\n"
        "        super().__init__(params, lr, weight_decay=weight_decay)\n"
    )
    (found,) = parse_candidates("galore(my_opt.py:Lion)", ["lr=0.5,1"])
    assert found.tunables["lr"] == Choice((0.5, 1))


def test_a_study_from_before_typed_ranges_were_noted_goes_on_and_is_shown(file):
    file.write_text("import trimtab.optim\nclass Lion(trimtab.optim.Lion): ...\n")
    label = "galore(my_opt.py:Lion)"
    (found,) = parse_candidates(label, ["lr=1e-4..1e-1:log"])
    definition = found.definition()
    assert candidates_again([label], {label: definition})[0].tunables == found.tunables
    before = {name: each for name, each in definition.items() if name != "tuned"}
    assert set(before) == {"files", "ranges", "own"}
    assert before["ranges"]["my_opt.py:Lion.lr"] == "1e-4..1e-1:log"
    assert definition_changes(before, definition) == []
    assert candidates_again([label], {label: before})[0].tunables["lr"] == LogUniform(1e-3, 1.0)  # as they were then


REFUSED = {
    "my_opt.py:Signs": "has no tunables, so that nobody knows what to try: give ranges",
    "my_opt.py:Sgns(lr=1.0)": "there is no 'Sgns' in it; did you mean Signs",
    "my_opt.py:Signs(gamma=1.0)": "has no setting 'gamma'; it has lr, beta",
    "my_opt.py:not_one(lr=1.0)": "my_opt.py:not_one is no torch.optim.Optimizer",
    "my_opt.py:Empty": "my_opt.py:Empty is no torch.optim.Optimizer",
    "my_opt.py:Alike(lr=1.0)": "my_opt.py:Alike is no torch.optim.Optimizer",
    "clip(my_opt.py:Alike(lr=1.0))": "my_opt.py:Alike is no torch.optim.Optimizer",
    "adamw,my_opt.py": "name the class: my_opt.py:Signs, my_opt.py:NoDefault or my_opt.py:Mode",
    "clip(my_opt.py)": "name the class: my_opt.py:Signs",
    "nowhere.py": "there is no file nowhere.py",
    "my_opt.py:number(lr=1.0)": "is a int; a class or a function is expected",
    "other.py:Signs(lr=1.0)": "there is no file other.py",
    "my_opt:Signs(lr=1.0),nopack.x:X(lr=1)": "there is no module 'nopack.x' that can be imported here",
    "my_opt.py:Signs(lr=1.0),my_opt.py:Signs(lr=1.0)": "was given twice",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_is_refused(file, text, monkeypatch):
    monkeypatch.syspath_prepend(str(file.parent))
    with pytest.raises(InputError) as raised:
        parse_candidates(text)
    assert REFUSED[text] in str(raised.value)


def test_the_place_of_what_is_wrong_is_shown(file):
    with pytest.raises(InputError) as raised:
        parse_candidates("adamw,my_opt.py:Signs(gamma=1.0)")
    assert str(raised.value).splitlines()[1:] == ["  adamw,my_opt.py:Signs(gamma=1.0)", "        ^"]


@pytest.mark.parametrize("candidates", ["adamw", "adamw,my_opt.py:Signs(lr=1.0)"])
def test_ranges_for_nobody_are_refused(file, candidates):
    with pytest.raises(InputError, match="is for nobody"):
        parse_candidates(candidates, ["lion.lr=1e-4..1e-1:log"])


def test_results_are_shown_when_its_file_is_gone(file):
    found = parse_candidates("clip(my_opt.py:Signs),adamw", ["lr=1e-4..1e-1:log"])
    definitions = {each.label: each.definition() for each in found}
    file.unlink()
    again = candidates_again([each.label for each in found], definitions)
    assert [each.label for each in again] == ["clip(my_opt.py:Signs)", "adamw"]
    assert again[0].tunables == found[0].tunables
    assert "CoordinateClip(Signs(model.parameters(), lr=0.1), fraction=0.1)" in (
        again[0].code({"lr": 0.1, "clip.fraction": 0.1})
    )


@pytest.mark.parametrize("reference", ["my_opt.py:Signs", "my_opt:Signs"])
def test_results_are_shown_where_nothing_can_be_imported(file, reference, monkeypatch, tmp_path_factory):
    with monkeypatch.context() as here:
        here.syspath_prepend(str(file.parent))
        (found,) = parse_candidates(reference, ["lr=1e-4..1e-1:log"])
    for name in [each for each in sys.modules if "my_opt" in each]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    file.unlink()
    (again,) = candidates_again([reference], {reference: found.definition()})
    assert "optimizer = Signs(model.parameters(), lr=0.1)" in again.code({"lr": 0.1})


def test_another_file_is_another_definition(file):
    (before,) = parse_candidates("my_opt.py:Signs(lr=1.0)")
    file.write_text(file.read_text() + "\n# changed\n")
    (after,) = parse_candidates("my_opt.py:Signs(lr=1.0)")
    assert before.definition() != after.definition()
    assert set(before.definition()["files"]) == {"my_opt.py:Signs"}
    assert parse_candidates("adamw")[0].definition() == {}


def test_what_is_no_optimizer_is_not_made_by_name_either(file):
    with pytest.raises(InputError, match=r"my_opt\.py:Empty is no torch\.optim\.Optimizer"):
        create("my_opt.py:Empty", nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "Signs",
            "lr=abc",
            "'abc' is no number, and lr of my_opt.py:Signs is one, 0.5 by default; a range is written lr=",
        ),
        ("Signs", "my_opt.py:Signs.lr=0.1,abc", "'abc' is no number"),
        ("Mode", "nesterov=True,False", "'True' is no number, and nesterov of my_opt.py:Mode is one, False by default"),
        (
            "NoDefault",
            "lr=abc",
            "a number, please (tried with the text lr='abc'; a range is written lr=1e-4..1e-1:log)",
        ),
    ],
)
def test_a_word_is_no_number(file, name, text, words):
    with pytest.raises(InputError) as raised:
        parse_candidates(f"my_opt.py:{name}", [text])
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("candidate", "tune", "words"),
    [
        ("my_opt.py:Below", "beta=0.5..1.2", "--tune beta=0.5..1.2: beta=1.2"),
        ("clip(my_opt.py:Below)", "my_opt.py:Below.beta=0.1,0.5,1.2", "--tune beta=0.1,0.5,1.2: beta=1.2"),
        ("my_opt.py:Below+autolrs", "beta=0.1,0.5,1.2", "--tune beta=0.1,0.5,1.2: beta=1.2"),
    ],
)
def test_the_ends_and_values_of_a_typed_range_are_tried(file, candidate, tune, words):
    file.write_text(
        "import torch\n"
        "class Below(torch.optim.SGD):\n"
        "    def __init__(self, params, lr=0.1, beta=0.5):\n"
        "        if beta >= 1: raise ValueError(f'beta {beta}')\n"
        "        super().__init__(params, lr)\n"
    )
    with pytest.raises(InputError) as raised:
        parse_candidates(candidate, ["lr=1e-4..1e-1:log", tune])
    assert str(raised.value) == f"{words} of my_opt.py:Below cannot be: beta 1.2"
    parse_candidates("my_opt.py:Below(beta=0.5)", ["lr=1e-4..1e-1:log", "beta=0.5..1.2"])  # where it is fixed


def test_a_word_may_be_what_a_setting_takes(file):
    (candidate,) = parse_candidates("my_opt.py:Mode", ["mode=fast,slow"])
    assert candidate.tunables["mode"].values == ("fast", "slow")


@pytest.mark.parametrize("mode", ["a:bcd", "x.py y", "say 'a:b'", 'say "a:b"', "' and \" a:b", "a\\", "my_opt.py:Mode"])
def test_a_text_may_look_like_a_class(file, mode):
    (found,) = parse_candidates(f"clip(my_opt.py:Mode(lr=0.1, mode={mode!r}), fraction=0.1)")
    assert found.settings({})["mode"] == mode
    assert parse_candidates(found.label) == [found]


def test_where_no_ranges_can_be_typed_none_are_asked_for(file):
    with pytest.raises(InputError) as raised:
        parse_candidates("my_opt.py:Signs", None)
    assert "--tune" not in str(raised.value)
    assert "fix its settings in brackets: my_opt.py:Signs(lr=0.001)" in str(raised.value)


def test_its_kind_is_that_it_is_somebodys_own(file):
    found = parse_candidates("my_opt.py:Signs(lr=1.0),clip(my_opt.py:Signs(lr=1.0)),adamw,clip(adamw)")
    assert [each.kind for each in found] == ["your own", "your own", "baseline", "method"]
