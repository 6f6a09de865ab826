import pytest
import torch
from sklearn.metrics import r2_score
from torch.nn import functional

from tests.lab.tasks.hashing import sha256
from trimtab.lab.task import take_rows
from trimtab.lab.tasks import tabular
from trimtab.lab.tasks.splits import stratified_split
from trimtab.lab.tasks.tabular import BreastCancer, Diabetes, fifths, standardised


def splits(task):
    return task.train, task.validation, task.test


def test_the_split_of_diabetes_is_what_it_always_was():
    _, progression = tabular._diabetes()
    parts = stratified_split(fifths(progression), (266, 88, 88))
    assert sha256(*parts) == "4d9457a751177fe7"
    mean, spread = progression[parts[0]].mean(), progression[parts[0]].std(correction=0)
    for part, data in zip(parts, splits(Diabetes()), strict=True):
        torch.testing.assert_close(data.tensors[1].double() * spread + mean, progression[part], rtol=1e-5, atol=1e-3)
        assert ((fifths(progression)[part].bincount() - len(part) / 5).abs() <= 1.5).all()


@pytest.mark.parametrize(
    ("task", "source", "labels"),
    [(BreastCancer, tabular._breast_cancer, lambda y: y), (Diabetes, tabular._diabetes, fifths)],
)
def test_inputs_are_standardised_by_the_training_samples_alone(task, source, labels):
    measurements, targets = source()
    data = splits(task())
    parts = stratified_split(labels(targets), tuple(map(len, data)))
    train = measurements[parts[0]].numpy()
    for part, split in zip(parts, data, strict=True):
        expected = (measurements[part].numpy() - train.mean(0)) / train.std(0)
        torch.testing.assert_close(split.tensors[0], torch.tensor(expected, dtype=torch.float32), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(data[1].tensors[0].mean(0), torch.zeros(1), atol=1e-3)


def test_diabetes_is_not_the_table_that_was_scaled_with_all_patients():
    measurements, _ = tabular._diabetes()
    assert float(measurements[:, 0].max()) == 79  # an age in years


def test_a_standardised_column_has_mean_zero_and_variance_one_over_the_given_rows():
    values = torch.tensor([[1.0, 10.0], [3.0, 30.0], [100.0, 100.0]], dtype=torch.float64)
    result = standardised(values, torch.tensor([0, 1]))
    assert result.tolist() == [[-1, -1], [1, 1], [98, 8]]
    assert result.dtype == torch.float32


def test_fifths_are_ranks_and_not_shares_of_the_range():
    assert fifths(torch.tensor([1e6, 1.0, 2.0, 3.0, 4.0])).tolist() == [4, 0, 1, 2, 3]


def test_the_loss_of_breast_cancer_is_torch_s():
    task = BreastCancer()
    model = task.model(torch.Generator().manual_seed(0)).eval()
    batch = take_rows(task.validation, torch.arange(114))
    outputs = task.outputs(model, batch)
    usual = functional.binary_cross_entropy(outputs.sigmoid(), batch[1])
    torch.testing.assert_close(task.losses(outputs, batch).mean(), usual)
    evaluation = task.evaluate(model)
    assert evaluation.loss == pytest.approx(usual.item(), rel=1e-5)
    assert evaluation.metric == pytest.approx(float((outputs.sigmoid().round() == batch[1]).float().mean()))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_r2_of_a_split_is_scikit_learn_s(split, monkeypatch):
    monkeypatch.setattr("trimtab.lab.task.EVALUATION_BATCH", 30)  # R² is not a mean over batches
    task = Diabetes()
    model = task.model(torch.Generator().manual_seed(0)).eval()
    inputs, targets = getattr(task, split).tensors
    outputs = model(inputs).detach()
    evaluation = task.evaluate(model, split)
    assert evaluation.metric == pytest.approx(r2_score(targets.numpy(), outputs.numpy()), rel=1e-5)
    assert evaluation.loss == pytest.approx(float(functional.mse_loss(outputs, targets)), rel=1e-5)
    if split == "train":  # the score of a batch agrees where the batch is what standardised the targets
        score = task.score(outputs, (inputs, targets)).item()
        assert score == pytest.approx(evaluation.metric, abs=1e-5)


def test_r2_of_one_sample_is_finite():
    task = Diabetes()
    batch = take_rows(task.train, torch.tensor([0]))
    assert torch.isfinite(task.score(task.model(torch.Generator())(batch[0]), batch))
