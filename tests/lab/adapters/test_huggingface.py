"""A Trainer's set-up as a task: losses, steps and scores are the Trainer's own."""

import copy
import random

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils.data import Dataset, IterableDataset, SequentialSampler, Subset
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    Trainer,
    TrainingArguments,
)

from trimtab import Session, TrainerTask
from trimtab.lab.task import select, take_rows
from trimtab.lab.task_check import check_task
from trimtab.study.errors import InputError

TOKENS, LENGTH = 12, 8
SMALL = {"vocab_size": TOKENS, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}


class Rows(Dataset):
    """Rows of tokens; the model knows nothing of one of the columns."""

    def __init__(self, size, seed, labels):
        self.tokens = torch.randint(1, TOKENS, (size, LENGTH), generator=torch.Generator().manual_seed(seed))
        self.labels = labels(self.tokens)

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, row):
        return {"input_ids": self.tokens[row], "labels": self.labels[row], "comment": "none of the model's"}


def classes(tokens):
    return tokens[:, 0] % 3


def some_tokens(tokens):
    """Labels of which a sample has 1 to 7, so that means over samples and over tokens differ."""
    labels = tokens.clone()
    labels[torch.arange(LENGTH) <= (torch.arange(len(tokens)) % 7)[:, None]] = -100
    return labels


def no_tokens_in_some(tokens):
    labels = some_tokens(tokens)
    labels[::3] = -100
    return labels


def numbers(tokens):
    return tokens.float().mean(1)


def several(tokens):
    return (tokens[:, :3] > 5).float()


def bert_with(labels=3, **more):
    return BertForSequenceClassification(
        BertConfig(**SMALL, num_attention_heads=2, max_position_embeddings=LENGTH, num_labels=labels, **more)
    )


def bert():
    return bert_with()


def masked():
    return BertForMaskedLM(BertConfig(**SMALL, num_attention_heads=2, max_position_embeddings=LENGTH))


def llama():
    return LlamaForCausalLM(LlamaConfig(**SMALL, num_attention_heads=2, initializer_range=0.5))


def t5():
    return T5ForConditionalGeneration(
        T5Config(vocab_size=TOKENS, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0)
    )


