"""Optimizers that do not optimise, or not each group by its own settings."""

from tests.testing.faults import SHORT, Sound, failures, of_each, without_cases


class Climbs(Sound):
    def move(self, group):
        super().move({**group, "maximize": not group["maximize"]})


class DecaysAllAlike(Sound):
    def move(self, group):
        super().move({**group, "weight_decay": self.defaults["weight_decay"]})


FAULTS = {
    Climbs: "descends constant_gradients",
    DecaysAllAlike: "group_settings group_weight_decay kept_entries state_dict",
}


@of_each(FAULTS)
def test_a_fault_is_found_where_it_is(fault, expected):
    found = failures(fault, SHORT)
    assert without_cases(found) == expected, found
