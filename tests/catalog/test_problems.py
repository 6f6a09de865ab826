"""What is said of a problem, one that ships or one's own."""

import pytest

from trimtab.catalog.problems import describe
from trimtab.catalog.slots import DEFAULT_SAMPLERS
from trimtab.study.errors import InputError

OWN = '''
from optuna.distributions import FloatDistribution
from trimtab import BlackBox, Metric


class Mine(BlackBox):
    """A line.

    And more.
    """

    name = "mine"
    metric = Metric("height", "max")
    space = {"x": FloatDistribution(0, 1)}

    def __init__(self, slope=2.0, *, bend: float = 0.0):
        self.slope = slope

    def evaluate(self, params, generator):
        return self.slope * params["x"]


def steep(by) -> Mine:
    return Mine(by)
'''


def test_a_black_box_is_described():
    found = describe("branin(noise=0.5)")
    assert (found.name, found.slot, found.metric) == ("branin(noise=0.5)", "sampler", "log10 regret, lower is better")
    assert (found.cost, found.seeds, found.takes) == ("40 evaluations", 10, ("noise=0.0", "workers=1"))
    assert found.fits == ("bnn", "bo", "pfn", "botorch", "cmaes", "gp", "qmc", "random", "tpe")
    assert (found.target, found.own) == ("regret <= 0.05", "path/to/file.py:Class")
    assert found.sizes == (("settings to find", "2"),)  # how many evaluations it has is its cost
    assert found.use == f"trimtab compare 'branin(noise=0.5)' --candidates {DEFAULT_SAMPLERS}"
    assert found.summary.startswith("Where is Branin's function least?")


def test_a_task_is_described():
    found = describe("diabetes")
    assert (found.slot, found.metric) == ("optimizer", "validation loss, lower is better")
    assert found.cost.endswith(" sample-gradients")
    assert "lion" in found.fits
    assert "tpe" not in found.fits
    assert found.target == "validation R² >= 0.4"


@pytest.mark.parametrize(
    ("name", "takes"),
    [("Mine", ("slope=2.0", "bend=0.0", "workers=1")), ("steep(by=3)", ("by",)), ("Mine(bend=1)", None)],
)
def test_ones_own_is_described(tmp_path, name, takes):
    file = tmp_path / "own file.py"
    file.write_text(OWN)
    found = describe(f"{file}:{name}")
    assert (found.summary, found.metric) == ("A line.", "height, higher is better")
    assert found.takes == (takes or ("slope=2.0", "bend=0.0", "workers=1"))
    assert found.use == f"trimtab compare '{file}:{name}' --candidates {DEFAULT_SAMPLERS}"


def test_what_is_no_problem_is_refused():
    with pytest.raises(InputError, match=r"unknown problem 'brannin'; did you mean branin\?"):
        describe("brannin")
