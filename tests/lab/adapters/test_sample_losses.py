"""torch's loss functions sample by sample, and what is no loss of a sample."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from trimtab.lab.adapters.sample_losses import SampleLosses, check_sample_losses
from trimtab.study.errors import InputError

SAMPLES, TOKENS, CLASSES = 3, 4, 5


def real(*shape):
    return torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(len(shape)), requires_grad=True)


WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.1, 3.0])
TAGS = torch.tensor([[1, 2, -100, 3], [0, -100, -100, -100], [4, 3, 2, 1]])
TAGGED = [3, 1, 4]
BITS = (torch.arange(12).reshape(SAMPLES, TOKENS) % 3 == 0).float()


def cross_entropies(weight=None, smoothing=0.0):
    each = functional.cross_entropy(
        real(TOKENS, CLASSES).transpose(1, 2), TAGS, weight=weight, reduction="none", label_smoothing=smoothing
    )
    return each.sum(1)


def flat(**more):
    return functional.cross_entropy(real(TOKENS, CLASSES).view(-1, CLASSES), TAGS.view(-1), **more)


WEIGHTS = sum(WEIGHT[tag] for tag in TAGS.view(-1) if tag != -100)
SPEECH = torch.tensor([2, 1, 3])


def speech(**more):
    logits = real(8, CLASSES).log_softmax(-1).transpose(0, 1)
    return functional.ctc_loss(logits, TAGS.clamp(min=1), torch.full((SAMPLES,), 8), SPEECH, **more)


# what is called, and what each sample's loss is, written out
REDUCED = {
    "tokens": (flat, lambda: 3 * cross_entropies() / 8),
    "sum over tokens": (lambda: flat(reduction="sum") / 11, lambda: 3 * cross_entropies() / 11),
    "weighted classes": (lambda: flat(weight=WEIGHT), lambda: 3 * cross_entropies(WEIGHT) / WEIGHTS),
    "smoothed": (lambda: flat(label_smoothing=0.3), lambda: 3 * cross_entropies(smoothing=0.3) / 8),
    "weighted and smoothed": (
        lambda: flat(weight=WEIGHT, label_smoothing=0.3),
        lambda: 3 * cross_entropies(WEIGHT, 0.3) / WEIGHTS,
    ),
    "another label to ignore": (
        lambda: functional.cross_entropy(real(CLASSES), torch.tensor([1, 0, 2]), ignore_index=0),
        lambda: (
            1.5 * functional.cross_entropy(real(CLASSES), torch.tensor([1, 0, 2]), ignore_index=0, reduction="none")
        ),
    ),
    "shares of classes": (
        lambda: functional.cross_entropy(real(CLASSES), WEIGHT.softmax(0).expand(SAMPLES, -1)),
        lambda: -(real(CLASSES).log_softmax(1) * WEIGHT.softmax(0)).sum(1),
    ),
    "log-likelihoods": (
        lambda: nn.NLLLoss(weight=WEIGHT)(real(CLASSES), torch.tensor([1, 2, 4])),
        lambda: -3 * WEIGHT[[1, 2, 4]] * real(CLASSES)[[0, 1, 2], [1, 2, 4]] / 6,
    ),
    "squares": (lambda: functional.mse_loss(real(TOKENS), BITS), lambda: (real(TOKENS) - BITS).square().mean(1)),
    "squares, summed": (
        lambda: nn.MSELoss(reduction="sum")(real(TOKENS), BITS),
        lambda: 3 * (real(TOKENS) - BITS).square().sum(1),
    ),
    "absolute": (lambda: functional.l1_loss(real(TOKENS), BITS), lambda: (real(TOKENS) - BITS).abs().mean(1)),
    "bits": (
        lambda: functional.binary_cross_entropy_with_logits(real(TOKENS), BITS, pos_weight=WEIGHT[:4]),
        lambda: (
            -(WEIGHT[:4] * BITS * real(TOKENS).sigmoid().log() + (1 - BITS) * (-real(TOKENS)).sigmoid().log()).mean(1)
        ),
    ),
    "divergence": (
        lambda: functional.kl_div(real(TOKENS), BITS, reduction="batchmean"),
        lambda: (BITS.xlogy(BITS) - BITS * real(TOKENS)).sum(1),
    ),
    "sequences": (speech, lambda: speech(reduction="none") / SPEECH),
    "sequences, summed": (lambda: speech(reduction="sum"), lambda: 3 * speech(reduction="none")),
    "two and a share": (
        lambda: (flat() + functional.mse_loss(real(TOKENS), BITS)) / 2,
        lambda: (3 * cross_entropies() / 8 + (real(TOKENS) - BITS).square().mean(1)) / 2,
    ),
}


@pytest.mark.parametrize(("reduced", "expected"), REDUCED.values(), ids=REDUCED.keys())
def test_a_loss_function_gives_each_sample_its_own(reduced, expected):
    with SampleLosses(SAMPLES):
        found = reduced()
    torch.testing.assert_close(found, expected())
    torch.testing.assert_close(found.mean(), reduced())
    with SampleLosses(SAMPLES, 0.0):
        assert torch.equal(reduced(), torch.zeros(SAMPLES))
    assert found.requires_grad


def test_nothing_changes_where_elements_are_no_samples_or_nothing_is_reduced():
    with SampleLosses(SAMPLES):
        assert functional.mse_loss(torch.ones(7), torch.zeros(7)).shape == ()
        assert functional.mse_loss(torch.ones(6, 2), torch.zeros(6, 2), reduction="none").shape == (6, 2)
    assert functional.mse_loss(torch.ones(6), torch.zeros(6)).shape == ()


def test_samples_without_labels_have_no_loss():
    with SampleLosses(2):
        found = functional.cross_entropy(torch.randn(2, 3), torch.tensor([-100, -100]))
        weighted = functional.cross_entropy(torch.randn(2, 3), torch.tensor([-100, -100]), weight=torch.ones(3))
    assert found.tolist() == weighted.tolist() == [0.0, 0.0]


def line(loss):
    """Returns a model, and a function that computes a loss of its outputs within the context."""
    model = nn.Linear(2, 3)

    def run(batch, scale):
        with SampleLosses(4, scale):
            return loss(model, model(batch["x"]), batch["y"])

    return model, run


def columns():
    return {"x": torch.randn(4, 2), "y": torch.tensor([0, 2, 1, 1])}


def plain(model, outputs, labels):
    return functional.cross_entropy(outputs, labels)


def by_hand(model, outputs, labels):
    return -outputs.log_softmax(1)[range(4), labels].mean()


def penalised(model, outputs, labels):
    return functional.cross_entropy(outputs, labels) + 0.25 * model.weight.square().sum()


def classes_first(model, outputs, labels):
    targets = functional.one_hot(labels, 3).float()
    return functional.mse_loss(outputs.T.reshape(-1), targets.T.reshape(-1))


def scrambled(model, outputs, labels):
    return functional.cross_entropy(outputs[[1, 0, 2, 3]], labels[[1, 0, 2, 3]])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (plain, None),
        (by_hand, "nobody can tell which part of it is whose"),
        (penalised, "of it, which is .*, is a penalty or an auxiliary loss"),
        (classes_first, "it takes the elements of the batch in another order"),
        (scrambled, "it takes the elements of the batch in another order"),
    ],
)
def test_only_a_loss_that_is_all_of_samples_in_their_order_passes(loss, message):
    torch.manual_seed(0)
    model, run = line(loss)
    if message is None:
        check_sample_losses(run, model, columns(), 4, host="it", remedy="Do so")
    else:
        with pytest.raises(InputError, match=f"{message}(.|\n)*Do so"):
            check_sample_losses(run, model, columns(), 4, host="it", remedy="Do so")
    assert model.training


def test_a_penalty_is_told_with_its_size():
    torch.manual_seed(0)
    model, run = line(penalised)
    size = 0.25 * float(model.weight.detach().square().sum())
    with pytest.raises(InputError) as caught:
        check_sample_losses(run, model, columns(), 4, host="it", remedy="Do so")
    assert math.isclose(float(str(caught.value).split()[0]), size, rel_tol=1e-4)
