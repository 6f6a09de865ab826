"""What surrogates that hold networks have in common."""

import pytest
import torch

from tests.search.bnn_surrogates import linear
from trimtab.search import DeepEnsembleSurrogate, LinearizedLaplace, SGHMCSurrogate
from trimtab.search.bnn_surrogates import network_model

X, Y = linear.data(outputs=2)
SMALL = {"hidden": (4,), "members": 3, "steps": 20, "seed": 0}


@pytest.mark.parametrize("surrogate", [DeepEnsembleSurrogate, LinearizedLaplace, SGHMCSurrogate])
def test_there_is_no_posterior_before_a_fit(surrogate):
    model = surrogate(X, Y, hidden=(3,))
    assert (model.num_outputs, model.batch_shape) == (2, torch.Size())
    with pytest.raises(RuntimeError, match=f"{surrogate.__name__} is not fitted"):
        model.posterior(X)


def test_evaluation_in_parts_is_evaluation(monkeypatch):
    model = DeepEnsembleSurrogate(X, Y, **SMALL).fit()
    new = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = model(new)
    assert whole.shape == (4, 3, 3, 2)  # batch, members, points, outputs
    monkeypatch.setattr(network_model, "_CHUNK", 1)
    torch.testing.assert_close(model(new), whole, rtol=1e-14, atol=1e-14)
    for batch in range(4):
        for member in range(3):
            alone = model.network(model.weight_draws[member : member + 1], new[batch])[0]
            torch.testing.assert_close(whole[batch, member], alone, rtol=1e-13, atol=1e-13)


def test_a_seed_from_the_operating_system_is_kept():
    model = DeepEnsembleSurrogate(X, Y, **(SMALL | {"seed": None})).fit()
    again = DeepEnsembleSurrogate(X, Y, **(SMALL | {"seed": model.seed})).fit()
    assert torch.equal(model.weight_draws, again.weight_draws)


def test_data_are_copied():
    theirs = X.clone()
    model = DeepEnsembleSurrogate(theirs, Y, **SMALL, outcome_transform=None)
    theirs.zero_()
    assert torch.equal(model.inputs, X)


def test_a_state_of_another_shape_is_refused():
    model = DeepEnsembleSurrogate(X, Y, **SMALL).fit()
    with pytest.raises(RuntimeError, match="size mismatch for weight_draws"):
        DeepEnsembleSurrogate(X, Y, **(SMALL | {"members": 5})).load_state_dict(model.state_dict())