def accuracy(prediction):
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes a function that makes a Trainer."""

    def make(model=bert, labels=classes, kind=Trainer, trainer=None, **arguments):
        defaults = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "max_steps": 5}
        settings = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "dataloader_pin_memory": False}
        parts = {"model_init": model, "train_dataset": Rows(40, 0, labels), "eval_dataset": Rows(30, 1, labels)}
        return lambda: kind(
            args=TrainingArguments(
                str(tmp_path), per_device_eval_batch_size=7, **{**defaults, **settings, **arguments}
            ),
            **{**parts, **(trainer or {})},
        )

    return make


def built(task, seed=0):
    return task.model(torch.Generator().manual_seed(seed))


KINDS = {
    "classes": (bert, classes),
    "regression": (lambda: bert_with(1), numbers),
    "several classes": (bert, several),
    "masked": (masked, some_tokens),
    "causal": (llama, some_tokens),
    "causal, samples without labels": (llama, no_tokens_in_some),
    "encoder and decoder": (t5, some_tokens),
}


def smoothed_loss(outputs, labels, num_items_in_batch=None):
    each = functional.cross_entropy(outputs.logits, labels, reduction="sum", label_smoothing=0.2)
    return each / num_items_in_batch


class Penalised(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        loss = loss + 0.1 * outputs.logits.square().mean()
        return (loss, outputs) if return_outputs else loss


class OwnLoss(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = functional.multi_margin_loss(outputs.logits, labels)
        return (loss, outputs) if return_outputs else loss


@pytest.mark.parametrize(("model", "labels"), KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_mean_of_the_losses_is_the_trainers(make, model, labels, smoothing):
    if smoothing and labels in (numbers, several):
        pytest.skip("smoothing is for classes")
    if smoothing and model is t5:
        pytest.skip("the Trainer keeps the labels from the model, which makes its decoder's inputs of them")
    maker = make(model, labels, label_smoothing_factor=smoothing)
    task = TrainerTask(maker, test=Rows(10, 2, labels))
    check_task(task, "here")
    trainer, net = maker(), built(task).eval()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    assert set(batch) == {"input_ids", "labels"}
    for rows in (slice(None), [5, 0, 3, 2]):
        part = select(batch, rows)
        items = trainer.get_batch_samples(iter([part]), 1, torch.device("cpu"))[1]
        expected = trainer.compute_loss(net, dict(part), num_items_in_batch=items)
        found = task.losses(task.outputs(net, part), part)
        torch.testing.assert_close(found.mean(), expected)
        ours, theirs = (
            torch.autograd.grad(loss, net.parameters(), allow_unused=True) for loss in (found.mean(), expected)
        )
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_sample_keeps_its_loss_among_others_of_as_many_tokens(make):
    task = TrainerTask(make(llama, torch.clone))
    net = built(task).eval()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    whole = task.losses(task.outputs(net, batch), batch)
    for row in range(8):
        one = select(batch, [row])
        torch.testing.assert_close(task.losses(task.outputs(net, one), one), whole[row : row + 1])
        own = net(**one).loss
        torch.testing.assert_close(own, whole[row])


def margins(logits, labels):
    return functional.multi_margin_loss(logits, labels, reduction="none")


def smoothed(logits, labels):
    return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=0.2)


def penalised(logits, labels):
    return functional.cross_entropy(logits, labels, reduction="none") + 0.1 * logits.square().mean(1)


@pytest.mark.parametrize(
    ("kind", "expected"), [(Trainer, smoothed), (OwnLoss, margins), (Penalised, penalised)], ids=lambda f: f.__name__
)
def test_losses_of_somebodys_own_are_replayed_sample_by_sample(make, kind, expected):
    maker = make(kind=kind, trainer={"compute_loss_func": smoothed_loss} if kind is Trainer else {})
    task = TrainerTask(maker, test=Rows(10, 2, classes))
    check_task(task, "here")
    net = built(task).eval()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    outputs = task.outputs(net, batch)
    torch.testing.assert_close(task.losses(outputs, batch), expected(outputs.outputs.logits, batch["labels"]))


# BERT's head takes no notice of the number of items that the Trainer hands it, and so adds up what it should average
@pytest.mark.parametrize(
    ("model", "labels", "accumulated"), [(bert, classes, 1), (llama, some_tokens, 2)], ids=["classes", "causal"]
)
def test_steps_are_the_trainers_on_the_same_batches(make, model, labels, accumulated):
    def without_dropout():
        net = model()
        for part in net.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        return net

    size = {"per_device_train_batch_size": 8 // accumulated, "gradient_accumulation_steps": accumulated}
    task = TrainerTask(make(without_dropout, labels, **size))
    session = Session(task, lambda net: torch.optim.AdamW(net.parameters(), lr=1e-2), seed=3)
    start = copy.deepcopy(session.model)
    rows, losses = [], []
    for _ in range(task.steps):
        losses.append(session.step())
        rows += session._stream.rows.tolist()
    assert len(rows) == 40 == len(set(rows))

    class InOrder(Trainer):
        def _get_train_sampler(self, *_):
            return SequentialSampler(self.train_dataset)

    data = Subset(Rows(40, 0, labels), rows)
    maker = make(without_dropout, labels, InOrder, {"train_dataset": data},
                 lr_scheduler_type="constant", max_grad_norm=0.0, logging_steps=1, **size)  # fmt: skip
    trainer = maker()
    trainer.model = trainer.model_wrapped = start
    trainer.model_init = None
    trainer.optimizer = torch.optim.AdamW(start.parameters(), lr=1e-2)
    trainer.train()
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses == pytest.approx(logged, rel=1e-4)
    for ours, theirs in zip(session.model.parameters(), trainer.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("model", "labels", "metric"),
    [(bert, classes, "accuracy"), (masked, some_tokens, "eval_accuracy"), (llama, some_tokens, "loss")],
)
def test_scores_are_those_of_evaluate(make, model, labels, metric):
    maker = make(
        model,
        labels,
        trainer={"compute_metrics": accuracy},
        metric_for_best_model=metric,
        greater_is_better=metric != "loss",
    )
    task = TrainerTask(maker, test=Rows(17, 2, labels))
    net = built(task)
    trainer = maker()
    trainer.model = trainer.model_wrapped = net
    for split, data in (("validation", Rows(30, 1, labels)), ("test", Rows(17, 2, labels))):
        found = task.evaluate(net, split)
        expected = trainer.evaluate(data)
        net.train()
        assert found.loss == pytest.approx(expected["eval_loss"], rel=1e-5)
        assert found.metric == pytest.approx(expected[f"eval_{task.metric.name}"], rel=1e-5)
        assert task.metric.direction == ("min" if metric == "loss" else "max")
    task.evaluate(net)
    assert net.training


def test_parts_of_a_model_keep_their_modes_when_it_is_evaluated(make):
    task = TrainerTask(make())
    model = built(task)
    model.classifier.eval()
    task.evaluate(model)
    assert model.training
    assert not model.classifier.training


def test_what_a_collator_draws_is_the_same_at_every_evaluation(make):
    def masks(rows):
        tokens = torch.stack([row["input_ids"] for row in rows])
        labels = tokens.masked_fill(torch.rand(tokens.shape) > 0.4, -100)
        return {"input_ids": tokens, "labels": labels}

    task = TrainerTask(make(masked, classes, trainer={"data_collator": masks}, remove_unused_columns=False))
    session = Session(task, lambda net: torch.optim.SGD(net.parameters(), lr=0.1), seed=0)
    before = session.evaluate()
    torch.rand(3)
    assert session.evaluate() == before
    drawn = [task.evaluate(built(task)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    labels = [session.next_batch()["labels"] for _ in range(2)]
    assert not torch.equal(labels[0] == -100, labels[1] == -100)


def test_models_are_the_same_from_a_seed_and_ready_to_train(make):
    def evaluating():
        return bert_with(attention_probs_dropout_prob=0.0).eval()

    task = TrainerTask(make(evaluating))
    one, same, other = (built(task, seed) for seed in (0, 0, 1))
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    assert one.training


def test_a_split_without_a_seed_is_the_same_in_every_process(make):
    def drawn():
        rows = [torch.randperm(40)[:20].tolist(), np.random.permutation(40)[:20].tolist(), random.sample(range(40), 20)]  # noqa: NPY002
        data = Rows(40, 0, classes)
        return make(trainer={"train_dataset": Subset(data, rows[0]), "eval_dataset": Subset(data, rows[1] + rows[2])})()

    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    one, other = TrainerTask(drawn), TrainerTask(drawn)
    assert one.train.indices == other.train.indices
    assert one.validation.dataset.indices == other.validation.dataset.indices
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == states[1:]  # noqa: NPY002


def test_without_test_data_half_of_the_validation_data_is_set_aside(make):
    task = TrainerTask(make())
    assert len(task.validation) == len(task.test) == 15
    assert sorted(task.validation.indices + task.test.indices) == list(range(30))
    assert task.validation.indices == TrainerTask(make()).validation.indices


def test_length_and_batch_size_are_the_arguments(make):
    task = TrainerTask(make())
    assert (task.batch_size, task.steps) == (8, 5)
    assert TrainerTask(make(max_steps=-1, num_train_epochs=1.5)).steps == 8
    snapshot = Session(task, lambda net: torch.optim.SGD(net.parameters(), lr=0.1), seed=0)
    snapshot.step()
    assert type(snapshot.batch) is dict


class WeightedLoss(Trainer):
    """Writes the weighted mean out, so that nobody can see the samples in it."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs = model(**inputs)
        weight = torch.tensor([1.0, 2.0, 5.0])[inputs["labels"]]
        each = functional.cross_entropy(outputs.logits, inputs["labels"], reduction="none")
        loss = (each * weight).sum() / weight.sum()
        return (loss, outputs) if return_outputs else loss


