"""Two processes that share parameters must get where one gets that has them all."""

import pytest
import torch
import torch.distributed.checkpoint as checkpoint
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from tests.new_process import in_processes, in_two_processes
from tests.primitives import four_processes, two_processes
from trimtab.optim import Lamb

pytestmark = pytest.mark.timeout(900)  # 15 s of two cores' time, which on a busy machine were more than four minutes


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Runs the two processes once; every test looks at another part of what they found."""
    where = tmp_path_factory.mktemp("two")
    in_two_processes(two_processes.main, where)
    return where


@pytest.fixture(scope="module")
def found(directory):
    return [torch.load(directory / f"found{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize(
    ("rule", "compiled"),
    [*((rule, False) for rule in two_processes.RULES), *((rule, True) for rule in sorted(two_processes.COMPILED))],
)
def test_sharded_is_unsharded_to_rounding(found, rule, compiled):
    difference, (sharded, whole) = found[0]["differences"][f"{rule}, {compiled}"]
    # Only the gradients' sums, and norms, are added up in another order; a sign does not show that.
    assert difference <= (0.0 if rule == "Lion" else 2e-7)
    assert sharded == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("rule", two_processes.WHOLE_MATRICES)
def test_what_looks_at_whole_matrices_gets_them(found, rule):
    assert [each["of_equal_gradients"][rule] for each in found] == [0.0, 0.0]


def test_both_processes_measure_the_same_norms(found):
    assert found[0]["differences"] == found[1]["differences"]


def test_state_is_divided_as_its_parameter_is(found):
    assert found[0]["placements"]
    assert found[1]["placements"]


@pytest.mark.parametrize("rule", [*two_processes.RULES, *two_processes.WHOLE_MATRICES])
def test_a_sharded_run_resumes_bit_for_bit(found, rule):
    assert found[0]["resumed"][rule]


def test_stochastic_rounding_resumes_bit_for_bit(found):
    assert found[0]["rounded"] == (True, True)


def test_all_processes_name_a_gradient_that_is_not_finite_on_one(found):
    expected = "the gradient of parameter '3.weight' is not finite; nothing was written"
    assert [each["refusal"] for each in found] == [(expected, True)] * 2


def test_distributed_checkpointing_makes_the_state_without_moving_anything(found):
    assert found[0]["initialised"] == (True, 10)


def test_what_needs_second_derivatives_refuses_divided_parameters(found):
    for each in found:
        assert "'0.weight' is divided over some (FSDP2): use it without fully_shard" in each["refused_at_construction"]


def test_data_parallel_training_is_the_same_on_both_and_as_on_one(found):
    same, difference = found[0]["data_parallel"]
    assert same
    assert difference <= 2e-7


def test_saved_by_two_processes_and_loaded_by_one(found, directory):
    network = two_processes.model()
    optimizer = Lamb(network.parameters(), lr=0.5)
    parameters, state = get_state_dict(network, optimizer)
    with pytest.warns(UserWarning, match="torch.distributed is disabled"):
        checkpoint.load({"model": parameters, "optimizer": state}, checkpoint_id=directory / "sharded")
    set_state_dict(network, optimizer, model_state_dict=parameters, optim_state_dict=state)
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert optimizer.state[network[0].weight]["step"] == 3
    two_processes.train(network, optimizer, 2, first=3)
    for one, both in zip(two_processes.values(network), found[0]["after"], strict=True):
        torch.testing.assert_close(one, both, rtol=0, atol=2e-7)


def test_a_layer_may_be_unfrozen_between_steps(found):
    for difference, stayed in (each["unfrozen"] for each in found):
        assert difference <= 2e-7
        assert stayed == [True] * 4


@pytest.fixture(scope="module")
def of_four():
    return in_processes(4, four_processes.main)


@pytest.mark.parametrize("rule", four_processes.RULES)
def test_layers_that_are_divided_already_may_be_sharded(of_four, rule):
    for difference, moved in (each["differences"][rule] for each in of_four):
        assert moved > 1e-3
        assert difference <= 1e-6


def test_norms_of_layers_that_are_divided_twice_are_recorded_whole(of_four):
    for whole, sharded in (each["recorded"] for each in of_four):
        assert sharded == pytest.approx(whole, rel=1e-6)


def test_pieces_have_the_same_coordinates_exactly_where_they_hold_the_same_elements(of_four):
    for held in zip(*(each["pieces"] for each in of_four), strict=True):
        elements, coordinates = [str(each) for each, _ in held], [str(each) for _, each in held]
        alike = set(zip(elements, coordinates, strict=True))
        assert len(alike) == len(set(elements)) == len(set(coordinates))


def test_every_process_of_a_mesh_says_that_one_gradient_is_not_finite(of_four):
    expected = "the gradient of parameter '0.weight' is not finite; nothing was written"
    assert [each["refusal"] for each in of_four] == [expected] * 4


def test_gradients_of_which_each_process_holds_a_summand_are_added_up_first(of_four):
    for ends, message in (each["summands"] for each in of_four):
        assert ends[::2] == ends[1::2]
        assert message == "the gradient of parameter 'weight' is not finite; nothing was written"
