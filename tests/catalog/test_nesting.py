"""What cannot go around an optimizer is refused when it is read."""

import pytest

from trimtab.catalog.parsing import parse_expression, parse_expressions
from trimtab.study.errors import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lion,clip", r"clip goes around an optimizer: clip\(adamw\)\n  lion,clip\n       \^"),
        ("lion(adamw)", r"lion goes around nothing: it is no wrapper\n  lion\(adamw\)\n  \^"),
        ("clip(clip(lion))", r"clip is around itself: leave one of them out\n  clip\(clip\(lion\)\)\n  \^"),
        ("sgd,clip(agvm(lamb))", r"write agvm\(clip\(...\)\)\n  sgd,clip\(agvm\(lamb\)\)\n      \^"),
        ("agvm(clip(adahessian))", r"leave it out\n  agvm\(clip\(adahessian\)\)\n       \^"),
        ("sso+clip", r"clip changes the gradients.*: leave it out\n  sso\+clip\n      \^"),
        ("galore(clip(q_galore(sgd)))", r"take one of the two\n  galore\(clip\(q_galore\(sgd\)\)\)\n  \^"),
        ("clip+lion", r"clip goes around an optimizer.*\n  clip\+lion\n  \^"),
    ],
)
def test_what_goes_around_nothing_or_the_wrong_thing_is_pointed_at(text, message):
    with pytest.raises(InputError, match=message):
        parse_expressions(text)


@pytest.mark.parametrize("text", ["adamw+cosine+linear", "sgd+rmt_scaling+cosine", "adamw+linear+refined"])
def test_two_that_set_the_same_knob_are_refused(text):
    with pytest.raises(InputError, match="both set lr: take one of the two"):
        parse_expression(text)


@pytest.mark.parametrize("around", ["galore", "q_galore"])
@pytest.mark.parametrize("inside", ["ema(adamw)", "clip_norm(ema(adamw))", "schedulefree"])
def test_averages_are_not_taken_in_subspaces(around, inside):
    averages, remedy = (
        ("ema", rf"write ema\({around}\(\.\.\.\)\)") if "ema" in inside else (inside, "take one of the two")
    )
    message = f"{around} moves matrices in subspaces, and {averages} averages weights as they are: {remedy}"
    with pytest.raises(InputError, match=message):
        parse_expression(f"{around}({inside})")
    assert parse_expression(f"ema({around}(adamw))").label == f"ema({around}(adamw))"


def test_two_that_set_different_knobs_go_together():
    assert parse_expression("adagrad+adadagrad+cosine").label == "adagrad+adadagrad+cosine"
