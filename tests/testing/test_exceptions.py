"""Third parties say which checks are known to fail."""

from typing import ClassVar

import pytest

from tests.testing.faults import Sound
from trimtab.testing import OptimizerConformance

pytest_plugins = ("pytester",)


def test_exceptions_are_strict_and_reach_single_cases(pytester):
    pytester.makepyfile(
        """
        import torch
        from trimtab.testing import OptimizerConformance

        class TestSGD(OptimizerConformance):
            optimizer = torch.optim.SGD
            settings = {"momentum": 0.5}
            exceptions = {
                "refuses[lr=nan]": "torch compares with < 0",
                "zero_grad": "an exception that is not needed",
            }
        """
    )
    # What this process collects at the end may be another test's, and is none of the inner run's business.
    result = pytester.runpytest_inprocess(
        "-k", "refuses and not group and not later or zero_grad", "-rA", "-p", "no:unraisableexception"
    )
    outcomes = result.parseoutcomes()
    assert outcomes["xfailed"] == 1
    result.stdout.fnmatch_lines(["XFAIL *test_refuses?lr=nan? - torch compares with < 0"])
    result.stdout.fnmatch_lines(["FAILED *test_zero_grad*"])
    result.stdout.fnmatch_lines(["PASSED *test_refuses?lr=-1.0?"])


def test_an_exception_that_names_no_check_is_an_error():
    with pytest.raises(TypeError, match=r"Mistyped\.exceptions names no check: sparse\[coo\], zero_grads"):

        class Mistyped(OptimizerConformance):
            optimizer = Sound
            exceptions: ClassVar = {"zero_grads": "", "sparse[coo]": "", "refuses[lr=nan]": ""}
