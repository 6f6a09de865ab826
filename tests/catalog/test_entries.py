import importlib
import math
import subprocess
import sys

import pytest
import torch

from trimtab.catalog import entries, families, find, search
from trimtab.catalog.create import create
from trimtab.catalog.entries import KINDS, of_slot
from trimtab.catalog.expressions import example
from trimtab.study.errors import InputError
from trimtab.study.tunable import LogUniform

ALL = list(entries().values())
PARTS = ("agc", "clip_norm", "ema")
"""Of recipes, as everybody's have them: nobody asks when to take them in AdamW's place."""

HOSTS = ("torch.optim:", "optuna.samplers:", "trimtab.compress.", "trimtab.optim.muon:")  # where no package has a peer


@pytest.mark.parametrize("entry", of_slot("optimizer").values(), ids=lambda entry: entry.id)
def test_every_optimizer_can_be_imported_and_built_from_its_settings(entry):
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))  # a hidden matrix and a head
    expression = example(entry)
    settings = {name: tunable.at(0.5) for name, tunable in expression.tunables.items()}
    built = expression.build(model, settings)
    optimizer, found = built, {}
    if entry.kind == "controller":
        optimizer, found = built.optimizer, {f"{entry.id}.{name}": value for name, value in built.settings.items()}
    assert isinstance(optimizer, torch.optim.Optimizer)
    for name, value in settings.items():
        assert (found[name] if name in found else optimizer.param_groups[0][name.replace(".", "_")]) == value


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.id)
def test_every_entry_says_what_a_reader_needs(entry):
    for text in (entry.title, entry.summary, entry.adapts, entry.signal, entry.when, entry.when_not, entry.paper):
        assert len(text) > 3
    assert entry.summary.endswith(".")
    assert str(entry.year) in entry.citation
    assert entry.kind in KINDS
    ours = entry.object.startswith("trimtab.search.") and not entry.object.startswith("trimtab.search.baselines:")
    assert (entry.kind == "baseline") == (entry.object.startswith(HOSTS) or (entry.extra is not None and not ours))
    if entry.family == "optim":
        assert (entry.kind == "baseline" or entry.key in PARTS) == (entry.situation is None)


def test_ranges_of_all_optimizers_are_equally_wide():
    widths = {
        (name, round(math.log10(tunable.high / tunable.low), 1))
        for entry in ALL
        for name, tunable in entry.load_tunables().items()
        if isinstance(tunable, LogUniform)
    }
    assert widths == {("lr", 3.5), ("weight_decay", 3.0), ("d_coef", 2.0)}


def test_methods_come_first_then_wrappers_and_controllers():
    assert [entry.id for entry in ALL] == [
        "adabelief", "adagradnorm", "adahessian", "bnn", "bo", "clipped_adam", "diffgrad", "exadam", "lamb", "lars",
        "lion", "pfn", "sso",
        "agc", "agvm", "clip", "clip_norm", "ema", "galore", "q_galore",
        "adadagrad", "autolrs", "constant", "cosine", "inverse_sqrt", "linear", "onecycle", "refined", "rmt_scaling",
        "wsd",
        "adadelta", "adafactor", "adagrad", "adam", "adam_mini", "adamax", "adamw", "adamw4bit", "adamw8bit", "adan",
        "ademamix", "adopt", "botorch", "came", "cautious_adamw", "cmaes", "gp", "kron", "lamp", "lbfgs", "magnitude",
        "mars",
        "muon", "nadam", "prodigy", "qmc", "radam", "random", "rmsprop", "sam", "scalable_shampoo", "schedulefree",
        "schedulefree_radam", "schedulefree_sgd", "sgd", "signum", "soap", "sophia", "tpe", "uniform",
    ]  # fmt: skip
    assert families() == ["compress", "optim", "schedule", "search"]


def test_a_peer_that_is_not_installed_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "schedulefree", None)
    with pytest.raises(InputError, match=r"schedulefree needs schedulefree: pip install 'trimtab\[peers\]'"):
        find("schedulefree").load()


@pytest.mark.parametrize(
    ("name", "package", "module"),
    [
        ("kron", "pytorch_optimizer", "kron"),
        ("adamw8bit", "torchao.optim", "low_bit"),
        ("soap", "pytorch_optimizer", None),
    ],
)
def test_what_goes_around_a_package_says_so_too(name, package, module, monkeypatch):
    if module is not None:
        monkeypatch.delitem(sys.modules, f"trimtab.optim.peers.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{name} needs {package}: pip install 'trimtab\[peers\]'"):
        find(name).load()


@pytest.mark.parametrize("name", ["lion", "Lion", " lion ", "evolved sign momentum"])
def test_names_and_aliases_are_found(name):
    assert find(name).id == "lion"


@pytest.mark.parametrize(
    ("name", "offer"), [("loin", "lion"), ("adam-w", "adamw"), ("zzzz", "`trimtab list` shows all")]
)
def test_unknown_names_offer_the_nearest(name, offer):
    with pytest.raises(InputError, match=offer):
        find(name)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("large batch", "lamb"),
        ("belief", "adabelief"),
        ("cross-moment", "exadam"),
        ("friction", "diffgrad"),
        ("expensive loss", "sso"),
        ("gradient noise", "adadagrad"),
        ("scalar step size", "adagradnorm"),
        ("nesterov", "sgd"),
        ("coupled", "adam"),
        ("adaptive batch size", "adadagrad"),
        ("arxiv zzz", None),
    ],
)
def test_search(query, first):
    found = search(query)
    assert (found[0].id if found else None) == first


