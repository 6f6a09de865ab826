import math

import pytest
import torch

from trimtab.lab.controller import Controller
from trimtab.primitives.gradient_statistics import GradientStatistics, of_means
from trimtab.primitives.sample_gradients import gradient_statistics
from trimtab.schedule import AdaptiveBatchSampler, BatchSizeController, MicroBatches
from trimtab.schedule.adadagrad.batch_size import micro_batches


def asking_for(size, samples):
    """Statistics of so many samples for which the norm test with eta = 1 asks for a batch of a certain size."""
    deviations = torch.tensor([float(size) * (samples - 1)], dtype=torch.float64)
    return GradientStatistics(samples, {"w": torch.ones(1, dtype=torch.float64)}, {"w": deviations})


def made(batch_size=4, most=100, **settings):
    return BatchSizeController(batch_size, most, **{"eta": 1.0, **settings})


def by_hand(**settings):
    rows = ((1.0, 0.0), (3.0, 0.0), (1.0, 2.0), (3.0, 2.0))
    statistics = of_means([{"w": torch.tensor(row, dtype=torch.float64)} for row in rows], 1)
    return BatchSizeController(4, 100, **settings).update(statistics)


def test_by_hand():
    assert by_hand(eta=0.5) == 4  # three would do
    assert by_hand(eta=0.3) == 6
    assert by_hand(test="inner_product", theta=0.2) == 7
    assert by_hand(test="orthogonality", nu=0.2) == 7
    assert by_hand(test="augmented", theta=0.2, nu=1.0) == 7
    assert by_hand(test="coordinate", eta=0.5) == 6


def test_the_batch_never_shrinks_and_stops_at_its_maximum():
    controller = made()
    assert isinstance(controller, Controller)
    sizes = []
    for size in (2.5, 9.1, 3, 50, 20, 1e9, 3):
        sizes.append(controller.update(asking_for(size, controller.batch_size)))
        controller.observe(1.0)
    assert sizes == [4, 10, 10, 50, 50, 100, 100]
    assert [(each["step"], each["batch_size"]) for each in controller.history] == [(2, 10), (4, 50), (6, 100)]
    assert controller.history[0]["variance"] == pytest.approx(9.1)
    assert controller.history[0]["squared_norm"] == 1
    assert not controller.due(100)


@pytest.mark.parametrize(("size", "expected"), [(math.inf, 100), (math.nan, 4), (0.0, 4)])
def test_extremes(size, expected):
    controller = made()
    rows = {math.inf: ((1.0,), (-1.0,)), math.nan: ((math.nan,), (1.0,)), 0.0: ((0.0,), (0.0,))}[size] * 2
    statistics = of_means([{"w": torch.tensor(row, dtype=torch.float64)} for row in rows], 1)
    assert controller.update(statistics) == expected


def test_growth_is_capped():
    controller = made(growth_cap=1.5)
    assert [controller.update(asking_for(1000, 1000)) for _ in range(5)] == [6, 9, 13, 19, 28]
    crawling = made(2, growth_cap=1.01)
    assert [crawling.update(asking_for(1000, 1000)) for _ in range(3)] == [3, 4, 5]


def test_tests_are_due_at_intervals_and_not_for_short_batches():
    controller = made(interval=3)
    due = []
    for _ in range(7):
        due.append(controller.due(4))
        assert not controller.due(3)
        controller.observe()
    assert due == [True, False, False, True, False, False, True]
    assert controller.update(asking_for(50, 3)) == 4


def test_a_debiased_controller_asks_for_more():
    statistics = asking_for(2, 4)
    assert made(debias=False).update(statistics) == 4
    assert made(debias=True).update(statistics) == 4
    assert made(debias=True).update(asking_for(3.5, 4)) == 28


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("largest", [None, 1, 5, 8])
def test_batches_are_split_evenly(workers, largest):
    for samples in range(2 * workers, 60):
        split = micro_batches(samples, workers, largest, 50)
        assert split.samples == split.size * split.accumulation * workers <= 50
        assert largest is None or split.size <= largest
        if samples <= 40:
            assert split.samples >= samples
            assert split.samples - samples < workers * split.accumulation


def test_splits_by_hand():
    assert micro_batches(10, 2, 3, 100) == MicroBatches(3, 2, 2)
    assert micro_batches(10, 2, None, 100) == MicroBatches(5, 1, 2)
    controller = made(4, 99, workers=2, max_micro_batch=8)
    assert controller.micro_batches == MicroBatches(2, 1, 2)
    assert controller.update(asking_for(33, 4)) == 36
    assert controller.micro_batches == MicroBatches(6, 3, 2)
    assert controller.update(asking_for(1e9, 36)) == 98
    assert controller.micro_batches == MicroBatches(7, 7, 2)


def test_a_split_never_makes_the_batch_smaller():
    controller = made(9, 10, max_micro_batch=9)
    assert controller.update(asking_for(10, 9)) == 10
    narrow = made(7, 9, max_micro_batch=7)
    assert narrow.update(asking_for(9, 7)) == 8
    assert narrow.update(asking_for(9, 8)) == 8


