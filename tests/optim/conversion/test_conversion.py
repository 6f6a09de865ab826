import copy
import inspect
import io
import itertools
import warnings

import pytest
import torch
from torch import nn

from tests.optim.trajectory import follow, random_gradients, random_parameters
from trimtab.optim import (
    AGVM,
    SSO,
    AdaBelief,
    AdaHessian,
    ArmijoGradientDescent,
    CoordinateClip,
    DiffGrad,
    EXAdam,
    GaLore,
    Lamb,
    Lars,
    Lion,
    QGaLore,
    convert_state_dict,
)
from trimtab.optim.conversion.conversion import recognised
from trimtab.optim.conversion.foreign import FOREIGN

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import adabelief_pytorch
    import lion_pytorch
    import pytorch_optimizer
    import torch_optimizer
    from lion_pytorch.cautious_lion import Lion as CautiousLion

BEFORE, AFTER = 7, 13
MATRICES, VECTORS = slice(0, 1), slice(1, None)
SCHEDULED = {"lr": 0.02, "weight_decay": 0.05}
LARS = "pytorch_optimizer.LARS"


def authors_adabelief(params, **settings):
    return adabelief_pytorch.AdaBelief(params, print_change_log=False, **settings)


def gradients(steps=BEFORE + AFTER):
    """Returns gradients that are not small, for pytorch-optimizer's diffGrad adds 1e-15 to their squares."""
    return [[torch.copysign(grad.abs() + 0.1, grad) for grad in row] for row in random_gradients(steps)]


def handed_over(make_foreign, make_ours, source=None, which=slice(None)):
    """Returns parameters after all steps of the other optimizer, and after some of its and the rest of ours."""
    theirs, mixed = random_parameters()[which], random_parameters()[which]
    grads = [row[which] for row in gradients()]
    follow(theirs, make_foreign(theirs), grads)
    first = make_foreign(mixed)
    follow(mixed, first, grads[:BEFORE])
    second = make_ours(mixed)
    second.load_state_dict(convert_state_dict(first.state_dict(), second, source=source))
    follow(mixed, second, grads[BEFORE:])
    return theirs, mixed, second


def difference(theirs, mixed):
    return max((a - b).abs().max().item() for a, b in zip(theirs, mixed, strict=True))


