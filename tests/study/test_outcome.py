"""Outcomes as they are written down."""

import pytest

from trimtab.study.outcome import CurvePoint, Outcome


@pytest.mark.parametrize("name", ["loss", "metric", "test loss"])
@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_an_outcome_with_a_huge_number_is_read_as_diverged(name, value):
    ends = {"loss": 0.3, "metric": 0.9, "test loss": 0.4, name: value}
    measures = {"test loss": ends.pop("test loss"), "steps": 2}
    curve = (CurvePoint(0, None, 2.3, 0.1), CurvePoint(10, 1.0, 1.7e308, 0.5), CurvePoint(20, 1.0, 0.3, 0.9))
    read = Outcome.from_dict(Outcome("complete", **ends, cost=20, measures=measures, curve=curve).to_dict())
    kept = {} if name == "test loss" else {"test loss": 0.4}
    assert (read.status, read.loss, read.metric, read.measures) == ("diverged", None, None, {**kept, "steps": 2})
    assert f"{value:.3g}" in read.error
    assert [point.cost for point in read.curve] == [0, 20]
    assert read.cost == 20


def test_large_numbers_that_can_be_compared_are_kept():
    kept = Outcome("complete", 1e30, -1e30, curve=(CurvePoint(0, None, 1e149, 1.0),))
    assert Outcome.from_dict(kept.to_dict()) == kept


OF_BEFORE = {
    "status": "complete",
    "loss": 0.5,
    "metric": 0.9,
    "test_loss": 0.6,
    "test_metric": None,
    "cost": 64,
    "steps": 4,
    "seconds": 2.0,
    "processor_seconds": 1.0,
    "step_seconds": 0.25,
    "state_bytes": 12,
    "curve": [{"cost": 0, "train_loss": None, "loss": 2.0, "metric": 0.1}],
    "pace": [{"cost": 16, "lr": 0.1, "batch_size": 16}, {"cost": 64, "lr": None, "batch_size": 32}],
    "probed": {"training loss": 0.4},
    "error": None,
}


def test_what_the_first_version_wrote_is_read():
    read = Outcome.from_dict(OF_BEFORE)
    measures = {"test loss": 0.6, "steps": 4, "step seconds": 0.25, "state bytes": 12, "training loss": 0.4}
    assert read == Outcome(
        "complete",
        0.5,
        0.9,
        cost=64,
        seconds=2.0,
        processor_seconds=1.0,
        measures=measures,
        curve=(CurvePoint(0, None, 2.0, 0.1),),
        traces={"learning rate": ((16, 0.1),), "batch size": ((16, 16), (64, 32))},
    )
    assert Outcome.from_dict({name: value for name, value in OF_BEFORE.items() if name != "pace"}).traces == {}
    assert Outcome.from_dict(read.to_dict()) == read


def test_what_was_called_updates_for_a_while_are_steps():
    written = Outcome("complete", 0.5, 0.9, measures={"test loss": 0.6, "updates": 4}).to_dict()
    assert Outcome.from_dict(written).measures == {"test loss": 0.6, "steps": 4}
