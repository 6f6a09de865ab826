import io

import pytest
import torch
from torch import nn

from trimtab.optim import AdaBelief
from trimtab.primitives.flat.chunks import BUCKET_SIZE, SMALL, Bucket, Plan, Single

pytestmark = pytest.mark.usefixtures("each_mode")


def parameters(shapes):
    params = [nn.Parameter(torch.full(shape, index + 1.0)) for index, shape in enumerate(shapes)]
    for param in params:
        param.grad = torch.ones_like(param)
    return params


def states_of(params):
    return {param: {"step": 0, "average": torch.zeros_like(param)} for param in params}


def chunked(params, states):
    return Plan(params, [param.grad for param in params], states, ("average",)).chunks


def test_large_tensors_go_alone_and_small_ones_together():
    params = parameters([(SMALL,), (3,), (4, 5), (SMALL - 1,), ()])
    chunks = chunked(params, states_of(params))
    assert [type(chunk) for chunk in chunks] == [Single, Bucket]
    assert chunks[1].params == params[1:]


def test_buckets_are_bounded_and_of_one_kind():
    params = parameters([(SMALL - 1,)] * (BUCKET_SIZE // SMALL + 3))
    states = states_of(params)
    states[params[0]]["step"] = 5
    chunks = chunked(params, states)
    assert [len(chunk.params) for chunk in chunks] == [1, BUCKET_SIZE // SMALL, 2]


def test_memory_is_used_in_place():
    (param,) = parameters([(SMALL, 2)])
    states = states_of([param])
    (chunk,) = chunked([param], states)
    flat_param, flat_grad, (flat_state,) = chunk.load([param.grad])
    assert flat_param.data_ptr() == param.data_ptr()
    assert flat_grad.data_ptr() == param.grad.data_ptr()
    assert flat_state.data_ptr() == states[param]["average"].data_ptr()


def test_parameters_stay_where_they_are():
    params = parameters([(SMALL,), (3,), (4, 5)])
    addresses, versions = [param.data_ptr() for param in params], [param._version for param in params]
    optimizer = AdaBelief(params)
    for _ in range(2):
        optimizer.step()
        # Autograd refuses to use a graph whose tensors were written to since.
        assert all(param._version > version for param, version in zip(params, versions, strict=True))
        versions = [param._version for param in params]
    assert [param.data_ptr() for param in params] == addresses


@pytest.mark.parametrize("shape", [(3,), (SMALL,)])
def test_what_the_owner_moves_or_replaces_is_followed(shape):
    ours, fresh = parameters([shape, (7,)]), parameters([shape, (7,)])
    optimizer, other = AdaBelief(ours, lr=0.1), AdaBelief(fresh, lr=0.1)
    optimizer.step()
    other.step()
    ours[0].data = ours[0].data.clone()
    optimizer.state[ours[0]]["exp_avg"] = optimizer.state[ours[0]]["exp_avg"].clone()
    optimizer.state[ours[1]] = dict(optimizer.state[ours[1]])
    for opt in (optimizer, other):
        opt.step()
    for a, b in zip(ours, fresh, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(optimizer.state[a]["exp_avg"], other.state[b]["exp_avg"])


def test_gradients_that_come_and_go_regroup_the_buckets():
    ours, alone = parameters([(3,), (4,), (5,)]), parameters([(3,), (4,), (5,)])
    together, apart = AdaBelief(ours, lr=0.1), [AdaBelief([param], lr=0.1) for param in alone]
    for present in ((0, 1, 2), (0, 2), (1,), (0, 1, 2), (2, 1)):
        for params in (ours, alone):
            for index, param in enumerate(params):
                param.grad = torch.full_like(param, index + len(present)) if index in present else None
        together.step()
        for optimizer in apart:
            optimizer.step()
    for a, b, optimizer in zip(ours, alone, apart, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=0)
        assert together.state[a]["step"] == optimizer.state[b]["step"]


def test_a_saved_state_is_not_the_whole_bucket():
    params = parameters([(3,), (SMALL - 1,)])
    optimizer = AdaBelief(params)
    optimizer.step()
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict()["state"][0], buffer)
    assert buffer.tell() < 10_000


def test_gradients_in_another_layout():
    for shape in ((2, 3, 4, 5), (8, 16, 32, 32)):
        ours, plain = parameters([shape])[0], parameters([shape])[0]
        grad = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        optimizer, other = AdaBelief([ours], lr=0.1), AdaBelief([plain], lr=0.1)
        for _ in range(2):
            ours.grad, plain.grad = grad.to(memory_format=torch.channels_last), grad
            optimizer.step()
            other.step()
        assert torch.equal(ours, plain)