SAME = {
    "lion-pytorch": (lambda p: lion_pytorch.Lion(p, lr=0.02), Lion, None),
    "cautious Lion that is not": (lambda p: CautiousLion(p, lr=0.02, cautious_factor=1.0), Lion, None),
    "lion-pytorch with decay": (lambda p: lion_pytorch.Lion(p, **SCHEDULED), Lion, "lion_pytorch.Lion"),
    "Lion": (lambda p: pytorch_optimizer.Lion(p, **SCHEDULED, betas=(0.8, 0.95)), Lion, None),
    "EXAdam": (lambda p: pytorch_optimizer.EXAdam(p, **SCHEDULED, eps=1e-6), EXAdam, "pytorch_optimizer.EXAdam"),
    "DiffGrad": (lambda p: pytorch_optimizer.DiffGrad(p, lr=1e-3, weight_decay=0.05), DiffGrad, None),
    "DiffGrad coupled": (
        lambda p: pytorch_optimizer.DiffGrad(p, lr=1e-3, weight_decay=0.05, weight_decouple=False),
        DiffGrad,
        None,
    ),
    "authors' AdaBelief": (
        lambda p: authors_adabelief(p, **SCHEDULED, eps=1e-8),
        lambda p: AdaBelief(p, rectify=True),
        "adabelief_pytorch.AdaBelief",
    ),
    "authors' AdaBelief, amsgrad": (
        lambda p: authors_adabelief(p, **SCHEDULED, amsgrad=True, rectify=False, weight_decouple=False),
        lambda p: AdaBelief(p, decoupled=False),
        "adabelief_pytorch.AdaBelief",
    ),
}
SAME |= {
    f"AdaBelief {flags}": (
        lambda p, flags=flags: pytorch_optimizer.AdaBelief(p, **SCHEDULED, **flags),
        AdaBelief,
        "pytorch_optimizer.AdaBelief",
    )
    for flags in (
        {},
        {"rectify": True, "ams_bound": True},
        {"fixed_decay": True},
        {"weight_decouple": False, "fixed_decay": True},
    )
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_algorithm_goes_on_as_it_would_have(case):
    make_foreign, make_ours, source = SAME[case]
    theirs, mixed, _ = handed_over(make_foreign, make_ours, source)
    assert difference(theirs, mixed) <= 1e-12


@pytest.mark.parametrize("nesterov", [False, True])
def test_lars_goes_on_as_it_would_have(nesterov):
    settings = {"lr": 0.5, "trust_coefficient": 0.01, "nesterov": nesterov}
    theirs, mixed, ours = handed_over(
        lambda p: pytorch_optimizer.LARS(p, weight_decay=0.05, **settings), Lars, LARS, which=MATRICES
    )
    assert difference(theirs, mixed) <= 1e-12
    assert ours.param_groups[0]["weight_decay"] == 0.05
    # Vectors and scalars too, if they do not decay.
    theirs, mixed, _ = handed_over(lambda p: pytorch_optimizer.LARS(p, **settings | {"lr": 1e-3}), Lars, LARS)
    assert difference(theirs, mixed) <= 1e-12


def test_sgd_goes_on_where_lars_does_not_adapt():
    settings = {"lr": 0.01, "momentum": 0.8, "weight_decay": 0.05}
    theirs, mixed, _ = handed_over(lambda p: torch.optim.SGD(p, **settings), lambda p: Lars(p, adapt=False, **settings))
    assert difference(theirs, mixed) <= 1e-12
    theirs, mixed, _ = handed_over(
        lambda p: torch.optim.SGD(p, **settings), lambda p: Lars(p, **settings), which=VECTORS
    )
    assert difference(theirs, mixed) <= 1e-12


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam"])
def test_adams_averages_become_lambs(name):
    """Without adaptation LAMB is AdamW, whoever made the averages."""
    settings = {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.0}
    params, reference, grads = random_parameters(), random_parameters(), gradients()
    first, adamw = getattr(torch.optim, name)(params, **settings), torch.optim.AdamW(reference, **settings)
    follow(params, first, grads[:BEFORE])
    follow(reference, adamw, grads[:BEFORE])
    with torch.no_grad():
        for a, b in zip(params, reference, strict=True):
            a.copy_(b)
    lamb = Lamb(params, **settings, adapt=False, eps=1e-8)
    lamb.load_state_dict(convert_state_dict(first.state_dict(), lamb))
    follow(params, lamb, grads[BEFORE:])
    follow(reference, adamw, grads[BEFORE:])
    assert difference(reference, params) <= 1e-12
    assert lamb.state[params[0]]["step"] == BEFORE + AFTER


AVERAGES = {
    "torch.optim.AdamW": torch.optim.AdamW,
    "pytorch_optimizer.Lamb": lambda p: pytorch_optimizer.Lamb(p, weight_decay=0.1),
    "pytorch_optimizer.EXAdam": pytorch_optimizer.EXAdam,
    "pytorch_optimizer.DiffGrad": pytorch_optimizer.DiffGrad,
}


@pytest.mark.parametrize(
    ("source", "rule"),
    [(source, rule) for source in AVERAGES for rule in (Lamb, EXAdam) if source != "pytorch_optimizer.EXAdam"]
    + [("pytorch_optimizer.EXAdam", Lamb)],
)
def test_averages_are_taken_over_and_settings_are_not(source, rule):
    params, grads = random_parameters(), gradients()
    first = AVERAGES[source](params)
    follow(params, first, grads[:BEFORE])
    ours = rule(params, lr=0.3)
    ours.load_state_dict(convert_state_dict(first.state_dict(), ours, source=source))
    start, grad = params[0].detach().clone(), grads[BEFORE][0]
    follow(params, ours, grads[BEFORE : BEFORE + 1])

    m = v = torch.zeros_like(start)
    for row in grads[: BEFORE + 1]:
        m, v = 0.9 * m + 0.1 * row[0], 0.999 * v + 0.001 * row[0] ** 2
    t = BEFORE + 1
    if rule is Lamb:
        direction = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-6)
        moved = 0.3 * start.norm() / direction.norm() * direction
    else:
        first_moment = (m + grad) / (1 - 0.9**t) * (1 + v / (v + 1e-8) * 0.999**t)
        second_moment = v / (1 - 0.999**t) * (1 + m**2 / (m**2 + 1e-8) * 0.9**t)
        moved = 0.3 * torch.log(torch.tensor(2.0 * (t + 1), dtype=torch.float64)) / 2
        moved = moved * first_moment / (second_moment.sqrt() + 1e-8)
    torch.testing.assert_close(params[0].detach(), start - moved, rtol=1e-12, atol=1e-12)
    assert ours.param_groups[0]["lr"] == 0.3
    assert ours.param_groups[0]["weight_decay"] == 0.0