def test_the_catalogue_is_read_without_torch():
    code = "import sys; from trimtab.catalog import entries; entries(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


ALIASES = {
    "bnn": {"bnn_surrogates", "i-bnn", "bayesian neural network"},
    "bo": {"bo_tutorial", "bosampler"},
    "pfn": {"pfn4bo_constrained", "prior-fitted network"},
    "botorch": {"botorchsampler", "logei"},
    "qmc": {"sobol"},
    "agc": {"adaptive gradient clipping"},
    "clip_norm": {"gradient norm clipping", "global norm clipping"},
    "constant": {"constant rate"},
    "ema": {"exponential moving average", "weight averaging", "polyak averaging"},
    "inverse_sqrt": {"inverse-sqrt", "inverse square root", "noam"},
    "onecycle": {"one cycle", "1cycle", "super-convergence"},
    "wsd": {"warmup-stable-decay", "trapezoidal"},
    "adam_mini": {"adam-mini", "adammini"},
    "cautious_adamw": {"cautious adamw", "c-adamw", "cadamw"},
    "kron": {"psgd-kron", "psgd"},
    "lbfgs": {"l-bfgs"},
    "sam": {"sharpness-aware minimization", "sharpness-aware minimisation"},
    "scalable_shampoo": {"scalable shampoo"},
    "schedulefree_radam": {"radam schedule-free"},
    "sophia": {"sophiah", "sophia-h"},
    "adagradnorm": {"adagrad-norm"},
    "adamw4bit": {"adamw-4bit"},
    "adamw8bit": {"adamw-8bit"},
    "agvm": {"adaptive gradient variance modulator"},
    "autolrs": {"automatic learning-rate schedule"},
    "clip": {"coordinate_clipping", "coordinate clipping"},
    "clipped_adam": {"clipped adam", "adam-clip"},
    "cmaes": {"cma-es", "cma"},
    "cosine": {"cosine decay", "cosine annealing", "cosine schedule"},
    "exadam": {"extended adam"},
    "gp": {"gaussian process"},
    "lamp": {"layer-adaptive magnitude pruning"},
    "magnitude": {"global magnitude", "gmp"},
    "uniform": {"uniform pruning"},
    "galore": {"gradient low-rank projection"},
    "linear": {"linear decay", "linear schedule"},
    "lion": {"evolved sign momentum"},
    "mars": {"mars-adamw"},
    "muon": {"momentum orthogonalized by newton-schulz", "moonlight"},
    "prodigy": {"prodigyopt"},
    "q_galore": {"q-galore", "qgalore", "quantized galore"},
    "radam": {"rectified adam"},
    "refined": {"refined schedule", "schedule refinement", "refined linear decay"},
    "rmt_scaling": {"rmt scaling", "slq learner"},
    "schedulefree": {"schedule-free", "adamw schedule-free"},
    "schedulefree_sgd": {"sgd schedule-free"},
    "sgd": {"nesterov"},
    "signum": {"signsgd"},
    "sso": {"target surrogates"},
}
"""Whoever adds one answers for its being a name of that very algorithm, as it is built."""


def test_aliases_are_other_names_of_the_same_algorithm():
    assert {entry.id: set(entry.aliases) for entry in ALL if entry.aliases} == ALIASES
    names = [name for entry in ALL for name in (entry.id, *entry.aliases)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["momentum", "adabatch", "lanczos"])
def test_names_of_other_algorithms_find_nothing(name):
    with pytest.raises(InputError, match="unknown"):
        find(name)


@pytest.mark.parametrize("package", ["torch.optim", "pytorch_optimizer"])
def test_a_name_that_another_package_has_is_of_the_same_class(package):
    module = importlib.import_module(package)
    theirs = module.get_supported_optimizers() if hasattr(module, "get_supported_optimizers") else dir(module)
    squeezed = {name.replace("-", "").replace("_", "").lower() for name in theirs}
    checked = set()
    for entry in ALL:
        for name in (entry.id, *entry.aliases):
            plain = name.translate(str.maketrans("", "", " -_"))
            if plain in squeezed:
                assert sorted(entry.load().__name__.lower()) == sorted(plain)  # its words may stand in another order
                checked.add(plain)
    assert checked >= {"adam", "adamw", "sgd", "nadam", "radam"}


def test_adam_decays_by_the_gradient_and_adamw_by_itself():
    def built(name):
        return create(name, torch.nn.Linear(2, 2), lr=0.1, weight_decay=0.01)

    assert type(built("adam")) is torch.optim.Adam
    assert not built("adam").param_groups[0]["decoupled_weight_decay"]
    assert built("adamw").param_groups[0]["decoupled_weight_decay"]
    group = built("nesterov").param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.9, True)
    assert (find("adam").tunables, find("adamw").tunables) == (
        "trimtab.optim.baselines:ADAM",
        "trimtab.optim.baselines:ADAMW",
    )
