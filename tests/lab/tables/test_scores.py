import numpy as np
import pytest
import torch
from sklearn import metrics

from trimtab.lab.tables.scores import accuracy, auc, balanced_accuracy, chosen_score, r2, rmse
from trimtab.lab.tables.target import Target
from trimtab.study.errors import InputError

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(200, 3, generator=GENERATOR)
CLASSES = torch.randint(3, (200,), generator=GENERATOR)


def classes(*shares):
    counts = [round(100 * share) for share in shares]
    return Target("y", np.arange(100), np.repeat(np.arange(len(shares)), counts), tuple("abc"[: len(shares)]))


def test_scores_of_classes_are_scikit_learns():
    guesses = LOGITS.argmax(1)
    assert accuracy(LOGITS, CLASSES) == pytest.approx(metrics.accuracy_score(CLASSES, guesses))
    assert balanced_accuracy(LOGITS, CLASSES) == pytest.approx(metrics.balanced_accuracy_score(CLASSES, guesses))


@pytest.mark.parametrize("digits", [0, 1, 6])  # with ties and without
def test_auc_is_scikit_learns(digits):
    logits, second = LOGITS[:, :2].round(decimals=digits), (CLASSES == 0).long()
    expected = metrics.roc_auc_score(second, (logits[:, 1] - logits[:, 0]).numpy())
    assert auc(logits, second) == pytest.approx(expected, abs=1e-12)
    assert auc(logits, torch.zeros_like(second)) == 0.5


def test_scores_of_numbers_are_scikit_learns():
    outputs, targets = LOGITS[:, :1], LOGITS[:, 2]
    assert r2(outputs, targets) == pytest.approx(metrics.r2_score(targets, outputs[:, 0]))
    expected = 3 * metrics.root_mean_squared_error(targets, outputs[:, 0])
    assert rmse(outputs, targets, 3.0) == pytest.approx(expected, rel=1e-6)
    assert r2(outputs[:1], targets[:1]) == 0


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (classes(0.5, 0.5), "accuracy"),
        (classes(0.79, 0.21), "accuracy"),
        (classes(0.9, 0.1), "AUC"),
        (classes(0.9, 0.05, 0.05), "balanced accuracy"),
        (Target("y", np.arange(9), np.arange(9.0)), "R²"),
    ],
)
def test_accuracy_is_quoted_where_no_class_hides_the_others(target, name):
    assert chosen_score("data.csv", target, 1.0, None).metric.name == name


def test_somebody_may_want_another():
    target = Target("y", np.arange(9), np.arange(9.0))
    assert chosen_score("data.csv", target, 2.0, "rmse").of(torch.zeros(1, 1), torch.ones(1)) == 2
    assert chosen_score("data.csv", classes(0.9, 0.1), 1.0, "accuracy").metric.name == "accuracy"


@pytest.mark.parametrize(("wanted", "target", "message"), [
    ("auc", classes(0.4, 0.3, 0.3), "none for 3 classes; known are accuracy, balanced-accuracy"),
    ("rmes", Target("y", np.arange(9), np.arange(9.0)), "none for numbers; did you mean rmse"),
    (3, classes(0.5, 0.5), "metric=3 is none for 2 classes"),
])  # fmt: skip
def test_what_there_is_not_is_refused(wanted, target, message):
    with pytest.raises(InputError, match=message):
        chosen_score("data.csv", target, 1.0, wanted)


def test_errors_as_large_as_those_of_what_diverged_are_refused():
    target = Target("y", np.arange(9), np.arange(9.0))
    with pytest.raises(InputError, match="metric='rmse' would be about 1e\\+155; give y in larger units"):
        chosen_score("data.csv", target, 1e155, "rmse")
    assert chosen_score("data.csv", target, 1e155, None).metric.name == "R²"