def test_an_average_at_lions_rate_is_lions_momentum():
    params = random_parameters()
    first = torch.optim.AdamW(params, betas=(0.99, 0.999))
    follow(params, first, gradients(3))
    converted = convert_state_dict(first.state_dict(), Lion(params))
    assert set(converted["state"][0]) == {"step", "momentum"}
    assert torch.equal(converted["state"][0]["momentum"], first.state[params[0]]["exp_avg"])


def test_what_schedulers_keep_is_taken_over():
    params, grads = random_parameters(), gradients(6)
    first = pytorch_optimizer.Lion(params, lr=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(first, 0.5)
    for row in grads[:3]:
        follow(params, first, [row])
        scheduler.step()
    second = Lion(params)
    second.load_state_dict(convert_state_dict(first.state_dict(), second))
    resumed = torch.optim.lr_scheduler.ExponentialLR(second, 0.5, last_epoch=3)
    assert second.param_groups[0]["initial_lr"] == 0.1
    follow(params, second, grads[3:4])
    resumed.step()
    assert resumed.get_last_lr() == [pytest.approx(0.1 * 0.5**4)]


def test_settings_that_the_other_does_not_hold_stay():
    params = random_parameters()
    first = pytorch_optimizer.Lion(params, lr=0.1)
    follow(params, first, gradients(1))
    ours = Lion(params, lr=0.2, compile=False, check_finite=True, state_dtype=torch.bfloat16)
    group = convert_state_dict(first.state_dict(), ours)["param_groups"][0]
    assert (group["lr"], group["compile"], group["check_finite"]) == (0.1, False, True)
    assert group["state_dtype"] == torch.bfloat16


@pytest.mark.parametrize(("asked", "stored"), [(None, torch.float32), (torch.bfloat16, torch.bfloat16)])
def test_state_gets_the_precision_in_which_it_is_kept(asked, stored):
    params = random_parameters(dtype=torch.bfloat16)
    first = lion_pytorch.Lion(params)
    follow(params, first, random_gradients(3, dtype=torch.bfloat16))
    ours = Lion(params, state_dtype=asked)
    converted = convert_state_dict(first.state_dict(), ours)
    assert converted["state"][0]["momentum"].dtype == stored
    ours.load_state_dict(converted)
    follow(params, ours, random_gradients(1, dtype=torch.bfloat16))
    assert ours.state[params[0]]["momentum"].dtype == stored


def test_groups_and_late_parameters_are_matched_by_position():
    params, grads = random_parameters(), gradients(3)
    first = torch.optim.AdamW([{"params": params[2:]}, {"params": params[:2]}])
    for row in grads:
        params[0].grad, params[2].grad = row[0], row[2]
        first.step()
    ours = Lamb([{"params": params[2:], "lr": 0.5}, {"params": params[:2]}])
    ours.load_state_dict(convert_state_dict(first.state_dict(), ours))
    assert [param in ours.state for param in params] == [True, False, True]
    for index in (0, 2):
        assert torch.equal(ours.state[params[index]]["exp_avg_sq"], first.state[params[index]]["exp_avg_sq"])
        assert ours.state[params[index]]["step"] == 3
    assert [group["lr"] for group in ours.param_groups] == [0.5, 1e-3]


def leaves(value):
    if isinstance(value, dict):
        return itertools.chain.from_iterable(map(leaves, value.values()))
    if isinstance(value, (list, tuple)):
        return itertools.chain.from_iterable(map(leaves, value))
    return iter([value])


def test_nothing_is_shared_with_the_callers_dict_or_changed_in_it():
    params, grads = random_parameters(), gradients(4)
    first = pytorch_optimizer.Lion(params, lr=torch.tensor(0.1))
    follow(params, first, grads[:2])
    foreign = first.state_dict()
    before = copy.deepcopy(foreign)
    ours = Lion(params)
    kept = copy.deepcopy(ours.state_dict())
    converted = convert_state_dict(foreign, ours)
    assert ours.state_dict() == kept
    tensors = [value for value in leaves(converted) if isinstance(value, torch.Tensor)]
    assert len(tensors) == 4
    addresses = {value.data_ptr() for value in leaves(foreign) if isinstance(value, torch.Tensor)}
    assert not addresses & {value.data_ptr() for value in tensors}
    assert not {id(group) for group in converted["param_groups"]} & {id(group) for group in foreign["param_groups"]}
    ours.load_state_dict(converted)
    follow(params, ours, grads[2:])
    for value, old in zip(leaves(foreign), leaves(before), strict=True):
        assert torch.equal(value, old) if isinstance(value, torch.Tensor) else value == old


@pytest.mark.parametrize("case", ["Lion", "authors' AdaBelief, amsgrad", "DiffGrad", "EXAdam"])
def test_goes_through_a_file_of_weights_only(case):
    make_foreign, make_ours, source = SAME[case]
    params, grads = random_parameters(), gradients(BEFORE + 1)
    first = make_foreign(params)
    follow(params, first, grads[:BEFORE])
    straight = copy.deepcopy(params)
    ours, read = make_ours(straight), make_ours(params)
    converted = convert_state_dict(first.state_dict(), ours, source=source)
    ours.load_state_dict(converted)
    file = io.BytesIO()
    torch.save(converted, file)
    file.seek(0)
    read.load_state_dict(torch.load(file, weights_only=True))
    follow(straight, ours, grads[BEFORE:])
    follow(params, read, grads[BEFORE:])
    assert all(torch.equal(a, b) for a, b in zip(params, straight, strict=True))


def state_of(make, steps=2, which=slice(None)):
    params = random_parameters()[which]
    optimizer = make(params)
    follow(params, optimizer, [row[which] for row in gradients(steps)])
    return optimizer.state_dict()


REFUSED = {
    "AdamW -> Lion": (
        torch.optim.AdamW,
        Lion,
        {},
        r"exp_avg is the average of gradients with betas\[0\]=0.9, and Lion's momentum is that with betas\[1\]=0.99",
    ),
    "AdamW -> DiffGrad": (torch.optim.AdamW, DiffGrad, {}, "DiffGrad needs previous_grad, the last gradient"),
    "AdamW -> AdaBelief": (torch.optim.AdamW, AdaBelief, {}, "AdaBelief needs exp_avg_var, the average of squared"),
    "AdamW -> Lars": (torch.optim.AdamW, Lars, {}, "Lars needs momentum_buffer, the sum of gradients times"),
    "another rate": (lambda p: torch.optim.AdamW(p, betas=(0.9, 0.95)), Lamb, {}, r"betas\[1\]=0.95, and Lamb's"),
    "amsgrad": (lambda p: torch.optim.AdamW(p, amsgrad=True), Lamb, {}, "no place for max_exp_avg_sq"),
    "coupled decay": (
        lambda p: torch.optim.Adam(p, weight_decay=0.1),
        Lamb,
        {},
        "weight_decay=0.1, which is, or may be, part of the gradients",
    ),
    "coupled decay of NAdam": (lambda p: torch.optim.NAdam(p, weight_decay=0.1), EXAdam, {}, "weight_decay=0.1"),
    "maximize": (lambda p: torch.optim.AdamW(p, maximize=True), Lamb, {}, "foreign has maximize=True"),
    "Lion -> Lamb": (pytorch_optimizer.Lion, Lamb, {}, "Lamb's exp_avg is that with"),
    "fixed decay": (
        lambda p: pytorch_optimizer.Lion(p, weight_decay=0.1, fixed_decay=True),
        Lion,
        {},
        "its weight decay is coupled or fixed",
    ),
    "cautious": (lambda p: pytorch_optimizer.Lion(p, cautious=True), Lion, {}, "cautious makes another algorithm"),
    "rectified diffGrad": (lambda p: pytorch_optimizer.DiffGrad(p, rectify=True), DiffGrad, {}, "step is rectified"),
    "amsgrad of diffGrad": (lambda p: pytorch_optimizer.DiffGrad(p, ams_bound=True), DiffGrad, {}, "no place for max"),
    "sums of LAMB": (
        lambda p: pytorch_optimizer.Lamb(p, grad_averaging=False),
        Lamb,
        {"source": "pytorch_optimizer.Lamb"},
        "grad_averaging=False sums gradients",
    ),
    "LARS, which does not decay vectors": (
        lambda p: pytorch_optimizer.LARS(p, weight_decay=0.1),
        Lars,
        {"source": LARS},
        r"momentum_buffer \(the sum of gradients without weight decay\), which is not that",
    ),
    "SGD -> adapted Lars": (
        lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
        Lars,
        {},
        "Lars needs momentum_buffer, the sum of gradients times their trust ratios",
    ),
    "SGD -> the paper's Lars": (
        lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9),
        lambda p: Lars(p, variant="paper", adapt=False),
        {},
        "Lars needs momentum_buffer, the average of gradients",
    ),
    "dampening": (lambda p: torch.optim.SGD(p, momentum=0.9, dampening=0.5), Lars, {}, "dampening=0.5 shrinks"),
    "eps of zero": (
        lambda p: pytorch_optimizer.AdaBelief(p, eps=0.0),
        AdaBelief,
        {"source": "pytorch_optimizer.AdaBelief"},
        r"eps=0.0 must lie in \[1e-37, inf\)",
    ),
    "unsaid flags": (authors_adabelief, AdaBelief, {}, "pass source='adabelief_pytorch.AdaBelief' to say that optim"),
    "unsaid decay": (
        lambda p: lion_pytorch.Lion(p, weight_decay=0.1),
        Lion,
        {},
        "source='lion_pytorch.Lion' to say that decoupled_weight_decay was False",
    ),
    "unsaid version": (pytorch_optimizer.LARS, Lars, {}, f"source='{LARS}' to say that it was .* 3.11 or newer"),
    "cautious Lion": (
        lambda p: CautiousLion(p, cautious_factor=0.1),
        Lion,
        {"source": "lion_pytorch.Lion"},
        "cautious_factor=0.1 makes another algorithm",
    ),
    "cautious decay": (
        lambda p: CautiousLion(p, cautious_factor=1.0, cautious_wd=True, weight_decay=0.1),
        Lion,
        {"source": "lion_pytorch.Lion"},
        "cautious_wd=True makes another algorithm",
    ),
    "unsaid algorithm": (pytorch_optimizer.EXAdam, EXAdam, {}, "source='pytorch_optimizer.EXAdam' to say that it was"),
    "unknown": (torch.optim.Adamax, Lamb, {}, "not recognised as a state of one of torch.optim.Adam, .*LARS"),
    "without state": (lambda p: torch.optim.SGD(p, lr=1e-3), Lars, {}, "not recognised"),
    "wrong source": (torch.optim.Adamax, Lamb, {"source": "torch.optim.AdamW"}, "its groups lack amsgrad"),
    "state of another source": (
        pytorch_optimizer.DiffGrad,
        EXAdam,
        {"source": "pytorch_optimizer.EXAdam"},
        "not a state of pytorch_optimizer.EXAdam: its state holds previous_grad",
    ),
    "no such source": (torch.optim.AdamW, Lamb, {"source": "AdamW"}, "source='AdamW' must be one of torch.optim.Adam,"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_mean_the_same_is_refused(case):
    make_foreign, make_ours, arguments, message = REFUSED[case]
    foreign = state_of(make_foreign)
    with pytest.raises(ValueError, match=message):
        convert_state_dict(foreign, make_ours(random_parameters()), **arguments)


def test_older_states_that_do_not_say_how_weights_decayed():
    foreign = state_of(lambda p: torch.optim.AdamW(p, weight_decay=0.1))
    del foreign["param_groups"][0]["decoupled_weight_decay"]
    lamb = Lamb(random_parameters())
    with pytest.raises(ValueError, match=r"pass source='torch.optim.Adam' or source='torch.optim.AdamW'"):
        convert_state_dict(foreign, lamb)
    with pytest.raises(ValueError, match="part of the gradients that torch"):
        convert_state_dict(foreign, lamb, source="torch.optim.Adam")
    assert len(convert_state_dict(foreign, lamb, source="torch.optim.AdamW")["state"]) == 3


def test_other_parameters_are_refused():
    foreign = state_of(torch.optim.AdamW)
    params = random_parameters()
    with pytest.raises(ValueError, match=r"groups of \[3\] parameters, and optimizer has \[2\]"):
        convert_state_dict(foreign, Lamb(params[:2]))
    with pytest.raises(ValueError, match=r"exp_avg has shape \(7, 5\), but its parameter has \(5,\)"):
        convert_state_dict(foreign, Lamb([*params[::-1][1:], nn.Parameter(torch.ones(3))]))


def test_arguments_of_other_kinds_are_refused():
    lamb = Lamb(random_parameters())
    with pytest.raises(TypeError, match=r"optimizer must be one of AdaBelief, DiffGrad, .*, not AdamW"):
        convert_state_dict({}, torch.optim.AdamW(random_parameters()))
    with pytest.raises(TypeError, match="foreign must be what state_dict"):
        convert_state_dict([], lamb)
    with pytest.raises(ValueError, match="foreign lacks param_groups and state"):
        convert_state_dict({}, lamb)
    with pytest.raises(ValueError, match="foreign is not recognised"):
        convert_state_dict(state_of(Lamb), lamb)


def apart(params):
    return [{"params": [param]} for param in params]


@pytest.mark.parametrize(
    ("wrap", "settings"),
    [
        (lambda p: CoordinateClip(Lamb(p, lr=0.3), fraction=0.5), {"clip_fraction": 0.5}),
        (lambda p: AGVM(Lamb(apart(p), lr=0.3), interval=7), {"agvm_interval": 7}),
        (lambda p: AGVM(CoordinateClip(Lamb(apart(p), lr=0.3))), {"clip_fraction": 0.1}),
    ],
)
def test_a_wrapper_goes_on_as_the_rule_inside_does(wrap, settings):
    params = random_parameters()
    ours = wrap(params)
    foreign = state_of(lambda p: torch.optim.AdamW([{"params": p}] if len(ours.param_groups) == 1 else apart(p)))
    rule = Lamb([{"params": group["params"]} for group in ours.param_groups], lr=0.3)
    ours.load_state_dict(convert_state_dict(foreign, ours))
    rule.load_state_dict(convert_state_dict(foreign, rule))
    for param in params:
        assert ours.state[param].keys() == rule.state[param].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert torch.equal(ours.state[param]["exp_avg_sq"], rule.state[param]["exp_avg_sq"])
        assert ours.state[param]["step"] == 2
    group = ours.param_groups[0]
    assert group["lr"] == 0.3
    assert {name: group[name] for name in settings} == settings


def layers(*widths):
    """Returns a network of linear layers."""
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(*each) for each in itertools.pairwise(widths))).double()


