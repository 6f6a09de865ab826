"""Which parameters settings have: rules that are found as they are, and what is made of none."""

from optuna.distributions import FloatDistribution, IntDistribution

from tests.lab.blackbox.studies import conditional_trials
from trimtab.lab.blackbox.presence import Presence
from trimtab.primitives.unit_cube import UnitCube


def learned(trials):
    return Presence(UnitCube.of_trials(trials), [trial.params for trial in trials])


def test_rules_on_choices_and_on_conditional_parameters_are_found():
    presence = learned(conditional_trials())
    assert presence.names == ("gamma", "degree")  # what depends on the other comes after it
    for kernel in ("linear", "rbf", "poly"):
        assert presence.has("gamma", {"x": 0.3, "kernel": kernel}) == (kernel != "linear")
        for gamma in (0.1, 0.9):
            params = {"x": 0.9, "kernel": kernel, "gamma": gamma}
            assert presence.has("degree", params) == (kernel == "poly" and gamma > 0.5)
            there = presence.only({**params, "degree": 3})
            expected = {"x", "kernel"} | ({"gamma"} if kernel != "linear" else set())
            assert there.keys() == expected | ({"degree"} if kernel == "poly" and gamma > 0.5 else set())
    assert presence.only({"x": 0.5, "kernel": "rbf"}) == {"x": 0.5, "kernel": "rbf"}  # a sampler may leave it out


class Setting:
    """What a trial is to the cube."""

    def __init__(self, **params):
        self.params = params
        kinds = {int: IntDistribution(1, 3), float: FloatDistribution(0, 1)}
        self.distributions = {name: kinds[type(value)] for name, value in params.items()}


def test_a_threshold_of_whole_numbers_is_found_between_them():
    units = {1: {}, 2: {"second": 0.5}, 3: {"second": 0.5, "third": 0.1}}
    presence = learned([Setting(layers=n, first=0.2, **units[n]) for n in (1, 2, 3, 3, 2, 1, 3)])
    assert presence.names == ("second", "third")
    for layers in (1, 2, 3):
        params = {"layers": layers, "first": 0.9, "second": 0.9, "third": 0.9}
        assert presence.only(params).keys() == {"layers", "first", *units[layers]}


def test_where_all_are_conditional_what_is_there_most_often_is_there():
    presence = learned([Setting(a=0.5)] * 3 + [Setting(b=0.5)] * 2)
    assert presence.names == ("a", "b")
    assert presence.only({"a": 0.1, "b": 0.2}) == {"a": 0.1}
    assert presence.has("b", {})


def test_without_conditional_parameters_nothing_is_left_out():
    presence = learned([Setting(a=0.5), Setting(a=0.1)])
    assert presence.names == ()
    assert presence.only({"a": 0.3}) == {"a": 0.3}
