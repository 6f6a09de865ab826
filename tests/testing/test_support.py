"""Third parties name their optimizer, and need nothing else of ours."""

import ast
import functools
import math
import subprocess
import sys

import pytest

from tests.testing.faults import Sound
from trimtab.testing import OptimizerConformance


@pytest.mark.parametrize("made_by", [functools.partial(Sound, lr=0.25), staticmethod(Sound)])
def test_functions_and_partials_make_optimizers(made_by):
    suite = type("Suite", (OptimizerConformance,), {"optimizer": made_by, "settings": {"weight_decay": 0.5}})()
    assert suite.defaults()["weight_decay"] == 0.5
    suite.test_closure()


def test_a_suite_without_optimizer_says_so():
    suite = type("Empty", (OptimizerConformance,), {})()
    with pytest.raises(TypeError, match=r"Empty\.optimizer must be a class or function"):
        suite.test_closure()


def test_settings_that_there_are_not_are_skipped():
    suite = type("Suite", (OptimizerConformance,), {"optimizer": Sound})()
    with pytest.raises(pytest.skip.Exception, match="eps is not among the optimizer's defaults"):
        suite.test_refuses("eps", math.nan)


def test_settings_that_the_constructor_does_not_take_are_skipped():
    suite = type("Suite", (OptimizerConformance,), {"optimizer": lambda params, lr=0.5: Sound(params, lr)})()
    with pytest.raises(pytest.skip.Exception, match="among the optimizer's defaults, and its constructor does not"):
        suite.test_refuses("weight_decay", math.nan)
    assert suite.decay() == suite.no_decay() == {}
    assert suite.has("lr")


def test_a_setting_that_is_nothing_by_default_is_a_number_where_it_may_be_one():
    def makes(params, lr=None, clip=None):
        return Sound(params, 0.5 if lr is None else lr)

    suite = type("Suite", (OptimizerConformance,), {"optimizer": makes})()
    assert suite.rate() == 0.5
    suite.need_number("lr")


def test_the_suite_imports_nothing_else_of_ours():
    program = "import sys, trimtab.testing; print([n for n in sys.modules if n.startswith('trimtab.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name.split(".")[1] for name in ast.literal_eval(done.stdout)} == {"testing"}