def stepped(optimizer, model):
    """Returns an optimizer after two steps of a model, whose gradients follow from the parameters' places."""
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        for param in model.parameters():
            param.grad = torch.randn(param.shape, generator=generator, dtype=param.dtype)
        optimizer.step()
    return optimizer


def has_the_averages_of(theirs, ours, model):
    return all(torch.equal(theirs.state[p]["exp_avg"], ours.state[p]["exp_avg"]) for p in model.parameters())


def by_children(model):
    return AGVM(Lamb(model.named_parameters()), "children", anchor="0")


def test_other_groups_are_matched_by_shapes_that_tell_all_apart():
    model = layers(3, 4, 2)
    theirs, ours = stepped(torch.optim.AdamW(model.parameters()), model), by_children(model)
    ours.load_state_dict(convert_state_dict(theirs.state_dict(), ours))
    assert [len(group["params"]) for group in ours.param_groups] == [2, 2]
    assert has_the_averages_of(theirs, ours, model)


@pytest.mark.parametrize("order", [1, -1])
def test_names_say_which_parameter_is_which_in_whatever_groups(order):
    model = layers(4, 4, 4)  # two layers of the same shapes
    named = list(model.named_parameters())
    theirs = stepped(torch.optim.AdamW(named[::order]), model)
    for ours in (by_children(model), Lamb(named), Lamb([{"params": named[2:]}, {"params": named[:2]}])):
        ours.load_state_dict(convert_state_dict(theirs.state_dict(), ours))
        assert has_the_averages_of(theirs, ours, model)


