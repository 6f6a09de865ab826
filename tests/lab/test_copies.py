import torch

from trimtab.lab.copies import copied
from trimtab.optim.peers.low_bit import AdamW8bit


def test_a_copy_has_tensors_of_its_own_whatever_they_are():
    param = torch.nn.Parameter(torch.zeros(64, 64))
    optimizer = AdamW8bit([param], lr=0.1)
    param.grad = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    kept = copied(optimizer.state_dict())
    before = kept["state"][0]["exp_avg"].dequantize()
    assert type(kept["state"][0]["exp_avg"]) is type(optimizer.state[param]["exp_avg"])
    assert torch.equal(before, optimizer.state[param]["exp_avg"].dequantize())
    optimizer.step()
    assert torch.equal(before, kept["state"][0]["exp_avg"].dequantize())
    assert not torch.equal(before, optimizer.state[param]["exp_avg"].dequantize())
    assert kept["state"][0]["step"] == 1
    assert copied({}) == {}
