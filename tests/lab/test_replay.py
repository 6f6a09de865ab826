import torch
from torch import nn

from trimtab.lab.replay import Replay


def test_only_the_first_pass_is_counted_and_the_buffers_stay_the_same_objects():
    model, inputs = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), torch.randn(5, 3)
    twin = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    twin.load_state_dict(model.state_dict())
    twin(inputs)
    own = dict(model.named_buffers())
    replay = Replay(model)
    outputs = []
    for _ in range(3):
        with replay.one_pass():
            outputs.append(model(inputs))
    outputs[0].sum().backward()  # what its graph saved was not written to
    for name, buffer in model.named_buffers():
        assert buffer is own[name]
        assert torch.equal(buffer, dict(twin.named_buffers())[name])


def test_every_pass_sees_the_same_buffers():
    layer, inputs = nn.Linear(6, 6), torch.ones(2, 6)
    with torch.no_grad():  # singular values so close that the iteration takes long to settle
        layer.weight.copy_(torch.diag(torch.linspace(0.95, 1, 6)))
    model = nn.utils.parametrizations.spectral_norm(layer)
    replay = Replay(model)
    outputs = []
    for _ in range(3):
        with replay.one_pass(), torch.no_grad():
            outputs.append(model(inputs))
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])
    with torch.no_grad():
        assert not torch.equal(outputs[0], model(inputs))  # by itself its iteration goes on
