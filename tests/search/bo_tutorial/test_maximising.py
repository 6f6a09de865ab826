"""The largest value of a function in the unit cube, with columns that are not continuous."""

import pytest
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.utils.sampling import manual_seed

from tests.search.bo_tutorial.known import known
from trimtab.search.bo_tutorial.maximising import maximised

pytestmark = pytest.mark.filterwarnings("ignore:Data .outcome observations. is not standardized")


class Bowl(AcquisitionFunction):
    """Largest at 0.3 and the label that is favoured."""

    def __init__(self, favoured=None):
        super().__init__(known())
        self.favoured = favoured
        self.labels = []

    def forward(self, X):
        value = -(X[..., 0, 0] - 0.3).square()
        if self.favoured is None:
            return value
        self.labels.append(X[0, 0, 1].item())
        return value - 0.1 * (X[..., 0, 1] - self.favoured).square()


EFFORT = {"num_restarts": 1, "raw_samples": 16, "max_steps": 50, "seed": 0}


def test_a_smooth_maximum_is_found():
    assert maximised(Bowl(), 1, [{}], **EFFORT).item() == pytest.approx(0.3, abs=1e-4)


def test_each_choice_is_tried():
    choices = [{1: float(number)} for number in range(3)]
    for favoured in range(3):
        found = maximised(Bowl(favoured), 2, choices, **EFFORT)
        assert found.tolist() == pytest.approx([0.3, favoured], abs=1e-4)


def test_of_many_choices_the_promising_ones_are_searched():
    function = Bowl(7.0)
    found = maximised(function, 2, [{1: float(number)} for number in range(12)], **EFFORT)
    assert found.tolist() == pytest.approx([0.3, 7.0], abs=1e-4)
    assert set(function.labels[12:]) == {6.0, 7.0, 8.0}


def test_it_is_the_same_each_time():
    found = []
    for _ in range(2):
        with manual_seed(5):
            found.append(maximised(Bowl(), 1, [{}], **EFFORT))
    assert torch.equal(*found)
