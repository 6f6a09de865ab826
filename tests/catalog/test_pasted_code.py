"""The lines that reports print are pasted into a loop of one's own, and run."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.catalog.loops import RESTS
from trimtab.catalog.entries import of_slot
from trimtab.catalog.expressions import example
from trimtab.catalog.parsing import parse_expression

MIXED = [
    "lion+adadagrad", "lion+cosine", "clip(lion)+autolrs", "agvm(adam)+linear", "lamb+refined",
    "galore(clip(lion), rank=2)", "schedulefree+cosine", "adamw(lr=0.01, amsgrad=True)+linear(warmup=0.1)",
    "clip_norm(schedulefree)", "clip_norm(ema(adamw))", "ema(agvm(adamw))", "ema(adahessian)", "ema(sophia)",
    "ema(sso)",
]  # fmt: skip
EVERYTHING = [example(entry).label for entry in of_slot("optimizer").values()] + MIXED


def loss_of(model, inputs, targets):
    return torch.nn.functional.cross_entropy(model(inputs), targets)


def marked(code, words):
    """The statements that a comment names."""
    return [line.partition(": ")[2] for line in code.splitlines() if line.startswith(f"# {words}")]


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("text", EVERYTHING)
def test_pasted_code_is_complete_and_trains(text):
    expression = parse_expression(text)
    code = expression.code({name: tunable.at(0.5) for name, tunable in expression.tunables.items()}, 20)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    data = TensorDataset(torch.randn(64, 4), torch.randint(0, 4, (64,)))
    inputs, targets = data[:8]
    names = {"model": model, "data": data, "loader": DataLoader(data, 8), "inputs": inputs, "targets": targets}
    names |= {"fixed_inputs": inputs, "fixed_targets": targets}
    names["losses"] = lambda outputs, targets: torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
    names["mean_loss"] = torch.nn.functional.cross_entropy

    exec(code, names)
    optimizer, before = names["optimizer"], [p.detach().clone() for p in model.parameters()]

    def half(rows):
        def closure():
            loss = loss_of(model, inputs[rows], targets[rows])
            loss.backward()
            return loss

        return closure

    def closure():
        optimizer.zero_grad()
        return half(slice(8))()

    names |= {"first_half": half(slice(4)), "second_half": half(slice(4, 8)), "closure": closure}
    for _ in range(3 + RESTS.get(text, 0)):
        optimizer.zero_grad()
        names["loss"] = loss_of(model, inputs, targets)
        own = marked(code, "each step")
        if not any("optimizer.step(" in line for line in own):
            own = [*(own or ["loss.backward()"]), "optimizer.step()"]
        for line in own + marked(code, "after each step"):
            exec(line, names)
    after = [p.detach() for p in model.parameters()]
    assert all(torch.isfinite(p).all() for p in after)
    assert any(not torch.equal(p, q) for p, q in zip(before, after, strict=True))
    if "total_steps" in code:
        assert names["total_steps"] == 20


@pytest.mark.parametrize("text", ["lion", "clip(lion)", "clip(adamw, fraction=0.01)", "sgd+clip"])
def test_the_code_to_paste_builds_the_same(text):
    expression = parse_expression(text)
    tuned = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}
    names = {"model": torch.nn.Linear(2, 2)}
    exec(expression.code(tuned), names)
    built = expression.build(torch.nn.Linear(2, 2), tuned)
    assert type(names["optimizer"]) is type(built)
    pasted, own = names["optimizer"].param_groups[0], built.param_groups[0]
    assert pasted.keys() == own.keys() - {"param_names"}
    for name in pasted.keys() - {"params"}:
        assert pasted[name] == (pytest.approx(own[name], rel=5e-3) if isinstance(own[name], float) else own[name])


def divided(optimizer, names):
    return [([names[param] for param in group["params"]], group["weight_decay"]) for group in optimizer.param_groups]


@pytest.mark.parametrize("text", ["adamw", "muon", "agvm(adamw)", "agvm(muon)", "agvm(clip(lamb))", "adam_mini"])
@pytest.mark.parametrize("no_decay", [False, True])
def test_the_code_to_paste_divides_a_model_into_the_same_groups(text, no_decay):
    expression = parse_expression(text)
    tuned = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()} | {"weight_decay": 0.125}
    made = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)
    )
    names = {"model": made}
    exec(expression.code(tuned, no_decay=no_decay), names)
    called = {param: name for name, param in made.named_parameters()}
    built = expression.build(made, tuned, no_decay=no_decay)
    assert divided(names["optimizer"], called) == divided(built, called)
    assert {group["weight_decay"] for group in built.param_groups} >= ({0.0, 0.125} if no_decay else {0.125})


@pytest.mark.parametrize("text", ["lbfgs", "sso", "torch.optim:Rprop(lr=0.1)"])
def test_the_code_to_paste_has_no_groups_where_nothing_decays(text):
    expression = parse_expression(text)
    tuned = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}
    assert "(model.parameters(), " in expression.code(tuned, no_decay=True)
    assert expression.code(tuned, no_decay=True) == expression.code(tuned)


def test_imports_stand_at_the_head_once():
    code = parse_expression("lion+adadagrad").code({"lr": 1e-3, "weight_decay": 0.1, "adadagrad.eta": 0.5})
    assert code.splitlines() == [
        "import torch",
        "from trimtab.schedule import AdaptiveBatchSampler, BatchSizeController",
        "from trimtab.optim import Lion",
        "",
        "optimizer = Lion(model.parameters(), lr=0.001, weight_decay=0.1)",
        "# data: yours, what is trained on",
        "sampler = AdaptiveBatchSampler(data, 4, generator=torch.Generator().manual_seed(0))",
        "controller = BatchSizeController(4, len(data), eta=0.5, sampler=sampler)",
        "# what a step does with them: the guide to a batch that grows",
    ]
