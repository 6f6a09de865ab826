from typing import ClassVar

import pytest
import torch

from trimtab.catalog import find
from trimtab.catalog.create import create
from trimtab.catalog.expressions import Expression, example
from trimtab.catalog.parsing import parse_expression, parse_expressions
from trimtab.optim import CoordinateClip, Lion
from trimtab.study.errors import InputError


class Faster(CoordinateClip):
    """A wrapper that sets the weight decay and wants larger rates."""

    owns = ("weight_decay",)
    rescales: ClassVar = {"lr": 10.0}


@pytest.fixture
def faster(monkeypatch):
    """The entry of clipping, with the class above."""
    monkeypatch.setattr("trimtab.optim.coordinate_clipping.coordinate_clipping.CoordinateClip", Faster)


def test_a_wrapper_goes_around_an_optimizer():
    expression = parse_expression("clip(lion(betas=(0.9, 0.9)), fraction=0.5)")
    optimizer = expression.build(torch.nn.Linear(2, 1), {"lr": 0.01, "weight_decay": 0.3})
    assert isinstance(optimizer, CoordinateClip)
    assert isinstance(optimizer.inner, Lion)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.01, (0.9, 0.9), 0.3)
    assert group["clip_fraction"] == 0.5


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("lion", "lion"),
        ("Lion ( lr = 1e-3 )", "lion(lr=0.001)"),
        ("lion+clip", "clip(lion)"),
        ("adam(lr=0.01) + clip(fraction=0.1)", "clip(adam(lr=0.01), fraction=0.1)"),
        ("coordinate_clipping(sgd)", "clip(sgd)"),
    ],
)
def test_a_label_reads_back_as_the_same_expression(text, label):
    expression = parse_expression(text)
    assert expression.label == label
    assert parse_expression(label) == expression


def test_ranges_and_settings_of_wrappers_carry_their_names():
    expression = parse_expression("clip(sgd, where='update')")
    assert list(expression.tunables) == ["lr", "weight_decay", "clip.fraction"]
    settings = expression.settings({"lr": 0.5, "clip.fraction": 0.01})
    assert settings == {"momentum": 0.9, "nesterov": True, "clip.where": "update", "lr": 0.5, "clip.fraction": 0.01}
    assert list(parse_expression("clip(sgd, fraction=0.1)").tunables) == ["lr", "weight_decay"]


def test_a_wrapper_owns_settings_and_stretches_ranges(faster):
    expression = parse_expression("clip(lion)")
    assert list(expression.tunables) == ["lr", "clip.fraction"]
    plain = parse_expression("lion").tunables["lr"]
    assert (expression.tunables["lr"].low, expression.tunables["lr"].high) == (10 * plain.low, 10 * plain.high)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("adamw(weight_decay=0)", "weight_decay", 0),
        ("lion(lr=5)", "lr", 5),
        ("clip(lion(lr=0.0001))", "lr", 0.0001),
        ("clip(adamw, fraction=0.2)", "clip_fraction", 0.2),
        ("galore(adamw, rank=3000)", "galore_rank", 3000),
    ],
)
def test_fixed_settings_may_lie_outside_the_ranges_of_tuning(text, name, value):
    expression = parse_expression(text)
    assert name.replace("_", ".", 1) not in expression.tunables
    assert name not in expression.tunables
    weight = torch.nn.utils.skip_init(torch.nn.Linear, 4000, 4000)
    built = expression.build(weight, {each: tunable.at(0.5) for each, tunable in expression.tunables.items()})
    assert built.param_groups[0][name] == value


@pytest.mark.parametrize("name", ["fraction", "clip_fraction"])
def test_a_wrappers_setting_that_stands_alone_is_told_its_name(name):
    expression = parse_expression("clip(lion)")
    with pytest.raises(
        InputError, match=f"'{name}' is a setting of clip: give it as 'clip.fraction', or in brackets, clip"
    ):
        expression.build(torch.nn.Linear(2, 2), {name: 0.2})
    built = expression.build(torch.nn.Linear(2, 2), {"clip.fraction": 0.2})
    assert built.param_groups[0]["clip_fraction"] == 0.2


def test_what_a_wrapper_sets_cannot_be_fixed(faster):
    with pytest.raises(InputError, match=r"weight_decay is set by clip, and cannot be fixed to 0.1"):
        parse_expression("clip(lion(weight_decay=0.1))")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip(lion, adamw)", r"clip goes around one optimizer only\n  clip\(lion, adamw\)\n             \^"),
        ("sgd+clip(lion)", r"clip goes around one optimizer only\n  sgd\+clip\(lion\)\n           \^"),
        ("clip(lin)", r"did you mean lion.*\n  clip\(lin\)\n       \^"),
        ("sgd,klip(lion)", r"unknown method 'klip'; did you mean.*\n  sgd,klip\(lion\)\n      \^"),
        ("clip(lion, share=0.1)", r"clip has no setting 'share'; .* It has fraction, threshold, where.*\n  clip\(lion"),
        ("adamw(wieght_decay=0.1)", r"no setting 'wieght_decay'; did you mean weight_decay\? It has lr, .*\n  adamw"),
        ("adamw(wieght_decay=0.1, betaa=1)", r"'wieght_decay' and no 'betaa'; did you mean weight_decay or betas\?"),
        ("adamw+cosine(warmup=5%)", r"write 0.05 for 5%\n  adamw\+cosine"),
        ("adamw+cosine(foo=1)", r"cosine has no setting 'foo'; it has warmup\n  adamw"),
        ("clip(lion, fraction=x)", r"expected a number.*\n  clip\(lion, fraction=x\)\n                      \^"),
        ("clip(lion, fraction=0.1, fraction=0.5)", r"clip: fraction stands there twice\n  clip\(lion"),
        ("galore(adamw, rank=8, ranks=4)", r"no setting 'ranks'; did you mean rank\? It has rank, .*\n  galore"),
        ("clip(", r"expected names such as.*\n  clip\(\n"),
        ("adamw lion", r"expected names such as.*\n  adamw lion\n"),
        ("lion(0.1)", r"expected a name.*\n  lion\(0.1\)\n       \^"),
        ("lion-clip", r"expected a name.*\n  lion-clip\n  \^"),
        ("lion+3", r"expected a name.*\n  lion\+3\n       \^"),
    ],
)
def test_what_makes_no_sense_is_pointed_at(text, message):
    with pytest.raises(InputError, match=message):
        parse_expressions(text)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("clip(lion)", "clap.fraction", r"clip\(lion\) has no setting 'clap.fraction'.*a wrapper's begin with clip\."),
        ("agvm(clip(lion))", "lion.lr", r"has no setting 'lion.lr'.*begin with clip\. or agvm\."),
        ("lion", "clip.fraction", r"lion has no setting 'clip.fraction'.*and there is no wrapper"),
    ],
)
def test_a_setting_that_belongs_to_nobody_is_refused(text, name, message):
    with pytest.raises(InputError, match=message):
        create(text, torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)), **{name: 0.1})


@pytest.mark.parametrize("text", ["", "lion,adamw"])
def test_one_expression_is_not_none_or_two(text):
    with pytest.raises(InputError, match="one expression is expected"):
        parse_expression(text)


def test_an_example_stands_by_itself():
    assert example(find("lion")) == Expression(find("lion"))
    assert example(find("clip")).label == "clip(adamw)"
