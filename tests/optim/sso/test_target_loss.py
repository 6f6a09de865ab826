import math

import pytest

from trimtab.optim import LineSearch


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"sufficient_decrease": 1.0}, ValueError, r"sufficient_decrease=1.0 must lie in \(0, 1\)"),
        ({"shrink": 0.0}, ValueError, r"shrink=0.0 must lie in \(0, 1\)"),
        ({"expand": 1.0}, ValueError, r"expand=1.0 must lie in \(1, inf\)"),
        ({"minimum": 0.0}, ValueError, "minimum=0.0"),
        ({"maximum": math.inf}, ValueError, "maximum=inf"),
        ({"minimum": 2.0, "maximum": 1.0}, ValueError, "minimum=2.0 must not exceed maximum=1.0"),
        ({"trials": 0}, ValueError, "trials=0"),
        ({"shrink": "0.9"}, TypeError, "shrink='0.9'"),
    ],
)
def test_a_bad_line_search_is_named(settings, error, message):
    with pytest.raises(error, match=message):
        LineSearch(**settings)