def test_names_may_be_given_to_a_state():
    model = layers(4, 4, 4)
    theirs, ours = stepped(torch.optim.AdamW(model.parameters()), model), by_children(model)
    foreign = theirs.state_dict()
    with pytest.raises(ValueError, match=r"groups of \[4\] parameters, and optimizer has \[2, 2\].*'param_names'\] ="):
        convert_state_dict(foreign, ours)
    foreign["param_groups"][0]["param_names"] = [name for name, _ in model.named_parameters()]
    ours.load_state_dict(convert_state_dict(foreign, ours))
    assert has_the_averages_of(theirs, ours, model)


def test_shapes_that_do_not_tell_all_apart_say_nothing():
    model = layers(3, 4, 2)
    params = list(model.parameters())
    foreign = stepped(torch.optim.AdamW(params), model).state_dict()
    for groups in ([params[2:], params[:2]], [params[:1], params[1:2], params[:1:-1]]):
        with pytest.raises(ValueError, match=r"groups of \[4\] parameters, and optimizer has"):
            convert_state_dict(foreign, Lamb([{"params": group} for group in groups]))
    del foreign["state"][3]  # what has no state yet has no shape
    with pytest.raises(ValueError, match=r"groups of \[4\] parameters, and optimizer has"):
        convert_state_dict(foreign, by_children(model))


