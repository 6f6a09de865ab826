import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.tasks.hashing import sha256
from trimtab.lab.tasks import digits, mnist5k, tabular
from trimtab.lab.tasks.splits import stratified_split, subsets


@given(st.lists(st.integers(0, 3), min_size=3, max_size=60), st.data())
def test_parts_are_disjoint_complete_and_hold_each_class_in_proportion(classes, data):
    labels = torch.tensor(classes)
    first = data.draw(st.integers(1, len(classes) - 2))
    second = data.draw(st.integers(1, len(classes) - first - 1))
    sizes = (first, second, len(classes) - first - second)
    parts = stratified_split(labels, sizes)
    assert tuple(map(len, parts)) == sizes
    assert sorted(torch.cat(parts).tolist()) == list(range(len(classes)))
    for size, part in zip(sizes, parts, strict=True):
        for label in set(classes):
            expected = classes.count(label) * size / len(classes)
            # at each end of a part every class is half a sample off at most, and the end itself half a sample a class
            bound = 1 + len(set(classes)) * classes.count(label) / len(classes)
            assert abs(int((labels[part] == label).sum()) - expected) <= bound + 1e-9


def test_sizes_must_add_up():
    with pytest.raises(ValueError, match=r"sizes=\(2, 2\) add up to 4, but there are 5 samples"):
        stratified_split(torch.zeros(5, dtype=torch.int64), (2, 2))


def test_subsets_take_the_same_rows_of_every_tensor():
    numbers = torch.arange(4)
    parts = (torch.tensor([0, 3]), torch.tensor([2]))
    first, second = subsets((numbers, numbers * 10), parts)
    assert first.tensors[1].tolist() == [0, 30]
    assert second[0] == (2, 20)


@pytest.mark.parametrize(
    ("task", "source", "sizes", "expected"),
    [
        (digits.Digits, digits.digit_images, (1000, 400, 397), "176b1a38062361ca"),
        (mnist5k.Mnist5k, mnist5k._bundled, (3500, 750, 750), "e4a82b7a92e5a989"),
        (tabular.BreastCancer, tabular._breast_cancer, (341, 114, 114), "fe4642242987c35d"),
    ],
)
def test_the_splits_that_ship_are_what_they_always_were(task, source, sizes, expected):
    _, labels = source()
    parts = stratified_split(labels, sizes)
    assert sha256(*parts) == expected
    data = task()
    for part, size, split in zip(parts, sizes, (data.train, data.validation, data.test), strict=True):
        classes = split.tensors[1].to(torch.int64)
        assert len(split) == size
        assert torch.equal(classes, labels[part])
        assert ((classes.bincount() - labels.bincount() * size / len(labels)).abs() <= 1.5).all()
