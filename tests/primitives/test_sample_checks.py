import pytest
import torch
from torch import nn

from tests.primitives.test_sample_gradients import cross_entropies
from trimtab.primitives.sample_checks import refuse_coupled_samples, samples_of


def test_losses_that_depend_on_the_rest_of_the_batch_are_found():
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2), nn.BatchNorm1d(2))
    batch = (torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)
    assert refuse_coupled_samples(model, cross_entropies, batch) == 16
    assert all(module.training for module in model.modules())

    def coupled(model, batch):
        return cross_entropies(model, batch) / (batch[1].sum() + 1)

    with pytest.raises(ValueError, match="depend on its own sample alone"):
        refuse_coupled_samples(model, coupled, batch)
    assert all(module.training for module in model.modules())


def test_samples_are_counted_in_nested_batches():
    assert samples_of({"a": [torch.ones(3, 2)], "b": (torch.ones(3),)}) == 3