def test_settings_go_into_the_groups_where_the_parameters_are():
    model = layers(3, 4, 2)
    params = list(model.parameters())
    whole = stepped(pytorch_optimizer.Lion(params, lr=0.3, weight_decay=0.1), model).state_dict()
    ours = convert_state_dict(whole, Lion([{"params": params[:2]}, {"params": params[2:]}]))
    assert [(group["lr"], group["weight_decay"]) for group in ours["param_groups"]] == [(0.3, 0.1)] * 2
    halves = [{"params": params[:2], "lr": 0.2}, {"params": params[2:], "lr": 0.2}]
    halved = stepped(pytorch_optimizer.Lion(halves, lr=0.3), model).state_dict()
    assert convert_state_dict(halved, Lion(params))["param_groups"][0]["lr"] == 0.2
    halved["param_groups"][1]["lr"] = 0.4
    with pytest.raises(ValueError, match=r"groups with lr=0.2 and lr=0.4, and optimizer has their parameters in one"):
        convert_state_dict(halved, Lion(params))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (AdaHessian, r"not AdaHessian: its second average is of the Hessian's diagonal.*start it afresh"),
        (SSO, r"not SSO: it keeps nothing of the parameters' own.*start it afresh"),
        (ArmijoGradientDescent, r"not ArmijoGradientDescent: it keeps the length of its last step.*start it afresh"),
        (lambda p: GaLore(Lion(p)), r"GaLore keeps the state of whole matrices in subspaces.*: start afresh with it"),
        (lambda p: CoordinateClip(QGaLore(Lion(p))), r"QGaLore keeps the state of whole matrices in subspaces"),
        (
            lambda p: CoordinateClip(torch.optim.AdamW(p)),
            r"not AdamW, which CoordinateClip is around: load AdamW's own state into the wrapper as it is",
        ),
    ],
)
def test_what_no_other_state_is_of_is_refused_by_name(make, message):
    optimizer = make(random_parameters())
    before = optimizer.state_dict()
    with pytest.raises(TypeError, match=message):
        convert_state_dict(state_of(torch.optim.AdamW), optimizer)
    assert optimizer.state_dict() == before


