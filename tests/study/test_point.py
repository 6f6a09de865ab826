"""Points and their names."""

import pytest

from trimtab.study.point import Point


@pytest.mark.parametrize("candidate", ["adamw", "sgd(lr=0.1)", "a/b/3", "/"])
@pytest.mark.parametrize("phase", ["tune", "final"])
def test_a_point_is_read_from_its_key(phase, candidate):
    point = Point("toy", phase, candidate, 3, {"lr": 0.1}, 7)
    assert point.key == f"toy/{phase}/{candidate}/3"
    assert Point.from_key(point.key, {"lr": 0.1}, 7) == point
    assert point.final == (phase == "final")