@pytest.mark.parametrize(
    ("first", "most", "settings", "largest"),
    [
        (8, 30, {"workers": 4}, 28),
        (4, 10, {"max_micro_batch": 4}, 9),
        (4, 17, {"max_micro_batch": 8}, 16),  # two passes of 8 are more than three of 5
        (4, 7, {"workers": 2, "max_micro_batch": 1}, 6),
    ],
)
def test_nothing_is_due_once_the_batch_is_the_largest_that_can_be_shared(first, most, settings, largest):
    controller = made(first, most, **settings)
    assert controller.due(first)
    assert controller.update(asking_for(1e9, first)) == largest
    assert controller.micro_batches.samples == largest
    assert not controller.due(largest)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("largest", [1, 3, 7, 8])
def test_who_asks_for_more_gets_no_less(workers, largest):
    for most in range(2 * workers, 60):
        sizes = [micro_batches(samples, workers, largest, most).samples for samples in range(workers, most + 9)]
        assert sizes == sorted(sizes)
        assert workers <= sizes[-1] <= most
        assert sizes[-1] == max(sizes)


def test_it_sets_and_advances_the_sampler():
    sampler = AdaptiveBatchSampler(range(40), 4)
    controller = made(4, 40, sampler=sampler)
    sizes = []
    for batch in sampler:
        sizes.append(len(batch))
        if len(sizes) == 2:
            controller.update(asking_for(10, 4))
        controller.observe(0.0)
    assert sizes == [4, 4, 10, 10, 10, 2]
    assert sampler.state_dict()["under_way"] == []


def test_it_resumes(tmp_path):
    first, second = made(interval=2), made(interval=2)
    first.update(asking_for(10, 4))
    first.observe()
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (second.batch_size, second.due(10), second.history) == (10, False, first.history)
    for controller in (first, second):
        controller.observe()
        controller.update(asking_for(33, 10))
    assert first.state_dict() == second.state_dict()
    saved = first.state_dict()
    first.update(asking_for(50, 33))
    assert len(saved["history"]) == 2


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"steps": 1}, "state_dict with steps is not a BatchSizeController's"),
        ({"size": 200, "accumulation": 1, "steps": 0, "history": []}, "a batch of 200; between 2 and 100"),
    ],
)
def test_foreign_states_are_refused(state, message):
    controller = made()
    with pytest.raises(ValueError, match=message):
        controller.load_state_dict(state)
    assert controller.batch_size == 4


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"batch_size": 1}, ValueError, "batch_size=1 must be a whole number >= 2"),
        ({"batch_size": 2.0}, TypeError, "batch_size=2.0 must be a whole number"),
        ({"batch_size": 101}, ValueError, "batch_size=101 must be at most max_batch_size=100"),
        ({"batch_size": 4, "workers": 4}, ValueError, "batch_size=4 must be a multiple of workers=4 that gives each"),
        ({"batch_size": 9, "workers": 2}, ValueError, "batch_size=9 must be a multiple of workers=2"),
        ({"workers": 0}, ValueError, "workers=0 must be a whole number >= 1"),
        ({"eta": 0}, ValueError, "eta=0 must lie in"),
        ({"test": "no"}, ValueError, "test='no' must be 'norm'"),
        ({"interval": 0}, ValueError, "interval=0 must be a whole number >= 1"),
        ({"growth_cap": 1.0}, ValueError, r"growth_cap=1.0 must lie in \(1, inf\)"),
        ({"max_micro_batch": 0}, ValueError, "max_micro_batch=0 must be"),
        (
            {"batch_size": 99, "workers": 3, "max_micro_batch": 32},
            ValueError,
            "batch_size=99 has no equal passes .*; 96",
        ),
        ({"sampler": range(3)}, TypeError, r"sampler=range\(0, 3\) must be an AdaptiveBatchSampler or None"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        BatchSizeController(settings.pop("batch_size", 4), 100, **settings)


@pytest.mark.parametrize("debias", [False, True])
def test_in_linear_regression_it_finds_the_batch_that_theory_asks_for(debias):
    # g_i = x - xi_i with xi_i ~ N(0, sigma^2 I): V = sigma^2 d, so b* = sigma^2 d / (eta^2 |x|^2)
    size, sigma, eta, distance = 1000, 1.0, 0.25, 4.0
    wanted = sigma**2 * size / (eta**2 * distance**2)
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Linear(1, size, bias=False)
    with torch.no_grad():
        model.weight.fill_(distance / math.sqrt(size))

    def losses(model, batch):
        return 0.5 * (model.weight[:, 0] - batch).square().sum(1)

    def noise(samples):
        return sigma * torch.randn(samples, size, generator=generator)

    controller = BatchSizeController(500, 100_000, eta=eta, debias=debias)
    for _ in range(3):
        found = controller.update(gradient_statistics(model, losses, noise(controller.batch_size)))
    assert wanted == 1000
    assert found == pytest.approx(wanted, rel=0.1)
    # with its bias it settles where V / b = eta^2 (|x|^2 + V / b)
    assert (found < wanted) == (not debias)
