from itertools import chain

import pytest
import torch
from torch.utils.data import DataLoader

from trimtab.schedule import AdaptiveBatchSampler

DATA = torch.arange(50)


def shuffled(size=4, seed=0, **settings):
    return AdaptiveBatchSampler(DATA, size, generator=torch.Generator().manual_seed(seed), **settings)


def flat(batches):
    return list(chain.from_iterable(batches))


def growing(sampler, batches, advance=True):
    """Collects batches, each two larger than the one before."""
    found = []
    for batch in batches:
        found.append([int(row) for row in batch])
        sampler.batch_size = min(20, sampler.batch_size + 2)
        if advance:
            sampler.advance()
    return found


def test_every_row_comes_once_an_epoch_in_the_order_of_a_permutation():
    sampler = shuffled()
    order = torch.Generator().manual_seed(0)
    for epoch in range(3):
        assert sampler.epoch == max(0, epoch - 1)
        found = growing(sampler, sampler)
        assert flat(found) == torch.randperm(50, generator=order).tolist()
        sampler.batch_size = 4
    assert [len(batch) for batch in found] == [4, 6, 8, 10, 12, 10]


def test_without_a_generator_rows_come_in_their_own_order():
    sampler = AdaptiveBatchSampler(range(10), 4)
    assert list(sampler) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(AdaptiveBatchSampler(range(10), 4, drop_last=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_present_size_holds_from_the_next_batch():
    sampler = AdaptiveBatchSampler(range(12), 2)
    batches = iter(sampler)
    assert next(batches) == [0, 1]
    sampler.batch_size = 5
    assert next(batches) == [2, 3, 4, 5, 6]
    sampler.batch_size = 3
    assert next(batches) == [7, 8, 9]
    assert next(batches) == [10, 11]


@pytest.mark.parametrize("stop", range(1, 7))
def test_it_resumes_in_the_middle_of_an_epoch(stop, tmp_path):
    whole, begun, resumed = shuffled(), shuffled(), shuffled(seed=9)
    expected = growing(whole, whole) + growing(whole, whole)
    found = []
    for batch in begun:
        found += growing(begun, [batch])
        if len(found) == stop:
            break
    torch.save(begun.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    while resumed.epochs_done < 2:
        found += growing(resumed, resumed)
    assert found == expected
    assert resumed.epoch == whole.epoch == 1


def test_between_epochs_the_next_one_begins():
    whole, begun, resumed = shuffled(), shuffled(), shuffled(seed=9)
    growing(whole, whole)
    expected = growing(whole, whole)
    growing(begun, begun)
    resumed.load_state_dict(begun.state_dict())
    assert growing(resumed, resumed) == expected


def test_a_loop_that_is_left_goes_on_where_it_was():
    sampler = shuffled()
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0)).tolist()
    batch = next(iter(sampler))
    sampler.advance()
    rest = growing(sampler, sampler)
    assert batch + flat(rest) == order


def test_what_it_was_not_told_of_is_drawn_again():
    sampler = shuffled()
    batches = iter(sampler)
    first = [next(batches), next(batches)]
    other = shuffled(seed=9)
    other.load_state_dict(sampler.state_dict())
    again = iter(other)
    assert [next(again), next(again)] == first


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 50

    def __getitem__(self, row):
        return row


def test_a_loader_with_workers_asks_ahead_and_resumes_bit_for_bit():
    sampler = shuffled()
    # spawned: a fork would copy the threads of whatever other tests have imported
    settings = {"num_workers": 2, "prefetch_factor": 2, "multiprocessing_context": "spawn"}
    loader = DataLoader(Rows(), batch_sampler=sampler, **settings)
    found, states = [], []
    for batch in loader:
        found += growing(sampler, [batch])
        states.append(sampler.state_dict())
    # four batches were asked for before the first was delivered
    assert [len(batch) for batch in found[:5]] == [4, 4, 4, 4, 4]
    assert len(found[5]) > 4
    assert flat(found) == torch.randperm(50, generator=torch.Generator().manual_seed(0)).tolist()
    assert states[1]["under_way"][:2] == [4, 4]
    resumed = shuffled(seed=9)
    resumed.load_state_dict(states[1])
    loader = DataLoader(Rows(), batch_sampler=resumed, **settings)
    assert found[:2] + growing(resumed, loader) == found


def test_workers_share_each_batch():
    both = [shuffled(6, rank=rank, workers=2) for rank in range(2)]
    alone = shuffled(6)
    for one, other, whole in zip(*both, alone, strict=True):
        assert len(one) == len(other)
        assert sorted(one + other) == sorted(whole)
    odd = [AdaptiveBatchSampler(range(7), 4, rank=rank, workers=2) for rank in range(2)]
    assert [list(sampler) for sampler in odd] == [[[0, 2], [4]], [[1, 3], [5]]]


@pytest.mark.parametrize(("settings", "length"), [({}, 13), ({"drop_last": True}, 12)])
def test_its_length_is_what_is_left_were_the_size_to_stay(settings, length):
    sampler = shuffled(**settings)
    assert len(sampler) == length == len(list(sampler))
    sampler = shuffled(**settings)
    batches = iter(sampler)
    next(batches)
    sampler.advance()
    assert len(sampler) == length - 1
    sampler.batch_size = 46
    assert len(sampler) == 1


@pytest.mark.parametrize("inside", [False, True])
def test_between_epochs_it_is_as_long_as_the_next_one(inside):
    """Whether the loop has seen that nothing comes any more, or was left with the last batch."""
    sampler = AdaptiveBatchSampler(range(10), 4)
    assert (len(sampler), sampler.epochs_done) == (3, 0)
    for _ in sampler:
        assert sampler.epochs_done == 0
        sampler.advance()
        if sampler.epochs_done and inside:
            break
    assert (len(sampler), sampler.epochs_done, sampler.epoch) == (3, 1, 0)
    sampler.batch_size = 5
    resumed = AdaptiveBatchSampler(range(10), 4)
    resumed.load_state_dict(sampler.state_dict())
    for each in (sampler, resumed):
        assert (len(each), each.epochs_done) == (2, 1)
        assert list(each) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
        assert (each.epochs_done, each.epoch) == (1, 1)  # nobody has said that they are done


def test_nothing_is_done_that_was_not_drawn():
    with pytest.raises(RuntimeError, match="no batch is under way"):
        shuffled().advance()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"data_source": iter([1])}, TypeError, "must have a length"),
        ({"batch_size": 0}, ValueError, "batch_size=0 must be a whole number >= 1"),
        ({"batch_size": 51}, ValueError, "batch_size=51 must be at most 50"),
        ({"max_batch_size": 51}, ValueError, "max_batch_size=51 must be at most the 50 samples"),
        ({"max_batch_size": 3}, ValueError, "batch_size=4 must be at most 3"),
        ({"generator": 0}, TypeError, "generator=0 must be a torch.Generator or None"),
        ({"drop_last": 1}, TypeError, "drop_last=1 must be True or False"),
        ({"rank": 1}, ValueError, "rank=1 must be less than workers=1"),
        ({"workers": 3}, ValueError, "batch_size=4 must be a multiple of workers=3"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    arguments = {"data_source": DATA, "batch_size": 4, **settings}
    with pytest.raises(error, match=message):
        AdaptiveBatchSampler(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {"epoch": 1}, "not an AdaptiveBatchSampler's"),
        (lambda state: {**state, "done": 40, "under_way": [11]}, "more than the 50 samples"),
        (lambda state: {**state, "began": None}, "a generator's state where there is none"),
        (lambda state: {**state, "batch_size": 51}, "batch_size=51 must be at most 50"),
    ],
)
def test_foreign_states_are_refused(change, message):
    sampler = shuffled()
    before = sampler.state_dict()
    with pytest.raises(ValueError, match=message):
        sampler.load_state_dict(change(sampler.state_dict()))
    after = sampler.state_dict()
    assert torch.equal(before.pop("began"), after.pop("began"))
    assert before == after


def test_a_size_that_cannot_be_changes_nothing():
    sampler = shuffled()
    with pytest.raises(ValueError, match="batch_size=99 must be at most 50"):
        sampler.batch_size = 99
    assert sampler.batch_size == 4
