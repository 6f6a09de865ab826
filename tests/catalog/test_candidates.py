import pytest
import torch

from trimtab.catalog.candidates import parse_candidates, remarks
from trimtab.catalog.recipes import Recipe
from trimtab.lab.tasks.transformer import ByteTransformer
from trimtab.optim.ema import EMA
from trimtab.study.errors import InputError


def test_names_and_fixed_settings():
    lion, adamw = parse_candidates("lion, adamw(weight_decay=0.1, betas=(0.9, 0.95))")
    assert (lion.label, list(lion.tunables)) == ("lion", ["lr", "weight_decay"])
    assert (adamw.label, list(adamw.tunables)) == ("adamw(weight_decay=0.1, betas=(0.9, 0.95))", ["lr"])
    assert parse_candidates(adamw.label) == [adamw]
    optimizer = adamw.build({"lr": 0.5})(torch.nn.Linear(1, 1))
    assert optimizer.param_groups[0]["betas"] == (0.9, 0.95)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_aliases_become_names():
    assert [candidate.label for candidate in parse_candidates("AdamW,adam,Lion")] == ["adamw", "adam", "lion"]


@pytest.mark.parametrize("label", ["lion", "sgd", "adabelief(eps=1e-08)", "nadam"])
def test_the_code_to_paste_runs(label):
    (candidate,) = parse_candidates(label)
    tuned = {name: tunable.at(0.5) for name, tunable in candidate.tunables.items()}
    names = {"model": torch.nn.Linear(2, 2)}
    exec(candidate.code(tuned), names)
    group = names["optimizer"].param_groups[0]
    for name, value in candidate.settings(tuned).items():
        assert group[name] == pytest.approx(value, rel=5e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no candidates were given"),
        ("lin", "did you mean lion"),
        ("adamw,lion,adamw", "adamw was given twice"),
        ("AdamW,adamw", "adamw was given twice"),
        ("lion(lr=-5)", r"lr=-5 must lie in \[0, inf\)\n  lion\(lr=-5\)\n  \^"),
        ("lion(rate=5)", "lion has no setting 'rate'; it has lr, betas"),
        ("lion(0.1)", r"expected a name, with settings.*\n  lion\(0\.1\)\n       \^"),
        ("sgd,lion(lr=x)", r"expected a number.*\n  sgd,lion\(lr=x\)\n              \^"),
        ("sgd,,lion", r"expected names such as.*\n  sgd,,lion\n      \^"),
        ("sgd,lion(", r"expected names such as"),
        ("3", "expected a name"),
        ("sgd,lion,sgd", "the candidate sgd was given twice$"),
        (
            "adamw(lr=0.01, eps=0.1),adamw(eps=1e-1, lr=1e-2)",
            r"adamw\(eps=0.1, lr=0.01\) was given twice, the other time as adamw\(lr=0.01, eps=0.1\)",
        ),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text, message):
    with pytest.raises(InputError, match=message):
        parse_candidates(text)


def test_settings_that_are_not_tuned_reach_the_optimizer_and_are_checked_by_it():
    (candidate,) = parse_candidates("lion(betas=(0.9, 0.5))")
    assert candidate.build({"lr": 0.01})(torch.nn.Linear(1, 1)).param_groups[0]["betas"] == (0.9, 0.5)
    with pytest.raises(InputError, match=r"betas\[1\]=1.5 must lie in"):
        parse_candidates("lion(betas=(0.9, 1.5))")


def test_options_of_the_engine_are_settings():
    (candidate,) = parse_candidates("lion(check_finite=True, rounding_seed=1)")
    assert dict(candidate.expression.fixed) == {"check_finite": True, "rounding_seed": 1}
    with pytest.raises(InputError, match=r"no setting 'finite'; did you mean check_finite\? It has lr, .*_finite"):
        parse_candidates("lion(finite=True)")


def test_what_divides_a_model_says_how_much_of_it_each_rule_moves():
    candidates = parse_candidates("adamw,muon,adam_mini")
    assert remarks(candidates, Recipe(), lambda: ByteTransformer(8, width=16, heads=4, layers=1)) == [
        "Of the parameters, muon moves 8,720 by AdamW and 2,048 by Muon.",
        "Of the parameters, adam_mini moves 8,320 by a step size for each coordinate, 1,936 by a step size for each "
        "tensor and 512 by a step size for each head of attention.",
    ]


def test_averages_whose_decay_a_run_is_too_short_for_are_named():
    given = "adamw,ema(adamw),ema(adamw, decay=0.9),ema(adamw, decay=0.99, warmup=False),ema(agc(sgd), decay=0.98)"
    candidates = parse_candidates(given)

    def said(recipe, steps):
        return remarks(candidates, recipe, lambda: None, steps)[-1:]

    start = "The decay of an average begins small and grows with the steps, to 0.971 in a run of 300: that of"
    end = "is never reached (with warmup=False it holds from the first step on)."
    assert said(Recipe(), 300) == [f"{start} ema(adamw) and ema(agc(sgd), decay=0.98) {end}"]
    assert said(Recipe(ema=0.99), 300) == [f"{start} the recipe, ema(adamw) and ema(agc(sgd), decay=0.98) {end}"]
    assert said(Recipe(), 8_991) == said(Recipe(), None) == []


def test_a_decay_is_reached_when_it_is_said_to_be():
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer, expected = EMA(torch.optim.SGD([weight], lr=1.0), 0.999), 0.0
    for step in range(1, 301):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        expected += (1 - EMA.largest_decay(step)) * (-step - expected)
    optimizer.eval()
    assert weight.item() == pytest.approx(expected, rel=1e-12)


def test_who_keeps_states_in_few_bits_says_of_how_much_of_a_model():
    def model():
        return torch.nn.Sequential(torch.nn.Linear(64, 65), torch.nn.Linear(65, 128), torch.nn.Linear(128, 64))

    def said(text, model=model):
        return remarks(parse_candidates(text), Recipe(), model)

    rest = [4160 + 65, 8320 + 128, 8192 + 64]  # of which 256 divides 8,192 alone, 128 also 8,320, and 64 all matrices
    kept = "Of the parameters, {} keeps the averages of {:,} in {} bits and of {:,} as AdamW does."
    assert said("adamw8bit,clip(adamw4bit)") == [
        kept.format("adamw8bit", 8192, 8, sum(rest) - 8192),
        kept.format("clip(adamw4bit)", 16512, 4, sum(rest) - 16512),
    ]
    assert said("adamw8bit(block_size=64)") == [kept.format("adamw8bit(block_size=64)", 20672, 8, 257)]
    assert said("adamw8bit", lambda: torch.nn.Linear(10, 10)) == [kept.format("adamw8bit", 0, 8, 110)]
    assert said("galore(adamw8bit)") == []  # whose averages are those of projected gradients
