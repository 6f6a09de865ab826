import pytest

from trimtab.claims.analysis import judge
from trimtab.claims.claim import Statement, less
from trimtab.claims.result import ArmResult


def arm(name, **probed):
    seeds = tuple(range(len(next(iter(probed.values())))))
    return ArmResult(name, {}, (), (), seeds, {}, {key: tuple(values) for key, values in probed.items()}, (), 0, 0)


def finding(measure, method, baseline, claimed=0.0):
    arms = (arm("method", **{measure: method}), arm("baseline", **{measure: baseline}))
    return judge([Statement("less", measure, ("method", "baseline"), less, claimed, "of it")], arms)[0]


def test_what_no_seed_has_a_part_in_is_known_and_not_tested():
    found = finding("bytes", [60.0] * 5, [100.0] * 5, claimed=40.0)
    assert (found.verdict, found.mean, found.low, found.high) == ("confirmed", 40.0, 40.0, 40.0)
    assert (found.p_value, found.smallest_detectable) == (0.0, 0.0)
    assert finding("bytes", [60.0] * 5, [100.0] * 5, claimed=41.0).verdict == "refuted"
    assert finding("bytes", [60.0] * 5, [60.0] * 5).verdict == "inconclusive"


def test_equal_measurements_of_five_seeds_show_no_more_than_five_equal_signs():
    found = finding("slope", [60.0] * 5, [100.0] * 5)
    assert (found.verdict, found.mean) == ("inconclusive", 40.0)
    assert found.p_value == pytest.approx(1 / 16)
    assert found.low < 0 < found.high
    # ten of them do
    assert finding("slope", [60.0] * 10, [100.0] * 10).verdict == "confirmed"