class TwoPasses(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs, again = model(**inputs), model(**inputs)
        loss = outputs.loss + (outputs.logits - again.logits).square().mean()
        return (loss, outputs) if return_outputs else loss


class Doubled(Trainer):
    """Calls the model twice, and computes both losses with torch's functions."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs, other = model(**inputs), model(input_ids=inputs["input_ids"].flip(1))
        weights = torch.tensor([1.0, 2.0, 5.0])
        loss = outputs.loss + functional.cross_entropy(other.logits, inputs["labels"], weight=weights)
        return (loss, outputs) if return_outputs else loss


def test_every_loss_of_torchs_counts_wherever_it_is_called(make):
    maker = make(lambda: bert_with(initializer_range=0.5), kind=Doubled)
    task = TrainerTask(maker, test=Rows(10, 2, classes))
    check_task(task, "here")
    net = built(task).eval()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    found, labels = task.losses(task.outputs(net, batch), batch), batch["labels"]
    weight = torch.tensor([1.0, 2.0, 5.0])[labels]
    first, second = (
        functional.cross_entropy(net(input_ids=tokens).logits, labels, reduction="none")
        for tokens in (batch["input_ids"], batch["input_ids"].flip(1))
    )
    torch.testing.assert_close(found, first + second * weight / weight.mean())


class OwnStep(Trainer):
    def training_step(self, *arguments):
        return super().training_step(*arguments)


def test_a_loss_that_the_trainer_does_not_tell_is_taken_from_the_user(make):
    def weighted(outputs, batch):
        weight = torch.tensor([1.0, 2.0, 5.0])[batch["labels"]]
        return functional.cross_entropy(outputs.logits, batch["labels"], reduction="none") * weight / weight.mean()

    with pytest.raises(InputError, match=r"the mean of the samples' losses is .*the Trainer's loss is .*losses=\.\.\."):
        TrainerTask(make(lambda: bert_with(initializer_range=0.5), kind=WeightedLoss))
    task = TrainerTask(make(lambda: bert_with(initializer_range=0.5), kind=WeightedLoss), losses=weighted)
    check_task(task, "here")
    with pytest.raises(InputError, match="the mean of the samples' losses"):
        TrainerTask(make(), losses=lambda outputs, batch: 1.001 * weighted(outputs, batch))
    with pytest.raises(InputError, match=r"losses of shape \(\) for 8 samples"):
        TrainerTask(make(), losses=lambda outputs, batch: outputs.loss)
    with pytest.raises(InputError, match="could not be had: KeyError: 'weight'"):
        TrainerTask(make(), losses=lambda outputs, batch: batch["weight"])


def in_parts(prediction, compute_result):
    return {}


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Rows(40, 0, classes))


class Grouped(Trainer):
    def _get_train_sampler(self, *_):
        return torch.utils.data.WeightedRandomSampler(torch.ones(40), 40)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": TwoPasses}, "TwoPasses.compute_loss calls the model 2 times"),
        ({"kind": OwnStep}, "OwnStep.training_step is not called"),
        ({"kind": Grouped}, "the order of WeightedRandomSampler cannot be kept"),
        ({"neftune_noise_alpha": 5.0}, r"TrainingArguments\(neftune_noise_alpha=5.0\)"),
        ({"batch_eval_metrics": True, "trainer": {"compute_metrics": in_parts}}, "batch_eval_metrics=True"),
        ({"metric_for_best_model": "f1"}, "metric_for_best_model='f1', but the Trainer has no compute_metrics"),
        ({"trainer": {"compute_metrics": accuracy}}, "which of compute_metrics' numbers"),
        ({"trainer": {"train_dataset": Stream()}}, "Stream is an iterable data set"),
        ({"trainer": {"eval_dataset": None}}, "eval_dataset=None"),
        ({"trainer": {"eval_dataset": Rows(1, 0, classes)}}, "1 samples cannot be split"),
        ({"trainer": {"eval_dataset": {"a": Rows(9, 0, classes)}}}, "eval_dataset has several data sets, a; one"),
        ({"per_device_train_batch_size": 30}, r"60 samples a step \(with accumulation\) exceed the 40"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_taken_over_is_refused_by_name(make, changes, message):
    with pytest.raises(InputError, match=message):
        TrainerTask(make(**changes))


def test_a_metric_that_is_not_computed_is_refused_before_any_work(make):
    task = TrainerTask(make(trainer={"compute_metrics": accuracy}, metric_for_best_model="f1"))
    with pytest.raises(InputError, match="metric_for_best_model='f1' is not what compute_metrics returns: accuracy"):
        check_task(task, "here")


def test_a_trainer_instead_of_a_function_is_refused(make):
    with pytest.raises(
        InputError, match=r"make_trainer is a Trainer: a function that makes a Trainer is needed.* without c"
    ):
        TrainerTask(make()())


class OwnStepAndEvaluation(OwnStep):
    def evaluate(self, *arguments, **more):
        return super().evaluate(*arguments, **more)


def test_everything_that_is_in_the_way_is_named_at_once(make):
    with pytest.raises(InputError, match=r"OwnStepAndEvaluation\.training_step and evaluate are not called"):
        TrainerTask(make(kind=OwnStepAndEvaluation))
    with pytest.raises(InputError, match=r"neftune_noise_alpha=5\.0, batch_eval_metrics=True\) .* drop them"):
        TrainerTask(make(neftune_noise_alpha=5.0, batch_eval_metrics=True, trainer={"compute_metrics": in_parts}))


def test_a_model_instead_of_a_function_is_refused(tmp_path):
    def fixed():
        return Trainer(bert(), TrainingArguments(use_cpu=True, output_dir=str(tmp_path)), eval_dataset=[1])

    with pytest.raises(InputError, match="give a function, model_init="):
        TrainerTask(fixed)
    with pytest.raises(InputError, match=r"returned a BertForSequenceClassification, expected a transformers\.Trainer"):
        TrainerTask(bert)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("trimtab.lab.adapters.huggingface.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'trimtab\[huggingface\]'"):
        TrainerTask(bert)


class Unlabelled(Rows):
    def __getitem__(self, row):
        columns = super().__getitem__(row)
        return {"input_ids": columns["input_ids"], "targets": columns["labels"]}


def renamed(rows):
    columns = torch.utils.data.default_collate(rows)
    return {"input_ids": columns["input_ids"], "labels": columns["targets"]}


def test_labels_of_another_name_are_missed_and_found_by_a_collator(make):
    data = Unlabelled(40, 0, classes)
    trainer = {"train_dataset": data, "eval_dataset": data}
    with pytest.raises(
        InputError, match=r"did not return a loss(.|\n)*holds input_ids\.(.|\n)*remove_unused_columns=False"
    ):
        TrainerTask(make(trainer=trainer))
    task = TrainerTask(make(trainer={**trainer, "data_collator": renamed}, remove_unused_columns=False))
    check_task(task, "here")


def test_a_model_that_returns_tuples_is_taken(make):
    maker = make(lambda: bert_with(return_dict=False))
    task, same = TrainerTask(maker), TrainerTask(make())
    check_task(task, "here")
    net = built(task).eval()
    batch = take_rows(task.train, torch.arange(8), task.collate)
    other = copy.deepcopy(net)
    other.config.return_dict = True
    torch.testing.assert_close(
        task.losses(task.outputs(net, batch), batch), same.losses(same.outputs(other, batch), batch)
    )