def test_the_state_of_an_optimizer_goes_into_a_wrapper_around_it():
    params, grads = random_parameters(), gradients(4)
    first = torch.optim.AdamW(params, lr=0.1)
    follow(params, first, grads[:2])
    straight = copy.deepcopy(params)
    second, wrapped = torch.optim.AdamW(straight), CoordinateClip(torch.optim.AdamW(params), fraction=0.0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))  # torch takes the tensors themselves
    wrapped.load_state_dict(copy.deepcopy(first.state_dict()))
    follow(straight, second, grads[2:])
    follow(params, wrapped, grads[2:])
    assert all(torch.equal(a, b) for a, b in zip(params, straight, strict=True))


def optimizers_of(package):
    found = (getattr(package, name) for name in dir(package))
    kinds = (each for each in found if isinstance(each, type) and issubclass(each, torch.optim.Optimizer))
    return [each for each in kinds if each.__module__.startswith(package.__name__)]


def stepped_state(optimizer_class):
    """Returns the state after two steps, or None of an optimizer that needs more than a learning rate, or has none."""
    momentum = {"momentum": 0.9} if "momentum" in inspect.signature(optimizer_class).parameters else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = state_of(lambda p: optimizer_class(p, lr=1e-3, **momentum), which=MATRICES)
    except Exception:
        return None
    return state if "param_groups" in state else None


def answer(foreign):
    """Returns which optimizer the state is taken for, or the names that are offered to the caller."""
    try:
        return recognised(foreign).name
    except ValueError as error:
        return {each.name for each in FOREIGN if f"source={each.name!r}" in str(error)}


@pytest.mark.parametrize("package", [torch.optim, pytorch_optimizer, torch_optimizer, adabelief_pytorch, lion_pytorch])
def test_no_optimizer_is_taken_for_another(package):
    states = {f"{package.__name__}.{each.__name__}": stepped_state(each) for each in optimizers_of(package)}
    states = {name: state for name, state in states.items() if state is not None}
    known = {each.name for each in FOREIGN if each.name.startswith(package.__name__)}
    assert known <= states.keys()
    assert len(states) >= {torch.optim: 10, pytorch_optimizer: 80, torch_optimizer: 15}.get(package, 1)
    for name, state in states.items():
        found = answer(state)
        assert found == name or isinstance(found, set), (name, found)
        assert name not in known or name in found, (name, found)
