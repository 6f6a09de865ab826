"""The suite finds nothing wrong with what is sound, and for each of its checks there is a fault that it finds."""

from tests.testing import (
    test_configuring,
    test_extremes,
    test_grouping,
    test_hooks,
    test_learning,
    test_loading,
    test_looping,
    test_saving,
    test_settings,
    test_stepping,
    test_tensors,
    test_training,
    test_updates,
)
from tests.testing.faults import Sound, checks, failures, without_cases

FAULTS = [
    test_stepping.FAULTS,
    test_tensors.FAULTS,
    test_settings.FAULTS,
    test_training.FAULTS,
    test_looping.FAULTS,
    test_saving.FAULTS,
    test_extremes.FAULTS,
    test_hooks.FAULTS,
    test_learning.FAULTS,
    test_loading.FAULTS,
    test_updates.FAULTS,
    test_configuring.FAULTS,
    test_grouping.FAULTS,
]


def test_a_sound_optimizer_passes():
    assert failures(Sound) == {}


def test_every_check_has_a_fault_that_it_finds():
    found = {name for faults in FAULTS for names in faults.values() for name in names.split()} | {"new_process"}
    assert found == without_cases(name for name, _ in checks(Sound))
